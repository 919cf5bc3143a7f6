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
    identify::Caller,
    request::{Arrival, Request},
};

/// What an assignment hangs on.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The version that the client names. It gets that one where it serves at all, and is then not part of a rollout.
    pub named: Option<&'a str>,
    /// Which request; `None` where none is to be served.
    pub arrival: Option<&'a Arrival>,
    /// What was read of it.
    request: Option<&'a Request>,
}

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
    /// Of a request.
    pub fn of(request: &'a Request, arrival: &'a Arrival) -> Self {
        Self {
            named: request.version(),
            arrival: Some(arrival),
            request: Some(request),
        }
    }

    /// Of one that is not read.
    pub const fn unread(arrival: &'a Arrival) -> Self {
        Self {
            named: None,
            arrival: Some(arrival),
            request: None,
        }
    }

    /// About a version, or about the stable one.
    pub const fn named(named: Option<&'a str>) -> Self {
        Self {
            named,
            arrival: None,
            request: None,
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
    let Some(arrival) = asking.arrival else {
        return Some(stable);
    };
    let said = subject(split.sticky, caller, asking.request);
    let place = match said.as_deref() {
        Some(subject) if !subject.is_empty() => split.assign(split.sticky, subject),
        _ => split.assign(Sticky::Request, arrival.id.as_bytes()),
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
fn subject<'a>(
    sticky: Sticky,
    caller: &'a Caller,
    request: Option<&'a Request>,
) -> Option<Cow<'a, [u8]>> {
    match sticky {
        Sticky::Request => None,
        Sticky::Key => Some(Cow::Borrowed(caller.key().key_id.as_bytes())),
        Sticky::EndUser => match caller.end_user() {
            Some(said) => Some(Cow::Borrowed(said.as_bytes())),
            // A body that cannot be read is for others to judge.
            None => match request?.end_user().ok()? {
                Cow::Borrowed(text) => Some(Cow::Borrowed(text.as_bytes())),
                Cow::Owned(text) => Some(Cow::Owned(text.into_bytes())),
            },
        },
        Sticky::Session => request?.session().map(Cow::Borrowed),
    }
}
