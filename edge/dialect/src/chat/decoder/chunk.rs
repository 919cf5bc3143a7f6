//! One chunk of a stream, read.
//!
//! Knows its members, and nothing of the chunks before. What is not understood of it is kept, but for what is only
//! there to hide how long a word is.

use std::borrow::Cow;

use payload::object::{self, Misfit, Object};

use crate::{
    Tokens,
    chat::{
        own,
        thoughts::{self, Detail, Said},
        usage,
    },
    neutral::Extra,
    tokens::Tier,
};

/// Members that pad a chunk.
const PADDING: [&str; 2] = ["obfuscation", "p"];

/// What a chunk says.
#[derive(Debug, Default)]
pub(crate) struct Chunk<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) model: Cow<'a, str>,
    pub(crate) created_seconds: Option<u64>,
    pub(crate) choices: Vec<Piece<'a>>,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) extra: Vec<Extra>,
}

/// By what one of the answers goes on.
#[derive(Debug, Default)]
pub(crate) struct Piece<'a> {
    pub(crate) index: u32,
    /// Thoughts, then words, then calls.
    pub(crate) deltas: Vec<Delta<'a>>,
    /// Why it ended.
    pub(crate) finish: Option<Cow<'a, str>>,
    /// At which word it stopped, where the server says it.
    pub(crate) stopped_at: Option<Cow<'a, str>>,
    pub(crate) extra: Vec<Extra>,
}

/// By what a part goes on.
#[derive(Debug)]
pub(crate) enum Delta<'a> {
    /// Thoughts in plain words.
    Thought(Cow<'a, str>),
    /// Thoughts with what proves them.
    Detail(Detail),
    /// Words.
    Text(Cow<'a, str>),
    /// Words that decline.
    Refusal(Cow<'a, str>),
    /// A call.
    Call(Fragment<'a>),
}

/// A piece of a call. What is not said is empty.
#[derive(Debug, Default)]
pub(crate) struct Fragment<'a> {
    pub(crate) index: Option<u64>,
    pub(crate) id: Cow<'a, str>,
    pub(crate) name: Cow<'a, str>,
    pub(crate) arguments: Cow<'a, str>,
    pub(crate) signature: Option<String>,
}

/// Reads a chunk.
pub(crate) fn read(data: &str) -> Result<Chunk<'_>, Misfit> {
    let mut object = Object::parse(data)?;
    object.raw("object")?;
    let mut chunk = Chunk {
        id: object.text("id")?.unwrap_or_default(),
        model: object.text("model")?.unwrap_or_default(),
        created_seconds: object.count("created")?,
        tokens: object.raw("usage")?.and_then(usage::tokens),
        ..Chunk::default()
    };
    let choices = object.array("choices")?.unwrap_or_default();
    for (at, raw) in choices.into_iter().enumerate() {
        let piece = read_piece(raw, at);
        let piece = piece.map_err(|misfit| misfit.within_element(at).within("choices"))?;
        chunk.choices.push(piece);
    }
    for name in PADDING {
        object.raw(name)?;
    }
    let tier = Tier::told(object.peek("service_tier"));
    own::keep(object, "", &mut chunk.extra);
    if chunk.tokens.is_none()
        && let Some(raw) = own::find(&chunk.extra, "x_groq")
    {
        let raw = Object::parse(raw)?.raw("usage")?;
        chunk.tokens = raw.and_then(usage::tokens);
    }
    chunk.tokens = chunk.tokens.map(|it| it.served(tier));
    Ok(chunk)
}

fn read_piece(raw: &str, at: usize) -> Result<Piece<'_>, Misfit> {
    let mut object = Object::parse(raw)?;
    let index = object
        .count("index")?
        .and_then(|index| u32::try_from(index).ok());
    let mut piece = Piece {
        index: index.or(u32::try_from(at).ok()).unwrap_or(0),
        finish: object
            .text("finish_reason")?
            .filter(|word| !word.is_empty()),
        stopped_at: object.raw("stop_reason")?.and_then(payload::scalar::string),
        ..Piece::default()
    };
    let prefix = format!("choices[{}].", piece.index);
    // Some servers that do not stream in truth send a whole message.
    let (delta, message) = (object.raw("delta")?, object.raw("message")?);
    if let Some(raw) = delta.or(message) {
        let under = format!("{prefix}delta.");
        read_delta(raw, &under, &mut piece).map_err(|misfit| misfit.within("delta"))?;
    }
    own::keep(object, &prefix, &mut piece.extra);
    Ok(piece)
}

fn read_delta<'a>(raw: &'a str, under: &str, piece: &mut Piece<'a>) -> Result<(), Misfit> {
    let mut delta = Object::parse(raw)?;
    delta.raw("role")?;
    read_thoughts(&mut delta, &mut piece.deltas)?;
    if let Some(raw) = delta.raw("content")? {
        read_content(raw, under, piece).map_err(|misfit| misfit.within("content"))?;
    }
    if let Some(refusal) = delta.text("refusal")? {
        piece.deltas.push(Delta::Refusal(refusal));
    }
    for (at, raw) in delta
        .array("tool_calls")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let fragment = read_call(raw);
        let fragment = fragment.map_err(|misfit| misfit.within_element(at).within("tool_calls"))?;
        piece.deltas.push(Delta::Call(fragment));
    }
    if let Some(mut function) = delta.object("function_call")? {
        let mut fragment = Fragment {
            index: Some(0),
            ..Fragment::default()
        };
        read_function(&mut function, &mut fragment)?;
        piece.deltas.push(Delta::Call(fragment));
    }
    own::keep(delta, under, &mut piece.extra);
    Ok(())
}

/// Words stand in two places at some providers: as details, and plain. The details are read then.
fn read_thoughts<'a>(delta: &mut Object<'a>, deltas: &mut Vec<Delta<'a>>) -> Result<(), Misfit> {
    let mut flat = Cow::Borrowed("");
    for name in thoughts::FLAT {
        let text = delta.text(name)?;
        if let (true, Some(text)) = (flat.is_empty(), text) {
            flat = text;
        }
    }
    let mut details = Vec::new();
    for (at, raw) in delta
        .array(thoughts::DETAILS)?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let detail = thoughts::read_detail(raw);
        details.push(detail.map_err(|misfit| misfit.within_element(at).within(thoughts::DETAILS))?);
    }
    let worded = |detail: &Detail| matches!(&detail.said, Said::Text(text, _) if !text.is_empty());
    if !details.iter().any(worded) && !flat.is_empty() {
        deltas.push(Delta::Thought(flat));
    }
    deltas.extend(details.into_iter().map(Delta::Detail));
    Ok(())
}

fn read_content<'a>(raw: &'a str, under: &str, piece: &mut Piece<'a>) -> Result<(), Misfit> {
    if object::is_text(raw) {
        piece.deltas.push(Delta::Text(object::text(raw)?));
        return Ok(());
    }
    for raw in object::elements(raw)? {
        let mut part = Object::parse(raw)?;
        match part.text("type")?.as_deref() {
            Some("text") => piece.deltas.extend(part.text("text")?.map(Delta::Text)),
            Some("thinking") => {
                let words = thoughts::read_chunk(&mut part)?;
                piece.deltas.push(Delta::Thought(words.into()));
            }
            _ => piece.extra.push(own::extra(format!("{under}content"), raw)),
        }
    }
    Ok(())
}

fn read_call(raw: &str) -> Result<Fragment<'_>, Misfit> {
    let mut call = Object::parse(raw)?;
    let mut fragment = Fragment {
        index: call.count("index")?,
        id: call.text("id")?.unwrap_or_default(),
        signature: thoughts::take_google(&mut call, &mut Vec::new())?,
        ..Fragment::default()
    };
    if let Some(mut function) = call.object("function")? {
        read_function(&mut function, &mut fragment)?;
    }
    Ok(fragment)
}

fn read_function<'a>(function: &mut Object<'a>, fragment: &mut Fragment<'a>) -> Result<(), Misfit> {
    fragment.name = function.text("name")?.unwrap_or_default();
    if let Some(raw) = function.raw("arguments")? {
        // Some servers forget that it is JSON in a string.
        fragment.arguments = if raw.starts_with('{') {
            Cow::Borrowed(raw)
        } else {
            object::text(raw).map_err(|misfit| misfit.within("arguments"))?
        };
    }
    Ok(())
}
