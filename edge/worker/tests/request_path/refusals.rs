//! What is refused, how, and that nothing of it reaches a provider.

use policy::{change::Edit, id::ModelId, object::Kind};
use worker::accept;

use crate::{
    client::{Client, Response, post_head},
    edge::{Edge, PROJECT, Setup, key_of, model},
    provider::{Provider, json},
};

const CHAT: &str = "/v1/chat/completions";

async fn posted(edge: &Edge, path: &str, key: &str, body: &str) -> Response {
    let mut client = edge.connect().await;
    client.post(path, key, body).await;
    client.response().await
}

async fn raw(edge: &Edge, bytes: &str) -> Response {
    let mut client = edge.connect().await;
    client.write(bytes).await;
    client.response().await
}

fn assert_refused(response: &Response, status: u16, code: &str) {
    assert_eq!((response.status, response.code().as_str()), (status, code));
    assert!(response.header("x-sluice-request-id").is_some());
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_refused_with_a_code() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let key = &*edge.key.text;
    let table = [
        ("/v1/nothing", r#"{"model":"chat"}"#, 404, "unknown_path"),
        (
            "/v1/chat/completions?api_key=x",
            r#"{"model":"chat"}"#,
            400,
            "api_key_in_query",
        ),
        (CHAT, "{", 400, "invalid_body"),
        (CHAT, "", 400, "invalid_body"),
        (CHAT, "[]", 400, "invalid_body"),
        (CHAT, r#"{"model":"chat"} x"#, 400, "invalid_body"),
        (CHAT, "{}", 400, "invalid_model"),
        (CHAT, r#"{"model":7}"#, 400, "invalid_model"),
        (
            CHAT,
            r#"{"model":"chat","model":"chat"}"#,
            400,
            "ambiguous_member",
        ),
        (CHAT, r#"{"model":"nothing"}"#, 404, "model_not_found"),
        (CHAT, r#"{"model":"unoffered"}"#, 404, "model_not_found"),
    ];
    for (path, body, status, code) in table {
        assert_refused(&posted(&edge, path, key, body).await, status, code);
    }
    let head =
        format!("POST {CHAT} HTTP/1.1\r\nhost: e\r\nx-api-key: {key}\r\ncontent-length: 2\r\n");
    let response = raw(&edge, &format!("{head}content-encoding: gzip\r\n\r\n{{}}")).await;
    assert_refused(&response, 415, "unsupported_content_encoding");
    let response = raw(
        &edge,
        &format!("{head}content-type: text/plain\r\n\r\n{{}}"),
    )
    .await;
    assert_refused(&response, 415, "unsupported_content_type");
    let response = raw(&edge, &format!("GET {CHAT} HTTP/1.1\r\nhost: e\r\n\r\n")).await;
    assert_refused(&response, 405, "method_not_allowed");
    assert_eq!(response.header("allow"), Some("POST"));
    assert!(provider.is_unvisited().await);
}

#[tokio::test]
async fn a_key_that_proves_nothing_opens_nothing_and_is_repeated_nowhere() {
    let mut edge = Setup::default().start(&["http://127.0.0.1:1".to_owned()]);
    let key = edge.key.text.to_string();
    let unknown = keys::mint(keys::Family::Live);
    let operator = keys::mint(keys::Family::Operator);
    // The key id of ours with the secret of another, and a checksum that fits.
    let (known, other) = (&edge.key.key_id, unknown.text.split('_').nth(3).unwrap());
    let forged = forge(&format!("slc_live_{known}_{}", &other[..43]));
    let wrong = [
        &*unknown.text,
        &*operator.text,
        &*forged,
        "sk-whatever",
        "slc_live_",
        "",
    ];
    let mut bodies = Vec::new();
    for text in wrong {
        let response = posted(&edge, CHAT, text, r#"{"model":"chat"}"#).await;
        let code = if text.is_empty() {
            "missing_api_key"
        } else {
            "invalid_api_key"
        };
        assert_refused(&response, 401, code);
        assert!(
            text.is_empty() || !response.text().contains(text),
            "{}",
            response.text()
        );
        if !text.is_empty() {
            bodies.push(response.body);
        }
    }
    assert!(
        bodies.windows(2).all(|two| two[0] == two[1]),
        "the refusals tell which it was"
    );
    let expiring = keys::mint(keys::Family::Test);
    let mut expired = key_of(&expiring);
    expired.expires_at_ms = Some(1_700_000_000_000);
    edge.writer.put_key(expired);
    let response = posted(&edge, CHAT, &expiring.text, r#"{"model":"chat"}"#).await;
    assert_refused(&response, 401, "api_key_expired");
    edge.writer.revoke(&edge.key.key_id, false);
    let response = posted(&edge, CHAT, &key, r#"{"model":"chat"}"#).await;
    assert_refused(&response, 401, "api_key_revoked");
    assert!(!response.text().contains(&key));
}

/// Appends the checksum that fits; found by trying, because only `keys` knows how it is written.
pub fn forge(before: &str) -> String {
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let orders = [
        digits.to_vec(),
        [&digits[..10], &digits[36..], &digits[10..36]].concat(),
    ];
    for order in orders {
        let mut value = crc32(before.as_bytes());
        let mut text = [b'0'; 6];
        for place in text.iter_mut().rev() {
            *place = order[value as usize % 62];
            value /= 62;
        }
        let whole = format!("{before}{}", std::str::from_utf8(&text).unwrap());
        if keys::parse(&whole).is_ok() {
            return whole;
        }
    }
    panic!("no checksum fits")
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

#[tokio::test]
async fn a_key_may_ask_only_for_its_own_models() {
    let mut edge = Setup::default().start(&["http://127.0.0.1:1".to_owned()]);
    let minted = keys::mint(keys::Family::Live);
    let mut key = key_of(&minted);
    key.models = vec![ModelId::from_bytes([99; 16])];
    edge.writer.put_key(key);
    let response = posted(&edge, CHAT, &minted.text, r#"{"model":"chat"}"#).await;
    assert_refused(&response, 404, "model_not_found");
}

#[tokio::test]
async fn what_refers_to_something_missing_is_refused_until_it_is_there() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let project = edge.rules.project(PROJECT).unwrap().as_ref().clone();
    edge.edit_rules(Edit::Delete {
        kind: Kind::Project,
        key: PROJECT.as_bytes().to_vec(),
    });
    let response = posted(&edge, CHAT, &edge.key.text, r#"{"model":"chat"}"#).await;
    assert_refused(&response, 503, "config_dangling_reference");
    edge.edit_rules(Edit::Upsert(policy::object::Object::Project(project)));
    let nowhere = policy::id::VersionId::from_bytes([77; 16]);
    edge.edit_rules(Edit::Upsert(model(
        "loose",
        ModelId::from_bytes([6; 16]),
        Some(nowhere),
    )));
    let response = posted(&edge, CHAT, &edge.key.text, r#"{"model":"loose"}"#).await;
    assert_refused(&response, 503, "config_dangling_reference");
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    provider.answer(json("200 OK", "", "{}")).await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn a_body_beyond_the_bounds_of_length_or_time_is_refused() {
    let inference = accept::Config {
        body_bytes_max: 100,
        body_timeout_ms: 100,
        ..Setup::default().inference
    };
    let edge = Setup {
        inference,
        ..Setup::default()
    }
    .start(&["http://127.0.0.1:1".to_owned()]);
    let key = &*edge.key.text;
    // Refused on the client's word alone; nothing of the body is sent.
    let response = raw(&edge, &post_head(CHAT, key, 101)).await;
    assert_refused(&response, 413, "request_too_large");
    let chunked =
        post_head(CHAT, key, 0).replace("content-length: 0", "transfer-encoding: chunked");
    let response = raw(
        &edge,
        &format!("{chunked}65\r\n{}\r\n0\r\n\r\n", "x".repeat(101)),
    )
    .await;
    assert_refused(&response, 413, "request_too_large");
    let response = raw(&edge, &format!("{}{{", post_head(CHAT, key, 10))).await;
    assert_refused(&response, 408, "request_timeout");
}

#[tokio::test]
async fn bodies_have_a_bound_together_and_what_has_ended_makes_room() {
    let provider = Provider::start().await;
    let inference = accept::Config {
        body_bytes_max: 100,
        bodies_bytes_max: 150,
        ..Setup::default().inference
    };
    let setup = Setup {
        inference,
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url()]);
    let body = format!(r#"{{"model":"chat"}}{}"#, " ".repeat(84));
    let mut first = edge.chat(&body).await;
    let mut peer = provider.accept().await;
    peer.request().await;
    // The first is with its provider, and counts as long as it has no answer.
    let response = posted(&edge, CHAT, &edge.key.text, &body).await;
    assert_refused(&response, 503, "overloaded");
    assert_eq!(response.header("retry-after"), Some("1"));
    peer.write(json("200 OK", "", "{}")).await;
    assert_eq!(first.response().await.status, 200);
    edge.record().await;
    let mut second = edge.chat(&body).await;
    peer.request().await;
    peer.write(json("200 OK", "", "{}")).await;
    assert_eq!(second.response().await.status, 200);
}

#[tokio::test]
async fn a_body_is_not_read_for_somebody_who_has_no_key() {
    let edge = Setup::default().start(&["http://127.0.0.1:1".to_owned()]);
    let mut client = Client::connect(edge.address).await;
    client
        .write(post_head(CHAT, "slc_live_nobody", 1_000_000))
        .await;
    assert_refused(&client.response().await, 401, "invalid_api_key");
}
