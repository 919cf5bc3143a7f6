//! Providers of every dialect that hold one conversation, from fixtures of our own making: they say hello, they call
//! tools when they are given some, and they fail when they are asked to.

mod vectors;

use bytes::Bytes;
use dialect::{aws::event_stream, base64};
use harness::provider::{Answer, Asked, Step};
use proto::admin::ProviderKind;
use serde_json::{Value, json};

pub use self::vectors::VECTOR;

/// What they say.
pub const TEXT: &str = "Hello there, friend.";
/// Tokens that they count for the question, and for the answer.
pub const TOKENS: [u64; 2] = [11, 7];
/// What they call, with which arguments: two at once, and one that has none.
pub const CALLS: [&str; 3] = [r#"{"city":"Oslo"}"#, r#"{"city":"Rome"}"#, "{}"];

/// The kinds that stand for the dialects and their hosts, and the names of their models, which say on Vertex and Bedrock
/// who made them.
pub const KINDS: [(&str, ProviderKind, &str); 8] = [
    ("by-openai", ProviderKind::Openai, "model-of-tests"),
    ("by-anthropic", ProviderKind::Anthropic, "model-of-tests"),
    ("by-gemini", ProviderKind::Gemini, "model-of-tests"),
    ("by-cohere", ProviderKind::Cohere, "model-of-tests"),
    ("by-bedrock", ProviderKind::Bedrock, "model-of-tests"),
    (
        "by-bedrock-claude",
        ProviderKind::Bedrock,
        "us.anthropic.claude-of-tests-v1:0",
    ),
    ("by-vertex", ProviderKind::Vertex, "gemini-of-tests"),
    (
        "by-vertex-claude",
        ProviderKind::Vertex,
        "claude-of-tests@1",
    ),
];

/// What a question wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Text,
    Calls,
    Failure,
}

/// What Anthropic streams when it says [`TEXT`], byte for byte.
pub fn anthropic_stream() -> Vec<u8> {
    let sent = |step| match step {
        Step::Send(bytes) => bytes,
        Step::Wait(_) | Step::Count(..) | Step::Late(_) | Step::Never => Bytes::new(),
    };
    let steps = anthropic(Wants::Text, true).steps.into_iter();
    steps.flat_map(sent).collect()
}

/// Answers as a provider of this kind does.
pub fn answer(kind: ProviderKind, asked: &Asked) -> Answer {
    let text = String::from_utf8_lossy(&asked.body);
    let wants = if text.contains("Please fail.") {
        Wants::Failure
    } else if text.contains("\"weather\"") {
        Wants::Calls
    } else {
        Wants::Text
    };
    match kind {
        ProviderKind::Anthropic if asked.path.ends_with("count_tokens") => {
            return whole(&json!({"input_tokens": TOKENS[0]}));
        }
        ProviderKind::Vertex if asked.path.ends_with("count-tokens:rawPredict") => {
            return whole(&json!({"input_tokens": TOKENS[0]}));
        }
        ProviderKind::Bedrock if asked.path.ends_with("/count-tokens") => {
            return whole(&json!({"inputTokens": TOKENS[0]}));
        }
        ProviderKind::Gemini | ProviderKind::Vertex if asked.path.ends_with("countTokens") => {
            return whole(&json!({"totalTokens": TOKENS[0]}));
        }
        _ => {}
    }
    if asked.path.contains("mbed") || asked.path.ends_with(":predict") {
        return whole(&vectors::answer(kind, asked, TOKENS[0]));
    }
    let question: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let streamed = question["stream"] == json!(true) || asked.path.contains("stream");
    match kind {
        ProviderKind::Anthropic => anthropic(wants, streamed),
        ProviderKind::Cohere => cohere(wants, streamed),
        ProviderKind::Bedrock if asked.path.contains("/invoke") => invoked(wants, streamed),
        ProviderKind::Bedrock => bedrock(wants, streamed),
        // Google's own errors stand before those of the models that it hosts.
        ProviderKind::Vertex if wants != Wants::Failure && asked.path.contains("/anthropic/") => {
            anthropic(wants, streamed)
        }
        ProviderKind::Gemini | ProviderKind::Vertex => gemini(wants, streamed),
        _ if asked.path.ends_with("/responses") => responses(wants, streamed),
        _ => openai(wants, streamed),
    }
}

fn arguments() -> impl Iterator<Item = (usize, Value)> {
    CALLS
        .iter()
        .map(|text| serde_json::from_str(text).unwrap_or_default())
        .enumerate()
}

/// The pieces in which text and arguments are streamed.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let middle = text.len() / 2;
    [&text[..middle], &text[middle..]].into_iter()
}

fn failure(body: &Value) -> Answer {
    Answer::json(429, body.to_string())
}

fn whole(body: &Value) -> Answer {
    Answer::json(200, body.to_string())
}

/// Server-sent events of these data; named by their `type` where `named`.
fn events(all: &[Value], named: bool, done: bool) -> Answer {
    let event = |data: &Value| {
        let name = data["type"].as_str().filter(|_| named);
        let name = name.map_or(String::new(), |name| format!("event: {name}\n"));
        Step::Send(Bytes::from(format!("{name}data: {data}\n\n")))
    };
    let mut steps: Vec<Step> = all.iter().map(event).collect();
    if done {
        steps.push(Step::Send(Bytes::from_static(b"data: [DONE]\n\n")));
    }
    Answer::events(steps)
}

fn openai(wants: Wants, streamed: bool) -> Answer {
    let usage = json!({"prompt_tokens": TOKENS[0], "completion_tokens": TOKENS[1], "total_tokens": TOKENS[0] + TOKENS[1]});
    let call = |(at, arguments): (usize, Value)| json!({"id": format!("call_{at}"), "type": "function", "function": {"name": "weather", "arguments": arguments.to_string()}});
    let head = json!({"id": "chatcmpl-1", "created": 1_700_000_000, "model": "gpt-of-tests"});
    let with = |object: &str, choices: Value, usage: Value| {
        let mut body = head.clone();
        body["object"] = json!(object);
        body["choices"] = choices;
        body["usage"] = usage;
        body
    };
    let finish = if wants == Wants::Calls {
        "tool_calls"
    } else {
        "stop"
    };
    match wants {
        Wants::Failure => failure(
            &json!({"error": {"message": "Slow down.", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}),
        ),
        _ if !streamed => {
            let message = match wants {
                Wants::Calls => {
                    json!({"role": "assistant", "content": null, "tool_calls": arguments().map(call).collect::<Vec<_>>()})
                }
                _ => json!({"role": "assistant", "content": TEXT}),
            };
            whole(&with(
                "chat.completion",
                json!([{"index": 0, "message": message, "finish_reason": finish}]),
                usage,
            ))
        }
        _ => {
            let chunk = |delta: Value, finish: Value| {
                with(
                    "chat.completion.chunk",
                    json!([{"index": 0, "delta": delta, "finish_reason": finish}]),
                    Value::Null,
                )
            };
            let mut all = vec![chunk(
                json!({"role": "assistant", "content": ""}),
                Value::Null,
            )];
            if wants == Wants::Calls {
                for (at, arguments) in arguments() {
                    all.push(chunk(json!({"tool_calls": [{"index": at, "id": format!("call_{at}"), "type": "function", "function": {"name": "weather", "arguments": ""}}]}), Value::Null));
                    for piece in pieces(&arguments.to_string()) {
                        all.push(chunk(json!({"tool_calls": [{"index": at, "function": {"arguments": piece}}]}), Value::Null));
                    }
                }
            } else {
                all.extend(pieces(TEXT).map(|piece| chunk(json!({"content": piece}), Value::Null)));
            }
            all.push(chunk(json!({}), json!(finish)));
            all.push(with("chat.completion.chunk", json!([]), usage));
            events(&all, false, true)
        }
    }
}

fn responses(wants: Wants, streamed: bool) -> Answer {
    let items: Vec<Value> = if wants == Wants::Calls {
        arguments().map(|(at, arguments)| json!({"type": "function_call", "id": format!("fc_{at}"), "call_id": format!("call_{at}"), "name": "weather", "arguments": arguments.to_string(), "status": "completed"})).collect()
    } else {
        vec![
            json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": TEXT, "annotations": []}]}),
        ]
    };
    let usage = json!({"input_tokens": TOKENS[0], "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": TOKENS[1], "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": TOKENS[0] + TOKENS[1]});
    let response = |status: &str, output: Value, usage: Value| json!({"id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": status, "model": "gpt-of-tests", "output": output, "usage": usage, "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "error": null, "incomplete_details": null, "instructions": null, "metadata": {}, "temperature": 1.0, "top_p": 1.0});
    match wants {
        Wants::Failure => failure(
            &json!({"error": {"message": "Slow down.", "type": "requests", "param": null, "code": "rate_limit_exceeded"}}),
        ),
        _ if !streamed => whole(&response("completed", json!(items), usage)),
        _ => {
            let mut all = vec![
                json!({"type": "response.created", "response": response("in_progress", json!([]), Value::Null)}),
            ];
            for (at, item) in items.iter().enumerate() {
                let mut begun = item.clone();
                begun["status"] = json!("in_progress");
                let id = item["id"].clone();
                if wants == Wants::Calls {
                    begun["arguments"] = json!("");
                    all.push(json!({"type": "response.output_item.added", "output_index": at, "item": begun}));
                    all.push(json!({"type": "response.function_call_arguments.delta", "output_index": at, "item_id": id, "delta": item["arguments"]}));
                    all.push(json!({"type": "response.function_call_arguments.done", "output_index": at, "item_id": id, "name": "weather", "arguments": item["arguments"]}));
                } else {
                    begun["content"] = json!([]);
                    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
                    all.push(json!({"type": "response.output_item.added", "output_index": at, "item": begun}));
                    all.push(json!({"type": "response.content_part.added", "output_index": at, "content_index": 0, "item_id": id, "part": part("")}));
                    all.extend(pieces(TEXT).map(|piece| json!({"type": "response.output_text.delta", "output_index": at, "content_index": 0, "item_id": id, "delta": piece, "logprobs": []})));
                    all.push(json!({"type": "response.output_text.done", "output_index": at, "content_index": 0, "item_id": id, "text": TEXT, "logprobs": []}));
                    all.push(json!({"type": "response.content_part.done", "output_index": at, "content_index": 0, "item_id": id, "part": part(TEXT)}));
                }
                all.push(
                    json!({"type": "response.output_item.done", "output_index": at, "item": item}),
                );
            }
            all.push(json!({"type": "response.completed", "response": response("completed", json!(items), usage)}));
            for (number, event) in all.iter_mut().enumerate() {
                event["sequence_number"] = json!(number);
            }
            events(&all, true, false)
        }
    }
}

fn anthropic(wants: Wants, streamed: bool) -> Answer {
    let blocks: Vec<Value> = if wants == Wants::Calls {
        arguments().map(|(at, input)| json!({"type": "tool_use", "id": format!("toolu_{at}"), "name": "weather", "input": input})).collect()
    } else {
        vec![json!({"type": "text", "text": TEXT})]
    };
    let stop = if wants == Wants::Calls {
        "tool_use"
    } else {
        "end_turn"
    };
    let message = |content: Value, stop: Value, output: u64| json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-of-tests", "content": content, "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": TOKENS[0], "output_tokens": output}});
    match wants {
        Wants::Failure => failure(
            &json!({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow down."}, "request_id": "req_1"}),
        ),
        _ if !streamed => whole(&message(json!(blocks), json!(stop), TOKENS[1])),
        _ => {
            let mut all = vec![
                json!({"type": "message_start", "message": message(json!([]), Value::Null, 1)}),
            ];
            all.push(json!({"type": "ping"}));
            for (at, block) in blocks.iter().enumerate() {
                let mut begun = block.clone();
                if wants == Wants::Calls {
                    begun["input"] = json!({});
                } else {
                    begun["text"] = json!("");
                }
                all.push(
                    json!({"type": "content_block_start", "index": at, "content_block": begun}),
                );
                if wants == Wants::Calls {
                    let input = block["input"].to_string();
                    let input = if input == "{}" { "" } else { &input };
                    all.push(json!({"type": "content_block_delta", "index": at, "delta": {"type": "input_json_delta", "partial_json": ""}}));
                    all.extend(pieces(input).map(|piece| json!({"type": "content_block_delta", "index": at, "delta": {"type": "input_json_delta", "partial_json": piece}})));
                } else {
                    all.extend(pieces(TEXT).map(|piece| json!({"type": "content_block_delta", "index": at, "delta": {"type": "text_delta", "text": piece}})));
                }
                all.push(json!({"type": "content_block_stop", "index": at}));
            }
            all.push(json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": {"output_tokens": TOKENS[1]}}));
            all.push(json!({"type": "message_stop"}));
            events(&all, true, false)
        }
    }
}

fn gemini(wants: Wants, streamed: bool) -> Answer {
    let parts: Vec<Value> = if wants == Wants::Calls {
        arguments()
            .map(|(_, args)| json!({"functionCall": {"name": "weather", "args": args}}))
            .collect()
    } else {
        vec![json!({"text": TEXT})]
    };
    let usage = json!({"promptTokenCount": TOKENS[0], "candidatesTokenCount": TOKENS[1], "totalTokenCount": TOKENS[0] + TOKENS[1]});
    let answer = |parts: Value, finish: Value| {
        let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
        if !finish.is_null() {
            candidate["finishReason"] = finish;
        }
        json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-of-tests", "responseId": "resp-1"})
    };
    match wants {
        Wants::Failure => failure(
            &json!({"error": {"code": 429, "message": "Slow down.", "status": "RESOURCE_EXHAUSTED"}}),
        ),
        _ if !streamed => whole(&answer(json!(parts), json!("STOP"))),
        Wants::Calls => {
            let mut all: Vec<Value> = parts
                .iter()
                .map(|part| answer(json!([part]), Value::Null))
                .collect();
            all.push(answer(json!([{"text": ""}]), json!("STOP")));
            events(&all, false, false)
        }
        Wants::Text => {
            let mut all: Vec<Value> = pieces(TEXT)
                .map(|piece| answer(json!([{"text": piece}]), Value::Null))
                .collect();
            all.push(answer(json!([{"text": ""}]), json!("STOP")));
            events(&all, false, false)
        }
    }
}

fn cohere(wants: Wants, streamed: bool) -> Answer {
    let usage = json!({"billed_units": {"input_tokens": TOKENS[0], "output_tokens": TOKENS[1]}, "tokens": {"input_tokens": TOKENS[0], "output_tokens": TOKENS[1]}});
    let call = |(at, arguments): (usize, Value)| json!({"id": format!("weather_{at}"), "type": "function", "function": {"name": "weather", "arguments": arguments.to_string()}});
    let finish = if wants == Wants::Calls {
        "TOOL_CALL"
    } else {
        "COMPLETE"
    };
    match wants {
        Wants::Failure => failure(&json!({"message": "Slow down."})),
        _ if !streamed => {
            let message = match wants {
                Wants::Calls => {
                    json!({"role": "assistant", "tool_plan": "", "tool_calls": arguments().map(call).collect::<Vec<_>>()})
                }
                _ => json!({"role": "assistant", "content": [{"type": "text", "text": TEXT}]}),
            };
            whole(
                &json!({"id": "c-1", "message": message, "finish_reason": finish, "usage": usage}),
            )
        }
        _ => {
            let mut all = vec![
                json!({"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}}),
            ];
            if wants == Wants::Calls {
                for (at, arguments) in arguments() {
                    all.push(json!({"type": "tool-call-start", "index": at, "delta": {"message": {"tool_calls": {"id": format!("weather_{at}"), "type": "function", "function": {"name": "weather", "arguments": ""}}}}}));
                    all.extend(pieces(&arguments.to_string()).map(|piece| json!({"type": "tool-call-delta", "index": at, "delta": {"message": {"tool_calls": {"function": {"arguments": piece}}}}})));
                    all.push(json!({"type": "tool-call-end", "index": at}));
                }
            } else {
                all.push(json!({"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}));
                all.extend(pieces(TEXT).map(|piece| json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}})));
                all.push(json!({"type": "content-end", "index": 0}));
            }
            all.push(
                json!({"type": "message-end", "delta": {"finish_reason": finish, "usage": usage}}),
            );
            events(&all, true, true)
        }
    }
}

fn bedrock(wants: Wants, streamed: bool) -> Answer {
    let blocks: Vec<Value> = if wants == Wants::Calls {
        arguments().map(|(at, input)| json!({"toolUse": {"toolUseId": format!("tooluse_{at}"), "name": "weather", "input": input}})).collect()
    } else {
        vec![json!({"text": TEXT})]
    };
    let stop = if wants == Wants::Calls {
        "tool_use"
    } else {
        "end_turn"
    };
    let usage = json!({"inputTokens": TOKENS[0], "outputTokens": TOKENS[1], "totalTokens": TOKENS[0] + TOKENS[1]});
    match wants {
        Wants::Failure => {
            failure(&json!({"message": "Too many requests, please wait before trying again."}))
        }
        _ if !streamed => whole(
            &json!({"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": stop, "usage": usage, "metrics": {"latencyMs": 5}}),
        ),
        _ => {
            let mut all = vec![("messageStart", json!({"role": "assistant"}))];
            for (at, block) in blocks.iter().enumerate() {
                if wants == Wants::Calls {
                    let call = &block["toolUse"];
                    all.push(("contentBlockStart", json!({"contentBlockIndex": at, "start": {"toolUse": {"toolUseId": call["toolUseId"], "name": "weather"}}})));
                    let input = call["input"].to_string();
                    let input = if input == "{}" { "" } else { &input };
                    all.extend(pieces(input).map(|piece| ("contentBlockDelta", json!({"contentBlockIndex": at, "delta": {"toolUse": {"input": piece}}}))));
                } else {
                    all.extend(pieces(TEXT).map(|piece| {
                        (
                            "contentBlockDelta",
                            json!({"contentBlockIndex": at, "delta": {"text": piece}}),
                        )
                    }));
                }
                all.push(("contentBlockStop", json!({"contentBlockIndex": at})));
            }
            all.push(("messageStop", json!({"stopReason": stop})));
            all.push((
                "metadata",
                json!({"usage": usage, "metrics": {"latencyMs": 5}}),
            ));
            let steps = all
                .iter()
                .map(|(name, payload)| Step::Send(frame(name, payload)));
            Answer {
                status: 200,
                headers: vec![(
                    "content-type",
                    "application/vnd.amazon.eventstream".to_owned(),
                )],
                steps: steps.collect(),
            }
        }
    }
}

/// What Bedrock makes of Anthropic's own answer: the same, its stream in frames, and errors of Amazon's.
fn invoked(wants: Wants, streamed: bool) -> Answer {
    if wants == Wants::Failure {
        let mut said = bedrock(wants, streamed);
        let name = "ThrottlingException:http://internal.amazon.com/";
        said.headers.push(("x-amzn-errortype", name.to_owned()));
        return said;
    }
    let mut said = anthropic(wants, streamed);
    if streamed {
        for step in &mut said.steps {
            if let Step::Send(event) = step {
                let text = String::from_utf8_lossy(event).into_owned();
                let data = text.lines().find_map(|line| line.strip_prefix("data: "));
                let data = base64::encode(data.unwrap_or_default().as_bytes());
                *event = frame("chunk", &json!({"bytes": data, "p": "abcdef"}));
            }
        }
        said.headers = vec![(
            "content-type",
            "application/vnd.amazon.eventstream".to_owned(),
        )];
    }
    said
}

/// One frame of Amazon's event stream.
fn frame(name: &str, payload: &Value) -> Bytes {
    let text = event_stream::Value::Text;
    let headers = [
        (":event-type", text(name)),
        (":content-type", text("application/json")),
        (":message-type", text("event")),
    ];
    let mut out = Vec::new();
    event_stream::write(&mut out, &headers, payload.to_string().as_bytes()).expect("a short frame");
    out.into()
}
