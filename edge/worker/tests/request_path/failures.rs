//! What a provider does wrong, and what the client hears of it.

use std::time::Duration;

use worker::{
    call,
    record::{Outcome, TOKENS_MAX, UsageSource},
};

use crate::{
    edge::{CREDENTIAL, Setup, provider_id},
    provider::{DELTA, Provider, STREAM, json},
};

#[tokio::test]
async fn an_error_of_the_request_passes_as_the_provider_said_it_and_costs_nothing() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    for status in [
        "400 Bad Request",
        "404 Not Found",
        "429 Too Many Requests",
        "500 Oops",
        "503 Busy",
    ] {
        let body = format!(r#"{{"error":{{"message":"{status}"}}}}"#);
        let mut client = edge.chat(r#"{"model":"chat","stream":true}"#).await;
        provider
            .answer(json(status, "retry-after: 7\r\n", &body))
            .await;
        let response = client.response().await;
        assert_eq!(
            (response.status.to_string().as_str(), response.text()),
            (&status[..3], &*body)
        );
        assert_eq!(response.header("retry-after"), Some("7"));
        let record = edge.record().await;
        assert_eq!(
            (record.outcome, record.status),
            (Outcome::ProviderFailed, response.status)
        );
        assert_eq!(
            (record.tokens.total(), record.provider),
            (0, Some(provider_id(0)))
        );
    }
}

#[tokio::test]
async fn a_refused_credential_is_the_operators_problem_and_not_the_clients() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        let body = format!(r#"{{"error":"bad key {CREDENTIAL}"}}"#);
        provider.answer(json(status, "", &body)).await;
        let response = client.response().await;
        assert_eq!(
            (response.status, response.code().as_str()),
            (502, "upstream_auth_failed")
        );
        assert_eq!(response.header("x-should-retry"), Some("false"));
        assert!(!response.text().contains(CREDENTIAL));
        let record = edge.record().await;
        assert_eq!(
            (record.outcome, record.status),
            (Outcome::ProviderFailed, 502)
        );
        assert_eq!(record.tokens.total(), 0);
    }
}

#[tokio::test]
async fn a_credential_goes_to_its_own_origin_only() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    edge.put_credential("https://api.example.com:443");
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let response = client.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (503, "upstream_misconfigured")
    );
    assert!(provider.is_unvisited().await);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let provider = Provider::start().await;
    let elsewhere = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let location = format!("location: {}\r\n", elsewhere.base_url());
    provider
        .answer(json("307 Temporary Redirect", &location, ""))
        .await;
    let response = client.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (502, "upstream_unexpected_status")
    );
    assert!(elsewhere.is_unvisited().await);
}

#[tokio::test]
async fn a_target_that_cannot_be_reached_is_passed_over() {
    let provider = Provider::start().await;
    let nobody = "http://127.0.0.1:1/v1".to_owned();
    let mut edge = Setup::default().start(&[nobody.clone(), provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    provider.answer(json("200 OK", "", "{}")).await;
    assert_eq!(client.response().await.status, 200);
    assert_eq!(edge.record().await.provider, Some(provider_id(1)));

    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url(), nobody.clone()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    drop(provider.answer("").await);
    let response = client.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (502, "upstream_broken")
    );
    let record = edge.record().await;
    // Who was asked speaks before who was not.
    assert_eq!(record.provider, Some(provider_id(0)));
    assert_eq!(
        (record.outcome, record.status),
        (Outcome::ProviderFailed, 502)
    );
    assert_eq!(record.usage_source, UsageSource::Partial);
    assert!(record.tokens.input > 0, "what was sent may have cost");

    let mut edge = Setup::default().start(&[nobody]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let response = client.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (502, "upstream_unreachable")
    );
    assert_eq!(response.header("retry-after"), Some("1"));
    let record = edge.record().await;
    assert_eq!(
        (record.provider, record.tokens.total(), record.status),
        (None, 0, 502)
    );
}

#[tokio::test]
async fn a_connection_that_the_provider_closed_at_rest_is_replaced_unseen() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let (peer, _) = provider.answer(json("200 OK", "", "{}")).await;
    assert_eq!(client.response().await.status, 200);
    drop(peer);
    for _ in 0..3 {
        client
            .post(
                "/v1/chat/completions",
                &edge.key.text,
                r#"{"model":"chat"}"#,
            )
            .await;
        let (peer, _) = provider.answer(json("200 OK", "", "{}")).await;
        assert_eq!(client.response().await.status, 200);
        drop(peer);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_an_error_event_and_without_done() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat","stream":true}"#).await;
    let (mut peer, _) = provider.answer(STREAM).await;
    peer.chunk(DELTA).await;
    assert_eq!(client.head().await.0, 200);
    assert_eq!(client.chunk().await.unwrap(), DELTA.as_bytes());
    drop(peer);
    let last = String::from_utf8(client.chunk().await.unwrap()).unwrap();
    assert!(
        last.starts_with("\n\ndata: {\"error\"") && last.contains("upstream_broken"),
        "{last}"
    );
    assert_eq!(client.chunk().await.unwrap(), b"");
    let record = edge.record().await;
    assert_eq!(
        (record.outcome, record.usage_source),
        (Outcome::ProviderFailed, UsageSource::Partial)
    );
    assert!(record.tokens.input > 0 && record.tokens.output > 0);
}

#[tokio::test]
async fn the_error_that_ends_a_torn_stream_is_an_event_of_its_own() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    // The client asked for usage, so that nothing is held back: the event's line is whole, the event is not.
    let body = r#"{"model":"chat","stream":true,"stream_options":{"include_usage":true}}"#;
    let mut client = edge.chat(body).await;
    let (mut peer, _) = provider.answer(STREAM).await;
    let torn = format!("{DELTA}data: {{\"choices\":[]}}\n");
    peer.chunk(&torn).await;
    assert_eq!(client.head().await.0, 200);
    assert_eq!(client.chunk().await.unwrap(), torn.as_bytes());
    drop(peer);
    let last = client.chunk().await.unwrap();
    assert!(last.starts_with(b"\n\ndata: {\"error\""), "{last:?}");
}

#[tokio::test]
async fn a_stream_that_is_done_is_whole_however_its_connection_ends() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let whole = format!("{DELTA}data: [DONE]\n\n");
    for client_leaves in [false, true] {
        let mut client = edge.chat(r#"{"model":"chat","stream":true}"#).await;
        let (mut peer, _) = provider.answer(STREAM).await;
        peer.chunk(&whole).await;
        assert_eq!(client.head().await.0, 200);
        assert_eq!(client.chunk().await.unwrap(), whole.as_bytes());
        if client_leaves {
            drop(client);
            peer.closed().await;
        } else {
            drop(peer);
            assert_eq!(client.chunk().await.unwrap(), b"");
        }
        let record = edge.record().await;
        assert_eq!(
            (record.outcome, record.usage_source),
            (Outcome::Completed, UsageSource::Estimated)
        );
    }
}

#[tokio::test]
async fn counts_that_no_request_can_have_are_cut_to_the_most_that_one_may_have() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let absurd = format!(
        r#"{{"usage":{{"prompt_tokens":{},"completion_tokens":6}}}}"#,
        u64::MAX
    );
    provider.answer(json("200 OK", "", &absurd)).await;
    assert_eq!(client.response().await.status, 200);
    let record = edge.record().await;
    assert_eq!((record.tokens.input, record.tokens.output), (TOKENS_MAX, 6));
    assert_eq!(record.usage_source, UsageSource::Provider);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_whole() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let cut = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n";
    let (peer, _) = provider.answer(cut).await;
    assert_eq!(client.head().await.0, 200);
    assert_eq!(client.chunk().await.unwrap(), b"{}");
    drop(peer);
    assert_eq!(client.chunk().await, None);
}

#[tokio::test]
async fn a_silent_provider_is_given_up() {
    let upstream = call::Config {
        first_byte_timeout_ms: 100,
        idle_timeout_ms: 100,
        ..Setup::default().upstream
    };
    let provider = Provider::start().await;
    let mut edge = Setup {
        upstream,
        ..Setup::default()
    }
    .start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let (mut peer, _) = provider.answer("").await;
    let response = client.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (504, "upstream_timeout")
    );
    peer.closed().await;
    assert_eq!(edge.record().await.outcome, Outcome::ProviderFailed);
    client
        .post(
            "/v1/chat/completions",
            &edge.key.text,
            r#"{"model":"chat","stream":true}"#,
        )
        .await;
    let (mut peer, _) = provider.answer(STREAM).await;
    peer.chunk(DELTA).await;
    let response = client.response().await;
    assert!(response.text().starts_with(DELTA) && response.text().contains("upstream_timeout"));
    peer.closed().await;
    assert_eq!(edge.record().await.outcome, Outcome::Cut);
}

#[tokio::test]
async fn the_time_for_a_whole_answer_is_bounded_however_lively_it_is() {
    let upstream = call::Config {
        total_timeout_ms: 300,
        ..Setup::default().upstream
    };
    let provider = Provider::start().await;
    let mut edge = Setup {
        upstream,
        ..Setup::default()
    }
    .start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat","stream":true}"#).await;
    let (mut peer, _) = provider.answer(STREAM).await;
    peer.chunk(DELTA).await;
    let chatter = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..200 {
            tick.tick().await;
            if tokio::io::AsyncWriteExt::write_all(&mut peer.stream, b"4\r\n: x\n\r\n")
                .await
                .is_err()
            {
                return;
            }
        }
    });
    let response = client.response().await;
    assert!(response.text().contains("upstream_timeout"));
    assert_eq!(edge.record().await.outcome, Outcome::Cut);
    chatter.await.unwrap();
}
