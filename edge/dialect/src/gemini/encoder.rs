//! Neutral events into the stream that a client of Gemini reads.
//!
//! Every chunk is a `GenerateContentResponse` of its own, with whole parts: a call is kept until its arguments are
//! whole, a signature until the part comes that it stands on. The last chunk says why each candidate ended.

use payload::writer::Writer;

use crate::{
    Tokens,
    gemini::{
        answer, call,
        candidate::{self, FINISH_REASON},
        chunk::Frames,
        own, part, usage,
    },
    neutral::{Delta, Event, Extra, Family, Kind, Seed, Stop},
};

pub use crate::gemini::chunk::Framing;

/// How long the arguments of one call may be. Full: the call is left out, and its candidate ends in a failed call.
const ARGUMENTS_BYTES_MAX: usize = 4 << 20;

/// How many extras are kept for the last chunk, each as long as a decoder lets it be. Full: the next are left out.
const EXTRAS_MAX: usize = 256;

/// Writes a stream.
#[derive(Debug)]
pub struct Encoder {
    seed: Seed,
    frames: Frames,
    id: String,
    model: String,
    created_seconds: Option<u64>,
    candidates: Vec<Candidate>,
    tokens: Option<Tokens>,
    extra: Vec<Extra>,
    done: bool,
}

/// What is known of one candidate.
#[derive(Debug, Default)]
struct Candidate {
    index: u32,
    call: Option<Call>,
    thinks: bool,
    /// Of a thought, for the next part.
    signature: Option<String>,
    calls: u32,
    /// A call could not be given.
    broken: bool,
    /// Something was said.
    spoke: bool,
    stop: Option<Stop>,
}

/// A call whose arguments are not whole.
#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

// === impl Encoder ===

impl Encoder {
    /// A stream that has not begun.
    pub fn new(seed: &Seed, framing: Framing) -> Self {
        Self {
            seed: seed.clone(),
            frames: Frames::new(framing),
            id: String::new(),
            model: String::new(),
            created_seconds: None,
            candidates: Vec::new(),
            tokens: None,
            extra: Vec::new(),
            done: false,
        }
    }

    /// Writes what an event says to the client.
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
                self.created_seconds = *created_seconds;
                self.id.clone_from(id);
                self.model.clone_from(model);
            }
            Event::Open { choice, kind, .. } => self.open(*choice, kind),
            Event::Delta { choice, delta, .. } => self.delta(*choice, delta, out),
            Event::Close { choice, .. } => self.close(*choice, out),
            Event::Stop { choice, stop } => self.candidate(*choice).stop = Some(stop.clone()),
            Event::Usage(tokens) => self.tokens = Some(*tokens),
            // Google's clients know no comments.
            Event::Ping => {}
            Event::Extra(extra) => self.extra(extra, out),
            Event::Error(error) => {
                self.frames.error(error, out);
                self.done = true;
            }
            Event::End => self.end(out),
        }
    }

    fn open(&mut self, choice: u32, kind: &Kind) {
        let candidate = self.candidate(choice);
        candidate.thinks = matches!(kind, Kind::Reasoning);
        if let Kind::ToolCall { id, name } = kind {
            candidate.call = Some(Call {
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
            });
        }
    }

    fn delta(&mut self, choice: u32, delta: &Delta, out: &mut Vec<u8>) {
        let candidate = self.candidate(choice);
        match delta {
            Delta::Text(text) if text.is_empty() => {}
            Delta::Text(text) => {
                let thinks = candidate.thinks;
                let signature = candidate.signature.take_if(|_| !thinks);
                let mut part = Writer::default();
                part.open().key("text").text(text);
                if thinks {
                    part.key("thought").flag(true);
                }
                part::write_signature(&mut part, signature.as_deref());
                part.close();
                self.part(choice, part, out);
            }
            Delta::Arguments(piece) => {
                if let Some(call) = &mut candidate.call
                    && call.arguments.len() + piece.len() <= ARGUMENTS_BYTES_MAX
                {
                    call.arguments.push_str(piece);
                } else {
                    candidate.broken = true;
                    candidate.call = None;
                }
            }
            Delta::Signature(signature) => {
                let before = candidate.signature.replace(signature.clone());
                self.bare_signature(choice, before, out);
            }
            // For its maker alone, which is not Google.
            Delta::Redacted(_) => {}
        }
    }

    fn close(&mut self, choice: u32, out: &mut Vec<u8>) {
        let calls = self.candidate(choice).calls;
        let made = call::made_in_answer(&self.seed, choice, calls);
        let candidate = self.candidate(choice);
        candidate.thinks = false;
        let Some(Call {
            id,
            name,
            arguments,
        }) = candidate.call.take()
        else {
            return;
        };
        candidate.calls = candidate.calls.saturating_add(1);
        let Some(arguments) = call::object(&arguments) else {
            candidate.broken = true;
            return;
        };
        let signature = candidate.signature.take();
        let mut part = Writer::default();
        part.open().key("functionCall").open();
        if id != made {
            part.key("id").text(&id);
        }
        part::write_call(&mut part, &name, arguments, &[]);
        part.close();
        part::write_signature(&mut part, signature.as_deref());
        part.close();
        self.part(choice, part, out);
    }

    /// What only Google's clients understand: a part goes to them at once, everything else in the last chunk.
    fn extra(&mut self, extra: &Extra, out: &mut Vec<u8>) {
        if extra.family != Family::Gemini {
            return;
        }
        if let Some(choice) = part::candidate_of(&extra.name) {
            let mut part = Writer::default();
            part.raw(extra.value.as_str());
            self.part(choice, part, out);
        } else if self.extra.len() < EXTRAS_MAX {
            self.extra.push(extra.clone());
        }
    }

    fn bare_signature(&mut self, choice: u32, signature: Option<String>, out: &mut Vec<u8>) {
        if let Some(signature) = signature {
            let mut part = Writer::default();
            part::write_bare_signature(&mut part, &signature);
            self.part(choice, part, out);
        }
    }

    /// Writes a chunk with one part.
    fn part(&mut self, choice: u32, part: Writer, out: &mut Vec<u8>) {
        self.candidate(choice).spoke = true;
        let part = part.into_bytes();
        let mut chunk = Writer::with_capacity(part.len() + 160);
        chunk.open().key("candidates").open_array().open();
        chunk.key("content").open().key("parts").open_array();
        chunk.raw(str::from_utf8(&part).unwrap_or("{}"));
        chunk.close_array().key("role").text("model").close();
        chunk
            .key("index")
            .number(choice.into())
            .close()
            .close_array();
        self.close_chunk(&mut chunk);
        self.frames.chunk(chunk, out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        for at in 0..self.candidates.len() {
            if let Some(candidate) = self.candidates.get_mut(at) {
                let (choice, signature) = (candidate.index, candidate.signature.take());
                self.bare_signature(choice, signature, out);
            }
        }
        let silent = !self.candidates.iter().any(|candidate| candidate.spoke);
        let mut chunk = Writer::with_capacity(256);
        chunk.open();
        if !(silent && answer::is_blocked(&self.extra)) {
            chunk.key("candidates").open_array();
            for candidate in &self.candidates {
                candidate.write_end(&mut chunk, &self.extra);
            }
            chunk.close_array();
        }
        own::write(&mut chunk, &self.extra, "", &[]);
        self.close_chunk(&mut chunk);
        self.frames.chunk(chunk, out);
        self.frames.end(out);
        self.done = true;
    }

    fn close_chunk(&self, chunk: &mut Writer) {
        if let Some(tokens) = &self.tokens {
            chunk.key("usageMetadata");
            usage::write(chunk, tokens);
        }
        answer::write_names(chunk, &self.model, &self.id);
        answer::write_created(chunk, self.created_seconds);
        chunk.close();
    }

    /// What is known of a candidate. There are as many as the decoder lets through.
    fn candidate(&mut self, index: u32) -> &mut Candidate {
        let known = self
            .candidates
            .iter()
            .position(|candidate| candidate.index == index);
        let at = known.unwrap_or(self.candidates.len());
        if at == self.candidates.len() {
            self.candidates.push(Candidate {
                index,
                ..Candidate::default()
            });
        }
        &mut self.candidates[at]
    }
}

// === impl Candidate ===

impl Candidate {
    /// Writes the candidate of the last chunk, whose one part says nothing, as Google's own does.
    fn write_end(&self, chunk: &mut Writer, extra: &[Extra]) {
        let path = format!("candidates[{}].", self.index);
        chunk.open().key("content").open().key("parts").open_array();
        chunk.open().key("text").text("").close();
        chunk.close_array().key("role").text("model").close();
        if let Some(stop) = &self.stop {
            let raw = own::own(extra, &format!("{path}{FINISH_REASON}"));
            candidate::write_stop(chunk, stop, raw, self.broken);
            if let Stop::Refused(Some(why)) = stop {
                chunk.key("finishMessage").text(why);
            }
        }
        chunk.key("index").number(self.index.into());
        own::write(chunk, extra, &path, &[FINISH_REASON]);
        chunk.close();
    }
}
