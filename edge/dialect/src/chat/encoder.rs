//! Neutral events to the stream that a client of this dialect gets.
//!
//! Owns what clients rely on: one chunk with the role for each answer, one with its end, numbers of calls without
//! gaps, and `[DONE]` once, if the stream got done. Relies on the grammar of the events.

mod spoken;

use std::collections::BTreeMap;

use payload::writer::Writer;

use crate::{
    Tokens,
    chat::{
        answer,
        client::Client,
        encoder::spoken::{Open, Spoken},
        error, own, stop, thoughts, usage,
    },
    neutral::{Class, Delta, Error, Event, Extra, Kind, Seed, Stop},
};

/// How many members of ours wait for the next chunk. Full: others are left out.
const EXTRAS_MAX: usize = 64;
/// How many bytes they may have together. Full: others are left out.
const EXTRAS_BYTES_MAX: usize = 4 << 20;

/// Writes one stream.
#[derive(Debug)]
pub struct Encoder {
    seed: Seed,
    client: Client,
    id: String,
    model: String,
    created_seconds: u64,
    spoken: BTreeMap<u32, Spoken>,
    tokens: Option<Tokens>,
    extra: Vec<Extra>,
    over: bool,
}

// === impl Encoder ===

impl Encoder {
    /// An encoder for a new stream.
    pub fn new(seed: &Seed, client: Client) -> Self {
        Self {
            seed: seed.clone(),
            client,
            id: answer::id("", seed),
            model: String::new(),
            created_seconds: seed.now_seconds,
            spoken: BTreeMap::new(),
            tokens: None,
            extra: Vec::new(),
            over: false,
        }
    }

    /// Writes what an event says.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start {
                id,
                model,
                created_seconds,
            } => {
                self.id = answer::id(id, &self.seed);
                self.model.clone_from(model);
                self.created_seconds = created_seconds.unwrap_or(self.seed.now_seconds);
                self.begin(0, out);
            }
            Event::Open { choice, kind, .. } => self.open(*choice, kind, out),
            Event::Delta { choice, delta, .. } => self.delta(*choice, delta, out),
            Event::Close { choice, .. } => self.close(*choice, out),
            Event::Stop { choice, stop } => self.stop(*choice, stop, out),
            Event::Usage(tokens) => self.tokens = Some(*tokens),
            Event::Ping => out.extend(b": ping\n\n"),
            Event::Extra(extra) => self.keep(extra),
            Event::Error(error) => self.fail(error, out),
            Event::End => self.end(out),
        }
    }

    fn spoken(&mut self, choice: u32) -> &mut Spoken {
        self.spoken.entry(choice).or_default()
    }

    /// Writes the chunk that says whose answer it is, if it was not written.
    fn begin(&mut self, choice: u32, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.spoken(choice).begun, true) {
            self.chunk(choice, None, out, |writer| {
                writer.key("role").text("assistant").key("content").text("");
                writer.key("refusal").null();
            });
        }
    }

    fn open(&mut self, choice: u32, kind: &Kind, out: &mut Vec<u8>) {
        self.begin(choice, out);
        let functions = self.client.functions;
        let spoken = self.spoken(choice);
        spoken.seen.anything = true;
        spoken.open = match kind {
            Kind::Text => Open::Text,
            Kind::Reasoning => Open::Reasoning,
            Kind::Refusal => Open::Refusal,
            Kind::ToolCall { .. } => Open::Call(false),
        };
        let Kind::ToolCall { id, name } = kind else {
            return;
        };
        spoken.seen.calls = true;
        let index = spoken.calls;
        spoken.calls += 1;
        if functions {
            // Whoever asks in the old way takes one call.
            if index > 0 {
                spoken.open = Open::Nothing;
                return;
            }
            self.chunk(choice, None, out, |writer| {
                writer.key("function_call").open().key("name").text(name);
                writer.key("arguments").text("").close();
            });
            return;
        }
        self.chunk(choice, None, out, |writer| {
            writer
                .key("tool_calls")
                .open_array()
                .open()
                .key("index")
                .number(index);
            writer.key("id").text(id).key("type").text("function");
            writer
                .key("function")
                .open()
                .key("name")
                .text(name)
                .key("arguments")
                .text("");
            writer.close().close().close_array();
        });
    }

    fn delta(&mut self, choice: u32, delta: &Delta, out: &mut Vec<u8>) {
        let spoken = self.spoken(choice);
        let thought = spoken.thoughts;
        let open = spoken.open;
        match (delta, open) {
            (Delta::Text(text), _) if text.is_empty() => {}
            (Delta::Text(text), Open::Reasoning) => self.chunk(choice, None, out, |writer| {
                writer.key("reasoning_content").text(text);
                write_detail(writer, thought, "reasoning.text", ("text", text));
            }),
            (Delta::Text(text), Open::Refusal) => {
                spoken.seen.refusal = true;
                self.chunk(choice, None, out, |writer| {
                    writer.key("refusal").text(text);
                });
            }
            (Delta::Text(text), _) => self.chunk(choice, None, out, |writer| {
                writer.key("content").text(text);
            }),
            (Delta::Arguments(arguments), Open::Call(_)) if !arguments.is_empty() => {
                spoken.open = Open::Call(true);
                self.arguments(choice, arguments, out);
            }
            (Delta::Arguments(_), _) => {}
            (Delta::Signature(proof), _) => self.chunk(choice, None, out, |writer| {
                write_detail(writer, thought, "reasoning.text", ("signature", proof));
            }),
            (Delta::Redacted(data), _) => self.chunk(choice, None, out, |writer| {
                write_detail(writer, thought, "reasoning.encrypted", ("data", data));
            }),
        }
    }

    fn arguments(&mut self, choice: u32, arguments: &str, out: &mut Vec<u8>) {
        let functions = self.client.functions;
        let index = self.spoken(choice).calls.saturating_sub(1);
        self.chunk(choice, None, out, |writer| {
            if functions {
                writer.key("function_call").open();
                writer.key("arguments").text(arguments).close();
                return;
            }
            writer
                .key("tool_calls")
                .open_array()
                .open()
                .key("index")
                .number(index);
            writer
                .key("function")
                .open()
                .key("arguments")
                .text(arguments)
                .close();
            writer.close().close_array();
        });
    }

    fn close(&mut self, choice: u32, out: &mut Vec<u8>) {
        let spoken = self.spoken(choice);
        match std::mem::take(&mut spoken.open) {
            Open::Call(false) => self.arguments(choice, "{}", out),
            Open::Reasoning => spoken.thoughts += 1,
            _ => {}
        }
    }

    fn stop(&mut self, choice: u32, stop: &Stop, out: &mut Vec<u8>) {
        if let Stop::Failed(why) = stop {
            let message = format!("the provider's answer broke off: {why}");
            self.fail(&Error::new(Class::Provider, message), out);
            return;
        }
        self.begin(choice, out);
        let functions = self.client.functions;
        let spoken = self.spoken(choice);
        if std::mem::replace(&mut spoken.stopped, true) {
            return;
        }
        let seen = spoken.seen;
        let declined = match stop {
            Stop::Refused(Some(why)) if !seen.refusal => Some(why),
            _ => None,
        };
        let word = stop::word(stop, seen, functions);
        self.chunk(choice, Some(word), out, |writer| {
            if let Some(why) = declined {
                writer.key("refusal").text(why);
            }
        });
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.over = true;
        out.extend(error::event(error));
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.over = true;
        if let (true, Some(tokens)) = (self.client.include_usage, self.tokens) {
            let mut writer = self.head();
            writer.key("choices").open_array().close_array();
            usage::write(writer.key("usage"), &tokens);
            self.outer_extras(&mut writer);
            send(writer, out);
        }
        out.extend(b"data: [DONE]\n\n");
    }

    fn head(&self) -> Writer {
        let mut writer = Writer::default();
        writer.open().key("id").text(&self.id);
        writer.key("object").text("chat.completion.chunk");
        writer.key("created").number(self.created_seconds);
        writer.key("model").text(&self.model);
        writer
    }

    /// Writes a chunk for one answer, with what waits for it.
    fn chunk(
        &mut self,
        choice: u32,
        finish: Option<&str>,
        out: &mut Vec<u8>,
        delta: impl FnOnce(&mut Writer),
    ) {
        let mut writer = self.head();
        writer.key("choices").open_array().open();
        writer
            .key("index")
            .number(choice.into())
            .key("delta")
            .open();
        delta(&mut writer);
        let under = format!("choices[{choice}].");
        let inner = self.take_extras(&under);
        for extra in &inner {
            if let Some(name) = name_under(extra, &under, "delta.") {
                writer.key(name).raw(extra.value.as_str());
            }
        }
        writer.close();
        let mut logprobs = false;
        for extra in &inner {
            if let Some(name) = name_under(extra, &under, "")
                && !name.starts_with("delta.")
            {
                logprobs |= name == "logprobs";
                writer.key(name).raw(extra.value.as_str());
            }
        }
        if !logprobs {
            writer.key("logprobs").null();
        }
        writer.key("finish_reason");
        match finish {
            Some(word) => writer.text(word),
            None => writer.null(),
        };
        writer.close().close_array();
        if self.client.include_usage {
            writer.key("usage").null();
        }
        self.outer_extras(&mut writer);
        send(writer, out);
    }

    /// Keeps a member of ours for the next chunk, which can have one of each name.
    fn keep(&mut self, extra: &Extra) {
        self.extra.retain(|before| before.name != extra.name);
        let bytes = |extra: &Extra| extra.name.len() + extra.value.as_str().len();
        let waiting: usize = self.extra.iter().map(bytes).sum();
        let room = self.extra.len() < EXTRAS_MAX && waiting + bytes(extra) <= EXTRAS_BYTES_MAX;
        if room && own::is_own(extra) {
            self.extra.push(extra.clone());
        }
    }

    /// Writes what waits and belongs to no answer.
    fn outer_extras(&mut self, writer: &mut Writer) {
        for extra in self
            .extra
            .extract_if(.., |extra| !extra.name.starts_with("choices["))
        {
            writer.key(&extra.name).raw(extra.value.as_str());
        }
    }

    /// Takes what waits and begins so.
    fn take_extras(&mut self, under: &str) -> Vec<Extra> {
        let begins = |extra: &mut Extra| extra.name.starts_with(under);
        self.extra.extract_if(.., begins).collect()
    }
}

fn name_under<'e>(extra: &'e Extra, under: &str, inner: &str) -> Option<&'e str> {
    extra.name.strip_prefix(under)?.strip_prefix(inner)
}

fn write_detail(writer: &mut Writer, index: u64, kind: &str, (name, text): (&str, &str)) {
    writer.key(thoughts::DETAILS).open_array().open();
    writer.key("type").text(kind).key(name).text(text);
    writer.key("index").number(index).close().close_array();
}

fn send(mut writer: Writer, out: &mut Vec<u8>) {
    out.extend(b"data: ");
    writer.close();
    out.extend(writer.into_bytes());
    out.extend(b"\n\n");
}
