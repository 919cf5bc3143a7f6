//! One event of Cohere's stream, by what it does.
//!
//! Owns the types of events and where their members stand. Must never know what came before: see `decoder`.

use std::borrow::Cow;

use payload::object::{self, Misfit, Object};

use crate::{
    cohere::{error, own},
    neutral::{Error, Extra},
};

/// What an event does.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// The answer begins.
    Start(Cow<'a, str>),
    /// Content begins. What it says already, if it does.
    ContentStart(Option<Words<'a>>),
    /// Content goes on; how likely its words were, where that was asked.
    Content(Option<Words<'a>>, Option<&'a str>),
    /// Content ends.
    ContentEnd,
    /// The plan goes on, which has neither beginning nor end.
    Plan(Cow<'a, str>),
    /// A call begins.
    CallStart {
        /// Its number.
        index: Option<u64>,
        /// Its id; empty where the provider gives none.
        id: Cow<'a, str>,
        /// The tool's name.
        name: Cow<'a, str>,
        /// What is known of its arguments.
        arguments: Cow<'a, str>,
    },
    /// A call goes on.
    Call(Option<u64>, Cow<'a, str>),
    /// A call ends.
    CallEnd,
    /// The answer ends.
    End(End<'a>),
    /// The stream failed.
    Failed(Error),
    /// Something that only Cohere's clients understand.
    Other(Extra),
    /// There is nothing in it, or only that no event follows.
    Nothing,
}

/// What content says.
#[derive(Debug)]
pub(crate) enum Words<'a> {
    /// To whoever asked.
    Text(Cow<'a, str>),
    /// To itself.
    Thinking(Cow<'a, str>),
}

/// How an answer ends.
#[derive(Debug)]
pub(crate) struct End<'a> {
    /// Why.
    pub(crate) word: Option<Cow<'a, str>>,
    /// What was used.
    pub(crate) usage: Option<&'a str>,
    /// What went wrong.
    pub(crate) error: Option<Cow<'a, str>>,
    /// What kind of error that is.
    pub(crate) kind: Option<Cow<'a, str>>,
    /// What else is said.
    pub(crate) rest: Vec<Extra>,
}

/// Reads the data of an event. `name` is that of the event, for those whose data do not tell.
pub(crate) fn read<'a>(name: &str, data: &'a str) -> Result<Step<'a>, Misfit> {
    if data.is_empty() || data.starts_with("[DONE]") {
        return Ok(Step::Nothing);
    }
    let mut event = Object::parse(data)?;
    let kind = event.text("type")?;
    match kind.as_deref().unwrap_or(name) {
        "message-start" => Ok(Step::Start(event.text("id")?.unwrap_or_default())),
        "content-start" => match content(&mut event)? {
            Content::Words(words) => Ok(Step::ContentStart(words)),
            Content::Other => Ok(other("content-start", data)),
        },
        "content-delta" => match content(&mut event)? {
            Content::Words(words) => Ok(Step::Content(words, event.raw("logprobs")?)),
            Content::Other => Ok(other("content-delta", data)),
        },
        "content-end" => Ok(Step::ContentEnd),
        "tool-plan-delta" => {
            let plan = message(&mut event)?.text("tool_plan")?;
            Ok(Step::Plan(plan.unwrap_or_default()))
        }
        "tool-call-start" => call_start(&mut event),
        "tool-call-delta" => {
            let mut call = call(&mut event)?;
            let arguments = function(&mut call)?.text("arguments")?;
            Ok(Step::Call(
                event.count("index")?,
                arguments.unwrap_or_default(),
            ))
        }
        "tool-call-end" => Ok(Step::CallEnd),
        "message-end" => end(&mut event).map(Step::End),
        "" | "error" | "message" => Ok(Step::Failed(error::decode(0, data.as_bytes()))),
        kind => Ok(other(kind, data)),
    }
}

enum Content<'a> {
    Words(Option<Words<'a>>),
    Other,
}

fn other<'a>(name: &str, data: &str) -> Step<'a> {
    Step::Other(own::extra(name, data))
}

fn message<'a>(event: &mut Object<'a>) -> Result<Object<'a>, Misfit> {
    let mut delta = event.object("delta")?.unwrap_or_default();
    Ok(delta.object("message")?.unwrap_or_default())
}

fn content<'a>(event: &mut Object<'a>) -> Result<Content<'a>, Misfit> {
    let mut content = message(event)?.object("content")?.unwrap_or_default();
    match content.text("type")?.as_deref() {
        None | Some("text" | "thinking") => {}
        Some(_) => return Ok(Content::Other),
    }
    let text = content.text("text")?.map(Words::Text);
    let thinking = content.text("thinking")?.map(Words::Thinking);
    Ok(Content::Words(thinking.or(text)))
}

/// The call, which is an object here; an array of one elsewhere.
fn call<'a>(event: &mut Object<'a>) -> Result<Object<'a>, Misfit> {
    let Some(raw) = message(event)?.raw("tool_calls")? else {
        return Ok(Object::default());
    };
    if raw.starts_with('[') {
        let first = object::elements(raw)?.into_iter().next();
        return first.map_or_else(|| Ok(Object::default()), Object::parse);
    }
    Object::parse(raw)
}

fn function<'a>(call: &mut Object<'a>) -> Result<Object<'a>, Misfit> {
    Ok(call.object("function")?.unwrap_or_default())
}

fn call_start<'a>(event: &mut Object<'a>) -> Result<Step<'a>, Misfit> {
    let mut call = call(event)?;
    let mut function = function(&mut call)?;
    let name = function.text("name")?.filter(|name| !name.is_empty());
    Ok(Step::CallStart {
        index: event.count("index")?,
        id: call.text("id")?.unwrap_or_default(),
        name: name.ok_or_else(|| Misfit::new("is missing").within("function.name"))?,
        arguments: function.text("arguments")?.unwrap_or_default(),
    })
}

fn end<'a>(event: &mut Object<'a>) -> Result<End<'a>, Misfit> {
    let mut delta = event.object("delta")?.unwrap_or_default();
    Ok(End {
        word: delta.text("finish_reason")?,
        usage: delta.raw("usage")?,
        error: delta.text("error")?.filter(|error| !error.is_empty()),
        kind: delta.text("error_type")?,
        rest: own::kept("", delta),
    })
}
