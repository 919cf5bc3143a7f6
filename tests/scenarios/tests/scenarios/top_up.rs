//! A stream that generates far more than what was reserved for it: limits are charged as it goes, so that others are refused while
//! it still runs, and in the end what is counted is what was used, to the token.

use std::sync::Arc;

use harness::{
    client::{self, Client, Reply},
    provider::{Answer, Asked, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{ExplainLimitsRequest, LimitUnit, LimitWindow};
use scenarios::openai;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// What is reserved for the output of a request that does not say how much it wants, and how much is charged at a time.
const RESERVED: i64 = 40;
const STEP: i64 = 10;

/// How many tokens an answer has, and after how many of them it waits: both far beyond what was reserved.
const GENERATED: i64 = 5 * RESERVED;
const BEFORE_THE_GATE: i64 = 4 * RESERVED;

/// What may be generated in all: not as much as what has come and another request, nor as much as the answer, which goes on all the
/// same: the limit is hard and not strict, and so what is beyond it is a debt.
const LIMIT: i64 = GENERATED - STEP;

/// Each piece is one token, and as many bytes as one token is taken for. It waits at the gate.
fn long(gate: &Arc<Semaphore>) -> Answer {
    let event = |choices: Value, usage: Value| {
        let event = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": usage});
        Step::Send(format!("data: {event}\n\n").into())
    };
    let piece = |delta: Value, finish: Value| {
        let choice = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        event(choice, Value::Null)
    };
    let mut steps = Vec::new();
    for number in 0..GENERATED {
        if number == BEFORE_THE_GATE {
            steps.push(Step::Wait(Arc::clone(gate)));
        }
        steps.push(piece(json!({"content": " on"}), Value::Null));
    }
    let usage = json!({"prompt_tokens": openai::PROMPT_TOKENS, "completion_tokens": GENERATED, "total_tokens": 0});
    steps.push(piece(json!({}), json!("stop")));
    steps.push(event(json!([]), usage));
    steps.push(Step::Send("data: [DONE]\n\n".into()));
    Answer::events(steps)
}

async fn site(provider: &Provider) -> (Site, Tenant) {
    let settings = vec![
        ("SLUICE_LIMITS__OUTPUT_TOKENS_DEFAULT", RESERVED.to_string()),
        ("SLUICE_LIMITS__TOP_UP_TOKENS", STEP.to_string()),
        ("SLUICE_LIMITS__TIMEOUT_MS", "5000".to_owned()),
        // Whoever asks next asks Redis.
        ("SLUICE_LIMITS__AHEAD_MS", "0".to_owned()),
    ];
    let plan = Plan {
        edges: vec!["here"; 2],
        edge_settings: settings,
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    (site, tenant)
}

/// What is left of the one limit of this key, as an edge tells it.
async fn left(site: &Site, tenant: &Tenant, key: &str) -> Option<i64> {
    let request = ExplainLimitsRequest {
        key: key.to_owned(),
        model: format!("{}/models/chat", tenant.organization),
        ..ExplainLimitsRequest::default()
    };
    let said = site.admin().limits().explain_limits(request).await;
    let regions = said.expect("edges are asked").into_inner().regions;
    regions.first()?.limits.first()?.remaining
}

/// Reads until so many pieces have come, as the client's API writes them.
async fn read(reply: &mut Reply, pieces: i64) {
    let pieces = usize::try_from(pieces).expect("few");
    let mut text = String::new();
    while text.matches(r#"" on""#).count() < pieces {
        let bytes = reply.next().await.expect("more comes").expect("it comes");
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
}

/// One long answer by this API; another request of the same key, at the other edge, is refused while it runs.
async fn overruns(site: &Site, tenant: &Tenant, gate: &Semaphore, (path, body): (&str, String)) {
    let (name, key) = tenant.key().await;
    let limit = path.rsplit('/').next().expect("a path has an end");
    let lifetime = (LIMIT, LimitWindow::Lifetime, 0);
    tenant
        .limit(limit, &name, LimitUnit::OutputTokens, lifetime)
        .await;
    site.propagated().await;
    let mut client = Client::connect(&site.url(0), &key)
        .await
        .expect("the edge accepts");
    let mut reply = client
        .post(path, body.clone())
        .await
        .expect("the edge answers");
    assert_eq!(reply.status, 200);
    read(&mut reply, BEFORE_THE_GATE).await;
    let charged = wait::until("what has come is charged", async || {
        let charged = LIMIT - left(site, tenant, &name).await?;
        (charged >= BEFORE_THE_GATE).then_some(charged)
    });
    let (charged, _) = charged.await;
    assert!(
        charged <= BEFORE_THE_GATE + STEP,
        "{charged} charged of {BEFORE_THE_GATE}"
    );
    let refused = client::post(&site.url(1), &key, path, body).await;
    assert_eq!(refused.status, 429, "there is no room beside what has come");
    gate.add_permits(1);
    read(&mut reply, GENERATED - BEFORE_THE_GATE).await;
    reply.bytes().await.expect("the answer ends");
    let exact = wait::until("the count is exact", async || {
        let left = left(site, tenant, &name).await?;
        (left == LIMIT - GENERATED).then_some(())
    });
    exact.await;
}

#[tokio::test]
async fn a_long_stream_is_charged_as_it_goes_and_refuses_others_meanwhile() {
    let gate = Arc::new(Semaphore::new(0));
    let provider = {
        let gate = Arc::clone(&gate);
        Provider::start(move |_: &Asked| long(&gate)).await
    };
    let (site, tenant) = site(&provider).await;
    let spliced = ("/v1/chat/completions", openai::streamed("chat"));
    overruns(&site, &tenant, &gate, spliced).await;
    // The same provider by another API, which translates each event.
    let ask = json!({"model": "chat", "stream": true, "input": "Say hello."});
    let translated = ("/v1/responses", ask.to_string());
    overruns(&site, &tenant, &gate, translated).await;
}
