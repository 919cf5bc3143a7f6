//! Limits: what is refused, what is shown, and what is settled.

use policy::{
    calendar::Period,
    limit::{Allowance, Limit, Member, Members, Quota, Unit},
};

use crate::{
    client,
    edge::{Edge, MODEL, Setup, limit, provider_id},
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
    let expected = "The limit `limit` on requests of the project (60 a minute) is used up; try again in 1000 ms.";
    assert!(response.text().contains(expected), "{}", response.text());
    assert_eq!(
        response.header("ratelimit-policy"),
        Some(r#""limit";q=60;w=60;qu="requests""#)
    );
    assert_eq!(response.header("ratelimit"), Some(r#""limit";r=0;t=2"#));
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

#[tokio::test]
async fn an_edge_that_keeps_no_records_settles_its_limits_all_the_same() {
    let provider = Provider::start().await;
    let setup = Setup {
        keeps_records: false,
        limits: vec![limit(Unit::Tokens, 1_500, 1_500)],
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url()]);
    // Three reservations would not fit if they were not settled.
    for _ in 0..3 {
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        provider.answer(json("200 OK", "", USED)).await;
        assert_eq!(client.response().await.status, 200);
    }
    assert!(edge.records.try_recv().is_err(), "nothing is recorded");
}

/// Asks for this body, and tells the status.
async fn ask(edge: &Edge, provider: &Provider, body: &str, end_user: &str) -> u16 {
    let mut client = edge.connect().await;
    let mut head = client::post_head("/v1/chat/completions", &edge.key.text, body.len());
    if !end_user.is_empty() {
        let header = format!("\r\nx-sluice-end-user: {end_user}\r\n\r\n");
        head = head.replace("\r\n\r\n", &header);
    }
    client.write(format!("{head}{body}")).await;
    let (response, answering) = (client.response(), provider.answer(json("200 OK", "", USED)));
    tokio::pin!(response, answering);
    let mut answered = false;
    loop {
        tokio::select! {
            response = &mut response => return response.status,
            _ = &mut answering, if !answered => answered = true,
        }
    }
}

#[tokio::test]
async fn each_end_user_has_a_count_of_its_own_wherever_it_is_named() {
    let provider = Provider::start().await;
    let mut each = limit(Unit::Requests, 1, 1);
    each.scope.each = Members::NONE.with(Member::EndUser);
    let setup = Setup {
        limits: vec![each],
        ..Setup::default()
    };
    let edge = setup.start(&[provider.base_url()]);
    let ann = r#"{"model":"chat","user":"ann"}"#;
    assert_eq!(ask(&edge, &provider, ann, "").await, 200);
    assert_eq!(ask(&edge, &provider, ann, "").await, 429);
    let renamed = r#"{"model":"chat","user":"ann","safety_identifier":"bob"}"#;
    assert_eq!(ask(&edge, &provider, renamed, "").await, 200);
    assert_eq!(
        ask(&edge, &provider, r#"{"model":"chat"}"#, "bob").await,
        429
    );
    assert_eq!(
        ask(&edge, &provider, ann, "cyd").await,
        200,
        "the header speaks first"
    );
    // Those who name nobody are one end user, so that leaving it out opens nothing.
    assert_eq!(ask(&edge, &provider, r#"{"model":"chat"}"#, "").await, 200);
    assert_eq!(ask(&edge, &provider, r#"{"model":"chat"}"#, "").await, 429);
    let twice = r#"{"model":"chat","user":"eve","user":"ann"}"#;
    assert_eq!(ask(&edge, &provider, twice, "").await, 400);
}

#[tokio::test]
async fn a_limit_of_a_model_and_an_end_user_counts_nothing_else() {
    let provider = Provider::start().await;
    let mut narrow = limit(Unit::Requests, 1, 1);
    narrow.scope.model = Some(MODEL);
    narrow.scope.end_user = Some("ann".to_owned());
    let mut other = limit(Unit::Tokens, 1, 1);
    other.scope.model = Some(policy::id::ModelId::from_bytes([99; 16]));
    let setup = Setup {
        limits: vec![narrow, other],
        ..Setup::default()
    };
    let edge = setup.start(&[provider.base_url()]);
    let body = r#"{"model":"chat"}"#;
    for (end_user, status) in [("bob", 200), ("ann", 200), ("bob", 200), ("ann", 429)] {
        assert_eq!(
            ask(&edge, &provider, body, end_user).await,
            status,
            "{end_user}"
        );
    }
}

#[tokio::test]
async fn a_limit_of_a_provider_sends_what_it_does_not_take_to_the_next_target() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let at = |number: u8, amount| {
        let mut limit = limit(Unit::Requests, amount, 1);
        limit.id = policy::id::LimitId::from_bytes([50 + number; 16]);
        limit.name = format!("at-{number}");
        limit.scope.provider = Some(provider_id(number));
        limit
    };
    let setup = Setup {
        limits: vec![at(0, 1), at(1, 1)],
        ..Setup::default()
    };
    let edge = setup.start(&[first.base_url(), second.base_url()]);
    for provider in [&first, &second] {
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        provider.answer(json("200 OK", "", USED)).await;
        assert_eq!(client.response().await.status, 200);
    }
    let response = edge.chat(r#"{"model":"chat"}"#).await.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (429, "rate_limit_exceeded")
    );
    assert!(response.text().contains("`at-1`"), "{}", response.text());
    assert!(response.header("retry-after").is_some());
}

#[tokio::test]
async fn a_target_that_is_not_reached_gives_its_providers_room_back() {
    let provider = Provider::start().await;
    let mut at_first = limit(Unit::Requests, 1, 1);
    at_first.scope.each = Members::NONE.with(Member::Provider);
    let setup = Setup {
        limits: vec![at_first],
        ..Setup::default()
    };
    // Nobody listens at the first target, so each attempt there is given back, and never is one refused.
    let mut edge = setup.start(&["http://127.0.0.1:1".to_owned(), provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    provider.answer(json("200 OK", "", USED)).await;
    assert_eq!(client.response().await.status, 200);
    assert_eq!(edge.record().await.provider, Some(provider_id(1)));
    let response = edge.chat(r#"{"model":"chat"}"#).await.response().await;
    assert_eq!(response.status, 429, "the second is used up");
}

#[tokio::test]
async fn input_and_output_tokens_are_counted_apart() {
    let provider = Provider::start().await;
    let limits = vec![
        limit(Unit::InputTokens, 10_000, 10_000),
        limit(Unit::OutputTokens, 10_000, 10_000),
    ];
    let setup = Setup {
        limits,
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url()]);
    let body = r#"{"model":"chat","max_tokens":1000}"#;
    let guess = dialect::estimate::input_tokens(body.len());
    for used in [(0, 0), (4, 6)] {
        let mut client = edge.chat(body).await;
        provider.answer(json("200 OK", "", USED)).await;
        let response = client.response().await;
        let left = (10_000 - guess - used.0, 10_000 - 1_000 - used.1);
        let said = response.header("ratelimit").unwrap();
        assert!(said.contains(&format!("r={};", left.0)), "{said}");
        assert!(said.contains(&format!("r={};", left.1)), "{said}");
        edge.record().await;
    }
}

fn quota(amount: u64, period: Period) -> Limit {
    Limit {
        allowance: Allowance::Quota(Quota::new(amount, period).unwrap()),
        ..limit(Unit::Requests, 1, 1)
    }
}

#[tokio::test]
async fn a_quota_starts_again_at_midnight_and_a_lifetime_never() {
    const HOUR: std::time::Duration = std::time::Duration::from_hours(1);
    let provider = Provider::start().await;
    let mut forever = quota(3, Period::Lifetime);
    forever.id = policy::id::LimitId::from_bytes([77; 16]);
    forever.name = "trial".to_owned();
    let setup = Setup {
        limits: vec![quota(2, Period::Day), forever],
        ..Setup::default()
    };
    let edge = setup.start(&[provider.base_url()]);
    let body = r#"{"model":"chat"}"#;
    for status in [200, 200, 429] {
        assert_eq!(ask(&edge, &provider, body, "").await, status);
    }
    let response = edge.chat(body).await.response().await;
    // It is a quarter past ten in the evening.
    assert_eq!(response.header("retry-after"), Some("6400"));
    assert_eq!(
        response.header("x-should-retry"),
        Some("false"),
        "no SDK waits so long"
    );
    edge.hand.advance(HOUR);
    assert_eq!(ask(&edge, &provider, body, "").await, 429);
    edge.hand.advance(HOUR);
    assert_eq!(
        ask(&edge, &provider, body, "").await,
        200,
        "it is past midnight"
    );
    let response = edge.chat(body).await.response().await;
    assert_eq!(response.status, 429);
    assert!(response.text().contains("`trial`"), "{}", response.text());
    assert_eq!(
        response.header("retry-after"),
        None,
        "it does not come back"
    );
    assert_eq!(
        response.header("ratelimit"),
        Some(r#""limit";r=1;t=85600, "trial";r=0"#)
    );
}
