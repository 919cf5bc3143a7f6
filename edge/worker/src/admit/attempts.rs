//! Room at the providers that are tried: reserved for each attempt, given back when the next one is tried.
//!
//! Knows the limits that ask who serves a request; knows nothing of connections. Each attempt has a reservation of its
//! own, beside that of the request.

use std::sync::Arc;

use counters::Counters;
use policy::{
    applying::{Applied, Asking},
    id::{OrganizationId, ProviderId},
    rules::Rules,
};

use crate::{
    admit::{
        guess::Guess,
        hold::{Hold, Refusal},
    },
    bequest::Bequest,
    in_force::shares::Shares,
};

/// The limits of one target of a plan, in the order of its targets.
#[derive(Debug, Clone)]
pub struct AtProvider {
    provider: ProviderId,
    limits: Vec<Applied>,
}

/// What reserves room for the attempts of one request.
pub struct Attempts {
    counters: Counters,
    shares: Arc<Shares>,
    organization: OrganizationId,
    now_ms: u64,
    at_providers: Box<[AtProvider]>,
    guess: Guess,
    bequest: Option<Box<Bequest>>,
}

/// Of each provider that may be asked, the limits that concern the request when that one serves it; none without limits.
pub fn at_providers(
    rules: &Rules,
    providers: impl Iterator<Item = ProviderId>,
    asking: &Asking<'_>,
) -> Vec<AtProvider> {
    let mut found: Vec<AtProvider> = Vec::new();
    for provider in providers {
        if found.iter().any(|it| it.provider == provider) {
            continue;
        }
        let limits = rules.limits_at(asking, provider);
        if !limits.is_empty() {
            found.push(AtProvider { provider, limits });
        }
    }
    found
}

// === impl AtProvider ===

impl AtProvider {
    /// Its limits, each with whose they are.
    pub fn each(&self) -> impl Iterator<Item = (ProviderId, &Applied)> {
        self.limits.iter().map(|applied| (self.provider, applied))
    }
}

// === impl Attempts ===

impl Attempts {
    /// Reserves in these counters by these shares, for an organization and a request that came at a time.
    pub fn new(
        (counters, shares): (Counters, Arc<Shares>),
        (organization, now_ms): (OrganizationId, u64),
        at_providers: Box<[AtProvider]>,
        guess: Guess,
    ) -> Self {
        Self {
            counters,
            shares,
            organization,
            now_ms,
            at_providers,
            guess,
            bequest: None,
        }
    }

    /// The same; each leaves this when this edge is gone.
    pub fn leaving(mut self, bequest: Option<Box<Bequest>>) -> Self {
        self.bequest = bequest;
        self
    }

    /// Reserves what the request will probably use in every limit that counts it at this provider, or in none; `None`
    /// where no limit does.
    pub async fn permit(&self, provider: ProviderId) -> Result<Option<Box<Hold>>, Refusal> {
        let mut at = self.at_providers.iter();
        let Some(at) = at.find(|it| it.provider == provider) else {
            return Ok(None);
        };
        let mut id = [0; 16];
        fastrand::fill(&mut id);
        let request = counters::Request {
            organization: self.organization,
            id,
        };
        let of = (self.counters.clone(), &self.shares);
        let hold = Hold::new(of, request, at.limits.clone(), self.guess);
        let left = self.bequest.as_deref();
        let left = left.map(|it| Box::new(it.clone().at(provider)));
        let mut hold = hold.of_attempt().leaving(left);
        hold.reserve(self.now_ms).await?;
        Ok(Some(Box::new(hold)))
    }
}
