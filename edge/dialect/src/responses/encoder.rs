//! Neutral events as the stream that a client of this dialect reads.
//!
//! Owns the order of the events and what the last one repeats. Must never leave out a first or a last event of
//! anything: clients put an answer together from them and check it against the whole.

use payload::writer::Writer;

use crate::{
    Tokens,
    neutral::{Class, Delta, Error, Event, Extra, Family, Kind, Seed, Stop},
    responses::{
        closing,
        echo::Echo,
        item::REDACTED,
        kept::Kept,
        open::{Body, Called, Open, Said, Thoughts},
        output,
        snapshot::{self, Progress, Snapshot},
        teller::{self, Teller},
    },
};

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
    /// What the last event repeats.
    kept: Kept,
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
            kept: Kept::default(),
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
        if self.kept.is_full() && !self.over {
            // The item that is open would be repeated, too.
            self.item = None;
            self.kept.forget();
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
                let part = Said::new(kind);
                self.tell("response.content_part.added", out, |writer| {
                    writer.key("part");
                    output::write_words(writer, &part.words());
                });
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
        let id = output::item_id(prefix, &self.seed, self.kept.count());
        let open = Open { id, body };
        if !matches!(open.body, Body::Thoughts(_)) {
            self.item_event("response.output_item.added", &open.empty(), out);
        }
        self.item = Some(open);
    }

    fn item_event(&mut self, kind: &str, item: &str, out: &mut Vec<u8>) {
        let index = self.kept.count();
        self.teller.tell(kind, out, |writer| {
            writer.key("output_index").number(index);
            writer.key("item").raw(item);
        });
    }

    /// Tells an event of the item that is open, and of its last part if it is a message.
    fn tell(&mut self, kind: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer)) {
        if let Some(open) = &self.item {
            let at = open.at(self.kept.count());
            self.teller.tell_at(kind, at, out, write);
        }
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let (Delta::Text(piece)
        | Delta::Arguments(piece)
        | Delta::Signature(piece)
        | Delta::Redacted(piece)) = delta;
        let Some(open) = &mut self.item else {
            return;
        };
        self.kept.goes_on(piece);
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
            self.tell("response.reasoning_summary_part.added", out, |writer| {
                writer.key("summary_index").number(0).key("part");
                output::write_summary(writer, "");
            });
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

    /// The part that is open is whole. Its item may go on.
    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(open) = &mut self.item {
            closing::tell(open, self.kept.count(), &mut self.teller, out);
            if let Body::Call(call) = &mut open.body
                && call.arguments.trim().is_empty()
            {
                "{}".clone_into(&mut call.arguments);
            }
        }
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
            self.keep(|writer| open.write(writer, status), out);
        }
    }

    fn keep(&mut self, write: impl FnOnce(&mut Writer), out: &mut Vec<u8>) {
        let index = self.kept.count();
        let item = self.kept.keep(write);
        self.teller
            .tell("response.output_item.done", out, |writer| {
                writer.key("output_index").number(index);
                writer.key("item").raw(item);
            });
    }

    fn extra(&mut self, extra: &Extra, out: &mut Vec<u8>) {
        let raw = extra.value.as_str();
        match extra.name.as_str() {
            "output_item" => {
                self.start(out);
                self.item_done("completed", out);
                self.item_event("response.output_item.added", raw, out);
                let write = |writer: &mut Writer| {
                    writer.raw(raw);
                };
                self.keep(write, out);
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
        self.kept.goes_on(raw);
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
            output: self.kept.items(),
            tokens: self.tokens.as_ref().filter(|_| ended),
        };
        self.teller.tell(kind, out, |writer| {
            writer.key("response");
            snapshot.write(writer, &self.echo, &[]);
        });
    }
}
