//! How much to think: `reasoning_effort`, `reasoning` and `thinking`, read, and fitted to what a model is told with.
//!
//! Knows the three ways of asking, and what a number of tokens is worth as a word.

use std::cmp::Reverse;

use payload::object::{self, Misfit, Object};

use crate::{
    chat::{draft::Draft, own, target::Asking},
    neutral::{Effort, Reasoning},
};

const WORD: &str = "reasoning_effort";
const UNDER_REASONING: &str = "reasoning.";
const UNDER_THINKING: &str = "thinking.";

/// Takes all that is said about it.
pub(crate) fn take(object: &mut Object<'_>) -> Result<Option<Reasoning>, Misfit> {
    let mut reasoning = Reasoning::default();
    let word = object.raw(WORD)?;
    if let Some(raw) = word {
        reasoning.effort = Effort::of(&object::text(raw).map_err(|misfit| misfit.within(WORD))?);
        if reasoning.effort.is_none() {
            reasoning.extra.push(own::extra(WORD, raw));
        }
    }
    let inner = object.object("reasoning")?;
    let thinking = object.object("thinking")?;
    let asked = word.is_some() || inner.is_some() || thinking.is_some();
    if let Some(inner) = inner {
        take_object(inner, &mut reasoning).map_err(|misfit| misfit.within("reasoning"))?;
    }
    if let Some(thinking) = thinking {
        take_thinking(thinking, &mut reasoning).map_err(|misfit| misfit.within("thinking"))?;
    }
    Ok(asked.then_some(reasoning))
}

fn take_object(mut object: Object<'_>, reasoning: &mut Reasoning) -> Result<(), Misfit> {
    if let Some(raw) = object.raw("effort")? {
        let effort = Effort::of(&object::text(raw).map_err(|misfit| misfit.within("effort"))?);
        if effort.is_none() {
            reasoning.extra.push(own::extra("reasoning.effort", raw));
        }
        reasoning.effort = reasoning.effort.or(effort);
    }
    reasoning.budget_tokens = object.count("max_tokens")?;
    reasoning.shown = object.flag("exclude")?.map(|exclude| !exclude);
    let unsaid = reasoning.effort.is_none() && reasoning.budget_tokens.is_none();
    match object.flag("enabled")? {
        Some(false) => reasoning.effort = Some(Effort::None),
        Some(true) if unsaid => reasoning.effort = Some(Effort::Medium),
        _ => {}
    }
    own::keep(object, UNDER_REASONING, &mut reasoning.extra);
    Ok(())
}

fn take_thinking(mut object: Object<'_>, reasoning: &mut Reasoning) -> Result<(), Misfit> {
    let budget = object.count("budget_tokens")?;
    reasoning.budget_tokens = reasoning.budget_tokens.or(budget);
    let unsaid = reasoning.effort.is_none() && reasoning.budget_tokens.is_none();
    if let Some(raw) = object.raw("type")? {
        match object::text(raw)
            .map_err(|misfit| misfit.within("type"))?
            .as_ref()
        {
            "disabled" => reasoning.effort = Some(Effort::None),
            "enabled" if unsaid => reasoning.effort = Some(Effort::Medium),
            "enabled" => {}
            _ => reasoning.extra.push(own::extra("thinking.type", raw)),
        }
    }
    own::keep(object, UNDER_THINKING, &mut reasoning.extra);
    Ok(())
}

/// Writes it as the model is told, and notes what cannot be said.
pub(crate) fn write(reasoning: &Reasoning, draft: &mut Draft<'_>) {
    draft.note_others(&reasoning.extra, "");
    let asking = draft.target.asking;
    let effort = reasoning
        .effort
        .and_then(|effort| nearest(effort, draft.target.efforts));
    match asking {
        Asking::Word => {
            write_word(reasoning, draft);
            if reasoning.effort.is_some() && reasoning.budget_tokens.is_some() {
                draft.note("", "reasoning.max_tokens");
            }
        }
        Asking::Object => write_object(reasoning, effort, draft),
        Asking::Thinking => write_thinking(reasoning, draft),
        Asking::Nothing => draft.note("", WORD),
    }
    if reasoning.shown == Some(false) && asking != Asking::Object {
        draft.note("", "reasoning.exclude");
    }
    let kept: &[&str] = match asking {
        Asking::Word => &[WORD],
        Asking::Object => &[UNDER_REASONING],
        Asking::Thinking => &[WORD, UNDER_THINKING],
        Asking::Nothing => &[],
    };
    for extra in reasoning.extra.iter().filter(|extra| own::is_own(extra)) {
        if !kept.iter().any(|kept| extra.name.starts_with(kept)) {
            draft.note("", &extra.name);
        }
    }
}

/// Writes the word, its own or one for the number of tokens.
fn write_word(reasoning: &Reasoning, draft: &mut Draft<'_>) {
    if let Some(raw) = own::find(&reasoning.extra, WORD) {
        draft.writer.key(WORD).raw(raw);
        return;
    }
    let effort = reasoning.effort.or(reasoning.budget_tokens.map(worth));
    let Some(effort) = effort else {
        return;
    };
    match nearest(effort, draft.target.efforts) {
        Some(effort) => {
            draft.writer.key(WORD).text(effort.word());
        }
        None => draft.note("", WORD),
    }
}

fn write_object(reasoning: &Reasoning, effort: Option<Effort>, draft: &mut Draft<'_>) {
    draft.writer.key("reasoning").open();
    if let Some(effort) = effort {
        draft.writer.key("effort").text(effort.word());
    }
    if let Some(budget) = reasoning.budget_tokens {
        draft.writer.key("max_tokens").number(budget);
    }
    if let Some(shown) = reasoning.shown {
        draft.writer.key("exclude").flag(!shown);
    }
    draft.write_under(&reasoning.extra, UNDER_REASONING);
    draft.writer.close();
}

fn write_thinking(reasoning: &Reasoning, draft: &mut Draft<'_>) {
    let off = reasoning.effort == Some(Effort::None) || reasoning.budget_tokens == Some(0);
    // A type that we do not know was kept.
    let kept = own::under(&reasoning.extra, UNDER_THINKING).any(|(name, _)| name == "type");
    draft.writer.key("thinking").open();
    if !kept {
        let kind = if off { "disabled" } else { "enabled" };
        draft.writer.key("type").text(kind);
    }
    if let Some(budget) = reasoning.budget_tokens.filter(|budget| *budget > 0) {
        draft.writer.key("budget_tokens").number(budget);
    }
    draft.write_under(&reasoning.extra, UNDER_THINKING);
    draft.writer.close();
    // Medium is what is meant without a word.
    if !off && reasoning.budget_tokens.is_none() && reasoning.effort != Some(Effort::Medium) {
        write_word(reasoning, draft);
    }
}

/// The word for a number of tokens.
const fn worth(budget_tokens: u64) -> Effort {
    match budget_tokens {
        0 => Effort::None,
        1..=1_024 => Effort::Low,
        1_025..=8_192 => Effort::Medium,
        _ => Effort::High,
    }
}

/// The nearest effort that a model knows; of two that are as near, the higher one.
fn nearest(effort: Effort, known: &[Effort]) -> Option<Effort> {
    let distance = |other: Effort| (other as i8 - effort as i8).abs();
    known
        .iter()
        .copied()
        .min_by_key(|other| (distance(*other), Reverse(*other)))
}
