//! Streams pass as they are: the bytes, and the moment of each.

use std::sync::Arc;

use bytes::Bytes;
use harness::{
    client::Client,
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
};
use scenarios::openai;
use tokio::sync::Semaphore;

#[tokio::test]
async fn every_chunk_arrives_before_the_provider_sends_the_next() {
    let gate = Arc::new(Semaphore::new(0));
    let at_provider = Arc::clone(&gate);
    let provider = Provider::start(move |_| {
        let steps = openai::events(true)
            .into_iter()
            .flat_map(|event| [Step::Wait(Arc::clone(&at_provider)), Step::Send(event)]);
        Answer::events(steps.collect())
    })
    .await;
    let site = Site::start(Plan {
        edges: vec!["here", "there"],
        ..Plan::default()
    })
    .await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;

    for edge in 0..2 {
        let mut client = Client::connect(&site.url(edge), &key)
            .await
            .expect("the edge accepts");
        // The head comes with the first word, and so does what stands before it: who speaks.
        gate.add_permits(2);
        let asked = client
            .post("/v1/chat/completions", openai::streamed("chat"))
            .await;
        let mut reply = asked.expect("the edge answers");
        let mut expected = openai::events(false);
        let opening = expected.drain(..2).collect::<Vec<_>>().concat();
        expected.insert(0, opening.into());
        let last = expected.len() - 1;
        for (at, event) in expected.iter().enumerate() {
            let mut seen = Vec::new();
            while seen.len() < event.len() {
                let piece = reply
                    .next()
                    .await
                    .expect("more comes")
                    .expect("it is whole");
                seen.extend_from_slice(&piece);
            }
            assert_eq!(Bytes::from(seen), *event, "chunk {at}");
            // Before the end stands the usage chunk that nobody asked for: two steps for one event.
            gate.add_permits(if at + 1 == last { 2 } else { 1 });
        }
        assert!(reply.next().await.is_none(), "the stream has ended");
    }
}

#[tokio::test]
async fn usage_that_the_client_asked_for_is_left_in() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;

    let body =
        r#"{"model":"chat","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
    let reply = harness::client::post(&site.url(0), &key, "/v1/chat/completions", body).await;
    assert_eq!(reply.headers["x-sluice-model"], "chat@v1");
    assert!(reply.headers.contains_key("x-sluice-request-id"));
    let bytes = reply.bytes().await.expect("the stream arrives");
    assert_eq!(bytes, openai::events(true).concat());
    let sent = &provider.asked()[0].body;
    let expected = body.replace(r#""model":"chat""#, r#""model":"provider-chat""#);
    assert_eq!(*sent, expected, "only the model's name was changed");
}
