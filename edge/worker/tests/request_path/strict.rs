//! Strict limits: what is admitted is held to what was reserved for it, be it by its provider or by us.

use policy::limit::{Limit, Mode, Unit};
use worker::record::Outcome;

use crate::{
    edge::{Edge, Setup, limit},
    provider::{END, Provider, STREAM, json},
    stream::{Api, CHAT, GEMINI, MESSAGES, PAIRS, RESPONSES, SAID},
};

fn strict(unit: Unit, amount: u64) -> Limit {
    let mut limit = limit(unit, amount, amount);
    limit.terms.mode = Mode::Strict;
    limit
}

fn edge(api: &Api, limits: Vec<Limit>, providers: &[&Provider]) -> Edge {
    let urls: Vec<_> = providers.iter().map(|it| it.base_url()).collect();
    let setup = Setup {
        kinds: vec![api.kind; providers.len()],
        limits,
        ..Setup::default()
    };
    setup.start(&urls)
}

/// The body of a client that says how much it wants at most.
fn at_most(api: &Api, tokens: u64) -> String {
    match api.path {
        path if path == GEMINI.path => api.body.replacen(
            '{',
            &format!(r#"{{"generationConfig":{{"maxOutputTokens":{tokens}}},"#),
            1,
        ),
        path if path == RESPONSES.path => {
            api.body
                .replacen('{', &format!(r#"{{"max_output_tokens":{tokens},"#), 1)
        }
        path if path == MESSAGES.path => api
            .body
            .replace(r#""max_tokens":9"#, &format!(r#""max_tokens":{tokens}"#)),
        _ => api
            .body
            .replacen('{', &format!(r#"{{"max_tokens":{tokens},"#), 1),
    }
}

/// How an answer of this API says that it reached its length, and that it is whole.
fn ended_by_length(api: &Api) -> [&'static str; 2] {
    match api.path {
        path if path == GEMINI.path => ["\"MAX_TOKENS\"", "finishReason"],
        path if path == RESPONSES.path => ["\"max_output_tokens\"", "response.incomplete"],
        path if path == MESSAGES.path => ["\"stop_reason\":\"max_tokens\"", "message_stop"],
        _ => ["\"finish_reason\":\"length\"", "[DONE]"],
    }
}

#[tokio::test]
async fn a_stream_that_brings_more_than_it_may_is_ended_by_its_length() {
    for (client_api, api) in PAIRS {
        let at = format!("{} from {}", client_api.path, api.path);
        let provider = Provider::start().await;
        let mut edge = edge(&api, vec![strict(Unit::Tokens, 100_000)], &[&provider]);
        let body = at_most(&client_api, 3);
        let mut client = edge.ask(client_api.path, &body).await;
        let (mut peer, received) = provider.answer(STREAM).await;
        // Told in the provider's own words, and not heeded.
        assert!(received.text().contains(":3"), "{at}: {}", received.text());
        peer.chunk([api.beginning, &api.delta.repeat(50)].concat())
            .await;
        let response = client.response().await;
        let text = response.text();
        assert!(response.whole, "{at}: {text}");
        for word in ended_by_length(&client_api) {
            assert!(text.contains(word), "{at}: {word} in {text}");
        }
        // An end of Responses says all of it once more.
        let deltas = text.matches(SAID).count();
        let repeats = client_api.path == RESPONSES.path;
        assert!(deltas == 3 || repeats && deltas >= 3, "{at}: {text}");
        assert_eq!(text.matches("hellohellohellohello").count(), 0, "{at}");
        peer.closed().await;
        let record = edge.record().await;
        assert_eq!(record.outcome, Outcome::Ceiling, "{at}");
        assert_eq!(record.tokens.output_total(), 3, "{at}");
    }
}

#[tokio::test]
async fn who_does_not_say_how_much_it_wants_is_held_to_what_is_reserved() {
    let told = [
        (CHAT, r#""max_completion_tokens":1024"#),
        (RESPONSES, r#""max_output_tokens":1024"#),
        (GEMINI, r#""maxOutputTokens":1024"#),
    ];
    for (api, told) in told {
        let provider = Provider::start().await;
        let limits = vec![strict(Unit::OutputTokens, 100_000)];
        let mut edge = edge(&api, limits, &[&provider]);
        let mut client = edge.ask(api.path, api.body).await;
        let (mut peer, received) = provider.answer(STREAM).await;
        let text = received.text();
        let also = told.replace("max_completion_tokens", "max_tokens");
        assert!(text.contains(told) || text.contains(&also), "{text}");
        peer.chunk(api.whole()).await;
        peer.write(END).await;
        let response = client.response().await;
        assert_eq!((response.status, response.whole), (200, true));
        assert_eq!(edge.record().await.outcome, Outcome::Completed);
    }
}

#[tokio::test]
async fn input_counts_each_byte_and_what_is_admitted_fits() {
    let provider = Provider::start().await;
    let mut edge = edge(&CHAT, vec![strict(Unit::Tokens, 2_000)], &[&provider]);
    let body = r#"{"model":"chat","max_tokens":1000,"messages":[]}"#;
    let mut client = edge.chat(body).await;
    let used = r#"{"choices":[],"usage":{"prompt_tokens":40,"completion_tokens":1000}}"#;
    provider.answer(json("200 OK", "", used)).await;
    let response = client.response().await;
    let remaining = (2_000 - 1_000 - body.len()).to_string();
    assert_eq!(
        response.header("x-ratelimit-remaining-tokens"),
        Some(&*remaining)
    );
    edge.record().await;
    // What is left is less than this may use.
    let response = edge.chat(body).await.response().await;
    assert_eq!(response.code(), "rate_limit_exceeded");
}

#[tokio::test]
async fn what_cannot_be_held_to_a_bound_is_refused() {
    let provider = Provider::start().await;
    let edge = edge(&CHAT, vec![strict(Unit::Tokens, 10_000)], &[&provider]);
    let body = r#"{"model":"chat","prompt":"hi"}"#;
    let response = edge.ask("/v1/completions", body).await.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (400, "output_unbounded")
    );
    assert!(response.text().contains("strict"), "{}", response.text());
    assert!(provider.is_unvisited().await);
    let mut client = edge
        .ask(
            "/v1/completions",
            r#"{"model":"chat","prompt":"hi","max_tokens":5}"#,
        )
        .await;
    provider
        .answer(json("200 OK", "", r#"{"choices":[]}"#))
        .await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn no_second_answer_is_had_on_top_of_one_that_cost() {
    for (mode, statuses) in [(Mode::Hard, 200), (Mode::Strict, 502)] {
        let (first, second) = (Provider::start().await, Provider::start().await);
        let mut limit = strict(Unit::Tokens, 100_000);
        limit.terms.mode = mode;
        let edge = edge(&CHAT, vec![limit], &[&first, &second]);
        let mut client = edge.chat(r#"{"model":"chat","max_tokens":5}"#).await;
        // It took the request, and said nothing of what that used.
        drop(first.answer("").await);
        if statuses == 200 {
            second.answer(json("200 OK", "", r#"{"choices":[]}"#)).await;
        }
        assert_eq!(client.response().await.status, statuses);
        assert!(statuses == 200 || second.is_unvisited().await);
    }
}
