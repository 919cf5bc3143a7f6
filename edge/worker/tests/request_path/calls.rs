//! Whether the calls of tools in an answer can be made stands in its record where a rollout asks, and is read for nobody else.

use dialect::Finish;
use policy::{
    change::Edit,
    id::{RolloutId, VersionId},
    object::Object,
    split::{Arm, Split, Sticky},
};

use crate::{
    edge::{Edge, MODEL, Setup, VERSION, model},
    provider::{END, Provider, STREAM, json},
    stream::{Api, CHAT, MESSAGES},
};

/// A call whose arguments end too early, of a provider that speaks chat, in a stream and in one piece.
const CHAT_STREAM: &str = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":\"}}]}}]}\n\n\
     data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n\
     data: [DONE]\n\n";
const CHAT_WHOLE: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"a\":"}}]}}]}"#;

/// The same in a stream of Anthropic's.
const MESSAGES_STREAM: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n\
     event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}}\n\n\
     event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}}\n\n\
     event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
     event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n\
     event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// Who asks, who answers, and with what: as it passes, and translated.
const CASES: [(Api, Api, &str); 5] = [
    (CHAT, CHAT, CHAT_STREAM),
    (CHAT, CHAT, CHAT_WHOLE),
    (MESSAGES, CHAT, CHAT_STREAM),
    (MESSAGES, MESSAGES, MESSAGES_STREAM),
    (CHAT, MESSAGES, MESSAGES_STREAM),
];

/// Lets a rollout share the model's traffic, of which the other version gets nothing.
fn release(edge: &mut Edge) {
    let Object::Model(mut chat) = model("chat", MODEL, Some(VERSION)) else {
        panic!("a model is one")
    };
    let arm = Arm {
        version: VersionId::from_bytes([44; 16]),
        basis_points: 0,
    };
    let rollout = RolloutId::from_bytes([77; 16]);
    let split = Split::new(rollout, Sticky::Request, vec![arm]).unwrap();
    chat.split = Some(Box::new(split));
    edge.edit_rules(Edit::Upsert(Object::Model(chat)));
}

/// Asks once, and tells why the answer ended, as the record has it.
async fn finish(edge: &mut Edge, provider: &Provider, client: &Api, answer: &str) -> Finish {
    let streams = !answer.starts_with('{');
    let mut body = client.body.to_owned();
    if !streams {
        body = body.replace(r#""stream":true,"#, "");
        body = body.replace(r#""stream_options":{"include_usage":true},"#, "");
    }
    let mut asking = edge.ask(client.path, &body).await;
    if streams {
        let (mut peer, _) = provider.answer(STREAM).await;
        peer.chunk(answer).await;
        peer.write(END).await;
    } else {
        provider.answer(json("200 OK", "", answer)).await;
    }
    let response = asking.response().await;
    assert_eq!((response.status, response.whole), (200, true));
    edge.record().await.finish
}

#[tokio::test]
async fn calls_that_nobody_can_make_are_told_to_a_rollout_whoever_answers_and_to_nobody_else() {
    for (client, answers, answer) in CASES {
        let provider = Provider::start().await;
        let setup = Setup {
            kinds: vec![answers.kind],
            ..Setup::default()
        };
        let mut edge = setup.start(&[provider.base_url()]);
        let mut told = [Finish::Unseen; 2];
        for finish_told in &mut told {
            *finish_told = finish(&mut edge, &provider, &client, answer).await;
            release(&mut edge);
        }
        let expected = [Finish::Unseen, Finish::Miscalled];
        assert_eq!(told, expected, "{} of {}", client.path, answers.path);
    }
}
