//! Conditions of a model: which version serves, of this model or of another one.

use policy::{
    change::Edit,
    id::{ModelId, VersionId},
    model::{ModelRule, Target, Version},
    object::Object,
    routing::Routing,
};

use crate::{
    client::post_head,
    edge::{Edge, MODEL, Setup, VERSION, model, provider_id},
};

const OTHER: ModelId = ModelId::from_bytes([9; 16]);
const SECOND: VersionId = VersionId::from_bytes([44; 16]);
const OTHERS: VersionId = VersionId::from_bytes([45; 16]);
const NOWHERE: VersionId = VersionId::from_bytes([46; 16]);

fn version(id: VersionId, model: ModelId, name: &str) -> Edit {
    Edit::Upsert(Object::Version(Version {
        id,
        model,
        name: name.to_owned(),
        targets: vec![Target {
            provider: provider_id(0),
            provider_model: "provider-model".to_owned(),
            weight: 0,
            capable: policy::catalogue::Capable::default(),
        }],
        recipe: None,
        routing: Routing::default(),
    }))
}

/// An edge whose provider does not answer: what is asked is which version would have.
fn edge(rules: &[(&str, VersionId)]) -> Edge {
    let mut edge = Setup::default().start(&["http://127.0.0.1:1/v1".to_owned()]);
    edge.edit_rules(version(SECOND, MODEL, "v2"));
    edge.edit_rules(version(OTHERS, OTHER, "v1"));
    edge.edit_rules(Edit::Upsert(model("other", OTHER, Some(OTHERS))));
    let Object::Model(mut chat) = model("chat", MODEL, Some(VERSION)) else {
        panic!("a model is one")
    };
    let rule = |(condition, version): &(&str, VersionId)| ModelRule {
        condition: (*condition).to_owned(),
        version: *version,
    };
    chat.rules = rules.iter().map(rule).collect();
    edge.edit_rules(Edit::Upsert(Object::Model(chat)));
    edge
}

/// The version that would have served, as the client and the record are told.
async fn served(edge: &mut Edge, header: &str, body: &str) -> (String, VersionId) {
    let mut client = edge.connect().await;
    let head = post_head("/v1/chat/completions", &edge.key.text, body.len());
    let head = head.replacen("\r\n", &format!("\r\n{header}"), 1);
    client.write(format!("{head}{body}")).await;
    let response = client.response().await;
    let label = response.header("x-sluice-model").unwrap().to_owned();
    (label, edge.record().await.version)
}

#[tokio::test]
async fn the_first_condition_that_is_true_decides_and_else_the_release() {
    let mut edge = edge(&[
        ("headers['x-team'] == 'red'", SECOND),
        ("input_tokens > 500", OTHERS),
        ("stream && end_user == 'ann'", SECOND),
        ("true", NOWHERE),
    ]);
    let plain = r#"{"model":"chat","messages":[]}"#;
    let long = format!(
        r#"{{"model":"chat","messages":["{}"]}}"#,
        "x ".repeat(2_000)
    );
    let streamed = r#"{"model":"chat","messages":[],"stream":true,"user":"ann"}"#;
    for (header, body, expected) in [
        ("", plain, ("chat@v1", VERSION)),
        ("X-Team: red\r\n", plain, ("chat@v2", SECOND)),
        ("x-team: blue\r\n", plain, ("chat@v1", VERSION)),
        ("", long.as_str(), ("other@v1", OTHERS)),
        ("x-team: red\r\n", &long, ("chat@v2", SECOND)),
        ("", streamed, ("chat@v2", SECOND)),
    ] {
        let (label, version) = served(&mut edge, header, body).await;
        assert_eq!((label.as_str(), version), expected, "{header}{body:.60}");
    }
}

#[tokio::test]
async fn keys_are_no_headers_and_what_does_not_compile_is_never_true() {
    let mut edge = edge(&[
        (
            "'authorization' in headers || 'x-api-key' in headers",
            SECOND,
        ),
        ("nonsense ==", SECOND),
    ]);
    let (label, _) = served(&mut edge, "", r#"{"model":"chat"}"#).await;
    assert_eq!(label, "chat@v1");
}
