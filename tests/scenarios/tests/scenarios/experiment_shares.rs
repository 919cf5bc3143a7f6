//! The shares of an experiment follow what is known: only those move who must, through the death of a control plane, and an arm that does harm is
//! taken out while the others go on.

use std::collections::HashMap;

use harness::{client::Client, tenant::Rules, wait};
use prost_types::Duration;
use proto::admin::{
    Experiment, ExperimentAllocation, ExperimentAllocationMethod, ExperimentArm, ExperimentGuard,
    ExperimentState, GetExperimentRequest, ListAuditEntriesRequest, RolloutMetric,
    RolloutStickiness, StartExperimentRequest,
};
use serde_json::Value;

use crate::{
    command_line::Shell,
    town::{PATIENCE, Town, version},
};

const USERS: u32 = 80;

/// Starts one whose shares follow the error rate; arms are versions with percents.
async fn follow(town: &Town, arms: &[(&str, i32)], experiment: Experiment) -> Experiment {
    let arms = arms.iter().map(|(version, percent)| ExperimentArm {
        version: format!("{}/versions/{version}", town.model()),
        basis_points: percent * 100,
        ..Default::default()
    });
    let request = StartExperimentRequest {
        parent: town.model(),
        experiment: Some(Experiment {
            arms: arms.collect(),
            ..experiment
        }),
        ..Default::default()
    };
    let admin = town.site.admin();
    let started = admin.experiments().start_experiment(request).await;
    town.site.propagated().await;
    started.expect("it starts").into_inner()
}

fn errors(step: i32, seconds: i64) -> ExperimentAllocation {
    ExperimentAllocation {
        method: ExperimentAllocationMethod::Thompson.into(),
        goal: RolloutMetric::ErrorRate.into(),
        step_basis_points: step,
        period: Some(Duration { seconds, nanos: 0 }),
        ..Default::default()
    }
}

async fn read(town: &Town, name: &str) -> Option<Experiment> {
    let request = GetExperimentRequest {
        name: name.to_owned(),
    };
    let admin = town.site.admin();
    let got = admin.experiments().get_experiment(request).await;
    Some(got.ok()?.into_inner())
}

/// Has every user ask once: the version that served each.
async fn everybody(town: &Town) -> HashMap<u32, String> {
    let mut client = Client::connect(&town.site.url(0), &town.key)
        .await
        .expect("the edge accepts");
    let mut arms = HashMap::new();
    for user in 0..USERS {
        let served = version(&mut client, &format!("user-{user}")).await;
        arms.insert(user, served.expect("it answers").1);
    }
    arms
}

/// The methods by which the control plane changed the experiment by itself, the oldest first.
async fn trail(town: &Town) -> Vec<String> {
    let request = ListAuditEntriesRequest {
        parent: town.tenant.organization.clone(),
        page_size: 1_000,
        ..Default::default()
    };
    let admin = town.site.admin();
    let listed = admin.audit().list_audit_entries(request).await;
    let entries = listed
        .expect("the trail is told")
        .into_inner()
        .audit_entries;
    let entries = entries.into_iter().filter_map(|it| {
        let entry: Value = serde_json::from_str(&it.entry).expect("an entry is JSON");
        let own = entry["actor"] == "control-plane";
        own.then(|| entry["method"].as_str().unwrap_or("").to_owned())
    });
    entries.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_follow_what_is_known_and_only_those_move_who_must() {
    let mut town = Town::build_with(2, vec!["here"], "broken").await;
    let experiment = Experiment {
        allocation: Some(errors(10_000, 5)),
        ..Default::default()
    };
    let started = follow(&town, &[("v2", 50)], experiment).await;
    assert_eq!(started.weights.len(), 1, "{started:?}");
    let before = everybody(&town).await;
    // Two look after it, of which one dies and comes back.
    town.site.control_planes[0].process.kill();
    town.site.revive_control_plane(0).await;
    let moved = wait::until_within(PATIENCE, "the shares have moved", async || {
        let now = read(&town, &started.name).await?;
        (now.weights.len() > 1).then_some(now)
    });
    let (moved, _) = moved.await;
    let shares: Vec<_> = moved.arms.iter().map(|it| it.basis_points).collect();
    assert_eq!(shares, [9_500, 500], "{moved:?}");
    assert_eq!(moved.weights.len(), 2, "{moved:?}");
    let newest = &moved.weights[0];
    assert!(newest.revision > moved.weights[1].revision, "{moved:?}");
    assert!(newest.chances[0] > 0.999, "{newest:?}");
    assert_eq!(newest.reason, "by what is known of the error rate");
    town.site.propagated().await;
    let after = everybody(&town).await;
    let second = |all: &HashMap<u32, String>| all.values().filter(|it| *it == "v2").count();
    for (user, arm) in &before {
        let is_kept = after[user] == *arm;
        assert!(
            is_kept || arm == "v2",
            "user {user} moved to {}",
            after[user]
        );
    }
    assert!(second(&before) >= 20 && second(&after) * 4 < second(&before));
    let counted = wait::until_within(PATIENCE, "all is counted", async || {
        let now = read(&town, &started.name).await?;
        let all: i64 = now.arms.iter().map(|it| it.requests).sum();
        (all == i64::from(2 * USERS)).then_some(now)
    });
    let (counted, _) = counted.await;
    assert!(!counted.share_mismatch, "{counted:?}");
    assert!(
        counted.findings[0].starts_with("the shares follow the error rate"),
        "{:?}",
        counted.findings
    );
    assert_eq!(trail(&town).await, ["WeighExperiment"]);
    let report = Shell::new(&town.site).done("experiments report chat");
    assert!(
        report.contains("SINCE") && report.contains("95 % (best: 100.0 %)"),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_arm_that_does_harm_is_taken_out_and_the_others_go_on() {
    let town = Town::build(vec!["here"], "broken").await;
    let made = town
        .tenant
        .version(("chat", "v3"), ("main", "another"), Rules::default());
    made.await.expect("a version is made");
    let shell = Shell::new(&town.site);
    let line = "experiments start chat --arm v2:30% --arm v3:30% --validate-only";
    let checked = shell.done(&format!(
        "{line} --allocate thompson --goal cost --floor 2% --every 1h"
    ));
    assert!(
        checked.contains("the shares will follow the cost"),
        "{checked}"
    );
    assert!(
        shell
            .run(&format!("{line} --floor 2%"))
            .err
            .contains("--allocate thompson")
    );
    let refused = shell.run(&format!("{line} --allocate thompson --floor 31%"));
    assert!(refused.err.contains("below the floor"), "{}", refused.err);

    let experiment = Experiment {
        allocation: Some(errors(1_000, 3_600)),
        guards: vec![ExperimentGuard {
            metric: RolloutMetric::ErrorRate.into(),
            ..Default::default()
        }],
        stickiness: RolloutStickiness::EndUser.into(),
        ..Default::default()
    };
    let started = follow(&town, &[("v2", 30), ("v3", 30)], experiment).await;
    let before = everybody(&town).await;
    let mut client = Client::connect(&town.site.url(0), &town.key)
        .await
        .expect("the edge accepts");
    let mut users = USERS..;
    let out = wait::until_within(PATIENCE, "the arm is out", async || {
        let user = format!("user-{}", users.next()?);
        version(&mut client, &user).await?;
        let now = read(&town, &started.name).await?;
        (!now.arms[1].out_reason.is_empty()).then_some(now)
    });
    let (out, _) = out.await;
    let shares: Vec<_> = out.arms.iter().map(|it| it.basis_points).collect();
    assert_eq!(
        (out.state(), shares),
        (ExperimentState::Running, vec![7_000, 0, 3_000])
    );
    let why = "the error rate of v2 is worse: 100.00 % in";
    assert!(out.arms[1].out_reason.starts_with(why), "{out:?}");
    assert_eq!(trail(&town).await, ["GuardExperiment"]);
    town.site.propagated().await;
    for (user, arm) in everybody(&town).await {
        let expected = match before[&user].as_str() {
            "v2" => "v1",
            stays => stays,
        };
        assert_eq!(arm, expected, "user {user}");
    }
    let report = shell.done("experiments report chat");
    assert!(
        report.contains("out ") && report.contains("is worse"),
        "{report}"
    );
    assert!(shell.done("experiments stop chat").contains("stopped"));
}
