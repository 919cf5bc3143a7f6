//! A request: `POST /v1/chat/completions`.
//!
//! Owns what a client of this dialect may send, and what a provider of this family gets. Must never leave out what
//! changes the meaning: that is refused, and what else is left out is told.

mod turns;
mod tools;
mod form;
mod read;

use crate::{
    chat::{
        extras,
        target::{OutputMax, ReasoningBack, Target},
    },
    neutral::{Dropped, Effort, Encoded, Reasoning, Request, Sampling, Unsupported},
    object::Misfit,
    writer::Writer,
};

/// Reads what a client sends.
pub fn decode(body: &str) -> Result<Request, Misfit> {
    read::request(body)
}

/// Writes what the provider gets.
pub fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let (mut writer, mut dropped) = (Writer::default(), Dropped::default());
    writer.open().key("model").text(target.model);
    turns::write(&mut writer, request, target, &mut dropped)?;
    tools::write(&mut writer, request, target, &mut dropped)?;
    form::write(&mut writer, request);
    if let Some(reasoning) = &request.reasoning {
        write_reasoning(&mut writer, reasoning, target, &mut dropped);
    }
    write_sampling(&mut writer, &request.sampling, target, &mut dropped);
    if let Some(max) = request.output_tokens_max {
        let name = match target.output_max {
            OutputMax::MaxTokens => "max_tokens",
            OutputMax::MaxCompletionTokens => "max_completion_tokens",
        };
        writer.key(name).number(max);
    }
    if let Some(choices) = request.choices {
        writer.key("n").number(choices);
    }
    if let Some(user) = &request.end_user {
        writer.key("user").text(user);
    }
    if let Some(tier) = &request.service_tier {
        writer.key("service_tier").text(tier);
    }
    write_stream(&mut writer, request, target, &mut dropped);
    extras::write_plain(&mut writer, &request.extra, "", &mut dropped);
    writer.close();
    Ok(Encoded {
        body: writer.into_bytes(),
        dropped,
    })
}

fn write_stream(
    writer: &mut Writer,
    request: &Request,
    target: &Target<'_>,
    dropped: &mut Dropped,
) {
    if request.stream {
        writer.key("stream").flag(true);
    }
    let mut others = extras::under(&request.extra, "stream_options.").peekable();
    if !target.stream_options {
        others.for_each(|(name, _)| dropped.note(format!("stream_options.{name}")));
        return;
    }
    let usage = request.stream && request.stream_usage;
    if usage || others.peek().is_some() {
        writer.key("stream_options").open();
        if usage {
            writer.key("include_usage").flag(true);
        }
        extras::write(writer, others);
        writer.close();
    }
}

/// Writes how much to think: as `reasoning` where details go, because only there tokens can be said.
fn write_reasoning(
    writer: &mut Writer,
    reasoning: &Reasoning,
    target: &Target<'_>,
    dropped: &mut Dropped,
) {
    extras::note_foreign(&reasoning.extra, "reasoning", dropped);
    let hidden = reasoning.shown == Some(false);
    let own = reasoning.extra.iter().any(extras::is_own);
    let wide = reasoning.budget_tokens.is_some() || hidden || own;
    if target.reasoning == ReasoningBack::Details && wide {
        writer.key("reasoning").open();
        if let Some(effort) = reasoning.effort {
            writer.key("effort").text(effort.word());
        } else if let Some(budget) = reasoning.budget_tokens {
            writer.key("max_tokens").number(budget);
        }
        if let Some(shown) = reasoning.shown {
            writer.key("exclude").flag(!shown);
        }
        extras::write(writer, extras::under(&reasoning.extra, "reasoning."));
        writer.close();
        return;
    }
    if hidden {
        dropped.note("reasoning.exclude");
    }
    extras::under(&reasoning.extra, "").for_each(|(name, _)| dropped.note(name));
    let effort = reasoning.effort.or(reasoning.budget_tokens.map(nearest));
    if let Some(effort) = effort {
        writer.key("reasoning_effort").text(effort.word());
    }
}

/// The effort that comes nearest to so many tokens.
const fn nearest(budget: u64) -> Effort {
    match budget {
        0 => Effort::None,
        1..=1_024 => Effort::Low,
        1_025..=8_192 => Effort::Medium,
        _ => Effort::High,
    }
}

fn write_sampling(
    writer: &mut Writer,
    sampling: &Sampling,
    target: &Target<'_>,
    dropped: &mut Dropped,
) {
    let numbers = [
        ("temperature", &sampling.temperature),
        ("top_p", &sampling.top_p),
        ("seed", &sampling.seed),
        ("presence_penalty", &sampling.presence_penalty),
        ("frequency_penalty", &sampling.frequency_penalty),
        ("top_k", &sampling.top_k),
    ];
    for (name, number) in numbers {
        match number {
            Some(_) if name == "top_k" && target.output_max == OutputMax::MaxCompletionTokens => {
                dropped.note(name);
            }
            Some(number) => {
                writer.key(name).raw(number.as_str());
            }
            None => {}
        }
    }
    if !sampling.stop.is_empty() {
        writer.key("stop").open_array();
        for stop in &sampling.stop {
            writer.text(stop);
        }
        writer.close_array();
    }
    if let Some(logprobs) = sampling.logprobs {
        writer.key("logprobs").flag(logprobs);
    }
    if let Some(count) = sampling.top_logprobs {
        writer.key("top_logprobs").number(count);
    }
}
