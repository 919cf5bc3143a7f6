//! What a model thought, in messages: in how many ways providers say it, and how its proofs travel through a client.
//!
//! Owns `reasoning_content`, `reasoning`, `reasoning_details`, `thinking_blocks`, Mistral's parts, and Google's
//! `thought_signature`. Must never join two thoughts under one proof. A proof of any family travels in
//! `reasoning_details`: beside its words in a `reasoning.text`, what only its maker can read in a
//! `reasoning.encrypted`.

use payload::{
    object::{self, Misfit, Object},
    writer::Writer,
};

use crate::{
    chat::own,
    neutral::{Content, Extra, Part},
};

/// The members that hold a thought as plain words.
pub(crate) const FLAT: [&str; 2] = ["reasoning_content", "reasoning"];
/// The member that holds thoughts with their proofs, and the name under which details of other kinds are kept.
pub(crate) const DETAILS: &str = "reasoning_details";
/// What stands before the names of members of a detail that are kept.
const UNDER: &str = "reasoning_details.";
const TYPE: &str = "reasoning_details.type";
const TEXT: &str = "reasoning.text";
const SUMMARY: &str = "reasoning.summary";
const ENCRYPTED: &str = "reasoning.encrypted";

/// One detail, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Detail {
    /// What it says.
    pub(crate) said: Said,
    /// Its number among others, where it has one: pieces of one thought have the same.
    pub(crate) index: Option<u64>,
    /// What else is said of it.
    pub(crate) extra: Vec<Extra>,
}

/// What a detail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Words, a proof of them, or both.
    Text(String, Option<String>),
    /// The proof of what was thought before it.
    Proof(String),
    /// What only its maker can read.
    Redacted(String),
    /// Something of another kind.
    Other,
}

/// Takes all thoughts of a message. The name is that of the member that held plain words.
pub(crate) fn take(object: &mut Object<'_>) -> Result<(Vec<Part>, Option<&'static str>), Misfit> {
    let (mut flat, mut found) = (String::new(), None);
    for name in FLAT {
        if let Some(text) = object.text(name)?
            && found.is_none()
        {
            flat = text.into_owned();
            found = Some(name);
        }
    }
    let mut parts = Vec::new();
    if let Some(details) = object.array(DETAILS)? {
        read_details(&details, &mut parts)?;
    } else if let Some(blocks) = object.array("thinking_blocks")? {
        for (at, raw) in blocks.into_iter().enumerate() {
            let block = read_block(raw);
            let block =
                block.map_err(|misfit| misfit.within_element(at).within("thinking_blocks"))?;
            parts.push(block);
        }
    }
    give_words(flat, &mut parts);
    Ok((parts, found))
}

fn read_details(details: &[&str], parts: &mut Vec<Part>) -> Result<(), Misfit> {
    let mut before = None;
    for (at, raw) in details.iter().enumerate() {
        let detail =
            read_detail(raw).map_err(|misfit| misfit.within_element(at).within(DETAILS))?;
        let index = detail.index;
        push(detail, before == Some(index) && index.is_some(), parts);
        before = Some(index);
    }
    Ok(())
}

/// Reads one element of `reasoning_details`.
pub(crate) fn read_detail(raw: &str) -> Result<Detail, Misfit> {
    let mut detail = Object::parse(raw)?;
    let kind = detail.text("type")?.unwrap_or_default();
    let index = detail.count("index")?;
    let format = detail.text("format")?.unwrap_or_default();
    let mut extra = Vec::new();
    let said = match kind.as_ref() {
        TEXT => {
            let text = detail.text("text")?.unwrap_or_default().into_owned();
            let signature = detail.text("signature")?.filter(|proof| !proof.is_empty());
            Said::Text(text, signature.map(Into::into))
        }
        SUMMARY => {
            extra.push(own::extra(TYPE, "\"reasoning.summary\""));
            Said::Text(
                detail.text("summary")?.unwrap_or_default().into_owned(),
                None,
            )
        }
        ENCRYPTED => {
            let data = detail.text("data")?.unwrap_or_default().into_owned();
            // Whoever names no format has it from us, and we name none.
            if format.is_empty() || format == "unknown" || format.starts_with("anthropic") {
                Said::Redacted(data)
            } else {
                extra.push(own::extra(TYPE, "\"reasoning.encrypted\""));
                Said::Proof(data)
            }
        }
        _ => {
            extra.push(own::extra(DETAILS, raw));
            return Ok(Detail {
                said: Said::Other,
                index,
                extra,
            });
        }
    };
    if !format.is_empty() {
        let mut raw = Writer::default();
        raw.text(&format);
        let raw = raw.into_bytes();
        extra.push(own::extra(
            "reasoning_details.format",
            &String::from_utf8_lossy(&raw),
        ));
    }
    own::keep(detail, UNDER, &mut extra);
    Ok(Detail { said, index, extra })
}

/// Adds a detail to the thoughts before it. With `goes_on` it is a piece of the last one.
fn push(detail: Detail, goes_on: bool, parts: &mut Vec<Part>) {
    let last = parts
        .last_mut()
        .map(|part| (&mut part.content, &mut part.extra));
    let (content, extra) = (detail.said, detail.extra);
    match (content, last) {
        (
            Said::Text(more, proof),
            Some((
                Content::Reasoning {
                    text,
                    signature: signature @ None,
                },
                _,
            )),
        ) if goes_on => {
            text.push_str(&more);
            *signature = proof;
        }
        (
            Said::Proof(proof),
            Some((
                Content::Reasoning {
                    signature: signature @ None,
                    ..
                },
                before,
            )),
        ) if same_thought(before, &extra) => {
            *signature = Some(proof);
        }
        (said, _) => {
            let content = match said {
                Said::Text(text, signature) => Content::Reasoning { text, signature },
                Said::Proof(proof) => reasoning(String::new(), Some(proof)),
                Said::Redacted(data) => Content::RedactedReasoning(data),
                Said::Other => reasoning(String::new(), None),
            };
            parts.push(Part {
                content,
                cache: None,
                extra,
            });
        }
    }
}

/// Whether a proof may belong to the thought before it: they have one id, or do not both have any.
pub(crate) fn same_thought(before: &[Extra], proof: &[Extra]) -> bool {
    let id = |extra| own::find(extra, "reasoning_details.id");
    match (id(before), id(proof)) {
        (Some(before), Some(proof)) => before == proof,
        _ => own::find(before, DETAILS).is_none(),
    }
}

/// Reads one element of `thinking_blocks`, which are Anthropic's own.
fn read_block(raw: &str) -> Result<Part, Misfit> {
    let mut block = Object::parse(raw)?;
    if let Some(data) = block.text("data")? {
        return Ok(Part::new(Content::RedactedReasoning(data.into_owned())));
    }
    let text = block.text("thinking")?.unwrap_or_default().into_owned();
    let signature = block.text("signature")?.filter(|proof| !proof.is_empty());
    Ok(Part::new(reasoning(text, signature.map(Into::into))))
}

/// Plain words beside proofs: they are those of the first thought, where no thought has its own.
fn give_words(flat: String, parts: &mut Vec<Part>) {
    if flat.is_empty() {
        return;
    }
    let wordless = parts
        .iter()
        .all(|part| !matches!(&part.content, Content::Reasoning { text, .. } if !text.is_empty()));
    let mut thoughts = parts.iter_mut().filter_map(|part| match &mut part.content {
        Content::Reasoning { text, .. } => Some(text),
        _ => None,
    });
    match thoughts.next() {
        Some(text) if wordless => *text = flat,
        Some(_) => {}
        None => parts.insert(0, Part::new(reasoning(flat, None))),
    }
}

const fn reasoning(text: String, signature: Option<String>) -> Content {
    Content::Reasoning { text, signature }
}

/// Reads Mistral's part `{"type":"thinking","thinking":[{"type":"text","text":""}]}`, its type taken.
pub(crate) fn read_chunk(chunk: &mut Object<'_>) -> Result<String, Misfit> {
    chunk.raw("closed")?;
    let Some(raw) = chunk.raw("thinking")? else {
        return Ok(String::new());
    };
    if object::is_text(raw) {
        return Ok(object::text(raw)?.into_owned());
    }
    let mut words = String::new();
    for raw in object::elements(raw).map_err(|misfit| misfit.within("thinking"))? {
        if let Some(text) = Object::parse(raw)?.text("text")? {
            words.push_str(&text);
        }
    }
    Ok(words)
}

/// Takes `extra_content.google.thought_signature` off a call; the rest of it is kept.
pub(crate) fn take_google(
    call: &mut Object<'_>,
    kept: &mut Vec<Extra>,
) -> Result<Option<String>, Misfit> {
    let Some(raw) = call.raw("extra_content")? else {
        return Ok(None);
    };
    let signature = google(raw);
    if signature.is_none() {
        kept.push(own::extra("extra_content", raw));
    }
    Ok(signature)
}

fn google(raw: &str) -> Option<String> {
    let mut google = Object::parse(raw).ok()?.object("google").ok()??;
    Some(google.text("thought_signature").ok()??.into_owned())
}

/// All words of thoughts, joined.
pub(crate) fn words<'p>(parts: impl Iterator<Item = &'p Part>) -> String {
    parts
        .filter_map(|part| match &part.content {
            Content::Reasoning { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// Whether a part is a thought.
pub(crate) const fn is_thought(part: &Part) -> bool {
    matches!(
        part.content,
        Content::Reasoning { .. } | Content::RedactedReasoning(_)
    )
}

/// Whether thoughts say more than their words.
pub(crate) fn need_details<'p>(parts: impl Iterator<Item = &'p Part>) -> bool {
    parts
        .filter(|part| is_thought(part))
        .enumerate()
        .any(|(at, part)| {
            at > 0
                || !matches!(
                    part.content,
                    Content::Reasoning {
                        signature: None,
                        ..
                    }
                )
                || part
                    .extra
                    .iter()
                    .any(|extra| own::is_own(extra) && extra.name.starts_with(DETAILS))
        })
}

/// Writes thoughts as the elements of the array that is open.
pub(crate) fn write_details<'p>(parts: impl Iterator<Item = &'p Part>, writer: &mut Writer) {
    let mut index = 0;
    for part in parts.filter(|part| is_thought(part)) {
        if let Some(raw) = own::find(&part.extra, DETAILS) {
            writer.raw(raw);
            index += 1;
            continue;
        }
        let kind = own::find(&part.extra, TYPE).and_then(|raw| object::text(raw).ok());
        let mut write = |members: &[(&str, &str)]| {
            writer.open();
            for (name, text) in members {
                writer.key(name).text(text);
            }
            for (name, raw) in own::under(&part.extra, UNDER).filter(|(name, _)| *name != "type") {
                writer.key(name).raw(raw);
            }
            writer.key("index").number(index).close();
            index += 1;
        };
        match (&part.content, kind.as_deref()) {
            (Content::RedactedReasoning(data), _) => write(&[("type", ENCRYPTED), ("data", data)]),
            (
                Content::Reasoning {
                    signature: Some(proof),
                    ..
                },
                Some(ENCRYPTED),
            ) => {
                write(&[("type", ENCRYPTED), ("data", proof)]);
            }
            (Content::Reasoning { text, signature }, Some(SUMMARY)) => {
                write(&[("type", SUMMARY), ("summary", text)]);
                if let Some(proof) = signature {
                    write(&[("type", ENCRYPTED), ("data", proof)]);
                }
            }
            (
                Content::Reasoning {
                    text,
                    signature: None,
                },
                _,
            ) => write(&[("type", TEXT), ("text", text)]),
            (
                Content::Reasoning {
                    text,
                    signature: Some(proof),
                },
                _,
            ) => {
                write(&[("type", TEXT), ("text", text), ("signature", proof)]);
            }
            _ => {}
        }
    }
}
