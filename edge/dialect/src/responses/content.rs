//! The parts of a message, and of what a tool said.
//!
//! Owns texts, refusals, pictures and files among them. Must never know which item they stand in.

use payload::object::{self, Misfit, Object};

use crate::{
    neutral::{Cache, Content, Extra, Media, Part, Source, Unsupported},
    responses::{
        media, own,
        page::{Page, unsupported},
    },
};

/// What a text is called in what the model is told.
pub(crate) const INPUT: &str = "input_text";
/// What a text is called in what the model said.
pub(crate) const OUTPUT: &str = "output_text";
/// What begins a member of the message that holds a part, not of the part.
pub(crate) const MESSAGE: &str = "message.";

/// Reads a string, which is one text, or an array of parts. `text` is what a text is called there, and `other` under
/// what name a part is kept that only this family understands.
pub(crate) fn read_all(raw: &str, text: &str, other: &str) -> Result<Vec<Part>, Misfit> {
    if object::is_text(raw) {
        return Ok(vec![Part::text(object::text(raw)?)]);
    }
    let parts = object::elements(raw)
        .map_err(|_| Misfit::new("must be a string or an array of content parts"))?;
    parts
        .into_iter()
        .enumerate()
        .map(|(at, raw)| read(raw, text, other).map_err(|misfit| misfit.within_element(at)))
        .collect()
}

fn read(raw: &str, text: &str, other: &str) -> Result<Part, Misfit> {
    let mut object = Object::parse(raw)?;
    let kind = object.raw("type")?.unwrap_or_default();
    let name = object::text(kind).map_err(|misfit| misfit.within("type"))?;
    let mut extra = Vec::new();
    let content = match name.as_ref() {
        INPUT | OUTPUT | "text" => {
            if name != text {
                extra.push(own::extra("type", kind));
            }
            Content::Text(required(&mut object, "text")?)
        }
        "refusal" => Content::Refusal(required(&mut object, "refusal")?),
        "input_image" => Content::Image(media::read_image(&mut object)?),
        "input_file" => Content::Document(media::read_file(&mut object)?),
        _ => return Ok(Part::other(own::extra(other, raw))),
    };
    let cache = read_cache(&mut object, &mut extra)?;
    for empty in ["annotations", "logprobs"] {
        if let Some(raw) = object.raw(empty)?.filter(|raw| !is_empty_array(raw)) {
            extra.push(own::extra(empty, raw));
        }
    }
    own::keep(object, "", &mut extra);
    Ok(Part {
        content,
        cache,
        extra,
    })
}

/// A string that must be there.
pub(crate) fn required(object: &mut Object<'_>, name: &str) -> Result<String, Misfit> {
    let text = object.text(name)?;
    text.map(Into::into)
        .ok_or_else(|| Misfit::new("must be a string").within(name))
}

fn read_cache(object: &mut Object<'_>, extra: &mut Vec<Extra>) -> Result<Option<Cache>, Misfit> {
    let name = "prompt_cache_breakpoint";
    let Some(raw) = object.raw(name)? else {
        return Ok(None);
    };
    let mut mark = Object::parse(raw).map_err(|misfit| misfit.within(name))?;
    let mode = mark.text("mode")?;
    let ttl = mark.text("ttl")?.map(Into::into);
    if mode.as_deref() == Some("explicit") && mark.is_empty() {
        return Ok(Some(Cache { ttl }));
    }
    extra.push(own::extra(name, raw));
    Ok(None)
}

fn is_empty_array(raw: &str) -> bool {
    object::elements(raw).is_ok_and(|elements| elements.is_empty())
}

/// Whether a part is one of a message or of what a tool said, and no item of its own.
pub(crate) fn is_content(part: &Part) -> bool {
    match &part.content {
        Content::Text(_)
        | Content::Refusal(_)
        | Content::Image(_)
        | Content::Audio(_)
        | Content::Document(_) => true,
        Content::Other => part.extra.first().is_none_or(|extra| extra.name != "input"),
        _ => false,
    }
}

/// The only text among the parts, if nothing else is said of it than what stands in its message.
pub(crate) fn plain<'a>(parts: &[&'a Part]) -> Option<&'a str> {
    match parts {
        [
            Part {
                content: Content::Text(text),
                cache: None,
                extra,
            },
        ] if own::ours(extra).all(|it| it.name.starts_with(MESSAGE)) => Some(text),
        _ => None,
    }
}

/// Writes a part. `text` is what a text is called there, and `at` where the part stands.
pub(crate) fn write(
    page: &mut Page<'_>,
    part: &Part,
    text: &str,
    at: &str,
) -> Result<(), Unsupported> {
    if let Some(raw) = part.raw() {
        if own::ours(&part.extra).next().is_none() {
            return Err(unsupported(at, "is not understood by this model's API"));
        }
        page.writer.raw(raw.as_str());
        return Ok(());
    }
    let text = own::find(&part.extra, "type").map_or_else(|| format!("\"{text}\""), str::to_owned);
    let writer = page.writer.open();
    match &part.content {
        Content::Text(words) => {
            writer.key("type").raw(&text).key("text").text(words);
        }
        Content::Refusal(words) => {
            let writer = writer.key("type").text("refusal");
            writer.key("refusal").text(words);
        }
        Content::Image(media) => write_image(page, media, at)?,
        Content::Document(media) => write_document(page, media, &text, at)?,
        Content::Audio(_) => {
            return Err(unsupported(
                at,
                "sound is not understood by this model's API",
            ));
        }
        _ => return Err(unsupported(at, "cannot stand in a message")),
    }
    write_cache(page, part.cache.as_ref(), at);
    own::write_except(&mut page.writer, &part.extra, "", &[MESSAGE, "type"]);
    own::note_foreign(&mut page.dropped, &part.extra, &format!("{at}."));
    page.writer.close();
    Ok(())
}

fn write_image(page: &mut Page<'_>, media: &Media, at: &str) -> Result<(), Unsupported> {
    page.writer.key("type").text("input_image");
    if !media::write_image(&mut page.writer, media) {
        return Err(unsupported(at, "is no picture"));
    }
    if media.name.is_some() {
        page.dropped.note(format!("{at}.name"));
    }
    Ok(())
}

/// A text that another family sent as a file is words here: this API takes no texts as files.
fn write_document(
    page: &mut Page<'_>,
    media: &Media,
    text: &str,
    at: &str,
) -> Result<(), Unsupported> {
    if let Source::Text(words) = &media.source {
        page.writer.key("type").raw(text).key("text").text(words);
        if media.name.is_some() {
            page.dropped.note(format!("{at}.filename"));
        }
        return Ok(());
    }
    page.writer.key("type").text("input_file");
    let named = page.target.crossing;
    if media::write_file(&mut page.writer, media, named) {
        Ok(())
    } else {
        Err(unsupported(at, "is no file"))
    }
}

/// Marks that another family made are only for models that know them, and live as long as this family lets them.
fn write_cache(page: &mut Page<'_>, cache: Option<&Cache>, at: &str) {
    let Some(cache) = cache else {
        return;
    };
    let target = page.target;
    if target.crossing && !target.cache_marks {
        page.dropped.note(format!("{at}.cache_control"));
        return;
    }
    let ttl = match cache.ttl.as_deref() {
        Some("1h") if target.crossing => Some("12h"),
        Some(ttl) if target.crossing && !matches!(ttl, "30m" | "12h") => None,
        ttl => ttl,
    };
    let writer = page.writer.key("prompt_cache_breakpoint").open();
    writer.key("mode").text("explicit");
    if let Some(ttl) = ttl {
        writer.key("ttl").text(ttl);
    }
    writer.close();
}
