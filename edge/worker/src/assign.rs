//! Decides which version of a model serves a request: the stable one, or one that has a share of its traffic.
//!
//! Pure, given the rules. Conditions of the model go before its release. A model without them whose traffic is not shared costs two
//! looks at a pointer. Who asks is assigned by what
//! `policy::split` says, which every edge says alike; what a client does not say it cannot be held to, and then the
//! request is assigned by itself. A version that is not in force here gets nothing.

mod conditions;

use std::{borrow::Cow, sync::Arc};

use policy::{
    id::VersionId,
    model::Model,
    rules::Rules,
    split::{Split, Sticky},
};

use crate::{asking::Asking, identify::Caller};

/// The version that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The version.
    pub version: VersionId,
    /// As whose request it counts, where the model's split assigned it.
    pub client: Option<u32>,
    /// Which of the model's rules assigned it, 1 the first; zero where none did.
    pub rule: u8,
}

/// What chose the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chooser {
    /// The model's release.
    Release,
    /// A rollout, by its share; as whose request it counts.
    Rollout(u32),
    /// The model's rule of this number, 1 the first.
    Rule(u8),
    /// The client, who named it.
    Client,
    /// An alias, which stands for it.
    Alias,
}

/// The version that serves a request; `None` where the model is not offered.
pub fn assign(
    rules: &Rules,
    model: &Arc<Model>,
    caller: &Caller,
    asking: Asking<'_>,
) -> Option<Assigned> {
    let stable = Assigned {
        version: model.stable?,
        client: None,
        rule: 0,
    };
    if asking.named.is_none() && !model.rules.is_empty() {
        let chosen = conditions::chosen(rules, model, caller, asking);
        if let Some((version, rule)) = chosen {
            return Some(Assigned {
                version,
                rule,
                ..stable
            });
        }
    }
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
        rule: 0,
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

// === impl Assigned ===

impl Assigned {
    /// What chose it, of a request for this model whose client named this version, if any.
    pub fn chooser(&self, model: &Model, named: Option<&str>) -> Chooser {
        match (named, self.rule, self.client) {
            (Some(_), ..) => Chooser::Client,
            (None, 0, None) if model.is_held() => Chooser::Alias,
            (None, 0, None) => Chooser::Release,
            (None, 0, Some(client)) => Chooser::Rollout(client),
            (None, rule, _) => Chooser::Rule(rule),
        }
    }
}
