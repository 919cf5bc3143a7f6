//! Which limits concern a request.
//!
//! Knows who asks for what; knows nothing of how much there is. Requests ask here, and so does whoever explains limits.

use policy::{
    applying::{Applied, Asking},
    id::{ModelId, ProviderId},
    key::Key,
    limit::Unit,
    rules::Rules,
};

use crate::{
    admit::{
        attempts::{self, AtProvider},
        hold,
    },
    route::Plan,
};

/// The limits that concern one request.
pub struct Limits {
    pub(super) all: Vec<Applied>,
    pub(super) at_providers: Box<[AtProvider]>,
    /// For whom the client asks, where a limit wants to know.
    pub(super) end_user: Option<Box<str>>,
}

/// Every limit that counts what the plan uses.
pub fn limits(rules: &Rules, plan: &Plan, end_user: &str, now_ms: u64) -> Limits {
    let key = plan.grant().caller().key();
    let whose = (&**key, plan.grant().model().id, end_user);
    let candidates = plan.candidates().iter();
    limits_named(rules, whose, candidates.map(|it| it.provider().id), now_ms)
}

/// Every limit that counts what a key uses of a model for an end user, where one of these providers serves it. Requests ask
/// here, and so does whoever explains limits.
pub fn limits_named(
    rules: &Rules,
    (key, model, end_user): (&Key, ModelId, &str),
    providers: impl Iterator<Item = ProviderId>,
    now_ms: u64,
) -> Limits {
    let asking = Asking {
        end_user: Some(end_user),
        ..asking(key, Some(model), now_ms)
    };
    limits_of(rules, &asking, providers)
}

/// Every limit that counts what a key uses where one of these providers is asked for what is not read. It mostly names no model;
/// limits that ask for what is not told do not concern it.
pub fn limits_unread(
    rules: &Rules,
    (key, model, end_user): (&Key, Option<ModelId>, Option<&str>),
    providers: impl Iterator<Item = ProviderId>,
    now_ms: u64,
) -> Limits {
    let asking = Asking {
        end_user,
        ..asking(key, model, now_ms)
    };
    limits_of(rules, &asking, providers)
}

/// Those on tokens and money of what is not read and goes on at this provider.
pub fn limits_going_on(
    rules: &Rules,
    (key, model, end_user): (&Key, Option<ModelId>, Option<&str>),
    provider: ProviderId,
    now_ms: u64,
) -> Vec<Applied> {
    let asking = Asking {
        end_user,
        ..asking(key, model, now_ms)
    };
    let mut limits = rules.limits(&asking);
    if rules.asks_provider(key.organization) {
        limits.extend(rules.limits_at(&asking, provider));
    }
    // It is one request still, and has its slots.
    let goes_on = |unit| !matches!(unit, Unit::Requests | Unit::ConcurrentRequests);
    limits.retain(|applied| goes_on(applied.limit.unit));
    limits
}

fn asking(key: &Key, model: Option<ModelId>, now_ms: u64) -> Asking<'_> {
    Asking {
        organization: key.organization,
        project: key.project,
        key_id: &key.key_id,
        model,
        end_user: None,
        now_ms,
    }
}

fn limits_of(
    rules: &Rules,
    asking: &Asking<'_>,
    providers: impl Iterator<Item = ProviderId>,
) -> Limits {
    let at_providers = if rules.asks_provider(asking.organization) {
        attempts::at_providers(rules, providers, asking).into()
    } else {
        Box::default()
    };
    Limits {
        all: rules.limits(asking),
        at_providers,
        end_user: asking.end_user.filter(|it| !it.is_empty()).map(Into::into),
    }
}

// === impl Limits ===

impl Limits {
    /// None of them, of a request that nobody is charged for; for whom its client asks is known still.
    pub fn uncounted(&self) -> Self {
        Self {
            all: Vec::new(),
            at_providers: Box::default(),
            end_user: self.end_user.clone(),
        }
    }

    /// Whether one of them counts money, so that a price is to be looked up.
    pub fn count_money(&self) -> bool {
        self.each()
            .any(|(_, applied)| applied.limit.unit == Unit::MicroDollars)
    }

    /// Whether one of them counts what is generated.
    pub(super) fn count_output(&self) -> bool {
        self.each()
            .any(|(_, applied)| hold::counts_output(applied.limit.unit))
    }

    /// Whether one of them holds requests to what was reserved.
    pub fn are_strict(&self) -> bool {
        self.each()
            .any(|(_, applied)| hold::is_strict(&applied.limit))
    }

    /// All of them; those that ask who serves with each provider that may.
    pub fn each(&self) -> impl Iterator<Item = (Option<ProviderId>, &Applied)> {
        let whoever = self.all.iter().map(|applied| (None, applied));
        let there = self.at_providers.iter().flat_map(AtProvider::each);
        whoever.chain(there.map(|(provider, applied)| (Some(provider), applied)))
    }
}
