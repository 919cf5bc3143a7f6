//! What a decision about a request hangs on, beside the rules: what was read of it, or what an operator supposes.
//!
//! Knows requests; decides nothing.

use std::borrow::Cow;

use claims::condition::{self, Fact};
use dialect::{
    preferences::{Preferences, Sort},
    request::Endpoint,
};
use policy::capability::Abilities;

use crate::{
    fares::Fares,
    request::{Arrival, Refusal, Request, endpoint, prefix},
};

/// What a decision hangs on.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// How targets fare; `None` where nobody is to be asked.
    pub fares: Option<&'a Fares>,
    /// The version that the client names. It gets that one where it serves at all, and is then not part of a rollout.
    pub named: Option<&'a str>,
    /// Which request; `None` where none is to be served.
    pub arrival: Option<&'a Arrival>,
    /// By what a suffix of the model's name wants targets put in order.
    sort: Option<Sort>,
    /// What it says.
    said: Said<'a>,
}

/// What is known of what a request says.
#[derive(Clone, Copy)]
enum Said<'a> {
    /// Nothing.
    Nothing,
    /// What was read of it.
    Read(&'a Request),
    /// What an operator supposes.
    Supposed(&'a Supposed),
}

/// What a request asks of whoever answers it.
#[derive(Debug, Clone, Copy)]
pub struct Asks {
    /// In which dialect it asks.
    pub endpoint: Endpoint,
    /// What it demands.
    pub abilities: Abilities,
    /// How many tokens surely go in.
    pub input_tokens: u64,
    /// The most that are to come out, if it says so.
    pub output_tokens_max: Option<u64>,
}

/// A request that an operator supposes.
#[derive(Debug, Clone, Default)]
pub struct Supposed {
    /// For whom it asks; empty where it does not say.
    pub end_user: String,
    /// Its session; empty where it does not say.
    pub session: String,
    /// Its headers, by their names in small letters.
    pub headers: Vec<(String, String)>,
    /// What it is marked with.
    pub tags: Vec<(String, String)>,
    /// How many tokens go in.
    pub input_tokens: u64,
    /// When it arrives, milliseconds since 1970.
    pub at_ms: u64,
    /// What its client prefers.
    pub preferences: Option<Box<Preferences>>,
    /// What it demands of whoever answers.
    pub demands: Abilities,
    /// The most tokens that are to come out; zero where it does not say.
    pub output_tokens_max: u64,
}

/// The tokens of a request that is not read.
const SUPPOSED_TOKENS: (u64, u64) = (1_000, 250);

// === impl Asking ===

impl<'a> Asking<'a> {
    /// Of a request, whose targets fare so.
    pub fn of(request: &'a Request, arrival: &'a Arrival, fares: &'a Fares) -> Self {
        Self {
            fares: Some(fares),
            named: request.version(),
            arrival: Some(arrival),
            sort: None,
            said: Said::Read(request),
        }
    }

    /// Of one that is not read.
    pub const fn unread(arrival: &'a Arrival, fares: &'a Fares) -> Self {
        Self {
            fares: Some(fares),
            named: None,
            arrival: Some(arrival),
            sort: None,
            said: Said::Nothing,
        }
    }

    /// About a version, or about the stable one.
    pub const fn named(named: Option<&'a str>) -> Self {
        Self {
            fares: None,
            named,
            arrival: None,
            sort: None,
            said: Said::Nothing,
        }
    }

    /// Of one that is supposed.
    pub const fn supposed(supposed: &'a Supposed, fares: &'a Fares) -> Self {
        Self {
            fares: Some(fares),
            named: None,
            arrival: None,
            sort: None,
            said: Said::Supposed(supposed),
        }
    }

    /// The same, asking for its targets in this order.
    pub const fn sorted(self, sort: Option<Sort>) -> Self {
        Self { sort, ..self }
    }

    /// When it arrived, in milliseconds since 1970; zero where it has not.
    pub fn at_ms(&self) -> u64 {
        match (self.arrival, self.said) {
            (Some(arrival), _) => arrival.at_ms,
            (None, Said::Supposed(supposed)) => supposed.at_ms,
            (None, _) => 0,
        }
    }

    /// What its client prefers among targets, if it says so.
    pub fn preferences(&self) -> Option<&'a Preferences> {
        match self.said {
            Said::Nothing => None,
            Said::Read(request) => request.preferences(),
            Said::Supposed(supposed) => supposed.preferences.as_deref(),
        }
    }

    /// By what its client wants targets put in order: a suffix of the model's name speaks first.
    pub fn sort(&self) -> Option<Sort> {
        self.sort.or_else(|| self.preferences()?.sort)
    }

    /// Whether what is decided is to be told in a trace.
    pub fn is_traced(&self) -> bool {
        self.arrival.is_some_and(|it| it.trace.is_some())
    }

    /// How many tokens go in and may come out, as far as that can be guessed.
    pub fn tokens(&self) -> (u64, u64) {
        let request = match self.said {
            Said::Nothing => return SUPPOSED_TOKENS,
            Said::Supposed(supposed) => {
                let input = supposed.input_tokens;
                return (input, input / 4);
            }
            Said::Read(request) => request,
        };
        let input = request.input_tokens_estimate();
        let output = request.scanned().output_tokens_max;
        (input, output.unwrap_or(input / 4))
    }

    /// What it asks of whoever answers it; `None` where that is not read, or nothing is generated.
    pub fn asks(&self) -> Option<Asks> {
        match self.said {
            Said::Nothing => None,
            Said::Supposed(it) => Some(Asks {
                endpoint: Endpoint::ChatCompletions,
                abilities: it.demands,
                input_tokens: it.input_tokens,
                output_tokens_max: Some(it.output_tokens_max),
            }),
            Said::Read(request) => {
                let endpoint = request.endpoint();
                let scanned = request.scanned();
                let bits = scanned.demands.bits().into();
                (!endpoint.counts()).then(|| Asks {
                    endpoint,
                    abilities: Abilities::from_bits(bits).unwrap_or_default(),
                    input_tokens: request.input_tokens_least(),
                    output_tokens_max: scanned.output_tokens_max,
                })
            }
        }
    }

    /// How its conversation begins.
    pub fn prefix(&self) -> Option<&'a [u8]> {
        match self.said {
            Said::Read(request) => prefix::of(request.endpoint(), request.body()),
            Said::Nothing | Said::Supposed(_) => None,
        }
    }

    /// For whom the client says that it asks; `None` where that is not read.
    pub fn end_user(&self) -> Option<Cow<'a, str>> {
        match self.said {
            Said::Nothing => None,
            // A body that cannot be read is for others to judge.
            Said::Read(request) => request.end_user().ok(),
            Said::Supposed(supposed) => Some(Cow::Borrowed(&supposed.end_user)),
        }
    }

    /// The same, where a limit counts it: then a body that cannot be read is refused.
    pub fn whose(&self) -> Result<Cow<'a, str>, Refusal> {
        match self.said {
            Said::Read(request) => request.end_user(),
            Said::Nothing | Said::Supposed(_) => Ok(self.end_user().unwrap_or_default()),
        }
    }

    /// The session that the client says it belongs to.
    pub fn session(&self) -> Option<&'a [u8]> {
        match self.said {
            Said::Nothing => None,
            Said::Read(request) => request.session(),
            Said::Supposed(supposed) if supposed.session.is_empty() => {
                let session = supposed.preferences.as_ref()?.session.as_ref();
                Some(session?.as_bytes())
            }
            Said::Supposed(supposed) => Some(supposed.session.as_bytes()),
        }
    }

    /// What the client marks it with under this name.
    pub fn tag(&self, name: &str) -> Option<&'a str> {
        match self.said {
            Said::Nothing => None,
            Said::Read(request) => {
                let mut tags = request.tags()?.iter();
                tags.find(|(key, _)| *key == name).map(|(_, value)| value)
            }
            Said::Supposed(it) => {
                let mut tags = it.tags.iter();
                let found = tags.find(|(key, _)| key == name);
                found.map(|(_, value)| value.as_str())
            }
        }
    }

    /// The header of this name, as conditions see it.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        match self.said {
            Said::Nothing => None,
            Said::Read(request) => request.spare_text(name, condition::HEADERS_MAX),
            Said::Supposed(it) => {
                let mut first = it.headers.iter().take(condition::HEADERS_MAX);
                let found = first.rfind(|(header, _)| header == name);
                found.map(|(_, text)| text.as_str())
            }
        }
    }

    /// What a condition may name, as far as it is the request that says it.
    pub fn fact(&self, name: &str) -> Option<Fact> {
        let text = |it: &[u8]| Fact::Text(String::from_utf8_lossy(it).into_owned());
        Some(match (name, self.said) {
            (condition::SESSION, _) => text(self.session().unwrap_or_default()),
            (condition::INPUT_TOKENS, _) => Fact::Number(self.tokens().0),
            (condition::HEADERS, Said::Read(request)) => Fact::Texts(request.spare_headers()),
            (condition::HEADERS, Said::Supposed(it)) => Fact::Texts(it.headers.clone()),
            (condition::ENDPOINT, Said::Read(request)) => {
                text(endpoint::path(request.endpoint()).as_bytes())
            }
            (condition::STREAM, Said::Read(request)) => Fact::Truth(request.scanned().stream),
            _ => return None,
        })
    }
}
