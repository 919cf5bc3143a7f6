//! A stream, from frames to events.
//!
//! Owns what the blocks of a stream do not say: words and thoughts have no beginning, and one block may turn from one
//! into the other. Must never hold more than a frame, and what of a thought comes at its end.

mod open;

use std::borrow::Cow;

use self::open::{Grown, Open, What};
use payload::{
    object::{Misfit, Object},
    scalar,
};

use crate::{
    aws::{
        event_stream::{self, Frame},
        exception,
    },
    converse::{extras, stop, usage},
    neutral::{Class, Delta, Error, Event, Extra, Family, Kind, Seed, Stop},
};

/// Reads a stream.
#[derive(Debug)]
pub struct Decoder {
    frames: event_stream::Decoder,
    state: State,
}

/// Where the stream stands.
#[derive(Debug)]
struct State {
    seed: Seed,
    started: bool,
    /// The answer is whole; what it used may still come.
    stopped: bool,
    /// Nothing more is said.
    over: bool,
    open: Option<Open>,
    parts: u32,
    calls: u32,
}

// === impl Decoder ===

impl Decoder {
    /// A stream of which nothing has come. The seed gives ids to calls that have none.
    pub fn new(seed: &Seed) -> Self {
        Self {
            frames: event_stream::Decoder::default(),
            state: State {
                seed: seed.clone(),
                started: false,
                stopped: false,
                over: false,
                open: None,
                parts: 0,
                calls: 0,
            },
        }
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        if self.state.over {
            return;
        }
        let state = &mut self.state;
        let pushed = self.frames.push(bytes, |frame| state.frame(frame, out));
        if let Err(fault) = pushed {
            self.state.fail(Error::unreadable(fault.to_string()), out);
        }
    }

    /// No more comes. An answer that was whole is so without its usage, too.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        let state = &mut self.state;
        match self.frames.finish() {
            Err(fault) => state.fail(provider(fault.to_string()), out),
            Ok(()) if state.stopped => state.end(out),
            Ok(()) => state.fail(provider("the stream ended before the answer did"), out),
        }
    }
}

fn provider(message: impl Into<String>) -> Error {
    Error::new(Class::Provider, message)
}

// === impl State ===

impl State {
    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<Event>) {
        if self.over {
            return;
        }
        if let Some(error) = exception::of_frame(frame) {
            self.fail(error, out);
            return;
        }
        let Some(kind) = frame.text(":event-type") else {
            return;
        };
        let read = str::from_utf8(frame.payload)
            .map_err(|_| Misfit::new("must be text"))
            .and_then(Object::parse)
            .and_then(|payload| self.event(kind, payload, out));
        match read {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fail(error, out),
            Err(misfit) => {
                let message = format!("an event of the stream is malformed: {misfit}");
                self.fail(Error::unreadable(message), out);
            }
        }
    }

    fn event(
        &mut self,
        kind: &str,
        mut payload: Object<'_>,
        out: &mut Vec<Event>,
    ) -> Result<Result<(), Error>, Misfit> {
        // Padding, against guesses from a frame's length.
        payload.raw("p")?;
        if !self.started {
            self.start(out);
        }
        match kind {
            "contentBlockStart" if !self.stopped => return self.block_start(payload, out).map(Ok),
            "contentBlockDelta" if !self.stopped => return self.block_delta(payload, out),
            "contentBlockStop" if !self.stopped => self.block_stop(payload, out)?,
            "messageStart" | "contentBlockStart" | "contentBlockDelta" | "contentBlockStop" => {}
            "messageStop" => self.message_stop(payload, out)?,
            "metadata" => self.metadata(payload, out)?,
            new => out.push(extra(new, &written(payload))),
        }
        Ok(Ok(()))
    }

    fn start(&mut self, out: &mut Vec<Event>) {
        self.started = true;
        out.push(Event::Start {
            id: String::new(),
            model: String::new(),
            created_seconds: None,
        });
    }

    fn block_start(&mut self, mut payload: Object<'_>, out: &mut Vec<Event>) -> Result<(), Misfit> {
        let index = payload.count("contentBlockIndex")?.unwrap_or(0);
        self.close(out, true);
        let Some(raw) = payload.raw("start")? else {
            return Ok(());
        };
        let mut start = Object::parse(raw)?;
        if start.is_empty() {
            return Ok(());
        }
        let call = start.object("toolUse")?;
        let call = call.filter(|call| !call.has("type"));
        let Some(mut call) = call else {
            // A block of its own kind goes by as it is, with all that follows in it.
            self.open = Some(Open::new(index, None, What::Own));
            out.push(extra("contentBlockStart.start", raw));
            return Ok(());
        };
        let id = call.text("toolUseId")?.filter(|id| !id.is_empty());
        let id = id.map_or_else(|| self.seed.tool_call_id(self.calls), Cow::into_owned);
        let name = call.text("name")?.unwrap_or_default().into_owned();
        self.calls = self.calls.saturating_add(1);
        self.open(index, What::Call, Kind::ToolCall { id, name }, out);
        Ok(())
    }

    fn block_delta(
        &mut self,
        mut payload: Object<'_>,
        out: &mut Vec<Event>,
    ) -> Result<Result<(), Error>, Misfit> {
        let index = payload.count("contentBlockIndex")?.unwrap_or(0);
        let Some(raw) = payload.raw("delta")? else {
            return Ok(Ok(()));
        };
        if self.open.as_ref().is_some_and(|open| open.is_own(index)) {
            out.push(extra("contentBlockDelta.delta", raw));
            return Ok(Ok(()));
        }
        let mut delta = Object::parse(raw)?;
        if let Some(text) = delta.text("text")? {
            self.words(index, What::Text, &text, out);
        } else if let Some(mut thought) = delta.object("reasoningContent")? {
            return self.thought(index, &mut thought, out);
        } else if let Some(mut call) = delta.object("toolUse")? {
            let input = call.text("input")?.unwrap_or_default();
            return Ok(self.arguments(index, &input, out));
        } else {
            // Such as a citation, in the block that is open.
            for (name, raw) in delta.rest() {
                out.push(extra(&format!("delta.{name}"), raw));
            }
        }
        Ok(Ok(()))
    }

    fn thought(
        &mut self,
        index: u64,
        thought: &mut Object<'_>,
        out: &mut Vec<Event>,
    ) -> Result<Result<(), Error>, Misfit> {
        if let Some(text) = thought.text("text")? {
            self.words(index, What::Reasoning, &text, out);
        }
        let held = [
            (What::Reasoning, thought.text("signature")?),
            (What::Redacted, thought.text("redactedContent")?),
        ];
        for (what, piece) in held {
            let Some(piece) = piece.filter(|piece| !piece.is_empty()) else {
                continue;
            };
            self.turn_to(index, what, out);
            let grown = self.open.as_mut().map(|open| open.hold(&piece));
            if grown == Some(Grown::TooLong) {
                return Ok(Err(provider("a thought's proof is too long")));
            }
        }
        Ok(Ok(()))
    }

    fn words(&mut self, index: u64, what: What, text: &str, out: &mut Vec<Event>) {
        // Nothing said opens nothing.
        if text.is_empty() {
            return;
        }
        self.turn_to(index, what, out);
        self.delta(Delta::Text(text.to_owned()), out);
    }

    fn arguments(&mut self, index: u64, input: &str, out: &mut Vec<Event>) -> Result<(), Error> {
        let is_open = self
            .open
            .as_ref()
            .is_some_and(|open| open.is(index, What::Call));
        if !is_open {
            return Err(provider("a tool call goes on that did not begin"));
        }
        if !input.is_empty() {
            self.delta(Delta::Arguments(input.to_owned()), out);
        }
        Ok(())
    }

    fn block_stop(&mut self, mut payload: Object<'_>, out: &mut Vec<Event>) -> Result<(), Misfit> {
        let index = payload.count("contentBlockIndex")?.unwrap_or(0);
        let Some(open) = self.open.as_ref().filter(|open| open.index == index) else {
            return Ok(());
        };
        if open.is_own(index) {
            out.push(extra("contentBlockStop", &written(payload)));
        }
        self.close(out, true);
        Ok(())
    }

    fn message_stop(
        &mut self,
        mut payload: Object<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Misfit> {
        if self.stopped {
            return Ok(());
        }
        self.close(out, true);
        let word = payload.text("stopReason")?.unwrap_or_default();
        let mut stop = stop::read(&word, self.parts > 0, self.calls > 0);
        if stop::word(&stop) != word {
            let mut quoted = Vec::new();
            scalar::quote(&mut quoted, &word);
            let quoted = String::from_utf8_lossy(&quoted);
            out.push(extra("messageStop.stopReason", &quoted));
        }
        for (name, raw) in payload.rest() {
            if let (Stop::Sequence(at @ None), "additionalModelResponseFields") =
                (&mut stop, &*name)
            {
                let word = Object::parse(raw).and_then(|mut fields| fields.text("stop_sequence"));
                *at = word.ok().flatten().map(Cow::into_owned);
            }
            out.push(extra(&format!("messageStop.{name}"), raw));
        }
        self.stopped = true;
        out.push(Event::Stop { choice: 0, stop });
        Ok(())
    }

    fn metadata(&mut self, mut payload: Object<'_>, out: &mut Vec<Event>) -> Result<(), Misfit> {
        let mut found = Vec::new();
        if let Some(raw) = payload.raw("usage")? {
            match usage::tokens(raw) {
                Some(tokens) => {
                    usage::beyond(raw, &tokens, &mut found, "metadata.usage");
                    out.push(Event::Usage(tokens));
                }
                None => extras::push(&mut found, "metadata", "usage", raw),
            }
        }
        extras::take(&mut found, "metadata", payload);
        out.extend(found.into_iter().map(Event::Extra));
        if self.stopped {
            self.end(out);
        }
        Ok(())
    }

    /// Makes sure that a part of this kind is open for a block.
    fn turn_to(&mut self, index: u64, what: What, out: &mut Vec<Event>) {
        if self.open.as_ref().is_some_and(|open| open.is(index, what)) {
            return;
        }
        let kind = match what {
            What::Reasoning | What::Redacted => Kind::Reasoning,
            What::Text | What::Call | What::Own => Kind::Text,
        };
        self.close(out, true);
        self.open(index, what, kind, out);
    }

    fn open(&mut self, index: u64, what: What, kind: Kind, out: &mut Vec<Event>) {
        let part = self.parts;
        self.parts = self.parts.saturating_add(1);
        self.open = Some(Open::new(index, Some(part), what));
        out.push(Event::Open {
            choice: 0,
            part,
            kind,
        });
    }

    fn delta(&self, delta: Delta, out: &mut Vec<Event>) {
        if let Some(part) = self.open.as_ref().and_then(|open| open.part) {
            out.push(Event::Delta {
                choice: 0,
                part,
                delta,
            });
        }
    }

    /// Closes the part that is open. `whole`: what of it was held is whole, too.
    fn close(&mut self, out: &mut Vec<Event>, whole: bool) {
        let held = self.open.as_mut().and_then(Open::held);
        if let (Some(held), true) = (held, whole) {
            self.delta(held, out);
        }
        if let Some(part) = self.open.take().and_then(|open| open.part) {
            out.push(Event::Close { choice: 0, part });
        }
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        if !self.over {
            self.over = true;
            out.push(Event::End);
        }
    }

    fn fail(&mut self, error: Error, out: &mut Vec<Event>) {
        if !self.over {
            self.close(out, false);
            self.over = true;
            out.push(Event::Error(error));
        }
    }
}

fn extra(name: &str, raw: &str) -> Event {
    Event::Extra(Extra::new(Family::Converse, name, raw))
}

/// What is left of an object, written anew.
fn written(object: Object<'_>) -> String {
    let mut writer = payload::writer::Writer::default();
    writer.open();
    for (name, raw) in object.rest() {
        writer.key(&name).raw(raw);
    }
    writer.close();
    String::from_utf8_lossy(&writer.into_bytes()).into_owned()
}
