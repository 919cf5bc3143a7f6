//! Decides which version of a model serves a request: the stable one, or one that has a share of its traffic.
//!
//! Pure, given the rules. A model whose traffic is not shared costs one look at a pointer. Who asks is assigned by what
//! `policy::split` says, which every edge says alike; what a client does not say it cannot be held to, and then the
//! request is assigned by itself. A version that is not in force here gets nothing.

use std::borrow::Cow;

use policy::{
    id::VersionId,
    model::Model,
    rules::Rules,
    split::{Split, Sticky},
};

use crate::{
    fares::Fares,
    identify::Caller,
    request::{Arrival, Request},
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

/// A request that an operator supposes.
#[derive(Debug, Clone, Default)]
pub struct Supposed {
    /// For whom it asks; empty where it does not say.
    pub end_user: String,
    /// Its session; empty where it does not say.
    pub session: String,
}

/// The tokens of a request that is not read.
const SUPPOSED_TOKENS: (u64, u64) = (1_000, 250);

/// The version that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The version.
    pub version: VersionId,
    /// As whose request it counts, where the model's split assigned it.
    pub client: Option<u32>,
}

// === impl Asking ===

impl<'a> Asking<'a> {
    /// Of a request, whose targets fare so.
    pub fn of(request: &'a Request, arrival: &'a Arrival, fares: &'a Fares) -> Self {
        Self {
            fares: Some(fares),
            named: request.version(),
            arrival: Some(arrival),
            said: Said::Read(request),
        }
    }

    /// Of one that is not read.
    pub const fn unread(arrival: &'a Arrival, fares: &'a Fares) -> Self {
        Self {
            fares: Some(fares),
            named: None,
            arrival: Some(arrival),
            said: Said::Nothing,
        }
    }

    /// About a version, or about the stable one.
    pub const fn named(named: Option<&'a str>) -> Self {
        Self {
            fares: None,
            named,
            arrival: None,
            said: Said::Nothing,
        }
    }

    /// Of one that is supposed.
    pub const fn supposed(supposed: &'a Supposed, fares: &'a Fares) -> Self {
        Self {
            fares: Some(fares),
            named: None,
            arrival: None,
            said: Said::Supposed(supposed),
        }
    }

    /// When it arrived, in milliseconds since 1970; zero where it has not.
    pub fn at_ms(&self) -> u64 {
        self.arrival.map_or(0, |it| it.at_ms)
    }

    /// Whether what is decided is to be told in a trace.
    pub fn is_traced(&self) -> bool {
        self.arrival.is_some_and(|it| it.trace.is_some())
    }

    /// How many tokens go in and may come out, as far as that can be guessed.
    pub fn tokens(&self) -> (u64, u64) {
        let Said::Read(request) = self.said else {
            return SUPPOSED_TOKENS;
        };
        let input = request.input_tokens_estimate();
        let output = request.scanned().output_tokens_max;
        (input, output.unwrap_or(input / 4))
    }

    /// How its conversation begins.
    pub fn prefix(&self) -> Option<&'a [u8]> {
        match self.said {
            Said::Read(request) => request.prefix(),
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

    /// The session that the client says it belongs to.
    pub fn session(&self) -> Option<&'a [u8]> {
        match self.said {
            Said::Nothing => None,
            Said::Read(request) => request.session(),
            Said::Supposed(supposed) => Some(supposed.session.as_bytes()),
        }
    }
}

/// The version that serves a request; `None` where the model is not offered.
pub fn assign(
    rules: &Rules,
    model: &Model,
    caller: &Caller,
    asking: Asking<'_>,
) -> Option<Assigned> {
    let stable = Assigned {
        version: model.stable?,
        client: None,
    };
    let Some(split) = model.split.as_deref() else {
        return Some(stable);
    };
    if let Some(name) = asking.named {
        let version = named(rules, split, name).unwrap_or(stable.version);
        return Some(Assigned { version, ..stable });
    }
    let said = subject(split.sticky, caller, asking);
    let place = match (said.as_deref(), asking.arrival) {
        (Some(subject), _) if !subject.is_empty() => split.assign(split.sticky, subject),
        (_, Some(arrival)) => split.assign(Sticky::Request, arrival.id.as_bytes()),
        (_, None) => return Some(stable),
    };
    let version = place.version.unwrap_or(stable.version);
    if rules.version(version).is_none() {
        // Nobody is refused for this, so nobody else counts it.
        metrics::counter!("sluice_config_dangling_reference_total").increment(1);
        return Some(stable);
    }
    Some(Assigned {
        version,
        client: Some(place.client),
    })
}

fn named(rules: &Rules, split: &Split, name: &str) -> Option<VersionId> {
    let arms = split.arms().iter().map(|arm| arm.version);
    arms.into_iter()
        .find(|id| rules.version(*id).is_some_and(|it| it.name == name))
}

/// Who asks, by what a split is sticky to, as far as that is said.
fn subject<'a>(sticky: Sticky, caller: &'a Caller, asking: Asking<'a>) -> Option<Cow<'a, [u8]>> {
    match sticky {
        Sticky::Request => None,
        Sticky::Key => Some(Cow::Borrowed(caller.key().key_id.as_bytes())),
        Sticky::EndUser => match caller.end_user() {
            Some(said) => Some(Cow::Borrowed(said.as_bytes())),
            None => match asking.end_user()? {
                Cow::Borrowed(text) => Some(Cow::Borrowed(text.as_bytes())),
                Cow::Owned(text) => Some(Cow::Owned(text.into_bytes())),
            },
        },
        Sticky::Session => asking.session().map(Cow::Borrowed),
    }
}
