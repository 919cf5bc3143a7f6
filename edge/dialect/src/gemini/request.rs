//! What a client of Gemini sends, and what Gemini is sent.
//!
//! Owns the outermost object. The model and whether to stream stand in the path, and are given and left to the caller.

use payload::{object::Misfit, writer::Writer};

use crate::{
    gemini::{config, content, member::Members, own, target::Target, tools, turns},
    neutral::{Dropped, Encoded, Extra, Family, Request, Unsupported},
};

/// Reads the body of `:generateContent` or `:streamGenerateContent`.
pub fn decode(body: &str, model: &str, stream: bool) -> Result<Request, Misfit> {
    let members = Members::parse(body)?;
    let mut request = read(members)?;
    model
        .strip_prefix("models/")
        .unwrap_or(model)
        .clone_into(&mut request.model);
    request.stream = stream;
    // Every stream of Gemini ends with its usage.
    request.stream_usage = stream;
    Ok(request)
}

/// Writes the body for a model. `request.model` and `request.stream` belong into the path, and are not read.
pub fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let mut writer = Writer::with_capacity(1_024);
    let mut dropped = Dropped::default();
    writer.open();
    write(&mut writer, request, target, &mut dropped)?;
    writer.close();
    let body = writer.into_bytes();
    Ok(Encoded { body, dropped })
}

/// Reads the members of a request.
pub(crate) fn read(mut members: Members<'_>) -> Result<Request, Misfit> {
    let mut request = Request::default();
    // Said by the path; some clients say it twice.
    members.raw("model")?;
    if let Some(raw) = members.raw("systemInstruction")? {
        let turn = content::instruction(raw);
        request
            .turns
            .push(turn.map_err(|misfit| misfit.within("systemInstruction"))?);
    }
    let contents = members.list("contents")?.unwrap_or_default();
    let turns = content::read(&contents).map_err(|misfit| misfit.within("contents"))?;
    request.turns.extend(turns);
    let elements = members.list("tools")?.unwrap_or_default();
    request.tools = tools::read(&elements).map_err(|misfit| misfit.within("tools"))?;
    if let Some(config) = members.members("toolConfig")? {
        tools::read_config(config, &mut request).map_err(|misfit| misfit.within("toolConfig"))?;
    }
    if let Some(config) = members.members("generationConfig")? {
        config::read(config, &mut request).map_err(|misfit| misfit.within("generationConfig"))?;
    }
    members.rest("", &mut request.extra)?;
    Ok(request)
}

/// Writes the members of a request into the object that is open.
pub(crate) fn write(
    writer: &mut Writer,
    request: &Request,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    turns::write(writer, request, target, dropped)?;
    tools::write(writer, request, dropped)?;
    config::write(writer, request, target, dropped)?;
    own::write(writer, &request.extra, "", &[]);
    if request.end_user.is_some() {
        dropped.note("user");
    }
    if request.service_tier.is_some() {
        // Tiers are called otherwise at each provider.
        dropped.note("service_tier");
    }
    refuse_sound(&request.extra)?;
    let modalities = config::modalities(&request.extra);
    for extra in &request.extra {
        if extra.family != Family::Gemini && Some(extra) != modalities {
            dropped.note(extra.name.as_str());
        }
    }
    Ok(())
}

/// A client of chat completions that asks for sound would get none.
fn refuse_sound(extra: &[Extra]) -> Result<(), Unsupported> {
    let asked = extra
        .iter()
        .any(|extra| extra.family == Family::Chat && extra.name == "audio");
    if !asked {
        return Ok(());
    }
    Err(Unsupported {
        at: "audio".to_owned(),
        why: "sound in answers is not translated for Gemini".to_owned(),
    })
}
