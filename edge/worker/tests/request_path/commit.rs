//! The first of what is generated commits an answer: before it the next target is asked and the client never knows,
//! after it the client gets one error event.

use std::time::Duration;

use worker::{
    call,
    record::{Outcome, Record, UsageSource},
};

use crate::{
    edge::{Edge, Setup, provider_id},
    provider::{DELTA, END, Provider, STREAM, json},
    stream::{Api, CHAT, FAULTS, Fault, MESSAGES, PAIRS, RESPONSES, SAID, TORN},
};

fn edge(providers: &[&Provider], api: &Api) -> Edge {
    let urls: Vec<_> = providers.iter().map(|it| it.base_url()).collect();
    let mut setup = Setup {
        kinds: vec![api.kind; providers.len()],
        ..Setup::default()
    };
    setup.upstream.idle_timeout_ms = 150;
    setup.start(&urls)
}

fn codes(record: &Record) -> Vec<&'static str> {
    record.attempts.iter().map(|it| it.code).collect()
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_delta_is_answered_by_the_next_target() {
    for (client_api, api) in PAIRS {
        let (first, second) = (Provider::start().await, Provider::start().await);
        let mut edge = edge(&[&first, &second], &api);
        for fault in FAULTS {
            let at = format!("{} from {}: {fault:?}", client_api.path, api.path);
            let mut client = edge.ask(client_api.path, client_api.body).await;
            let (mut peer, _) = first.answer(STREAM).await;
            peer.chunk(api.beginning).await;
            fault
                .happen(&mut peer, api.error.as_bytes(), TORN.as_bytes())
                .await;
            let (mut good, _) = second.answer(STREAM).await;
            peer.closed().await;
            good.chunk(&api.whole()).await;
            good.write(END).await;
            let response = client.response().await;
            let text = response.text();
            assert_eq!((response.status, response.whole), (200, true), "{at}");
            assert_eq!(text.matches(SAID).count().min(1), 1, "{at}: {text}");
            assert_eq!(client_api.failures(text), 0, "{at}: {text}");
            if client_api.path == api.path {
                assert_eq!(text, api.whole(), "{at}");
            }
            let record = edge.record().await;
            assert_eq!(
                (record.outcome, record.status, record.provider),
                (Outcome::Completed, 200, Some(provider_id(1))),
                "{at}"
            );
            assert_eq!(codes(&record), [fault.code()], "{at}");
            assert_eq!(record.attempts[0].provider, provider_id(0), "{at}");
            // What the first one said that it used is not lost, and what it did not say is counted.
            let spent = record.attempts[0].tokens.total();
            assert_eq!(record.tokens.total(), spent + 5, "{at}");
            match fault {
                Fault::Error => assert_eq!(spent, api.reported, "{at}"),
                _ => assert!(spent > 0, "{at}"),
            }
        }
    }
}

#[tokio::test]
async fn with_no_target_left_the_client_gets_a_status_and_an_error_of_its_own_api() {
    for (client_api, api) in PAIRS {
        let provider = Provider::start().await;
        let mut edge = edge(&[&provider], &api);
        for fault in FAULTS {
            let at = format!("{} from {}: {fault:?}", client_api.path, api.path);
            let mut client = edge.ask(client_api.path, client_api.body).await;
            let (mut peer, _) = provider.answer(STREAM).await;
            peer.chunk(api.beginning).await;
            fault
                .happen(&mut peer, api.error.as_bytes(), TORN.as_bytes())
                .await;
            let response = client.response().await;
            let expected = match fault {
                Fault::Error => client_api.overloaded,
                Fault::Stall => 504,
                Fault::Malformed | Fault::Cut => 502,
            };
            assert_eq!(response.status, expected, "{at}: {}", response.text());
            assert!(!client_api.named(response.text()).is_empty(), "{at}");
            assert_eq!(
                response.header("content-type"),
                Some("application/json"),
                "{at}"
            );
            assert_eq!(response.header("retry-after"), Some("1"), "{at}");
            let record = edge.record().await;
            assert_eq!(
                (record.outcome, record.status),
                (Outcome::ProviderFailed, expected),
                "{at}"
            );
            assert_eq!(codes(&record), [fault.code()], "{at}");
            drop(peer);
        }
    }
}

#[tokio::test]
async fn a_stream_that_fails_after_its_first_delta_ends_in_one_error_event() {
    for (client_api, api) in PAIRS {
        let (provider, other) = (Provider::start().await, Provider::start().await);
        let mut edge = edge(&[&provider, &other], &api);
        for fault in FAULTS {
            let at = format!("{} from {}: {fault:?}", client_api.path, api.path);
            let mut client = edge.ask(client_api.path, client_api.body).await;
            let (mut peer, _) = provider.answer(STREAM).await;
            peer.chunk(api.beginning).await;
            peer.chunk(api.delta).await;
            assert_eq!(client.head().await.0, 200, "{at}");
            let mut text = Vec::new();
            while !String::from_utf8_lossy(&text).contains(SAID) {
                text.extend(client.chunk().await.unwrap());
            }
            fault
                .happen(&mut peer, api.error.as_bytes(), TORN.as_bytes())
                .await;
            if fault == Fault::Error {
                peer.write(END).await;
            }
            while let Some(chunk) = client.chunk().await.filter(|chunk| !chunk.is_empty()) {
                text.extend(chunk);
            }
            let text = String::from_utf8(text).unwrap();
            assert_eq!(client_api.failures(&text), 1, "{at}: {text}");
            assert!(!text.contains("torn"), "{at}: {text}");
            for end in ["[DONE]", "message_stop", "response.completed"] {
                assert!(!text.contains(end), "{at}: {text}");
            }
            if client_api.path == api.path {
                let passed = [api.beginning, api.delta].concat();
                assert!(text.starts_with(&passed), "{at}: {text}");
            }
            let record = edge.record().await;
            let outcome = match fault {
                Fault::Stall => Outcome::Cut,
                _ => Outcome::ProviderFailed,
            };
            assert_eq!((record.outcome, record.status), (outcome, 200), "{at}");
            assert!(
                record.attempts.is_empty() && record.tokens.total() > 0,
                "{at}"
            );
            assert!(record.first_byte_us > 0, "{at}");
        }
        assert!(other.is_unvisited().await);
    }
}

#[tokio::test]
async fn thoughts_and_calls_commit_and_a_head_an_item_or_a_role_does_not() {
    let call = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"\"}}]}}]}\n\n";
    let thought =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
    let proof = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"redacted_thinking\",\"data\":\"x\"}}\n\n";
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n";
    for (api, beginning, delta) in [
        (CHAT, CHAT.beginning, call),
        (CHAT, CHAT.beginning, thought),
        (MESSAGES, start, proof),
        (RESPONSES, RESPONSES.beginning, RESPONSES.delta),
    ] {
        let provider = Provider::start().await;
        let edge = edge(&[&provider], &api);
        let mut client = edge.ask(api.path, api.body).await;
        let (mut peer, _) = provider.answer(STREAM).await;
        peer.chunk(beginning).await;
        let early = tokio::time::timeout(Duration::from_millis(50), client.head()).await;
        assert!(early.is_err(), "{}: a head came before its delta", api.path);
        peer.chunk(delta).await;
        assert_eq!(client.head().await.0, 200);
        assert!(client.chunk().await.is_some());
    }
}

#[tokio::test]
async fn a_provider_that_only_says_that_it_is_alive_is_not_held_for_ever() {
    let (provider, other) = (Provider::start().await, Provider::start().await);
    let upstream = call::Config {
        hold_timeout_ms: 0,
        ..Setup::default().upstream
    };
    let setup = Setup {
        upstream,
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url(), other.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat","stream":true}"#).await;
    let (mut peer, _) = provider.answer(STREAM).await;
    peer.chunk(": alive\n\n").await;
    assert_eq!(client.head().await.0, 200);
    assert_eq!(client.chunk().await.unwrap(), b": alive\n\n");
    peer.chunk(DELTA).await;
    assert_eq!(client.chunk().await.unwrap(), DELTA.as_bytes());
    drop(peer);
    while client.chunk().await.is_some_and(|chunk| !chunk.is_empty()) {}
    assert_eq!(edge.record().await.outcome, Outcome::ProviderFailed);
    assert!(other.is_unvisited().await);
}

#[tokio::test]
async fn errors_that_another_target_may_not_have_move_on_and_those_of_the_request_do_not() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let urls = [first.base_url(), second.base_url()];
    let mut edge = Setup::default().start(&urls);
    for status in [
        "500 Oops",
        "503 Busy",
        "429 Slow Down",
        "408 Late",
        "401 Who",
        "404 Where",
        "402 Pay",
    ] {
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        let body = r#"{"error":{"message":"no"}}"#;
        first.answer(json(status, "retry-after: 7\r\n", body)).await;
        second
            .answer(json(
                "200 OK",
                "",
                "{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}",
            ))
            .await;
        assert_eq!(client.response().await.status, 200, "{status}");
        let record = edge.record().await;
        assert_eq!(record.provider, Some(provider_id(1)), "{status}");
        let attempt = &record.attempts[0];
        assert_eq!(attempt.status.to_string(), status[..3], "{status}");
        assert_eq!(
            (attempt.tokens.total(), record.tokens.total()),
            (0, 3),
            "{status}"
        );
        assert_eq!(record.usage_source, UsageSource::Provider, "{status}");
    }
    for status in ["400 Bad Request", "413 Too Large", "422 What"] {
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        let body =
            r#"{"error":{"message":"maximum context length","code":"context_length_exceeded"}}"#;
        first.answer(json(status, "", body)).await;
        let response = client.response().await;
        assert_eq!(
            (response.status.to_string().as_str(), response.text()),
            (&status[..3], body)
        );
        edge.record().await;
    }
    assert!(second.is_unvisited().await);
}

#[tokio::test]
async fn the_last_provider_that_was_asked_speaks_and_says_when_to_ask_again() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let urls = [
        first.base_url(),
        second.base_url(),
        "http://127.0.0.1:1/v1".to_owned(),
    ];
    let mut edge = Setup::default().start(&urls);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    first.answer(json("503 Busy", "", "{}")).await;
    let body = r#"{"error":{"message":"slow"}}"#;
    second
        .answer(json("429 Slow", "retry-after-ms: 2500\r\n", body))
        .await;
    let response = client.response().await;
    assert_eq!((response.status, response.text()), (429, body));
    assert_eq!(response.header("retry-after"), Some("3"));
    assert_eq!(response.header("retry-after-ms"), Some("2500"));
    let record = edge.record().await;
    assert_eq!(
        codes(&record),
        ["upstream_error", "upstream_error", "upstream_unreachable"]
    );
    assert_eq!(
        (record.provider, record.status),
        (Some(provider_id(1)), 429)
    );
}

#[tokio::test]
async fn a_provider_that_dies_is_not_asked_twice_as_much() {
    let (first, dying) = (Provider::start().await, Provider::start().await);
    let mut edge = Setup::default().start(&[first.base_url(), dying.base_url()]);
    let asked = tokio::spawn(async move {
        let mut asked = 0;
        loop {
            dying
                .answer("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await;
            asked += 1;
            if asked == 10 {
                return dying;
            }
        }
    });
    for _ in 0..10 {
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        first.answer(json("503 Busy", "", "{}")).await;
        assert_eq!(client.response().await.status, 503);
        assert_eq!(edge.record().await.attempts.len(), 2);
    }
    let dying = asked.await.unwrap();
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    first.answer(json("503 Busy", "", "{}")).await;
    assert_eq!(client.response().await.status, 503);
    assert_eq!(edge.record().await.attempts.len(), 1);
    assert!(dying.is_unvisited().await);
}
