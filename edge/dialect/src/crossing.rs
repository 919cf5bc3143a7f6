//! From one family to another: a client's request to a provider's, and the way back for the answer.
//!
//! Owns which codec reads and which writes, so that N dialects of clients and M of providers take N + M codecs. Must
//! never know sockets or policy, nor what any dialect looks like.

mod target;
mod absent;
mod decoder;
mod encoder;
mod vectors;
mod counting;
pub mod watch;
pub mod stream;

use std::fmt;

use crate::{
    Tokens,
    aws::exception,
    chat::{self, client::Client},
    cohere,
    converse::{self, names::Originals},
    gemini, messages,
    neutral::{Answer, Class, Dropped, Encoded, Error, Family, Request, Seed, Unsupported},
    object::Misfit,
    responses,
};

use self::{
    encoder::{Encoder, Wishes},
    stream::Stream,
};

pub use self::{decoder::Decoder, target::Target, vectors::Maker};

/// What a client asks, beside its body.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The client's family. Only those that have clients: not [`Family::Converse`], not [`Family::Cohere`].
    pub family: Family,
    /// The model, as the client calls it.
    pub model: &'a str,
    /// Whether it wants a stream, where the path says so and not the body.
    pub stream: bool,
    /// Whether a stream of Gemini's is to be server-sent events and not a growing array.
    pub events: bool,
    /// How many tokens the request probably has, for clients that are told before anybody knows.
    pub input_tokens_estimate: u64,
}

/// A request on its way, and what brings its answer back.
#[derive(Debug)]
pub struct Crossed {
    /// The body for the provider.
    pub body: Vec<u8>,
    /// What was left out.
    pub dropped: Dropped,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// For the answer.
    pub back: Back,
}

/// Why a request cannot cross.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The body is not what its dialect says.
    Misfit(Misfit),
    /// The provider's dialect has no words for it, and the answer would mean something else without.
    Unsupported(Unsupported),
}

/// Brings an answer back to its client.
#[derive(Debug, Clone)]
pub struct Back {
    client: Family,
    provider: Family,
    seed: Seed,
    wishes: Wishes,
    by_tool: bool,
    originals: Originals,
    asked: What,
}

/// What is asked for.
#[derive(Debug, Clone)]
enum What {
    /// An answer.
    Answer,
    /// Vectors.
    Vectors(vectors::Back),
    /// How many tokens a request has.
    Count,
}

/// A request for vectors on its way.
#[derive(Debug)]
pub struct CrossedVectors {
    /// The body for the provider.
    pub body: Vec<u8>,
    /// What was left out.
    pub dropped: Dropped,
    /// Which method it is for, where the path says that.
    pub method: Option<&'static str>,
    /// For the answer.
    pub back: Back,
}

/// A whole answer for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Its body.
    pub body: Vec<u8>,
    /// What was used, where the provider says it.
    pub tokens: Option<Tokens>,
    /// How many bytes of it were generated, roughly; none of vectors.
    pub generated_bytes: u64,
}

/// Writes a client's request for a provider's model.
pub fn cross(
    asked: &Asked<'_>,
    body: &str,
    target: &Target<'_>,
    seed: Seed,
) -> Result<Crossed, Refused> {
    let mut request = read(asked, body).map_err(Refused::Misfit)?;
    absent::in_request(&mut request);
    let check = match asked.family {
        Family::Chat => chat::crossing::check(&request),
        Family::Responses => responses::crossing::check(&request),
        _ => Ok(()),
    };
    check.map_err(Refused::Unsupported)?;
    let wishes = Wishes {
        model: asked.model.to_owned(),
        echo: responses::echo::Echo::of(&request),
        chat: match asked.family {
            Family::Chat => Client::of(body).map_err(Refused::Misfit)?,
            _ => Client::default(),
        },
        events: asked.events,
        input_tokens_estimate: asked.input_tokens_estimate,
    };
    // Without it nobody knows what a stream used.
    request.stream_usage = request.stream;
    let by_tool = match target {
        Target::Messages(target) => messages::structured::by_tool(&request, target),
        _ => false,
    };
    // Bedrock takes short names only; those that were changed on the way are changed back.
    let originals = match target {
        Target::Converse(_) => Originals::of(&request),
        _ => Originals::default(),
    };
    let Encoded { body, dropped } = write(&request, target).map_err(Refused::Unsupported)?;
    let back = Back {
        client: asked.family,
        provider: target.family(),
        seed,
        wishes,
        by_tool,
        originals,
        asked: What::Answer,
    };
    Ok(Crossed {
        body,
        dropped,
        stream: request.stream,
        back,
    })
}

/// Writes a request for vectors, which is `OpenAI`'s, for a model of another family.
pub fn cross_vectors(body: &str, maker: &Maker<'_>, seed: Seed) -> Result<CrossedVectors, Refused> {
    let request = vectors::read(body).map_err(Refused::Misfit)?;
    let method = vectors::method(&request, maker);
    let written = vectors::write(&request, maker).map_err(Refused::Unsupported)?;
    let Encoded { body, dropped } = written.encoded;
    let back = Back {
        client: Family::Chat,
        provider: match maker {
            Maker::Gemini(_) => Family::Gemini,
            Maker::Cohere(_) => Family::Cohere,
        },
        seed,
        wishes: Wishes::default(),
        by_tool: false,
        originals: Originals::default(),
        asked: What::Vectors(written.back),
    };
    Ok(CrossedVectors {
        body,
        dropped,
        method,
        back,
    })
}

/// Writes a client's question of how many tokens a request has. `None` where the model's API cannot tell.
pub fn cross_count(
    asked: &Asked<'_>,
    body: &str,
    target: &Target<'_>,
    seed: Seed,
) -> Result<Option<Crossed>, Refused> {
    let request = counting::read(asked.family, asked.model, body).map_err(Refused::Misfit)?;
    let written = counting::write(&request, target).map_err(Refused::Unsupported)?;
    let Some(Encoded { body, dropped }) = written else {
        return Ok(None);
    };
    let back = Back {
        client: asked.family,
        provider: target.family(),
        seed,
        wishes: Wishes::default(),
        by_tool: false,
        originals: Originals::default(),
        asked: What::Count,
    };
    Ok(Some(Crossed {
        body,
        dropped,
        stream: false,
        back,
    }))
}

/// An error of ours, as the body that a client of this family reads.
pub fn error_body(client: Family, error: &Error) -> Vec<u8> {
    match client {
        Family::Chat => chat::error::encode(error),
        Family::Responses => responses::error::encode(error),
        Family::Messages => messages::error::encode(error),
        Family::Gemini => gemini::error::encode(error),
        Family::Converse => converse::error::encode(error),
        Family::Cohere => cohere::error::encode(error),
    }
}

/// An error of ours, as the event that ends a stream of this family.
pub fn error_event(client: Family, error: &Error) -> Vec<u8> {
    match client {
        Family::Chat => chat::error::event(error),
        Family::Responses => responses::error::event(error),
        Family::Messages => messages::error::event(error),
        Family::Gemini => gemini::error::event(error),
        Family::Converse => converse::error::event(error),
        Family::Cohere => cohere::error::event(error),
    }
}

/// What a provider's error says.
pub fn read_error(provider: Family, status: u16, body: &[u8]) -> Error {
    match provider {
        Family::Chat => chat::error::decode(status, body),
        Family::Responses => responses::error::decode(status, body),
        Family::Messages => messages::error::decode(status, body),
        Family::Gemini => gemini::error::decode(status, body),
        Family::Converse => converse::error::decode(status, body),
        Family::Cohere => cohere::error::decode(status, body),
    }
}

/// What a host of Anthropic's models says of an error, as a client of Anthropic's reads it. `name` is what Amazon says
/// beside the body. What is said in that dialect already stays as it is.
pub fn hosted_error(name: Option<&str>, status: u16, body: &[u8]) -> Vec<u8> {
    if messages::hosted::is_own_error(body) {
        return body.to_vec();
    }
    let error = match name {
        Some(name) => exception::error(Some(name), Some(status), body),
        None => messages::error::decode(status, body),
    };
    messages::error::encode(&error)
}

/// Reads a client's request.
pub fn read(asked: &Asked<'_>, body: &str) -> Result<Request, Misfit> {
    match asked.family {
        Family::Chat => chat::request::decode(body),
        Family::Responses => responses::request::decode(body),
        Family::Messages => messages::request::decode(body),
        Family::Gemini => gemini::request::decode(body, asked.model, asked.stream),
        Family::Converse => converse::request::decode(body, asked.model, asked.stream),
        Family::Cohere => cohere::request::decode(body),
    }
}

fn write(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    match target {
        Target::Chat(target) => chat::request::encode(request, target),
        Target::Responses(target) => responses::request::encode(request, target),
        Target::Messages(target) => messages::request::encode(request, target),
        Target::Gemini(target) => gemini::request::encode(request, target),
        Target::Converse(target) => converse::request::encode(request, target),
        Target::Cohere(target) => cohere::request::encode(request, target),
    }
}

// === impl Back ===

impl Back {
    /// Translates a whole answer. An error is a provider that gave none: what it said instead, or why it cannot be read.
    pub fn whole(&self, body: &[u8]) -> Result<Whole, Error> {
        let unreadable = |why: &dyn fmt::Display| Error::new(Class::Provider, why.to_string());
        let body = str::from_utf8(body).map_err(|why| unreadable(&why))?;
        if self.provider == Family::Chat
            && let Some(error) = chat::error::within(body)
        {
            return Err(error);
        }
        match &self.asked {
            What::Answer => {}
            What::Vectors(vectors) => {
                let (body, vectors) = vectors.whole(body)?;
                return Ok(Whole {
                    body,
                    tokens: vectors.tokens,
                    generated_bytes: 0,
                });
            }
            What::Count => {
                let told = counting::whole(self.client, self.provider, body);
                return Ok(Whole {
                    body: told.map_err(|why| unreadable(&why))?,
                    // Providers count for nothing.
                    tokens: Some(Tokens::default()),
                    generated_bytes: 0,
                });
            }
        }
        let mut answer = self.read_answer(body).map_err(|why| unreadable(&why))?;
        self.originals.undo_answer(&mut answer);
        absent::in_answer(&mut answer);
        messages::answer::check(&answer)?;
        let tokens = answer.tokens;
        let body = self.write_answer(&answer);
        Ok(Whole {
            generated_bytes: body.len() as u64,
            body,
            tokens,
        })
    }

    /// A translator of a stream.
    pub fn stream(&self) -> Stream {
        let decoder = Decoder::new(self.provider, &self.seed, self.by_tool);
        let encoder = Encoder::new(self.client, &self.seed, &self.wishes);
        Stream::new(decoder, self.originals.clone(), encoder)
    }

    /// Translates the body of an error.
    pub fn error(&self, status: u16, body: &[u8]) -> Vec<u8> {
        error_body(self.client, &read_error(self.provider, status, body))
    }

    /// The media type of what the client gets.
    pub const fn media_type(&self, stream: bool) -> &'static str {
        match self.client {
            Family::Gemini if !self.wishes.events => "application/json",
            _ if stream => "text/event-stream",
            _ => "application/json",
        }
    }

    fn read_answer(&self, body: &str) -> Result<Answer, Misfit> {
        let seed = &self.seed;
        match self.provider {
            Family::Chat => chat::answer::decode(body, seed),
            Family::Responses => responses::answer::decode(body, seed),
            Family::Messages if self.by_tool => messages::answer::decode_structured(body, seed),
            Family::Messages => messages::answer::decode(body, seed),
            Family::Gemini => gemini::answer::decode(body, seed),
            Family::Converse => converse::answer::decode(body, seed),
            Family::Cohere => cohere::answer::decode(body, seed),
        }
    }

    fn write_answer(&self, answer: &Answer) -> Vec<u8> {
        let seed = &self.seed;
        match self.client {
            Family::Chat => chat::answer::encode_for(answer, seed, self.wishes.chat),
            Family::Responses => responses::answer::encode_for(answer, seed, &self.wishes.echo),
            Family::Messages => messages::answer::encode(answer, seed),
            Family::Gemini => gemini::answer::encode(answer, seed),
            Family::Converse => converse::answer::encode(answer, seed),
            Family::Cohere => cohere::answer::encode(answer, seed),
        }
    }
}

// === impl Refused ===

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misfit(misfit) => misfit.fmt(f),
            Self::Unsupported(unsupported) => unsupported.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_s_error_is_said_as_anthropic_does_and_one_of_anthropic_s_is_left_alone() {
        let own = br#"{"type":"error","error":{"type":"overloaded_error","message":"x"} }"#;
        assert_eq!(hosted_error(None, 529, own), own);
        let said = |name, status, body: &str| {
            String::from_utf8(hosted_error(name, status, body.as_bytes())).unwrap()
        };
        let google = r#"{"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED"}}"#;
        assert_eq!(
            said(None, 429, google),
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"Quota."}}"#
        );
        let amazon = r#"{"message":"Slow down."}"#;
        assert_eq!(
            said(Some("ThrottlingException:http://x/"), 400, amazon),
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"Slow down."}}"#
        );
    }
}
