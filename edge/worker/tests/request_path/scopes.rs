//! A key is held to its scope where nothing is translated, too: by what passes through, and by sockets for as long as they
//! are open.

use policy::{glob::Glob, key::Key, scope::Scope};
use worker::record::Outcome;

use crate::{
    edge::{Edge, MODEL, Setup, key_of, provider_id},
    passing::ask,
    provider::{Provider, json},
    sockets::{REALTIME, bearer, farewell, hello, open},
};

const FILES: &str = "GET /passthrough/provider-0/files";

/// Lets the edge's key be held to this.
fn hold(edge: &mut Edge, scope: Scope) {
    let key = Key {
        scope: Some(Box::new(scope)),
        ..key_of(&edge.key)
    };
    edge.writer.put_key(key);
}

fn endpoints(words: &[&str]) -> Scope {
    Scope {
        endpoints: words.iter().map(ToString::to_string).collect(),
        ..Scope::default()
    }
}

fn providers(numbers: &[u8]) -> Scope {
    Scope {
        providers: numbers.iter().copied().map(provider_id).collect(),
        ..Scope::default()
    }
}

fn ranges(range: &str) -> Scope {
    Scope {
        ranges: vec![range.parse().unwrap()],
        ..Scope::default()
    }
}

fn models(pattern: &str) -> Scope {
    Scope {
        models: vec![Glob::parse(pattern).unwrap()],
        ..Scope::default()
    }
}

fn tokens(max: u64) -> Scope {
    Scope {
        request_tokens_max: Some(max),
        ..Scope::default()
    }
}

#[tokio::test]
async fn what_passes_through_is_held_to_each_part_of_a_scope() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    for (scope, status, code) in [
        (ranges("192.0.2.0/24"), 403, "api_key_address_forbidden"),
        (
            endpoints(&["chat_completions", "realtime"]),
            403,
            "api_key_endpoint_forbidden",
        ),
        (providers(&[1]), 403, "passthrough_not_allowed"),
        // Which model a provider's own path is about, nobody here knows.
        (models("*"), 403, "passthrough_not_allowed"),
    ] {
        hold(&mut edge, scope);
        let refused = ask(&edge, FILES, "", "").await.response().await;
        assert_eq!((refused.status, &*refused.code()), (status, code));
    }
    hold(&mut edge, tokens(100));
    let line = "POST /passthrough/provider-0/images/generations";
    let body = r#"{"prompt":"a"}"#;
    let json_body = "content-type: application/json\r\n";
    let refused = ask(&edge, line, json_body, body).await.response().await;
    assert_eq!(refused.code(), "request_too_many_tokens");
    for scope in [
        ranges("127.0.0.0/8"),
        endpoints(&["passthrough"]),
        providers(&[0]),
        tokens(100),
    ] {
        hold(&mut edge, scope);
        let mut client = ask(&edge, FILES, "", "").await;
        let mut peer = provider.accept().await;
        peer.head().await;
        peer.write(json("200 OK", "", "{}")).await;
        assert_eq!(client.response().await.status, 200);
    }
}

#[tokio::test]
async fn a_socket_is_opened_only_for_what_the_key_is_held_to() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    for (scope, status, code) in [
        (ranges("192.0.2.0/24"), 403, "api_key_address_forbidden"),
        (
            endpoints(&["passthrough"]),
            403,
            "api_key_endpoint_forbidden",
        ),
        (providers(&[1]), 403, "api_key_provider_forbidden"),
        (models("other-*"), 404, "model_not_found"),
        (tokens(10), 400, "request_too_many_tokens"),
    ] {
        hold(&mut edge, scope);
        let mut client = edge.connect().await;
        client.write(hello(REALTIME, &bearer(&edge))).await;
        let refused = client.response().await;
        assert_eq!((refused.status, &*refused.code()), (status, code));
    }
    hold(
        &mut edge,
        Scope {
            endpoints: vec!["realtime".to_owned()],
            providers: vec![provider_id(0)],
            ..models("ch*t")
        },
    );
    drop(open(&edge, &provider).await);
    assert_eq!(edge.record().await.model, MODEL);
}

#[tokio::test]
async fn a_socket_ends_when_its_key_is_held_to_something_else() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    for scope in [
        ranges("192.0.2.0/24"),
        endpoints(&["chat_completions"]),
        providers(&[1]),
        models("other-*"),
    ] {
        hold(&mut edge, models("chat"));
        let (mut client, _peer) = open(&edge, &provider).await;
        hold(&mut edge, scope);
        assert_eq!(
            farewell(&mut client).await,
            (1_008, "api_key_scope_changed".to_owned())
        );
        assert_eq!(edge.record().await.outcome, Outcome::Cut);
    }
}
