//! Versions share a model's traffic: the same user gets the same arm on every edge, the report counts what the provider has seen, and an arm
//! that fails gives all back.

use std::collections::HashMap;

use harness::{
    client::{self, Client},
    wait,
};
use proto::admin::{
    Experiment, ExperimentArm, ExperimentGuard, ExperimentState, GetExperimentRequest,
    RolloutMetric, RolloutStickiness, StartExperimentRequest, StopExperimentRequest,
};
use scenarios::openai;
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    command_line::Shell,
    town::{PATIENCE, Town, step, version},
};

impl Town {
    /// Starts an experiment in which `v2` gets half.
    async fn try_half(&self, experiment: Experiment) -> Result<Experiment, Code> {
        let request = StartExperimentRequest {
            parent: self.model(),
            experiment: Some(Experiment {
                arms: vec![ExperimentArm {
                    version: format!("{}/versions/v2", self.model()),
                    basis_points: 5_000,
                    ..Default::default()
                }],
                ..experiment
            }),
            ..Default::default()
        };
        let admin = self.site.admin();
        let started = admin.experiments().start_experiment(request).await;
        let started = started.map_err(|why| why.code())?.into_inner();
        self.site.propagated().await;
        Ok(started)
    }

    async fn experiment(&self, name: &str) -> Experiment {
        let request = GetExperimentRequest {
            name: name.to_owned(),
        };
        let got = self
            .site
            .admin()
            .experiments()
            .get_experiment(request)
            .await;
        got.expect("it is there").into_inner()
    }

    /// How many requests the provider has seen of each of its models.
    fn seen(&self) -> HashMap<String, i64> {
        let mut seen = HashMap::new();
        for asked in self.provider.asked() {
            let body: Value = serde_json::from_slice(&asked.body).expect("it is JSON");
            let model = body["model"].as_str().expect("it names a model").to_owned();
            *seen.entry(model).or_default() += 1;
        }
        seen
    }
}

/// Has sixty users ask at both edges: the arm of each, which is one.
async fn everybody(town: &Town) -> HashMap<String, String> {
    let mut arms: HashMap<String, String> = HashMap::new();
    for user in (0..60).map(|user| format!("user-{user}")) {
        for edge in 0..2 {
            let mut client = Client::connect(&town.site.url(edge), &town.key)
                .await
                .expect("the edge accepts");
            let served = version(&mut client, &user).await.expect("it answers").1;
            let before = arms.insert(user.clone(), served.clone());
            assert!(
                before.is_none_or(|it| it == served),
                "{user} at edge {edge}"
            );
        }
    }
    arms
}

#[tokio::test]
async fn a_user_gets_one_arm_on_both_edges_and_the_report_counts_what_the_provider_saw() {
    let town = Town::build(vec!["here", "there"], "fine").await;
    let started = town.try_half(Experiment::default()).await;
    let started = started.expect("it starts");
    let shares: Vec<_> = started.arms.iter().map(|it| it.basis_points).collect();
    assert_eq!(
        (started.state(), shares),
        (ExperimentState::Running, vec![5_000, 5_000])
    );
    assert_eq!(
        town.try_half(Experiment::default()).await.err(),
        Some(Code::FailedPrecondition)
    );
    let rollout = proto::admin::Rollout {
        steps: vec![step(50, 0)],
        ..Default::default()
    };
    assert_eq!(
        town.start(rollout).await.err(),
        Some(Code::FailedPrecondition)
    );

    let arms = everybody(&town).await;
    let reported = wait::until_within(PATIENCE, "all is counted", async || {
        let now = town.experiment(&started.name).await;
        let all: i64 = now.arms.iter().map(|it| it.requests).sum();
        (all == 120).then_some(now)
    });
    let (reported, _) = reported.await;
    let seen = town.seen();
    let others: i64 = seen
        .iter()
        .filter(|it| it.0 != "fine")
        .map(|it| *it.1)
        .sum();
    let requests: Vec<_> = reported.arms.iter().map(|it| it.requests).collect();
    assert_eq!(requests, [others, seen["fine"]]);
    // Of each user the first request alone is judged.
    let users = arms.values().filter(|it| *it == "v2").count();
    let clients: Vec<_> = reported.arms.iter().map(|it| it.clients).collect();
    assert_eq!(
        clients,
        [60 - users, users].map(|it| i64::try_from(it).expect("it is small"))
    );
    assert!(!reported.share_mismatch);
    let errors = &reported.arms[1].measures[0];
    assert_eq!(
        (errors.metric(), errors.samples),
        (RolloutMetric::ErrorRate, requests[1])
    );
    assert!(
        errors.low == Some(0.0) && errors.high.is_some_and(|it| it < 1.0),
        "{errors:?}"
    );
    let of_errors = &reported.findings[0];
    assert!(
        of_errors.starts_with("of the error rate nothing can be said yet"),
        "{of_errors}"
    );

    stops_once(&town, started.name).await;
}

/// Stops it, which gives all to the first arm, and can be done once.
async fn stops_once(town: &Town, name: String) {
    let stop = StopExperimentRequest {
        name,
        reason: "enough".to_owned(),
        ..Default::default()
    };
    let mut experiments = town.site.admin().experiments();
    let stopped = experiments.stop_experiment(stop.clone()).await;
    assert_eq!(
        stopped.expect("it stops").into_inner().state(),
        ExperimentState::Stopped
    );
    let twice = experiments.stop_experiment(stop).await;
    assert_eq!(
        twice.expect_err("it is over").code(),
        Code::FailedPrecondition
    );
    town.site.propagated().await;
    let mut client = Client::connect(&town.site.url(0), &town.key)
        .await
        .expect("the edge accepts");
    for user in 0..20 {
        let served = version(&mut client, &format!("user-{user}")).await;
        assert_eq!(served, Some((200, "v1".to_owned())));
    }
}

#[tokio::test]
async fn an_arm_that_fails_gives_all_back_to_the_first_one() {
    let town = Town::build(vec!["here"], "broken").await;
    let experiment = Experiment {
        guards: vec![ExperimentGuard {
            metric: RolloutMetric::ErrorRate.into(),
            ..Default::default()
        }],
        stickiness: RolloutStickiness::Request.into(),
        ..Default::default()
    };
    let started = town.try_half(experiment).await.expect("it starts");
    let mut client = Client::connect(&town.site.url(0), &town.key)
        .await
        .expect("the edge accepts");
    let ended = wait::until_within(PATIENCE, "the guard ends it", async || {
        let asked = client.post("/v1/chat/completions", openai::whole("chat"));
        asked.await.expect("it answers").bytes().await.ok()?;
        let now = town.experiment(&started.name).await;
        now.end_time.is_some().then_some(now)
    });
    let (ended, _) = ended.await;
    assert_eq!(ended.state(), ExperimentState::Guarded, "{ended:?}");
    let why = "the error rate of v2 is worse: 100.00 % in";
    assert!(ended.reason.starts_with(why), "{}", ended.reason);
    town.site.propagated().await;
    for user in 0..20 {
        let served = version(&mut client, &format!("user-{user}")).await;
        assert_eq!(served, Some((200, "v1".to_owned())));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_tries_versions_and_chooses_one() {
    let town = Town::build(vec!["here"], "fine").await;
    let shell = Shell::new(&town.site);
    let line = "experiments start chat --arm v2:30% --guard error-rate:1% --sticky key --id winter";
    assert!(
        shell
            .done(&format!("{line} --validate-only"))
            .contains("winter")
    );
    assert_eq!(shell.run("experiments report chat").code, 3);
    let started = shell.done(line);
    assert!(
        started.contains("v2") && started.contains("30 %"),
        "{started}"
    );
    // What an experiment has cannot be deleted, and nothing else shares the traffic meanwhile.
    let refused = shell.run("versions delete chat@v2");
    assert!(refused.err.contains("experiment"), "{}", refused.err);
    let refused = shell.run("rollouts start chat --to v2 --step 5%");
    assert!(
        refused.err.contains("it has an experiment under way"),
        "{}",
        refused.err
    );
    town.site.propagated().await;
    let path = "/v1/chat/completions";
    let reply = client::post(&town.site.url(0), &town.key, path, openai::whole("chat")).await;
    let id = reply.headers["x-sluice-request-id"].to_str();
    let line = format!("usage get {} -o json", id.expect("it is text"));
    reply.bytes().await.expect("the answer arrives");
    let told = wait::until("the record is there", async || {
        let got = tokio::task::block_in_place(|| shell.run(&line));
        serde_json::from_str::<Value>(&got.out).ok()
    });
    let (told, _) = told.await;
    assert_eq!(
        told["experiment"],
        format!("{}/experiments/winter", town.model())
    );
    // What a client says of it is told of its arm.
    let said = json!({"request_id": told["id"], "thumbs": "up"}).to_string();
    let reply = client::post(&town.site.url(0), &town.key, "/v1/feedback", said).await;
    assert_eq!(reply.status, 200);
    wait::until_within(PATIENCE, "the score is told", async || {
        let report = tokio::task::block_in_place(|| shell.json("experiments report chat"));
        let arms = report["arms"].as_array()?.iter();
        let mut scores = arms.map(|it| it["measures"][3]["samples"].clone());
        scores.any(|it| it == "1").then_some(())
    })
    .await;
    let report = shell.done("experiments report chat@winter");
    assert!(report.contains("nothing can be said yet"), "{report}");
    let concluded = shell.json("experiments conclude chat --to v2 --reason cheaper");
    assert_eq!(concluded["state"], "EXPERIMENT_STATE_CONCLUDED");
    let model = shell.json("models get chat");
    let stable = model["stableVersion"].as_str().unwrap_or_default();
    assert!(stable.ends_with("/versions/v2"), "{stable}");
    assert!(shell.done("experiments list chat").contains("concluded"));
}
