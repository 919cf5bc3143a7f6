//! A provider that answers as OpenAI does, from fixtures of our own making.

use bytes::Bytes;
use harness::provider::{Answer, Asked, Step};
use serde_json::{Value, json};

/// What it says.
pub const WORDS: [&str; 4] = ["Hello", " there", ",", " friend."];
/// Tokens that it counts for the question.
pub const PROMPT_TOKENS: u64 = 11;
/// Tokens that it counts for the answer.
pub const COMPLETION_TOKENS: u64 = 7;

/// Answers chat, completions and embeddings, streamed or whole.
pub fn answer(asked: &Asked) -> Answer {
    let Ok(question) = serde_json::from_slice::<Value>(&asked.body) else {
        return Answer::json(
            400,
            r#"{"error":{"message":"not JSON","type":"invalid_request_error"}}"#,
        );
    };
    match (asked.path.as_str(), question["stream"].as_bool()) {
        ("/v1/embeddings", _) => Answer::json(200, embedding().to_string()),
        ("/v1/completions", _) => Answer::json(200, completion(&question).to_string()),
        ("/v1/chat/completions", Some(true)) => {
            let usage = question["stream_options"]["include_usage"] == json!(true);
            Answer::events(events(usage).into_iter().map(Step::Send).collect())
        }
        ("/v1/chat/completions", _) => Answer::json(200, chat(&question).to_string()),
        _ => Answer::json(
            404,
            r#"{"error":{"message":"no such path","code":"not_found"}}"#,
        ),
    }
}

/// Answers each question with a stream of so many pieces, each one token, whatever was asked for; with usage at its end.
pub fn overlong(generated: i64) -> impl Fn(&Asked) -> Answer {
    let event = |choices: &Value, usage: &Value| {
        let event = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": usage});
        Step::Send(format!("data: {event}\n\n").into())
    };
    let piece = move |delta: &Value, finish: &Value| {
        let choice = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        event(&choice, &Value::Null)
    };
    let usage =
        json!({"prompt_tokens": PROMPT_TOKENS, "completion_tokens": generated, "total_tokens": 0});
    move |asked| {
        let question: Value = serde_json::from_slice(&asked.body).expect("a question");
        assert_eq!(question["stream"], json!(true));
        let word = json!({"content": " on"});
        let words = (0..generated).map(|_| piece(&word, &Value::Null));
        let mut steps: Vec<_> = words.collect();
        steps.push(piece(&json!({}), &json!("stop")));
        steps.push(event(&json!([]), &usage));
        steps.push(Step::Send("data: [DONE]\n\n".into()));
        Answer::events(steps)
    }
}

/// The events of a streamed answer, each as the bytes of one chunk; the usage event only when `usage`.
pub fn events(usage: bool) -> Vec<Bytes> {
    let chunk = |choices: Value, usage: Value| {
        let mut it = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": "provider-chat-2026", "choices": choices,
        });
        if !usage.is_null() {
            it["usage"] = usage;
        }
        Bytes::from(format!("data: {it}\n\n"))
    };
    let choice = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    let mut events = vec![chunk(
        choice(json!({"role": "assistant", "content": ""}), Value::Null),
        Value::Null,
    )];
    for word in WORDS {
        events.push(chunk(
            choice(json!({"content": word}), Value::Null),
            Value::Null,
        ));
    }
    events.push(chunk(choice(json!({}), json!("stop")), Value::Null));
    if usage {
        events.push(chunk(json!([]), usage_object()));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

/// A request body that asks for a stream.
pub fn streamed(model: &str) -> String {
    json!({"model": model, "stream": true, "messages": [{"role": "user", "content": "Say hello."}]})
        .to_string()
}

/// A request body that asks for a whole answer.
pub fn whole(model: &str) -> String {
    json!({"model": model, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16})
        .to_string()
}

fn usage_object() -> Value {
    json!({
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
    })
}

fn chat(question: &Value) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000,
        "model": question["model"],
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": WORDS.concat()},
        }],
        "usage": usage_object(),
    })
}

fn completion(question: &Value) -> Value {
    json!({
        "id": "cmpl-1", "object": "text_completion", "created": 1_700_000_000,
        "model": question["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "text": WORDS.concat()}],
        "usage": usage_object(),
    })
}

/// The vector 1, 2, 3 as the SDKs ask for it: base64 of three little-endian 32-bit floats.
fn embedding() -> Value {
    json!({
        "object": "list", "model": "provider-embed",
        "data": [{"object": "embedding", "index": 0, "embedding": "AACAPwAAAEAAAEBA"}],
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    })
}
