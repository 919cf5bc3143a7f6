//! What ends is told on every answer until it does, and is refused from then on by the edge's clock alone.

use std::sync::Arc;

use policy::{
    change::Edit,
    deprecation::{Deprecation, Endings},
    id::{ModelId, VersionId},
    model::{ModelRule, Target, Version},
    object::Object,
    routing::Routing,
};

use crate::{
    client::Response,
    edge::{Edge, MODEL, Setup, VERSION, model, provider_id},
};

const OTHER: ModelId = ModelId::from_bytes([9; 16]);
const OTHERS: VersionId = VersionId::from_bytes([45; 16]);
const BODY: &str = r#"{"model":"chat","messages":[]}"#;

/// When the clock of an edge stands, seconds since 1970.
const NOW: u64 = 1_700_000_000;

fn ends(sunset_seconds: Option<u64>, successor: &str) -> Arc<Deprecation> {
    Arc::new(Deprecation {
        from_seconds: NOW - 5,
        sunset_seconds,
        successor: successor.to_owned(),
    })
}

fn chat(edge: &mut Edge, endings: Endings, rules: Vec<ModelRule>) {
    let Object::Model(mut chat) = model("chat", MODEL, Some(VERSION)) else {
        panic!("a model is one")
    };
    chat.endings = Some(Box::new(endings));
    chat.rules = rules;
    edge.edit_rules(Edit::Upsert(Object::Model(chat)));
}

/// An edge whose provider does not answer: what is said of the model goes with the error.
fn edge() -> Edge {
    Setup::default().start(&["http://127.0.0.1:1/v1".to_owned()])
}

async fn ask(edge: &Edge) -> Response {
    edge.chat(BODY).await.response().await
}

fn told(response: &Response) -> [Option<&str>; 3] {
    ["deprecation", "sunset", "link"].map(|name| response.header(name))
}

#[tokio::test]
async fn a_model_is_served_until_its_sunset_and_not_a_second_longer() {
    let mut edge = edge();
    assert_eq!(told(&ask(&edge).await), [None; 3]);
    let endings = Endings {
        own: Some(ends(Some(NOW + 1), "chat-2")),
        versions: Vec::new(),
    };
    chat(&mut edge, endings, Vec::new());
    let response = ask(&edge).await;
    assert_eq!(response.status, 502);
    let link = Some("</v1/models/chat-2>; rel=\"successor-version\"");
    let sunset = Some("Tue, 14 Nov 2023 22:13:21 GMT");
    assert_eq!(told(&response), [Some("@1699999995"), sunset, link]);

    edge.hand.advance(std::time::Duration::from_secs(1));
    let response = ask(&edge).await;
    assert_eq!(
        (response.status, response.code()),
        (404, "model_retired".to_owned())
    );
    assert_eq!(told(&response), [Some("@1699999995"), sunset, link]);
    assert!(response.text().contains("use `chat-2` instead"));
}

#[tokio::test]
async fn of_the_model_and_its_version_what_ends_first_is_told() {
    let mut edge = edge();
    let endings = Endings {
        own: Some(ends(None, "later")),
        versions: vec![(VERSION, ends(Some(NOW + 60), "chat@v2"))],
    };
    chat(&mut edge, endings, Vec::new());
    let link = Some("</v2/models/chat/versions/v2>; rel=\"successor-version\"");
    assert_eq!(told(&ask(&edge).await)[2], link);
    edge.hand.advance(std::time::Duration::from_mins(1));
    let response = ask(&edge).await;
    assert_eq!(response.status, 404);
    let said = "`chat@v1` was retired at 2023-11-14T22:14:20Z: use `chat@v2` instead";
    assert!(response.text().contains(said), "{}", response.text());
}

#[tokio::test]
async fn a_rule_that_chooses_another_model_s_version_meets_that_one_s_end() {
    let mut edge = edge();
    edge.edit_rules(Edit::Upsert(Object::Version(Version {
        id: OTHERS,
        model: OTHER,
        name: "v1".to_owned(),
        targets: vec![Target {
            provider: provider_id(0),
            provider_model: "provider-model".to_owned(),
            weight: 0,
            capable: policy::catalogue::Capable::default(),
        }],
        recipe: None,
        routing: Routing::default(),
    })));
    let Object::Model(mut other) = model("other", OTHER, Some(OTHERS)) else {
        panic!("a model is one")
    };
    other.endings = Some(Box::new(Endings {
        // Of what nobody asked for by its name.
        own: Some(ends(Some(NOW - 1), "")),
        versions: vec![(OTHERS, ends(Some(NOW - 1), ""))],
    }));
    edge.edit_rules(Edit::Upsert(Object::Model(other)));
    let rule = ModelRule {
        condition: "true".to_owned(),
        version: OTHERS,
    };
    chat(&mut edge, Endings::default(), vec![rule]);
    let response = ask(&edge).await;
    assert_eq!(response.code(), "model_retired");
    assert!(response.text().contains("`other@v1` was retired"));
}
