//! Sockets through the edge: the handshake on both sides, frames as they are, every end, and one record.

use std::time::Duration;

use dialect::websocket::{close, frame::Sender, handshake};
use policy::{
    change::Edit,
    limit::Unit,
    object::Object,
    provider::{Provider as Policy, ProviderKind},
};
use tokio::io::AsyncWriteExt;
use worker::record::{Outcome, UsageSource};

use crate::{
    client::Client,
    concurrency::at_once,
    edge::{CREDENTIAL, Edge, MODEL, Setup, limit, provider_id},
    provider::{Peer, Provider, Received, json},
};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
pub const REALTIME: &str = "/v1/realtime?model=chat";

pub fn hello(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: edge\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\
         sec-websocket-extensions: permessage-deflate\r\n{headers}\r\n"
    )
}

pub fn bearer(edge: &Edge) -> String {
    format!("authorization: Bearer {}\r\n", edge.key.text.as_str())
}

/// Answers a handshake as a provider does.
async fn welcome(peer: &mut Peer, headers: &str) -> Received {
    let asked = peer.head().await;
    let accept = handshake::accept(asked.header("sec-websocket-key").unwrap());
    peer.write(format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\n{headers}\r\n"
    ))
    .await;
    asked
}

/// A socket through the edge, both ends of it.
pub async fn open(edge: &Edge, provider: &Provider) -> (Client, Peer) {
    let mut client = edge.connect().await;
    client.write(hello(REALTIME, &bearer(edge))).await;
    let mut peer = provider.accept().await;
    welcome(&mut peer, "").await;
    assert_eq!(client.head().await.0, 101);
    (client, peer)
}

/// Both ends close, the client first, and each hears the other.
async fn part(client: &mut Client, peer: &mut Peer) {
    let bye = close::write(Sender::Client, [9, 8, 7, 6], 1_000, "done");
    client.write(&bye).await;
    assert_eq!(peer.take(bye.len()).await, bye);
    let bye = close::write(Sender::Server, [0; 4], 1_000, "done");
    peer.write(&bye).await;
    assert_eq!(client.take(bye.len()).await, bye);
    peer.closed().await;
    client.closed().await;
}

/// A frame of text in one piece; a client's is masked.
fn text(sender: Sender, text: &str) -> Vec<u8> {
    framed(sender, 0x81, text.as_bytes())
}

fn framed(sender: Sender, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    let bit = if sender == Sender::Client { 0x80 } else { 0 };
    if payload.len() < 126 {
        frame.push(u8::try_from(payload.len()).unwrap() | bit);
    } else {
        frame.push(0x7e | bit);
        frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    }
    if sender == Sender::Client {
        let mask = [1, 2, 3, 4];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    } else {
        frame.extend(payload);
    }
    frame
}

fn done(input: u64, output: u64) -> Vec<u8> {
    let event = format!(
        r#"{{"type":"response.done","response":{{"usage":{{"input_tokens":{input},"output_tokens":{output}}}}}}}"#
    );
    text(Sender::Server, &event)
}

/// The number and the words of a server's close frame.
pub async fn farewell(client: &mut Client) -> (u16, String) {
    let head = client.take(2).await;
    assert_eq!(head[0], 0x88, "a close frame");
    let payload = client.take(head[1].into()).await;
    let reason = String::from_utf8(payload[2..].to_vec()).unwrap();
    (close::code(&payload), reason)
}

#[tokio::test]
async fn frames_pass_as_they_are_and_what_events_tell_is_recorded_once() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    edge.put_credential(&format!("http://{}", provider.address()));
    let mut client = edge.connect().await;
    let protocols = format!(
        "sec-websocket-protocol: realtime, openai-insecure-api-key.{}, openai-project.other\r\n",
        edge.key.text.as_str()
    );
    let path = "/v1/realtime?model=chat&intent=transcription";
    client.write(hello(path, &protocols)).await;
    let mut peer = provider.accept().await;
    let asked = welcome(&mut peer, "sec-websocket-protocol: realtime\r\n").await;
    let line = "GET /v1/realtime?model=provider-model&intent=transcription HTTP/1.1";
    assert_eq!(asked.line, line);
    let credential = format!("Bearer {CREDENTIAL}");
    assert_eq!(asked.header("authorization"), Some(&*credential));
    assert_eq!(asked.header("sec-websocket-protocol"), Some("realtime"));
    assert_eq!(asked.header("sec-websocket-extensions"), None);
    assert_ne!(asked.header("sec-websocket-key"), Some(KEY));
    let (status, headers) = client.head().await;
    let header = |name: &str| {
        let found = headers.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(status, 101);
    assert_eq!(header("sec-websocket-accept"), Some(ACCEPT));
    assert_eq!(header("sec-websocket-protocol"), Some("realtime"));
    assert_eq!(header("x-sluice-model"), Some("chat@v1"));
    // A message in two frames with a ping between them, cut in the middle of a frame.
    let up = [
        framed(Sender::Client, 0x01, br#"{"type":"resp"#),
        framed(Sender::Client, 0x89, b"ping"),
        framed(Sender::Client, 0x80, br#"onse.create"}"#),
    ]
    .concat();
    let (first, second) = up.split_at(7);
    client.write(first).await;
    client.write(second).await;
    assert_eq!(peer.take(up.len()).await, up);
    let down = [
        framed(Sender::Server, 0x8a, b"ping"),
        text(Sender::Server, r#"{"type":"response.created"}"#),
        done(10, 4),
        done(20, 5),
    ]
    .concat();
    peer.write(&down).await;
    assert_eq!(client.take(down.len()).await, down);
    part(&mut client, &mut peer).await;
    let record = edge.record().await;
    assert_eq!(
        (
            record.endpoint,
            record.status,
            record.outcome,
            record.streamed
        ),
        ("/v1/realtime", 101, Outcome::Completed, true)
    );
    assert_eq!(
        (record.model, record.provider_model.as_str()),
        (MODEL, "provider-model")
    );
    assert_eq!((record.tokens.input, record.tokens.output), (30, 9));
    assert_eq!(record.usage_source, UsageSource::Provider);
    assert!(record.request_bytes > up.len() as u64 && record.first_byte_us > 0);
    assert!(edge.records.try_recv().is_err(), "one record");
}

#[tokio::test]
async fn a_handshake_that_is_none_is_answered_in_plain_http() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let good = hello(REALTIME, &bearer(&edge));
    for (from, to, code) in [
        ("upgrade: websocket\r\n", "", "upgrade_required"),
        ("version: 13", "version: 8", "invalid_handshake"),
        (KEY, "c2hvcnQ=", "invalid_handshake"),
        ("GET", "POST", "invalid_handshake"),
        ("connection: Upgrade\r\n", "", "invalid_handshake"),
        ("model=chat", "model=", "invalid_model"),
        ("model=chat", "model=none", "model_not_found"),
        ("model=chat", "model=chat&key=x", "api_key_in_query"),
        ("authorization", "x-nothing", "missing_api_key"),
    ] {
        let mut client = edge.connect().await;
        client.write(good.replace(from, to)).await;
        assert_eq!(client.response().await.code(), code, "{from} -> {to}");
    }
    // A provider that speaks no such thing is not asked.
    let mut other = Policy::clone(edge.rules.provider(provider_id(0)).unwrap());
    other.kind = ProviderKind::Anthropic;
    let before = edge
        .rules
        .object(policy::object::Kind::Provider, provider_id(0).as_bytes());
    edge.edit_rules(Edit::Upsert(Object::Provider(other)));
    let mut client = edge.connect().await;
    client.write(&good).await;
    assert_eq!(client.response().await.code(), "unsupported_endpoint");
    assert!(provider.is_unvisited().await);
    edge.edit_rules(Edit::Upsert(before.unwrap()));
    // What a provider says against it goes to the client, and a provider that proves nothing is none.
    let mut client = edge.connect().await;
    client.write(&good).await;
    let mut peer = provider.accept().await;
    peer.head().await;
    peer.write(json("404 Not Found", "", r#"{"error":"none"}"#))
        .await;
    let response = client.response().await;
    assert_eq!(
        (response.status, response.text()),
        (404, r#"{"error":"none"}"#)
    );
    assert_eq!(edge.record().await.tokens.total(), 0);
    for wrong in [
        "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: no\r\n\r\n",
        "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    ] {
        let mut client = edge.connect().await;
        client.write(&good).await;
        let mut peer = provider.accept().await;
        peer.head().await;
        peer.write(wrong).await;
        assert_eq!(client.response().await.code(), "upstream_unreadable");
    }
    let mut client = edge.connect().await;
    client.write(&good).await;
    let mut peer = provider.accept().await;
    peer.head().await;
    peer.write(json("401 Unauthorized", "", "{}")).await;
    assert_eq!(client.response().await.code(), "upstream_auth_failed");
}

#[tokio::test]
async fn each_end_is_told_why_when_the_other_is_gone_or_speaks_nonsense() {
    let provider = Provider::start().await;
    let mut setup = Setup::default();
    setup.inference.socket_message_bytes_max = 1_000;
    let mut edge = setup.start(&[provider.base_url()]);
    let (mut client, peer) = open(&edge, &provider).await;
    drop(peer);
    let told = farewell(&mut client).await;
    assert_eq!(told, (1_014, "upstream_broken".to_owned()));
    assert_eq!(edge.record().await.outcome, Outcome::ProviderFailed);
    let (client, mut peer) = open(&edge, &provider).await;
    drop(client);
    let head = peer.take(2).await;
    assert_eq!(head, [0x88, 0x82], "a close frame, masked");
    peer.take(6).await;
    peer.closed().await;
    assert_eq!(edge.record().await.outcome, Outcome::ClientGone);
    for (frame, code) in [
        (vec![0x81, 0], 1_002),
        (vec![0xc1, 0x80, 0, 0, 0, 0], 1_002),
        (vec![0x81, 0xfe, 0x03, 0xe9, 0, 0, 0, 0], 1_009),
    ] {
        let (mut client, _peer) = open(&edge, &provider).await;
        client.write(&frame).await;
        assert_eq!(farewell(&mut client).await.0, code);
        assert_eq!(edge.record().await.outcome, Outcome::Cut);
    }
    let (mut client, mut peer) = open(&edge, &provider).await;
    peer.write([0x81, 0x80, 0, 0, 0, 0]).await;
    assert_eq!(
        farewell(&mut client).await,
        (1_014, "upstream_unreadable".to_owned())
    );
    assert_eq!(edge.record().await.outcome, Outcome::ProviderFailed);
}

#[tokio::test]
async fn a_revoked_key_silence_and_a_drain_end_a_socket() {
    let provider = Provider::start().await;
    let mut setup = Setup::default();
    setup.upstream.idle_timeout_ms = 1_500;
    setup.deadline = Duration::from_secs(5);
    let mut edge = setup.start(&[provider.base_url()]);
    let (mut client, mut peer) = open(&edge, &provider).await;
    assert_eq!(
        farewell(&mut client).await,
        (1_001, "socket_idle".to_owned())
    );
    peer.closed().await;
    // In the middle of a frame the rest of it is waited for.
    let (mut client, mut peer) = open(&edge, &provider).await;
    let frame = text(Sender::Server, r#"{"type":"response.created"}"#);
    let (first, second) = frame.split_at(5);
    peer.write(first).await;
    client.take(5).await;
    edge.leave();
    peer.write(second).await;
    assert_eq!(client.take(second.len()).await, second);
    assert_eq!(
        farewell(&mut client).await,
        (1_012, "restarting".to_owned())
    );
    drop((client, peer));
    edge.ended().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let (mut client, _peer) = open(&edge, &provider).await;
    edge.writer.revoke(&edge.key.key_id, false);
    assert_eq!(
        farewell(&mut client).await,
        (1_008, "api_key_revoked".to_owned())
    );
    assert_eq!(edge.record().await.outcome, Outcome::Cut);
}

#[tokio::test]
async fn what_is_told_is_charged_at_once_and_a_limit_that_is_used_up_ends_it() {
    let provider = Provider::start().await;
    let limits = vec![limit(Unit::Tokens, 10, 5_000)];
    let setup = Setup {
        limits,
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url()]);
    let (mut client, mut peer) = open(&edge, &provider).await;
    for tokens in [1_500, 2_400] {
        let event = done(tokens, 0);
        peer.write(&event).await;
        // The event arrives also when it was the last for which there was room.
        assert_eq!(client.take(event.len()).await, event);
    }
    assert_eq!(
        farewell(&mut client).await,
        (1_013, "rate_limit_exceeded".to_owned())
    );
    let record = edge.record().await;
    assert_eq!(
        (record.outcome, record.tokens.total()),
        (Outcome::Cut, 3_900)
    );
    // What is left is what was not used, so that what was reserved and not used was given back.
    let mut other = edge.chat(r#"{"model":"chat","max_tokens":1000}"#).await;
    let used = r#"{"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    provider.answer(json("200 OK", "", used)).await;
    assert_eq!(other.response().await.status, 200);
    let mut refused = edge.chat(r#"{"model":"chat","max_tokens":1200}"#).await;
    assert_eq!(refused.response().await.code(), "rate_limit_exceeded");
}

#[tokio::test]
async fn a_socket_is_one_request_that_is_under_way_until_it_closes() {
    let provider = Provider::start().await;
    let mut at_provider = at_once(1);
    at_provider.scope.provider = Some(provider_id(0));
    at_provider.id = policy::id::LimitId::from_bytes([60; 16]);
    let setup = Setup {
        limits: vec![
            at_once(1),
            at_provider,
            limit(Unit::Tokens, 100_000, 100_000),
        ],
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url()]);
    let (mut client, mut peer) = open(&edge, &provider).await;
    for _ in 0..3 {
        let event = done(10, 4);
        peer.write(&event).await;
        assert_eq!(client.take(event.len()).await, event);
        let refused = edge.chat(r#"{"model":"chat"}"#).await.response().await;
        assert_eq!(refused.code(), "concurrency_limit_exceeded");
    }
    part(&mut client, &mut peer).await;
    edge.record().await;
    let mut other = edge.chat(r#"{"model":"chat"}"#).await;
    let used = r#"{"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    provider.answer(json("200 OK", "", used)).await;
    assert_eq!(other.response().await.status, 200);
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_charged_by_its_bytes() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let (mut client, mut peer) = open(&edge, &provider).await;
    let delta = r#"{"type":"response.output_text.delta","delta":"Hello there"}"#;
    let down = [
        done(10, 4),
        text(Sender::Server, r#"{"type":"response.created"}"#),
        text(Sender::Server, delta),
    ]
    .concat();
    peer.write(&down).await;
    client.take(down.len()).await;
    client.stream.shutdown().await.unwrap();
    drop(client);
    let record = edge.record().await;
    assert_eq!(record.usage_source, UsageSource::Partial);
    let guess = dialect::estimate::output_tokens(delta.len() as u64);
    assert_eq!((record.tokens.input, record.tokens.output), (10, 4 + guess));
}

#[tokio::test]
async fn a_slow_end_holds_the_other_back() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let (mut client, _peer) = open(&edge, &provider).await;
    let frame = framed(Sender::Client, 0x82, &vec![7; 60_000]);
    let soon = Duration::from_millis(500);
    let mut taken = 0;
    while taken < 1_000
        && tokio::time::timeout(soon, client.write(&frame))
            .await
            .is_ok()
    {
        taken += 1;
    }
    assert!(
        taken < 500,
        "{taken} frames were taken though nobody read them"
    );
}
