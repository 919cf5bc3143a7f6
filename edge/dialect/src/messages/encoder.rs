//! Neutral events, written as a client's stream.
//!
//! Owns the order that strict clients check: one beginning, blocks that do not interleave and of which none is empty,
//! why it ended and what was used, the end. Must never write an end behind a failure.

mod lines;
mod block;

use crate::{
    Tokens,
    messages::{answer, encoder::block::Block, error, extras, usage},
    neutral::{Class, Error, Event, Extra, Seed, Stop},
};

/// How many members wait for their place. Full: the rest is left out.
const EXTRAS_MAX: usize = 64;
/// How long they are together, in bytes. Full: the rest is left out.
const EXTRAS_BYTES_MAX: usize = 256 << 10;
/// How many bytes of later parts wait until the open one is closed. Full: the stream ends in an error.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// What a stream is to say where its provider does not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// The model.
    pub model: &'a str,
    /// How many tokens went in, roughly: what clients are shown until it is known.
    pub input_tokens_estimate: u64,
}

/// Writes a stream. Its beginning waits until the first part, so that it can say what went in; a ping lets it out.
#[derive(Debug)]
pub struct Encoder {
    seed: Seed,
    model: String,
    input_tokens_estimate: u64,
    head: Head,
    tokens: Option<Tokens>,
    extras: Vec<Extra>,
    block: Option<Block>,
    blocks: u32,
    waiting: Vec<(u32, Event)>,
    waiting_bytes: usize,
    stop: Option<Stop>,
    calls: bool,
    done: bool,
}

/// The beginning, which is held until what belongs to it has come.
#[derive(Debug)]
enum Head {
    Unsaid,
    Held { id: String, model: String },
    Written,
}

// === impl Encoder ===

impl Encoder {
    /// A writer of a new stream.
    pub fn new(seed: &Seed, options: Options<'_>) -> Self {
        Self {
            seed: seed.clone(),
            model: options.model.to_owned(),
            input_tokens_estimate: options.input_tokens_estimate,
            head: Head::Unsaid,
            tokens: None,
            extras: Vec::new(),
            block: None,
            blocks: 0,
            waiting: Vec::new(),
            waiting_bytes: 0,
            stop: None,
            calls: false,
            done: false,
        }
    }

    /// Writes what an event comes to. A client of this dialect gets one answer: others are left out.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        match event {
            Event::Start { id, model, .. } => {
                if matches!(self.head, Head::Unsaid) {
                    let (id, model) = (id.clone(), model.clone());
                    self.head = Head::Held { id, model };
                }
            }
            Event::Usage(tokens) => self.tokens = Some(*tokens),
            Event::Ping => self.ping(out),
            Event::Extra(extra) if extras::is_own(extra) => self.extra(extra, out),
            Event::Open {
                choice: 0, part, ..
            }
            | Event::Delta {
                choice: 0, part, ..
            }
            | Event::Close { choice: 0, part } => self.part(*part, event, out),
            Event::Stop { choice: 0, stop } => self.stop = Some(stop.clone()),
            Event::Extra(_)
            | Event::Open { .. }
            | Event::Delta { .. }
            | Event::Close { .. }
            | Event::Stop { .. } => {}
            Event::Error(error) => self.fail(error, out),
            Event::End => self.conclude(out),
        }
    }

    /// Before the beginning a client expects nothing: it gets a comment.
    fn ping(&mut self, out: &mut Vec<u8>) {
        if matches!(self.head, Head::Unsaid) {
            out.extend(b": ping\n\n");
            return;
        }
        self.begin(out);
        lines::write("ping", out, |_| {});
    }

    /// Makes sure that the beginning is written.
    fn begin(&mut self, out: &mut Vec<u8>) {
        let (id, model) = match std::mem::replace(&mut self.head, Head::Written) {
            Head::Written => return,
            Head::Held { id, model } => (id, model),
            Head::Unsaid => Default::default(),
        };
        let tokens = self.tokens.unwrap_or(Tokens {
            input: self.input_tokens_estimate,
            ..Tokens::default()
        });
        let kept = self.take("message.");
        let model = if model.is_empty() {
            &self.model
        } else {
            &model
        };
        lines::write("message_start", out, |writer| {
            writer.key("message").open();
            writer.key("id").text(&answer::id(&id, &self.seed));
            writer.key("type").text("message");
            writer.key("role").text("assistant");
            writer.key("model").text(model);
            writer.key("content").open_array().close_array();
            writer.key("stop_reason").null();
            writer.key("stop_sequence").null();
            let outer = extras::under(&kept, "").filter(|(name, _)| !name.starts_with("usage."));
            extras::write(writer, outer);
            writer.key("usage").open();
            usage::members(writer, &tokens);
            extras::write(writer, extras::under(&kept, "usage."));
            writer.close().close();
        });
    }

    /// A member that waits for its place, or a piece of a block that only this family has.
    fn extra(&mut self, extra: &Extra, out: &mut Vec<u8>) {
        let raw = extra.value.as_str();
        match extra.name.as_str() {
            "content_block_start" => {
                self.begin(out);
                if self.block.is_none() {
                    self.block = Some(Block::raw(self.blocks, raw, out));
                    self.blocks += 1;
                }
            }
            "content_block_delta" => {
                if let Some(block) = &mut self.block {
                    self.blocks += block.delta(raw, out);
                }
            }
            "content_block_stop" => {
                if self.block.as_ref().is_some_and(Block::is_raw) {
                    self.close(out);
                    self.resume(out);
                }
            }
            "event" => {
                self.begin(out);
                lines::raw(raw, out);
            }
            _ => {
                let bytes = |extra: &Extra| extra.value.as_str().len();
                let held: usize = self.extras.iter().map(bytes).sum();
                if self.extras.len() < EXTRAS_MAX && held + bytes(extra) <= EXTRAS_BYTES_MAX {
                    self.extras.push(extra.clone());
                }
            }
        }
    }

    /// An event of a part. Those of a part that is not open wait until the open one is closed.
    fn part(&mut self, part: u32, event: &Event, out: &mut Vec<u8>) {
        let open = self.block.as_ref().map(Block::part);
        let opens = matches!(event, Event::Open { .. });
        if open.is_some_and(|open| open != Some(part) || opens) {
            self.waiting_bytes = self.waiting_bytes.saturating_add(lines::bytes(event));
            if self.waiting_bytes > WAITING_BYTES_MAX {
                let message = "too much of the provider's answer came out of order";
                return self.fail(&Error::new(Class::Provider, message), out);
            }
            self.waiting.push((part, event.clone()));
            return;
        }
        self.step(part, event, out);
        self.resume(out);
    }

    /// Goes on with the parts that wait, one after another.
    fn resume(&mut self, out: &mut Vec<u8>) {
        while self.block.is_none()
            && let Some((part, _)) = self.waiting.first()
        {
            let part = *part;
            let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|(waiting, _)| *waiting == part);
            self.waiting = later;
            for (part, event) in now {
                self.step(part, &event, out);
            }
        }
        self.waiting_bytes = self
            .waiting
            .iter()
            .map(|(_, event)| lines::bytes(event))
            .sum();
    }

    fn step(&mut self, part: u32, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Open { kind, .. } => {
                self.begin(out);
                // Only one that waited can find another open: the same part, opened twice.
                self.close(out);
                self.calls |= matches!(kind, crate::neutral::Kind::ToolCall { .. });
                let kept = self.take("content_block.");
                let (block, written) = Block::open(part, self.blocks, kind, kept, out);
                self.block = Some(block);
                self.blocks += written;
            }
            Event::Delta { delta, .. } => {
                if let Some(block) = &mut self.block {
                    self.blocks += block.grow(delta, out);
                }
            }
            Event::Close { .. } => self.close(out),
            _ => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(block) = self.block.take() {
            block.close(out);
        }
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend(error::event(error));
        self.done = true;
    }

    fn conclude(&mut self, out: &mut Vec<u8>) {
        if let Some(Stop::Failed(why)) = &self.stop {
            let message = format!("the provider's answer failed: {why}");
            return self.fail(&Error::new(Class::Provider, message), out);
        }
        self.begin(out);
        while self.block.is_some() || !self.waiting.is_empty() {
            self.close(out);
            self.resume(out);
        }
        let stop = self.stop.take().unwrap_or(Stop::End);
        let kept = self.take("message_delta.");
        let reason = lines::under(&kept, "delta.");
        let tokens = self.tokens.unwrap_or_default();
        lines::write("message_delta", out, |writer| {
            writer.key("delta").open();
            answer::write_reason(writer, Some(&stop), &reason, self.calls);
            let others = extras::under(&reason, "")
                .filter(|(name, _)| !matches!(*name, "stop_reason" | "stop_details"));
            extras::write(writer, others);
            writer.close().key("usage").open();
            usage::members(writer, &tokens);
            extras::write(writer, extras::under(&kept, "usage."));
            writer.close();
            let inner = ["delta.", "usage."];
            let outer = extras::under(&kept, "")
                .filter(|(name, _)| !inner.iter().any(|prefix| name.starts_with(prefix)));
            extras::write(writer, outer);
        });
        let kept = self.take("message_stop.");
        lines::write("message_stop", out, |writer| {
            extras::write(writer, extras::under(&kept, ""));
        });
        self.done = true;
    }

    /// The members that waited under `prefix`, without it.
    fn take(&mut self, prefix: &str) -> Vec<Extra> {
        let taken = lines::under(&self.extras, prefix);
        self.extras.retain(|extra| !extra.name.starts_with(prefix));
        taken
    }
}
