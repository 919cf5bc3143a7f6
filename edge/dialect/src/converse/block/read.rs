//! From blocks to parts.

use std::borrow::Cow;

use payload::object::{self, Misfit, Object};

use crate::{
    converse::{
        block::redacted,
        extras, mark,
        media::{self, Medium},
    },
    neutral::{Content, Extra, Family, Part},
};

/// What one block is.
enum Inside {
    /// Something that others have, too.
    Known(Content),
    /// Something that only this dialect has: its name and value.
    Own(&'static str, String),
}

/// The kinds of content that are known, of which a block holds one.
const KINDS: [&str; 9] = [
    "text",
    "json",
    "image",
    "audio",
    "document",
    "toolUse",
    "toolResult",
    "reasoningContent",
    "citationsContent",
];

/// Reads what stands under one name.
type Read = fn(&str, &mut Vec<Extra>) -> Result<Option<Content>, Misfit>;

/// Reads a list of blocks. `in_result`: it is what a tool said.
pub(crate) fn read(raws: &[&str], in_result: bool) -> Result<Vec<Part>, Misfit> {
    let mut parts: Vec<Part> = Vec::with_capacity(raws.len());
    for (at, raw) in raws.iter().enumerate() {
        let last = parts.last_mut().filter(|part| part.cache.is_none());
        if let (Some(part), Some(cache)) = (last, mark::read(raw)) {
            part.cache = Some(cache);
            continue;
        }
        let part = block(raw, in_result).map_err(|misfit| misfit.within_element(at))?;
        parts.push(part);
    }
    Ok(parts)
}

fn block(raw: &str, in_result: bool) -> Result<Part, Misfit> {
    let mut object = Object::parse(raw)?;
    let mut extra = Vec::new();
    match inside(&mut object, &mut extra, in_result)? {
        Some(Inside::Known(_)) if KINDS.iter().any(|kind| object.has(kind)) => Err(one_kind()),
        Some(Inside::Known(content)) => {
            extras::take(&mut extra, "", object);
            Ok(Part {
                content,
                cache: None,
                extra,
            })
        }
        Some(Inside::Own(name, raw)) if object.is_empty() => {
            Ok(Part::other(Extra::new(Family::Converse, name, &raw)))
        }
        Some(Inside::Own(..)) => Err(one_kind()),
        None => {
            let mut rest = object.rest();
            match (rest.next(), rest.next()) {
                (Some((name, raw)), None) => {
                    Ok(Part::other(Extra::new(Family::Converse, name, raw)))
                }
                _ => Err(one_kind()),
            }
        }
    }
}

fn one_kind() -> Misfit {
    Misfit::new("must hold one kind of content")
}

fn inside(
    object: &mut Object<'_>,
    extra: &mut Vec<Extra>,
    in_result: bool,
) -> Result<Option<Inside>, Misfit> {
    if let Some(text) = object.text("text")? {
        return Ok(Some(Inside::Known(Content::Text(text.into_owned()))));
    }
    for (medium, content) in [
        (Medium::Image, Content::Image as fn(_) -> _),
        (Medium::Document, Content::Document),
        (Medium::Audio, Content::Audio),
    ] {
        let word = medium.word();
        if let Some(raw) = object.raw(word)? {
            let read = media::read(medium, raw, extra).map_err(|misfit| misfit.within(word))?;
            let own = || Inside::Own(word, raw.to_owned());
            return Ok(Some(read.map_or_else(own, |it| Inside::Known(content(it)))));
        }
    }
    if in_result {
        let Some(raw) = object.raw("json")? else {
            return Ok(None);
        };
        extras::push(extra, "", "json", "true");
        return Ok(Some(Inside::Known(Content::Text(raw.to_owned()))));
    }
    let reads: [(&'static str, Read); 4] = [
        ("toolUse", tool_use),
        ("toolResult", tool_result),
        ("reasoningContent", reasoning),
        ("citationsContent", citations),
    ];
    for (name, read) in reads {
        if let Some(raw) = object.raw(name)? {
            let mut found = Vec::new();
            let content = read(raw, &mut found).map_err(|misfit| misfit.within(name))?;
            return Ok(Some(match content {
                Some(content) => {
                    extra.append(&mut found);
                    Inside::Known(content)
                }
                None => Inside::Own(name, raw.to_owned()),
            }));
        }
    }
    Ok(None)
}

/// A call; one that Bedrock itself answers is its own affair.
fn tool_use(raw: &str, extra: &mut Vec<Extra>) -> Result<Option<Content>, Misfit> {
    let mut object = Object::parse(raw)?;
    if object.text("type")?.is_some() {
        return Ok(None);
    }
    let id = present(&mut object, "toolUseId")?.into_owned();
    let name = present(&mut object, "name")?.into_owned();
    let input = object.raw("input")?.unwrap_or("{}");
    if !input.starts_with('{') {
        extras::push(extra, "toolUse", "input", input);
    }
    extras::take(extra, "toolUse", object);
    Ok(Some(Content::ToolCall {
        id,
        name,
        arguments: input.to_owned(),
    }))
}

fn tool_result(raw: &str, extra: &mut Vec<Extra>) -> Result<Option<Content>, Misfit> {
    let mut object = Object::parse(raw)?;
    if object.text("type")?.is_some() {
        return Ok(None);
    }
    let id = present(&mut object, "toolUseId")?.into_owned();
    let content = object.array("content")?.unwrap_or_default();
    let parts = read(&content, true).map_err(|misfit| misfit.within("content"))?;
    let status = object.raw("status")?;
    let failed = status == Some("\"error\"");
    if let (Some(status), false) = (status, failed) {
        extras::push(extra, "toolResult", "status", status);
    }
    extras::take(extra, "toolResult", object);
    Ok(Some(Content::ToolResult {
        id,
        name: None,
        parts,
        failed,
    }))
}

fn reasoning(raw: &str, extra: &mut Vec<Extra>) -> Result<Option<Content>, Misfit> {
    let mut object = Object::parse(raw)?;
    if let Some(content) = object.text("redactedContent")? {
        extras::take(extra, "reasoningContent", object);
        return Ok(Some(Content::RedactedReasoning(redacted::unwrap(&content))));
    }
    let Some(mut said) = object.object("reasoningText")? else {
        return Ok(None);
    };
    let within = |misfit: Misfit| misfit.within("reasoningText");
    let text = said.text("text").map_err(within)?.unwrap_or_default();
    let signature = said.text("signature").map_err(within)?;
    let content = Content::Reasoning {
        text: text.into_owned(),
        signature: signature.map(Cow::into_owned),
    };
    extras::take(extra, "reasoningContent.reasoningText", said);
    extras::take(extra, "reasoningContent", object);
    Ok(Some(content))
}

/// Words with their sources: the words are what everyone reads.
fn citations(raw: &str, extra: &mut Vec<Extra>) -> Result<Option<Content>, Misfit> {
    let mut object = Object::parse(raw)?;
    let Some(raw) = object.raw("content")? else {
        return Ok(None);
    };
    let mut text = String::new();
    let raws = object::elements(raw).map_err(|misfit| misfit.within("content"))?;
    for (at, raw) in raws.iter().enumerate() {
        let within = |misfit: Misfit| misfit.within_element(at).within("content");
        let mut piece = Object::parse(raw).map_err(within)?;
        match piece.text("text").map_err(within)? {
            Some(words) if piece.is_empty() => text.push_str(&words),
            _ => return Ok(None),
        }
    }
    if raws.len() != 1 {
        extras::push(extra, "citationsContent", "content", raw);
    }
    let sources = object.raw("citations")?.unwrap_or("null");
    extras::push(extra, "citationsContent", "citations", sources);
    extras::take(extra, "citationsContent", object);
    Ok(Some(Content::Text(text)))
}

fn present<'a>(object: &mut Object<'a>, name: &str) -> Result<Cow<'a, str>, Misfit> {
    object
        .text(name)?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Misfit::new("must be a string that is not empty").within(name))
}
