//! Says a request for a custom provider: by its mapping's program, whose answer comes back by others.
//!
//! Knows what a program gets at which endpoint. Must never know what it makes of it.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use dialect::{
    crossing::{self, Back, cross_whole},
    custom, estimate,
    neutral::{Dropped, Error, Seed},
    request::Endpoint,
};
use http::{HeaderMap, HeaderValue, header};
use payload::jq::Fault;
use policy::mapping::MODEL;

use crate::{elsewhere::Elsewhere, in_force::mappings::Custom, record::Tally, request::Request};

/// How an answer of a custom provider comes back.
#[derive(Debug)]
pub struct Mapped {
    custom: Arc<Custom>,
    elsewhere: Elsewhere,
    /// Towards a client of chat; `None` where the client takes what the program gives.
    back: Option<Back>,
    stream: bool,
}

/// A request as the provider's program makes it.
pub(super) struct Sent {
    pub(super) body: Bytes,
    pub(super) headers: HeaderMap,
    pub(super) dropped: Dropped,
    pub(super) mapped: Mapped,
}

/// Why a request cannot be made.
pub(super) enum Unsent {
    /// The provider does not answer there.
    Endpoint,
    /// It has no words.
    Crossing(crossing::Refused),
    /// The program failed.
    Program(Fault),
}

/// Why an answer is none.
#[derive(Debug)]
pub enum Unanswerable {
    /// The program failed.
    Program(Fault),
    /// What it gives is no chat completion.
    NoCompletion,
}

/// Makes the request. Its program runs `elsewhere`.
pub(super) async fn sent(
    request: &Request,
    (custom, model): (&Arc<Custom>, &str),
    seed: Seed,
    elsewhere: &Elsewhere,
) -> Result<Sent, Unsent> {
    let mut mapped = Mapped {
        custom: Arc::clone(custom),
        elsewhere: elsewhere.clone(),
        back: None,
        stream: false,
    };
    let (body, dropped) = match request.endpoint() {
        Endpoint::Invoke => (request.body().clone(), Dropped::default()),
        endpoint if custom.chat && !endpoint.counts() => {
            let asked = request.crossing().ok_or(Unsent::Endpoint)?;
            // The scan has seen that it is UTF-8.
            let body = str::from_utf8(request.body()).unwrap_or_default();
            let crossed = cross_whole(&asked, body, model, seed).map_err(Unsent::Crossing)?;
            (mapped.back, mapped.stream) = (Some(crossed.back), crossed.stream);
            (crossed.body.into(), crossed.dropped)
        }
        _ => return Err(Unsent::Endpoint),
    };
    let body = if custom.programs.request.is_some() {
        let custom = Arc::clone(custom);
        let made = elsewhere.run(move || custom.programs.request(&body).map(Cow::into_owned));
        let made = made.await.unwrap_or(Err(Fault::Broken));
        made.map_err(Unsent::Program)?.into()
    } else {
        body
    };
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::with_capacity(custom.headers.len() + 1);
    headers.insert(header::ACCEPT, json);
    headers.extend(custom.headers.clone());
    Ok(Sent {
        body,
        headers,
        dropped,
        mapped,
    })
}

/// The path with the provider's name for the model, which is one segment of it.
pub(super) fn path(custom: &Custom, segment: &str) -> String {
    custom.path.replace(MODEL, segment)
}

// === impl Mapped ===

impl Mapped {
    /// Whether a good answer goes to the client as it is, because no program says otherwise.
    pub fn passes(&self) -> bool {
        let programs = &self.custom.programs;
        self.back.is_none() && programs.response.is_none() && programs.usage.is_none()
    }

    /// Whether an error does.
    pub fn tells_errors(&self) -> bool {
        self.back.is_none() && self.custom.programs.error.is_none()
    }

    /// What an error says.
    pub async fn error(&self, status: u16, body: Bytes) -> Error {
        let custom = Arc::clone(&self.custom);
        if custom.programs.error.is_none() {
            return custom.programs.error(status, &body);
        }
        let read = self
            .elsewhere
            .run(move || custom.programs.error(status, &body));
        // What can be told without a program.
        read.await
            .unwrap_or_else(|_| custom::Mapping::default().error(status, b""))
    }

    /// What the client gets of a good answer, and what was used. A program that cannot tell the use takes nothing from the
    /// answer: the use is estimated then. Why it ended is told if somebody asks.
    pub async fn answer(
        self: Box<Self>,
        body: Bytes,
        tells_finish: bool,
    ) -> Result<(Vec<u8>, Tally), Unanswerable> {
        let programs = &self.custom.programs;
        if programs.response.is_none() && programs.usage.is_none() {
            return self.read(&body, tells_finish);
        }
        let elsewhere = self.elsewhere.clone();
        let read = elsewhere.run(move || self.read(&body, tells_finish));
        read.await
            .unwrap_or(Err(Unanswerable::Program(Fault::Broken)))
    }

    fn read(&self, body: &[u8], tells_finish: bool) -> Result<(Vec<u8>, Tally), Unanswerable> {
        let programs = &self.custom.programs;
        let tokens = programs.usage(body).unwrap_or_else(|_| {
            metrics::counter!("sluice_usage_program_failed_total").increment(1);
            None
        });
        let tally = Tally {
            tokens,
            output_tokens: estimate::output_tokens(body.len() as u64),
            ..Tally::default()
        };
        let made = programs.response(body).map_err(Unanswerable::Program)?;
        let Some(back) = &self.back else {
            return Ok((made.into_owned(), tally));
        };
        let told = back.told(&made, (self.stream, tells_finish), tokens);
        let told = told.map_err(|_| Unanswerable::NoCompletion)?;
        let tally = Tally {
            tokens: told.tokens,
            output_tokens: estimate::output_tokens(told.generated_bytes),
            finish: told.finish,
        };
        Ok((told.body, tally))
    }

    /// The media type of what the client gets of an answer that was mapped.
    pub fn media_type(&self) -> &'static str {
        match &self.back {
            Some(back) => back.media_type(self.stream),
            None => "application/json",
        }
    }
}

// === impl Unanswerable ===

/// For the log: what a program raised may hold what the provider said, and is left out.
impl fmt::Display for Unanswerable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(Fault::Raised(_)) => {
                f.write_str("the response program raised an error on its answer")
            }
            Self::Program(fault) => write!(f, "the response program failed: {fault}"),
            Self::NoCompletion => f.write_str("the response program gave no chat completion"),
        }
    }
}
