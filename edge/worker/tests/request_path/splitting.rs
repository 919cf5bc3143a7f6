//! While a model is released in steps, who asks decides which version serves, and the record says so.

use policy::{
    change::Edit,
    id::{ProviderId, RolloutId, VersionId},
    model::{Target, Version},
    object::Object,
    split::{Arm, Split, Sticky},
};

use crate::{
    client::{Client, post_head},
    edge::{Edge, MODEL, Setup, VERSION, model, provider_id},
};

const CANDIDATE: VersionId = VersionId::from_bytes([44; 16]);
const ROLLOUT: RolloutId = RolloutId::from_bytes([77; 16]);
const BODY: &str = r#"{"model":"chat","user":"ann","messages":[]}"#;

/// Half of the model's traffic is for another version.
fn halve(edge: &mut Edge, sticky: Sticky) {
    let arm = Arm {
        version: CANDIDATE,
        basis_points: 5_000,
    };
    let Object::Model(mut chat) = model("chat", MODEL, Some(VERSION)) else {
        panic!("a model is one")
    };
    let split = Split::new(ROLLOUT, sticky, vec![arm]).unwrap();
    chat.split = Some(Box::new(split));
    edge.edit_rules(Edit::Upsert(Object::Model(chat)));
}

fn candidate(provider: ProviderId) -> Edit {
    Edit::Upsert(Object::Version(Version {
        id: CANDIDATE,
        model: MODEL,
        name: "v2".to_owned(),
        targets: vec![Target {
            provider,
            provider_model: "provider-model".to_owned(),
            weight: 0,
            capable: policy::catalogue::Capable::default(),
        }],
        recipe: None,
        routing: policy::routing::Routing::default(),
    }))
}

/// An edge whose provider does not answer: what is asked is whom it would have asked.
fn edge(sticky: Sticky) -> Edge {
    let mut edge = Setup::default().start(&["http://127.0.0.1:1/v1".to_owned()]);
    edge.edit_rules(candidate(provider_id(0)));
    halve(&mut edge, sticky);
    edge
}

/// Asks with this header: the version that the client is told, which must be what the record says.
async fn ask(edge: &mut Edge, client: &mut Client, header: &str) -> VersionId {
    let head = post_head("/v1/chat/completions", &edge.key.text, BODY.len());
    let head = head.replacen("\r\n", &format!("\r\n{header}"), 1);
    client.write(format!("{head}{BODY}")).await;
    let response = client.response().await;
    let record = edge.record().await;
    let part = record.rollout.expect("the rollout assigned it");
    assert_eq!(part.rollout, ROLLOUT);
    let told = if record.version == CANDIDATE {
        "chat@v2"
    } else {
        "chat@v1"
    };
    assert_eq!(response.header("x-sluice-model"), Some(told));
    record.version
}

#[tokio::test]
async fn a_session_stays_with_its_version_and_whoever_says_none_does_not() {
    let mut edge = edge(Sticky::Session);
    let mut client = edge.connect().await;
    let (mut seen, mut unsaid) = (Vec::new(), Vec::new());
    for session in 0..24 {
        let header = format!("x-sluice-session: s-{session}\r\n");
        let first = ask(&mut edge, &mut client, &header).await;
        assert_eq!(ask(&mut edge, &mut client, &header).await, first);
        let split = Split::new(
            ROLLOUT,
            Sticky::Session,
            vec![Arm {
                version: CANDIDATE,
                basis_points: 5_000,
            }],
        );
        let subject = format!("s-{session}");
        let expected = split.unwrap().assign(Sticky::Session, subject.as_bytes());
        assert_eq!(first, expected.version.unwrap_or(VERSION));
        seen.push(first);
        unsaid.push(ask(&mut edge, &mut client, "").await);
    }
    for versions in [seen, unsaid] {
        assert!(versions.contains(&CANDIDATE) && versions.contains(&VERSION));
    }
}

#[tokio::test]
async fn an_end_user_is_known_by_the_header_before_the_body() {
    let mut edge = edge(Sticky::EndUser);
    let mut client = edge.connect().await;
    let by_body = ask(&mut edge, &mut client, "").await;
    let mut by_header = Vec::new();
    for user in 0..24 {
        let header = format!("x-sluice-end-user: u-{user}\r\n");
        by_header.push(ask(&mut edge, &mut client, &header).await);
        assert_eq!(ask(&mut edge, &mut client, "").await, by_body);
    }
    assert!(by_header.contains(&CANDIDATE) && by_header.contains(&VERSION));
    let ann = ask(&mut edge, &mut client, "x-sluice-end-user: ann\r\n").await;
    assert_eq!(ann, by_body);
}

#[tokio::test]
async fn a_version_that_is_not_here_gets_nothing() {
    let mut edge = Setup::default().start(&["http://127.0.0.1:1/v1".to_owned()]);
    halve(&mut edge, Sticky::Request);
    let mut client = edge.connect().await;
    let mut outside = 0;
    for _ in 0..16 {
        client
            .post("/v1/chat/completions", &edge.key.text, BODY)
            .await;
        let response = client.response().await;
        assert_eq!(response.header("x-sluice-model"), Some("chat@v1"));
        let record = edge.record().await;
        assert_eq!(record.version, VERSION);
        outside += usize::from(record.rollout.is_none());
    }
    // Those who were to get it are no part of the rollout, and the others are.
    assert!((1..16).contains(&outside), "{outside}");
}

#[tokio::test]
async fn targets_that_have_a_weight_share_the_requests_by_it_and_go_before_the_others() {
    let setup = Setup {
        weights: vec![0, 300, 100],
        ..Setup::default()
    };
    let urls = [
        "http://127.0.0.1:1/v1",
        "http://127.0.0.1:2/v1",
        "http://127.0.0.1:3/v1",
    ];
    let mut edge = setup.start(&urls.map(str::to_owned));
    let mut client = edge.connect().await;
    let mut first = [0_u32; 3];
    for _ in 0..200 {
        client
            .post("/v1/chat/completions", &edge.key.text, BODY)
            .await;
        client.response().await;
        let asked = edge.record().await.attempts;
        let at = (0..3_u8).position(|at| asked[0].provider == provider_id(at));
        first[at.expect("it is one of them")] += 1;
        if let [_, _, last] = &asked[..] {
            assert_eq!(last.provider, provider_id(0));
        }
    }
    assert_eq!(first[0], 0);
    // Five standard deviations at most.
    assert!(first[1].abs_diff(150) < 31, "{first:?}");
}
