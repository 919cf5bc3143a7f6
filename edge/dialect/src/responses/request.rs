//! A request: what a client of this dialect sends, and what a provider of it gets.
//!
//! Owns the outermost object. Must never know which provider gets it: what one of them minds stands in the target.

use payload::{
    object::{self, Misfit, Object},
    writer::Writer,
};

use crate::{
    neutral::{Dropped, Encoded, Extra, Json, Part, Request, Role, Sampling, Turn, Unsupported},
    responses::{
        content, own,
        page::{Page, unsupported},
        settings,
        target::Target,
        tool, turns,
    },
};

/// What is asked for to be told how likely each word was.
const LOGPROBS: &str = "\"message.output_text.logprobs\"";
/// What is asked for to be told what proves a reasoning.
const SEALED: &str = "reasoning.encrypted_content";

/// Reads what a client sends.
pub fn decode(body: &str) -> Result<Request, Misfit> {
    let mut object = Object::parse(body)?;
    let mut extra = Vec::new();
    let mut request = Request {
        model: content::required(&mut object, "model")?,
        turns: read_turns(&mut object)?,
        ..Request::default()
    };
    if let Some(tools) = object.array("tools")? {
        request.tools = tool::read(&tools).map_err(|misfit| misfit.within("tools"))?;
    }
    if let Some(raw) = object.raw("tool_choice")? {
        let choice = tool::read_choice(raw, &mut extra);
        request.tool_choice = choice.map_err(|misfit| misfit.within("tool_choice"))?;
    }
    request.parallel_tools = object.flag("parallel_tool_calls")?;
    if let Some(text) = object.object("text")? {
        let format = settings::read_text(text, &mut extra);
        request.format = format.map_err(|misfit| misfit.within("text"))?;
    }
    if let Some(reasoning) = object.object("reasoning")? {
        let reasoning = settings::read_reasoning(reasoning);
        request.reasoning = Some(reasoning.map_err(|misfit| misfit.within("reasoning"))?);
    }
    request.sampling = read_sampling(&mut object, &mut extra)?;
    request.output_tokens_max = object.count("max_output_tokens")?;
    request.end_user = object.text("user")?.map(Into::into);
    request.service_tier = object.text("service_tier")?.map(Into::into);
    request.stream = object.flag("stream")?.unwrap_or(false);
    // A stream of this dialect always ends with its usage.
    request.stream_usage = request.stream;
    own::keep(object, "", &mut extra);
    request.extra = extra;
    Ok(request)
}

/// The instructions are the first turn. A first item that gives instructions is marked, so that it stays an item.
fn read_turns(object: &mut Object<'_>) -> Result<Vec<Turn>, Misfit> {
    let instructions = object.text("instructions")?;
    let mut turns = match object.raw("input")? {
        None => Vec::new(),
        Some(raw) if object::is_text(raw) => {
            let words = object::text(raw).map_err(|misfit| misfit.within("input"))?;
            vec![Turn::new(Role::User, vec![Part::text(words)])]
        }
        Some(raw) => {
            let items = object::elements(raw).map_err(|_| {
                Misfit::new("must be a string or an array of items").within("input")
            })?;
            turns::read(&items).map_err(|misfit| misfit.within("input"))?
        }
    };
    match instructions {
        Some(words) => turns.insert(0, Turn::new(Role::System, vec![Part::text(words)])),
        None if instructions_of(&turns).is_some() => {
            if let Some(turn) = turns.first_mut() {
                turn.extra.push(own::extra("type", "\"message\""));
            }
        }
        None => {}
    }
    Ok(turns)
}

/// What the first turn says, if it can stand as `instructions`.
pub(crate) fn instructions_of(turns: &[Turn]) -> Option<&str> {
    let turn = turns.first().filter(|turn| turn.role == Role::System)?;
    if turn.name.is_some() || own::ours(&turn.extra).next().is_some() {
        return None;
    }
    match turn.parts.as_slice() {
        [part] if own::ours(&part.extra).next().is_none() => content::plain(&[part]),
        _ => None,
    }
}

fn read_sampling(object: &mut Object<'_>, extra: &mut Vec<Extra>) -> Result<Sampling, Misfit> {
    let temperature = object.number("temperature")?.map(Json::of);
    let top_p = object.number("top_p")?.map(Json::of);
    let top_logprobs = object.count("top_logprobs")?;
    let mut logprobs = None;
    if let Some(raw) = object.raw("include")? {
        let asked = object::elements(raw).map_err(|misfit| misfit.within("include"))?;
        logprobs = asked.contains(&LOGPROBS).then_some(true);
        extra.push(own::extra("include", raw));
    }
    Ok(Sampling {
        temperature,
        top_p,
        logprobs,
        top_logprobs,
        ..Sampling::default()
    })
}

/// Writes what a provider gets.
pub fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let mut page = Page {
        writer: Writer::with_capacity(1_024),
        dropped: Dropped::default(),
        target,
    };
    if request.choices.is_some_and(|choices| choices > 1) {
        return Err(unsupported(
            "n",
            "this API gives one answer: ask again for more",
        ));
    }
    page.writer.open().key("model").text(target.model);
    write_turns(&mut page, request)?;
    write_tools(&mut page, request)?;
    settings::write_text(&mut page.writer, &request.format, &request.extra, false);
    if let Some(reasoning) = &request.reasoning {
        settings::write_reasoning(&mut page.writer, reasoning, target.minimal_effort);
        own::note_foreign(&mut page.dropped, &reasoning.extra, "reasoning.");
        if reasoning.effort.is_some() && reasoning.budget_tokens.is_some() {
            page.dropped.note("reasoning.budget_tokens");
        }
    }
    write_sampling(&mut page, &request.sampling, &request.extra)?;
    write_rest(&mut page, request);
    page.writer.close();
    Ok(Encoded {
        body: page.writer.into_bytes(),
        dropped: page.dropped,
    })
}

fn write_turns(page: &mut Page<'_>, request: &Request) -> Result<(), Unsupported> {
    let mut first = 0;
    let instructions = instructions_of(&request.turns).filter(|_| page.target.instructions);
    if let Some(words) = instructions {
        page.writer.key("instructions").text(words);
        if let Some(turn) = request.turns.first() {
            own::note_foreign(&mut page.dropped, &turn.extra, "messages[0].");
            for part in &turn.parts {
                own::note_foreign(&mut page.dropped, &part.extra, "messages[0].content[0].");
            }
        }
        first = 1;
    }
    let turns = request.turns.get(first..).unwrap_or_default();
    if turns.is_empty() {
        return Ok(());
    }
    page.writer.key("input").open_array();
    turns::write(page, turns, first)?;
    page.writer.close_array();
    Ok(())
}

fn write_tools(page: &mut Page<'_>, request: &Request) -> Result<(), Unsupported> {
    if !request.tools.is_empty() {
        page.writer.key("tools");
        tool::write(page, &request.tools)?;
    }
    if let Some(choice) = &request.tool_choice {
        page.writer.key("tool_choice");
        tool::write_choice(&mut page.writer, choice, &request.tools);
    }
    if let Some(parallel) = request.parallel_tools {
        page.writer.key("parallel_tool_calls").flag(parallel);
    }
    Ok(())
}

fn write_sampling(
    page: &mut Page<'_>,
    sampling: &Sampling,
    extra: &[Extra],
) -> Result<(), Unsupported> {
    let told = own::find(extra, "include").is_some_and(|include| include.contains(LOGPROBS));
    if sampling.logprobs == Some(true) && !told {
        let why = "cannot be carried over from this model's API";
        return Err(unsupported("logprobs", why));
    }
    let numbers = [
        ("temperature", &sampling.temperature, page.target.sampling),
        ("top_p", &sampling.top_p, page.target.sampling),
        ("top_k", &sampling.top_k, false),
        ("seed", &sampling.seed, false),
        ("presence_penalty", &sampling.presence_penalty, false),
        ("frequency_penalty", &sampling.frequency_penalty, false),
    ];
    for (name, value, known) in numbers {
        match value {
            Some(value) if known => {
                page.writer.key(name).raw(value.as_str());
            }
            Some(_) => page.dropped.note(name),
            None => {}
        }
    }
    if !sampling.stop.is_empty() {
        page.dropped.note("stop");
    }
    if let Some(count) = sampling.top_logprobs {
        page.writer.key("top_logprobs").number(count);
    }
    Ok(())
}

fn write_rest(page: &mut Page<'_>, request: &Request) {
    let crossing = page.target.crossing;
    if let Some(most) = request.output_tokens_max {
        let raised = most.max(page.target.output_tokens_min);
        page.writer.key("max_output_tokens").number(raised);
        if raised != most {
            page.dropped.note("max_output_tokens");
        }
    }
    if let Some(user) = &request.end_user {
        page.writer.key("user").text(user);
    }
    if let Some(tier) = &request.service_tier {
        let known = matches!(
            tier.as_str(),
            "auto" | "default" | "flex" | "scale" | "priority"
        );
        if known || !crossing {
            page.writer.key("service_tier").text(tier);
        } else {
            page.dropped.note("service_tier");
        }
    }
    if request.stream {
        page.writer.key("stream").flag(true);
    }
    if crossing && own::find(&request.extra, "store").is_none() {
        page.writer.key("store").flag(false);
    }
    let thinks = request.reasoning.is_some();
    if crossing && thinks && own::find(&request.extra, "include").is_none() {
        let writer = page.writer.key("include").open_array();
        writer.text(SEALED).close_array();
    }
    own::write_except(&mut page.writer, &request.extra, "", &[settings::TEXT]);
    own::note_foreign(&mut page.dropped, &request.extra, "");
}
