//! A stream of the client's own API is byte for byte what the provider sent, cut anywhere: ours, and recordings where
//! `SLUICE_RECORDINGS` names a folder of them.

use std::{env, fs};

use serde_json::Value;

use crate::{
    edge::{Edge, Setup},
    provider::{END, Provider, STREAM},
    stream::{ALL, Api, CHAT, GEMINI, MESSAGES, RESPONSES},
};

async fn assert_same(edge: &Edge, provider: &Provider, api: &Api, name: &str, stream: &str) {
    for piece_bytes in [stream.len(), 61] {
        let mut client = edge.ask(api.path, api.body).await;
        let (mut peer, _) = provider.answer(STREAM).await;
        for piece in stream.as_bytes().chunks(piece_bytes) {
            peer.write(format!("{:x}\r\n", piece.len())).await;
            peer.write(piece).await;
            peer.write("\r\n").await;
        }
        peer.write(END).await;
        let response = client.response().await;
        assert_eq!((response.status, response.whole), (200, true), "{name}");
        assert!(
            response.body == stream.as_bytes(),
            "{name}: {}",
            response.text()
        );
    }
}

fn edge(provider: &Provider, api: &Api) -> Edge {
    let setup = Setup {
        kinds: vec![api.kind],
        ..Setup::default()
    };
    setup.start(&[provider.base_url()])
}

#[tokio::test]
async fn our_own_streams_pass_as_they_are() {
    for api in ALL {
        let provider = Provider::start().await;
        let edge = edge(&provider, &api);
        assert_same(&edge, &provider, &api, api.path, &api.whole()).await;
    }
}

/// The API that a recording is of, by its address, if it has clients here.
fn api(url: &str) -> Option<Api> {
    if url.contains("/chat/completions") {
        Some(CHAT)
    } else if url.ends_with("/responses") {
        Some(RESPONSES)
    } else if url.ends_with("/messages") {
        Some(MESSAGES)
    } else {
        url.contains(":streamGenerateContent").then_some(GEMINI)
    }
}

/// The streams of a recording that began well.
fn streams(recording: &Value) -> impl Iterator<Item = (Api, &str)> {
    let all = recording["interactions"].as_array().into_iter().flatten();
    all.filter(|it| it["framing"] == "sse" && it["status"] == 200)
        .filter_map(|it| Some((api(it["url"].as_str()?)?, it["response_body"].as_str()?)))
}

#[tokio::test]
async fn recorded_streams_pass_as_they_are() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let mut edges = Vec::new();
    for api in ALL {
        let provider = Provider::start().await;
        let edge = edge(&provider, &api);
        edges.push((provider, edge, 0));
    }
    let mut files = Vec::new();
    for folder in fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()) {
        let inside = folder.is_dir().then(|| fs::read_dir(folder).unwrap());
        files.extend(inside.into_iter().flatten().map(|it| it.unwrap().path()));
    }
    for file in files {
        let text = fs::read(&file).unwrap_or_default();
        let recording: Value = serde_json::from_slice(&text).unwrap_or_default();
        for (api, stream) in streams(&recording) {
            let at = ALL.iter().position(|it| it.path == api.path).unwrap();
            let (provider, edge, count) = &mut edges[at];
            *count += 1;
            assert_same(edge, provider, &api, &file.display().to_string(), stream).await;
        }
    }
    assert!(
        edges.iter().all(|(_, _, count)| *count > 0),
        "a family has no recording"
    );
}

#[tokio::test]
async fn what_another_familys_model_has_proven_does_not_pass_as_it_is() {
    let provider = Provider::start().await;
    let edge = edge(&provider, &MESSAGES);
    // Google's mark, and a proof of Claude's own.
    let body = r#"{"model":"chat","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2x1aWNlZ2VtQUJDRA=="},
        {"type":"thinking","thinking":"so","signature":"T1dO"},{"type":"text","text":"well"}]},
        {"role":"user","content":"go on"}]}"#;
    let mut client = edge.ask(MESSAGES.path, body).await;
    let (mut peer, received) = provider.answer(STREAM).await;
    peer.chunk(&MESSAGES.whole()).await;
    peer.write(END).await;
    assert_eq!(client.response().await.status, 200);
    let sent = received.text();
    assert!(
        !sent.contains("c2x1aWNl") && sent.contains("T1dO"),
        "{sent}"
    );
    assert!(sent.contains("well") && sent.contains("go on"), "{sent}");
}
