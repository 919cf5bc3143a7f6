//! What is decided about requests is told to the audit trail as their organization asks, by the codes that clients get.

use policy::{
    audit_access::AuditAccess, change::Edit, glob::Glob, guard::Guard, handling::Demanded,
    key::Key, object::Object, project::Project, scope::Scope,
};
use worker::trail::{Access, What};

use crate::{
    edge::{Edge, PROJECT, Setup, key_of, provider_id},
    passing,
    provider::{Provider, json},
    refusals::forge,
};

const CHAT: &str = "/v1/chat/completions";
const GOOD: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":10}}"#;

fn audited(which: AuditAccess, base_url: String) -> Edge {
    let setup = Setup {
        audit_access: which,
        ..Setup::default()
    };
    setup.start(&[base_url])
}

/// Lets the edge's key be like this.
fn hold(edge: &mut Edge, change: impl FnOnce(&mut Key)) {
    let mut key = key_of(&edge.key);
    change(&mut key);
    edge.writer.put_key(key);
}

fn scoped(change: impl FnOnce(&mut Scope)) -> impl FnOnce(&mut Key) {
    |key| {
        let mut scope = Scope::default();
        change(&mut scope);
        key.scope = Some(Box::new(scope));
    }
}

/// Asks for a model, is refused, and gives the code.
async fn refused(edge: &Edge, body: &str) -> String {
    let mut client = edge.ask(CHAT, body).await;
    let response = client.response().await;
    assert!(response.status >= 400, "{}", response.text());
    response.code()
}

/// The only decision that was told. It was told before the client had an answer.
fn told(edge: &mut Edge) -> Access {
    let access = edge.accesses.try_recv().expect("a decision was told");
    assert!(edge.accesses.is_empty());
    assert_eq!(access.key.key_id, edge.key.key_id);
    access
}

/// A change of the key, what is then asked for, and what is told of it: the word, and the model.
type Denied = (
    Box<dyn FnOnce(&mut Key)>,
    &'static str,
    Option<&'static str>,
);

fn denials() -> Vec<Denied> {
    const ASKED: &str = r#"{"model":"chat"}"#;
    vec![
        (Box::new(|key| key.disabled = true), ASKED, None),
        (
            Box::new(|key| key.expires_at_ms = Some(1_700_000_000_000)),
            ASKED,
            None,
        ),
        (
            Box::new(scoped(|it| {
                it.ranges = vec!["192.0.2.0/24".parse().unwrap()];
            })),
            ASKED,
            None,
        ),
        (
            Box::new(scoped(|it| it.endpoints = vec!["embeddings".to_owned()])),
            ASKED,
            None,
        ),
        (
            Box::new(scoped(|it| it.providers = vec![provider_id(1)])),
            ASKED,
            Some("chat"),
        ),
        (
            Box::new(scoped(|it| it.request_tokens_max = Some(1))),
            ASKED,
            Some("chat"),
        ),
        (Box::new(|_| ()), r#"{"model":"nothing"}"#, Some("nothing")),
    ]
}

#[tokio::test]
async fn what_is_denied_is_told_by_the_code_that_the_client_gets() {
    let provider = Provider::start().await;
    let mut edge = audited(AuditAccess::Denied, provider.base_url());
    for (change, body, model) in denials() {
        hold(&mut edge, change);
        let code = refused(&edge, body).await;
        let access = told(&mut edge);
        assert_eq!(access.denied, Some(code.as_str()));
        assert_eq!(access.what, model.map_or(What::Unread, What::model));
        assert_eq!(access.endpoint, CHAT);
        assert_eq!(access.client, Some([127, 0, 0, 1].into()));
    }
    // Of a model that there is no client is told whether there is one; the trail is.
    let pattern = Glob::parse("gpt-*").unwrap();
    hold(&mut edge, scoped(|it| it.models = vec![pattern]));
    assert_eq!(
        refused(&edge, r#"{"model":"chat"}"#).await,
        "model_not_found"
    );
    assert_eq!(told(&mut edge).denied, Some("model_forbidden"));
    // One that is asked for in place of another is told, too.
    let both = r#"{"model":"nothing","models":["chat"]}"#;
    assert_eq!(refused(&edge, both).await, "model_not_found");
    let words = [0, 1].map(|_| edge.accesses.try_recv().unwrap());
    let words = words.map(|it| (it.what, it.denied.unwrap()));
    let nothing = (What::model("nothing"), "model_not_found");
    assert_eq!(words, [nothing, (What::model("chat"), "model_forbidden")]);

    hold(&mut edge, scoped(|it| it.providers = vec![provider_id(1)]));
    let line = "GET /passthrough/provider-0/files";
    let response = passing::ask(&edge, line, "", "").await.response().await;
    assert_eq!(response.code(), "passthrough_not_allowed");
    let access = told(&mut edge);
    assert_eq!(access.denied, Some("passthrough_not_allowed"));
    assert_eq!(access.what, What::Provider("provider-0".into()));
    assert_eq!(access.endpoint, "/passthrough/files");

    hold(&mut edge, |_| ());
    let Some(Object::Project(mut project)) = edge
        .rules
        .object(policy::object::Kind::Project, PROJECT.as_bytes())
    else {
        panic!("there is a project")
    };
    demand(&mut project);
    edge.edit_rules(Edit::Upsert(Object::Project(project)));
    assert_eq!(
        refused(&edge, r#"{"model":"chat"}"#).await,
        "data_policy_unmet"
    );
    assert_eq!(told(&mut edge).denied, Some("data_policy_unmet"));
    assert!(provider.is_unvisited().await);
}

fn demand(project: &mut Project) {
    let guard = Guard {
        demanded: Demanded {
            retains_nothing: true,
            ..Demanded::default()
        },
        ..Guard::default()
    };
    project.guard = Some(guard.into());
}

#[tokio::test]
async fn what_is_allowed_is_told_where_all_is_and_what_nobody_proves_never() {
    let provider = Provider::start().await;
    for (which, many) in [
        (AuditAccess::None, 0),
        (AuditAccess::Denied, 0),
        (AuditAccess::All, 2),
    ] {
        let mut edge = audited(which, provider.base_url());
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        provider.answer(json("200 OK", "", GOOD)).await;
        assert_eq!(client.response().await.status, 200);
        let line = "GET /passthrough/provider-0/files";
        let mut client = passing::ask(&edge, line, "", "").await;
        let mut peer = provider.accept().await;
        peer.head().await;
        peer.write(json("200 OK", "", "{}")).await;
        assert_eq!(client.response().await.status, 200);
        assert_eq!(edge.accesses.len(), many);
        for _ in 0..many {
            assert_eq!(edge.accesses.try_recv().unwrap().denied, None);
        }
        // Nobody knows whose these are, or nobody is denied anything.
        let stranger = keys::mint(keys::Family::Live);
        let (known, other) = (&edge.key.key_id, stranger.text.split('_').nth(3).unwrap());
        let forged = forge(&format!("slc_live_{known}_{}", &other[..43]));
        for text in [&*stranger.text, &*forged] {
            let mut client = edge.connect().await;
            client.post(CHAT, text, r#"{"model":"chat"}"#).await;
            assert_eq!(client.response().await.code(), "invalid_api_key");
        }
        assert_eq!(refused(&edge, "{}").await, "invalid_model");
        let mut client = edge.connect().await;
        let models = client.get("/v1/models", &edge.key.text).await;
        assert_eq!(models.status, 200);
        assert!(edge.accesses.is_empty());
    }
}
