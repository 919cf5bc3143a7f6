//! A chat request: read from a client of Cohere, or written for Cohere.
//!
//! Owns which member says what. What Cohere has no place for is dropped by name; what would change the meaning of
//! the answer is refused. Ranges are left to the provider, which tells them better.

use std::borrow::Cow;

pub use crate::cohere::target::{Budgets, Target};
use payload::{
    object::{self, Misfit, Object},
    writer::Writer,
};

use crate::{
    cohere::{format, message, own, thinking, tool, turn},
    neutral::{Dropped, Encoded, Extra, Json, Request, Sampling, Unsupported},
};

/// Numbers of sampling: how Cohere calls them, and where they stand.
type Number = (&'static str, fn(&Sampling) -> &Option<Json>);

const NUMBERS: [Number; 6] = [
    ("temperature", |sampling| &sampling.temperature),
    ("p", |sampling| &sampling.top_p),
    ("k", |sampling| &sampling.top_k),
    ("seed", |sampling| &sampling.seed),
    ("presence_penalty", |sampling| &sampling.presence_penalty),
    ("frequency_penalty", |sampling| &sampling.frequency_penalty),
];

/// Reads what a client asks.
pub fn decode(body: &str) -> Result<Request, Misfit> {
    let mut body = Object::parse(body)?;
    let mut request = Request {
        model: body
            .text("model")?
            .map(Cow::into_owned)
            .ok_or_else(|| Misfit::new("is missing").within("model"))?,
        ..Request::default()
    };
    let messages = body
        .array("messages")?
        .ok_or_else(|| Misfit::new("is missing").within("messages"))?;
    request.turns = turn::decode(&messages).map_err(|misfit| misfit.within("messages"))?;
    tool::decode(&mut body, &mut request)?;
    request.format = format::decode(&mut body, &mut request.extra)?;
    request.reasoning = thinking::decode(&mut body)?;
    request.sampling = sampling(&mut body, &mut request.extra)?;
    request.output_tokens_max = body.count("max_tokens")?;
    request.stream = body.flag("stream")?.unwrap_or(false);
    // Every stream of Cohere ends with its usage.
    request.stream_usage = request.stream;
    request.extra.extend(own::kept("", body));
    Ok(request)
}

/// Writes what Cohere is asked.
pub fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    refuse(request)?;
    let mut dropped = Dropped::default();
    let mut writer = Writer::with_capacity(1_024);
    writer.open().key("model").text(target.model);
    message::encode(&mut writer, &request.turns, &mut dropped)?;
    tool::encode(&mut writer, request, &mut dropped)?;
    format::encode(&mut writer, &request.format, &request.extra, &mut dropped);
    if let Some(reasoning) = &request.reasoning {
        thinking::encode(&mut writer, reasoning, target, &mut dropped);
    }
    encode_sampling(&mut writer, &request.sampling);
    if let Some(tokens) = request.output_tokens_max {
        writer.key("max_tokens").number(tokens);
    }
    if request.stream {
        writer.key("stream").flag(true);
    }
    own::write(&mut writer, &request.extra, "", &[]);
    writer.close();
    note(request, &mut dropped);
    Ok(Encoded {
        body: writer.into_bytes(),
        dropped,
    })
}

fn sampling(body: &mut Object<'_>, extra: &mut Vec<Extra>) -> Result<Sampling, Misfit> {
    let mut number = |name| Ok(body.number(name)?.map(Json::of));
    let mut sampling = Sampling {
        temperature: number("temperature")?,
        top_p: number("p")?,
        top_k: number("k")?,
        seed: number("seed")?,
        presence_penalty: number("presence_penalty")?,
        frequency_penalty: number("frequency_penalty")?,
        ..Sampling::default()
    };
    let stops = body.array("stop_sequences")?.unwrap_or_default();
    for (index, stop) in stops.into_iter().enumerate() {
        let stop = object::text(stop)
            .map_err(|misfit| misfit.within_element(index).within("stop_sequences"))?;
        sampling.stop.push(stop.into_owned());
    }
    sampling.logprobs = body.flag("logprobs")?;
    if let Some(asked) = sampling.logprobs {
        // Only a client of Cohere can read what comes back: see `refuse`.
        extra.push(own::extra("logprobs", if asked { "true" } else { "false" }));
    }
    Ok(sampling)
}

fn encode_sampling(writer: &mut Writer, sampling: &Sampling) {
    for (name, number) in NUMBERS {
        if let Some(number) = number(sampling) {
            writer.key(name).raw(number.as_str());
        }
    }
    if !sampling.stop.is_empty() {
        writer.key("stop_sequences").open_array();
        for stop in &sampling.stop {
            writer.text(stop);
        }
        writer.close_array();
    }
}

/// What cannot be asked for here, and cannot be left out either.
fn refuse(request: &Request) -> Result<(), Unsupported> {
    let unsupported = |at: &str, why: &str| {
        Err(Unsupported {
            at: at.to_owned(),
            why: why.to_owned(),
        })
    };
    if request.choices.is_some_and(|choices| choices > 1) {
        return unsupported("n", "this model's API gives one answer: ask once for each");
    }
    let asked = request.sampling.logprobs == Some(true);
    if asked && own::raw(&request.extra, "logprobs").is_none() {
        return unsupported(
            "logprobs",
            "this model's API tells them in a form of its own",
        );
    }
    Ok(())
}

fn note(request: &Request, dropped: &mut Dropped) {
    let losses = [
        ("parallel_tool_calls", request.parallel_tools == Some(false)),
        ("top_logprobs", request.sampling.top_logprobs.is_some()),
        ("user", request.end_user.is_some()),
        ("service_tier", request.service_tier.is_some()),
    ];
    for (name, _) in losses.into_iter().filter(|(_, lost)| *lost) {
        dropped.note(name);
    }
    own::note(dropped, &request.extra, "");
}
