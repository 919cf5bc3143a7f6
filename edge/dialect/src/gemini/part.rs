//! One part: read from what Google sends, and written as it takes it.
//!
//! Owns the members of a part. Must never know its neighbours: ids of calls and places of signatures are given.

use std::borrow::Cow;

use payload::{
    object::{Misfit, Object},
    scalar::quote,
    writer::Writer,
};

use crate::{
    gemini::{call, media, member::Members, own, result, target::Target},
    neutral::{Content, Dropped, Extra, Family, Part, Unsupported},
};

/// The signature of a part, and as an extra the mark that it stood on this very part.
pub(crate) const SIGNATURE: &str = "thoughtSignature";

/// What extras are called that are whole parts of a kind that only Google understands: this, and its name.
pub(crate) const OTHER: &str = "part.";

/// The kind of a part that says nothing.
const UNKNOWN: &str = "unknown";

/// A part as it came. A call or a result without id has an empty one.
#[derive(Debug)]
pub(crate) struct Said {
    /// What it is, its signature left out.
    pub(crate) part: Part,
    /// Its signature.
    pub(crate) signature: Option<String>,
}

/// Reads one part.
pub(crate) fn read(raw: &str) -> Result<Said, Misfit> {
    let mut members = Members::parse(raw)?;
    let thought = members.flag("thought")?.unwrap_or(false);
    let signature = members.text(SIGNATURE)?.map(Cow::into_owned);
    let mut extra = Vec::new();
    let content = if let Some(text) = members.text("text")? {
        let text = text.into_owned();
        if thought {
            let signature = None;
            Some(Content::Reasoning { text, signature })
        } else {
            Some(Content::Text(text))
        }
    } else {
        if thought {
            extra.push(own::extra("thought", "true"));
        }
        data(&mut members, &mut extra)?
    };
    let Some(content) = content else {
        let signature = None;
        return other(raw).map(|part| Said { part, signature });
    };
    members.rest("", &mut extra)?;
    let mut part = Part::new(content);
    part.extra = extra;
    Ok(Said { part, signature })
}

/// What a part without words is; `None` if only Google knows.
fn data(members: &mut Members<'_>, extra: &mut Vec<Extra>) -> Result<Option<Content>, Misfit> {
    if let Some(raw) = members.raw("inlineData")? {
        let content = media::inline(raw, extra).map_err(|misfit| misfit.within("inlineData"));
        return content.map(Some);
    }
    if let Some(raw) = members.raw("fileData")? {
        let content = media::file(raw, extra).map_err(|misfit| misfit.within("fileData"));
        return content.map(Some);
    }
    if let Some(raw) = members.raw("functionCall")? {
        return tool_call(raw, extra).map_err(|misfit| misfit.within("functionCall"));
    }
    if let Some(raw) = members.raw("functionResponse")? {
        let content = tool_result(raw, extra).map_err(|misfit| misfit.within("functionResponse"));
        return content.map(Some);
    }
    Ok(None)
}

/// A call; `None` if it is a piece of one, as models write them when they are asked for pieces.
fn tool_call(raw: &str, extra: &mut Vec<Extra>) -> Result<Option<Content>, Misfit> {
    let mut members = Members::parse(raw)?;
    if members.has("partialArgs") || members.has("willContinue") {
        return Ok(None);
    }
    let Some(name) = members.text("name")? else {
        return Ok(None);
    };
    let id = members.text("id")?.unwrap_or_default().into_owned();
    let arguments = members.raw("args")?.unwrap_or("{}");
    if !arguments.starts_with('{') {
        return Err(Misfit::new("must be an object").within("args"));
    }
    let call = Content::ToolCall {
        id,
        name: name.into_owned(),
        arguments: arguments.to_owned(),
    };
    members.rest("functionCall.", extra)?;
    Ok(Some(call))
}

fn tool_result(raw: &str, extra: &mut Vec<Extra>) -> Result<Content, Misfit> {
    let mut members = Members::parse(raw)?;
    let name = members.text("name")?.map(Cow::into_owned);
    let id = members.text("id")?.unwrap_or_default().into_owned();
    let response = members.raw("response")?.unwrap_or("{}");
    extra.push(own::extra("functionResponse.response", response));
    let (text, failed) = result::read(response);
    let mut parts = vec![Part::text(text)];
    for (index, raw) in members
        .list("parts")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let said = read(raw).map_err(|misfit| misfit.within_element(index).within("parts"))?;
        parts.push(said.part);
    }
    members.rest("functionResponse.", extra)?;
    Ok(Content::ToolResult {
        id,
        name,
        parts,
        failed,
    })
}

/// A part that only Google understands, whole.
fn other(raw: &str) -> Result<Part, Misfit> {
    let beside = ["thought", SIGNATURE, "thought_signature"];
    let mut members = Object::parse(raw)?.rest();
    let kind = members.find(|(name, _)| !beside.contains(&name.as_ref()));
    let kind = kind.map_or(Cow::Borrowed(UNKNOWN), |(name, _)| name);
    if kind.contains('.') {
        return Err(Misfit::new("is no field of this API").within(&kind));
    }
    Ok(Part::other(own::extra(&format!("{OTHER}{kind}"), raw)))
}

/// Who writes parts, and what they are told.
#[derive(Debug)]
pub(crate) struct Pen<'a> {
    /// For whom.
    pub(crate) target: &'a Target<'a>,
    /// What is left out.
    pub(crate) dropped: &'a mut Dropped,
}

// === impl Pen ===

impl Pen<'_> {
    /// Writes one part but for results of tools. `at` is where the client gave it, and ends its path.
    pub(crate) fn write(
        &mut self,
        writer: &mut Writer,
        part: &Part,
        signature: Option<&str>,
        at: &str,
    ) -> Result<(), Unsupported> {
        if part.cache.is_some() {
            self.dropped.note(format!("{at}.cache_control"));
        }
        if part.content == Content::Other {
            let ours = part
                .extra
                .first()
                .filter(|extra| extra.family == Family::Gemini);
            let extra = ours.ok_or_else(|| unknown(part, at))?;
            writer.raw(extra.value.as_str());
            return Ok(());
        }
        own::note_foreign(&part.extra, &format!("{at}."), self.dropped);
        writer.open();
        self.content(writer, part, at)?;
        own::write(writer, &part.extra, "", &[SIGNATURE, "text"]);
        write_signature(writer, signature);
        writer.close();
        Ok(())
    }

    fn content(&mut self, writer: &mut Writer, part: &Part, at: &str) -> Result<(), Unsupported> {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => {
                writer.key("text").text(text);
            }
            Content::Reasoning { text, .. } => {
                writer.key("text").text(text).key("thought").flag(true);
            }
            Content::Image(medium) | Content::Audio(medium) | Content::Document(medium) => {
                let medium = (medium, part.extra.as_slice());
                media::write(writer, medium, self.target, at, self.dropped)?;
            }
            Content::ToolCall {
                id,
                name,
                arguments,
            } => {
                writer.key("functionCall").open();
                self.write_id(writer, id);
                write_call(writer, name, &call::object_or_text(arguments), &part.extra);
                writer.close();
            }
            // Written by whoever knows the calls; or left out before.
            Content::ToolResult { .. } | Content::RedactedReasoning(_) | Content::Other => {
                return Err(unknown(part, at));
            }
        }
        Ok(())
    }

    /// Writes the id of a call or a result, where it is Google's to know.
    pub(crate) fn write_id(&self, writer: &mut Writer, id: &str) {
        if !self.target.is_vertex() && !call::is_made(id) && !id.is_empty() {
            writer.key("id").text(id);
        }
    }
}

/// The name of the extra that is a whole part of a candidate, in a stream.
pub(crate) fn name_in_stream(candidate: u32, kind: &str) -> String {
    format!("candidates[{candidate}].{OTHER}{kind}")
}

/// Which candidate an extra of a stream is a whole part of, if it is one.
pub(crate) fn candidate_of(name: &str) -> Option<u32> {
    let (index, rest) = name.strip_prefix("candidates[")?.split_once("].")?;
    rest.starts_with(OTHER).then(|| index.parse().ok())?
}

/// Writes the members of a call into the object that is open. `arguments` is an object.
pub(crate) fn write_call(writer: &mut Writer, name: &str, arguments: &str, extra: &[Extra]) {
    writer.key("name").text(name).key("args").raw(arguments);
    own::write(writer, extra, "functionCall.", &[]);
}

/// Writes a signature alone, on a text that says nothing.
pub(crate) fn write_bare_signature(writer: &mut Writer, signature: &str) {
    writer.open().key("text").text("");
    write_signature(writer, Some(signature));
    writer.close();
}

/// Writes the signature of the part that is open.
pub(crate) fn write_signature(writer: &mut Writer, signature: Option<&str>) {
    if let Some(signature) = signature {
        writer.key(SIGNATURE).text(signature);
    }
}

/// A string as a raw value.
pub(crate) fn raw_text(text: &str) -> String {
    let mut raw = Vec::with_capacity(text.len() + 2);
    quote(&mut raw, text);
    String::from_utf8(raw).unwrap_or_default()
}

fn unknown(part: &Part, at: &str) -> Unsupported {
    let kind = part.extra.first().map_or("", |extra| extra.name.as_str());
    Unsupported {
        at: at.to_owned(),
        why: format!("a part of this kind is not understood by Gemini: {kind}"),
    }
}
