//! How to answer: `generationConfig`.
//!
//! Owns its members, both ways. A schema in Google's subset of `OpenAPI` is read as JSON Schema and kept as an extra.

use payload::{
    object::{self, Misfit},
    writer::Writer,
};

use crate::{
    gemini::{member::Members, own, schema, target::Target, thinking},
    neutral::{Dropped, Extra, Family, Format, Json, Request, Unsupported},
};

/// Where what is unknown stood.
const PATH: &str = "generationConfig.";

const MIME_TYPE: &str = "generationConfig.responseMimeType";
const SCHEMA: &str = "generationConfig.responseSchema";
const JSON_SCHEMA: &str = "generationConfig.responseJsonSchema";
const LOGPROBS: &str = "generationConfig.responseLogprobs";
const TOP_LOGPROBS: &str = "generationConfig.logprobs";

/// More words to stop at than this are refused by Google.
const STOPS_MAX: usize = 5;

/// Reads `generationConfig`.
pub(crate) fn read(mut config: Members<'_>, request: &mut Request) -> Result<(), Misfit> {
    let sampling = &mut request.sampling;
    sampling.temperature = config.number("temperature")?.map(Json::of);
    sampling.top_p = config.number("topP")?.map(Json::of);
    sampling.top_k = config.number("topK")?.map(Json::of);
    sampling.seed = config.number("seed")?.map(Json::of);
    sampling.presence_penalty = config.number("presencePenalty")?.map(Json::of);
    sampling.frequency_penalty = config.number("frequencyPenalty")?.map(Json::of);
    for (index, raw) in config
        .list("stopSequences")?
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let within = |misfit: Misfit| misfit.within_element(index).within("stopSequences");
        sampling
            .stop
            .push(object::text(raw).map_err(within)?.into_owned());
    }
    // How likely words were has no neutral form in an answer: who understands it writes the extras back.
    if let Some(asked) = config.flag("responseLogprobs")? {
        sampling.logprobs = Some(asked);
        let raw = if asked { "true" } else { "false" };
        request.extra.push(own::extra(LOGPROBS, raw));
    }
    if let Some(count) = config.count("logprobs")? {
        sampling.top_logprobs = Some(count);
        request
            .extra
            .push(own::extra(TOP_LOGPROBS, &count.to_string()));
    }
    request.output_tokens_max = config.count("maxOutputTokens")?;
    request.choices = config.count("candidateCount")?;
    if let Some(members) = config.members("thinkingConfig")? {
        let read = thinking::read(members);
        request.reasoning = Some(read.map_err(|misfit| misfit.within("thinkingConfig"))?);
    }
    request.format = read_format(&mut config, &mut request.extra)?;
    config.rest(PATH, &mut request.extra)
}

fn read_format(config: &mut Members<'_>, extra: &mut Vec<Extra>) -> Result<Format, Misfit> {
    let mime_type = config.raw("responseMimeType")?;
    let json_schema = config.raw("responseJsonSchema")?;
    let subset = config.raw("responseSchema")?;
    if let Some(raw) = subset {
        extra.push(own::extra(SCHEMA, raw));
    }
    if mime_type != Some("\"application/json\"") {
        extra.extend(mime_type.map(|raw| own::extra(MIME_TYPE, raw)));
        extra.extend(json_schema.map(|raw| own::extra(JSON_SCHEMA, raw)));
        return Ok(Format::Free);
    }
    let schema = match (json_schema, subset) {
        (Some(raw), _) => Json::of(raw),
        (None, Some(raw)) => {
            schema::json_schema(raw).map_err(|misfit| misfit.within("responseSchema"))?
        }
        (None, None) => return Ok(Format::JsonObject),
    };
    Ok(Format::JsonSchema {
        name: None,
        description: None,
        schema,
        strict: None,
    })
}

/// Writes `generationConfig`, if there is anything to say in it.
pub(crate) fn write(
    writer: &mut Writer,
    request: &Request,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    let mut config = Writer::default();
    config.open();
    write_sampling(&mut config, request, dropped)?;
    if let Some(tokens) = request.output_tokens_max {
        config.key("maxOutputTokens").number(tokens);
    }
    if let Some(choices) = request.choices {
        config.key("candidateCount").number(choices);
    }
    write_format(&mut config, request, dropped);
    thinking::write(&mut config, request, target, dropped);
    write_modalities(&mut config, request)?;
    own::write(&mut config, &request.extra, PATH, &[]);
    config.close();
    let config = config.into_bytes();
    if config != b"{}" {
        writer.key("generationConfig");
        writer.raw(str::from_utf8(&config).unwrap_or("{}"));
    }
    Ok(())
}

fn write_sampling(
    config: &mut Writer,
    request: &Request,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    let sampling = &request.sampling;
    for (name, value) in [
        ("temperature", &sampling.temperature),
        ("topP", &sampling.top_p),
        ("topK", &sampling.top_k),
        ("seed", &sampling.seed),
        ("presencePenalty", &sampling.presence_penalty),
        ("frequencyPenalty", &sampling.frequency_penalty),
    ] {
        if let Some(value) = value {
            config.key(name).raw(value.as_str());
        }
    }
    if sampling.stop.len() > STOPS_MAX {
        return Err(Unsupported {
            at: "stop".to_owned(),
            why: format!("Gemini stops at no more than {STOPS_MAX} sequences: send fewer"),
        });
    }
    if !sampling.stop.is_empty() {
        config.key("stopSequences").open_array();
        for stop in &sampling.stop {
            config.text(stop);
        }
        config.close_array();
    }
    let asked = own::own(&request.extra, LOGPROBS).is_some();
    if sampling.logprobs == Some(true) && !asked {
        return Err(Unsupported {
            at: "logprobs".to_owned(),
            why: "log probabilities of Gemini are not translated: leave it out".to_owned(),
        });
    }
    if sampling.top_logprobs.is_some() && own::own(&request.extra, TOP_LOGPROBS).is_none() {
        dropped.note("top_logprobs");
    }
    Ok(())
}

fn write_format(config: &mut Writer, request: &Request, dropped: &mut Dropped) {
    match &request.format {
        Format::Free => {}
        Format::JsonObject => {
            config.key("responseMimeType").text("application/json");
        }
        Format::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => {
            let at = "response_format.json_schema";
            let left = [
                ("name", name.is_some()),
                ("description", description.is_some()),
                ("strict", strict.is_some()),
            ];
            for (member, _) in left.into_iter().filter(|(_, said)| *said) {
                dropped.note(format!("{at}.{member}"));
            }
            config.key("responseMimeType").text("application/json");
            if own::own(&request.extra, SCHEMA).is_none() {
                config.key("responseJsonSchema").raw(schema.as_str());
            }
        }
    }
}

/// Writes what a client of chat completions asked for beside text.
fn write_modalities(config: &mut Writer, request: &Request) -> Result<(), Unsupported> {
    let Some(asked) = modalities(&request.extra) else {
        return Ok(());
    };
    let wrong = || Unsupported {
        at: "modalities".to_owned(),
        why: "Gemini answers in text and images here".to_owned(),
    };
    let elements = object::elements(asked.value.as_str()).map_err(|_| wrong())?;
    config.key("responseModalities").open_array();
    for raw in elements {
        match object::text(raw).as_deref() {
            Ok("text") => config.text("TEXT"),
            Ok("image") => config.text("IMAGE"),
            _ => return Err(wrong()),
        };
    }
    config.close_array();
    Ok(())
}

/// What a client of chat completions asked for beside text.
pub(crate) fn modalities(extra: &[Extra]) -> Option<&Extra> {
    extra
        .iter()
        .find(|extra| extra.family == Family::Chat && extra.name == "modalities")
}
