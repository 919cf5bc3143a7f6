//! How much to think first: `thinkingConfig`.
//!
//! Owns the words and the budgets for efforts. Knows nothing of any other setting.

use payload::{
    object::{self, Misfit},
    writer::Writer,
};

use crate::{
    gemini::{
        member::Members,
        own,
        target::{Target, Thinking},
    },
    neutral::{Dropped, Effort, Reasoning, Request},
};

/// Where what is unknown stood.
pub(crate) const PATH: &str = "generationConfig.thinkingConfig.";

const LEVEL: &str = "generationConfig.thinkingConfig.thinkingLevel";
const BUDGET: &str = "generationConfig.thinkingConfig.thinkingBudget";

/// Reads `thinkingConfig`.
pub(crate) fn read(mut members: Members<'_>) -> Result<Reasoning, Misfit> {
    let mut reasoning = Reasoning {
        shown: members.flag("includeThoughts")?,
        ..Reasoning::default()
    };
    if let Some(raw) = members.number("thinkingBudget")? {
        reasoning.budget_tokens = raw.parse().ok();
        if reasoning.budget_tokens.is_none() {
            // Less than nothing is as much as the model likes.
            reasoning.extra.push(own::extra(BUDGET, raw));
        }
    }
    if let Some(raw) = members.raw("thinkingLevel")? {
        let word = object::text(raw).map_err(|misfit| misfit.within("thinkingLevel"))?;
        reasoning.effort = Effort::of(&word.to_ascii_lowercase());
        if reasoning.effort.map(level) != Some(&word) {
            reasoning.extra.push(own::extra(LEVEL, raw));
        }
    }
    members.rest(PATH, &mut reasoning.extra)?;
    Ok(reasoning)
}

/// Writes `thinkingConfig`, if there is anything to say in it.
pub(crate) fn write(
    writer: &mut Writer,
    request: &Request,
    target: &Target<'_>,
    dropped: &mut Dropped,
) {
    let Some(reasoning) = &request.reasoning else {
        return;
    };
    own::note_foreign(&reasoning.extra, "", dropped);
    let extras = own::any(&reasoning.extra, PATH, &[]);
    if target.thinking == Thinking::Never && !extras {
        note_unthought(reasoning, dropped);
        return;
    }
    let said = reasoning.effort.is_some() || reasoning.budget_tokens.is_some();
    if !said && reasoning.shown.is_none() && !extras {
        return;
    }
    writer.key("thinkingConfig").open();
    if let Some(shown) = reasoning.shown {
        writer.key("includeThoughts").flag(shown);
    }
    write_amount(writer, reasoning, target, dropped);
    own::write(writer, &reasoning.extra, PATH, &[]);
    writer.close();
}

/// Google refuses a word beside a number: the number is the more exact of the two.
fn write_amount(
    writer: &mut Writer,
    reasoning: &Reasoning,
    target: &Target<'_>,
    dropped: &mut Dropped,
) {
    if let Some(budget) = reasoning.budget_tokens {
        writer.key("thinkingBudget").number(budget);
        if reasoning.effort.is_some() {
            dropped.note("reasoning_effort");
        }
        return;
    }
    let raw = |name| own::own(&reasoning.extra, name).is_some();
    let Some(effort) = reasoning.effort.filter(|_| !raw(LEVEL) && !raw(BUDGET)) else {
        return;
    };
    if target.thinking == Thinking::Level {
        writer.key("thinkingLevel").text(level(effort));
    } else {
        writer.key("thinkingBudget").number(budget(effort, target));
    }
}

fn note_unthought(reasoning: &Reasoning, dropped: &mut Dropped) {
    if reasoning
        .effort
        .is_some_and(|effort| effort != Effort::None)
    {
        dropped.note("reasoning_effort");
    }
    if reasoning.budget_tokens.is_some_and(|budget| budget > 0) {
        dropped.note("thinking.budget_tokens");
    }
}

/// The word for an effort. There is none for no effort at all, and none above the highest.
const fn level(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal => "MINIMAL",
        Effort::Low => "LOW",
        Effort::Medium => "MEDIUM",
        Effort::High | Effort::XHigh | Effort::Max => "HIGH",
    }
}

const fn budget(effort: Effort, target: &Target<'_>) -> u64 {
    match effort {
        Effort::None => target.budgets.none,
        Effort::Minimal => target.budgets.minimal,
        Effort::Low => target.budgets.low,
        Effort::Medium => target.budgets.medium,
        Effort::High | Effort::XHigh | Effort::Max => target.budgets.high,
    }
}
