//! Whatever a provider streams, as neutral events.

use crate::{
    chat, cohere, converse, gemini, messages,
    neutral::{Event, Family, Seed},
    responses,
};

/// Reads a stream of one family.
#[derive(Debug)]
pub struct Decoder(Each);

// Boxed, because one of them rides in the body of every stream that is translated.
#[derive(Debug)]
enum Each {
    Chat(Box<chat::decoder::Decoder>),
    Responses(Box<responses::decoder::Decoder>),
    Messages(Box<messages::decoder::Decoder>),
    Gemini(Box<gemini::decoder::Decoder>),
    Converse(Box<converse::decoder::Decoder>),
    Cohere(Box<cohere::decoder::Decoder>),
}

// === impl Decoder ===

impl Decoder {
    /// A reader of a new stream. `by_tool` says that Anthropic was made to answer by a tool; see
    /// [`messages::structured`].
    pub fn new(family: Family, seed: &Seed, by_tool: bool) -> Self {
        Self(match family {
            Family::Chat => Each::Chat(Box::new(chat::decoder::Decoder::new(seed))),
            Family::Responses => Each::Responses(Box::new(responses::decoder::Decoder::new(seed))),
            Family::Messages => {
                let decoder = messages::decoder::Decoder::new(seed);
                Each::Messages(Box::new(if by_tool {
                    decoder.structured()
                } else {
                    decoder
                }))
            }
            Family::Gemini => Each::Gemini(Box::new(gemini::decoder::Decoder::new(seed))),
            Family::Converse => Each::Converse(Box::new(converse::decoder::Decoder::new(seed))),
            Family::Cohere => Each::Cohere(Box::new(cohere::decoder::Decoder::new(seed))),
        })
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        match &mut self.0 {
            Each::Chat(it) => it.push(bytes, out),
            Each::Responses(it) => it.push(bytes, out),
            Each::Messages(it) => it.push(bytes, out),
            Each::Gemini(it) => it.push(bytes, out),
            Each::Converse(it) => it.push(bytes, out),
            Each::Cohere(it) => it.push(bytes, out),
        }
    }

    /// No more comes.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        match &mut self.0 {
            Each::Chat(it) => it.finish(out),
            Each::Responses(it) => it.finish(out),
            Each::Messages(it) => it.finish(out),
            Each::Gemini(it) => it.finish(out),
            Each::Converse(it) => it.finish(out),
            Each::Cohere(it) => it.finish(out),
        }
    }
}
