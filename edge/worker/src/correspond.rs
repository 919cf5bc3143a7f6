//! What a core does with issuers of tokens, beside its requests: one core fetches their keys for all, each asks about its own tokens.
//!
//! Knows that these are two; knows nothing of either.

use std::{convert::Infallible, sync::Arc, task::Context};

use lifecycle::clock::Clock;
use rustls::ClientConfig;
use tokio::select;

use crate::{
    call::{self, Config},
    discover::Discoverer,
    in_force::InForce,
    introspect::Introspector,
    opaque::Opaque,
    signers::Signers,
};

/// One core's.
pub struct Correspondent {
    discoverer: Discoverer,
    introspector: Introspector,
}

// === impl Correspondent ===

impl Correspondent {
    /// Reaches issuers on the terms of `upstream`. Fetches keys, if it is the core that `fetches` for all.
    pub fn new(
        (upstream, tls): (&Config, &Arc<ClientConfig>),
        (in_force, clock): (InForce, Clock),
        (signers, opaque): (Signers, Opaque),
        fetches: bool,
    ) -> Self {
        let client = || call::client(upstream, Arc::clone(tls));
        Self {
            discoverer: Discoverer::new(client(), in_force, signers, fetches),
            introspector: Introspector::new(client(), opaque, clock),
        }
    }

    /// Closes connections that have rested too long.
    pub fn sweep(&self, cx: &mut Context<'_>) {
        self.discoverer.sweep(cx);
        self.introspector.sweep(cx);
    }

    /// Never ends; a core runs it beside its requests.
    pub async fn run(&self) -> Infallible {
        select! {
            never = self.discoverer.run() => never,
            never = self.introspector.run() => never,
        }
    }
}
