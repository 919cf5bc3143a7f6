//! A document in what a tool said.
//!
//! To every other family it is text: what it says, or its members as JSON. It rides along as it came, and is written
//! so again only while the text is still what it says.

use payload::{
    object::{self, Misfit, Object},
    writer::Writer,
};

use crate::{
    cohere::own,
    neutral::{Content, Media, Part, Source},
};

const NAME: &str = "document";

/// Reads the members of a part of type `document`.
pub(crate) fn decode(mut part: Object<'_>) -> Result<Part, Misfit> {
    let raw = part
        .raw(NAME)?
        .ok_or_else(|| Misfit::new("is missing").within(NAME))?;
    let text = text(raw).map_err(|misfit| misfit.within(NAME))?;
    let mut extra = vec![own::extra(NAME, raw)];
    extra.extend(own::kept("", part));
    Ok(Part {
        content: Content::Text(text),
        cache: None,
        extra,
    })
}

/// The document that a text is, as it came.
pub(crate) fn of<'a>(part: &'a Part, said: &str) -> Option<&'a str> {
    own::raw(&part.extra, NAME).filter(|raw| text(raw).is_ok_and(|text| text == said))
}

/// Writes a document that came as it is.
pub(crate) fn encode(writer: &mut Writer, raw: &str, part: &Part) {
    writer.open().key("type").text(NAME).key(NAME).raw(raw);
    own::write(writer, &part.extra, "", &[NAME]);
    writer.close();
}

/// Writes a file of plain text as a document. `false` if it is no plain text: then nothing is written.
pub(crate) fn encode_file(writer: &mut Writer, file: &Media) -> bool {
    let Source::Text(text) = &file.source else {
        return false;
    };
    writer.open().key("type").text(NAME);
    writer.key(NAME).open().key("data").open();
    if let Some(name) = &file.name {
        writer.key("title").text(name);
    }
    writer.key("text").text(text);
    writer.close().close().close();
    true
}

/// What a document says: its data, be they text or an object.
fn text(raw: &str) -> Result<String, Misfit> {
    if object::is_text(raw) {
        return Ok(object::text(raw)?.into_owned());
    }
    let data = Object::parse(raw)?
        .raw("data")?
        .ok_or_else(|| Misfit::new("is missing").within("data"))?;
    if object::is_text(data) {
        let said = object::text(data).map_err(|misfit| misfit.within("data"))?;
        return Ok(said.into_owned());
    }
    Ok(data.to_owned())
}
