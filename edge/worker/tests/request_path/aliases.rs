//! By an alias it is the model that is asked for: what its key, its limits and its end say counts, and its name is told.

use std::sync::Arc;

use policy::{
    alias::Alias,
    change::Edit,
    deprecation::{Deprecation, Endings},
    glob::Glob,
    id::{ModelId, RolloutId, VersionId},
    key::Key,
    model::{Model, ModelRule, Target, Version},
    object::{Kind, Object},
    routing::Routing,
    scope::Scope,
    split::{Arm, Split, Sticky},
};
use worker::assign::Chooser;

use crate::{
    client::Response,
    edge::{Edge, MODEL, ORGANIZATION, Setup, VERSION, key_of, model, provider_id},
};

const NEWER: VersionId = VersionId::from_bytes([46; 16]);
const OTHER: ModelId = ModelId::from_bytes([9; 16]);

/// An edge whose provider does not answer: what is said of the version goes with the error.
fn edge() -> Edge {
    let mut edge = Setup::default().start(&["http://127.0.0.1:1/v1".to_owned()]);
    edge.edit_rules(Edit::Upsert(Object::Version(Version {
        id: NEWER,
        model: MODEL,
        name: "v2".to_owned(),
        targets: vec![Target {
            provider: provider_id(0),
            provider_model: "provider-model".to_owned(),
            weight: 0,
            capable: policy::catalogue::Capable::default(),
        }],
        recipe: None,
        routing: Routing::default(),
    })));
    edge
}

/// Changes the model `chat`, which has these aliases.
fn chat(edge: &mut Edge, aliases: &[(&str, Option<VersionId>)], change: impl FnOnce(&mut Model)) {
    let Object::Model(mut chat) = model("chat", MODEL, Some(VERSION)) else {
        panic!("a model is one")
    };
    let alias = |(name, version): &(&str, Option<VersionId>)| Alias {
        name: (*name).to_owned(),
        version: *version,
    };
    chat.aliases = aliases.iter().map(alias).collect();
    change(&mut chat);
    edge.edit_rules(Edit::Upsert(Object::Model(chat)));
}

async fn ask(edge: &Edge, name: &str) -> Response {
    let body = format!(r#"{{"model":"{name}","messages":[]}}"#);
    edge.chat(&body).await.response().await
}

/// Which version served, or why none did.
async fn served(edge: &Edge, name: &str) -> String {
    let response = ask(edge, name).await;
    let label = response.header("x-sluice-model").map(str::to_owned);
    label.unwrap_or_else(|| response.code())
}

#[tokio::test]
async fn an_alias_of_a_version_knows_no_rollout_and_no_rule_and_one_of_a_model_knows_both() {
    let mut edge = edge();
    let aliases = [
        ("quick", None),
        ("chat-2023", Some(VERSION)),
        ("chat-latest", Some(NEWER)),
    ];
    chat(&mut edge, &aliases, |_| ());
    for (name, expected) in [
        ("chat", "chat@v1"),
        ("quick", "chat@v1"),
        ("chat-2023", "chat@v1"),
        ("chat-latest", "chat@v2"),
        ("chat-latest:nitro", "chat@v2"),
    ] {
        assert_eq!(served(&edge, name).await, expected, "{name}");
        let record = edge.record().await;
        assert_eq!(record.model, MODEL, "{name}");
        let held = name.contains('-');
        let decision = record.decision.unwrap();
        assert_eq!(decision.chooser() == Chooser::Alias, held, "{name}");
        let alias = name.split(':').next().filter(|it| *it != "chat");
        assert_eq!(decision.alias(), alias);
    }
    // All that asks is to get the newer one, by a rollout or by a rule.
    let split = || {
        let arm = Arm {
            version: NEWER,
            basis_points: 10_000,
        };
        let rollout = RolloutId::from_bytes([8; 16]);
        let split = Split::new(rollout, Sticky::Request, vec![arm]).unwrap();
        Some(Box::new(split))
    };
    let rule = ModelRule {
        condition: "true".to_owned(),
        version: NEWER,
    };
    for change in [
        &(|it: &mut Model| it.split = split()) as &dyn Fn(&mut Model),
        &|it: &mut Model| it.rules = vec![rule.clone()],
    ] {
        chat(&mut edge, &aliases, change);
        assert_eq!(served(&edge, "chat").await, "chat@v2");
        assert_eq!(served(&edge, "quick").await, "chat@v2");
        assert_eq!(served(&edge, "chat-2023").await, "chat@v1");
    }
    // What is not offered is not offered by another name.
    chat(&mut edge, &aliases, |it| it.stable = None);
    for name in ["chat", "quick", "chat-2023", "chat-latest"] {
        assert_eq!(served(&edge, name).await, "model_not_found", "{name}");
    }
}

#[tokio::test]
async fn a_name_that_moves_or_goes_leaves_nothing_behind() {
    let mut edge = edge();
    let other = |aliases: Vec<Alias>| {
        let Object::Model(mut other) = model("other", OTHER, Some(NEWER)) else {
            panic!("a model is one")
        };
        other.aliases = aliases;
        Edit::Upsert(Object::Model(other))
    };
    let fast = || Alias {
        name: "fast".to_owned(),
        version: None,
    };
    edge.edit_rules(other(vec![fast()]));
    assert_eq!(edge.rules.model(ORGANIZATION, "fast").unwrap().id, OTHER);
    // In either order of the two writes.
    chat(&mut edge, &[("fast", None)], |_| ());
    edge.edit_rules(other(Vec::new()));
    assert_eq!(edge.rules.model(ORGANIZATION, "fast").unwrap().id, MODEL);
    chat(&mut edge, &[], |_| ());
    edge.edit_rules(other(vec![fast()]));
    assert_eq!(edge.rules.model(ORGANIZATION, "fast").unwrap().id, OTHER);
    // Its version is of the model that has made it.
    assert_eq!(served(&edge, "fast").await, "chat@v2");
    edge.edit_rules(Edit::Delete {
        kind: Kind::Model,
        key: OTHER.as_bytes().to_vec(),
    });
    let response = ask(&edge, "fast").await;
    assert_eq!(
        (response.status, &*response.code()),
        (404, "model_not_found")
    );
}

#[tokio::test]
async fn a_key_that_may_not_ask_for_the_model_may_not_by_its_alias_whatever_that_is_called() {
    let mut edge = edge();
    chat(
        &mut edge,
        &[("open", None), ("open-2", Some(NEWER))],
        |_| (),
    );
    let hold = |edge: &mut Edge, pattern: &str| {
        let scope = Scope {
            models: vec![Glob::parse(pattern).unwrap()],
            ..Scope::default()
        };
        let key = Key {
            scope: Some(Box::new(scope)),
            ..key_of(&edge.key)
        };
        edge.writer.put_key(key);
    };
    let listed = async |edge: &Edge| {
        let mut client = edge.connect().await;
        client.get("/v1/models", &edge.key.text).await
    };
    hold(&mut edge, "open*");
    for name in ["chat", "open", "open-2"] {
        assert_eq!(served(&edge, name).await, "model_not_found", "{name}");
    }
    let response = listed(&edge).await;
    assert!(!response.text().contains("open"), "{}", response.text());
    hold(&mut edge, "ch*");
    assert_eq!(served(&edge, "open-2").await, "chat@v2");
    let response = listed(&edge).await;
    let text = response.text().to_owned();
    let ids = ["\"chat\"", "\"open\"", "\"open-2\""].map(|id| text.find(id));
    assert!(ids.is_sorted() && ids[0].is_some(), "{text}");
    let mut client = edge.connect().await;
    let one = client.get("/v1/models/open-2", &edge.key.text).await;
    assert!(one.text().contains("\"open-2\""), "{}", one.text());
}

#[tokio::test]
async fn whoever_asks_by_an_alias_is_told_of_the_end_of_its_version_under_the_name_that_they_know()
{
    let mut edge = edge();
    let ends = |sunset_seconds| {
        let ends = Deprecation {
            from_seconds: 5,
            sunset_seconds,
            successor: "chat@v2".to_owned(),
        };
        Some(Box::new(Endings {
            own: None,
            versions: vec![(VERSION, Arc::new(ends))],
        }))
    };
    let aliases = [("gpt-4o", Some(VERSION)), ("chat-latest", Some(NEWER))];
    chat(&mut edge, &aliases, |it| it.endings = ends(None));
    let response = ask(&edge, "gpt-4o").await;
    assert_eq!(response.header("deprecation"), Some("@5"));
    assert_eq!(ask(&edge, "chat-latest").await.header("deprecation"), None);
    chat(&mut edge, &aliases, |it| it.endings = ends(Some(6)));
    let response = ask(&edge, "gpt-4o").await;
    assert_eq!((response.status, &*response.code()), (404, "model_retired"));
    let said = "`gpt-4o (chat@v1)` was retired at 1970-01-01T00:00:06Z: use `chat@v2` instead";
    assert!(response.text().contains(said), "{}", response.text());
    assert_eq!(served(&edge, "chat-latest").await, "chat@v2");
}
