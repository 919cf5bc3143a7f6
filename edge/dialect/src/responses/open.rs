//! The item of a client's stream that is open: what was said of it so far.
//!
//! Owns how it is written, empty and whole. Must never know which events tell of it.

use payload::writer::Writer;

use crate::{
    neutral::{Extra, Kind},
    responses::{
        output::{self, Call, Words},
        own,
        teller::At,
    },
};

/// An item that is open.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) id: String,
    pub(crate) body: Body,
}

/// What it says.
#[derive(Debug)]
pub(crate) enum Body {
    /// The parts of a message, of which the last may be open.
    Message(Vec<Said>),
    /// A call.
    Call(Called),
    /// What is thought.
    Thoughts(Thoughts),
}

/// A part of a message.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) refusal: bool,
    annotations: Vec<String>,
    extra: Vec<Extra>,
}

/// A call.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
    /// Whether its tool takes any text.
    pub(crate) custom: bool,
}

/// What is thought.
#[derive(Debug, Default)]
pub(crate) struct Thoughts {
    /// Whether the client knows of it: it is told when something is thought, because clients would show an empty
    /// thought.
    pub(crate) told: bool,
    pub(crate) text: String,
    pub(crate) sealed: Option<String>,
}

// === impl Open ===

impl Open {
    /// The item with nothing in it.
    pub(crate) fn empty(&self) -> String {
        let body = match &self.body {
            Body::Message(_) => Body::Message(Vec::new()),
            Body::Thoughts(_) => Body::Thoughts(Thoughts::default()),
            Body::Call(call) => Body::Call(Called {
                id: call.id.clone(),
                name: call.name.clone(),
                arguments: String::new(),
                custom: call.custom,
            }),
        };
        let id = self.id.clone();
        let mut writer = Writer::default();
        Self { id, body }.write(&mut writer, "in_progress");
        String::from_utf8(writer.into_bytes()).unwrap_or_default()
    }

    /// Where its last part stands, given the item's number.
    pub(crate) fn at(&self, output_index: u64) -> At<'_> {
        At {
            item_id: &self.id,
            output_index,
            content_index: match &self.body {
                Body::Message(parts) => parts.len().checked_sub(1),
                _ => None,
            },
        }
    }

    /// Writes the item as it is.
    pub(crate) fn write(&self, writer: &mut Writer, status: &str) {
        match &self.body {
            Body::Message(parts) => {
                output::begin_message(writer, &self.id, status, &[]);
                for part in parts {
                    output::write_words(writer, &part.words());
                }
                output::end_message(writer, &[]);
            }
            Body::Call(call) => {
                let called = Call {
                    id: &call.id,
                    name: &call.name,
                    arguments: &call.arguments,
                    custom: call.custom,
                };
                output::write_call(writer, &called, &self.id, status, &[]);
            }
            Body::Thoughts(thoughts) => {
                let sealed = thoughts.sealed.as_deref();
                output::write_reasoning(writer, &self.id, &thoughts.text, sealed, &[]);
            }
        }
    }
}

// === impl Said ===

impl Said {
    /// A part that begins.
    pub(crate) fn new(kind: &Kind) -> Self {
        Self {
            text: String::new(),
            refusal: *kind == Kind::Refusal,
            annotations: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// Notes something on the words, and tells how many notes there were before.
    pub(crate) fn annotate(&mut self, raw: &str) -> usize {
        self.annotations.push(raw.to_owned());
        let all = format!("[{}]", self.annotations.join(","));
        self.extra = vec![own::extra("annotations", &all)];
        self.annotations.len() - 1
    }

    /// The part as it is written.
    pub(crate) fn words(&self) -> Words<'_> {
        Words {
            text: &self.text,
            refusal: self.refusal,
            extra: &self.extra,
        }
    }
}
