//! What is passed through: bytes as they are in both directions, nothing that proves anybody, and one record.

use policy::{change::Edit, limit::Unit, object::Object, provider::Provider as Policy};
use worker::record::{Outcome, UsageSource};

use crate::{
    client::Client,
    edge::{CREDENTIAL, Edge, MODEL, Setup, key_of, limit, provider_id},
    provider::{Peer, Provider, json},
};

/// Sends a request with the edge's key.
pub async fn ask(edge: &Edge, line: &str, headers: &str, body: &str) -> Client {
    let mut client = edge.connect().await;
    let key = edge.key.text.as_str();
    let length = body.len();
    client
        .write(format!(
            "{line} HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer {key}\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ))
        .await;
    client
}

fn provider_of(edge: &Edge) -> Policy {
    Policy::clone(edge.rules.provider(provider_id(0)).unwrap())
}

#[tokio::test]
async fn what_is_passed_through_arrives_as_it_was_with_the_provider_s_credential() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    edge.put_credential(&format!("http://{}", provider.address()));
    let headers = "content-type: application/json\r\nopenai-beta: x=1\r\nidempotency-key: k\r\ncookie: a=b\r\n\
                   x-forwarded-for: 10.0.0.1\r\nopenai-organization: other\r\nx-stainless-lang: js\r\n\
                   connection: keep-alive, prefer\r\nprefer: wait\r\nte: trailers\r\n";
    let body = r#"{"query": "q",  "documents":["a"]}"#;
    let mut client = ask(
        &edge,
        "POST /passthrough/provider-0/rerank?x=1&y",
        headers,
        body,
    )
    .await;
    let mut peer = provider.accept().await;
    let received = peer.request().await;
    peer.write(json(
        "201 Created",
        "x-request-id: r\r\nset-cookie: a=b\r\nlocation: http://x\r\nx-goog-upload-url: http://x\r\n",
        r#"{"id": "r",  "usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
    ))
    .await;
    assert_eq!(received.line, "POST /v1/rerank?x=1&y HTTP/1.1");
    assert_eq!(received.text(), body);
    assert_eq!(
        received.header("authorization"),
        Some(&*format!("Bearer {CREDENTIAL}"))
    );
    assert_eq!(received.header("openai-beta"), Some("x=1"));
    assert_eq!(received.header("idempotency-key"), Some("k"));
    assert_eq!(received.header("accept-encoding"), Some("identity"));
    for name in [
        "cookie",
        "x-forwarded-for",
        "openai-organization",
        "x-stainless-lang",
        "prefer",
        "te",
        "connection",
    ] {
        assert_eq!(received.header(name), None, "{name}");
    }
    let response = client.response().await;
    assert_eq!(response.status, 201);
    assert_eq!(
        response.text(),
        r#"{"id": "r",  "usage":{"prompt_tokens":5,"completion_tokens":2}}"#
    );
    assert_eq!(response.header("x-request-id"), Some("r"));
    for name in ["set-cookie", "location", "x-goog-upload-url"] {
        assert_eq!(response.header(name), None, "{name}");
    }
    let record = edge.record().await;
    assert_eq!(
        (record.endpoint, record.status, record.outcome),
        ("/passthrough/rerank", 201, Outcome::Completed)
    );
    assert_eq!(record.provider, Some(provider_id(0)));
    assert_eq!(record.usage_source, UsageSource::Provider);
    assert_eq!((record.tokens.input, record.tokens.output), (5, 2));
    assert_eq!(record.request_bytes, body.len() as u64);
    assert_eq!(record.answer_bytes, response.body.len() as u64);
}

#[tokio::test]
async fn nothing_is_passed_through_that_was_not_opened_or_that_could_climb() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let key = edge.key.text.as_str().to_owned();
    for (line, status, code) in [
        ("GET /passthrough/provider-0/../x", 400, "unsafe_path"),
        ("GET /passthrough/provider-0/a/%2e%2e/x", 400, "unsafe_path"),
        ("GET /passthrough/provider-0/a%2f..%2fx", 400, "unsafe_path"),
        (
            "GET /passthrough/provider-0/%252e%252e/x",
            400,
            "unsafe_path",
        ),
        (
            "GET /passthrough/provider-0//evil.example/x",
            400,
            "unsafe_path",
        ),
        ("GET /passthrough/provider-0/..;/x", 400, "unsafe_path"),
        ("GET /passthrough/provider-0", 404, "unknown_path"),
        (
            "GET /passthrough/provider-0/files?api_k%65y=x",
            400,
            "api_key_in_query",
        ),
        (
            "TRACE /passthrough/provider-0/files",
            405,
            "method_not_allowed",
        ),
        (
            "GET /passthrough/provider-9/files",
            403,
            "passthrough_not_allowed",
        ),
        ("GET /v1/realtime?model=chat", 426, "upgrade_required"),
    ] {
        let response = ask(&edge, line, "", "").await.response().await;
        assert_eq!(
            (response.status, &*response.code()),
            (status, code),
            "{line}"
        );
    }
    let in_path = format!("GET /passthrough/provider-0/files/{key}");
    let response = ask(&edge, &in_path, "", "").await.response().await;
    assert_eq!(response.code(), "api_key_in_query");
    // A key that is held to models may not, because nobody knows which one a path reaches.
    let mut held = key_of(&edge.key);
    held.models = vec![MODEL];
    edge.writer.put_key(held);
    let files = "GET /passthrough/provider-0/files";
    let response = ask(&edge, files, "", "").await.response().await;
    assert_eq!(response.code(), "passthrough_not_allowed");
    edge.writer.put_key(key_of(&edge.key));
    // Nor may any, where the operator has not said so.
    let mut closed = provider_of(&edge);
    closed.passthrough = false;
    edge.edit_rules(Edit::Upsert(Object::Provider(closed)));
    let response = ask(&edge, files, "", "").await.response().await;
    assert_eq!(
        (response.status, &*response.code()),
        (403, "passthrough_not_allowed")
    );
    assert!(provider.is_unvisited().await);
}

#[tokio::test]
async fn answers_without_a_body_and_ranges_keep_their_meaning() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let path = "/passthrough/provider-0/files/f";
    let mut client = ask(&edge, &format!("HEAD {path}"), "", "").await;
    let mut peer = provider.accept().await;
    assert!(peer.head().await.line.starts_with("HEAD /v1/files/f "));
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n")
        .await;
    let (status, headers) = client.head().await;
    assert_eq!(status, 200);
    assert!(headers.contains(&("content-length".to_owned(), "12345".to_owned())));
    let mut client = ask(&edge, &format!("DELETE {path}"), "", "").await;
    peer.head().await;
    peer.write("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(client.head().await.0, 204);
    let mut client = ask(
        &edge,
        &format!("GET {path}"),
        "if-none-match: \"e\"\r\n",
        "",
    )
    .await;
    assert_eq!(peer.head().await.header("if-none-match"), Some("\"e\""));
    peer.write("HTTP/1.1 304 Not Modified\r\netag: \"e\"\r\n\r\n")
        .await;
    assert_eq!(client.head().await.0, 304);
    let mut client = ask(&edge, &format!("GET {path}"), "range: bytes=0-1\r\n", "").await;
    assert_eq!(peer.head().await.header("range"), Some("bytes=0-1"));
    peer.write(
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-1/9\r\ncontent-length: 2\r\n\r\nab",
    )
    .await;
    let response = client.response().await;
    assert_eq!((response.status, response.text()), (206, "ab"));
    let mut client = ask(&edge, &format!("GET {path}"), "", "").await;
    peer.head().await;
    peer.write("HTTP/1.1 302 Found\r\nlocation: http://x/\r\ncontent-length: 0\r\n\r\n")
        .await;
    assert_eq!(client.response().await.code(), "upstream_unexpected_status");
}

#[tokio::test]
async fn a_large_body_goes_on_while_it_comes_and_ends_at_its_bound() {
    const PIECES: usize = 64;
    let provider = Provider::start().await;
    let mut setup = Setup::default();
    setup.inference.body_bytes_max = 1_000;
    setup.inference.passthrough_bytes_max = 65 << 20;
    let mut edge = setup.start(&[provider.base_url()]);
    let mut client = edge.connect().await;
    let key = edge.key.text.as_str();
    let length = PIECES << 20;
    client
        .write(format!(
            "POST /passthrough/provider-0/files HTTP/1.1\r\nhost: e\r\nx-api-key: {key}\r\n\
             content-type: application/octet-stream\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        ))
        .await;
    // The client is asked to go on only when the provider is there to take it.
    let mut peer = provider.accept().await;
    assert_eq!(client.head().await.0, 100);
    let sent = peer.head().await;
    assert_eq!(sent.header("content-length"), Some(&*length.to_string()));
    assert_eq!(sent.header("expect"), None);
    let piece = vec![7; 1 << 20];
    for _ in 0..PIECES {
        // Each piece arrives before the next is sent: nothing waits for the whole.
        let (written, read) = tokio::join!(client.write(&piece), peer.take(1 << 20));
        let () = written;
        assert!(read.iter().all(|byte| *byte == 7));
    }
    peer.write(json("200 OK", "", r#"{"id":"file-1"}"#)).await;
    assert_eq!(client.response().await.text(), r#"{"id":"file-1"}"#);
    let record = edge.record().await;
    assert_eq!(record.request_bytes, length as u64);
    assert_eq!(record.usage_source, UsageSource::Estimated);
    // One that has no length is cut where it passes the bound.
    let announced = format!("content-length: {}\r\n", (65 << 20) + 1);
    let mut client = edge.connect().await;
    client
        .write(format!(
            "POST /passthrough/provider-0/files HTTP/1.1\r\nhost: e\r\nx-api-key: {key}\r\n{announced}\r\n",
            key = edge.key.text.as_str()
        ))
        .await;
    let response = client.response().await;
    assert_eq!(
        (response.status, &*response.code()),
        (413, "request_too_large")
    );
}

#[tokio::test]
async fn a_provider_that_takes_nothing_holds_the_client_back() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.connect().await;
    let key = edge.key.text.as_str();
    client
        .write(format!(
            "POST /passthrough/provider-0/files HTTP/1.1\r\nhost: e\r\nx-api-key: {key}\r\n\
             transfer-encoding: chunked\r\n\r\n"
        ))
        .await;
    let _peer = provider.accept().await;
    let chunk = [b"100000\r\n".as_slice(), &vec![7; 1 << 20], b"\r\n"].concat();
    let mut taken = 0;
    let soon = std::time::Duration::from_millis(500);
    while taken < 64
        && tokio::time::timeout(soon, client.write(&chunk))
            .await
            .is_ok()
    {
        taken += 1;
    }
    assert!(taken < 32, "{taken} MiB were taken though nobody read them");
}

#[tokio::test]
async fn what_tells_no_usage_is_charged_what_was_reserved() {
    let provider = Provider::start().await;
    let limits = vec![limit(Unit::Tokens, 10_000, 3_000)];
    let setup = Setup {
        limits,
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url()]);
    let image = "POST /passthrough/provider-0/images/generations";
    let kind = "content-type: application/json\r\n";
    let body = r#"{"prompt":"a"}"#;
    let guess = dialect::estimate::input_tokens(body.len());
    for at in 0..2 {
        let mut client = ask(&edge, image, kind, body).await;
        provider.answer(json("200 OK", "", r#"{"data":[]}"#)).await;
        let response = client.response().await;
        let left = (3_000 - (guess + 1_024) * (at + 1)).to_string();
        assert_eq!(
            response.header("x-ratelimit-remaining-tokens"),
            Some(&*left)
        );
        let record = edge.record().await;
        assert_eq!((record.tokens.input, record.tokens.output), (guess, 1_024));
    }
    let response = ask(&edge, image, kind, body).await.response().await;
    assert_eq!(
        (response.status, &*response.code()),
        (429, "rate_limit_exceeded")
    );
    // An error has used nothing, and goes to the client as it is.
    let mut client = ask(&edge, "GET /passthrough/provider-0/files", "", "").await;
    let mut peer = provider.accept().await;
    peer.head().await;
    peer.write(json("404 Not Found", "", r#"{"error":"x"}"#))
        .await;
    let response = client.response().await;
    assert_eq!(
        (response.status, response.text()),
        (404, r#"{"error":"x"}"#)
    );
    assert_eq!(edge.record().await.tokens.total(), 0);
}

#[tokio::test]
async fn a_provider_that_breaks_off_and_a_client_that_leaves_are_recorded() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let download = "GET /passthrough/provider-0/files/f/content";
    let mut client = ask(&edge, download, "", "").await;
    let peer = begun(&provider).await;
    assert_eq!(client.head().await.0, 200);
    drop(peer);
    client.take(3).await;
    client.closed().await;
    assert_eq!(edge.record().await.outcome, Outcome::ProviderFailed);
    let mut client = ask(&edge, download, "", "").await;
    let mut peer = begun(&provider).await;
    client.head().await;
    client.take(3).await;
    drop(client);
    peer.closed().await;
    let record = edge.record().await;
    assert_eq!(
        (record.outcome, record.answer_bytes),
        (Outcome::ClientGone, 3)
    );
    // A body that breaks off is the client's own doing, and its provider sees no end of it.
    let mut client = edge.connect().await;
    let key = edge.key.text.as_str();
    client
        .write(format!(
            "POST /passthrough/provider-0/files HTTP/1.1\r\nhost: e\r\nx-api-key: {key}\r\n\
             content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"
        ))
        .await;
    let mut peer = provider.accept().await;
    let head = peer.head().await;
    // Two lengths would be read in two ways; only one of them goes on.
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    assert_eq!(head.header("content-length"), None);
    assert_eq!(peer.take(8).await, b"3\r\nabc\r\n");
    drop(client);
    peer.closed().await;
    assert!(!peer.holds(b"0\r\n\r\n"));
    assert_eq!(edge.record().await.outcome, Outcome::ClientGone);
}

async fn begun(provider: &Provider) -> Peer {
    let mut peer = provider.accept().await;
    peer.head().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 10\r\n\r\nabc")
        .await;
    peer
}
