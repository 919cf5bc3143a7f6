//! How words are chosen, within what a model takes.
//!
//! Knows the rules of the models; see `Target` for which of them holds.

use crate::{
    messages::{draft::Draft, target},
    neutral::{Json, Request, Unsupported},
};

/// The least `top_p` that is taken beside thinking.
const TOP_P_THINKING_MIN: f64 = 0.95;

/// Refuses what would give the client fewer answers or less in them than it asked for.
pub(crate) fn check(request: &Request) -> Result<(), Unsupported> {
    let (at, why) = if request.choices.is_some_and(|choices| choices > 1) {
        (
            "n",
            "this model's API gives one answer at a time: ask again",
        )
    } else if request.sampling.logprobs == Some(true) {
        (
            "logprobs",
            "this model's API does not tell how likely words were",
        )
    } else {
        return Ok(());
    };
    Err(Unsupported {
        at: at.to_owned(),
        why: why.to_owned(),
    })
}

/// Writes what may be written. Beside thinking the temperature must be 1, and words are not cut short by `top_k`.
pub(crate) fn write(request: &Request, thinks: bool, draft: &mut Draft<'_>) {
    let sampling = &request.sampling;
    let rule = draft.target.sampling;
    let any = rule != target::Sampling::None;
    let temperature = sampling
        .temperature
        .as_ref()
        .filter(|temperature| any && (!thinks || is(temperature, |number| number >= 1.0)));
    let both = rule == target::Sampling::All || temperature.is_none();
    let top_p = sampling.top_p.as_ref().filter(|top_p| {
        any && both && (!thinks || is(top_p, |number| number >= TOP_P_THINKING_MIN))
    });
    let top_k = sampling.top_k.as_ref().filter(|_| any && !thinks);

    if let Some(temperature) = temperature {
        let raw = temperature.as_str();
        // Other families go up to 2.
        let clamped = if is(temperature, |number| number > 1.0) {
            "1"
        } else {
            raw
        };
        draft.writer.key("temperature").raw(clamped);
    }
    for (name, number) in [("top_p", top_p), ("top_k", top_k)] {
        if let Some(number) = number {
            draft.writer.key(name).raw(number.as_str());
        }
    }
    let left_out = [
        (
            "temperature",
            sampling.temperature.is_some() && temperature.is_none(),
        ),
        ("top_p", sampling.top_p.is_some() && top_p.is_none()),
        ("top_k", sampling.top_k.is_some() && top_k.is_none()),
        ("seed", sampling.seed.is_some()),
        ("presence_penalty", sampling.presence_penalty.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.is_some()),
        ("top_logprobs", sampling.top_logprobs.is_some()),
    ];
    for (name, _) in left_out.iter().filter(|(_, out)| *out) {
        draft.dropped.note(*name);
    }
    write_stop(&sampling.stop, draft);
}

/// The API refuses to stop at white space.
fn write_stop(stop: &[String], draft: &mut Draft<'_>) {
    let words: Vec<&String> = stop.iter().filter(|word| !word.trim().is_empty()).collect();
    if words.len() < stop.len() {
        draft.dropped.note("stop");
    }
    if words.is_empty() {
        return;
    }
    draft.writer.key("stop_sequences").open_array();
    for word in words {
        draft.writer.text(word);
    }
    draft.writer.close_array();
}

fn is(number: &Json, test: impl Fn(f64) -> bool) -> bool {
    number.as_str().parse().is_ok_and(test)
}
