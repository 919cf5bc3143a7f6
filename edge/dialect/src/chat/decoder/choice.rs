//! One answer of a stream.
//!
//! Owns the order of its parts: calls whose pieces come mixed are told of one after another. A call that is not open
//! waits until the open one is whole, or until all is over.

use crate::{
    chat::{decoder::depth::Depth, stop},
    neutral::{Delta, Event, Kind, Seed},
};

/// How many calls one answer may have. Full: the stream is given up.
const CALLS_MAX: usize = 1_024;
/// How much may wait for its turn, in bytes. Full: the stream is given up, because what is lost would be executed.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// What a part is that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Words.
    Text,
    /// Thoughts.
    Reasoning,
    /// Words that decline.
    Refusal,
}

/// A piece of a call.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) index: Option<u64>,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) index: u32,
    pub(crate) finish: Option<String>,
    pub(crate) said: stop::Said,
    parts: u32,
    open: Option<(u32, Shape)>,
    signature: Option<String>,
    calls: Vec<Call>,
    /// Which of the calls is open or comes next.
    turn: usize,
    later: Vec<(Shape, String)>,
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Call {
    index: u64,
    id: String,
    name: String,
    waiting: String,
    depth: Depth,
    part: Option<u32>,
}

// === impl Choice ===

impl Choice {
    pub(crate) fn new(index: u32) -> Self {
        Self {
            index,
            finish: None,
            said: stop::Said::default(),
            parts: 0,
            open: None,
            signature: None,
            calls: Vec::new(),
            turn: 0,
            later: Vec::new(),
            waiting_bytes: 0,
        }
    }

    /// Words, thoughts, or words that decline. Empty ones are nothing.
    pub(crate) fn words(
        &mut self,
        shape: Shape,
        text: &str,
        out: &mut Vec<Event>,
    ) -> Result<(), &'static str> {
        if text.is_empty() {
            return Ok(());
        }
        self.settle(out);
        if self.turn < self.calls.len() {
            self.wait(text.len())?;
            match self.later.last_mut() {
                Some((last, waiting)) if *last == shape => waiting.push_str(text),
                _ => self.later.push((shape, text.to_owned())),
            }
            return Ok(());
        }
        self.speak(shape, text, out);
        Ok(())
    }

    /// The proof of the thoughts that are open, or of none.
    pub(crate) fn sign(&mut self, proof: &str, out: &mut Vec<Event>) -> Result<(), &'static str> {
        self.settle(out);
        if proof.is_empty() || self.turn < self.calls.len() {
            return Ok(());
        }
        self.wait(proof.len())?;
        self.open(Shape::Reasoning, out);
        self.signature.get_or_insert_default().push_str(proof);
        Ok(())
    }

    /// Thoughts that only their maker can read.
    pub(crate) fn redacted(
        &mut self,
        data: String,
        out: &mut Vec<Event>,
    ) -> Result<(), &'static str> {
        self.settle(out);
        if self.turn < self.calls.len() {
            return Err("thoughts stand within a call");
        }
        self.close(out);
        let part = self.begin(Kind::Reasoning, out);
        self.delta(part, Delta::Redacted(data), out);
        self.end(part, out);
        Ok(())
    }

    /// A piece of a call.
    pub(crate) fn call(
        &mut self,
        piece: &Piece,
        seed: &Seed,
        total: &mut u32,
        out: &mut Vec<Event>,
    ) -> Result<(), &'static str> {
        let at = match self.find(piece) {
            Some(at) => at,
            None => self.add(piece, seed, total)?,
        };
        let open = at == self.turn;
        let Some(call) = self.calls.get_mut(at) else {
            return Ok(());
        };
        if call.part.is_none() && piece.name != call.name {
            call.name.push_str(&piece.name);
        }
        if piece.arguments.is_empty() {
            return Ok(());
        }
        if at < self.turn {
            return if piece.arguments.trim().is_empty() {
                Ok(())
            } else {
                Err("the arguments of a call go on behind their end")
            };
        }
        call.depth.push(&piece.arguments);
        call.waiting.push_str(&piece.arguments);
        if open {
            self.close(out);
            self.tell(out);
        } else {
            self.wait(piece.arguments.len())?;
        }
        self.settle_before(at, out);
        Ok(())
    }

    /// Closes all that is open, and tells all that waits.
    pub(crate) fn flush(&mut self, out: &mut Vec<Event>) {
        self.close(out);
        while self.turn < self.calls.len() {
            self.next(out);
        }
        for (shape, text) in std::mem::take(&mut self.later) {
            self.speak(shape, &text, out);
        }
        self.close(out);
        self.waiting_bytes = 0;
    }

    /// Which call a piece belongs to. Some providers give every call the same number, but another id; some no number.
    fn find(&self, piece: &Piece) -> Option<usize> {
        let same = |call: &Call| match piece.index {
            Some(index) => {
                call.index == index
                    && (piece.id.is_empty() || piece.id == call.id || piece.name.is_empty())
            }
            None => !piece.id.is_empty() && piece.id == call.id,
        };
        let unnumbered = piece.index.is_none() && piece.id.is_empty() && piece.name.is_empty();
        if unnumbered {
            return self.calls.len().checked_sub(1);
        }
        self.calls.iter().rposition(same)
    }

    fn add(&mut self, piece: &Piece, seed: &Seed, total: &mut u32) -> Result<usize, &'static str> {
        if self.calls.len() >= CALLS_MAX {
            return Err("the answer calls too many tools");
        }
        let at = self.calls.len();
        let id = if piece.id.is_empty() {
            seed.tool_call_id(*total)
        } else {
            piece.id.clone()
        };
        *total = total.saturating_add(1);
        self.said.calls = true;
        self.calls.push(Call {
            index: piece.index.unwrap_or(at as u64),
            id,
            name: piece.name.clone(),
            waiting: String::new(),
            depth: Depth::default(),
            part: None,
        });
        Ok(at)
    }

    /// Counts what waits.
    fn wait(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        if self.waiting_bytes > WAITING_BYTES_MAX {
            return Err("too much of the answer came out of order");
        }
        Ok(())
    }

    /// Ends the calls that are whole.
    fn settle(&mut self, out: &mut Vec<Event>) {
        self.settle_before(self.calls.len(), out);
    }

    /// Ends the calls that are whole and come before this one.
    fn settle_before(&mut self, before: usize, out: &mut Vec<Event>) {
        while self.turn < before
            && self
                .calls
                .get(self.turn)
                .is_some_and(|call| call.depth.is_whole())
        {
            self.next(out);
            if self.turn == before {
                self.tell(out);
            }
        }
    }

    /// Ends the call whose turn it is.
    fn next(&mut self, out: &mut Vec<Event>) {
        self.tell(out);
        let open = self.calls.get_mut(self.turn);
        self.turn += 1;
        let Some(call) = open else {
            return;
        };
        if let Some(part) = call.part {
            self.end(part, out);
        } else {
            let (id, name) = (call.id.clone(), call.name.clone());
            self.close(out);
            let part = self.begin(Kind::ToolCall { id, name }, out);
            self.end(part, out);
        }
    }

    /// Tells what waits of the call whose turn it is.
    fn tell(&mut self, out: &mut Vec<Event>) {
        let Some(call) = self.calls.get_mut(self.turn) else {
            return;
        };
        if call.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut call.waiting);
        let part = if let Some(part) = call.part {
            part
        } else {
            let (id, name) = (call.id.clone(), call.name.clone());
            let part = self.begin(Kind::ToolCall { id, name }, out);
            if let Some(call) = self.calls.get_mut(self.turn) {
                call.part = Some(part);
            }
            part
        };
        self.delta(part, Delta::Arguments(waiting), out);
    }

    fn speak(&mut self, shape: Shape, text: &str, out: &mut Vec<Event>) {
        let part = self.open(shape, out);
        self.delta(part, Delta::Text(text.to_owned()), out);
    }

    /// The part of this shape that is open. Thoughts that are proven are over.
    fn open(&mut self, shape: Shape, out: &mut Vec<Event>) -> u32 {
        if let Some((part, open)) = self.open
            && open == shape
            && self.signature.is_none()
        {
            return part;
        }
        self.close(out);
        let part = self.begin(
            match shape {
                Shape::Text => Kind::Text,
                Shape::Reasoning => Kind::Reasoning,
                Shape::Refusal => Kind::Refusal,
            },
            out,
        );
        self.said.refusal |= shape == Shape::Refusal;
        self.open = Some((part, shape));
        part
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if let Some((part, _)) = self.open.take() {
            if let Some(proof) = self.signature.take() {
                self.delta(part, Delta::Signature(proof), out);
            }
            self.end(part, out);
        }
    }

    fn begin(&mut self, kind: Kind, out: &mut Vec<Event>) -> u32 {
        let (choice, part) = (self.index, self.parts);
        self.parts = self.parts.saturating_add(1);
        self.said.spoken = true;
        out.push(Event::Open { choice, part, kind });
        part
    }

    fn delta(&self, part: u32, delta: Delta, out: &mut Vec<Event>) {
        let choice = self.index;
        out.push(Event::Delta {
            choice,
            part,
            delta,
        });
    }

    fn end(&self, part: u32, out: &mut Vec<Event>) {
        let choice = self.index;
        out.push(Event::Close { choice, part });
    }
}
