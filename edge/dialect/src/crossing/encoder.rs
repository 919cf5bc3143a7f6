//! Neutral events, as whatever a client reads.

use crate::{
    chat, gemini, messages,
    neutral::{Event, Family, Seed},
    responses,
};

/// Writes a stream of one family.
#[derive(Debug)]
pub(crate) struct Encoder(Each);

/// What a client asked for that its stream must say or be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    /// The model, as the client calls it.
    pub(crate) model: String,
    /// What a stream of Responses repeats of its request.
    pub(crate) echo: responses::echo::Echo,
    /// What a client of chat wants of its answer.
    pub(crate) chat: chat::client::Client,
    /// Whether a stream of Gemini's is server-sent events.
    pub(crate) events: bool,
    /// How many tokens went in, roughly.
    pub(crate) input_tokens_estimate: u64,
}

#[derive(Debug)]
enum Each {
    Chat(Box<chat::encoder::Encoder>),
    Responses(Box<responses::encoder::Encoder>),
    Messages(Box<messages::encoder::Encoder>),
    Gemini(Box<gemini::encoder::Encoder>),
    /// No client speaks the dialect.
    Nobody,
}

// === impl Encoder ===

impl Encoder {
    /// A writer of a new stream.
    pub(crate) fn new(family: Family, seed: &Seed, wishes: &Wishes) -> Self {
        Self(match family {
            Family::Chat => Each::Chat(Box::new(chat::encoder::Encoder::new(seed, wishes.chat))),
            Family::Responses => {
                let encoder = responses::encoder::Encoder::new(seed, wishes.echo.clone());
                Each::Responses(Box::new(encoder))
            }
            Family::Messages => {
                let options = messages::encoder::Options {
                    model: &wishes.model,
                    input_tokens_estimate: wishes.input_tokens_estimate,
                };
                Each::Messages(Box::new(messages::encoder::Encoder::new(seed, options)))
            }
            Family::Gemini => {
                let framing = if wishes.events {
                    gemini::encoder::Framing::Events
                } else {
                    gemini::encoder::Framing::Array
                };
                Each::Gemini(Box::new(gemini::encoder::Encoder::new(seed, framing)))
            }
            Family::Converse | Family::Cohere => Each::Nobody,
        })
    }

    /// Appends what an event is to the client.
    pub(crate) fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        match &mut self.0 {
            Each::Chat(it) => it.push(event, out),
            Each::Responses(it) => it.push(event, out),
            Each::Messages(it) => it.push(event, out),
            Each::Gemini(it) => it.push(event, out),
            Each::Nobody => {}
        }
    }
}
