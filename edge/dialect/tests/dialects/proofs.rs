//! What proves a model's reasoning goes back to whoever made it, through any client, and to no one else.

use dialect::{
    chat, converse,
    crossing::{self, Asked, Back, Target, cross},
    gemini, messages,
    neutral::{Family, Seed},
    responses,
};
use serde_json::{Value, json};

/// A proof, which is base64 as all of them are.
const PROOF: &str = "QUJDRA==";

const CLIENTS: [Family; 4] = [
    Family::Chat,
    Family::Responses,
    Family::Messages,
    Family::Gemini,
];

fn seed() -> Seed {
    Seed {
        request_id: "0192-proofs".to_owned(),
        now_seconds: 1_790_000_000,
    }
}

fn target(family: Family) -> Target<'static> {
    match family {
        Family::Chat => Target::Chat(chat::target::Target::compatible("m")),
        Family::Responses => Target::Responses(responses::Target {
            crossing: true,
            ..responses::Target::new("m")
        }),
        Family::Gemini => Target::Gemini(gemini::Target::new("gemini-3-pro")),
        Family::Converse => Target::Converse(converse::target::Target::new("anthropic.claude-m")),
        _ => Target::Messages(messages::target::Target {
            output_tokens_default: Some(4_096),
            ..messages::target::Target::new("m")
        }),
    }
}

const TOOL: &str = r#"{"type":"object","properties":{"city":{"type":"string"}}}"#;

/// A question with a tool, and what was said after it.
fn question(client: Family, said: &[Value]) -> String {
    let schema: Value = serde_json::from_str(TOOL).unwrap();
    let with = |first: Value| {
        let mut all = vec![first];
        all.extend(said.iter().cloned());
        all
    };
    match client {
        Family::Chat => json!({"model": "m", "messages": with(json!({"role": "user", "content": "hi"})),
            "tools": [{"type": "function", "function": {"name": "look", "parameters": schema}}]}),
        Family::Responses => json!({"model": "m", "input": with(json!({"role": "user", "content": "hi"})), "store": false,
            "tools": [{"type": "function", "name": "look", "parameters": schema, "strict": false}]}),
        Family::Messages => json!({"model": "m", "max_tokens": 9, "messages": with(json!({"role": "user", "content": "hi"})),
            "tools": [{"name": "look", "input_schema": schema}]}),
        _ => json!({"contents": with(json!({"role": "user", "parts": [{"text": "hi"}]})),
            "tools": [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": schema}]}]}),
    }
    .to_string()
}

/// What a client sends back of an answer, with the result of its call.
fn answered(client: Family, body: &[u8]) -> Vec<Value> {
    let answer: Value = serde_json::from_slice(body).unwrap();
    match client {
        Family::Chat => {
            let message = answer["choices"][0]["message"].clone();
            let id = message["tool_calls"][0]["id"].clone();
            vec![
                message,
                json!({"role": "tool", "tool_call_id": id, "content": "sunny"}),
            ]
        }
        Family::Responses => {
            let mut items = answer["output"].as_array().unwrap().clone();
            let call = items
                .iter()
                .find(|it| it["type"] == "function_call")
                .unwrap();
            let id = call["call_id"].clone();
            items.push(json!({"type": "function_call_output", "call_id": id, "output": "sunny"}));
            items
        }
        Family::Messages => {
            let content = answer["content"].clone();
            let calls = content.as_array().unwrap();
            let id = calls.iter().find(|it| it["type"] == "tool_use").unwrap()["id"].clone();
            vec![
                json!({"role": "assistant", "content": content}),
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "sunny"}]}),
            ]
        }
        _ => vec![
            answer["candidates"][0]["content"].clone(),
            json!({"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"result": "sunny"}}}]}),
        ],
    }
}

/// An answer that was thought about, as its maker gives it.
fn thought(maker: Family) -> String {
    match maker {
        Family::Messages => json!({"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [
                {"type": "thinking", "thinking": "hm", "signature": PROOF},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "Oslo"}}],
            "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 3, "output_tokens": 2}}),
        Family::Converse => json!({"output": {"message": {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": PROOF}}},
                {"toolUse": {"toolUseId": "tooluse_1", "name": "look", "input": {"city": "Oslo"}}}]}},
            "stopReason": "tool_use", "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}),
        Family::Responses => json!({"id": "r", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": [
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": PROOF},
                {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": "{\"city\":\"Oslo\"}", "status": "completed"}],
            "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}}),
        _ => json!({"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
                {"text": "hm", "thought": true},
                {"functionCall": {"name": "look", "args": {"city": "Oslo"}}, "thoughtSignature": PROOF}]}}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}}),
    }
    .to_string()
}

fn ask(client: Family, body: &str, to: Family) -> (String, Back) {
    let asked = Asked {
        family: client,
        model: "m",
        stream: false,
        events: true,
        input_tokens_estimate: 3,
        ceiling: None,
    };
    let crossed = cross(&asked, body, &target(to), seed())
        .unwrap_or_else(|why| panic!("{client} to {to}: {why}"));
    (String::from_utf8(crossed.body).unwrap(), crossed.back)
}

const MAKERS: [Family; 4] = [
    Family::Messages,
    Family::Converse,
    Family::Gemini,
    Family::Responses,
];

/// Whether two families' models have one maker.
fn is_one(one: Family, other: Family) -> bool {
    let claude = |it| matches!(it, Family::Messages | Family::Converse);
    one == other || claude(one) && claude(other)
}

#[test]
fn a_proof_comes_back_to_its_maker_through_any_client_and_goes_to_no_one_else() {
    for client in CLIENTS {
        for maker in MAKERS.into_iter().filter(|maker| !is_one(*maker, client)) {
            let (_, back) = ask(client, &question(client, &[]), maker);
            let told = back.whole(thought(maker).as_bytes(), false).unwrap();
            let history = question(client, &answered(client, &told.body));
            assert!(history.contains(PROOF), "{maker} for {client}: {history}");
            assert!(
                crossing::holds_foreign_proof(history.as_bytes()),
                "{history}"
            );
            for to in MAKERS.into_iter().chain([Family::Chat]) {
                let (sent, _) = ask(client, &history, to);
                let at = format!("{maker} by {client} to {to}: {sent}");
                assert!(!crossing::holds_foreign_proof(sent.as_bytes()), "{at}");
                assert_eq!(sent.contains(PROOF), is_one(maker, to), "{at}");
                assert!(sent.contains("Oslo"), "{at}");
            }
        }
    }
}

#[test]
fn a_proof_of_the_clients_own_family_has_no_mark_and_goes_to_no_other() {
    for client in [Family::Messages, Family::Gemini, Family::Responses] {
        let history = question(client, &answered(client, thought(client).as_bytes()));
        assert!(!crossing::holds_foreign_proof(history.as_bytes()));
        for to in MAKERS.into_iter().chain([Family::Chat]) {
            let (sent, _) = ask(client, &history, to);
            let at = format!("{client} to {to}: {sent}");
            assert_eq!(sent.contains(PROOF), is_one(client, to), "{at}");
        }
    }
}

#[test]
fn a_proof_that_is_streamed_is_marked_once_and_comes_back() {
    let (_, back) = ask(Family::Chat, &question(Family::Chat, &[]), Family::Messages);
    let mut stream = back.stream();
    let mut out = Vec::new();
    for event in [
        r#"{"type":"message_start","message":{"id":"m","role":"assistant","model":"c","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"QUJD"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"RA=="}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
    ] {
        stream.push(format!("data: {event}\n\n").as_bytes(), &mut out);
    }
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.matches(PROOF).count(), 1, "{out}");
    assert_eq!(out.matches("c2x1aWNl").count(), 1, "{out}");
}
