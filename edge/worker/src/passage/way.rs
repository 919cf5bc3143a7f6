//! Where a request that is passed through may go, and as what it is accounted.
//!
//! Pure, given the rules: to a provider that its path names, or to those of a model.

use policy::{
    id::{ModelId, VersionId},
    rules::Rules,
    split::Part,
};

use crate::{
    admit::{self, Limits},
    asking::Asking,
    authorize,
    fares::Fares,
    identify::Caller,
    label::{Label, alive},
    passage::hop::Hop,
    request::{
        Arrival,
        passing::{Aim, Passing},
    },
    route::{self, decision::Decision, notes::Why},
};

/// Where a request may go.
pub struct Way {
    /// Whom to ask, in order.
    pub hops: Vec<Hop>,
    /// The model, where one is named.
    pub model: Option<ModelId>,
    /// Its version; zeroes where there is none.
    pub version: VersionId,
    /// The rollout that assigned that, if one did.
    pub rollout: Option<Part>,
    /// Why it goes there, where a model is named.
    pub decision: Option<Decision>,
    /// What serves, where a model is named.
    pub label: Label,
}

/// Why there is none.
pub enum NoWay {
    /// The caller may not use the model.
    Authorize(authorize::Refusal),
    /// Nothing may be passed through there.
    Closed(authorize::Closed),
    /// There is nowhere to go.
    Route(route::Refusal),
    /// None of the model's providers has a realtime API.
    NoRealtime,
}

/// The way to what is aimed at.
pub fn way(
    rules: &Rules,
    caller: &Caller,
    aim: &Aim,
    (arrival, fares): (&Arrival, &Fares),
) -> Result<Way, NoWay> {
    match aim {
        Aim::Provider { name, target, .. } => {
            let provider = authorize::passage(rules, caller, name).map_err(NoWay::Closed)?;
            Ok(Way {
                hops: vec![Hop {
                    provider,
                    target: target.clone(),
                    model: String::new(),
                }],
                model: None,
                version: VersionId::from_bytes([0; 16]),
                rollout: None,
                decision: None,
                label: Label::default(),
            })
        }
        Aim::Realtime { model, rest } => {
            let grant = authorize::grant(rules, caller.clone(), model);
            let asking = Asking::unread(arrival, fares);
            let plan = route::plan(rules, grant.map_err(NoWay::Authorize)?, asking);
            let plan = plan.map_err(NoWay::Route)?;
            alive(&plan, arrival.at_ms).map_err(NoWay::Authorize)?;
            let mut decision = plan.decision();
            let mut hops = Vec::with_capacity(plan.candidates().len());
            for candidate in plan.candidates() {
                match Hop::realtime(candidate, rest) {
                    Some(hop) => hops.push(hop),
                    None => decision.leaves_out(candidate.position(), Why::Realtime),
                }
            }
            if hops.is_empty() {
                return Err(NoWay::NoRealtime);
            }
            Ok(Way {
                hops,
                model: Some(plan.grant().model().id),
                version: plan.version().id,
                rollout: plan.rollout(),
                decision: Some(decision),
                label: plan.label(),
            })
        }
    }
}

// === impl Way ===

impl Way {
    /// The model's name; empty where none is named.
    pub fn model_name(&self) -> &str {
        // No name of a version has an `@` in it.
        self.label
            .text
            .rsplit_once('@')
            .map_or("", |(model, _)| model)
    }

    /// The limits that count what goes there.
    pub fn limits(
        &self,
        rules: &Rules,
        caller: &Caller,
        passing: &Passing,
        arrival: &Arrival,
    ) -> Limits {
        let providers = self.hops.iter().map(|hop| hop.provider.id);
        let end_user = passing.end_user(caller.end_user());
        let whose = (&**caller.key(), self.model, end_user.as_deref());
        admit::limits_unread(rules, whose, providers, arrival.at_ms)
    }
}
