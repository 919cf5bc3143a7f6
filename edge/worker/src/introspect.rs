//! Asks issuers about tokens that only they can read (RFC 7662).
//!
//! Knows HTTP and how long an issuer may take; knows nothing of what an answer means. Each core asks for its own requests, beside
//! them. Addresses are judged as those of providers are, and redirects are not followed. A token goes to its issuer's address of
//! the settings, and nowhere else.

use std::{cell::Cell, convert::Infallible, fmt, future::pending, task::Context, time::Duration};

use bytes::Bytes;
use claims::document;
use credential::endpoint::Endpoint;
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::{HeaderValue, Method, header};
use lifecycle::clock::Clock;
use serde_json::{Map, Value};
use tokio::{
    select,
    time::{Instant, timeout},
};
use tracing::warn;

use crate::{
    call::{
        client::{Client, NoAnswer},
        message::USER_AGENT,
        origin::Origin,
    },
    opaque::{Opaque, Place, Question},
    request::query,
};

/// How long an issuer may take.
const TIME_MAX: Duration = Duration::from_secs(5);

/// How many tokens are asked about at the same time.
// Full: the others wait.
const FLIGHTS_MAX: usize = 32;

/// The longest answer, in bytes.
// Full: it is none.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// The status of an answer.
const ANSWERED: u16 = 200;

/// The status by which an issuer does not take us for its client.
const NOT_US: u16 = 401;

/// How often it is logged that nobody answers.
const SAID_AGAIN: Duration = Duration::from_secs(10);

/// One core's.
pub struct Introspector {
    client: Client,
    opaque: Opaque,
    clock: Clock,
    warned: Cell<Option<Instant>>,
}

/// Why an issuer said nothing. Holds nothing that it said.
#[derive(Debug)]
enum Silent {
    Url,
    NoAnswer(NoAnswer),
    Status(u16),
    NoDocument,
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_introspection_total",
        "Times that an issuer was asked about a token that only it can read, by outcome"
    );
}

// === impl Introspector ===

impl Introspector {
    /// Asks what `opaque` has waiting.
    pub const fn new(client: Client, opaque: Opaque, clock: Clock) -> Self {
        Self {
            client,
            opaque,
            clock,
            warned: Cell::new(None),
        }
    }

    /// Closes connections that have rested too long.
    pub fn sweep(&self, cx: &mut Context<'_>) {
        self.client.sweep(cx);
    }

    /// Asks what is to be asked. Never ends; a core runs it beside its requests.
    pub async fn run(&self) -> Infallible {
        let Some(mut coming) = self.opaque.coming() else {
            return pending().await;
        };
        let mut flights = FuturesUnordered::new();
        loop {
            select! {
                Some(question) = coming.recv(), if flights.len() < FLIGHTS_MAX => {
                    flights.push(self.ask(question));
                }
                Some(()) = flights.next() => {}
            }
        }
    }

    async fn ask(&self, question: Question) {
        let Some(place) = self.opaque.place(&question.token) else {
            return self.opaque.land(question, None, self.clock.now_ms());
        };
        let asked = timeout(TIME_MAX, self.asked(place, &question.token)).await;
        let outcome = match asked.unwrap_or(Err(Silent::NoAnswer(NoAnswer::Slow))) {
            Ok(said) => {
                let is_active = said.get("active") == Some(&Value::Bool(true));
                self.opaque.land(question, Some(said), self.clock.now_ms());
                if is_active { "active" } else { "inactive" }
            }
            Err(why) => {
                self.warn(place, &why);
                self.opaque.land(question, None, self.clock.now_ms());
                "failed"
            }
        };
        metrics::counter!("sluice_introspection_total", "outcome" => outcome).increment(1);
    }

    fn warn(&self, place: &Place, why: &Silent) {
        let now = Instant::now();
        let lately = |at: Instant| now.duration_since(at) < SAID_AGAIN;
        if !self.warned.get().is_some_and(lately) {
            self.warned.set(Some(now));
            warn!(organization = %place.organization, issuer = %place.issuer, %why, "an issuer cannot be asked about its tokens");
        }
    }

    async fn asked(&self, place: &Place, token: &str) -> Result<Map<String, Value>, Silent> {
        let endpoint = Endpoint::read(&place.url).ok_or(Silent::Url)?;
        let origin = Origin::parse(endpoint.origin()).map_err(|_| Silent::Url)?;
        let fields = format!(
            "token={}&token_type_hint=access_token",
            query::encoded(token)
        );
        let request = origin.request((Method::POST, endpoint.target()), Bytes::from(fields));
        let mut request = request.map_err(|_| Silent::Url)?;
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, place.authorization.clone());
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, USER_AGENT);
        let answer = self.client.ask(origin, request, Instant::now() + TIME_MAX);
        let answer = answer.await;
        let (parts, mut body) = answer.map_err(Silent::NoAnswer)?.into_parts();
        if parts.status.as_u16() != ANSWERED {
            return Err(Silent::Status(parts.status.as_u16()));
        }
        let body = body.whole(ANSWER_BYTES_MAX).await;
        let body = body.map_err(|_| Silent::NoAnswer(NoAnswer::Broken))?;
        document::read(&body).map_err(|_| Silent::NoDocument)
    }
}

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("its URL cannot be asked"),
            Self::NoAnswer(NoAnswer::Unreachable(why)) => write!(f, "it cannot be reached: {why}"),
            Self::NoAnswer(NoAnswer::Broken) => {
                f.write_str("it broke off, or its answer is too long")
            }
            Self::NoAnswer(NoAnswer::Slow) => f.write_str("it did not answer in time"),
            Self::Status(NOT_US) => f.write_str("it does not take our client_id and client_secret"),
            Self::Status(status) => write!(f, "it answered with status {status}"),
            Self::NoDocument => f.write_str("what it answers is no JSON that can be read"),
        }
    }
}
