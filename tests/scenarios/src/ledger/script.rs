//! Providers that answer as a question says, and count what they serve before they send it.
//!
//! They have a tokenizer of their own: a token for four bytes of a body and five more, and one to three for each piece of an
//! answer. Knows nothing of what anybody else makes of that.

use harness::provider::{Answer, Asked, Step};
use serde_json::{Value, json};

use crate::ledger::{
    counts::Told,
    kind::{CEILING, Kind},
    till::Till,
};

/// A piece of an answer: six bytes.
const PIECE: &str = " piece";

/// How many pieces a stream has that its client does not hear to the end.
pub const HEARD_MAX: i64 = 5;

/// A question, read.
struct Read<'a> {
    till: &'a Till,
    kind: Kind,
    n: i64,
    streamed: bool,
    never: bool,
    told: Told,
    reasoning: i64,
    pieces: i64,
    each: i64,
}

/// Answers as the provider that serves.
pub fn serving(till: &Till, asked: &Asked) -> Answer {
    let Some(it) = Read::of(till, asked) else {
        return unreadable();
    };
    let drawer = till.drawer(it.kind);
    drawer.asked();
    match asked.path.as_str() {
        "/v1/messages" => it.anthropic(),
        "/v1/responses" => it.responses(),
        _ => it.openai(),
    }
}

/// Answers as the provider that fails: with an error, or with a stream that breaks off before a word.
pub fn failing(till: &Till, asked: &Asked) -> Answer {
    let Some(it) = Read::of(till, asked) else {
        return unreadable();
    };
    let drawer = till.drawer(it.kind);
    if it.kind == Kind::Broken {
        drawer.took(it.told.input, 0);
        return Answer::events(vec![Read::chunk(
            &json!({"role": "assistant", "content": ""}),
        )]);
    }
    if it.kind == Kind::Failing {
        drawer.asked();
    }
    let status = if it.n % 4 == 1 && it.kind == Kind::Failing {
        400
    } else {
        500
    };
    let error = json!({"error": {"message": "no", "type": "server_error", "code": null}});
    Answer::json(status, error.to_string())
}

fn unreadable() -> Answer {
    Answer::json(
        400,
        r#"{"error":{"message":"what?","type":"invalid_request_error"}}"#,
    )
}

fn event(data: &Value) -> Step {
    let name = data["type"].as_str();
    let name = name.map_or(String::new(), |name| format!("event: {name}\n"));
    Step::Send(format!("{name}data: {data}\n\n").into())
}

// === impl Read ===

impl<'a> Read<'a> {
    fn of(till: &'a Till, asked: &Asked) -> Option<Self> {
        let text = std::str::from_utf8(&asked.body).ok()?;
        let (kind, n, never) = Kind::read(text)?;
        let question: Value = serde_json::from_str(text).ok()?;
        let (n, prompt) = (
            i64::try_from(n).ok()?,
            5 + i64::try_from(text.len()).ok()? / 4,
        );
        // What is estimated is so of tokens that no cache served.
        let by_cache = kind.cause().is_none() && n % 2 == 1;
        let (each, pieces) = match kind {
            // One token a piece, so that what passes can be told to the token; and more than it may be.
            Kind::Ceiling => (1, 3 * CEILING),
            Kind::HungUp => (1 + n % 3, HEARD_MAX),
            _ => (1 + n % 3, 1 + n % 7),
        };
        let cached = if by_cache { prompt / 3 } else { 0 };
        let speaks_anthropic = matches!(kind, Kind::Messages | Kind::Translated);
        let written = if by_cache && speaks_anthropic {
            prompt / 4
        } else {
            0
        };
        let reasoning = if kind.cause().is_none() && !speaks_anthropic {
            n % 3
        } else {
            0
        };
        Some(Self {
            till,
            kind,
            n,
            streamed: question["stream"] == json!(true),
            never: never || kind == Kind::HungUp,
            told: Told {
                input: prompt - cached - written,
                cached,
                written,
                output: pieces * each + reasoning,
            },
            reasoning,
            pieces,
            each,
        })
    }

    /// The whole answer leaves now: everything is served.
    fn whole(&self, body: &Value) -> Answer {
        let (drawer, told) = (self.till.drawer(self.kind), self.told);
        drawer.took(told.input + told.written, told.cached);
        drawer.gave(told.output);
        drawer.told(self.kind, told);
        Answer::json(200, body.to_string())
    }

    /// A stream: what stands before its pieces, its pieces, and what stands behind them, in which it tells what was used.
    fn stream(&self, before: Vec<Step>, piece: impl Fn() -> Step, behind: Vec<Step>) -> Answer {
        let (drawer, told) = (self.till.drawer(self.kind), self.told);
        drawer.took(told.input + told.written, told.cached);
        let mut steps = before;
        for at in 0..self.pieces {
            let thought = if at == 0 { self.reasoning } else { 0 };
            steps.extend([drawer.gives(self.each + thought), piece()]);
        }
        if self.never {
            steps.extend(drawer.never());
        } else if self.kind != Kind::Silent {
            steps.extend(drawer.tells(self.kind, told));
        }
        steps.extend(behind);
        Answer::events(steps)
    }

    fn text(&self) -> String {
        PIECE.repeat(usize::try_from(self.pieces).unwrap_or_default())
    }

    fn chunk(delta: &Value) -> Step {
        let finish = if delta == &json!({}) {
            json!("stop")
        } else {
            Value::Null
        };
        let choice = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        event(
            &json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choice}),
        )
    }

    fn openai(&self) -> Answer {
        let told = self.told;
        let prompt = told.input + told.cached;
        let usage = json!({
            "prompt_tokens": prompt,
            "completion_tokens": told.output,
            "total_tokens": prompt + told.output,
            "prompt_tokens_details": {"cached_tokens": told.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        });
        if !self.streamed {
            let message = json!({"role": "assistant", "content": self.text()});
            return self.whole(&json!({
                "id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            }));
        }
        let mut behind = vec![Self::chunk(&json!({}))];
        if self.kind != Kind::Silent {
            behind.push(event(&json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage})));
        }
        behind.push(Step::Send("data: [DONE]\n\n".into()));
        let before = vec![Self::chunk(&json!({"role": "assistant", "content": ""}))];
        self.stream(before, || Self::chunk(&json!({"content": PIECE})), behind)
    }

    fn anthropic(&self) -> Answer {
        let told = self.told;
        let message = |content: Value, stop: Value, output: i64| {
            json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
                "stop_reason": stop, "stop_sequence": null,
                "usage": {
                    "input_tokens": told.input, "cache_read_input_tokens": told.cached,
                    "cache_creation_input_tokens": told.written, "output_tokens": output,
                },
            })
        };
        if !self.streamed {
            let content = json!([{"type": "text", "text": self.text()}]);
            return self.whole(&message(content, json!("end_turn"), told.output));
        }
        let before = [
            json!({"type": "message_start", "message": message(json!([]), Value::Null, 1)}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ];
        let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": PIECE}});
        let behind = [
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": told.output}}),
            json!({"type": "message_stop"}),
        ];
        let (before, behind) = (before.iter().map(event), behind.iter().map(event));
        self.stream(before.collect(), || event(&delta), behind.collect())
    }

    fn responses(&self) -> Answer {
        let told = self.told;
        let prompt = told.input + told.cached;
        let usage = json!({
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": told.cached},
            "output_tokens": told.output,
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": prompt + told.output,
        });
        let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
        let item = |status: &str, content: Value| json!({"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content});
        let response = |status: &str, output: Value, usage: &Value| json!({"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "m", "output": output, "usage": usage});
        let done = item("completed", json!([part(&self.text())]));
        let completed = response("completed", json!([done]), &usage);
        if !self.streamed {
            return self.whole(&completed);
        }
        let before = [
            json!({"type": "response.created", "response": response("in_progress", json!([]), &Value::Null)}),
            json!({"type": "response.output_item.added", "output_index": 0, "item": item("in_progress", json!([]))}),
            json!({"type": "response.content_part.added", "output_index": 0, "content_index": 0, "item_id": "msg_1", "part": part("")}),
        ];
        let delta = json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "msg_1", "delta": PIECE});
        let behind = [
            json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "item_id": "msg_1", "text": self.text()}),
            json!({"type": "response.content_part.done", "output_index": 0, "content_index": 0, "item_id": "msg_1", "part": part(&self.text())}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": done}),
            json!({"type": "response.completed", "response": completed}),
        ];
        let (before, behind) = (before.iter().map(event), behind.iter().map(event));
        self.stream(before.collect(), || event(&delta), behind.collect())
    }
}
