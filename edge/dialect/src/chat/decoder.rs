//! Chunks of a stream, cut anywhere, to neutral events.
//!
//! Owns the grammar of what it gives, whatever a provider sends. Must never say that a stream is whole that was not:
//! there must be a reason for the end of every answer in it.

mod chunk;
mod calls;
mod speech;

use memchr::memmem;

use crate::{
    Tokens,
    chat::{
        answer::CHOICES_MAX,
        decoder::{chunk::Chunk, speech::Speech},
        error,
    },
    events::Assembler,
    neutral::{Error, Event, Extra, Seed},
    sse,
};

/// How many members of chunks are remembered, so that each is told once. Full: others are told every time.
const TOLD_MAX: usize = 32;
/// The longest value that is remembered so. Full: it is told every time.
const TOLD_BYTES_MAX: usize = 1_024;

/// Reads one stream.
#[derive(Debug)]
pub struct Decoder {
    assembler: Assembler,
    reader: Reader,
}

#[derive(Debug)]
struct Reader {
    seed: Seed,
    speeches: Vec<Speech>,
    tokens: Option<Tokens>,
    told: Vec<Extra>,
    started: bool,
    over: bool,
}

// === impl Decoder ===

impl Decoder {
    /// A decoder for a new stream.
    pub fn new(seed: &Seed) -> Self {
        Self {
            assembler: Assembler::default(),
            reader: Reader {
                seed: seed.clone(),
                speeches: Vec::new(),
                tokens: None,
                told: Vec::new(),
                started: false,
                over: false,
            },
        }
    }

    /// Takes what the provider sent.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        if self.reader.over {
            return;
        }
        let reader = &mut self.reader;
        let pushed = self.assembler.push(bytes, |event| reader.event(event, out));
        if let Err(too_long) = pushed {
            self.reader.fail(
                error::unreadable(&format!("the provider's stream: {too_long}")),
                out,
            );
        }
    }

    /// The provider's stream has ended.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        let reader = &mut self.reader;
        self.assembler.finish(|event| {
            // A last event that was cut is no event.
            let whole = sse::read(event).data.trim_ascii_end().ends_with(b"}");
            if whole || event.starts_with(b"data: [DONE]") {
                reader.event(event, out);
            }
        });
        reader.end(out);
    }
}

// === impl Reader ===

impl Reader {
    fn event(&mut self, event: &[u8], out: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let event = sse::read(event);
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return;
        }
        if data.starts_with(b"[DONE]") {
            self.end(out);
            return;
        }
        let Ok(data) = str::from_utf8(data) else {
            self.fail(error::unreadable("the provider's stream is not UTF-8"), out);
            return;
        };
        if event.name == Some(b"error") {
            self.fail(error::of_event(data), out);
            return;
        }
        // Most chunks do not have the word, and are not read twice.
        let error = memmem::find(data.as_bytes(), b"error").and_then(|_| error::within(data));
        match error {
            Some(error) => self.fail(error, out),
            None => self.chunk(data, out),
        }
    }

    fn chunk(&mut self, data: &str, out: &mut Vec<Event>) {
        let chunk = match chunk::read(data) {
            Ok(chunk) => chunk,
            Err(misfit) => {
                let message = format!("the provider's stream cannot be read: {misfit}");
                self.fail(error::unreadable(&message), out);
                return;
            }
        };
        self.start(&chunk, out);
        for extra in chunk.extra {
            self.tell(extra, out);
        }
        for mut piece in chunk.choices {
            out.extend(
                std::mem::take(&mut piece.extra)
                    .into_iter()
                    .map(Event::Extra),
            );
            let at = self
                .speeches
                .partition_point(|speech| speech.index < piece.index);
            if self
                .speeches
                .get(at)
                .is_none_or(|speech| speech.index != piece.index)
            {
                if self.speeches.len() == CHOICES_MAX {
                    self.fail(
                        error::broken("the provider's stream has too many choices"),
                        out,
                    );
                    return;
                }
                self.speeches.insert(at, Speech::new(piece.index));
            }
            let pushed = self
                .speeches
                .get_mut(at)
                .map(|speech| speech.push(piece, &self.seed, out));
            if let Some(Err(speech::Full)) = pushed {
                self.fail(
                    error::broken("the provider's stream mixes too many calls"),
                    out,
                );
                return;
            }
        }
        if chunk.tokens.is_some() && chunk.tokens != self.tokens {
            self.tokens = chunk.tokens;
            out.extend(chunk.tokens.map(Event::Usage));
        }
    }

    /// The first chunk that belongs to the answer: one before it may only say what became of the prompt.
    fn start(&mut self, chunk: &Chunk<'_>, out: &mut Vec<Event>) {
        if self.started || (chunk.id.is_empty() && chunk.choices.is_empty()) {
            return;
        }
        self.started = true;
        out.push(Event::Start {
            id: chunk.id.clone().into_owned(),
            model: chunk.model.clone().into_owned(),
            created_seconds: chunk.created_seconds,
        });
    }

    /// Tells a member of a chunk, unless it was told and is the same.
    fn tell(&mut self, extra: Extra, out: &mut Vec<Event>) {
        let short = extra.value.as_str().len() <= TOLD_BYTES_MAX;
        let room = short && self.told.len() < TOLD_MAX;
        match self.told.iter_mut().find(|told| told.name == extra.name) {
            Some(told) if *told == extra => return,
            Some(told) if short => *told = extra.clone(),
            None if room => self.told.push(extra.clone()),
            Some(_) | None => {}
        }
        out.push(Event::Extra(extra));
    }

    fn settle(&mut self, out: &mut Vec<Event>) {
        for speech in &mut self.speeches {
            speech.settle(&self.seed, out);
        }
    }

    /// `[DONE]`, or the end of all bytes: it is a proper one if all answers ended.
    fn end(&mut self, out: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let whole =
            !self.speeches.is_empty() && self.speeches.iter().all(|speech| speech.stop().is_some());
        if !whole {
            self.fail(
                error::broken("the provider's stream ended before the answer did"),
                out,
            );
            return;
        }
        self.settle(out);
        if self.speeches.iter().any(Speech::is_stuck) {
            self.fail(
                error::broken("the provider called a tool without its name"),
                out,
            );
            return;
        }
        self.over = true;
        for speech in &self.speeches {
            let choice = speech.index;
            out.extend(speech.stop().map(|stop| Event::Stop { choice, stop }));
        }
        out.push(Event::End);
    }

    fn fail(&mut self, error: Error, out: &mut Vec<Event>) {
        self.settle(out);
        self.over = true;
        out.push(Event::Error(error));
    }
}
