//! Neutral events, written as a client's stream.
//!
//! Owns the order that strict clients check: who speaks once per answer, numbers of calls without gaps, why it ended
//! once, then what was used, then `[DONE]`. Must never write `[DONE]` behind a failure.

use crate::{
    Tokens,
    chat::{answer, error, extras, stop, usage},
    neutral::{Class, Delta, Error, Event, Extra, Kind, Seed, Stop},
    writer::Writer,
};

/// Members that stand in every chunk.
const HEAD: [&str; 2] = ["system_fingerprint", "service_tier"];

/// What a client asked of its stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether it is to end with its usage.
    pub include_usage: bool,
}

/// Writes a stream.
#[derive(Debug)]
pub struct Encoder {
    seed: Seed,
    options: Options,
    id: String,
    model: String,
    created_seconds: Option<u64>,
    head: Vec<Extra>,
    choices: Vec<Choice>,
    tokens: Option<Tokens>,
    done: bool,
}

/// One answer.
#[derive(Debug)]
struct Choice {
    index: u32,
    calls: u32,
    /// How many thoughts there were; the open one is the last of them.
    thoughts: u32,
    /// Where the words of the open part stand.
    speech: &'static str,
    /// Whether the call that is open had arguments; none if no call is open.
    argued: Option<bool>,
    said: stop::Said,
    stopped: bool,
}

// === impl Encoder ===

impl Encoder {
    /// A writer of a new stream.
    pub fn new(seed: &Seed, options: Options) -> Self {
        Self {
            seed: seed.clone(),
            options,
            id: String::new(),
            model: String::new(),
            created_seconds: None,
            head: Vec::new(),
            choices: Vec::new(),
            tokens: None,
            done: false,
        }
    }

    /// Writes what an event comes to.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        match event {
            Event::Start {
                id,
                model,
                created_seconds,
            } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
                self.created_seconds = *created_seconds;
            }
            Event::Open { choice, kind, .. } => self.open(*choice, kind, out),
            Event::Delta { choice, delta, .. } => self.delta(*choice, delta, out),
            Event::Close { choice, .. } => self.close(*choice, out),
            Event::Stop { choice, stop } => self.stop(*choice, stop, out),
            Event::Usage(tokens) => self.tokens = Some(*tokens),
            Event::Ping => out.extend(b": ping\n\n"),
            Event::Extra(extra) if extras::is_own(extra) => self.extra(extra, out),
            Event::Extra(_) => {}
            Event::Error(error) => self.fail(error, out),
            Event::End => self.conclude(out),
        }
    }

    /// The answer of this number, which has said who speaks. `None` once it has ended.
    fn speaking(&mut self, index: u32, out: &mut Vec<u8>) -> Option<usize> {
        let at = self.choices.iter().position(|choice| choice.index == index);
        let at = at.unwrap_or_else(|| {
            self.choices.push(Choice {
                index,
                calls: 0,
                thoughts: 0,
                speech: "content",
                argued: None,
                said: stop::Said::default(),
                stopped: false,
            });
            self.write(index, None, out, |writer| {
                writer.key("role").text("assistant");
                writer.key("content").text("").key("refusal").null();
            });
            self.choices.len() - 1
        });
        self.choices
            .get(at)
            .filter(|choice| !choice.stopped)
            .map(|_| at)
    }

    fn open(&mut self, index: u32, kind: &Kind, out: &mut Vec<u8>) {
        let Some(at) = self.speaking(index, out) else {
            return;
        };
        let Some(choice) = self.choices.get_mut(at) else {
            return;
        };
        choice.said.spoken = true;
        match kind {
            Kind::Text => choice.speech = "content",
            Kind::Refusal => {
                choice.speech = "refusal";
                choice.said.refusal = true;
            }
            Kind::Reasoning => {
                choice.speech = "reasoning_content";
                choice.thoughts = choice.thoughts.saturating_add(1);
            }
            Kind::ToolCall { id, name } => {
                choice.said.calls = true;
                choice.argued = Some(false);
                choice.calls = choice.calls.saturating_add(1);
                let number = choice.calls - 1;
                self.write_call(index, number, out, |writer| {
                    writer.key("id").text(id).key("type").text("function");
                    writer.key("function").open().key("name").text(name);
                    writer.key("arguments").text("").close();
                });
            }
        }
    }

    fn delta(&mut self, index: u32, delta: &Delta, out: &mut Vec<u8>) {
        let Some(at) = self.speaking(index, out) else {
            return;
        };
        let Some(choice) = self.choices.get_mut(at) else {
            return;
        };
        let thought = choice.thoughts.saturating_sub(1);
        match delta {
            Delta::Text(text) | Delta::Arguments(text) if text.is_empty() => {}
            Delta::Arguments(piece) => {
                choice.argued = Some(true);
                let number = choice.calls.saturating_sub(1);
                self.write_call(index, number, out, |writer| {
                    writer.key("function").open();
                    writer.key("arguments").text(piece).close();
                });
            }
            Delta::Text(text) => {
                let name = choice.speech;
                self.write(index, None, out, |writer| {
                    writer.key(name).text(text);
                    if name == "reasoning_content" {
                        write_detail(writer, thought, "reasoning.text", &[("text", text)]);
                    }
                });
            }
            Delta::Signature(proof) => self.write(index, None, out, |writer| {
                let members = [("text", ""), ("signature", proof)];
                write_detail(writer, thought, "reasoning.text", &members);
            }),
            Delta::Redacted(data) => self.write(index, None, out, |writer| {
                write_detail(writer, thought, "reasoning.encrypted", &[("data", data)]);
            }),
        }
    }

    fn close(&mut self, index: u32, out: &mut Vec<u8>) {
        let choice = self.choices.iter_mut().find(|choice| choice.index == index);
        if let Some(choice) = choice
            && choice.argued.take() == Some(false)
            && !choice.stopped
        {
            let number = choice.calls.saturating_sub(1);
            self.write_call(index, number, out, |writer| {
                writer.key("function").open();
                writer.key("arguments").text("{}").close();
            });
        }
    }

    fn stop(&mut self, index: u32, stop: &Stop, out: &mut Vec<u8>) {
        if let Stop::Failed(why) = stop {
            let message = format!("the provider's answer failed: {why}");
            return self.fail(&Error::new(Class::Provider, message), out);
        }
        self.close(index, out);
        let Some(at) = self.speaking(index, out) else {
            return;
        };
        let Some(choice) = self.choices.get_mut(at) else {
            return;
        };
        choice.stopped = true;
        let said = choice.said;
        if let Stop::Refused(Some(why)) = stop
            && !said.refusal
        {
            self.write(index, None, out, |writer| {
                writer.key("refusal").text(why);
            });
        }
        let word = stop::word(Some(stop), said);
        self.write(index, Some(word), out, |_| {});
    }

    /// A member of a chunk, kept for all that follow, or one of an answer, written at once.
    fn extra(&mut self, extra: &Extra, out: &mut Vec<u8>) {
        let name = extra.name.as_str();
        if HEAD.contains(&name) && extras::find(&self.head, name).is_none() {
            self.head.push(extra.clone());
            return;
        }
        let placed = name.strip_prefix("choices[").and_then(|rest| {
            let (index, name) = rest.split_once("].")?;
            Some((index.parse().ok()?, name))
        });
        let Some((index, name)) = placed else {
            return;
        };
        if self.speaking(index, out).is_none() {
            return;
        }
        let raw = extra.value.as_str();
        if let Some(name) = name.strip_prefix("delta.") {
            self.write(index, None, out, |writer| {
                writer.key(name).raw(raw);
            });
        } else {
            self.chunk(out, |writer| {
                writer.open().key("index").number(index.into());
                writer.key("delta").open().close();
                writer.key(name).raw(raw);
                writer.key("finish_reason").null().close();
            });
        }
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend(error::event(error));
        self.done = true;
    }

    fn conclude(&mut self, out: &mut Vec<u8>) {
        if self.choices.is_empty() {
            self.stop(0, &Stop::End, out);
        }
        let open = self.choices.iter().filter(|choice| !choice.stopped);
        let open: Vec<_> = open.map(|choice| (choice.index, choice.said)).collect();
        for (index, said) in open {
            let stop = if said.calls {
                Stop::ToolCalls
            } else {
                Stop::End
            };
            self.stop(index, &stop, out);
        }
        if self.options.include_usage
            && let Some(tokens) = self.tokens
        {
            self.line(out, |writer| {
                writer.key("choices").open_array().close_array();
                writer.key("usage");
                usage::write(writer, &tokens);
            });
        }
        out.extend(b"data: [DONE]\n\n");
        self.done = true;
    }

    fn write_call(
        &self,
        index: u32,
        number: u32,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Writer),
    ) {
        self.write(index, None, out, |writer| {
            writer.key("tool_calls").open_array().open();
            writer.key("index").number(number.into());
            members(writer);
            writer.close().close_array();
        });
    }

    /// A chunk with a delta.
    fn write(
        &self,
        index: u32,
        finish: Option<&str>,
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Writer),
    ) {
        self.chunk(out, |writer| {
            writer.open().key("index").number(index.into());
            writer.key("delta").open();
            members(writer);
            writer.close().key("finish_reason");
            match finish {
                Some(word) => writer.text(word),
                None => writer.null(),
            };
            writer.close();
        });
    }

    /// A chunk with one answer in it.
    fn chunk(&self, out: &mut Vec<u8>, choice: impl FnOnce(&mut Writer)) {
        self.line(out, |writer| {
            writer.key("choices").open_array();
            choice(writer);
            writer.close_array();
            if self.options.include_usage {
                writer.key("usage").null();
            }
        });
    }

    fn line(&self, out: &mut Vec<u8>, members: impl FnOnce(&mut Writer)) {
        let mut writer = Writer::default();
        let id = answer::id(&self.id, &self.seed);
        let created = self.created_seconds.unwrap_or(self.seed.now_seconds);
        writer.open().key("id").text(&id);
        writer.key("object").text("chat.completion.chunk");
        writer.key("created").number(created);
        writer.key("model").text(&self.model);
        extras::write(&mut writer, extras::under(&self.head, ""));
        members(&mut writer);
        writer.close();
        out.extend(b"data: ");
        out.extend(writer.into_bytes());
        out.extend(b"\n\n");
    }
}

fn write_detail(writer: &mut Writer, number: u32, kind: &str, members: &[(&str, &str)]) {
    writer.key("reasoning_details").open_array().open();
    writer.key("type").text(kind);
    for (name, value) in members {
        writer.key(name).text(value);
    }
    writer.key("index").number(number.into());
    writer.close().close_array();
}
