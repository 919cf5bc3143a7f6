//! What a client prefers among targets and models: heeded, taken out of what a provider gets, and forbidden where a project says so.

use std::sync::Arc;

use policy::{
    change::Edit,
    guard::Guard,
    handling::{Demanded, Handling},
    id::{ModelId, VersionId},
    limit::{Limit, Unit},
    model::{Target, Version},
    object::{Kind, Object},
    preference::Preference,
    provider::ProviderKind,
    routing::Routing,
    usage::Counter,
};

use crate::{
    client::{Response, post_head},
    costs::price,
    edge::{Edge, MODEL, PROJECT, Setup, limit, model, provider_id},
    provider::{Provider, json},
};

const OTHER: ModelId = ModelId::from_bytes([9; 16]);
const OTHERS: VersionId = VersionId::from_bytes([45; 16]);
const CHAT: &str = "/v1/chat/completions";
const GOOD: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":10}}"#;

/// Providers that nobody can reach: what is asked is in which order they are tried.
fn nobody() -> Edge {
    let urls = (1..=3).map(|port| format!("http://127.0.0.1:{port}/v1"));
    Setup::default().start(&urls.collect::<Vec<_>>())
}

/// Asks with these lines of headers.
async fn ask(edge: &Edge, path: &str, header: &str, body: &str) -> Response {
    let mut client = edge.connect().await;
    let head = post_head(path, &edge.key.text, body.len());
    let head = head.replacen("\r\n", &format!("\r\n{header}"), 1);
    client.write(format!("{head}{body}")).await;
    client.response().await
}

/// Which providers were asked, in turn, where none can be reached.
async fn tried(edge: &mut Edge, members: &str) -> Vec<usize> {
    let body = format!(r#"{{"model":"chat",{members}}}"#);
    let response = ask(edge, CHAT, "", &body).await;
    assert_eq!(response.code(), "upstream_unreachable", "{members}");
    let record = edge.record().await;
    let place = |provider| (0..3_u8).position(|at| provider == provider_id(at));
    let attempts = record.attempts.iter();
    attempts.map(|it| place(it.provider).unwrap()).collect()
}

fn handles(edge: &mut Edge, number: u8, handling: Handling) {
    let id = provider_id(number);
    let Some(Object::Provider(mut provider)) = edge.rules.object(Kind::Provider, id.as_bytes())
    else {
        panic!("it is in force")
    };
    provider.handling = handling;
    edge.edit_rules(Edit::Upsert(Object::Provider(provider)));
}

fn guards(edge: &mut Edge, guard: Guard) {
    let Some(Object::Project(mut project)) = edge.rules.object(Kind::Project, PROJECT.as_bytes())
    else {
        panic!("it is in force")
    };
    project.guard = Some(Arc::new(guard));
    edge.edit_rules(Edit::Upsert(Object::Project(project)));
}

/// A second model, whose only target is the second provider.
fn other_model(edge: &mut Edge) {
    edge.edit_rules(Edit::Upsert(Object::Version(Version {
        id: OTHERS,
        model: OTHER,
        name: "v7".to_owned(),
        targets: vec![Target {
            provider: provider_id(1),
            provider_model: "others-model".to_owned(),
            weight: 0,
            capable: policy::catalogue::Capable::default(),
        }],
        recipe: None,
        routing: Routing::default(),
    })));
    edge.edit_rules(Edit::Upsert(model("other", OTHER, Some(OTHERS))));
}

#[tokio::test]
async fn providers_are_asked_in_the_clients_order_and_others_are_not() {
    let mut edge = nobody();
    for (members, expected) in [
        (
            r#""provider":{"order":["provider-2","provider-0"]}"#,
            vec![2, 0, 1],
        ),
        (
            r#""provider":{"order":["provider-2","nobody"],"allow_fallbacks":false}"#,
            vec![2],
        ),
        (r#""provider":{"allow_fallbacks":false}"#, vec![0]),
        (
            r#""provider":{"only":["provider-1","provider-0"]}"#,
            vec![0, 1],
        ),
        (r#""provider":{"ignore":["provider-0"]}"#, vec![1, 2]),
        (
            r#""provider":{"only":["provider-1","provider-2"],"ignore":["provider-1"]}"#,
            vec![2],
        ),
        (r#""provider":null,"models":[]"#, vec![0, 1, 2]),
    ] {
        assert_eq!(tried(&mut edge, members).await, expected, "{members}");
    }
    let body = r#"{"model":"chat","provider":{"only":["provider-9"]}}"#;
    let refused = ask(&edge, CHAT, "", body).await;
    let told = (refused.status, refused.code());
    assert_eq!(told, (404, "preferences_unmet".to_owned()));
}

#[tokio::test]
async fn who_is_too_dear_is_left_out_and_the_cheapest_comes_first() {
    let mut edge = nobody();
    for (number, nano) in [(0, 9_000), (1, 3_000)] {
        let rates = [(Counter::Input, nano), (Counter::Output, 2 * nano)];
        price(&mut edge, number, None, &rates);
    }
    for (members, expected) in [
        (r#""provider":{"sort":"price"}"#, vec![1, 0, 2]),
        // Nine dollars a million, and eighteen; of the third nobody knows.
        (r#""provider":{"max_price":{"prompt":9}}"#, vec![0, 1]),
        (r#""provider":{"max_price":{"prompt":"8.99"}}"#, vec![1]),
        (
            r#""provider":{"max_price":{"prompt":100,"completion":6}}"#,
            vec![1],
        ),
    ] {
        assert_eq!(tried(&mut edge, members).await, expected, "{members}");
    }
    let body = r#"{"model":"chat","provider":{"max_price":{"completion":5}}}"#;
    assert_eq!(ask(&edge, CHAT, "", body).await.code(), "preferences_unmet");
    // The same by a suffix, where no model is called like that itself.
    let body = r#"{"model":"chat:floor"}"#;
    ask(&edge, CHAT, "", body).await;
    assert_eq!(edge.record().await.attempts[0].provider, provider_id(1));
    edge.edit_rules(Edit::Upsert(model("chat:floor", OTHER, None)));
    assert_eq!(ask(&edge, CHAT, "", body).await.code(), "model_not_found");
}

#[tokio::test]
async fn data_goes_only_where_the_client_and_its_project_let_it_go() {
    let mut edge = nobody();
    let good = Handling {
        collects_nothing: true,
        retains_nothing: true,
        residency: "eu".to_owned(),
        quantization: "fp8".to_owned(),
    };
    let kind = Handling {
        collects_nothing: true,
        ..Handling::default()
    };
    handles(&mut edge, 1, good);
    handles(&mut edge, 2, kind);
    let all = [
        (r#""provider":{"data_collection":"deny"}"#, vec![1, 2]),
        (r#""provider":{"zdr":true}"#, vec![1]),
        (r#""provider":{"quantizations":["fp8","fp4"]}"#, vec![1]),
        (r#""provider":{"quantizations":["unknown"]}"#, vec![0, 2]),
        (r#""provider":{"data_collection":"allow"}"#, vec![0, 1, 2]),
    ];
    for (members, expected) in all {
        assert_eq!(tried(&mut edge, members).await, expected, "{members}");
    }
    let demanded = |residencies: &[&str]| Guard {
        demanded: Demanded {
            collects_nothing: true,
            residencies: residencies.iter().map(ToString::to_string).collect(),
            ..Demanded::default()
        },
        ..Guard::default()
    };
    guards(&mut edge, demanded(&[]));
    for members in [r#""n":1"#, r#""provider":{"data_collection":"allow"}"#] {
        // No preference lifts it.
        assert_eq!(tried(&mut edge, members).await, [1, 2], "{members}");
    }
    guards(&mut edge, demanded(&["eu"]));
    assert_eq!(tried(&mut edge, r#""n":1"#).await, [1]);
    guards(&mut edge, demanded(&["us"]));
    let refused = ask(&edge, CHAT, "", r#"{"model":"chat"}"#).await;
    let told = (refused.status, refused.code());
    assert_eq!(told, (403, "data_policy_unmet".to_owned()));
    // Nor does passing through.
    let mut client = edge.connect().await;
    let passed = client
        .get("/passthrough/provider-1/files", &edge.key.text)
        .await;
    assert_eq!(passed.code(), "passthrough_not_allowed");
}

#[tokio::test]
async fn what_was_read_is_taken_out_and_the_header_says_the_same_in_other_dialects() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let setup = Setup {
        kinds: vec![ProviderKind::OpenAiCompatible, ProviderKind::Anthropic],
        ..Setup::default()
    };
    let edge = setup.start(&[first.base_url(), second.base_url()]);
    let body = r#"{"session_id":"s","model":"chat","provider":{"only":["provider-0"]},"n":1,"models":["chat"]}"#;
    let mut client = edge.chat(body).await;
    let (_, received) = first.answer(json("200 OK", "", GOOD)).await;
    assert_eq!(received.text(), r#"{"model":"provider-model","n":1}"#);
    assert_eq!(client.response().await.status, 200);

    let body = r#"{"model":"chat","max_tokens":5,"messages":[{"role":"user","content":"a"}]}"#;
    let header = "x-sluice-preferences: {\"provider\":{\"order\":[\"provider-1\"]}}\r\n";
    let asked = ask(&edge, "/v1/messages", header, body);
    let answered = async {
        let (_, received) = second.answer(json("200 OK", "", r#"{"content":[]}"#)).await;
        assert_eq!(received.header("x-sluice-preferences"), None);
    };
    let (response, ()) = tokio::join!(asked, answered);
    assert_eq!(response.status, 200);
    // Both is one too many, and passing through heeds neither.
    let body = r#"{"model":"chat","provider":{"zdr":true}}"#;
    let twice = ask(&edge, CHAT, header, body).await;
    assert_eq!((twice.status, &*twice.code()), (400, "invalid_preferences"));
    let body = r#"{"model":"chat","max_tokens":5,"messages":[{"role":"user","content":"a"}],"seed":7,"provider":{"require_parameters":true,"only":["provider-1"]}}"#;
    let lacking = ask(&edge, CHAT, "", body).await;
    assert_eq!(lacking.code(), "unsupported_by_model");
    assert!(
        lacking.text().contains("require_parameters"),
        "{}",
        lacking.text()
    );
    assert!(second.is_unvisited().await);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_nobody_is_asked() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let many = vec!["\"p\""; 100_000].join(",");
    let deep = format!("{}{}", "[".repeat(60), "]".repeat(60));
    for (members, param) in [
        (r#""provider":"openai""#.to_owned(), "provider"),
        (r#""provider":{"experts":1}"#.to_owned(), "provider"),
        (
            r#""provider":{"sort":"quality"}"#.to_owned(),
            "provider.sort",
        ),
        (
            format!(r#""provider":{{"order":[{many},1]}}"#),
            "provider.order",
        ),
        (format!(r#""provider":{{"only":{deep}}}"#), "provider.only"),
        (
            format!(r#""models":[{}]"#, r#""a","b","c","d","e","f","g","h","i""#),
            "models",
        ),
        (r#""session_id":{}"#.to_owned(), "session_id"),
    ] {
        let refused = edge
            .chat(&format!(r#"{{"model":"chat",{members}}}"#))
            .await
            .response()
            .await;
        let shown = &members[..members.len().min(60)];
        assert_eq!(
            (refused.status, &*refused.code()),
            (400, "invalid_preferences"),
            "{shown}"
        );
        assert!(
            refused.text().contains(&format!(r#""param":"{param}""#)),
            "{}",
            refused.text()
        );
    }
    let twice = r#"{"model":"chat","provider":{},"provider":{}}"#;
    assert_eq!(
        edge.chat(twice).await.response().await.code(),
        "ambiguous_member"
    );

    assert!(provider.is_unvisited().await);
}

#[tokio::test]
async fn what_a_project_forbids_is_refused_and_the_rest_is_not() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let all = [
        Preference::Models,
        Preference::Order,
        Preference::Sort,
        Preference::Zdr,
    ];
    guards(
        &mut edge,
        Guard {
            forbidden: all.into_iter().collect(),
            ..Guard::default()
        },
    );
    for (members, name) in [
        (r#""models":["other"]"#, "models"),
        (r#""provider":{"order":["provider-0"]}"#, "order"),
        (r#""provider":{"zdr":true}"#, "zdr"),
        (r#""provider":{"sort":"price"}"#, "sort"),
    ] {
        let refused = edge
            .chat(&format!(r#"{{"model":"chat",{members}}}"#))
            .await
            .response()
            .await;
        let told = (refused.status, refused.code());
        assert_eq!(told, (403, "preference_forbidden".to_owned()), "{members}");
        assert!(
            refused.text().contains(&format!("prefer `{name}`")),
            "{}",
            refused.text()
        );
    }
    let refused = edge
        .chat(r#"{"model":"chat:nitro"}"#)
        .await
        .response()
        .await;
    assert_eq!(refused.code(), "preference_forbidden");
    assert!(provider.is_unvisited().await);
    let mut client = edge
        .chat(r#"{"model":"chat","provider":{"only":["provider-0"]}}"#)
        .await;
    provider.answer(json("200 OK", "", GOOD)).await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn other_models_are_asked_in_turn_and_one_record_says_which_served() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let mut edge = Setup::default().start(&[first.base_url(), second.base_url()]);
    other_model(&mut edge);
    let body = r#"{"model":"chat","models":["nothing","other"],"provider":{"only":["provider-0","provider-1"],"allow_fallbacks":false}}"#;
    let mut client = edge.chat(body).await;
    let (_, received) = first
        .answer(json("503 Unavailable", "", r#"{"error":{}}"#))
        .await;
    assert_eq!(received.text(), r#"{"model":"provider-model"}"#);
    let (_, received) = second.answer(json("200 OK", "", GOOD)).await;
    assert_eq!(received.text(), r#"{"model":"others-model"}"#);
    let response = client.response().await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-sluice-model"), Some("other@v7"));
    let record = edge.record().await;
    assert_eq!((record.model, record.version), (OTHER, OTHERS));
    assert_eq!(record.provider, Some(provider_id(1)));
    assert_eq!(record.attempts.len(), 1);
    assert_eq!(record.attempts[0].provider, provider_id(0));
    assert_eq!((record.tokens.input, record.tokens.output), (4, 6));

    // What is wrong with the request is wrong with every model, and the client is told at once.
    let mut client = edge.chat(r#"{"model":"chat","models":["other"]}"#).await;
    let wrong = r#"{"error":{"message":"no","type":"invalid_request_error"}}"#;
    first.answer(json("400 Bad Request", "", wrong)).await;
    assert_eq!(client.response().await.status, 400);
    assert!(second.is_unvisited().await);
    // One without a target that is left is passed over, and where none is left that is said.
    let body =
        r#"{"model":"chat","models":["other"],"provider":{"ignore":["provider-0","provider-1"]}}"#;
    let refused = edge.chat(body).await.response().await;
    assert_eq!(refused.code(), "preferences_unmet");
    let body = r#"{"model":"none","models":["nothing"]}"#;
    assert_eq!(
        edge.chat(body).await.response().await.code(),
        "model_not_found"
    );
}

/// A limit on one model's requests, one a minute.
fn once(of: ModelId, number: u8) -> Limit {
    let mut limit = limit(Unit::Requests, 1, 1);
    limit.id = policy::id::LimitId::from_bytes([200 + number; 16]);
    limit.scope.model = Some(of);
    limit
}

#[tokio::test]
async fn each_model_has_its_own_limits_and_one_without_room_is_passed_over() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let setup = Setup {
        limits: vec![once(MODEL, 1), once(OTHER, 2)],
        ..Setup::default()
    };
    let mut edge = setup.start(&[first.base_url(), second.base_url()]);
    other_model(&mut edge);
    let body = r#"{"model":"chat","models":["other"]}"#;
    for (provider, served) in [(&first, "chat@v1"), (&second, "other@v7")] {
        let mut client = edge.chat(body).await;
        provider.answer(json("200 OK", "", GOOD)).await;
        let response = client.response().await;
        assert_eq!(response.header("x-sluice-model"), Some(served));
    }
    let refused = edge.chat(body).await.response().await;
    let told = (refused.status, refused.code());
    assert_eq!(told, (429, "rate_limit_exceeded".to_owned()));
    assert!(first.is_unvisited().await && second.is_unvisited().await);
}

#[tokio::test]
async fn a_model_that_used_nothing_is_charged_nothing_and_the_one_that_served_all_of_it() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let mut tokens = limit(Unit::Tokens, 10_000, 10_000);
    tokens.scope.model = Some(OTHER);
    let setup = Setup {
        limits: vec![once(MODEL, 1), tokens],
        ..Setup::default()
    };
    let mut edge = setup.start(&[first.base_url(), second.base_url()]);
    other_model(&mut edge);
    let body = r#"{"model":"chat","models":["other"],"max_tokens":50,"provider":{"allow_fallbacks":false}}"#;
    let mut client = edge.chat(body).await;
    first
        .answer(json("503 Unavailable", "", r#"{"error":{}}"#))
        .await;
    second.answer(json("200 OK", "", GOOD)).await;
    assert_eq!(client.response().await.status, 200);
    // Its one request of the minute is there again.
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    first.answer(json("200 OK", "", GOOD)).await;
    assert_eq!(client.response().await.status, 200);
    // Ten tokens were used of the other one's, and fifty and more reserved.
    let mut client = edge.chat(r#"{"model":"other","max_tokens":1}"#).await;
    second.answer(json("200 OK", "", GOOD)).await;
    let response = client.response().await;
    let left: u64 = response
        .header("x-ratelimit-remaining-tokens")
        .unwrap()
        .parse()
        .unwrap();
    assert!((9_940..9_990).contains(&left), "{left}");
}
