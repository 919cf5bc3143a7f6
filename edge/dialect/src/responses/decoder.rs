//! A provider's stream, cut anywhere, as neutral events.
//!
//! Owns how a stream begins and ends: a stream without its last event is broken, and so is one that says that it is.
//! Must never pass on what comes behind the end.

use payload::object::{Misfit, Object};

use crate::{
    events::Assembler,
    neutral::{Class, Error, Event, Seed, Stop},
    responses::{
        answer, error,
        reader::{self, Reader, Trouble},
        usage,
    },
    sse,
    tokens::Tier,
};

/// Reads a stream. It keeps the event that is open, which [`crate::events::EVENT_BYTES_MAX`] bounds, and what waits
/// behind a part that is open, which is bounded, too.
#[derive(Debug)]
pub struct Decoder {
    assembler: Assembler,
    reader: Reader,
    started: bool,
    /// An `error` told of a failure. All that may come now is `response.failed`, which says what was used.
    failed: bool,
    over: bool,
}

// === impl Decoder ===

impl Decoder {
    /// Before the first byte.
    pub fn new(seed: &Seed) -> Self {
        Self {
            assembler: Assembler::default(),
            reader: Reader::new(seed),
            started: false,
            failed: false,
            over: false,
        }
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let mut assembler = std::mem::take(&mut self.assembler);
        let pushed = assembler.push(bytes, |event| self.event(event, false, out));
        self.assembler = assembler;
        if let Err(too_long) = pushed {
            self.fail(Error::unreadable(too_long.to_string()), out);
        }
    }

    /// No more comes.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let mut assembler = std::mem::take(&mut self.assembler);
        assembler.finish(|event| self.event(event, true, out));
        let message = "the provider's stream ended before its answer was whole";
        self.fail(Error::new(Class::Provider, message), out);
    }

    /// Reads an event. `cut`: it came without its end, and may not be whole.
    fn event(&mut self, event: &[u8], cut: bool, out: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let event = sse::read(event);
        let data = str::from_utf8(&event.data);
        // Some servers end like another dialect does.
        if data.is_ok_and(|data| data.trim().is_empty() || data.starts_with("[DONE]")) {
            return;
        }
        let name = event.name.and_then(|name| str::from_utf8(name).ok());
        let read = match data {
            Ok(data) => self.read(name, data, out),
            Err(_) => Err(Misfit::new("must be UTF-8").into()),
        };
        let message = match read {
            Ok(()) => return,
            Err(_) if cut => return,
            Err(Trouble::Full) => "the provider's stream holds too much at once".to_owned(),
            Err(Trouble::Misfit(misfit)) => {
                format!("the provider's stream cannot be read: {misfit}")
            }
        };
        self.fail(Error::unreadable(message), out);
    }

    fn read(
        &mut self,
        name: Option<&str>,
        data: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), Trouble> {
        let mut event = Object::parse(data)?;
        let kind = event.text("type")?;
        let kind = kind.as_deref().or(name).unwrap_or_default();
        if self.failed {
            self.over = true;
            if let ("response.failed", Some(mut response)) = (kind, event.object("response")?) {
                spend(&mut response, out);
            }
            return Ok(());
        }
        match kind {
            "response.created" | "response.queued" | "response.in_progress" => {
                if let Some(mut response) = event.object("response")? {
                    self.start(&mut response, out)?;
                }
            }
            "response.completed" => self.whole(&mut event, true, out)?,
            "response.incomplete" => self.whole(&mut event, false, out)?,
            "response.failed" | "response.cancelled" => self.failed(&mut event, out)?,
            "error" => {
                self.fail(failure(data), out);
                self.over = false;
            }
            "keepalive" | "ping" => out.push(Event::Ping),
            _ if event.has("error") && !kind.starts_with("response.") => {
                self.fail(failure(data), out);
            }
            _ => {
                self.start(&mut Object::default(), out)?;
                self.reader.read(kind, &mut event, out)?;
            }
        }
        Ok(())
    }

    fn start(&mut self, response: &mut Object<'_>, out: &mut Vec<Event>) -> Result<(), Misfit> {
        if self.started {
            return Ok(());
        }
        let start = Event::Start {
            id: response.text("id")?.unwrap_or_default().into(),
            model: response.text("model")?.unwrap_or_default().into(),
            created_seconds: response.count("created_at")?,
        };
        self.started = true;
        out.push(start);
        Ok(())
    }

    fn whole(
        &mut self,
        event: &mut Object<'_>,
        complete: bool,
        out: &mut Vec<Event>,
    ) -> Result<(), Trouble> {
        let mut response = event.object("response")?.unwrap_or_default();
        self.start(&mut response, out)?;
        let output = reader::output_of(&mut response);
        self.reader.finish(&output, out)?;
        let stop = answer::read_stop(&mut response, self.reader.seen(), &mut Vec::new())?;
        // Where the response does not say it, its last event does.
        let stop = stop.unwrap_or(if complete {
            self.reader.seen().completed()
        } else {
            Stop::Length
        });
        out.push(Event::Stop { choice: 0, stop });
        spend(&mut response, out);
        out.push(Event::End);
        self.over = true;
        Ok(())
    }

    /// What was used is told before the failure: the provider counts it all the same.
    fn failed(&mut self, event: &mut Object<'_>, out: &mut Vec<Event>) -> Result<(), Trouble> {
        let mut response = event.object("response")?.unwrap_or_default();
        self.reader.abandon(out);
        spend(&mut response, out);
        let raw = response.raw("error")?.unwrap_or("{}");
        self.fail(failure(raw), out);
        Ok(())
    }

    /// Ends the stream. What the provider said of it first is what the client hears.
    fn fail(&mut self, error: Error, out: &mut Vec<Event>) {
        if !self.over && !self.failed {
            self.failed = true;
            self.reader.abandon(out);
            out.push(Event::Error(error));
        }
        self.over = true;
    }
}

fn failure(raw: &str) -> Error {
    let message = "the provider failed and did not say why";
    error::said(0, raw).unwrap_or_else(|| Error::new(Class::Provider, message))
}

fn spend(response: &mut Object<'_>, out: &mut Vec<Event>) {
    let raw = response.raw("usage").ok().flatten();
    let tier = Tier::told(response.peek("service_tier"));
    let tokens = raw.and_then(usage::tokens);
    out.extend(tokens.map(|it| Event::Usage(it.served(tier))));
}
