//! Programs of custom providers run on other threads than the core's: nobody whom it serves beside them waits for one.

use policy::{
    mapping::{Mapping, Programs},
    provider::ProviderKind,
};

use crate::{
    edge::{Edge, Setup},
    provider::{Provider, json},
};

/// Takes all the steps that there are for a payload, and gives nothing.
const SLOW: &str = "repeat(.) | empty";
/// How many ask at the same time whose programs are slow: more than there are places for.
const ASKING: usize = 12;

const BODY: &str = r#"{"model":"chat","messages":[{"role":"user","content":"hi"}]}"#;

fn edge(provider: &Provider, programs: Programs) -> Edge {
    let setup = Setup {
        kinds: vec![ProviderKind::Custom],
        mapping: Some(Mapping {
            chat: true,
            programs,
            ..Mapping::default()
        }),
        ..Setup::default()
    };
    setup.start(&[provider.base_url()])
}

/// How many of those who ask have had their answers.
fn answered(edge: &mut Edge) -> usize {
    std::iter::from_fn(|| edge.records.try_recv().ok()).count()
}

#[tokio::test]
async fn a_slow_program_for_requests_does_not_hold_up_another_request() {
    let provider = Provider::start().await;
    let mut edge = edge(
        &provider,
        Programs {
            request: SLOW.to_owned(),
            ..Programs::default()
        },
    );
    let mut asking = Vec::new();
    for _ in 0..ASKING {
        asking.push(edge.chat(BODY).await);
    }
    let key = edge.key.text.clone();
    let listed = edge.connect().await.get("/v1/models", &key).await;
    assert_eq!(listed.status, 200);
    assert!(answered(&mut edge) < ASKING, "it waited for all of them");
    for client in &mut asking {
        let response = client.response().await;
        assert!(response.status >= 400, "{}", response.text());
    }
    assert!(provider.is_unvisited().await);
}

#[tokio::test]
async fn a_slow_program_for_answers_does_not_hold_up_another_request() {
    for (status, programs) in [
        (
            "200 OK",
            Programs {
                response: SLOW.to_owned(),
                ..Programs::default()
            },
        ),
        (
            "200 OK",
            Programs {
                usage: SLOW.to_owned(),
                response: "error".to_owned(),
                ..Programs::default()
            },
        ),
        (
            "400 Bad Request",
            Programs {
                error: SLOW.to_owned(),
                ..Programs::default()
            },
        ),
    ] {
        let provider = Provider::start().await;
        let mut edge = edge(&provider, programs.clone());
        let (mut asking, mut peers) = (Vec::new(), Vec::new());
        for _ in 0..ASKING {
            asking.push(edge.chat(BODY).await);
            let mut peer = provider.accept().await;
            peer.request().await;
            peers.push(peer);
        }
        for peer in &mut peers {
            peer.write(json(status, "", "{}")).await;
        }
        let key = edge.key.text.clone();
        let listed = edge.connect().await.get("/v1/models", &key).await;
        assert_eq!(listed.status, 200);
        let answered = answered(&mut edge);
        assert!(answered < ASKING, "it waited for all of them: {programs:?}");
        for client in &mut asking {
            let response = client.response().await;
            assert!(response.status >= 400, "{programs:?}: {}", response.text());
        }
    }
}
