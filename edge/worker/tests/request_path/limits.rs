//! Limits: what is refused, what is shown, and what is settled.

use policy::limit::Unit;

use crate::{
    edge::{Setup, limit},
    provider::{Provider, json},
};

const USED: &str = r#"{"usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":10}}"#;

#[tokio::test]
async fn a_limit_on_requests_refuses_the_next_one_and_says_when_to_come_back() {
    let provider = Provider::start().await;
    let limits = vec![limit(Unit::Requests, 60, 2)];
    let edge = Setup {
        limits,
        ..Setup::default()
    }
    .start(&[provider.base_url()]);
    for remaining in ["1", "0"] {
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        provider.answer(json("200 OK", "", USED)).await;
        let response = client.response().await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("x-ratelimit-limit-requests"), Some("60"));
        assert_eq!(
            response.header("x-ratelimit-remaining-requests"),
            Some(remaining)
        );
        assert_eq!(response.header("x-ratelimit-limit-tokens"), None);
    }
    let response = edge.chat(r#"{"model":"chat"}"#).await.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (429, "rate_limit_exceeded")
    );
    assert_eq!(response.header("retry-after"), Some("1"));
    assert_eq!(response.header("retry-after-ms"), Some("1000"));
    assert_eq!(response.header("x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(response.header("x-ratelimit-reset-requests"), Some("2s"));
    assert!(provider.is_unvisited().await);
    edge.hand.advance(std::time::Duration::from_secs(1));
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    provider.answer(json("200 OK", "", USED)).await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn tokens_are_reserved_by_guess_and_settled_by_what_the_provider_says() {
    let provider = Provider::start().await;
    let limits = vec![limit(Unit::Tokens, 10_000, 10_000)];
    let mut edge = Setup {
        limits,
        ..Setup::default()
    }
    .start(&[provider.base_url()]);
    let body = r#"{"model":"chat","max_tokens":1000,"n":2}"#;
    let guess = dialect::estimate::input_tokens(body.len()) + 2_000;
    for used in [0, 10] {
        let mut client = edge.chat(body).await;
        provider.answer(json("200 OK", "", USED)).await;
        let response = client.response().await;
        let remaining = (10_000 - guess - used).to_string();
        assert_eq!(
            response.header("x-ratelimit-remaining-tokens"),
            Some(&*remaining)
        );
        edge.record().await;
    }
}

#[tokio::test]
async fn an_image_within_the_body_is_not_counted_by_its_bytes() {
    let provider = Provider::start().await;
    let limits = vec![limit(Unit::Tokens, 10_000, 10_000)];
    let edge = Setup {
        limits,
        ..Setup::default()
    }
    .start(&[provider.base_url()]);
    let rest = r#"{"model":"chat","max_tokens":1,"messages":[{"image_url":{"url":""}}]}"#;
    let url = format!("data:image/png;base64,{}", "A".repeat(300_000));
    let body = rest.replace(r#""url":"""#, &format!(r#""url":"{url}""#));
    let guess =
        dialect::estimate::input_tokens(rest.len()) + dialect::estimate::EMBEDDED_TOKENS + 1;
    let mut client = edge.chat(&body).await;
    provider.answer(json("200 OK", "", USED)).await;
    let response = client.response().await;
    let remaining = (10_000 - guess).to_string();
    assert_eq!(
        response.header("x-ratelimit-remaining-tokens"),
        Some(&*remaining)
    );
}

#[tokio::test]
async fn a_full_record_queue_changes_nothing_for_the_client() {
    let provider = Provider::start().await;
    let limits = vec![limit(Unit::Tokens, 1_500, 1_500)];
    let setup = Setup {
        records_max: 1,
        limits,
        ..Setup::default()
    };
    let edge = setup.start(&[provider.base_url()]);
    // Nobody reads the queue, and still every reservation is settled: three would not fit otherwise.
    for _ in 0..3 {
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        provider.answer(json("200 OK", "", USED)).await;
        assert_eq!(client.response().await.status, 200);
    }
}
