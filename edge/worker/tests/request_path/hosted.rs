//! Models at the big hosts: their streams are moved on before the first of what is generated, too, frames and all; and
//! what a host is not told is named.

use dialect::{
    aws::{
        event_stream::{self, Value},
        exception,
    },
    base64,
    neutral::{Class, Error},
};
use policy::provider::ProviderKind;
use worker::record::Outcome;

use crate::{
    client::{Response, post_head},
    edge::{Edge, Setup, provider_id},
    provider::{END, Provider, STREAM},
    stream::{Api, CHAT, FAULTS, GEMINI, MESSAGES, SAID, TORN},
};

const CLAUDE_ON_BEDROCK: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const CLAUDE_ON_VERTEX: &str = "claude-sonnet-4-5@20250929";

/// The head of a stream of Amazon's frames.
const FRAMES: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n";

/// How a host streams one model to clients of one API.
struct Host {
    client: Api,
    kind: ProviderKind,
    model: &'static str,
    /// What the path ends in at which it is asked.
    path: &'static str,
    head: &'static str,
    beginning: Vec<u8>,
    rest: Vec<u8>,
    error: Vec<u8>,
    torn: &'static [u8],
}

fn frame(name: &str, payload: &str) -> Vec<u8> {
    let headers = [
        (":event-type", Value::Text(name)),
        (":content-type", Value::Text("application/json")),
        (":message-type", Value::Text("event")),
    ];
    let mut frame = Vec::new();
    event_stream::write(&mut frame, &headers, payload.as_bytes()).unwrap();
    frame
}

/// Each event in the frame of a model that is invoked.
fn framed(events: &str) -> Vec<u8> {
    let data = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    data.flat_map(|data| {
        let bytes = base64::encode(data.as_bytes());
        frame("chunk", &format!(r#"{{"bytes":"{bytes}","p":"abc"}}"#))
    })
    .collect()
}

fn hosts() -> [Host; 4] {
    let overloaded = || exception::frame(&Error::new(Class::Overloaded, "Overloaded."));
    let garbage: &[u8] = b"<html>nothing here</html>";
    [
        Host {
            client: MESSAGES,
            kind: ProviderKind::Bedrock,
            model: CLAUDE_ON_BEDROCK,
            path: "/invoke-with-response-stream",
            head: FRAMES,
            beginning: framed(MESSAGES.beginning),
            rest: framed(&[MESSAGES.delta, MESSAGES.rest].concat()),
            error: overloaded(),
            torn: garbage,
        },
        Host {
            client: CHAT,
            kind: ProviderKind::Bedrock,
            model: CLAUDE_ON_BEDROCK,
            path: "/converse-stream",
            head: FRAMES,
            beginning: frame("messageStart", r#"{"role":"assistant"}"#),
            rest: [
                frame(
                    "contentBlockDelta",
                    r#"{"contentBlockIndex":0,"delta":{"text":"hello"}}"#,
                ),
                frame("contentBlockStop", r#"{"contentBlockIndex":0}"#),
                frame("messageStop", r#"{"stopReason":"end_turn"}"#),
                frame(
                    "metadata",
                    r#"{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}"#,
                ),
            ]
            .concat(),
            error: overloaded(),
            torn: garbage,
        },
        Host {
            client: MESSAGES,
            kind: ProviderKind::Vertex,
            model: CLAUDE_ON_VERTEX,
            path: ":streamRawPredict",
            head: STREAM,
            beginning: MESSAGES.beginning.into(),
            rest: [MESSAGES.delta, MESSAGES.rest].concat().into(),
            error: MESSAGES.error.into(),
            torn: TORN.as_bytes(),
        },
        Host {
            client: CHAT,
            kind: ProviderKind::Vertex,
            model: "google/gemini-2.5-flash",
            path: ":streamGenerateContent?alt=sse",
            head: STREAM,
            beginning: GEMINI.beginning.into(),
            rest: [GEMINI.delta, GEMINI.rest].concat().into(),
            error: GEMINI.error.into(),
            torn: TORN.as_bytes(),
        },
    ]
}

fn edge(providers: &[&Provider], host: &Host) -> Edge {
    let urls: Vec<_> = providers.iter().map(|it| it.base_url()).collect();
    let mut setup = Setup {
        kinds: vec![host.kind; providers.len()],
        provider_model: host.model,
        ..Setup::default()
    };
    setup.upstream.idle_timeout_ms = 150;
    setup.start(&urls)
}

#[tokio::test]
async fn a_hosted_stream_that_fails_before_its_first_delta_is_answered_by_the_next_target() {
    for host in hosts() {
        let (first, second) = (Provider::start().await, Provider::start().await);
        let mut edge = edge(&[&first, &second], &host);
        for fault in FAULTS {
            let at = format!("{:?} at {}: {fault:?}", host.kind, host.path);
            let mut client = edge.ask(host.client.path, host.client.body).await;
            let (mut peer, received) = first.answer(host.head).await;
            let path = received.line.split(' ').nth(1).unwrap();
            assert!(path.ends_with(host.path), "{at}: {path}");
            peer.chunk(&host.beginning).await;
            fault.happen(&mut peer, &host.error, host.torn).await;
            let (mut good, _) = second.answer(host.head).await;
            peer.closed().await;
            good.chunk([host.beginning.clone(), host.rest.clone()].concat())
                .await;
            good.write(END).await;
            let response = client.response().await;
            let text = response.text();
            assert_eq!((response.status, response.whole), (200, true), "{at}");
            assert_eq!(text.matches(SAID).count(), 1, "{at}: {text}");
            assert_eq!(host.client.failures(text), 0, "{at}: {text}");
            assert_eq!(
                response.header("content-type"),
                Some("text/event-stream"),
                "{at}"
            );
            let record = edge.record().await;
            assert_eq!(
                (record.outcome, record.status, record.provider),
                (Outcome::Completed, 200, Some(provider_id(1))),
                "{at}"
            );
            let codes: Vec<_> = record.attempts.iter().map(|it| it.code).collect();
            assert_eq!(codes, [fault.code()], "{at}");
            let spent = record.attempts[0].tokens.total();
            assert_eq!(record.tokens.total(), spent + 5, "{at}");
        }
    }
}

/// Asks with these betas, in a conversation in which Google's model had a part.
async fn ask_with_betas(host: &Host, betas: &str) -> (Option<String>, Response) {
    let provider = Provider::start().await;
    let edge = edge(&[&provider], host);
    let body = r#"{"model":"chat","max_tokens":9,"messages":[{"role":"user","content":"hi"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2x1aWNlZ2VtQUJDRA=="},
        {"type":"text","text":"well"}]},{"role":"user","content":"go on"}]}"#;
    let head = post_head(MESSAGES.path, &edge.key.text, body.len());
    let head = head.replacen("\r\n", &format!("\r\nanthropic-beta: {betas}\r\n"), 1);
    let mut client = edge.connect().await;
    client.write(format!("{head}{body}")).await;
    let said = match host.kind {
        ProviderKind::Bedrock => {
            r#"{"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}"#
        }
        _ => {
            r#"{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}"#
        }
    };
    let (_peer, received) = provider
        .answer(crate::provider::json("200 OK", "", said))
        .await;
    assert!(!received.text().contains("c2x1aWNl"), "{}", received.text());
    let got = received.header("anthropic-beta").map(str::to_owned);
    (got, client.response().await)
}

#[tokio::test]
async fn betas_that_do_not_reach_a_host_are_named() {
    let [bedrock, _, vertex, _] = hosts();
    let betas = "context-1m-2025-08-07,odd-2026-01-01";
    let (got, response) = ask_with_betas(&vertex, betas).await;
    assert_eq!(got.as_deref(), Some("context-1m-2025-08-07"));
    assert_eq!(response.status, 200, "{}", response.text());
    let dropped = response.header("x-sluice-dropped").unwrap();
    assert!(
        dropped.contains("anthropic-beta:odd-2026-01-01"),
        "{dropped}"
    );
    assert!(!dropped.contains("context-1m"), "{dropped}");
    let (got, response) = ask_with_betas(&bedrock, betas).await;
    assert_eq!((got, response.status), (None, 200), "{}", response.text());
    let dropped = response.header("x-sluice-dropped").unwrap();
    for beta in betas.split(',') {
        assert!(
            dropped.contains(&format!("anthropic-beta:{beta}")),
            "{dropped}"
        );
    }
}
