//! Events, written as Cohere's stream.
//!
//! Owns its grammar: one `message-start`; content, plan and calls, each with numbers of its own; one `message-end`,
//! which tells why and how much; `[DONE]`. What only another family understands is left out.

use payload::writer::Writer;

use crate::{
    Tokens,
    cohere::{
        error,
        finish::{self, Held},
        plan, usage,
    },
    neutral::{Delta, Event, Extra, Family, Kind, Seed, Stop},
};

/// Writes a stream. Keeps one usage and one mark until their places come, and nothing that was said.
#[derive(Debug)]
pub struct Encoder {
    id: String,
    started: bool,
    ended: bool,
    open: Option<Open>,
    contents: u64,
    calls: u64,
    held: Held,
    stop: Option<Stop>,
    tokens: Option<Tokens>,
    kept: Kept,
}

/// What came ahead of its place, as it came.
#[derive(Debug, Default)]
struct Kept {
    plan: Option<bool>,
    logprobs: Option<String>,
    usage: Option<String>,
    finish: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Plan,
    Call { empty: bool },
}

// === impl Encoder ===

impl Encoder {
    /// An encoder of one stream. The seed names the answer if its provider does not.
    pub fn new(seed: &Seed) -> Self {
        Self {
            id: seed.request_id.clone(),
            started: false,
            ended: false,
            open: None,
            contents: 0,
            calls: 0,
            held: Held::default(),
            stop: None,
            tokens: None,
            kept: Kept::default(),
        }
    }

    /// Writes one event. Answers beyond the first are left out: no client of Cohere can ask for them.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            Event::Start { id, .. } => {
                if !id.is_empty() {
                    self.id.clone_from(id);
                }
                self.start(out);
            }
            Event::Open {
                choice: 0, kind, ..
            } => self.open(kind, out),
            Event::Delta {
                choice: 0, delta, ..
            } => self.delta(delta, out),
            Event::Close { choice: 0, .. } => self.close(out),
            Event::Stop { choice: 0, stop } => self.stop(stop, out),
            Event::Open { .. } | Event::Delta { .. } | Event::Close { .. } | Event::Stop { .. } => {
            }
            Event::Usage(tokens) => self.tokens = Some(*tokens),
            Event::Ping => out.extend(b": ping\n\n"),
            Event::Extra(extra) => self.extra(extra, out),
            Event::Error(failure) => {
                self.start(out);
                self.close(out);
                out.extend(error::end(failure, |writer| self.usage(writer)));
                self.ended = true;
            }
            Event::End => self.end(out),
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let mut writer = Writer::default();
        writer.open().key("id").text(&self.id);
        writer.key("type").text("message-start");
        writer.key("delta").open().key("message").open();
        writer.key("role").text("assistant");
        writer.key("content").raw("[]").key("tool_plan").text("");
        writer
            .key("tool_calls")
            .raw("[]")
            .key("citations")
            .raw("[]");
        writer.close().close().close();
        put(out, "message-start", writer);
    }

    fn open(&mut self, kind: &Kind, out: &mut Vec<u8>) {
        self.start(out);
        self.close(out);
        let open = match kind {
            Kind::Text | Kind::Refusal => Open::Text,
            Kind::Reasoning if self.kept.plan.take() == Some(true) => Open::Plan,
            Kind::Reasoning => Open::Thinking,
            Kind::ToolCall { .. } => Open::Call { empty: true },
        };
        self.open = Some(open);
        let mut writer = Writer::default();
        match (open, kind) {
            (Open::Plan, _) => return,
            (_, Kind::ToolCall { id, name }) => {
                self.held.calls = true;
                begin(&mut writer, "tool-call-start", Some(self.calls));
                message(&mut writer, "tool_calls").key("id").text(id);
                writer.key("type").text("function");
                writer.key("function").open().key("name").text(name);
                writer.key("arguments").text("").close();
            }
            _ => {
                let word = open.word();
                begin(&mut writer, "content-start", Some(self.contents));
                message(&mut writer, "content").key("type").text(word);
                writer.key(word).text("");
            }
        }
        writer.close().close().close().close();
        put(out, open.event("start"), writer);
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let mut writer = Writer::default();
        match (&mut self.open, delta) {
            (Some(Open::Plan), Delta::Text(text)) => {
                begin(&mut writer, "tool-plan-delta", None);
                writer.key("delta").open().key("message").open();
                writer.key("tool_plan").text(text);
                writer.close().close().close();
                put(out, "tool-plan-delta", writer);
            }
            (Some(open @ (Open::Text | Open::Thinking)), Delta::Text(text)) => {
                self.held.words |= *open == Open::Text && !text.is_empty();
                begin(&mut writer, "content-delta", Some(self.contents));
                message(&mut writer, "content").key(open.word()).text(text);
                writer.close().close().close();
                if let Some(raw) = self.kept.logprobs.take() {
                    writer.key("logprobs").raw(&raw);
                }
                writer.close();
                put(out, "content-delta", writer);
            }
            (Some(Open::Call { empty }), Delta::Arguments(arguments)) => {
                *empty &= arguments.is_empty();
                write_arguments(self.calls, arguments, out);
            }
            // Proofs of other families, and what does not fit what is open.
            _ => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(open) = self.open.take() else {
            return;
        };
        let number = match open {
            Open::Plan => return,
            Open::Text | Open::Thinking => &mut self.contents,
            Open::Call { empty } => {
                if empty {
                    write_arguments(self.calls, "{}", out);
                }
                &mut self.calls
            }
        };
        let mut writer = Writer::default();
        begin(&mut writer, open.event("end"), Some(*number));
        writer.close();
        put(out, open.event("end"), writer);
        *number += 1;
    }

    /// Why the model declined is said in words if it said nothing else.
    fn stop(&mut self, stop: &Stop, out: &mut Vec<u8>) {
        if let Stop::Refused(Some(why)) = stop
            && !self.held.words
        {
            self.open(&Kind::Text, out);
            self.delta(&Delta::Text(why.clone()), out);
        }
        self.close(out);
        self.stop = Some(stop.clone());
    }

    fn extra(&mut self, extra: &Extra, out: &mut Vec<u8>) {
        if extra.family != Family::Cohere {
            return;
        }
        let raw = || Some(extra.value.as_str().to_owned());
        match extra.name.as_str() {
            plan::MARK => self.kept.plan = plan::is_plan(std::slice::from_ref(extra)),
            "logprobs" => self.kept.logprobs = raw(),
            "usage" => self.kept.usage = raw(),
            finish::NAME => self.kept.finish = raw(),
            name if passes(name) => {
                self.start(out);
                let mut writer = Writer::default();
                writer.raw(extra.value.as_str());
                put(out, name, writer);
            }
            _ => {}
        }
    }

    fn usage(&self, writer: &mut Writer) {
        let came = self.kept.usage.as_deref();
        usage::write_member(writer, "usage", came, self.tokens.as_ref());
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        self.close(out);
        let mut writer = Writer::default();
        begin(&mut writer, "message-end", None);
        writer.key("delta").open();
        let stop = self.stop.as_ref().unwrap_or(&Stop::End);
        let came = self.kept.finish.as_deref();
        finish::encode(&mut writer, stop, came, self.held);
        self.usage(&mut writer);
        writer.close().close();
        put(out, "message-end", writer);
        out.extend(b"data: [DONE]\n\n");
        self.ended = true;
    }
}

fn begin(writer: &mut Writer, kind: &str, index: Option<u64>) {
    writer.open().key("type").text(kind);
    if let Some(index) = index {
        writer.key("index").number(index);
    }
}

/// Opens `delta.message` and this member of it.
fn message<'a>(writer: &'a mut Writer, name: &str) -> &'a mut Writer {
    writer.key("delta").open().key("message").open();
    writer.key(name).open()
}

fn write_arguments(call: u64, arguments: &str, out: &mut Vec<u8>) {
    let mut writer = Writer::default();
    begin(&mut writer, "tool-call-delta", Some(call));
    message(&mut writer, "tool_calls").key("function").open();
    writer.key("arguments").text(arguments);
    writer.close().close().close().close().close();
    put(out, "tool-call-delta", writer);
}

/// Writes an event. A line feed in raw JSON stands between its tokens, where a space is as good.
fn put(out: &mut Vec<u8>, name: &str, writer: Writer) {
    out.extend(b"event: ");
    out.extend(name.as_bytes());
    out.extend(b"\ndata: ");
    out.extend(writer.into_bytes().into_iter().map(|byte| match byte {
        b'\n' | b'\r' => b' ',
        byte => byte,
    }));
    out.extend(b"\n\n");
}

/// Whether an event of this name can pass as it came: it is one word, which cannot break out of its line, and none of
/// those that are numbered here.
fn passes(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let numbered = ["message-", "content-", "tool-"];
    !name.is_empty()
        && name.bytes().all(letters)
        && !numbered.iter().any(|kind| name.starts_with(kind))
}

// === impl Open ===

impl Open {
    /// The type of content, and the member that holds its words.
    const fn word(self) -> &'static str {
        match self {
            Self::Thinking => "thinking",
            _ => "text",
        }
    }

    fn event(self, edge: &str) -> &'static str {
        match (self, edge) {
            (Self::Call { .. }, "start") => "tool-call-start",
            (Self::Call { .. }, _) => "tool-call-end",
            (_, "start") => "content-start",
            _ => "content-end",
        }
    }
}
