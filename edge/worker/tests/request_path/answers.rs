//! What the provider says is what the client gets.

use dialect::Tokens;
use worker::record::{Outcome, UsageSource};

use crate::{
    edge::{CREDENTIAL, MODEL, ORGANIZATION, PROJECT, Setup, VERSION, provider_id},
    provider::{DELTA, END, Provider, STREAM, json},
};

const ODD: &str = "{ \"id\":\"x\",\"big\":12345678901234567890, \"f\":1.0,\n\"choices\":[{\"message\":\
    {\"content\":\"h\u{e9}\\u00e9\"}}],\"model\":\"provider-model\",\"usage\":{\"prompt_tokens\":5,\
    \"completion_tokens\":7,\"total_tokens\":12,\"prompt_tokens_details\":{\"cached_tokens\":2}} }";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\
    \"total_tokens\":5}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[tokio::test]
async fn an_answer_passes_byte_for_byte_and_only_the_model_name_is_spliced() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let body = r#"{ "model" : "chat","messages":[{"role":"user","content":"\u00e9"}], "x":1.0 }"#;
    let mut client = edge.chat(body).await;
    let (_peer, received) = provider
        .answer(json("200 OK", "x-request-id: req_1\r\n", ODD))
        .await;
    assert_eq!(received.line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(
        received.text(),
        body.replace("\"chat\"", "\"provider-model\"")
    );
    let response = client.response().await;
    assert_eq!((response.status, response.text()), (200, ODD));
    assert_eq!(response.header("x-sluice-model"), Some("chat@v1"));
    assert_eq!(response.header("x-request-id"), Some("req_1"));
    let record = edge.record().await;
    let id = uuid::Uuid::from_bytes(record.id);
    assert_eq!(
        response.header("x-sluice-request-id"),
        Some(&*id.to_string())
    );
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(
        (record.organization, record.project),
        (ORGANIZATION, PROJECT)
    );
    assert_eq!((record.model, record.version), (MODEL, VERSION));
    assert_eq!(
        (record.provider, &*record.provider_model),
        (Some(provider_id(0)), "provider-model")
    );
    assert_eq!(
        (record.endpoint, record.revision.0),
        ("/v1/chat/completions", 9)
    );
    assert_eq!(
        (record.outcome, record.status, record.streamed),
        (Outcome::Completed, 200, false)
    );
    let tokens = Tokens {
        input: 3,
        cached_input: 2,
        output: 7,
        ..Tokens::default()
    };
    assert_eq!(
        (record.usage_source, record.tokens),
        (UsageSource::Provider, tokens)
    );
    assert!(record.first_byte_us > 0 && record.duration_us >= record.first_byte_us);
    assert_eq!(record.key_id, edge.key.key_id);
}

#[tokio::test]
async fn a_stream_loses_only_the_usage_chunk_that_the_client_did_not_ask_for() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    for asked in [false, true] {
        let options = if asked {
            r#","stream_options":{"include_usage":true}"#
        } else {
            ""
        };
        let mut client = edge
            .chat(&format!(r#"{{"model":"chat","stream":true{options}}}"#))
            .await;
        let (mut peer, received) = provider.answer(STREAM).await;
        let sent: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(sent["stream_options"]["include_usage"], true);
        let whole = format!("{DELTA}: comment\r\n\r\n{DELTA}{USAGE}{DONE}");
        // Cut where nothing is whole.
        for part in whole.as_bytes().chunks(23) {
            peer.chunk(std::str::from_utf8(part).unwrap()).await;
        }
        peer.write(END).await;
        let response = client.response().await;
        let expected = if asked {
            whole
        } else {
            whole.replace(USAGE, "")
        };
        assert_eq!((response.text(), response.whole), (&*expected, true));
        assert_eq!(response.header("content-type"), Some("text/event-stream"));
        let record = edge.record().await;
        let tokens = Tokens {
            input: 3,
            output: 2,
            ..Tokens::default()
        };
        assert_eq!(
            (record.usage_source, record.tokens),
            (UsageSource::Provider, tokens)
        );
        assert_eq!(
            (record.outcome, record.streamed),
            (Outcome::Completed, true)
        );
    }
}

#[tokio::test]
async fn a_chunk_reaches_the_client_before_the_provider_sends_the_next() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat","stream":true}"#).await;
    let (mut peer, _) = provider.answer(STREAM).await;
    for number in 0..20 {
        let event =
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{number}\"}}}}]}}\n\n");
        peer.chunk(&event).await;
        if number == 0 {
            assert_eq!(client.head().await.0, 200);
        }
        assert_eq!(client.chunk().await.unwrap(), event.as_bytes());
    }
    peer.write(END).await;
    assert_eq!(client.chunk().await.unwrap(), b"");
}

#[tokio::test]
async fn a_provider_that_takes_no_stream_options_is_sent_none_and_estimated() {
    let provider = Provider::start().await;
    let mut edge = Setup {
        stream_options: false,
        ..Setup::default()
    }
    .start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat","stream":true}"#).await;
    let (mut peer, received) = provider.answer(STREAM).await;
    assert_eq!(
        received.text(),
        r#"{"model":"provider-model","stream":true}"#
    );
    peer.chunk(&format!("{DELTA}{DONE}")).await;
    peer.write(END).await;
    assert_eq!(client.response().await.text(), format!("{DELTA}{DONE}"));
    let record = edge.record().await;
    assert_eq!(record.usage_source, UsageSource::Estimated);
    assert!(
        record.tokens.input > 0 && record.tokens.output > 0,
        "{:?}",
        record.tokens
    );
}

#[tokio::test]
async fn every_endpoint_reaches_its_own_path_and_an_answer_beyond_the_copy_still_tells_its_usage() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let vector = "0.125,".repeat(400_000);
    let body = format!(
        r#"{{"data":[{{"embedding":[{vector}1]}}],"usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#
    );
    for path in ["/v1/completions", "/v1/embeddings"] {
        let mut client = edge.connect().await;
        client
            .post(
                path,
                &edge.key.text,
                r#"{"model":"chat","input":"a","prompt":"a"}"#,
            )
            .await;
        let (received, response) = tokio::join!(
            provider.answer(json("200 OK", "", &body)),
            client.response()
        );
        assert_eq!(received.1.line, format!("POST {path} HTTP/1.1"));
        assert!(response.body == body.as_bytes() && response.whole);
        let record = edge.record().await;
        assert_eq!(
            (record.endpoint, record.usage_source),
            (path, UsageSource::Provider)
        );
        assert_eq!(
            record.tokens,
            Tokens {
                input: 8,
                ..Tokens::default()
            }
        );
    }
}

#[tokio::test]
async fn only_listed_headers_cross_in_either_direction() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    edge.put_credential(&format!("http://{}", provider.address()));
    let body = r#"{"model":"chat"}"#;
    let mut client = edge.connect().await;
    client
        .write(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: edge\r\nx-api-key: {}\r\ncookie: a=b\r\n\
             openai-beta: assistants=v2\r\naccept: application/json\r\nx-forwarded-for: 1.2.3.4\r\n\
             openai-organization: org\r\nuser-agent: SDK/1\r\nx-stainless-lang: python\r\n\
             accept-encoding: gzip\r\ncontent-length: {}\r\n\r\n{body}",
            &*edge.key.text,
            body.len()
        ))
        .await;
    let hidden = "openai-organization: org_1\r\nset-cookie: a=b\r\nserver: x\r\nx-ratelimit-limit-requests: 9\r\n";
    let (_peer, received) = provider.answer(json("200 OK", hidden, "{}")).await;
    let mut names: Vec<_> = received
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    let expected = "accept accept-encoding authorization content-length content-type host openai-beta user-agent";
    assert_eq!(names.join(" "), expected);
    assert_eq!(
        received.header("authorization"),
        Some(&*format!("Bearer {CREDENTIAL}"))
    );
    assert_eq!(received.header("accept-encoding"), Some("identity"));
    assert_eq!(
        received.header("host"),
        Some(&*provider.address().to_string())
    );
    let response = client.response().await;
    let mut names: Vec<_> = response
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    let expected = "content-length content-type date x-sluice-model x-sluice-request-id";
    assert_eq!(names.join(" "), expected);
}

#[tokio::test]
async fn models_are_those_that_the_key_may_use() {
    let edge = Setup::default().start(&["http://127.0.0.1:1".to_owned()]);
    let mut client = edge.connect().await;
    let list = client.get("/v1/models", &edge.key.text).await;
    assert_eq!(list.status, 200);
    let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(list["data"][0]["id"], "chat");
    let one = client.get("/v1/models/ch%61t", &edge.key.text).await;
    let one: serde_json::Value = serde_json::from_slice(&one.body).unwrap();
    assert_eq!(
        (&one["id"], &one["owned_by"]),
        (&"chat".into(), &"acme".into())
    );
    for name in ["unoffered", "nothing"] {
        let none = client
            .get(&format!("/v1/models/{name}"), &edge.key.text)
            .await;
        assert_eq!(
            (none.status, none.code().as_str()),
            (404, "model_not_found")
        );
    }
}

#[tokio::test]
async fn one_upstream_connection_serves_one_request_after_another() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let (mut peer, _) = provider.answer(json("200 OK", "", "{}")).await;
    assert_eq!(client.response().await.status, 200);
    for _ in 0..3 {
        client
            .post(
                "/v1/chat/completions",
                &edge.key.text,
                r#"{"model":"chat","stream":true}"#,
            )
            .await;
        peer.request().await;
        peer.write(STREAM).await;
        peer.chunk(DONE).await;
        peer.write(END).await;
        assert_eq!(client.response().await.text(), DONE);
    }
    assert!(provider.is_unvisited().await);
}

#[tokio::test]
async fn an_answer_without_a_body_is_complete_and_its_connection_serves_the_next() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let mut peer = provider.accept().await;
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        peer.request().await;
        peer.write(head).await;
        let response = client.response().await;
        assert_eq!((response.status / 100, response.text()), (2, ""));
        let record = edge.record().await;
        assert_eq!(
            (record.outcome, record.status),
            (Outcome::Completed, response.status)
        );
        assert_eq!(record.usage_source, UsageSource::Estimated);
        client
            .post(
                "/v1/chat/completions",
                &edge.key.text,
                r#"{"model":"chat"}"#,
            )
            .await;
    }
    peer.request().await;
}
