//! A client says what it thinks of an answer: it stands once, is told with the record, is summed by version, and takes a release back that
//! clients like less.

use harness::{
    client::{self, Client},
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateKeyRequest, CreateProjectRequest, Key, Project, Rollout, RolloutGate, RolloutMetric,
    RolloutState, RolloutStickiness,
};
use scenarios::{openai, sdk::Sdk};
use serde_json::{Value, json};

use crate::{
    command_line::Shell,
    town::{PATIENCE, Town, step},
};

const PATH: &str = "/v1/feedback";

/// Status, and what is said.
async fn say(site: &Site, key: &str, body: &Value) -> (u16, Value) {
    let reply = client::post(&site.url(0), key, PATH, body.to_string()).await;
    let status = reply.status.as_u16();
    (status, reply.json().await)
}

/// Says it once the request's record is there.
async fn say_settled(site: &Site, key: &str, body: &Value) -> (u16, Value) {
    let settled = || async {
        let (status, said) = say(site, key, body).await;
        (said["error"]["code"] != "request_not_settled").then_some((status, said))
    };
    wait::until("the record is there", settled).await.0
}

/// A key of another project of the same organization.
async fn neighbour(site: &Site, tenant: &Tenant) -> String {
    let request = CreateProjectRequest {
        parent: tenant.organization.clone(),
        project_id: "neighbour".to_owned(),
        project: Some(Project::default()),
        ..Default::default()
    };
    let made = site.admin().projects().create_project(request).await;
    let request = CreateKeyRequest {
        parent: made.expect("a project is made").into_inner().name,
        key: Some(Key::default()),
        ..Default::default()
    };
    let made = site.admin().keys().create_key(request).await;
    made.expect("a key is made").into_inner().text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_says_of_an_answer_stands_once_and_is_summed_by_version() {
    let provider = Provider::start(openai::answer).await;
    let mut site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    let other = neighbour(&site, &tenant).await;
    site.propagated().await;
    let shell = Shell::new(&site);

    let told = Sdk::Python
        .ask(&site.url(0), &key, "chat", "feedback")
        .await;
    let id = told["id"].as_str().expect("it is told").to_owned();
    let kept = json!({"request_id": id, "name": "score", "score": 1});
    assert_eq!(
        told,
        json!({"id": id, "kept": kept, "other": "feedback_stands"})
    );
    // Said again it stands still, and another name stands beside it.
    assert_eq!(say(&site, &key, &kept).await, (200, kept.clone()));
    let tone = json!({"request_id": id, "name": "tone", "score": 0.25});
    assert_eq!(say(&site, &key, &tone).await.0, 200);
    let record = shell.json(&format!("usage get {id}"));
    let said = record["feedback"].as_array().expect("it is there");
    let said = said
        .iter()
        .map(|it| (it["name"].clone(), it["score"].as_f64()));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [("score".into(), Some(1.0)), ("tone".into(), Some(0.25))]
    );

    let path = "/v1/chat/completions";
    let reply = client::post(&site.url(0), &key, path, openai::whole("chat")).await;
    let second = reply.headers["x-sluice-request-id"].to_str();
    let second = json!({"request_id": second.expect("it is text"), "thumbs": "down"});
    reply.bytes().await.expect("the answer arrives");
    assert_eq!(say_settled(&site, &key, &second).await.0, 200);
    let sums = shell.json("usage feedback chat");
    let rows = sums["rows"].as_array().expect("there are rows");
    let row = |at: usize| {
        let it = &rows[at];
        let mean = it["mean"].as_f64().unwrap_or(0.0);
        (
            it["name"].clone(),
            it["version"].clone(),
            it["count"].clone(),
            mean,
        )
    };
    assert_eq!(row(0), ("score".into(), "v1".into(), "2".into(), 0.5));
    assert_eq!(row(1), ("tone".into(), "v1".into(), "1".into(), 0.25));
    refusals(&site, (&key, &other), &id).await;

    site.control_planes[0].process.kill();
    let (status, said) = say(&site, &key, &kept).await;
    assert_eq!(
        (status, &said["error"]["code"]),
        (503, &"usage_unavailable".into())
    );
}

/// Each refusal has its code, and names what is wrong.
async fn refusals(site: &Site, (key, other): (&str, &str), id: &str) {
    let (fine, old) = (
        json!({"request_id": id, "score": 1}),
        "01890a5d-ac96-774b-bcce-b302099a8057",
    );
    for (key, body, status, code) in [
        ("", fine.clone(), 401, "missing_api_key"),
        // A request of another project does not exist.
        (other, fine, 404, "request_not_settled"),
        (
            key,
            json!({"request_id": old, "score": 1}),
            404,
            "request_not_found",
        ),
        (
            key,
            json!({"request_id": id, "score": 2}),
            400,
            "invalid_feedback",
        ),
        (
            key,
            json!({"request_id": id, "score": 1, "comment": "nice"}),
            400,
            "invalid_feedback",
        ),
        (
            key,
            json!({"request_id": id, "score": 1, "name": "x".repeat(5_000)}),
            413,
            "request_too_large",
        ),
    ] {
        let (told, said) = say(site, key, &body).await;
        assert_eq!(
            (told, &said["error"]["code"]),
            (status, &code.into()),
            "{said}"
        );
    }
    for name in ["a", "b", "c", "d", "e", "f"] {
        let body = json!({"request_id": id, "name": name, "score": 1});
        assert_eq!(say(site, key, &body).await.0, 200);
    }
    let ninth = json!({"request_id": id, "name": "g", "score": 1});
    let (status, said) = say(site, key, &ninth).await;
    assert_eq!(
        (status, &said["error"]["code"]),
        (400, &"feedback_full".into())
    );
}

#[tokio::test]
async fn a_candidate_whose_answers_clients_like_less_is_taken_back() {
    let town = Town::build(vec!["here"], "fine").await;
    let rollout = Rollout {
        steps: vec![step(50, 5)],
        gates: vec![RolloutGate {
            metric: RolloutMetric::FeedbackScore.into(),
            ..Default::default()
        }],
        stickiness: RolloutStickiness::Request.into(),
        ..Default::default()
    };
    let started = town.start(rollout).await.expect("it starts");
    let mut client = Client::connect(&town.site.url(0), &town.key).await.unwrap();
    let mut served = Vec::new();
    for _ in 0..50 {
        let reply = client.post("/v1/chat/completions", openai::whole("chat"));
        let reply = reply.await.expect("it answers");
        let text = |name: &str| reply.headers[name].to_str().map(str::to_owned);
        let (id, label) = (text("x-sluice-request-id"), text("x-sluice-model"));
        served.push((id.expect("an id"), label.expect("a label").ends_with("@v2")));
        reply.bytes().await.expect("the answer arrives");
    }
    for (id, is_candidates) in &served {
        let score = if *is_candidates { 0.1 } else { 0.9 };
        let body = json!({"request_id": id, "score": score});
        assert_eq!(say_settled(&town.site, &town.key, &body).await.0, 200);
    }
    let ended = wait::until_within(PATIENCE, "the rollout has ended", async || {
        let now = town.rollout(&started.name).await;
        now.filter(|it| it.end_time.is_some())
    });
    let (ended, _) = ended.await;
    assert_eq!(ended.state(), RolloutState::RolledBack, "{ended:?}");
    let why = "the feedback score is worse: 0.10 in";
    assert!(ended.reason.starts_with(why), "{}", ended.reason);
    assert!(
        (ended.evidence[0].stable_mean - 0.9).abs() < 1e-9,
        "{ended:?}"
    );
}
