//! What providers do wrong with a stream: before its first word the client never knows, after it the client is told once.

use bytes::Bytes;
use harness::{
    client::Client,
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{CreateModelVersionRequest, ModelVersion, Target};
use scenarios::openai;

/// How often each fault is met.
const ROUNDS: usize = 10;

type Fault = (&'static str, fn() -> Answer);

fn send(text: &'static str) -> Step {
    Step::Send(Bytes::from_static(text.as_bytes()))
}

/// So many chunks of a good answer, and then this. The first chunk has no word yet.
fn after(chunks: usize, then: Vec<Step>) -> Answer {
    let good = openai::events(false).into_iter().take(chunks);
    Answer::events(good.map(Step::Send).chain(then).collect())
}

fn slow_down() -> Answer {
    let mut answer = Answer::json(429, r#"{"error":{"message":"slow down"}}"#);
    answer.headers.push(("retry-after", "30".to_owned()));
    answer
}

const ERROR: &str = "data: {\"error\":{\"message\":\"oops\",\"type\":\"server_error\"}}\n\n";
const TORN: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"He\n\n";

/// What is done before the first word.
const BEFORE: [Fault; 8] = [
    ("503", || {
        Answer::json(503, r#"{"error":{"message":"busy"}}"#)
    }),
    ("429 and a time", slow_down),
    ("an error event first", || after(0, vec![send(ERROR)])),
    ("an error event after the role", || {
        after(1, vec![send(ERROR)])
    }),
    ("silence", || after(0, vec![Step::Never])),
    ("silence after the role", || after(1, vec![Step::Never])),
    ("a line that cannot be read", || {
        after(1, vec![send(TORN), Step::Never])
    }),
    ("an end without a word", || after(1, Vec::new())),
];

/// What is done after the second word.
const AFTERWARDS: [Fault; 3] = [
    ("an error event", || {
        after(3, vec![send(ERROR), Step::Never])
    }),
    ("silence", || after(3, vec![Step::Never])),
    ("a line that cannot be read", || {
        after(3, vec![send(TORN), Step::Never])
    }),
];

/// A site whose model `chat` asks a provider with these faults, one after the other, and then one that is well.
async fn site(faults: &'static [Fault]) -> (Site, Provider, Provider, String) {
    let met = std::sync::atomic::AtomicUsize::new(0);
    let main = Provider::start(move |_| {
        let number = met.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        (faults[number % faults.len()].1)()
    });
    let (main, other) = (main.await, Provider::start(openai::answer).await);
    let plan = Plan {
        edge_settings: vec![
            ("SLUICE_UPSTREAM__FIRST_BYTE_TIMEOUT_MS", "400".to_owned()),
            ("SLUICE_UPSTREAM__IDLE_TIMEOUT_MS", "400".to_owned()),
            // Each request is to meet its fault.
            ("SLUICE_SHAPING__ASIDE_MS", "0".to_owned()),
            ("SLUICE_SHAPING__PARK_MS_MAX", "0".to_owned()),
        ],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &main.base_url()).await;
    tenant.provider("other", &other.base_url()).await;
    let target = |provider: &str| Target {
        provider: format!("{}/providers/{provider}", tenant.organization),
        provider_model: "m".to_owned(),
        weight: 0,
        capabilities: None,
    };
    let request = CreateModelVersionRequest {
        parent: format!("{}/models/chat", tenant.organization),
        model_version_id: "v2".to_owned(),
        model_version: Some(ModelVersion {
            targets: vec![target("main"), target("other")],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site.admin().versions().create_model_version(request).await;
    made.expect("a version is made");
    tenant.serve("chat", "v2").await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    (site, main, other, key)
}

/// The status and all bytes of a streamed answer.
async fn streamed(site: &Site, key: &str) -> (u16, String) {
    let client = Client::connect(&site.url(0), key).await;
    let mut client = client.expect("it connects");
    let asked = client.post("/v1/chat/completions", openai::streamed("chat"));
    let reply = asked.await.expect("it is answered");
    let status = reply.status.as_u16();
    let bytes = reply.bytes().await.expect("it is framed to its end");
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn what_goes_wrong_before_the_first_word_is_hidden() {
    let (site, main, _other, key) = site(&BEFORE).await;
    let (mut hidden, all) = (0, BEFORE.len() * ROUNDS);
    for number in 0..all {
        let (status, text) = streamed(&site, &key).await;
        let words = openai::WORDS
            .iter()
            .all(|word| text.matches(&format!("\"content\":\"{word}\"")).count() == 1);
        let whole =
            status == 200 && words && !text.contains("error") && text.ends_with("data: [DONE]\n\n");
        assert!(
            whole,
            "{}: {status} {text}",
            BEFORE[number % BEFORE.len()].0
        );
        hidden += usize::from(whole);
    }
    println!("{hidden} of {all} faults before the first word were hidden");
    assert_eq!(main.count(), all);
}

#[tokio::test]
async fn what_goes_wrong_afterwards_is_told_once_and_nothing_is_said_twice() {
    let (site, main, other, key) = site(&AFTERWARDS).await;
    let all = AFTERWARDS.len() * ROUNDS;
    for number in 0..all {
        let (name, _) = AFTERWARDS[number % AFTERWARDS.len()];
        let (status, text) = streamed(&site, &key).await;
        assert_eq!(status, 200, "{name}");
        for (at, word) in openai::WORDS.iter().enumerate() {
            let said = text.matches(&format!("\"content\":\"{word}\"")).count();
            assert_eq!(said, usize::from(at < 2), "{name}: {text}");
        }
        assert_eq!(text.matches("\"error\":").count(), 1, "{name}: {text}");
        assert!(!text.contains("[DONE]"), "{name}: {text}");
    }
    println!("{all} of {all} faults afterwards were told once, and no word twice");
    assert_eq!((main.count(), other.count()), (all, 0));
}
