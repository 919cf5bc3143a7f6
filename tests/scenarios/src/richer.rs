//! Providers of every dialect that look at what they are sent: a picture, the form of an answer, the proof of what they
//! thought before.

use dialect::base64;
use harness::provider::{Answer, Asked};
use proto::admin::ProviderKind;
use serde_json::{Value, json};

/// What they prove their thoughts with.
pub const PROOF: &str = "UHJvb2Ygb2YgdGhvdWdodHM=";
/// What they thought.
pub const THOUGHT: &str = "Let me think.";
/// What they answer in a form.
pub const FORMED: &str = r#"{"zebra_count":3}"#;
/// When they say that it is worth asking again, in seconds.
pub const RETRY_AFTER: &str = "7";
/// A picture: one dot.
pub const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Answers as a provider of this kind does.
pub fn answer(kind: ProviderKind, asked: &Asked) -> Answer {
    let text = String::from_utf8_lossy(&asked.body);
    let has = |words: &str| text.contains(words);
    // Claude, at one of its hosts.
    let hosted = asked.path.contains("/invoke") || asked.path.contains("/anthropic/");
    if has("Please fail.") {
        return failure(kind);
    }
    let (thought, said) = if has("And now?") {
        (
            false,
            if has(PROOF) {
                "I remember."
            } else {
                "I forgot."
            },
        )
    } else if has("Think first.") {
        (true, "Done.")
    } else if has("zebra_count") {
        (false, FORMED)
    // Google's SDK writes base64 for URLs, which passes as it came.
    } else if has(PICTURE) || has(&PICTURE.replace('+', "-")) {
        (false, "I see it.")
    } else if has("https://pictures.example/dot.png") {
        (false, "I look there.")
    } else {
        (false, "I see nothing.")
    };
    let body = match kind {
        ProviderKind::Anthropic => anthropic(thought, said),
        ProviderKind::Bedrock | ProviderKind::Vertex if hosted => anthropic(thought, said),
        ProviderKind::Gemini | ProviderKind::Vertex => gemini(thought, said),
        ProviderKind::Cohere => cohere(thought, said),
        ProviderKind::Bedrock => bedrock(thought, said),
        _ if asked.path.ends_with("/responses") => responses(thought, said),
        _ => openai(thought, said),
    };
    Answer::json(200, body.to_string())
}

/// A limit was hit; each says in its own way when to ask again.
fn failure(kind: ProviderKind) -> Answer {
    let body = match kind {
        ProviderKind::Anthropic => {
            json!({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down."}})
        }
        ProviderKind::Gemini | ProviderKind::Vertex => {
            json!({"error": {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{RETRY_AFTER}s")}]}})
        }
        ProviderKind::Cohere | ProviderKind::Bedrock => json!({"message": "Slow down."}),
        _ => {
            json!({"error": {"message": "Slow down.", "type": "requests", "param": null, "code": "rate_limit_exceeded"}})
        }
    };
    let mut answer = Answer::json(429, body.to_string());
    if !matches!(kind, ProviderKind::Gemini | ProviderKind::Vertex) {
        answer.headers.push(("retry-after", RETRY_AFTER.to_owned()));
    }
    answer
}

fn openai(thought: bool, said: &str) -> Value {
    let mut message = json!({"role": "assistant", "content": said});
    if thought {
        message["reasoning_content"] = json!(THOUGHT);
    }
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-of-tests", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}})
}

fn responses(thought: bool, said: &str) -> Value {
    let mut items = Vec::new();
    if thought {
        items.push(json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": THOUGHT}], "encrypted_content": PROOF}));
    }
    items.push(json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": said, "annotations": []}]}));
    json!({"id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": "completed", "model": "gpt-of-tests", "output": items, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 18}})
}

fn anthropic(thought: bool, said: &str) -> Value {
    let mut blocks = Vec::new();
    if thought {
        blocks.push(json!({"type": "thinking", "thinking": THOUGHT, "signature": PROOF}));
    }
    blocks.push(json!({"type": "text", "text": said}));
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-of-tests", "content": blocks, "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 11, "output_tokens": 7}})
}

fn gemini(thought: bool, said: &str) -> Value {
    let mut parts = Vec::new();
    let mut text = json!({"text": said});
    if thought {
        parts.push(json!({"text": THOUGHT, "thought": true}));
        text["thoughtSignature"] = json!(PROOF);
    }
    parts.push(text);
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}], "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18}, "modelVersion": "gemini-of-tests", "responseId": "resp-1"})
}

fn cohere(thought: bool, said: &str) -> Value {
    let mut content = Vec::new();
    if thought {
        content.push(json!({"type": "thinking", "thinking": THOUGHT}));
    }
    content.push(json!({"type": "text", "text": said}));
    let tokens = json!({"input_tokens": 11, "output_tokens": 7});
    json!({"id": "c-1", "message": {"role": "assistant", "content": content}, "finish_reason": "COMPLETE", "usage": {"billed_units": tokens, "tokens": tokens}})
}

fn bedrock(thought: bool, said: &str) -> Value {
    let mut blocks = Vec::new();
    if thought {
        blocks.push(
            json!({"reasoningContent": {"reasoningText": {"text": THOUGHT, "signature": PROOF}}}),
        );
    }
    blocks.push(json!({"text": said}));
    json!({"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": "end_turn", "usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}, "metrics": {"latencyMs": 5}})
}

/// Whether the proof and the picture are what SDKs that decode them can decode.
pub fn are_base64() -> bool {
    base64::decode(PROOF).is_some() && base64::decode(PICTURE).is_some()
}
