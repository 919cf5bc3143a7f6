//! Where a request that is passed through may go: to a provider that its path names, or to those of a model.
//!
//! Pure, given the rules; does no I/O.

use policy::{
    id::{ModelId, VersionId},
    rules::Rules,
};

use crate::{authorize, identify::Caller, passage::hop::Hop, request::passing::Aim, route};

/// Where it may go.
pub(crate) struct Way {
    /// The providers, the best first.
    pub(crate) hops: Vec<Hop>,
    /// The model, where there is one.
    pub(crate) model: Option<ModelId>,
    /// Its version; zeroes where there is none.
    pub(crate) version: VersionId,
    /// `model@version`; empty where there is none.
    pub(crate) label: String,
}

/// Why it may go nowhere.
pub(crate) enum NoWay {
    /// Nothing may be passed through there.
    Closed(authorize::Closed),
    /// The caller may not.
    Authorize(authorize::Refusal),
    /// There is nowhere to go.
    Route(route::Refusal),
    /// None of the model's providers has a realtime API.
    NoRealtime,
}

// === impl Way ===

impl Way {
    /// Where a caller's request may go.
    pub(crate) fn of(rules: &Rules, caller: &Caller, aim: &Aim) -> Result<Self, NoWay> {
        match aim {
            Aim::Provider { name, target, .. } => {
                let provider = authorize::passage(rules, caller, name).map_err(NoWay::Closed)?;
                Ok(Self {
                    hops: vec![Hop {
                        provider,
                        target: target.clone(),
                        model: String::new(),
                    }],
                    model: None,
                    version: VersionId::from_bytes([0; 16]),
                    label: String::new(),
                })
            }
            Aim::Realtime { model, rest } => {
                let grant = authorize::grant(rules, caller.clone(), model);
                let plan = route::plan(rules, grant.map_err(NoWay::Authorize)?);
                let plan = plan.map_err(NoWay::Route)?;
                let candidates = plan.candidates().iter();
                let hops: Vec<_> = candidates
                    .filter_map(|candidate| Hop::realtime(candidate, rest))
                    .collect();
                if hops.is_empty() {
                    return Err(NoWay::NoRealtime);
                }
                Ok(Self {
                    hops,
                    model: Some(plan.grant().model().id),
                    version: plan.version().id,
                    label: plan.into_label(),
                })
            }
        }
    }
}
