//! A request that found no room by a guess of its input, asked for once more by the count of its text.
//!
//! Rare, and so it stands apart from what every request goes through.

use policy::rules::Rules;

use crate::{
    admit::{Permit, counted, hold},
    asking::Asking,
    pipeline::{Pipeline, Refusal, limits_of},
    request::{Arrival, Request},
    route::Plan,
};

// === impl Pipeline ===

impl Pipeline {
    /// The room that it has by the count, or why it has none.
    pub(super) async fn second_look(
        &self,
        refusal: hold::Refusal,
        rules: &Rules,
        plan: &Plan,
        (arrival, request): (&Arrival, &Request),
    ) -> Result<Permit, Refusal> {
        let Some(count) = counted::counted(plan, request).await else {
            return Err(refusal.into());
        };
        let asking = Asking::of(request, arrival, self.call.fares());
        let limits = limits_of(rules, plan, asking)?;
        let asked = (request, Some(count));
        let permit = self.admit.permit(limits, plan, arrival, asked).await;
        counted::note(permit.is_ok());
        Ok(permit?)
    }
}
