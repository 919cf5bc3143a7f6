//! A stream, from events to frames.
//!
//! Owns the numbering of blocks, and that words and thoughts begin without being told. No client sends requests of
//! this dialect: what is written here shows that nothing was lost in reading.

use payload::writer::Writer;

use crate::{
    Tokens,
    aws::event_stream::{self, Value},
    converse::{block, error, extras, stop, usage},
    neutral::{Delta, Error, Event, Extra, Family, Kind, Seed, Stop},
};

/// Writes a stream.
#[derive(Debug, Default)]
pub struct Encoder {
    started: bool,
    stopped: bool,
    over: bool,
    /// The number of the next block.
    next: u64,
    open: Option<Open>,
    tokens: Option<Tokens>,
    /// What is written with the next event that it belongs to.
    extra: Vec<Extra>,
}

/// The block that is open.
#[derive(Debug)]
struct Open {
    index: u64,
    what: What,
    /// Whether anything of it was written.
    begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Text,
    Reasoning,
    Call,
    Own,
}

/// How many members of events that only this dialect has are held. Full: the rest is left out.
const EXTRA_MAX: usize = 256;

// === impl Encoder ===

impl Encoder {
    /// A stream of which nothing is written. It has no ids and no dates: nothing is made of the seed.
    pub fn new(_seed: &Seed) -> Self {
        Self::default()
    }

    /// Writes what an event says. There is room for one answer: others are left out.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        match event {
            Event::Start { .. } => self.start(out),
            Event::Open {
                choice: 0, kind, ..
            } => self.open(kind, out),
            Event::Delta {
                choice: 0, delta, ..
            } => self.delta(delta, out),
            Event::Close { choice: 0, .. } => self.close(out),
            Event::Stop { choice: 0, stop } => self.stop(stop, out),
            Event::Usage(tokens) => self.tokens = Some(*tokens),
            Event::Extra(extra) => self.extra(extra, out),
            Event::Error(error) => self.fail(error, out),
            Event::End => self.end(out),
            Event::Ping
            | Event::Open { .. }
            | Event::Delta { .. }
            | Event::Close { .. }
            | Event::Stop { .. } => {}
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.started = true;
            frame(out, "messageStart", |writer| {
                writer.key("role").text("assistant");
            });
        }
    }

    fn open(&mut self, kind: &Kind, out: &mut Vec<u8>) {
        self.start(out);
        let what = match kind {
            Kind::Text | Kind::Refusal => What::Text,
            Kind::Reasoning => What::Reasoning,
            Kind::ToolCall { .. } => What::Call,
        };
        let index = self.next;
        self.open = Some(Open {
            index,
            what,
            begun: false,
        });
        if let Kind::ToolCall { id, name } = kind {
            frame(out, "contentBlockStart", |writer| {
                writer.key("contentBlockIndex").number(index);
                writer.key("start").open().key("toolUse").open();
                writer.key("toolUseId").text(id).key("name").text(name);
                writer.close().close();
            });
        }
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let Some(open) = &mut self.open else {
            return;
        };
        open.begun = true;
        let (index, what) = (open.index, open.what);
        frame(out, "contentBlockDelta", |writer| {
            writer.key("contentBlockIndex").number(index);
            writer.key("delta").open();
            match (delta, what) {
                (Delta::Text(text), What::Reasoning) => thought(writer, "text", text),
                (Delta::Text(text), _) => drop(writer.key("text").text(text)),
                (Delta::Arguments(piece), _) => {
                    writer
                        .key("toolUse")
                        .open()
                        .key("input")
                        .text(piece)
                        .close();
                }
                (Delta::Signature(proof), _) => thought(writer, "signature", proof),
                (Delta::Redacted(text), _) => {
                    thought(writer, "redactedContent", &block::wrap(text));
                }
            }
            writer.close();
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match &self.open {
            // A reader puts the pieces together and takes them for JSON.
            Some(open) if open.what == What::Call && !open.begun => {
                self.delta(&Delta::Arguments("{}".to_owned()), out);
            }
            _ => {}
        }
        // What had no beginning needs no end.
        if let Some(open) = self.open.take().filter(|open| open.begun) {
            self.next = open.index.saturating_add(1);
            frame(out, "contentBlockStop", |writer| {
                writer.key("contentBlockIndex").number(open.index);
            });
        }
    }

    fn stop(&mut self, stop: &Stop, out: &mut Vec<u8>) {
        if self.stopped {
            return;
        }
        self.start(out);
        self.stopped = true;
        let own = extras::get(&self.extra, "messageStop.stopReason");
        let fields = extras::get(&self.extra, "messageStop.additionalModelResponseFields");
        frame(out, "messageStop", |writer| {
            match own {
                Some(raw) => writer.key("stopReason").raw(raw),
                None => writer.key("stopReason").text(stop::word(stop)),
            };
            if let (Stop::Sequence(Some(word)), None) = (stop, fields) {
                writer.key("additionalModelResponseFields").open();
                writer.key("stop_sequence").text(word).close();
            }
            extras::write(writer, &self.extra, "messageStop", &["stopReason"]);
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.over = true;
        let mut own = extras::members(&self.extra, "metadata", &[]);
        if self.tokens.is_none() && own.next().is_none() {
            return;
        }
        frame(out, "metadata", |writer| {
            if let Some(tokens) = &self.tokens {
                writer.key("usage");
                usage::write_with(writer, tokens, &self.extra, "metadata.usage");
            }
            let written = if self.tokens.is_some() { "usage" } else { "" };
            extras::write(writer, &self.extra, "metadata", &[written]);
        });
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.over = true;
        out.extend(error::event(error));
    }

    /// Of our own, what belongs to a block is written at once, and the rest with the event that it belongs to.
    fn extra(&mut self, extra: &Extra, out: &mut Vec<u8>) {
        if extra.family != Family::Converse {
            return;
        }
        let raw = extra.value.as_str();
        match extra.name.as_str() {
            "contentBlockStart.start" => {
                self.start(out);
                self.own_block(raw, out);
            }
            "contentBlockDelta.delta" => self.own_delta(out, |writer| {
                writer.raw(raw);
            }),
            "contentBlockStop" => self.close(out),
            name if name.starts_with("messageStop.") || name.starts_with("metadata.") => {
                if self.extra.len() < EXTRA_MAX {
                    self.extra.push(extra.clone());
                }
            }
            name => match name.strip_prefix("delta.") {
                Some(member) => self.own_delta(out, |writer| {
                    writer.open().key(member).raw(raw).close();
                }),
                // A new kind of event, whole.
                None => raw_frame(out, name, raw.as_bytes()),
            },
        }
    }

    fn own_block(&mut self, start: &str, out: &mut Vec<u8>) {
        let index = self.next;
        self.open = Some(Open {
            index,
            what: What::Own,
            begun: true,
        });
        frame(out, "contentBlockStart", |writer| {
            writer.key("contentBlockIndex").number(index);
            writer.key("start").raw(start);
        });
    }

    fn own_delta(&mut self, out: &mut Vec<u8>, delta: impl FnOnce(&mut Writer)) {
        let index = self.open.as_ref().map_or(self.next, |open| open.index);
        frame(out, "contentBlockDelta", |writer| {
            writer.key("contentBlockIndex").number(index);
            writer.key("delta");
            delta(writer);
        });
    }
}

fn thought(writer: &mut Writer, name: &str, text: &str) {
    writer
        .key("reasoningContent")
        .open()
        .key(name)
        .text(text)
        .close();
}

fn frame(out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut Writer)) {
    let mut writer = Writer::with_capacity(128);
    writer.open();
    members(&mut writer);
    writer.close();
    raw_frame(out, kind, &writer.into_bytes());
}

fn raw_frame(out: &mut Vec<u8>, kind: &str, payload: &[u8]) {
    let headers = [
        (":event-type", Value::Text(kind)),
        (":content-type", Value::Text("application/json")),
        (":message-type", Value::Text("event")),
    ];
    // What is too long for a frame was too long for every decoder that could have given it.
    let _ = event_stream::write(out, &headers, payload);
}
