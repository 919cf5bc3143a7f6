//! Cohere's stream, read into events.
//!
//! Owns the order of things: what is open, and that all of it is closed. Must never believe that a stream is whole
//! because it stopped: only `message-end` says so. Keeps the event that is coming in, which [`Assembler`] bounds, and
//! no more than an id of what has passed.

use payload::object::Misfit;

use crate::{
    cohere::{
        error,
        finish::{self, Held},
        own, plan,
        step::{self, End, Step, Words},
        usage,
    },
    events::Assembler,
    neutral::{Class, Delta, Error, Event, Kind, Seed},
    sse,
};

/// The only answer there is.
const CHOICE: u32 = 0;

/// Reads a stream.
#[derive(Debug)]
pub struct Decoder {
    assembler: Assembler,
    state: State,
}

#[derive(Debug)]
struct State {
    seed: Seed,
    started: bool,
    ended: bool,
    open: Option<Open>,
    /// How many parts there were, the open one among them.
    parts: u32,
    calls: u32,
    held: Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Plan,
    /// A call, by the provider's number of it.
    Call(Option<u64>),
}

// === impl Decoder ===

impl Decoder {
    /// A decoder of one stream.
    pub fn new(seed: &Seed) -> Self {
        Self {
            assembler: Assembler::default(),
            state: State {
                seed: seed.clone(),
                started: false,
                ended: false,
                open: None,
                parts: 0,
                calls: 0,
                held: Held::default(),
            },
        }
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        let state = &mut self.state;
        if state.ended {
            return;
        }
        let taken = self.assembler.push(bytes, |event| state.take(event, out));
        if let Err(too_long) = taken {
            let error = Error::unreadable(too_long.to_string());
            self.state.fail(error, out);
        }
    }

    /// No more comes.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        let state = &mut self.state;
        self.assembler.finish(|event| state.take(event, out));
        let message = "the provider broke the answer off";
        self.state.fail(Error::new(Class::Provider, message), out);
    }
}

// === impl State ===

impl State {
    fn take(&mut self, event: &[u8], out: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        let event = sse::read(event);
        let name = event.name.and_then(|name| str::from_utf8(name).ok());
        let read = str::from_utf8(&event.data)
            .map_err(|_| Misfit::new("must be UTF-8"))
            .and_then(|data| {
                let step = step::read(name.unwrap_or_default(), data)?;
                self.step(step, out)
            });
        if let Err(misfit) = read {
            let message = format!("the provider sent an event that cannot be read: {misfit}");
            self.fail(Error::unreadable(message), out);
        }
    }

    fn step(&mut self, step: Step<'_>, out: &mut Vec<Event>) -> Result<(), Misfit> {
        match step {
            Step::Nothing => {}
            Step::Start(id) => self.start(&id, out),
            Step::ContentStart(words) => {
                self.close(out);
                self.words(words, out);
            }
            Step::Content(words, likely) => {
                if let Some(raw) = likely {
                    self.start("", out);
                    out.push(Event::Extra(own::extra("logprobs", raw)));
                }
                self.words(words, out);
            }
            Step::Plan(text) => self.say(Open::Plan, &text, out),
            Step::ContentEnd | Step::CallEnd => self.close(out),
            Step::CallStart {
                index,
                id,
                name,
                arguments,
            } => {
                self.call(index, &id, &name, out);
                self.arguments(&arguments, out);
            }
            Step::Call(index, arguments) => {
                if !self.is_open(index) {
                    return Err(Misfit::new("must be that of the open call").within("index"));
                }
                self.arguments(&arguments, out);
            }
            Step::Other(extra) => {
                self.start("", out);
                out.push(Event::Extra(extra));
            }
            Step::End(end) => self.end(end, out),
            Step::Failed(error) => self.fail(error, out),
        }
        Ok(())
    }

    fn start(&mut self, id: &str, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Event::Start {
                id: id.to_owned(),
                model: String::new(),
                created_seconds: None,
            });
        }
    }

    fn words(&mut self, words: Option<Words<'_>>, out: &mut Vec<Event>) {
        match words {
            Some(Words::Text(text)) => self.say(Open::Text, &text, out),
            Some(Words::Thinking(text)) => self.say(Open::Thinking, &text, out),
            None => {}
        }
    }

    /// Goes on with a part of this kind, or begins one. No words begin no part.
    fn say(&mut self, open: Open, text: &str, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if self.open != Some(open) {
            self.close(out);
            self.start("", out);
            let kind = match open {
                Open::Plan => {
                    out.push(Event::Extra(plan::plan_mark()));
                    Kind::Reasoning
                }
                Open::Thinking => {
                    out.push(Event::Extra(plan::thinking_mark()));
                    Kind::Reasoning
                }
                Open::Text | Open::Call(_) => Kind::Text,
            };
            self.begin(open, kind, out);
        }
        self.held.words |= open == Open::Text;
        self.delta(Delta::Text(text.to_owned()), out);
    }

    fn call(&mut self, index: Option<u64>, id: &str, name: &str, out: &mut Vec<Event>) {
        self.close(out);
        self.start("", out);
        let id = if id.is_empty() {
            self.seed.tool_call_id(self.calls)
        } else {
            id.to_owned()
        };
        self.calls = self.calls.saturating_add(1);
        self.held.calls = true;
        let name = name.to_owned();
        self.begin(Open::Call(index), Kind::ToolCall { id, name }, out);
    }

    /// Whether the call of this number is open. Who does not count means the one that is.
    fn is_open(&self, index: Option<u64>) -> bool {
        match self.open {
            Some(Open::Call(open)) => open == index || open.is_none() || index.is_none(),
            _ => false,
        }
    }

    fn arguments(&self, arguments: &str, out: &mut Vec<Event>) {
        if !arguments.is_empty() {
            self.delta(Delta::Arguments(arguments.to_owned()), out);
        }
    }

    fn begin(&mut self, open: Open, kind: Kind, out: &mut Vec<Event>) {
        self.open = Some(open);
        out.push(Event::Open {
            choice: CHOICE,
            part: self.parts,
            kind,
        });
        self.parts = self.parts.saturating_add(1);
    }

    fn delta(&self, delta: Delta, out: &mut Vec<Event>) {
        out.push(Event::Delta {
            choice: CHOICE,
            part: self.parts.saturating_sub(1),
            delta,
        });
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if self.open.take().is_some() {
            out.push(Event::Close {
                choice: CHOICE,
                part: self.parts.saturating_sub(1),
            });
        }
    }

    fn end(&mut self, end: End<'_>, out: &mut Vec<Event>) {
        self.close(out);
        self.start("", out);
        let word = end.word.as_deref().unwrap_or_default();
        let failed = end.error.is_some() || matches!(word, "ERROR" | "TIMEOUT" | "");
        if !failed {
            let stop = finish::decode(word, self.held);
            out.extend(finish::kept(word, &stop).map(Event::Extra));
            out.push(Event::Stop {
                choice: CHOICE,
                stop,
            });
        }
        if let Some(raw) = end.usage {
            out.push(Event::Extra(own::extra("usage", raw)));
            out.extend(usage::tokens(raw).map(Event::Usage));
        }
        if failed {
            let message = end.error.as_deref();
            let message = message.unwrap_or("the provider failed to finish the answer");
            let timeout = (word == "TIMEOUT").then_some(word);
            let kind = end.kind.as_deref().or(timeout);
            let mut error = error::of(0, message, kind);
            error.extra = end.rest;
            self.fail(error, out);
            return;
        }
        self.ended = true;
        out.push(Event::End);
    }

    fn fail(&mut self, error: Error, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.ended, true) {
            self.close(out);
            out.push(Event::Error(error));
        }
    }
}
