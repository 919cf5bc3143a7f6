//! What a client sends, taken apart.
//!
//! Must never refuse what it does not know: that goes on as it came, to this family alone.

use payload::object::{self, Misfit, Object};

use crate::{
    messages::{extras, mark, part, thinking},
    neutral::{
        Content, Extra, Format, Json, Part, Request, Role, Sampling, Tool, ToolChoice, Turn,
    },
};

/// Reads a whole body.
pub(crate) fn request(body: &str) -> Result<Request, Misfit> {
    let mut object = Object::parse(body)?;
    let mut extra = Vec::new();
    let model = object
        .text("model")?
        .ok_or_else(|| Misfit::new("is required").within("model"))?;
    let mut config = object.object("output_config")?.unwrap_or_default();
    let effort = config
        .raw("effort")
        .map_err(|misfit| misfit.within("output_config"))?;
    let reasoning = thinking::read(object.raw("thinking")?, effort)?;
    let (tool_choice, parallel_tools) = choice(&mut object, &mut extra)?;
    let stream = object.flag("stream")?.unwrap_or(false);
    let request = Request {
        model: model.into(),
        turns: turns(&mut object)?,
        tools: tools(&mut object)?,
        tool_choice,
        parallel_tools,
        format: format(&mut object, &mut config, &mut extra)?,
        reasoning,
        sampling: sampling(&mut object)?,
        output_tokens_max: object.count("max_tokens")?,
        choices: None,
        end_user: end_user(&mut object, &mut extra)?,
        service_tier: object.text("service_tier")?.map(Into::into),
        stream,
        // A stream of this dialect always says it.
        stream_usage: stream,
        extra: Vec::new(),
    };
    extras::keep(config, "output_config.", &mut extra);
    extras::keep(object, "", &mut extra);
    Ok(Request { extra, ..request })
}

fn turns(object: &mut Object<'_>) -> Result<Vec<Turn>, Misfit> {
    let mut turns = Vec::new();
    if let Some(raw) = object.raw("system")? {
        let parts = part::read_all(raw).map_err(|misfit| misfit.within("system"))?;
        if !parts.is_empty() {
            turns.push(Turn::new(Role::System, parts));
        }
    }
    let messages = object
        .array("messages")?
        .ok_or_else(|| Misfit::new("is required").within("messages"))?;
    for (index, raw) in messages.iter().enumerate() {
        let turn = turn(raw).map_err(|misfit| misfit.within_element(index).within("messages"))?;
        turns.push(turn);
    }
    Ok(turns)
}

fn turn(raw: &str) -> Result<Turn, Misfit> {
    let mut message = Object::parse(raw)?;
    let role = match message.text("role")?.as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        _ => return Err(Misfit::new("must be user, assistant or system").within("role")),
    };
    let content = message
        .raw("content")?
        .ok_or_else(|| Misfit::new("is required").within("content"))?;
    let parts = part::read_all(content).map_err(|misfit| misfit.within("content"))?;
    let nameless =
        |part: &Part| matches!(&part.content, Content::ToolCall { id, .. } if id.is_empty());
    if let Some(index) = parts.iter().position(nameless) {
        let misfit = Misfit::new("is required").within("id");
        return Err(misfit.within_element(index).within("content"));
    }
    let mut turn = Turn::new(role, parts);
    extras::keep(message, "", &mut turn.extra);
    Ok(turn)
}

fn tools(object: &mut Object<'_>) -> Result<Vec<Tool>, Misfit> {
    let tools = object.array("tools")?.unwrap_or_default();
    let read = |(index, raw): (usize, &&str)| {
        tool(raw).map_err(|misfit| misfit.within_element(index).within("tools"))
    };
    tools.iter().enumerate().map(read).collect()
}

/// A tool of the client's, or one of the provider's own, which has another type.
fn tool(raw: &str) -> Result<Tool, Misfit> {
    let mut object = Object::parse(raw)?;
    let mut extra = Vec::new();
    if let Some(kind) = object.text("type")? {
        if kind != "custom" {
            return Ok(Tool {
                name: String::new(),
                description: None,
                parameters: None,
                strict: None,
                cache: None,
                extra: vec![extras::extra(kind, raw)],
            });
        }
        extra.push(extras::extra("type", "\"custom\""));
    }
    let name = object
        .text("name")?
        .ok_or_else(|| Misfit::new("is required").within("name"))?;
    let tool = Tool {
        name: name.into(),
        description: object.text("description")?.map(Into::into),
        parameters: object.raw("input_schema")?.map(Json::of),
        strict: object.flag("strict")?,
        cache: mark::take(&mut object, &mut extra)?,
        extra: Vec::new(),
    };
    extras::keep(object, "", &mut extra);
    Ok(Tool { extra, ..tool })
}

fn choice(
    object: &mut Object<'_>,
    extra: &mut Vec<Extra>,
) -> Result<(Option<ToolChoice>, Option<bool>), Misfit> {
    let Some(mut choice) = object.object("tool_choice")? else {
        return Ok((None, None));
    };
    let within = |misfit: Misfit| misfit.within("tool_choice");
    let name = choice.text("name").map_err(within)?;
    let chosen = match (choice.text("type").map_err(within)?.as_deref(), name) {
        (Some("auto"), _) => ToolChoice::Auto,
        (Some("any"), _) => ToolChoice::Required,
        (Some("none"), _) => ToolChoice::None,
        (Some("tool"), Some(name)) => ToolChoice::Named(name.into()),
        (Some("tool"), None) => return Err(within(Misfit::new("is required").within("name"))),
        _ => {
            let misfit = Misfit::new("must be auto, any, none or tool");
            return Err(within(misfit.within("type")));
        }
    };
    let alone = choice.flag("disable_parallel_tool_use").map_err(within)?;
    extras::keep(choice, "tool_choice.", extra);
    Ok((Some(chosen), alone.map(|alone| !alone)))
}

/// The form of the answer: `output_config.format`, or `output_format` as it was called in its beta.
fn format(
    object: &mut Object<'_>,
    config: &mut Object<'_>,
    extra: &mut Vec<Extra>,
) -> Result<Format, Misfit> {
    let at = "output_config.format";
    let raw = config
        .raw("format")
        .map_err(|misfit| misfit.within("output_config"))?;
    let Some(raw) = raw.or(object.raw("output_format")?) else {
        return Ok(Format::Free);
    };
    let within = |misfit: Misfit| misfit.within(at);
    let mut format = Object::parse(raw).map_err(within)?;
    let kind = format.text("type").map_err(within)?;
    if kind.as_deref() != Some("json_schema") {
        extra.push(extras::extra(at, raw));
        return Ok(Format::Free);
    }
    let schema = format
        .raw("schema")
        .map_err(within)?
        .ok_or_else(|| within(Misfit::new("is required").within("schema")))?;
    extras::keep(format, "output_config.format.", extra);
    Ok(Format::JsonSchema {
        name: None,
        description: None,
        schema: Json::of(schema),
        // The API holds every schema exactly.
        strict: Some(true),
    })
}

fn sampling(object: &mut Object<'_>) -> Result<Sampling, Misfit> {
    let mut stop = Vec::new();
    for (index, raw) in object
        .array("stop_sequences")?
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let word = object::text(raw)
            .map_err(|misfit| misfit.within_element(index).within("stop_sequences"))?;
        stop.push(word.into());
    }
    Ok(Sampling {
        temperature: object.number("temperature")?.map(Json::of),
        top_p: object.number("top_p")?.map(Json::of),
        top_k: object.number("top_k")?.map(Json::of),
        stop,
        ..Sampling::default()
    })
}

fn end_user(object: &mut Object<'_>, extra: &mut Vec<Extra>) -> Result<Option<String>, Misfit> {
    let Some(mut metadata) = object.object("metadata")? else {
        return Ok(None);
    };
    let user = metadata
        .text("user_id")
        .map_err(|misfit| misfit.within("metadata"))?
        .map(Into::into);
    extras::keep(metadata, "metadata.", extra);
    Ok(user)
}
