//! A whole answer: `chat.completion`.
//!
//! Owns its shape as all providers of this family give it, and as the strictest clients want it.

use payload::{
    object::{self, Misfit, Object},
    writer::Writer,
};

use crate::{
    Tokens,
    chat::{client::Client, message, own, stop, usage},
    neutral::{Answer, Choice, Seed, Stop},
    tokens::Tier,
};

/// The most answers in one. Full: it is refused.
pub const CHOICES_MAX: usize = 128;
const FINISH: &str = "finish_reason";
const USAGE: &str = "usage";
/// The word by which a server says at which word it stopped.
const STOPPED_AT: &str = "stop_reason";

/// Reads what a provider answers. An error that came in its place is a misfit: see [`crate::chat::error::within`].
pub fn decode(body: &str, seed: &Seed) -> Result<Answer, Misfit> {
    let mut object = Object::parse(body)?;
    object.raw("object")?;
    let mut answer = Answer {
        id: object.text("id")?.unwrap_or_default().into_owned(),
        model: object.text("model")?.unwrap_or_default().into_owned(),
        created_seconds: object.count("created")?,
        ..Answer::default()
    };
    let choices = object.array("choices")?;
    let choices = choices.ok_or_else(|| Misfit::new("must be an array").within("choices"))?;
    if choices.len() > CHOICES_MAX {
        return Err(Misfit::new("are too many").within("choices"));
    }
    let mut numbered = Vec::with_capacity(choices.len());
    for (at, raw) in choices.into_iter().enumerate() {
        let choice = decode_choice(raw, at, seed);
        numbered.push(choice.map_err(|misfit| misfit.within_element(at).within("choices"))?);
    }
    numbered.sort_by_key(|(index, _)| *index);
    answer.choices = numbered.into_iter().map(|(_, choice)| choice).collect();
    if let Some(raw) = object.raw(USAGE)? {
        answer.tokens = usage::tokens(raw);
        answer.extra.push(own::extra(USAGE, raw));
    }
    let tier = Tier::told(object.peek("service_tier"));
    own::keep(object, "", &mut answer.extra);
    if answer.tokens.is_none() {
        let groq = own::find(&answer.extra, "x_groq").and_then(|raw| Object::parse(raw).ok());
        let raw = groq.and_then(|mut groq| groq.raw(USAGE).ok().flatten());
        answer.tokens = raw.and_then(usage::tokens);
    }
    answer.tokens = answer.tokens.map(|it| it.served(tier));
    Ok(answer)
}

/// Whether this is what a usage object says.
fn says(raw: &str, tokens: Tokens) -> bool {
    usage::tokens(raw).is_some_and(|it| it.served(tokens.tier) == tokens)
}

fn decode_choice(raw: &str, at: usize, seed: &Seed) -> Result<(u64, Choice), Misfit> {
    let mut object = Object::parse(raw)?;
    let at = u32::try_from(at).unwrap_or(0);
    let index = object.count("index")?.unwrap_or_else(|| at.into());
    let mut choice = Choice::default();
    let number = u32::try_from(index).unwrap_or(at);
    if let Some(raw) = object.raw("message")? {
        let parts = message::read(raw, number, seed, &mut choice.extra);
        choice.parts = parts.map_err(|misfit| misfit.within("message"))?;
    }
    if let Some(raw) = object.raw(FINISH)? {
        let said = message::seen(&choice.parts);
        let word = object::text(raw).map_err(|misfit| misfit.within(FINISH))?;
        let read = stop::read(&word, said);
        if stop::word(&read, said, false) != word {
            choice.extra.push(own::extra(FINISH, raw));
        }
        choice.stop = Some(read);
    }
    own::keep(object, "", &mut choice.extra);
    if choice.stop == Some(Stop::End) {
        let word = own::find(&choice.extra, STOPPED_AT).and_then(|raw| object::text(raw).ok());
        if let Some(word) = word {
            choice.stop = Some(Stop::Sequence(Some(word.into_owned())));
        }
    }
    Ok((index, choice))
}

/// Writes what a client gets that asked in the usual way.
pub fn encode(answer: &Answer, seed: &Seed) -> Vec<u8> {
    encode_for(answer, seed, Client::default())
}

/// Writes what a client gets, in the way in which it asked.
pub fn encode_for(answer: &Answer, seed: &Seed, client: Client) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open().key("id").text(&id(&answer.id, seed));
    writer.key("object").text("chat.completion");
    writer
        .key("created")
        .number(answer.created_seconds.unwrap_or(seed.now_seconds));
    writer.key("model").text(&answer.model);
    writer.key("choices").open_array();
    for (index, choice) in (0..).zip(&answer.choices) {
        write_choice(&mut writer, choice, index, client);
    }
    writer.close_array();
    let raw = own::find(&answer.extra, USAGE);
    match (raw, &answer.tokens) {
        // It stands as it came, as long as it says what the answer says.
        (Some(raw), tokens) if tokens.is_none_or(|it| says(raw, it)) => {
            writer.key(USAGE).raw(raw);
        }
        (_, Some(tokens)) => usage::write(writer.key(USAGE), tokens),
        (_, None) => {}
    }
    for (name, raw) in own::under(&answer.extra, "").filter(|(name, _)| *name != USAGE) {
        writer.key(name).raw(raw);
    }
    writer.close();
    writer.into_bytes()
}

fn write_choice(writer: &mut Writer, choice: &Choice, index: u64, client: Client) {
    let seen = message::seen(&choice.parts);
    let declined = match &choice.stop {
        Some(Stop::Refused(why)) if !seen.refusal => why.as_deref(),
        _ => None,
    };
    writer.open().key("index").number(index).key("message");
    message::write(writer, &choice.parts, &choice.extra, (declined, client));
    writer.key(FINISH);
    match own::find(&choice.extra, FINISH) {
        Some(raw) => writer.raw(raw),
        None => writer.text(stop::word(
            choice.stop.as_ref().unwrap_or(&Stop::End),
            seen,
            client.functions,
        )),
    };
    let mut logprobs = false;
    for (name, raw) in own::under(&choice.extra, "") {
        if name != FINISH && !name.starts_with(message::UNDER) {
            logprobs |= name == "logprobs";
            writer.key(name).raw(raw);
        }
    }
    if !logprobs {
        writer.key("logprobs").null();
    }
    writer.close();
}

/// The id of an answer: the provider's own. Other families' ids begin with their own words, and ours with ours.
pub(crate) fn id(id: &str, seed: &Seed) -> String {
    let foreign = ["msg_", "resp_"]
        .iter()
        .find_map(|prefix| id.strip_prefix(prefix));
    match foreign {
        Some(rest) => format!("chatcmpl-{rest}"),
        None if id.is_empty() => format!("chatcmpl-{}", seed.request_id),
        None => id.to_owned(),
    }
}
