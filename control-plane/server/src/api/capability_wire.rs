//! What targets can do, between the wire and the domain.

use domain::capability::Said;
use policy::capability::{Abilities, Capabilities};
use proto::admin;

/// What is said of a target.
pub(super) fn said(target: &admin::Target) -> Said {
    let given = target.capabilities.clone().unwrap_or_default();
    Said {
        context_tokens: given.context_tokens,
        output_tokens_max: given.output_tokens_max,
        can: given.can,
        cannot: given.cannot,
    }
}

/// What is said of a target, if anything is.
pub(super) fn wire(it: &Capabilities) -> Option<admin::ModelCapabilities> {
    let (context_tokens, output_tokens_max) = it.numbers();
    let (can, cannot) = it.abilities();
    let numbers = |all: Abilities| all.all().map(|it| i32::from(it as u8)).collect();
    (!it.is_unsaid()).then(|| admin::ModelCapabilities {
        context_tokens: context_tokens.into(),
        output_tokens_max: output_tokens_max.into(),
        can: numbers(can),
        cannot: numbers(cannot),
    })
}
