//! Says a request in a target's dialect: its body, its path, and how the answer comes back.
//!
//! Within a family the model's name is spliced and the bytes pass; between two the neutral form stands. Knows which
//! kind of provider speaks what; knows nothing of sockets or credentials.

mod facts;
pub mod custom;

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    sync::Arc,
};

use bytes::Bytes;
use dialect::{
    crossing::{self, Back, Crossed, Target, VectorMaker, cross, cross_count, cross_vectors},
    neutral::{Dropped, Family, Seed},
    request::{Endpoint, Rewrite, rewrite},
};
use http::{HeaderMap, HeaderValue, Method, header};
use payload::jq::Fault;
use policy::provider::{Provider, Speaks};

use crate::{
    in_force::mappings::Custom,
    request::{Arrival, JSON_BYTES, Request},
    route::Candidate,
};

use self::custom::{Mapped, Unsent};

/// A request as one target gets it.
pub struct Outgoing {
    /// Its method.
    pub method: Method,
    /// Below the provider's base URL.
    pub path: Cow<'static, str>,
    /// The body.
    pub body: Bytes,
    /// Headers that this provider wants or that the body needs, instead of others of their names.
    pub headers: HeaderMap,
    /// The provider's family; that of chat for one that has none.
    pub family: Family,
    /// What becomes of the answer.
    pub way: Way,
    /// What was left out.
    pub dropped: Dropped,
}

/// What becomes of an answer.
pub enum Way {
    /// It passes as it is.
    Same {
        /// What was asked, which says how it is read.
        endpoint: Endpoint,
        /// Whether usage was asked for that the client did not ask for.
        usage_added: bool,
    },
    /// It is translated.
    Across {
        /// How.
        back: Box<Back>,
        /// Whether it comes as a stream.
        stream: bool,
    },
    /// Programs make the client's of it.
    Mapped(Box<Mapped>),
}

/// Why a target cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Its provider has no such endpoint, and nothing like it.
    Endpoint,
    /// The request has no words there, or is not what it says it is.
    Crossing(crossing::Refused),
    /// The provider's program makes no request of it.
    Program(Fault),
}

/// Says the request for one target. `custom` is the mapping of a custom one.
pub fn outgoing(
    request: &Request,
    candidate: &Candidate,
    arrival: &Arrival,
    custom: Option<&Arc<Custom>>,
) -> Result<Outgoing, Refusal> {
    let (provider, model) = (candidate.provider(), &candidate.target().provider_model);
    let endpoint = request.endpoint();
    let speaks = provider.kind.speaks();
    if let Some(custom) = custom {
        return mapped(request, custom, model, arrival);
    }
    match same(speaks, endpoint) {
        // A conversation that another family's model had a part in holds proofs that this one must not see.
        Some(family)
            if endpoint.family().is_none() || !crossing::holds_foreign_proof(request.body()) =>
        {
            Ok(spliced(request, provider, model, family))
        }
        _ => across(request, provider, model, arrival),
    }
}

/// The family within which the bytes pass, if the provider answers what is asked.
const fn same(speaks: Speaks, endpoint: Endpoint) -> Option<Family> {
    match (speaks, endpoint) {
        (
            Speaks::OpenAi { .. },
            Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Embeddings,
        )
        // It has no family: nothing of any other goes with it.
        | (Speaks::Inference, Endpoint::Infer | Endpoint::InferMetadata) => Some(Family::Chat),
        (Speaks::OpenAi { responses: true }, Endpoint::Responses) => Some(Family::Responses),
        (Speaks::Messages, Endpoint::Messages | Endpoint::CountMessages) => Some(Family::Messages),
        (Speaks::Gemini, Endpoint::Generate | Endpoint::GenerateStream) => Some(Family::Gemini),
        _ => None,
    }
}

fn spliced(request: &Request, provider: &Provider, model: &str, family: Family) -> Outgoing {
    let (endpoint, scanned) = (request.endpoint(), request.scanned());
    let chat = family == Family::Chat;
    let usage_added = chat && provider.stream_options && !scanned.usage_asked;
    let rewritten = Rewrite {
        model,
        ask_usage: usage_added,
    };
    Outgoing {
        path: match endpoint {
            Endpoint::ChatCompletions => "/chat/completions".into(),
            Endpoint::Completions => "/completions".into(),
            Endpoint::Embeddings => "/embeddings".into(),
            Endpoint::Responses => "/responses".into(),
            Endpoint::Messages => "/messages".into(),
            Endpoint::CountMessages => "/messages/count_tokens".into(),
            Endpoint::CountGenerate => gemini_count_path(model),
            Endpoint::Generate => gemini_path(model, false, true).into(),
            Endpoint::GenerateStream => gemini_path(model, true, request.wants_events()).into(),
            Endpoint::Infer => tensors_path(model, "/infer").into(),
            Endpoint::InferMetadata => tensors_path(model, "").into(),
            // No provider's own.
            Endpoint::Invoke => "".into(),
        },
        method: match endpoint {
            Endpoint::InferMetadata => Method::GET,
            _ => Method::POST,
        },
        headers: behind_json(request),
        body: match endpoint {
            Endpoint::InferMetadata => Bytes::new(),
            _ => rewrite(request.body(), scanned, &rewritten),
        },
        family,
        way: Way::Same {
            endpoint,
            usage_added,
        },
        dropped: Dropped::default(),
    }
}

fn across(
    request: &Request,
    provider: &Provider,
    model: &str,
    arrival: &Arrival,
) -> Result<Outgoing, Refusal> {
    let seed = seed(arrival);
    // The scan has seen that it is UTF-8.
    let body = str::from_utf8(request.body()).unwrap_or_default();
    if request.endpoint() == Endpoint::Embeddings {
        let maker = facts::maker(provider, model).ok_or(Refusal::Endpoint)?;
        return vectors(body, model, &maker, seed);
    }
    let asked = request.crossing().ok_or(Refusal::Endpoint)?;
    let target = facts::target(provider, model).ok_or(Refusal::Endpoint)?;
    if request.endpoint().counts() {
        let crossed = cross_count(&asked, body, &target, seed).map_err(Refusal::Crossing)?;
        return Ok(count(crossed.ok_or(Refusal::Endpoint)?, &target, model));
    }
    let crossed = cross(&asked, body, &target, seed).map_err(Refusal::Crossing)?;
    Ok(Outgoing {
        method: Method::POST,
        headers: HeaderMap::new(),
        path: path(&target, model, crossed.stream),
        body: crossed.body.into(),
        family: target.family(),
        way: Way::Across {
            back: Box::new(crossed.back),
            stream: crossed.stream,
        },
        dropped: crossed.dropped,
    })
}

fn seed(arrival: &Arrival) -> Seed {
    Seed {
        request_id: arrival.id.hyphenated().to_string(),
        now_seconds: arrival.at_ms / 1_000,
    }
}

fn mapped(
    request: &Request,
    custom: &Arc<Custom>,
    model: &str,
    arrival: &Arrival,
) -> Result<Outgoing, Refusal> {
    let sent = custom::sent(request, custom, model, seed(arrival));
    let sent = sent.map_err(|why| match why {
        Unsent::Endpoint => Refusal::Endpoint,
        Unsent::Crossing(refused) => Refusal::Crossing(refused),
        Unsent::Program(fault) => Refusal::Program(fault),
    })?;
    Ok(Outgoing {
        method: custom.method.clone(),
        path: custom::path(custom, &segment(model)).into(),
        body: sent.body,
        headers: sent.headers,
        family: Family::Chat,
        way: Way::Mapped(Box::new(sent.mapped)),
        dropped: sent.dropped,
    })
}

/// The headers of a body that has tensors behind its JSON.
fn behind_json(request: &Request) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(json_bytes) = request.json_bytes() {
        headers.insert(JSON_BYTES, json_bytes.clone());
        let binary = HeaderValue::from_static("application/octet-stream");
        headers.insert(header::CONTENT_TYPE, binary);
    }
    headers
}

/// The path of a model of tensors. The provider's name for it may end in `/versions/` and a version.
fn tensors_path(model: &str, asks: &str) -> String {
    match model.split_once("/versions/") {
        Some((model, version)) => {
            let (model, version) = (segment(model), segment(version));
            format!("/v2/models/{model}/versions/{version}{asks}")
        }
        None => format!("/v2/models/{}{asks}", segment(model)),
    }
}

fn count(crossed: Crossed, target: &Target<'_>, model: &str) -> Outgoing {
    Outgoing {
        method: Method::POST,
        headers: HeaderMap::new(),
        path: match target.family() {
            Family::Gemini => gemini_count_path(model),
            _ => "/messages/count_tokens".into(),
        },
        body: crossed.body.into(),
        family: target.family(),
        way: Way::Across {
            back: Box::new(crossed.back),
            stream: false,
        },
        dropped: crossed.dropped,
    }
}

fn gemini_count_path(model: &str) -> Cow<'static, str> {
    format!("/models/{}:countTokens", segment(model)).into()
}

fn vectors(
    body: &str,
    model: &str,
    maker: &VectorMaker<'_>,
    seed: Seed,
) -> Result<Outgoing, Refusal> {
    let crossed = cross_vectors(body, maker, seed).map_err(Refusal::Crossing)?;
    Ok(Outgoing {
        method: Method::POST,
        headers: HeaderMap::new(),
        path: match crossed.method {
            Some(method) => format!("/models/{}:{method}", segment(model)).into(),
            None => "/embed".into(),
        },
        body: crossed.body.into(),
        family: match maker {
            VectorMaker::Gemini(_) => Family::Gemini,
            VectorMaker::Cohere(_) => Family::Cohere,
        },
        way: Way::Across {
            back: Box::new(crossed.back),
            stream: false,
        },
        dropped: crossed.dropped,
    })
}

fn path(target: &Target<'_>, model: &str, stream: bool) -> Cow<'static, str> {
    match target.family() {
        Family::Chat => "/chat/completions".into(),
        Family::Responses => "/responses".into(),
        Family::Messages => "/messages".into(),
        Family::Cohere => "/chat".into(),
        Family::Gemini => gemini_path(model, stream, true).into(),
        Family::Converse => {
            let verb = if stream {
                "converse-stream"
            } else {
                "converse"
            };
            format!("/model/{}/{verb}", segment(model)).into()
        }
    }
}

fn gemini_path(model: &str, stream: bool, events: bool) -> String {
    let model = segment(model);
    match (stream, events) {
        (false, _) => format!("/models/{model}:generateContent"),
        (true, true) => format!("/models/{model}:streamGenerateContent?alt=sse"),
        (true, false) => format!("/models/{model}:streamGenerateContent"),
    }
}

/// A model's name as one segment of a path.
fn segment(model: &str) -> String {
    let mut segment = String::with_capacity(model.len() + 8);
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                segment.push(char::from(byte));
            }
            // Writing into a string cannot fail.
            _ => drop(write!(segment, "%{byte:02X}")),
        }
    }
    segment
}

// === impl Way ===

impl Way {
    /// The media type of what the client gets of a good answer, where it is not the provider's.
    pub fn media_type(&self) -> Option<&'static str> {
        match self {
            Self::Same { .. } => None,
            Self::Across { back, stream } => Some(back.media_type(*stream)),
            Self::Mapped(mapped) => (!mapped.passes()).then(|| mapped.media_type()),
        }
    }

    /// Whether a good answer goes on while it comes, and is not read whole first.
    pub fn passes(&self) -> bool {
        match self {
            Self::Same { .. } => true,
            Self::Across { stream, .. } => *stream,
            Self::Mapped(mapped) => mapped.passes(),
        }
    }
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint => f.write_str("this model's provider does not answer at this endpoint"),
            Self::Crossing(refused) => refused.fmt(f),
            Self::Program(_) => {
                f.write_str("the program of this model makes no request of this body")
            }
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_stands_in_it() {
        assert_eq!(segment("gemini-2.5-flash"), "gemini-2.5-flash");
        assert_eq!(
            segment("arn:aws:bedrock/a b?"),
            "arn%3Aaws%3Abedrock%2Fa%20b%3F"
        );
    }
}
