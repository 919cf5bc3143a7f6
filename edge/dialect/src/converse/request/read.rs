//! From a body to a request. Model and streaming stand in the path.
//!
//! An object or a list with nothing in it is kept as it is, because to have sent it is not to have sent nothing.

use std::borrow::Cow;

use payload::{
    json,
    object::{Misfit, Object, elements},
};

use crate::{
    converse::{block, extras, fields, target::Target, thinking, tools},
    neutral::{Extra, Family, Format, Json, Request, Role, Turn},
};

/// Reads what stands under one name.
type Read = fn(&str, &mut Request) -> Result<(), Misfit>;

/// Reads what a client of this dialect sends to the path of `model`, for a stream or not.
pub fn decode(body: &str, model: &str, stream: bool) -> Result<Request, Misfit> {
    let mut object = Object::parse(body)?;
    let mut request = Request {
        model: model.to_owned(),
        stream,
        // A stream of this dialect always ends with its usage.
        stream_usage: stream,
        ..Request::default()
    };
    if let Some(raw) = object.raw("system")? {
        system(raw, &mut request).map_err(|misfit| misfit.within("system"))?;
    }
    if let Some(raw) = object.raw("messages")? {
        messages(raw, &mut request).map_err(|misfit| misfit.within("messages"))?;
    }
    let parts: [(&str, Read); 4] = [
        ("inferenceConfig", inference),
        ("toolConfig", tools::read),
        ("outputConfig", output),
        ("serviceTier", tier),
    ];
    for (name, read) in parts {
        match object.raw(name)? {
            Some(raw) if is_empty(raw) => extras::push(&mut request.extra, "", name, raw),
            Some(raw) => read(raw, &mut request).map_err(|misfit| misfit.within(name))?,
            None => {}
        }
    }
    if let Some(raw) = object.raw("additionalModelRequestFields")? {
        fields::read(raw, &Target::new(model), &mut request);
    }
    extras::take(&mut request.extra, "", object);
    Ok(request)
}

fn is_empty(raw: &str) -> bool {
    Object::parse(raw).is_ok_and(|object| object.is_empty())
}

fn system(raw: &str, request: &mut Request) -> Result<(), Misfit> {
    let parts = block::read(&elements(raw)?, false)?;
    if parts.is_empty() {
        extras::push(&mut request.extra, "", "system", raw);
    } else {
        request.turns.push(Turn::new(Role::System, parts));
    }
    Ok(())
}

fn messages(raw: &str, request: &mut Request) -> Result<(), Misfit> {
    let raws = elements(raw)?;
    if raws.is_empty() {
        extras::push(&mut request.extra, "", "messages", raw);
    }
    for (at, raw) in raws.into_iter().enumerate() {
        let turn = message(raw).map_err(|misfit| misfit.within_element(at))?;
        request.turns.push(turn);
    }
    Ok(())
}

fn message(raw: &str) -> Result<Turn, Misfit> {
    let mut object = Object::parse(raw)?;
    let mut extra = Vec::new();
    let role = match object.text("role")?.as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => {
            // It stands here, and not in front of the conversation.
            extra.push(Extra::new(Family::Converse, "role", "\"system\""));
            Role::System
        }
        _ => return Err(Misfit::new("must be user, assistant or system").within("role")),
    };
    let content = object.array("content")?.unwrap_or_default();
    let parts = block::read(&content, false).map_err(|misfit| misfit.within("content"))?;
    extras::take(&mut extra, "", object);
    Ok(Turn {
        role,
        name: None,
        parts,
        extra,
    })
}

fn inference(raw: &str, request: &mut Request) -> Result<(), Misfit> {
    let mut config = Object::parse(raw)?;
    request.output_tokens_max = config.count("maxTokens")?;
    request.sampling.temperature = config.number("temperature")?.map(Json::of);
    request.sampling.top_p = config.number("topP")?.map(Json::of);
    if let Some(raw) = config.raw("stopSequences")? {
        let within = |misfit: Misfit| misfit.within("stopSequences");
        let raws = elements(raw).map_err(within)?;
        if raws.is_empty() {
            extras::push(&mut request.extra, "inferenceConfig", "stopSequences", raw);
        }
        for (at, raw) in raws.into_iter().enumerate() {
            let text = payload::object::text(raw);
            let text = text.map_err(|misfit| within(misfit.within_element(at)))?;
            request.sampling.stop.push(text.into_owned());
        }
    }
    extras::take(&mut request.extra, "inferenceConfig", config);
    Ok(())
}

fn output(raw: &str, request: &mut Request) -> Result<(), Misfit> {
    let mut config = Object::parse(raw)?;
    if let Some(raw) = config.raw("effort")? {
        thinking::read_native(raw, &mut request.reasoning);
    }
    if let Some(raw) = config.raw("textFormat")? {
        match format(raw).map_err(|misfit| misfit.within("textFormat"))? {
            Some((format, mut extra)) => {
                request.format = format;
                request.extra.append(&mut extra);
            }
            None => extras::push(&mut request.extra, "outputConfig", "textFormat", raw),
        }
    }
    extras::take(&mut request.extra, "outputConfig", config);
    Ok(())
}

/// A schema, which stands in a string; `None` for another format.
fn format(raw: &str) -> Result<Option<(Format, Vec<Extra>)>, Misfit> {
    let mut object = Object::parse(raw)?;
    if object.text("type")?.as_deref() != Some("json_schema") {
        return Ok(None);
    }
    let Some(mut structure) = object.object("structure")? else {
        return Ok(None);
    };
    let within = |misfit: Misfit| misfit.within("structure");
    let Some(mut inside) = structure.object("jsonSchema").map_err(within)? else {
        return Ok(None);
    };
    let within = |misfit: Misfit| misfit.within("jsonSchema").within("structure");
    let Some(schema) = inside.text("schema").map_err(within)? else {
        return Ok(None);
    };
    let is_whole = json::value(&schema, 0).is_ok_and(|place| {
        schema
            .get(place.end..)
            .is_some_and(|rest| rest.trim().is_empty())
    });
    if !is_whole {
        let misfit = Misfit::new("must be a JSON Schema in a string");
        return Err(within(misfit.within("schema")));
    }
    let name = inside.text("name").map_err(within)?;
    let description = inside.text("description").map_err(within)?;
    let mut extra = Vec::new();
    let under = "outputConfig.textFormat.structure.jsonSchema";
    extras::take(&mut extra, under, inside);
    extras::take(&mut extra, "outputConfig.textFormat.structure", structure);
    extras::take(&mut extra, "outputConfig.textFormat", object);
    let format = Format::JsonSchema {
        name: name.map(Cow::into_owned),
        description: description.map(Cow::into_owned),
        schema: Json::of(&schema),
        strict: None,
    };
    Ok(Some((format, extra)))
}

fn tier(raw: &str, request: &mut Request) -> Result<(), Misfit> {
    let mut object = Object::parse(raw)?;
    let kind = object.text("type")?;
    match kind.filter(|kind| object.is_empty() && TIERS.contains(&&**kind)) {
        Some(kind) => request.service_tier = Some(kind.into_owned()),
        None => extras::push(&mut request.extra, "", "serviceTier", raw),
    }
    Ok(())
}

/// The service tiers that are known.
pub(crate) const TIERS: [&str; 4] = ["priority", "default", "flex", "reserved"];
