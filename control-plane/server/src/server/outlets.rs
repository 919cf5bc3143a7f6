//! Puts together the ways out of the settings: for records, and for the audit trail.
//!
//! Knows which there are; runs none itself.

use sinks::{Sink, Trail};
use store::Store;

use crate::{
    config::Config, forward::Forwarder, hand_on::HandOn, server::cannot_start::CannotStart,
};

/// What forwards records, one for each sink.
pub(super) fn records(
    store: &Store,
    config: &Config,
    replica: [u8; 16],
) -> Result<Vec<Forwarder>, CannotStart> {
    let opened = config.sinks.iter().map(|(name, config)| {
        let sink = Sink::open(name, config).map_err(CannotStart::Sink)?;
        Ok(Forwarder::new(store.clone(), sink, replica))
    });
    opened.collect()
}

/// What hands the audit trail on, one for each sink.
pub(super) fn trails(
    store: &Store,
    config: &Config,
    replica: [u8; 16],
) -> Result<Vec<HandOn>, CannotStart> {
    let opened = config.audit_sinks.iter().map(|(name, config)| {
        let trail = Trail::open(name, config).map_err(CannotStart::Sink)?;
        Ok(HandOn::new(store.clone(), trail, replica))
    });
    opened.collect()
}
