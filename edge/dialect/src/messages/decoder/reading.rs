//! What the events of a stream mean.
//!
//! Owns the grammar of the provider and the mending of it: a block that is not closed is closed, one that is not
//! opened is opened. Must never guess where words belong: a stream whose blocks interleave is given up.

use payload::object::{Misfit, Object};

use crate::{
    Tokens,
    messages::{
        decoder::block::{Block, Shape},
        error, extras, stop, structured,
        usage::Counts,
    },
    neutral::{Class, Delta, Error, Event, Extra, Kind, Seed, Stop},
};

/// Where a stream stands.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Whether calls of our own tool are the answer.
    pub(crate) unwraps: bool,
    seed: Seed,
    started: bool,
    done: bool,
    block: Option<Block>,
    parts: u32,
    calls: u32,
    counts: Counts,
    told: Option<Tokens>,
    reason: Option<Reason>,
}

/// Why the answer ended, as the provider says.
#[derive(Debug)]
struct Reason {
    word: String,
    sequence: Option<String>,
    details: Option<String>,
}

// === impl Reading ===

impl Reading {
    pub(crate) fn new(seed: &Seed) -> Self {
        Self {
            unwraps: false,
            seed: seed.clone(),
            started: false,
            done: false,
            block: None,
            parts: 0,
            calls: 0,
            counts: Counts::default(),
            told: None,
            reason: None,
        }
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.done
    }

    /// One event.
    pub(crate) fn data(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) {
        // Some proxies end their streams as another family does.
        if self.done || data.starts_with(b"[DONE]") {
            return;
        }
        let taken = match str::from_utf8(data) {
            Ok(data) => self.event(name, data, out),
            Err(_) => Err(Misfit::new("must be UTF-8")),
        };
        if let Err(misfit) = taken {
            let message = format!("the provider's stream cannot be read: {misfit}");
            self.fail(Error::unreadable(message), out);
        }
    }

    /// Ends the stream in an error.
    pub(crate) fn fail(&mut self, error: Error, out: &mut Vec<Event>) {
        if self.done {
            return;
        }
        if let Some(block) = self.block.take() {
            block.close(false, &mut self.parts, out);
        }
        out.push(Event::Error(error));
        self.done = true;
    }

    /// Nothing more comes. An answer that said why it ended is whole.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        if self.done {
            return;
        }
        if self.reason.is_some() {
            self.conclude(out);
        } else {
            let message = "the provider's stream broke off";
            self.fail(Error::new(Class::Provider, message), out);
        }
    }

    fn event(
        &mut self,
        name: Option<&[u8]>,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), Misfit> {
        let mut event = Object::parse(data)?;
        let kind = match event.text("type")? {
            Some(kind) => kind,
            None if event.has("error") => "error".into(),
            None => String::from_utf8_lossy(name.unwrap_or_default())
                .into_owned()
                .into(),
        };
        match &*kind {
            "ping" => out.push(Event::Ping),
            "error" => self.fail(error::decode(200, data.as_bytes()), out),
            "message_start" => self.start(event, out)?,
            "content_block_start" => self.open(event, out)?,
            "content_block_delta" => self.delta(event, out)?,
            "content_block_stop" => {
                let index = event.count("index")?;
                let open = self.block.as_ref().map(|block| block.index);
                if open.is_some_and(|open| index.is_none() || open.is_none() || open == index) {
                    self.close(out);
                }
            }
            "message_delta" => self.end(event, out)?,
            "message_stop" => {
                self.begin(out);
                keep(event, "message_stop.", out);
                self.conclude(out);
            }
            _ if self.started => out.push(Event::Extra(extras::extra("event", data))),
            // Before the beginning there is nothing for it to belong to.
            _ => {}
        }
        Ok(())
    }

    /// Makes sure that the answer has begun.
    fn begin(&mut self, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Event::Start {
                id: String::new(),
                model: String::new(),
                created_seconds: None,
            });
        }
    }

    fn start(&mut self, mut event: Object<'_>, out: &mut Vec<Event>) -> Result<(), Misfit> {
        let mut message = event.object("message")?.unwrap_or_default();
        let mut kept = Vec::new();
        if let Some(usage) = message.raw("usage")? {
            self.counts
                .merge(Counts::read(usage, "message.usage.", &mut kept)?);
        }
        // A second beginning says nothing new but what was used.
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        out.push(Event::Start {
            id: message.text("id")?.unwrap_or_default().into(),
            model: message.text("model")?.unwrap_or_default().into(),
            created_seconds: None,
        });
        for known in ["type", "role", "stop_reason", "stop_sequence"] {
            message.raw(known)?;
        }
        let content = message.array("content")?.unwrap_or_default();
        out.extend(kept.into_iter().map(Event::Extra));
        keep(message, "message.", out);
        self.tell_usage(out);
        for raw in content {
            // Some proxies begin with blocks that are whole.
            self.open_block(None, raw, out)?;
            self.close(out);
        }
        Ok(())
    }

    fn open(&mut self, mut event: Object<'_>, out: &mut Vec<Event>) -> Result<(), Misfit> {
        self.begin(out);
        let index = event.count("index")?;
        let raw = event
            .raw("content_block")?
            .ok_or_else(|| Misfit::new("is required").within("content_block"))?;
        self.open_block(index, raw, out)
    }

    fn open_block(
        &mut self,
        index: Option<u64>,
        raw: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), Misfit> {
        self.close(out);
        let mut block = Object::parse(raw)?;
        match block.text("type")?.as_deref() {
            Some("text") => {
                let text = block.text("text")?.unwrap_or_default();
                let special = !block.is_empty();
                keep(block, "content_block.", out);
                let mut block = Block::new(index, Shape::Text);
                if special {
                    block.open(Kind::Text, &mut self.parts, out);
                }
                block.feed(&text, &mut self.parts, out);
                self.block = Some(block);
            }
            Some("thinking") => {
                let text = block.text("thinking")?.unwrap_or_default();
                let signature = block.text("signature")?.unwrap_or_default();
                keep(block, "content_block.", out);
                let mut block = Block::new(index, Shape::Reasoning);
                block.open(Kind::Reasoning, &mut self.parts, out);
                block.feed(&text, &mut self.parts, out);
                sign(&mut block, &signature)?;
                self.block = Some(block);
            }
            Some("redacted_thinking") => {
                let data = block.text("data")?.unwrap_or_default().into();
                keep(block, "content_block.", out);
                let mut block = Block::new(index, Shape::Reasoning);
                block.delta(Delta::Redacted(data), &mut self.parts, out);
                self.block = Some(block);
            }
            Some("tool_use") => self.open_call(index, block, out)?,
            _ => {
                out.push(Event::Extra(extras::extra("content_block_start", raw)));
                self.block = Some(Block::new(index, Shape::Other));
            }
        }
        Ok(())
    }

    fn open_call(
        &mut self,
        index: Option<u64>,
        mut block: Object<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Misfit> {
        let name: String = block.text("name")?.unwrap_or_default().into();
        let id = block.text("id")?.filter(|id| !id.is_empty());
        let id = id.map_or_else(|| self.seed.tool_call_id(self.parts), Into::into);
        let input = block.raw("input")?;
        if self.unwraps && name == structured::TOOL {
            let mut block = Block::new(index, Shape::Answer).with_input(input);
            block.open(Kind::Text, &mut self.parts, out);
            self.block = Some(block);
            return Ok(());
        }
        keep(block, "content_block.", out);
        let mut block = Block::new(index, Shape::Call).with_input(input);
        block.open(Kind::ToolCall { id, name }, &mut self.parts, out);
        self.calls += 1;
        self.block = Some(block);
        Ok(())
    }

    fn delta(&mut self, mut event: Object<'_>, out: &mut Vec<Event>) -> Result<(), Misfit> {
        self.begin(out);
        let index = event.count("index")?;
        let raw = event.raw("delta")?.unwrap_or("{}");
        let mut delta = Object::parse(raw).map_err(|misfit| misfit.within("delta"))?;
        let kind = delta.text("type")?.unwrap_or_default();
        let (shape, name) = match &*kind {
            "text_delta" => (Shape::Text, "text"),
            "thinking_delta" => (Shape::Reasoning, "thinking"),
            "signature_delta" => (Shape::Reasoning, "signature"),
            "input_json_delta" => (Shape::Call, "partial_json"),
            _ => (Shape::Other, ""),
        };
        let mut block = self.block_for(index, shape, out)?;
        let parts = &mut self.parts;
        if block.shape == Shape::Other || shape == Shape::Other {
            if block.shape == Shape::Text {
                block.open(Kind::Text, parts, out);
            }
            out.push(Event::Extra(extras::extra("content_block_delta", raw)));
        } else {
            let piece = delta.text(name)?.unwrap_or_default();
            if name == "signature" {
                sign(&mut block, &piece)?;
            } else {
                block.feed(&piece, parts, out);
            }
        }
        self.block = Some(block);
        Ok(())
    }

    /// The block that a delta of this shape belongs to; a new one if the provider forgot to open it.
    fn block_for(
        &mut self,
        index: Option<u64>,
        shape: Shape,
        out: &mut Vec<Event>,
    ) -> Result<Block, Misfit> {
        if let Some(block) = self.block.take() {
            let same = index.is_none() || block.index.is_none() || index == block.index;
            let fits = block.shape == shape
                || block.shape == Shape::Other
                || shape == Shape::Other
                || block.shape == Shape::Answer && shape == Shape::Call;
            match (same, fits) {
                (true, true) => return Ok(block),
                (true, false) => block.close(true, &mut self.parts, out),
                (false, _) => {
                    self.block = Some(block);
                    return Err(Misfit::new("belongs to a block that is not open").within("index"));
                }
            }
        }
        match shape {
            Shape::Text | Shape::Reasoning => Ok(Block::new(index, shape)),
            _ => Err(Misfit::new("belongs to a block that was never opened").within("index")),
        }
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if let Some(block) = self.block.take() {
            if block.shape == Shape::Other {
                out.push(Event::Extra(extras::extra("content_block_stop", "null")));
            }
            block.close(true, &mut self.parts, out);
        }
    }

    /// Why it ends, and what was used. More may be said of it until the stream is over.
    fn end(&mut self, mut event: Object<'_>, out: &mut Vec<Event>) -> Result<(), Misfit> {
        self.begin(out);
        self.close(out);
        let mut delta = event.object("delta")?.unwrap_or_default();
        let details = delta.raw("stop_details")?;
        if let Some(raw) = details {
            let name = "message_delta.delta.stop_details";
            out.push(Event::Extra(extras::extra(name, raw)));
        }
        let sequence = delta.text("stop_sequence")?.map(Into::into);
        if let Some(word) = delta.text("stop_reason")? {
            self.reason = Some(Reason {
                word: word.into(),
                sequence,
                details: details.map(str::to_owned),
            });
        }
        keep(delta, "message_delta.delta.", out);
        if let Some(usage) = event.raw("usage")? {
            let mut kept = Vec::new();
            self.counts
                .merge(Counts::read(usage, "message_delta.usage.", &mut kept)?);
            out.extend(kept.into_iter().map(Event::Extra));
        }
        keep(event, "message_delta.", out);
        Ok(())
    }

    fn conclude(&mut self, out: &mut Vec<Event>) {
        self.close(out);
        let spoken = self.parts > 0;
        let reason = self.reason.take();
        let word = reason.as_ref().map_or("", |reason| &reason.word);
        let sequence = reason
            .as_ref()
            .and_then(|reason| reason.sequence.as_deref());
        let details = reason.as_ref().and_then(|reason| reason.details.as_deref());
        let (stop, known) = stop::read(word, sequence.map(Into::into), details, spoken);
        let stop = match stop {
            Stop::Failed(_) => {
                let message = format!("the provider's answer ended with nothing in it: {word:?}");
                return self.fail(Error::new(Class::Provider, message), out);
            }
            Stop::ToolCalls if self.unwraps && self.calls == 0 => Stop::End,
            stop => stop,
        };
        if !known && let Some(raw) = quoted(word) {
            out.push(Event::Extra(raw));
        }
        out.push(Event::Stop { choice: 0, stop });
        self.tell_usage(out);
        out.push(Event::End);
        self.done = true;
    }

    fn tell_usage(&mut self, out: &mut Vec<Event>) {
        let tokens = self.counts.tokens();
        if let Some(tokens) = tokens.filter(|_| tokens != self.told) {
            self.told = Some(tokens);
            out.push(Event::Usage(tokens));
        }
    }
}

fn keep(object: Object<'_>, prefix: &str, out: &mut Vec<Event>) {
    let mut kept = Vec::new();
    extras::keep(object, prefix, &mut kept);
    out.extend(kept.into_iter().map(Event::Extra));
}

fn sign(block: &mut Block, piece: &str) -> Result<(), Misfit> {
    block
        .sign(piece)
        .map_err(|_| Misfit::new("is too long").within("signature"))
}

/// A reason that we do not know, as it came.
fn quoted(word: &str) -> Option<Extra> {
    if word.is_empty() {
        return None;
    }
    let mut raw = Vec::new();
    payload::scalar::quote(&mut raw, word);
    let raw = String::from_utf8(raw).ok()?;
    Some(extras::extra("message_delta.delta.stop_reason", &raw))
}
