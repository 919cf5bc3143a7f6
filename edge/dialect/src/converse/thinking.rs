//! How a model is asked to think before it speaks: each maker's own words for it.
//!
//! Owns what follows from it for the rest of a request: room for the thoughts, and what a model that thinks refuses.

use payload::{object::Object, scalar, writer::Writer};

use crate::{
    converse::{
        extras,
        target::{Target, Thinking},
    },
    neutral::{Dropped, Effort, Extra, Family, Reasoning, Request},
};

/// What a request makes of the client's wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    ask: Ask,
    /// Room to answer, thoughts included where they were not before.
    pub(crate) output_tokens_max: Option<u64>,
    /// Whether the model thinks and refuses some of the rest while it does.
    pub(crate) thinks: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Ask {
    Nothing,
    /// As it was read: our own words.
    AsRead,
    Native(Effort),
    Adaptive(Option<Effort>, Option<bool>),
    Budget(u64),
    Disabled,
    Nova(Option<Effort>),
    Word(Effort),
}

/// Where the fields stand that only a model understands.
const FIELDS: &str = "additionalModelRequestFields";

/// The least tokens that Claude can be given to think.
const BUDGET_MIN: u64 = 1_024;

/// Reads a member of the fields that only a model understands, if it is about thinking. It is kept as it is, too,
/// because no other words say all of it.
pub(crate) fn read(name: &str, raw: &str, reasoning: &mut Option<Reasoning>) -> bool {
    let mut read = Reasoning::default();
    let is_about = match name {
        "thinking" => read_thinking(raw, &mut read),
        "output_config" => read_effort(raw, "effort", &mut read),
        "reasoningConfig" => read_nova(raw, &mut read),
        "reasoning_config" | "reasoning_effort" => {
            read.effort = scalar::string(raw).and_then(|word| Effort::of(&word));
            read.effort.is_some()
        }
        _ => false,
    };
    if is_about {
        keep(reasoning, &read, FIELDS, name, raw);
    }
    is_about
}

/// Reads `outputConfig.effort`.
pub(crate) fn read_native(raw: &str, reasoning: &mut Option<Reasoning>) {
    let read = Reasoning {
        effort: scalar::string(raw).and_then(|word| Effort::of(&word)),
        ..Reasoning::default()
    };
    keep(reasoning, &read, "outputConfig", "effort", raw);
}

fn keep(known: &mut Option<Reasoning>, read: &Reasoning, under: &str, name: &str, raw: &str) {
    let known = known.get_or_insert_default();
    known.effort = read.effort.or(known.effort);
    known.budget_tokens = read.budget_tokens.or(known.budget_tokens);
    known.shown = read.shown.or(known.shown);
    extras::push(&mut known.extra, under, name, raw);
}

fn read_thinking(raw: &str, read: &mut Reasoning) -> bool {
    let Ok(mut thinking) = Object::parse(raw) else {
        return false;
    };
    let kind = thinking.text("type").ok().flatten();
    match kind.as_deref() {
        Some("enabled") => read.budget_tokens = thinking.count("budget_tokens").ok().flatten(),
        Some("adaptive") => {}
        Some("disabled") => read.budget_tokens = Some(0),
        _ => return false,
    }
    let display = thinking.text("display").ok().flatten();
    read.shown = display.map(|display| display != "omitted");
    true
}

fn read_effort(raw: &str, name: &str, read: &mut Reasoning) -> bool {
    let effort = Object::parse(raw).and_then(|mut object| object.text(name));
    read.effort = effort.ok().flatten().and_then(|word| Effort::of(&word));
    read.effort.is_some()
}

fn read_nova(raw: &str, read: &mut Reasoning) -> bool {
    let kind = Object::parse(raw).and_then(|mut object| object.text("type"));
    match kind.ok().flatten().as_deref() {
        Some("enabled") => {
            let _ = read_effort(raw, "maxReasoningEffort", read);
            true
        }
        Some("disabled") => {
            read.effort = Some(Effort::None);
            true
        }
        _ => false,
    }
}

/// Decides what a request asks of its model.
pub(crate) fn plan(request: &Request, target: &Target<'_>, dropped: &mut Dropped) -> Plan {
    let mut plan = Plan {
        ask: Ask::Nothing,
        output_tokens_max: request.output_tokens_max,
        thinks: false,
    };
    let Some(reasoning) = &request.reasoning else {
        return plan;
    };
    extras::note(dropped, "reasoning", &reasoning.extra);
    if reasoning
        .extra
        .iter()
        .any(|it| it.family == Family::Converse)
    {
        plan.ask = Ask::AsRead;
        return plan;
    }
    plan.ask = ask(reasoning, target, dropped);
    plan.thinks = matches!(plan.ask, Ask::Adaptive(..) | Ask::Budget(_));
    // Who gave an effort meant words to read with the most tokens; who gave a budget counted it in.
    if let (Ask::Budget(budget), None) = (&plan.ask, reasoning.budget_tokens) {
        plan.output_tokens_max = plan
            .output_tokens_max
            .map(|max| max.saturating_add(*budget));
    }
    let shows = matches!(plan.ask, Ask::Adaptive(..) | Ask::Nothing | Ask::Disabled);
    if reasoning.shown == Some(false) && !shows {
        dropped.note("reasoning.summary");
    }
    plan
}

fn ask(reasoning: &Reasoning, target: &Target<'_>, dropped: &mut Dropped) -> Ask {
    let budget = reasoning.budget_tokens;
    let wish = budget.map(|budget| target.effort(budget));
    let wish = reasoning.effort.or(wish);
    let off = budget == Some(0) || wish == Some(Effort::None);
    let from_low = |effort: Effort| effort.max(Effort::Low);
    let to_high = |effort: Effort| effort.clamp(Effort::Low, Effort::High);
    match (target.thinking, wish) {
        // They do not think unless they are asked to.
        (Thinking::Unknown | Thinking::Budget, _) if off => Ask::Nothing,
        (Thinking::Unknown, Some(_)) => unknown(budget, dropped),
        (Thinking::Native, Some(effort)) => Ask::Native(effort),
        (Thinking::Adaptive, _) if off => Ask::Disabled,
        (Thinking::Adaptive, wish) => Ask::Adaptive(wish.map(from_low), reasoning.shown),
        (Thinking::Budget, Some(effort)) => match budget.unwrap_or_else(|| target.budget(effort)) {
            tokens if tokens < BUDGET_MIN => unknown(budget, dropped),
            tokens => Ask::Budget(tokens),
        },
        (Thinking::Nova, Some(_)) if off => Ask::Nova(None),
        (Thinking::Nova, Some(effort)) => Ask::Nova(Some(to_high(effort))),
        // These models cannot but think.
        (Thinking::Word, Some(_)) if off => unknown(budget, dropped),
        (Thinking::Word, Some(effort)) => Ask::Word(to_high(effort)),
        (_, None) => Ask::Nothing,
    }
}

fn unknown(budget: Option<u64>, dropped: &mut Dropped) -> Ask {
    dropped.note(match budget {
        Some(_) => "thinking.budget_tokens",
        None => "reasoning_effort",
    });
    Ask::Nothing
}

// === impl Plan ===

impl Plan {
    /// Whether something is written among the fields that only a model understands.
    pub(crate) fn has_fields(&self, reasoning: &[Extra]) -> bool {
        match self.ask {
            Ask::Nothing | Ask::Native(_) => false,
            Ask::AsRead => extras::members(reasoning, FIELDS, &[]).next().is_some(),
            _ => true,
        }
    }

    /// Writes into these fields.
    pub(crate) fn write_fields(&self, writer: &mut Writer, reasoning: &[Extra]) {
        match &self.ask {
            Ask::Nothing | Ask::Native(_) => {}
            Ask::AsRead => extras::write(writer, reasoning, FIELDS, &[]),
            Ask::Adaptive(effort, shown) => {
                writer.key("thinking").open().key("type").text("adaptive");
                if let Some(shown) = shown {
                    let display = if *shown { "summarized" } else { "omitted" };
                    writer.key("display").text(display);
                }
                writer.close();
                if let Some(effort) = effort {
                    writer.key("output_config").open().key("effort");
                    writer.text(effort.word()).close();
                }
            }
            Ask::Budget(tokens) => {
                writer.key("thinking").open().key("type").text("enabled");
                writer.key("budget_tokens").number(*tokens).close();
            }
            Ask::Disabled => {
                writer
                    .key("thinking")
                    .open()
                    .key("type")
                    .text("disabled")
                    .close();
            }
            Ask::Nova(None) => {
                writer
                    .key("reasoningConfig")
                    .open()
                    .key("type")
                    .text("disabled")
                    .close();
            }
            Ask::Nova(Some(effort)) => {
                writer
                    .key("reasoningConfig")
                    .open()
                    .key("type")
                    .text("enabled");
                writer.key("maxReasoningEffort").text(effort.word()).close();
            }
            Ask::Word(effort) => drop(writer.key("reasoning_config").text(effort.word())),
        }
    }

    /// What `outputConfig.effort` says, in raw JSON.
    pub(crate) fn native_effort(&self, reasoning: &[Extra]) -> Option<String> {
        match self.ask {
            Ask::Native(effort) => Some(format!("\"{}\"", effort.word())),
            Ask::AsRead => extras::get(reasoning, "outputConfig.effort").map(str::to_owned),
            _ => None,
        }
    }
}
