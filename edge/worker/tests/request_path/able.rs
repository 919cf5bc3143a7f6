//! A target that is said not to be able to serve a request is left out, by name; where none is left the client hears it in the words of its API.

use policy::{
    capability::{Abilities, Ability, Capabilities},
    provider::ProviderKind,
};
use serde_json::Value;
use worker::route::notes::Why;

use crate::{
    client::Response,
    edge::{Edge, Setup, provider_id},
    provider::{Provider, json},
};

const CHAT: &str = "/v1/chat/completions";
const GOOD: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":10}}"#;

/// Two numbers, and what is not there.
fn said(context: u64, output: u64, cannot: &[Ability]) -> Capabilities {
    let cannot: Abilities = cannot.iter().copied().collect();
    Capabilities::new((context, output), (Abilities::default(), cannot)).unwrap()
}

fn edge(providers: &[&Provider], capabilities: Vec<Capabilities>) -> Edge {
    let setup = Setup {
        capabilities,
        ..Setup::default()
    };
    let urls: Vec<_> = providers.iter().map(|it| it.base_url()).collect();
    setup.start(&urls)
}

async fn ask(edge: &Edge, path: &str, body: &str) -> Response {
    edge.ask(path, body).await.response().await
}

/// What an error says: its code, message and parameter.
fn told(response: &Response) -> (String, String, String) {
    let body: Value = serde_json::from_str(response.text()).unwrap();
    let text = |name: &str| body["error"][name].as_str().unwrap_or("").to_owned();
    (response.code(), text("message"), text("param"))
}

#[tokio::test]
async fn who_cannot_is_left_out_and_the_record_says_by_which_rule() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let lacks = said(
        1_000,
        100,
        &[Ability::ImageInput, Ability::Tools, Ability::JsonSchema],
    );
    let mut edge = edge(&[&first, &second], vec![lacks]);
    let long = format!(r#""messages":[{{"content":"{}"}}]"#, "word ".repeat(2_000));
    for (members, why) in [
        (
            r#""messages":[{"content":[{"type":"image_url"}]}]"#,
            Why::Modality,
        ),
        (r#""tools":[{"type":"function"}]"#, Why::Tools),
        (r#""response_format":{"type":"json_schema"}"#, Why::Format),
        (r#""max_tokens":101"#, Why::Output),
        (long.as_str(), Why::Context),
    ] {
        let body = format!(r#"{{"model":"chat",{members}}}"#);
        let asked = ask(&edge, CHAT, &body);
        let answer = second.answer(json("200 OK", "", GOOD));
        let (response, _) = tokio::join!(asked, answer);
        assert_eq!(response.status, 200, "{why:?}");
        let record = edge.record().await;
        let decision = record.decision.unwrap();
        let left_out: Vec<_> = decision.targets().filter(|it| it.place == 0).collect();
        assert_eq!(left_out.len(), 1, "{why:?}");
        assert_eq!(left_out[0].target.provider, provider_id(0));
        assert_eq!(left_out[0].notes().collect::<Vec<_>>(), [why]);
    }
    assert!(first.is_unvisited().await);
}

#[tokio::test]
async fn what_it_can_and_what_nobody_says_is_sent() {
    let provider = Provider::start().await;
    let mut edge = edge(&[&provider], vec![said(1_000, 100, &[Ability::Tools])]);
    for members in [
        r#""max_tokens":100"#,
        r#""tools":[]"#,
        r#""messages":[{"content":[{"type":"image_url"}]}]"#,
        r#""response_format":{"type":"json_schema"},"reasoning_effort":"high""#,
    ] {
        let body = format!(r#"{{"model":"chat",{members}}}"#);
        let asked = ask(&edge, CHAT, &body);
        let (response, _) = tokio::join!(asked, provider.answer(json("200 OK", "", GOOD)));
        assert_eq!(response.status, 200, "{members}");
        edge.record().await;
    }
}

#[tokio::test]
async fn where_none_is_left_the_client_hears_what_it_asked_and_what_the_model_can() {
    let provider = Provider::start().await;
    let all = [
        Ability::ImageInput,
        Ability::Tools,
        Ability::JsonSchema,
        Ability::Reasoning,
        Ability::Embeddings,
        Ability::Streaming,
    ];
    let both = vec![said(500, 50, &all), said(1_000, 100, &all)];
    let edge = edge(&[&provider, &provider], both);
    let long = format!(r#""messages":[{{"content":"{}"}}]"#, "word ".repeat(2_000));
    for (members, code, param, words) in [
        (
            r#""tools":[{}]"#,
            "unsupported_parameter",
            "tools",
            "no tools",
        ),
        (
            r#""messages":[{"content":[{"type":"image_url"}]}]"#,
            "unsupported_value",
            "messages",
            "no images",
        ),
        (
            r#""response_format":{"type":"json_schema"}"#,
            "unsupported_value",
            "response_format",
            "no JSON schema",
        ),
        (
            r#""reasoning_effort":"low""#,
            "unsupported_parameter",
            "reasoning_effort",
            "does not reason",
        ),
        (
            r#""stream":true"#,
            "unsupported_value",
            "stream",
            "not stream",
        ),
        (
            r#""max_tokens":101"#,
            "unsupported_value",
            "max_tokens",
            "supports at most 100 completion tokens, whereas you provided 101",
        ),
        (
            long.as_str(),
            "context_length_exceeded",
            "messages",
            "maximum context length is 1000 tokens",
        ),
    ] {
        let body = format!(r#"{{"model":"chat",{members}}}"#);
        let response = ask(&edge, CHAT, &body).await;
        assert_eq!(response.status, 400, "{code} {words}");
        let (found, message, at) = told(&response);
        assert_eq!((found.as_str(), at.as_str()), (code, param));
        assert!(message.contains(words), "{message}");
    }
    assert!(provider.is_unvisited().await);
}

#[tokio::test]
async fn clients_of_other_apis_hear_it_in_their_words() {
    let provider = Provider::start().await;
    let lacks = said(1_000, 100, &[Ability::Embeddings]);
    let edge = edge(&[&provider], vec![lacks]);
    let long = format!(r#""messages":[{{"content":"{}"}}]"#, "word ".repeat(2_000));
    let response = ask(&edge, "/v1/embeddings", r#"{"model":"chat","input":"x"}"#).await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (400, "unsupported_value")
    );
    let body = format!(r#"{{"model":"chat","max_tokens":1,{long}}}"#);
    let response = ask(&edge, "/v1/messages", &body).await;
    let read: Value = serde_json::from_str(response.text()).unwrap();
    assert_eq!(read["error"]["type"], "invalid_request_error");
    let message = read["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("prompt is too long: "), "{message}");
    assert!(message.ends_with(" tokens > 1000 maximum"), "{message}");
    assert!(provider.is_unvisited().await);
}

#[tokio::test]
async fn the_catalogue_counts_where_nobody_says_and_lists_tell_what_is_known() {
    let provider = Provider::start().await;
    let setup = |capabilities| Setup {
        kinds: vec![ProviderKind::Anthropic],
        provider_model: "claude-haiku-4-5",
        capabilities,
        ..Setup::default()
    };
    let urls = [provider.base_url()];
    let edge = setup(Vec::new()).start(&urls);
    let mut client = edge.connect().await;
    let listed = client.get("/v1/models/chat", &edge.key.text).await;
    let read: Value = serde_json::from_str(listed.text()).unwrap();
    assert_eq!(read["context_length"], 200_000);
    assert_eq!(read.get("max_output_tokens"), None);
    assert_eq!(read.get("capabilities"), None);
    let long = format!(
        r#"{{"model":"chat","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "word ".repeat(260_000)
    );
    let response = ask(&edge, CHAT, &long).await;
    assert_eq!(response.code(), "context_length_exceeded");

    let edge = setup(vec![said(2_000_000, 64, &[Ability::Tools])]).start(&urls);
    let mut client = edge.connect().await;
    let listed = client.get("/v1/models/chat", &edge.key.text).await;
    let read: Value = serde_json::from_str(listed.text()).unwrap();
    assert_eq!(read["context_length"], 2_000_000);
    assert_eq!(read["max_output_tokens"], 64);
    assert_eq!(read["capabilities"], serde_json::json!({"tools": false}));
    assert!(provider.is_unvisited().await);
}
