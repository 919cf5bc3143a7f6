//! Neutral events as the stream that a client of this dialect reads.
//!
//! Owns the order of the events and what the last one repeats. Must never leave out a first or a last event of
//! anything: clients put an answer together from them and check it against the whole.

use payload::writer::Writer;

use crate::{
    Tokens,
    neutral::{Class, Delta, Error, Event, Extra, Family, Kind, Seed, Stop},
    responses::{
        echo::Echo,
        item::{self, REDACTED},
        open::{Body, Called, Open, Said, Thoughts},
        output,
        snapshot::{self, Progress, Snapshot},
        teller::{self, At, Teller},
    },
};

/// How much of an answer is kept for the last event, which repeats all of it, in bytes. Full: the stream fails, because
/// a client could not trust an end that repeats a part of it.
pub const OUTPUT_BYTES_MAX: usize = 64 << 20;

const TEXT_DELTA: &str = "response.output_text.delta";
const SUMMARY_DELTA: &str = "response.reasoning_summary_text.delta";

/// Writes a stream.
#[derive(Debug)]
pub struct Encoder {
    seed: Seed,
    echo: Echo,
    id: String,
    model: String,
    created_seconds: u64,
    teller: Teller,
    started: bool,
    over: bool,
    /// The items that are whole, as they were written.
    items: Vec<String>,
    kept_bytes: usize,
    item: Option<Open>,
    stop: Option<Stop>,
    tokens: Option<Tokens>,
}

// === impl Encoder ===

impl Encoder {
    /// Before the first event. `echo` is what the answer repeats of its request.
    pub fn new(seed: &Seed, echo: Echo) -> Self {
        Self {
            seed: seed.clone(),
            echo,
            id: snapshot::id("", seed),
            model: String::new(),
            created_seconds: seed.now_seconds,
            teller: Teller::default(),
            started: false,
            over: false,
            items: Vec::new(),
            kept_bytes: 0,
            item: None,
            stop: None,
            tokens: None,
        }
    }

    /// Writes what an event means to the client. Only the first of several choices has a place in this dialect.
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
                self.id = snapshot::id(id, &self.seed);
                self.model.clone_from(model);
                self.created_seconds = created_seconds.unwrap_or(self.seed.now_seconds);
                self.start(out);
            }
            Event::Open {
                choice: 0, kind, ..
            } => self.open(kind, out),
            Event::Delta {
                choice: 0, delta, ..
            } => self.delta(delta, out),
            Event::Close { choice: 0, .. } => self.close(out),
            Event::Stop { choice: 0, stop } => self.stop = Some(stop.clone()),
            Event::Usage(tokens) => self.tokens = Some(*tokens),
            Event::Ping => out.extend(b": ping\n\n"),
            Event::Extra(extra) if extra.family == Family::Responses => self.extra(extra, out),
            Event::Error(error) => self.fail(error, out),
            Event::End => self.end(out),
            _ => {}
        }
        if self.kept_bytes > OUTPUT_BYTES_MAX && !self.over {
            let message = "the answer is longer than can be repeated at its end";
            self.fail(&Error::new(Class::Provider, message), out);
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.started = true;
            self.lifecycle("response.created", Progress::Running, out);
            self.lifecycle("response.in_progress", Progress::Running, out);
        }
    }

    fn open(&mut self, kind: &Kind, out: &mut Vec<u8>) {
        self.start(out);
        match kind {
            Kind::Text | Kind::Refusal => {
                if !matches!(
                    self.item.as_ref().map(|it| &it.body),
                    Some(Body::Message(_))
                ) {
                    self.begin("msg", Body::Message(Vec::new()), out);
                }
                if let Some(Body::Message(parts)) = self.item.as_mut().map(|it| &mut it.body) {
                    parts.push(Said::new(kind));
                }
                self.part("response.content_part.added", out);
            }
            Kind::Reasoning => self.begin("rs", Body::Thoughts(Thoughts::default()), out),
            Kind::ToolCall { id, name } => {
                let custom = self.echo.is_custom(name);
                let call = Called {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    custom,
                };
                let prefix = if custom { "ctc" } else { "fc" };
                self.begin(prefix, Body::Call(call), out);
            }
        }
    }

    /// Begins an item, where the one before ends.
    fn begin(&mut self, prefix: &str, body: Body, out: &mut Vec<u8>) {
        self.item_done("completed", out);
        let id = output::item_id(prefix, &self.seed, teller::number(self.items.len()));
        let open = Open { id, body };
        if !matches!(open.body, Body::Thoughts(_)) {
            self.item_event("response.output_item.added", &open.empty(), out);
        }
        self.item = Some(open);
    }

    fn item_event(&mut self, kind: &str, item: &str, out: &mut Vec<u8>) {
        let index = teller::number(self.items.len());
        self.teller.tell(kind, out, |writer| {
            writer.key("output_index").number(index);
            writer.key("item").raw(item);
        });
    }

    /// Tells of the last part of the message that is open.
    fn part(&mut self, kind: &str, out: &mut Vec<u8>) {
        if let Some(Open {
            body: Body::Message(parts),
            ..
        }) = &self.item
            && let Some(part) = parts.last()
        {
            let mut words = Writer::default();
            output::write_words(&mut words, &part.words());
            let words = String::from_utf8(words.into_bytes()).unwrap_or_default();
            self.tell(kind, out, |writer| {
                writer.key("part").raw(&words);
            });
        }
    }

    /// Tells an event of the item that is open, and of its last part if it is a message.
    fn tell(&mut self, kind: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer)) {
        let Some(open) = &self.item else {
            return;
        };
        let at = At {
            item_id: &open.id,
            output_index: teller::number(self.items.len()),
            content_index: match &open.body {
                Body::Message(parts) => parts.len().checked_sub(1),
                _ => None,
            },
        };
        self.teller.tell_at(kind, at, out, write);
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let (Delta::Text(piece)
        | Delta::Arguments(piece)
        | Delta::Signature(piece)
        | Delta::Redacted(piece)) = delta;
        self.kept_bytes += piece.len();
        let Some(open) = &mut self.item else {
            return;
        };
        match (&mut open.body, delta) {
            (Body::Message(parts), Delta::Text(_)) => {
                let Some(part) = parts.last_mut() else {
                    return;
                };
                part.text.push_str(piece);
                let kind = if part.refusal {
                    "response.refusal.delta"
                } else {
                    TEXT_DELTA
                };
                self.piece(kind, piece, out);
            }
            (Body::Thoughts(thoughts), Delta::Text(_)) => {
                thoughts.text.push_str(piece);
                self.thoughts_told(out);
                self.piece(SUMMARY_DELTA, piece, out);
            }
            (Body::Thoughts(thoughts), Delta::Signature(_)) => {
                thoughts.sealed = Some(piece.clone());
            }
            (Body::Thoughts(thoughts), Delta::Redacted(_)) => {
                thoughts.sealed = Some(format!("{REDACTED}{piece}"));
            }
            (Body::Call(call), Delta::Arguments(_)) => {
                call.arguments.push_str(piece);
                // The text of a custom call is only known when the object that holds it is whole.
                if !call.custom {
                    self.piece("response.function_call_arguments.delta", piece, out);
                }
            }
            _ => {}
        }
    }

    fn piece(&mut self, kind: &str, piece: &str, out: &mut Vec<u8>) {
        if piece.is_empty() {
            return;
        }
        self.tell(kind, out, |writer| {
            if kind == SUMMARY_DELTA {
                writer.key("summary_index").number(0);
            }
            writer.key("delta").text(piece);
            if kind == TEXT_DELTA {
                writer.key("logprobs").open_array().close_array();
            }
        });
    }

    /// Before the first thought: the item and the part of its summary.
    fn thoughts_told(&mut self, out: &mut Vec<u8>) {
        if self.announce(out) {
            self.summary("response.reasoning_summary_part.added", "", out);
        }
    }

    /// Tells of the thoughts that are open, unless the client knows of them. Tells whether it did.
    fn announce(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(open) = &mut self.item else {
            return false;
        };
        match &mut open.body {
            Body::Thoughts(thoughts) if !thoughts.told => thoughts.told = true,
            _ => return false,
        }
        let empty = open.empty();
        self.item_event("response.output_item.added", &empty, out);
        true
    }

    fn summary(&mut self, kind: &str, text: &str, out: &mut Vec<u8>) {
        self.tell(kind, out, |writer| {
            writer.key("summary_index").number(0);
            if kind == "response.reasoning_summary_text.done" {
                writer.key("text").text(text);
            } else {
                writer.key("part");
                output::write_summary(writer, text);
            }
        });
    }

    /// The part that is open is whole. Its item may go on.
    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(open) = &mut self.item else {
            return;
        };
        match &mut open.body {
            Body::Message(parts) => {
                let Some(part) = parts.last() else {
                    return;
                };
                let (text, refusal) = (part.text.clone(), part.refusal);
                self.words_done(&text, refusal, out);
                self.part("response.content_part.done", out);
            }
            Body::Thoughts(thoughts) => {
                if thoughts.told {
                    let text = thoughts.text.clone();
                    self.summary("response.reasoning_summary_text.done", &text, out);
                    self.summary("response.reasoning_summary_part.done", &text, out);
                }
            }
            Body::Call(call) => {
                let missing = call.arguments.trim().is_empty();
                if missing {
                    "{}".clone_into(&mut call.arguments);
                }
                let arguments = call.arguments.clone();
                if call.custom {
                    self.custom_done(&item::unwrapped(&arguments), out);
                } else {
                    self.call_done(&arguments, missing, out);
                }
            }
        }
    }

    fn words_done(&mut self, text: &str, refusal: bool, out: &mut Vec<u8>) {
        if refusal {
            self.tell("response.refusal.done", out, |writer| {
                writer.key("refusal").text(text);
            });
        } else {
            self.tell("response.output_text.done", out, |writer| {
                writer.key("text").text(text);
                writer.key("logprobs").open_array().close_array();
            });
        }
    }

    fn call_done(&mut self, arguments: &str, missing: bool, out: &mut Vec<u8>) {
        if missing {
            self.piece("response.function_call_arguments.delta", arguments, out);
        }
        self.tell("response.function_call_arguments.done", out, |writer| {
            writer.key("arguments").text(arguments);
        });
    }

    fn custom_done(&mut self, input: &str, out: &mut Vec<u8>) {
        self.piece("response.custom_tool_call_input.delta", input, out);
        self.tell("response.custom_tool_call_input.done", out, |writer| {
            writer.key("input").text(input);
        });
    }

    /// The item that is open is whole, as far as it came. Thoughts that say and prove nothing are none.
    fn item_done(&mut self, status: &str, out: &mut Vec<u8>) {
        let told = match self.item.as_ref().map(|it| &it.body) {
            Some(Body::Thoughts(thoughts)) => thoughts.told || thoughts.sealed.is_some(),
            _ => true,
        };
        if !told {
            self.item = None;
        }
        self.announce(out);
        if let Some(open) = self.item.take() {
            self.keep(open.written(status), out);
        }
    }

    fn keep(&mut self, item: String, out: &mut Vec<u8>) {
        self.item_event("response.output_item.done", &item, out);
        self.kept_bytes += item.len();
        self.items.push(item);
    }

    fn extra(&mut self, extra: &Extra, out: &mut Vec<u8>) {
        let raw = extra.value.as_str();
        match extra.name.as_str() {
            "output_item" => {
                self.start(out);
                self.item_done("completed", out);
                self.item_event("response.output_item.added", raw, out);
                self.keep(raw.to_owned(), out);
            }
            "annotation" => self.annotation(raw, out),
            _ => {}
        }
    }

    fn annotation(&mut self, raw: &str, out: &mut Vec<u8>) {
        let Some(Body::Message(parts)) = self.item.as_mut().map(|it| &mut it.body) else {
            return;
        };
        let Some(number) = parts.last_mut().map(|part| part.annotate(raw)) else {
            return;
        };
        self.kept_bytes += raw.len();
        self.tell("response.output_text.annotation.added", out, |writer| {
            let number = teller::number(number);
            writer.key("annotation_index").number(number);
            writer.key("annotation").raw(raw);
        });
    }

    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.item_done("incomplete", out);
        self.teller.tell_error(error, out);
        self.lifecycle("response.failed", snapshot::failed(error), out);
        self.over = true;
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        let stop = self.stop.take();
        let status = Progress::of(stop.as_ref());
        self.item_done(status.last_item(), out);
        let kind = match status {
            Progress::Incomplete(_) => "response.incomplete",
            Progress::Failed(..) => "response.failed",
            _ => "response.completed",
        };
        self.lifecycle(kind, status, out);
        self.over = true;
    }

    fn lifecycle(&mut self, kind: &str, status: Progress<'_>, out: &mut Vec<u8>) {
        let ended = !matches!(status, Progress::Running);
        let snapshot = Snapshot {
            id: &self.id,
            model: &self.model,
            created_seconds: self.created_seconds,
            status,
            output: &format!("[{}]", self.items.join(",")),
            tokens: self.tokens.as_ref().filter(|_| ended),
        };
        self.teller.tell(kind, out, |writer| {
            writer.key("response");
            snapshot.write(writer, &self.echo, &[]);
        });
    }
}
