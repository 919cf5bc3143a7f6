//! How much to think, as `thinking`.
//!
//! Owns how an effort becomes tokens. A model that thinks does so unless it is told not to.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    cohere::{own, target::Target},
    neutral::{Dropped, Effort, Reasoning},
};

const NAME: &str = "thinking";
const PREFIX: &str = "thinking.";

/// Reads the member `thinking`.
pub(crate) fn decode(body: &mut Object<'_>) -> Result<Option<Reasoning>, Misfit> {
    let Some(mut thinking) = body.object(NAME)? else {
        return Ok(None);
    };
    let within = |misfit: Misfit| misfit.within(NAME);
    let mut reasoning = Reasoning::default();
    match thinking.text("type").map_err(within)?.as_deref() {
        Some("enabled") => {}
        Some("disabled") => reasoning.effort = Some(Effort::None),
        _ => {
            return Err(within(
                Misfit::new("must be enabled or disabled").within("type"),
            ));
        }
    }
    reasoning.budget_tokens = thinking.count("token_budget").map_err(within)?;
    reasoning.extra = own::kept(PREFIX, thinking);
    Ok(Some(reasoning))
}

/// Writes the member `thinking`, if the model can be told.
pub(crate) fn encode(
    writer: &mut Writer,
    reasoning: &Reasoning,
    target: &Target<'_>,
    dropped: &mut Dropped,
) {
    own::note(dropped, &reasoning.extra, "reasoning.");
    if reasoning.shown == Some(false) {
        dropped.note("reasoning.summary");
    }
    let off = reasoning.effort == Some(Effort::None);
    let budget = match (reasoning.budget_tokens, reasoning.effort) {
        (Some(tokens), _) => Some(tokens),
        (None, Some(effort)) => target.budgets.of(effort),
        (None, None) => None,
    };
    let off = off || budget == Some(0);
    if !target.thinks {
        if !off {
            dropped.note("reasoning_effort");
        }
        return;
    }
    writer.key(NAME).open();
    writer
        .key("type")
        .text(if off { "disabled" } else { "enabled" });
    if let Some(tokens) = budget.filter(|tokens| *tokens > 0) {
        writer.key("token_budget").number(tokens);
    }
    own::write(writer, &reasoning.extra, PREFIX, &[]);
    writer.close();
}
