//! Says a request in a target's dialect: its body, its path, and how the answer comes back.
//!
//! Within a family the model's name is spliced and the bytes pass; between two the neutral form stands. Knows which
//! kind of provider speaks what; knows nothing of sockets or credentials.

mod door;
mod facts;
pub mod custom;

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use dialect::{
    crossing::{self, Back, Crossed, Target, VectorMaker, cross, cross_count, cross_vectors},
    messages::{
        hosted::{self, Enclosed, Envelope, enclose},
        target::Hosting,
    },
    neutral::{Dropped, Family, Seed},
    request::{Endpoint, Rewrite, rewrite},
};
use http::{HeaderMap, HeaderValue, Method, header};
use payload::{jq::Fault, object::Misfit};
use policy::provider::Provider;

use crate::{
    elsewhere::Elsewhere,
    in_force::mappings::Custom,
    request::{Arrival, JSON_BYTES, Request},
    route::Candidate,
};

use self::{
    custom::{Mapped, Unsent},
    door::{Door, segment},
};

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
    /// Which of the client's headers go on.
    pub forwards: Forwards,
    /// What becomes of the answer.
    pub way: Way,
    /// What was left out.
    pub dropped: Dropped,
}

/// Which of the client's headers a provider may see, beside those that every one may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwards {
    /// None.
    Plain,
    /// Those of Anthropic's API.
    Anthropic,
    /// Of those of Anthropic's API the betas alone, and of them these, with commas between them. May be empty.
    Betas(String),
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
    /// It is in the client's dialect and comes in the envelope of a host of Anthropic's models.
    Hosted {
        /// What was asked, which says how it is read.
        endpoint: Endpoint,
        /// Whether it comes in Amazon's frames, out of which it must be taken.
        framed: bool,
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
    /// This would be left out, and the client wants only those asked that can be told all that it says.
    Parameters(Dropped),
}

/// Says the request for one target; see [`mapped`] for those with a mapping.
pub fn outgoing(
    request: &Request,
    candidate: &Candidate,
    arrival: &Arrival,
) -> Result<Outgoing, Refusal> {
    let (provider, model) = (candidate.provider(), &candidate.target().provider_model);
    let endpoint = request.endpoint();
    let foreign = || endpoint.family().is_some() && crossing::holds_foreign_proof(request.body());
    let door = Door::of(provider.kind, model, endpoint);
    let model = door.name(model);
    match (door, door.same(endpoint)) {
        // A conversation that another family's model had a part in holds proofs that this one must not see.
        // Nor may one pass as it is that is to be held to what was reserved for it.
        (_, Some(_)) if is_written_anew(request) || foreign() => {
            across(request, provider, (door.across(endpoint), model), arrival)
        }
        (Door::VertexMessages | Door::BedrockMessages, Some(_)) => enclosed(request, door, model),
        (_, Some(family)) => Ok(spliced(request, provider, (door, model), family)),
        (_, None) => across(request, provider, (door, model), arrival),
    }
}

/// Whether a body is written anew within its family, because it is held to more than it says, or may have to be ended.
fn is_written_anew(request: &Request) -> bool {
    let (endpoint, scanned) = (request.endpoint(), request.scanned());
    let generates = endpoint.family().is_some() && !endpoint.counts();
    let says_all = scanned.output_tokens_max.is_some() && !scanned.stream;
    let is_held = || request.held().is_some_and(|it| it.ceiling().is_some());
    generates && !says_all && is_held()
}

fn spliced(
    request: &Request,
    provider: &Provider,
    (door, model): (Door, &str),
    family: Family,
) -> Outgoing {
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
            Endpoint::CountMessages | Endpoint::CountGenerate => door.count(model),
            Endpoint::Generate | Endpoint::GenerateStream => {
                door.answer(model, endpoint.streams(), request.wants_events())
            }
            Endpoint::Infer => door::tensors(model, "/infer"),
            Endpoint::InferMetadata => door::tensors(model, ""),
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
        forwards: forwards(family),
        way: Way::Same {
            endpoint,
            // Who wants the cost wants the usage in which it stands.
            usage_added: usage_added && !request.tells_cost(),
        },
        dropped: Dropped::default(),
    }
}

/// A request of Anthropic's API for a host of its models: the same bytes in another envelope.
fn enclosed(request: &Request, door: Door, model: &str) -> Result<Outgoing, Refusal> {
    let endpoint = request.endpoint();
    let stream = request.scanned().stream && !endpoint.counts();
    let framed = door == Door::BedrockMessages;
    let envelope = Envelope {
        hosting: facts::hosting(door),
        betas: request.betas(),
        known: if framed {
            &facts::BETAS_OF_BEDROCK
        } else {
            &facts::BETAS_OF_VERTEX
        },
        model: endpoint.counts().then_some(model),
    };
    // The scan has seen that it is UTF-8, and one object.
    let body = str::from_utf8(request.body()).unwrap_or_default();
    let Enclosed {
        body,
        betas,
        dropped,
    } = enclose(body, &envelope).map_err(|_| misfit())?;
    Ok(Outgoing {
        path: if endpoint.counts() {
            door.count(model)
        } else {
            door.answer(model, stream, true)
        },
        method: Method::POST,
        headers: HeaderMap::new(),
        body: body.into(),
        forwards: Forwards::Betas(betas),
        way: Way::Hosted {
            endpoint,
            framed: framed && stream,
        },
        dropped,
    })
}

fn misfit() -> Refusal {
    Refusal::Crossing(crossing::Refused::Misfit(Misfit::new("must be an object")))
}

/// Within Anthropic's family its headers go on.
const fn forwards(family: Family) -> Forwards {
    match family {
        Family::Messages => Forwards::Anthropic,
        _ => Forwards::Plain,
    }
}

fn across(
    request: &Request,
    provider: &Provider,
    (door, model): (Door, &str),
    arrival: &Arrival,
) -> Result<Outgoing, Refusal> {
    let seed = seed(arrival);
    let with_usage = request.tells_cost().then(|| asking(request));
    // The scan has seen that it is UTF-8.
    let body = with_usage.as_ref().unwrap_or_else(|| request.body());
    let body = str::from_utf8(body).unwrap_or_default();
    if request.endpoint() == Endpoint::Embeddings {
        let maker = facts::maker(door, model).ok_or(Refusal::Endpoint)?;
        return vectors(body, (door, model), &maker, seed);
    }
    let asked = request.crossing().ok_or(Refusal::Endpoint)?;
    let target = facts::target(provider, door, model).ok_or(Refusal::Endpoint)?;
    if request.endpoint().counts() {
        let crossed = cross_count(&asked, body, &target, seed).map_err(Refusal::Crossing)?;
        let mut crossed = crossed.ok_or(Refusal::Endpoint)?;
        let forwards = across_to(&target, request, door, &mut crossed.dropped);
        return Ok(count(crossed, forwards, (door, model)));
    }
    let mut crossed = cross(&asked, body, &target, seed).map_err(Refusal::Crossing)?;
    let forwards = across_to(&target, request, door, &mut crossed.dropped);
    Ok(Outgoing {
        method: Method::POST,
        headers: HeaderMap::new(),
        path: door.answer(model, crossed.stream, true),
        body: crossed.body.into(),
        forwards,
        way: Way::Across {
            back: Box::new(crossed.back),
            stream: crossed.stream,
        },
        dropped: crossed.dropped,
    })
}

/// The body, asking for usage in the stream, too.
fn asking(request: &Request) -> Bytes {
    let scanned = request.scanned();
    let ask = Rewrite {
        model: &scanned.model,
        ask_usage: true,
    };
    rewrite(request.body(), scanned, &ask)
}

fn seed(arrival: &Arrival) -> Seed {
    Seed {
        request_id: arrival.id.hyphenated().to_string(),
        now_seconds: arrival.at_ms / 1_000,
    }
}

/// Says the request for a target of a custom provider, whose program runs `elsewhere`.
pub async fn mapped(
    request: &Request,
    custom: &Arc<Custom>,
    model: &str,
    arrival: &Arrival,
    elsewhere: &Elsewhere,
) -> Result<Outgoing, Refusal> {
    let sent = custom::sent(request, (custom, model), seed(arrival), elsewhere).await;
    let sent = sent.map_err(|why| match why {
        Unsent::Endpoint => Refusal::Endpoint,
        Unsent::Crossing(refused) => Refusal::Crossing(refused),
        Unsent::Program(fault) => Refusal::Program(fault),
    })?;
    Ok(Outgoing {
        method: custom.method.clone(),
        path: custom::path(custom, &segment(model, b"")).into(),
        body: sent.body,
        headers: sent.headers,
        forwards: Forwards::Plain,
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

fn count(crossed: Crossed, forwards: Forwards, (door, model): (Door, &str)) -> Outgoing {
    Outgoing {
        method: Method::POST,
        headers: HeaderMap::new(),
        path: door.count(model),
        body: crossed.body.into(),
        forwards,
        way: Way::Across {
            back: Box::new(crossed.back),
            stream: false,
        },
        dropped: crossed.dropped,
    }
}

/// Which of the client's headers go on with a request that was written anew. A host of Anthropic's models is told of betas
/// where a client of Anthropic's asks for some: of those that it knows, by Vertex's header. Converse has no such header.
fn across_to(
    target: &Target<'_>,
    request: &Request,
    door: Door,
    dropped: &mut Dropped,
) -> Forwards {
    if let Target::Messages(target) = target
        && target.hosting == Hosting::Anthropic
    {
        return Forwards::Anthropic;
    }
    if request.endpoint().family() != Some(Family::Messages) {
        return Forwards::Plain;
    }
    match door {
        Door::VertexMessages => {
            let body = str::from_utf8(request.body()).unwrap_or_default();
            let known = &facts::BETAS_OF_VERTEX;
            Forwards::Betas(hosted::betas(body, request.betas(), known, dropped))
        }
        // Those of the body are named with all of it that has no place there.
        Door::Converse => {
            hosted::betas("{}", request.betas(), &[], dropped);
            Forwards::Plain
        }
        _ => Forwards::Plain,
    }
}

fn vectors(
    body: &str,
    (door, model): (Door, &str),
    maker: &VectorMaker<'_>,
    seed: Seed,
) -> Result<Outgoing, Refusal> {
    let crossed = cross_vectors(body, maker, seed).map_err(Refusal::Crossing)?;
    Ok(Outgoing {
        method: Method::POST,
        headers: HeaderMap::new(),
        path: door.vectors(model, crossed.method),
        body: crossed.body.into(),
        forwards: Forwards::Plain,
        way: Way::Across {
            back: Box::new(crossed.back),
            stream: false,
        },
        dropped: crossed.dropped,
    })
}

// === impl Way ===

impl Way {
    /// The media type of what the client gets of a good answer, where it is not the provider's.
    pub fn media_type(&self) -> Option<&'static str> {
        match self {
            Self::Across { back, stream } => Some(back.media_type(*stream)),
            Self::Hosted { framed: true, .. } => Some("text/event-stream"),
            Self::Hosted { .. } | Self::Same { .. } => None,
            Self::Mapped(mapped) => (!mapped.passes()).then(|| mapped.media_type()),
        }
    }

    /// Whether a good answer goes on while it comes, and is not read whole first.
    pub fn passes(&self) -> bool {
        match self {
            Self::Same { .. } | Self::Hosted { .. } => true,
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
            Self::Parameters(_) => f.write_str(
                "no target of this model can be told all that the request says, as `provider.require_parameters` wants it",
            ),
        }
    }
}

impl std::error::Error for Refusal {}
