//! How much to think: `thinking` and `output_config.effort`, read, and fitted to what a model takes.
//!
//! Knows both ways of saying it. A member whose value is kept as null is one that the client did not send although
//! the neutral form says it: it is not written for a model that takes the other as it came.

use std::borrow::Cow;

use payload::object::{Misfit, Object};

use crate::{
    messages::{
        draft::Draft,
        extras,
        target::{Lack, Target, Thinking},
    },
    neutral::{Effort, Reasoning},
};

/// The fewest tokens that may be asked for.
const BUDGET_MIN: u64 = 1_024;
const THINKING: &str = "thinking";
const EFFORT: &str = "output_config.effort";
const PREFIX: &str = "thinking.";
/// What a client is told that was left out.
const NOTED: &str = "reasoning_effort";

/// What stands in the way of thinking in this request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Obstacles {
    /// A tool must be called.
    pub(crate) forced: bool,
    /// The tools were called last by a turn that does not begin with its thoughts.
    pub(crate) thoughtless: bool,
}

/// What is said about thinking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan<'r> {
    mode: Mode<'r>,
    effort: Option<Cow<'r, str>>,
    shown: Option<bool>,
    /// The most tokens to generate, thoughts among them.
    pub(crate) output_tokens_max: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode<'r> {
    Unsaid,
    Off,
    Adaptive,
    Budget(u64),
    /// As the client wrote it, of a kind that we do not know.
    Raw(&'r str),
}

/// Reads both members. `None` if neither is there.
pub(crate) fn read(
    thinking: Option<&str>,
    effort: Option<&str>,
) -> Result<Option<Reasoning>, Misfit> {
    if thinking.is_none() && effort.is_none() {
        return Ok(None);
    }
    let mut reasoning = Reasoning::default();
    if let Some(raw) = effort {
        let word = payload::object::text(raw).map_err(|misfit| misfit.within(EFFORT))?;
        reasoning.effort = Effort::of(&word).filter(|effort| *effort >= Effort::Low);
        if reasoning.effort.is_none() {
            reasoning.extra.push(extras::extra(EFFORT, raw));
        }
    }
    match thinking {
        Some(raw) => {
            read_thinking(raw, &mut reasoning).map_err(|misfit| misfit.within(THINKING))?;
        }
        None => reasoning.extra.push(extras::extra(THINKING, "null")),
    }
    Ok(Some(reasoning))
}

fn read_thinking(raw: &str, reasoning: &mut Reasoning) -> Result<(), Misfit> {
    let mut thinking = Object::parse(raw)?;
    let effort_unknown = extras::find(&reasoning.extra, EFFORT).is_some();
    match thinking.text("type")?.as_deref() {
        Some("enabled") => reasoning.budget_tokens = thinking.count("budget_tokens")?,
        Some("disabled") => {
            reasoning.budget_tokens = Some(0);
            reasoning.effort = reasoning.effort.or(Some(Effort::None));
        }
        Some("adaptive") if !effort_unknown => {
            if reasoning.effort.is_none() {
                reasoning.effort = Some(Effort::High);
                reasoning.extra.push(extras::extra(EFFORT, "null"));
            }
        }
        _ => {
            reasoning.extra.push(extras::extra(THINKING, raw));
            return Ok(());
        }
    }
    if let Some(raw) = thinking.raw("display")? {
        match raw {
            "\"summarized\"" => reasoning.shown = Some(true),
            "\"omitted\"" => reasoning.shown = Some(false),
            _ => reasoning.extra.push(extras::extra("thinking.display", raw)),
        }
    }
    extras::keep(thinking, PREFIX, &mut reasoning.extra);
    Ok(())
}

/// Decides what is said, and how many tokens may then be generated.
pub(crate) fn plan<'r>(
    reasoning: Option<&'r Reasoning>,
    output_tokens_max: u64,
    obstacles: Obstacles,
    draft: &mut Draft<'_>,
) -> Plan<'r> {
    let mut plan = Plan {
        mode: Mode::Unsaid,
        effort: None,
        shown: None,
        output_tokens_max,
    };
    let Some(reasoning) = reasoning else {
        return plan;
    };
    plan.mode = mode(reasoning, draft);
    plan.shown = reasoning.shown;
    plan.effort = effort(reasoning, draft);
    let blocked = plan.is_on() && obstacles.forced
        || matches!(plan.mode, Mode::Budget(_)) && obstacles.thoughtless;
    if blocked {
        draft.dropped.note(NOTED);
        plan.mode = Mode::Unsaid;
    }
    if let Mode::Budget(budget) = plan.mode {
        plan.make_room(budget, draft);
    }
    plan
}

fn mode<'r>(reasoning: &'r Reasoning, draft: &mut Draft<'_>) -> Mode<'r> {
    let target = draft.target;
    let off = reasoning.effort == Some(Effort::None) || reasoning.budget_tokens == Some(0);
    match (extras::find(&reasoning.extra, THINKING), target.thinking) {
        (Some("null"), _) => return Mode::Unsaid,
        (Some(raw), thinking) if thinking != Thinking::None => return Mode::Raw(raw),
        _ if !off => {}
        (_, Thinking::None) => return Mode::Unsaid,
        _ if target.lacks(Lack::ThinkingOff) => {
            draft.dropped.note(NOTED);
            return Mode::Unsaid;
        }
        _ => return Mode::Off,
    }
    match (target.thinking, reasoning.budget_tokens, reasoning.effort) {
        (_, None, None) => Mode::Unsaid,
        (Thinking::None, ..) => {
            draft.dropped.note(NOTED);
            Mode::Unsaid
        }
        (Thinking::Adaptive, ..) | (Thinking::Any, None, Some(_)) => Mode::Adaptive,
        (Thinking::Any | Thinking::Budget, Some(budget), _) => Mode::Budget(budget),
        (_, None, Some(effort)) => Mode::Budget(target.budget(effort)),
    }
}

/// The word of `output_config.effort`.
fn effort<'r>(reasoning: &'r Reasoning, draft: &mut Draft<'_>) -> Option<Cow<'r, str>> {
    let target = draft.target;
    let said = extras::find(&reasoning.extra, EFFORT);
    let alone = extras::find(&reasoning.extra, THINKING) == Some("null");
    let both = reasoning.effort.is_some() && reasoning.budget_tokens.is_some();
    let effort = match (said, target.thinking) {
        (Some("null"), Thinking::Any | Thinking::Adaptive) => return None,
        (Some(raw), _) if raw != "null" => payload::scalar::string(raw),
        (_, Thinking::Adaptive) => reasoning
            .effort
            .or_else(|| target.nearest(reasoning.budget_tokens?))
            .and_then(word),
        (_, Thinking::Any) => reasoning.effort.and_then(word),
        _ if alone || both => reasoning.effort.and_then(word),
        _ => None,
    };
    if effort.is_some() && target.lacks(Lack::Effort) {
        draft.dropped.note(NOTED);
        return None;
    }
    effort
}

fn word(effort: Effort) -> Option<Cow<'static, str>> {
    match effort {
        Effort::None => None,
        Effort::Minimal => Some(Effort::Low.word().into()),
        effort => Some(effort.word().into()),
    }
}

// === impl Plan ===

impl Plan<'_> {
    /// Whether the model thinks.
    pub(crate) fn is_on(&self) -> bool {
        match self.mode {
            Mode::Unsaid | Mode::Off => false,
            Mode::Adaptive | Mode::Budget(_) | Mode::Raw(_) => true,
        }
    }

    /// The budget must leave room for the answer. The client's limit is taken for that of what it sees, and is
    /// raised by the budget as far as the model can go.
    fn make_room(&mut self, mut budget: u64, draft: &mut Draft<'_>) {
        let mut limit = self.output_tokens_max;
        if budget >= limit {
            let ceiling = draft.target.output_tokens_default.unwrap_or(u64::MAX);
            limit = limit.saturating_add(budget).min(ceiling.max(limit));
            budget = budget.min(limit.saturating_sub(1));
        }
        if budget < BUDGET_MIN {
            draft.dropped.note(NOTED);
            self.mode = Mode::Unsaid;
        } else {
            self.mode = Mode::Budget(budget);
            self.output_tokens_max = limit;
        }
    }

    /// Writes `thinking`.
    pub(crate) fn write(&self, reasoning: Option<&Reasoning>, draft: &mut Draft<'_>) {
        let kept = reasoning.map_or(&[][..], |reasoning| &reasoning.extra);
        let kind = match self.mode {
            Mode::Unsaid => return,
            Mode::Raw(raw) => {
                draft.writer.key(THINKING).raw(raw);
                return;
            }
            Mode::Off => "disabled",
            Mode::Adaptive => "adaptive",
            Mode::Budget(_) => "enabled",
        };
        let members = draft.under(kept, PREFIX);
        let writer = &mut draft.writer;
        writer.key(THINKING).open().key("type").text(kind);
        if let Mode::Budget(budget) = self.mode {
            writer.key("budget_tokens").number(budget);
        }
        if let Some(shown) = self.shown.filter(|_| self.is_on()) {
            let word = if shown { "summarized" } else { "omitted" };
            writer.key("display").text(word);
        }
        extras::write(writer, members.into_iter());
        writer.close();
    }

    /// The word of `output_config.effort`, where it is said.
    pub(crate) fn effort(&self) -> Option<&str> {
        self.effort.as_deref()
    }
}

// === impl Target ===

impl Target<'_> {
    fn budget(&self, effort: Effort) -> u64 {
        match effort {
            Effort::None => 0,
            Effort::Minimal => self.budgets.minimal,
            Effort::Low => self.budgets.low,
            Effort::Medium => self.budgets.medium,
            Effort::High => self.budgets.high,
            Effort::XHigh => self.budgets.xhigh,
            Effort::Max => self.budgets.max,
        }
    }

    /// The effort whose budget comes nearest; of two as near, the smaller.
    fn nearest(&self, budget: u64) -> Option<Effort> {
        Effort::ALL
            .into_iter()
            .filter(|effort| *effort >= Effort::Low)
            .min_by_key(|effort| self.budget(*effort).abs_diff(budget))
    }
}
