//! From a request to the body that one model gets.

use payload::writer::Writer;

use crate::{
    converse::{
        block::Scribe,
        extras, fields,
        request::{messages, read::TIERS},
        target::{Randomness, Target},
        thinking::{self, Plan},
        tools,
    },
    neutral::{Dropped, Encoded, Format, Json, Request, Unsupported},
};

/// What is written elsewhere than at the end.
const WRITTEN: [&str; 7] = [
    "system",
    "messages",
    "inferenceConfig",
    "toolConfig",
    "additionalModelRequestFields",
    "outputConfig",
    "serviceTier",
];

/// Claude takes no other share of likely words than this, or all of them, while it thinks.
const TOP_P_THINKING_MIN: f64 = 0.95;

/// Writes a request for a model. The same request always gives the same bytes.
pub fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    refuse(request, target)?;
    let mut scribe = Scribe::new(target);
    let plan = thinking::plan(request, target, &mut scribe.dropped);
    let mut writer = Writer::with_capacity(1_024);
    writer.open();
    messages::write(&mut writer, &mut scribe, request)?;
    let dropped = &mut scribe.dropped;
    inference(&mut writer, request, target, &plan, dropped);
    tools::write(&mut writer, request, target, plan.thinks, dropped)?;
    fields::write(&mut writer, request, target, &plan, dropped);
    output(&mut writer, request, &plan);
    tier(&mut writer, request, dropped);
    extras::write(&mut writer, &request.extra, "", &WRITTEN);
    writer.close();
    extras::note(dropped, "", &request.extra);
    note(request, dropped);
    Ok(Encoded {
        body: writer.into_bytes(),
        dropped: scribe.dropped,
    })
}

/// What would make the answer mean something else if it were left out.
fn refuse(request: &Request, target: &Target<'_>) -> Result<(), Unsupported> {
    let refused = |at: &str, why: &str| {
        Err(Unsupported {
            at: at.to_owned(),
            why: why.to_owned(),
        })
    };
    if request.choices.is_some_and(|choices| choices > 1) {
        return refused("n", "Bedrock gives one answer: ask several times");
    }
    if request.sampling.logprobs == Some(true) {
        return refused("logprobs", "Bedrock does not tell how likely a word was");
    }
    match request.format {
        Format::JsonObject => refused(
            "response_format",
            "Bedrock holds no answer to JSON without a schema: use json_schema",
        ),
        Format::JsonSchema { .. } if !target.structured_output => refused(
            "response_format",
            "this model holds no answer to a schema: use a tool",
        ),
        _ => Ok(()),
    }
}

/// What Bedrock has no place for.
fn note(request: &Request, dropped: &mut Dropped) {
    let sampling = &request.sampling;
    let absent = [
        ("seed", sampling.seed.is_some()),
        ("presence_penalty", sampling.presence_penalty.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.is_some()),
        (
            "top_logprobs",
            sampling.top_logprobs.is_some_and(|it| it > 0),
        ),
        ("user", request.end_user.is_some()),
    ];
    for (name, is_there) in absent {
        if is_there {
            dropped.note(name);
        }
    }
    if let Format::JsonSchema {
        strict: Some(false),
        ..
    } = request.format
    {
        dropped.note("response_format.json_schema.strict");
    }
}

fn inference(
    writer: &mut Writer,
    request: &Request,
    target: &Target<'_>,
    plan: &Plan,
    dropped: &mut Dropped,
) {
    let sampling = &request.sampling;
    let (temperature, top_p) = randomness(request, target, plan.thinks, dropped);
    let (stop, blank): (Vec<&String>, Vec<&String>) = sampling
        .stop
        .iter()
        .partition(|word| !word.trim().is_empty());
    // A word of white space is refused by most models.
    if !blank.is_empty() {
        dropped.note("stop");
    }
    let own = extras::members(&request.extra, "inferenceConfig", &[]).next();
    let any = plan.output_tokens_max.is_some() || temperature.is_some() || top_p.is_some();
    if !any && stop.is_empty() && own.is_none() {
        empty(writer, request, "inferenceConfig");
        return;
    }
    writer.key("inferenceConfig").open();
    if let Some(max) = plan.output_tokens_max {
        writer.key("maxTokens").number(max);
    }
    if let Some(temperature) = temperature {
        writer.key("temperature").raw(temperature);
    }
    if let Some(top_p) = top_p {
        writer.key("topP").raw(top_p);
    }
    if !stop.is_empty() {
        writer.key("stopSequences").open_array();
        for word in &stop {
            writer.text(word);
        }
        writer.close_array();
    }
    let written = if stop.is_empty() { "" } else { "stopSequences" };
    extras::write(writer, &request.extra, "inferenceConfig", &[written]);
    writer.close();
}

/// What of `temperature` and `top_p` a model takes.
fn randomness<'a>(
    request: &'a Request,
    target: &Target<'_>,
    thinks: bool,
    dropped: &mut Dropped,
) -> (Option<&'a str>, Option<&'a str>) {
    let number = |json: &Json| json.as_str().parse::<f64>().unwrap_or(0.0);
    let mut temperature = request.sampling.temperature.as_ref();
    let mut top_p = request.sampling.top_p.as_ref();
    let mut leave = |slot: &mut Option<&Json>, name: &str| {
        if slot.take().is_some() {
            dropped.note(name);
        }
    };
    if target.randomness == Randomness::Neither {
        leave(&mut temperature, "temperature");
        leave(&mut top_p, "top_p");
    }
    if thinks {
        if temperature.is_some_and(|it| number(it) < 1.0) {
            leave(&mut temperature, "temperature");
        }
        if top_p.is_some_and(|it| number(it) < TOP_P_THINKING_MIN) {
            leave(&mut top_p, "top_p");
        }
    }
    if target.randomness == Randomness::One && temperature.is_some() {
        leave(&mut top_p, "top_p");
    }
    // Other dialects go up to 2.
    if temperature.is_some_and(|it| number(it) > 1.0) {
        dropped.note("temperature");
        return (Some("1"), top_p.map(Json::as_str));
    }
    (temperature.map(Json::as_str), top_p.map(Json::as_str))
}

fn output(writer: &mut Writer, request: &Request, plan: &Plan) {
    let reasoning = request.reasoning.as_ref();
    let effort = plan.native_effort(reasoning.map_or(&[], |it| &it.extra));
    let (above, format) = ("outputConfig", "outputConfig.textFormat");
    let is_schema = matches!(request.format, Format::JsonSchema { .. });
    let inside: &[&str] = if is_schema { &["textFormat"] } else { &[] };
    let own = extras::members(&request.extra, above, inside).next();
    if effort.is_none() && !is_schema && own.is_none() {
        empty(writer, request, above);
        return;
    }
    writer.key(above).open();
    if let Some(effort) = effort {
        writer.key("effort").raw(&effort);
    }
    if let Format::JsonSchema {
        name,
        description,
        schema,
        ..
    } = &request.format
    {
        let (structure, innermost) = ("structure", "jsonSchema");
        writer
            .key("textFormat")
            .open()
            .key("type")
            .text("json_schema");
        writer.key(structure).open().key(innermost).open();
        writer.key("schema").text(schema.as_str());
        for (key, value) in [("name", name), ("description", description)] {
            if let Some(value) = value.as_deref().filter(|it| !it.is_empty()) {
                writer.key(key).text(value);
            }
        }
        let under = format!("{format}.{structure}");
        extras::write(writer, &request.extra, &format!("{under}.{innermost}"), &[]);
        writer.close();
        extras::write(writer, &request.extra, &under, &[innermost]);
        writer.close();
        extras::write(writer, &request.extra, format, &[structure]);
        writer.close();
    }
    extras::write(writer, &request.extra, above, inside);
    writer.close();
}

fn tier(writer: &mut Writer, request: &Request, dropped: &mut Dropped) {
    match request.service_tier.as_deref() {
        Some(tier) if TIERS.contains(&tier) => {
            writer
                .key("serviceTier")
                .open()
                .key("type")
                .text(tier)
                .close();
        }
        Some(_) => dropped.note("service_tier"),
        None => empty(writer, request, "serviceTier"),
    }
}

/// What was sent without anything in it, or in a form of its own.
fn empty(writer: &mut Writer, request: &Request, name: &str) {
    if let Some(raw) = extras::get(&request.extra, name) {
        writer.key(name).raw(raw);
    }
}
