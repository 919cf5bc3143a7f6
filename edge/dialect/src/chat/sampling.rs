//! How words are chosen.
//!
//! Knows the members' names. Numbers stand as they were written.

use payload::object::{self, Misfit, Object};

use crate::{
    chat::{draft::Draft, own},
    neutral::{Extra, Json, Sampling},
};

/// Takes it all.
pub(crate) fn take(object: &mut Object<'_>, kept: &mut Vec<Extra>) -> Result<Sampling, Misfit> {
    let mut number = |name: &str| Ok::<_, Misfit>(object.number(name)?.map(Json::of));
    let mut sampling = Sampling {
        temperature: number("temperature")?,
        top_p: number("top_p")?,
        top_k: number("top_k")?,
        seed: number("seed")?,
        presence_penalty: number("presence_penalty")?,
        frequency_penalty: number("frequency_penalty")?,
        ..Sampling::default()
    };
    let random_seed = number("random_seed")?;
    sampling.seed = sampling.seed.or(random_seed);
    if let Some(raw) = object.raw("stop")? {
        sampling.stop = read_stop(raw).map_err(|misfit| misfit.within("stop"))?;
    }
    match object.raw("logprobs")? {
        Some("true") => sampling.logprobs = Some(true),
        Some("false") => sampling.logprobs = Some(false),
        // A number, as older servers want it.
        Some(raw) => kept.push(own::extra("logprobs", raw)),
        None => {}
    }
    sampling.top_logprobs = object.count("top_logprobs")?;
    Ok(sampling)
}

fn read_stop(raw: &str) -> Result<Vec<String>, Misfit> {
    if object::is_text(raw) {
        return Ok(vec![object::text(raw)?.into_owned()]);
    }
    let read = |(at, raw)| match object::text(raw) {
        Ok(text) => Ok(text.into_owned()),
        Err(misfit) => Err(misfit.within_element(at)),
    };
    object::elements(raw)?
        .into_iter()
        .enumerate()
        .map(read)
        .collect()
}

/// Writes it all.
pub(crate) fn write(sampling: &Sampling, draft: &mut Draft<'_>) {
    for (name, number) in [
        ("temperature", &sampling.temperature),
        ("top_p", &sampling.top_p),
        (draft.target.seed, &sampling.seed),
        ("presence_penalty", &sampling.presence_penalty),
        ("frequency_penalty", &sampling.frequency_penalty),
    ] {
        if let Some(number) = number {
            draft.writer.key(name).raw(number.as_str());
        }
    }
    match &sampling.top_k {
        Some(number) if draft.target.top_k => {
            draft.writer.key("top_k").raw(number.as_str());
        }
        Some(_) => draft.note("", "top_k"),
        None => {}
    }
    if !sampling.stop.is_empty() {
        draft.writer.key("stop").open_array();
        for word in &sampling.stop {
            draft.writer.text(word);
        }
        draft.writer.close_array();
    }
    if let Some(logprobs) = sampling.logprobs {
        draft.writer.key("logprobs").flag(logprobs);
    }
    if let Some(top) = sampling.top_logprobs {
        draft.writer.key("top_logprobs").number(top);
    }
}
