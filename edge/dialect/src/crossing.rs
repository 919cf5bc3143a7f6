//! From one family to another: a client's request to a provider's, and the way back for the answer.
//!
//! Owns which codec reads and which writes, so that N dialects of clients and M of providers take N + M codecs. Must
//! never know sockets or policy, nor what any dialect looks like.

mod target;
mod absent;
mod proof;
mod decoder;
mod encoder;
mod vectors;
mod counting;
mod mapped;
mod errors;
pub mod watch;
pub mod ceiling;
pub mod stream;

use std::{fmt, sync::LazyLock};

use memchr::memmem::Finder;
use payload::object::Misfit;

use crate::{
    Finish, Tokens,
    chat::{self, client::Client},
    cohere,
    converse::{self, names::Originals},
    gemini, messages,
    neutral::{Answer, Class, Dropped, Encoded, Error, Family, Request, Seed, Unsupported},
    responses,
};

use self::{
    ceiling::Ceiling,
    encoder::{Encoder, Wishes},
    proof::Maker,
    stream::Stream,
};

pub use self::{
    decoder::Decoder,
    errors::{error_body, error_event, read_error},
    target::Target,
    vectors::Maker as VectorMaker,
};

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
    /// How much may be generated, where the request is held to that.
    pub ceiling: Option<Ceiling>,
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
    /// The most that a stream may bring.
    most: Option<u64>,
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
    /// Why it ended, where somebody asks.
    pub finish: Finish,
}

/// Writes a client's request for a provider's model.
pub fn cross(
    asked: &Asked<'_>,
    body: &str,
    target: &Target<'_>,
    seed: Seed,
) -> Result<Crossed, Refused> {
    crossed(asked, body, target, seed, true)
}

/// Writes a client's request as a chat completion for a provider whose programs read such and answer with one, whole.
/// Whatever the client asks for, the provider is asked for no stream: [`Back::told`] makes one of its answer.
pub fn cross_whole(
    asked: &Asked<'_>,
    body: &str,
    model: &str,
    seed: Seed,
) -> Result<Crossed, Refused> {
    if asked.family != Family::Chat || asked.ceiling.is_some() {
        let target = Target::Chat(chat::target::Target::compatible(model));
        return crossed(asked, body, &target, seed, false);
    }
    let mapped = mapped::chat(body, model).map_err(Refused::Misfit)?;
    let wishes = Wishes {
        model: asked.model.to_owned(),
        chat: Client::of(body).map_err(Refused::Misfit)?,
        ..Wishes::default()
    };
    Ok(Crossed {
        body: mapped.body,
        dropped: Dropped::default(),
        stream: mapped.stream,
        back: Back {
            client: Family::Chat,
            provider: Family::Chat,
            seed,
            wishes,
            by_tool: false,
            originals: Originals::default(),
            asked: What::Answer,
            most: None,
        },
    })
}

fn crossed(
    asked: &Asked<'_>,
    body: &str,
    target: &Target<'_>,
    seed: Seed,
    streams: bool,
) -> Result<Crossed, Refused> {
    let mut request = read(asked, body).map_err(Refused::Misfit)?;
    absent::in_request(&mut request);
    let check = match asked.family {
        family if family == target.family() => Ok(()),
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
    if let Some(ceiling) = asked.ceiling {
        request.output_tokens_max.get_or_insert(ceiling.each);
    }
    let stream = request.stream;
    request.stream = stream && streams;
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
    let unmarked = Maker::of(asked.family);
    let left_out = proof::return_in_request(&mut request, unmarked, Maker::of(target.family()));
    let written = write(&request, target).map_err(Refused::Unsupported)?;
    let Encoded { body, mut dropped } = written;
    for place in left_out {
        dropped.note(place.to_string());
    }
    let back = Back {
        client: asked.family,
        provider: target.family(),
        seed,
        wishes,
        by_tool,
        originals,
        asked: What::Answer,
        most: asked.ceiling.map(|it| it.all),
    };
    Ok(Crossed {
        body,
        dropped,
        stream,
        back,
    })
}

/// Writes a request for vectors, which is `OpenAI`'s, for a model of another family.
pub fn cross_vectors(
    body: &str,
    maker: &VectorMaker<'_>,
    seed: Seed,
) -> Result<CrossedVectors, Refused> {
    let request = vectors::read(body).map_err(Refused::Misfit)?;
    let method = vectors::method(&request, maker);
    let written = vectors::write(&request, maker).map_err(Refused::Unsupported)?;
    let Encoded { body, dropped } = written.encoded;
    let back = Back {
        client: Family::Chat,
        provider: match maker {
            VectorMaker::Gemini(_) => Family::Gemini,
            VectorMaker::Cohere(_) => Family::Cohere,
        },
        seed,
        wishes: Wishes::default(),
        by_tool: false,
        originals: Originals::default(),
        asked: What::Vectors(written.back),
        most: None,
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
    let mut request = counting::read(asked.family, asked.model, body).map_err(Refused::Misfit)?;
    let unmarked = Maker::of(asked.family);
    let left_out = proof::return_in_request(&mut request, unmarked, Maker::of(target.family()));
    let written = counting::write(&request, target).map_err(Refused::Unsupported)?;
    let Some(Encoded { body, mut dropped }) = written else {
        return Ok(None);
    };
    for place in left_out {
        dropped.note(place.to_string());
    }
    let back = Back {
        client: asked.family,
        provider: target.family(),
        seed,
        wishes: Wishes::default(),
        by_tool: false,
        originals: Originals::default(),
        asked: What::Count,
        most: None,
    };
    Ok(Some(Crossed {
        body,
        dropped,
        stream: false,
        back,
    }))
}

/// Made once: this is looked for in every body.
static PROOF: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(proof::MARK));

/// Whether a body may hold a proof of reasoning that another family's model has made: it must not pass as it is.
pub fn holds_foreign_proof(body: &[u8]) -> bool {
    PROOF.find(body).is_some()
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
    /// Translates a whole answer, and tells why it ended only if that is asked. An error is a provider that gave none: what it said
    /// instead, or why it cannot be read.
    pub fn whole(&self, body: &[u8], tells_finish: bool) -> Result<Whole, Error> {
        let unreadable = |why: &dyn fmt::Display| Error::unreadable(why.to_string());
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
                    finish: Finish::Unseen,
                });
            }
            What::Count => {
                let told = counting::whole(self.client, self.provider, body);
                return Ok(Whole {
                    body: told.map_err(|why| unreadable(&why))?,
                    // Providers count for nothing.
                    tokens: Some(Tokens::default()),
                    generated_bytes: 0,
                    finish: Finish::Unseen,
                });
            }
        }
        let mut answer = self.read_answer(body).map_err(|why| unreadable(&why))?;
        self.originals.undo_answer(&mut answer);
        absent::in_answer(&mut answer);
        if let Some(maker) = self.leaves() {
            proof::leave_in_answer(maker, &mut answer);
        }
        messages::answer::check(&answer)?;
        let finish = tells_finish.then(|| answer.finish());
        let body = self.write_answer(&answer);
        Ok(Whole {
            generated_bytes: body.len() as u64,
            body,
            tokens: answer.tokens,
            finish: finish.unwrap_or_default(),
        })
    }

    /// What a client gets of a whole answer to [`cross_whole`]: whole, or as a stream. `tokens` is what was used, where it
    /// is known better than the answer says. Why it ended is told only if that is asked.
    pub fn told(
        &self,
        body: &[u8],
        (stream, tells_finish): (bool, bool),
        tokens: Option<Tokens>,
    ) -> Result<Whole, Error> {
        let unreadable = |why: &dyn fmt::Display| Error::new(Class::Provider, why.to_string());
        let body = str::from_utf8(body).map_err(|why| unreadable(&why))?;
        let mut answer = self.read_answer(body).map_err(|why| unreadable(&why))?;
        absent::in_answer(&mut answer);
        messages::answer::check(&answer)?;
        answer.tokens = tokens.or(answer.tokens);
        if answer.model.is_empty() {
            answer.model.clone_from(&self.wishes.model);
        }
        let (tokens, generated_bytes) = (answer.tokens, body.len() as u64);
        let finish = tells_finish.then(|| answer.finish());
        let body = if stream {
            let mut encoder = Encoder::new(self.client, &self.seed, &self.wishes);
            let mut said = Vec::new();
            for event in answer.into_events() {
                encoder.push(&event, &mut said);
            }
            said
        } else {
            self.write_answer(&answer)
        };
        Ok(Whole {
            body,
            tokens,
            generated_bytes,
            finish: finish.unwrap_or_default(),
        })
    }

    /// A translator of a stream.
    pub fn stream(&self) -> Stream {
        let decoder = Decoder::new(self.provider, &self.seed, self.by_tool);
        let encoder = Encoder::new(self.client, &self.seed, &self.wishes);
        Stream::new(decoder, self.originals.clone(), self.leaves(), encoder).beneath(self.most)
    }

    /// Whose proofs leave their family on this way.
    fn leaves(&self) -> Option<Maker> {
        let maker = Maker::of(self.provider);
        (maker != Maker::of(self.client)).then_some(maker)
    }

    /// Whose dialect the provider speaks.
    pub const fn provider(&self) -> Family {
        self.provider
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
