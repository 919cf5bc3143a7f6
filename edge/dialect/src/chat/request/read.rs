//! What a client sends, taken apart.
//!
//! Must never refuse what it does not know: that goes on as it came, to this family alone.

use crate::{
    chat::{
        extras,
        request::{form, tools, turns},
    },
    neutral::{Effort, Extra, Json, Reasoning, Request, Sampling},
    object::{self, Misfit, Object},
};

/// Reads a whole body.
pub(crate) fn request(body: &str) -> Result<Request, Misfit> {
    let mut object = Object::parse(body)?;
    let mut extra = Vec::new();
    let model = object
        .text("model")?
        .ok_or_else(|| Misfit::new("is required").within("model"))?;
    let older = object.count("max_tokens")?;
    let end_user = object.text("user")?;
    let end_user = match end_user {
        Some(user) => Some(user),
        None => object.text("safety_identifier")?,
    };
    let mut stream_options = object.object("stream_options")?.unwrap_or_default();
    let stream_usage = stream_options
        .flag("include_usage")
        .map_err(|misfit| misfit.within("stream_options"))?;
    let request = Request {
        model: model.into(),
        turns: turns::read(&mut object)?,
        tools: tools::read(&mut object)?,
        tool_choice: tools::read_choice(&mut object, &mut extra)?,
        parallel_tools: object.flag("parallel_tool_calls")?,
        format: form::read(&mut object, &mut extra)?,
        reasoning: reasoning(&mut object, &mut extra)?,
        sampling: sampling(&mut object, &mut extra)?,
        output_tokens_max: object.count("max_completion_tokens")?.or(older),
        choices: object.count("n")?,
        end_user: end_user.map(Into::into),
        service_tier: object.text("service_tier")?.map(Into::into),
        stream: object.flag("stream")?.unwrap_or(false),
        stream_usage: stream_usage.unwrap_or(false),
        extra: Vec::new(),
    };
    extras::keep(stream_options, "stream_options.", &mut extra);
    extras::keep(object, "", &mut extra);
    // Null is as good as absent.
    extra.retain(|extra| extra.value.as_str() != "null");
    Ok(Request { extra, ..request })
}

fn sampling(object: &mut Object<'_>, extra: &mut Vec<Extra>) -> Result<Sampling, Misfit> {
    let logprobs = object.raw("logprobs")?;
    // Some providers take how many, as it was with completions.
    if let Some(raw) = logprobs.filter(|raw| !matches!(*raw, "true" | "false")) {
        extra.push(extras::extra("logprobs", raw));
    }
    let mut number = |name: &str| object.number(name).map(|number| number.map(Json::of));
    Ok(Sampling {
        temperature: number("temperature")?,
        top_p: number("top_p")?,
        top_k: number("top_k")?,
        seed: number("seed")?,
        presence_penalty: number("presence_penalty")?,
        frequency_penalty: number("frequency_penalty")?,
        stop: stop(object)?,
        logprobs: match logprobs {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        },
        top_logprobs: object.count("top_logprobs")?,
    })
}

fn stop(object: &mut Object<'_>) -> Result<Vec<String>, Misfit> {
    let Some(raw) = object.raw("stop")? else {
        return Ok(Vec::new());
    };
    let within = |misfit: Misfit| misfit.within("stop");
    if object::is_text(raw) {
        return Ok(vec![object::text(raw).map_err(within)?.into()]);
    }
    let mut stops = Vec::new();
    for (index, raw) in object::elements(raw).map_err(within)?.iter().enumerate() {
        let text = object::text(raw).map_err(|misfit| within(misfit.within_element(index)))?;
        stops.push(text.into());
    }
    Ok(stops)
}

/// How much to think: `reasoning_effort`, or `OpenRouter`'s `reasoning`.
fn reasoning(object: &mut Object<'_>, extra: &mut Vec<Extra>) -> Result<Option<Reasoning>, Misfit> {
    let mut said = None;
    if let Some(mut inner) = object.object("reasoning")? {
        let within = |misfit: Misfit| misfit.within("reasoning");
        let mut reasoning = Reasoning {
            effort: None,
            budget_tokens: inner.count("max_tokens").map_err(within)?,
            shown: inner.flag("exclude").map_err(within)?.map(|hidden| !hidden),
            extra: Vec::new(),
        };
        let word = inner.raw("effort").map_err(within)?;
        reasoning.effort = word.and_then(effort);
        if let (Some(raw), None) = (word, reasoning.effort) {
            reasoning.extra.push(extras::extra("reasoning.effort", raw));
        }
        extras::keep(inner, "reasoning.", &mut reasoning.extra);
        said = Some(reasoning);
    }
    if let Some(raw) = object.raw("reasoning_effort")? {
        match effort(raw) {
            Some(effort) => said.get_or_insert_default().effort = Some(effort),
            None => extra.push(extras::extra("reasoning_effort", raw)),
        }
    }
    Ok(said)
}

fn effort(raw: &str) -> Option<Effort> {
    Effort::of(&object::text(raw).ok()?)
}
