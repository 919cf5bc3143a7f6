//! A request: `POST /v1/chat/completions`.
//!
//! Owns what a client of this dialect may send, and what a model behind such an API gets. Must never leave out what
//! changes the meaning: that is refused, and what else is left out is told.

use payload::object::{Misfit, Object};

use crate::{
    chat::{
        draft::Draft,
        effort, form, own, sampling,
        target::{EndUser, OutputMax, Target},
        tools, turns,
    },
    neutral::{Encoded, Request, Unsupported},
};

/// Members that stand deeper, and are written where they stand.
const INNER: [&str; 3] = ["stream_options.", "response_format.", "safety_identifier"];
const STREAM_OPTIONS: &str = "stream_options.";

/// Reads what a client sends. See [`crate::chat::client::Client`] for what it says of the form of its answer.
pub fn decode(body: &str) -> Result<Request, Misfit> {
    let mut object = Object::parse(body)?;
    let mut request = Request::default();
    if let Some(model) = object.text("model")? {
        request.model = model.into_owned();
    }
    let messages = object.array("messages")?;
    let messages = messages.ok_or_else(|| Misfit::new("must be an array").within("messages"))?;
    request.turns = turns::read(&messages)?;
    request.tools = tools::take(&mut object)?;
    request.tool_choice = tools::take_choice(&mut object, &mut request.extra)?;
    request.parallel_tools = object.flag("parallel_tool_calls")?;
    if let Some(raw) = object.raw("response_format")? {
        let format = form::read(raw, &mut request.extra);
        request.format = format.map_err(|misfit| misfit.within("response_format"))?;
    }
    request.reasoning = effort::take(&mut object)?;
    request.sampling = sampling::take(&mut object, &mut request.extra)?;
    // The newer name is what is meant where both stand.
    let (old, new) = (
        object.count("max_tokens")?,
        object.count("max_completion_tokens")?,
    );
    request.output_tokens_max = new.or(old);
    request.choices = object.count("n")?;
    request.service_tier = object.text("service_tier")?.map(Into::into);
    request.stream = object.flag("stream")?.unwrap_or(false);
    if let Some(mut options) = object.object("stream_options")? {
        let usage = options.flag("include_usage");
        request.stream_usage = usage
            .map_err(|misfit| misfit.within("stream_options"))?
            .unwrap_or(false);
        own::keep(options, STREAM_OPTIONS, &mut request.extra);
    }
    take_end_user(&mut object, &mut request)?;
    own::keep(object, "", &mut request.extra);
    Ok(request)
}

/// The end user has two names. Where both stand, the older one is meant, and the other is kept.
fn take_end_user(object: &mut Object<'_>, request: &mut Request) -> Result<(), Misfit> {
    let user = object.text("user")?;
    match (user, object.raw("safety_identifier")?) {
        (Some(user), kept) => {
            request.end_user = Some(user.into_owned());
            let kept = kept.map(|raw| own::extra("safety_identifier", raw));
            request.extra.extend(kept);
        }
        (None, Some(raw)) => {
            let user =
                payload::object::text(raw).map_err(|misfit| misfit.within("safety_identifier"))?;
            request.end_user = Some(user.into_owned());
        }
        (None, None) => {}
    }
    Ok(())
}

/// Writes what the provider gets.
pub fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let mut draft = Draft::new(target);
    draft.note_others(&request.extra, "");
    draft.writer.open();
    draft.writer.key("model").text(target.model);
    draft.writer.key("messages").open_array();
    turns::write(&request.turns, &mut draft)?;
    draft.writer.close_array();
    tools::write(request, &mut draft)?;
    form::write(&request.format, &request.extra, &mut draft);
    if let Some(reasoning) = &request.reasoning {
        effort::write(reasoning, &mut draft);
    }
    sampling::write(&request.sampling, &mut draft);
    write_rest(request, &mut draft);
    draft.writer.close();
    Ok(Encoded {
        body: draft.writer.into_bytes(),
        dropped: draft.dropped,
    })
}

fn write_rest(request: &Request, draft: &mut Draft<'_>) {
    if let Some(max) = request.output_tokens_max {
        let name = match draft.target.output_max {
            OutputMax::MaxTokens => "max_tokens",
            OutputMax::MaxCompletionTokens => "max_completion_tokens",
        };
        draft.writer.key(name).number(max);
    }
    if let Some(choices) = request.choices {
        draft.writer.key("n").number(choices);
    }
    write_end_user(request, draft);
    if let Some(tier) = &request.service_tier {
        draft.writer.key("service_tier").text(tier);
    }
    if request.stream {
        draft.writer.key("stream").flag(true);
    }
    write_stream_options(request, draft);
    draft.write_own(&request.extra, &INNER);
}

fn write_end_user(request: &Request, draft: &mut Draft<'_>) {
    let kept = own::find(&request.extra, "safety_identifier");
    if let Some(user) = &request.end_user {
        match draft.target.end_user {
            EndUser::User => {
                draft.writer.key("user").text(user);
            }
            EndUser::SafetyIdentifier if kept.is_none() => {
                draft.writer.key("safety_identifier").text(user);
            }
            EndUser::SafetyIdentifier | EndUser::Dropped => draft.note("", "user"),
        }
    }
    match (kept, draft.target.end_user) {
        (Some(_), EndUser::Dropped) => draft.note("", "safety_identifier"),
        (Some(raw), _) => {
            draft.writer.key("safety_identifier").raw(raw);
        }
        (None, _) => {}
    }
}

fn write_stream_options(request: &Request, draft: &mut Draft<'_>) {
    let others = own::under(&request.extra, STREAM_OPTIONS).next().is_some();
    let usage = request.stream && request.stream_usage;
    if !usage && !others {
        return;
    }
    if !draft.target.stream_options {
        for (name, _) in own::under(&request.extra, STREAM_OPTIONS) {
            draft.note("", &format!("{STREAM_OPTIONS}{name}"));
        }
        return;
    }
    draft.writer.key("stream_options").open();
    if usage {
        draft.writer.key("include_usage").flag(true);
    }
    draft.write_under(&request.extra, STREAM_OPTIONS);
    draft.writer.close();
}
