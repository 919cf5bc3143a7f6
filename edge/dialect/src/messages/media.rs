//! Pictures and documents: the `source` of a block.
//!
//! Knows which kinds the API takes. Must never fetch what stands at an address, nor read what is in a file beyond the
//! bytes that tell its kind.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    base64,
    messages::extras,
    neutral::{Extra, Media, Source},
};

/// Where members of a source are kept that we do not know.
pub(crate) const PREFIX: &str = "source.";

/// The beginnings of pictures in base64, and what they are.
const MAGIC: [(&str, &str); 4] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
];

/// Reads a source. `None` if it is of a kind that only this family has.
pub(crate) fn read(raw: &str, kept: &mut Vec<Extra>) -> Result<Option<Media>, Misfit> {
    let mut source = Object::parse(raw)?;
    let kind = source.text("type")?;
    let (name, make): (_, fn(String) -> Source) = match kind.as_deref() {
        Some("base64") => ("data", Source::Base64),
        Some("text") => ("data", Source::Text),
        Some("url") => ("url", Source::Url),
        Some("file") => ("file_id", Source::File),
        _ => return Ok(None),
    };
    let data = source
        .text(name)?
        .ok_or_else(|| Misfit::new("is required").within(name))?;
    let media_type = source.text("media_type")?.unwrap_or_default().into();
    extras::keep(source, PREFIX, kept);
    Ok(Some(Media {
        source: make(data.into()),
        media_type,
        name: None,
        detail: None,
    }))
}

/// Writes the source of a picture, and `members` into it. What is wrong with it, if it cannot be written.
pub(crate) fn write_image(
    writer: &mut Writer,
    media: &Media,
    members: Vec<(&str, &str)>,
) -> Result<(), &'static str> {
    let (kind, media_type) = match &media.source {
        Source::Base64(data) => {
            let kind = picture(data, &media.media_type)
                .ok_or("must be a picture in PNG, JPEG, GIF or WebP")?;
            ("base64", Some(kind))
        }
        Source::Text(_) => return Err("a picture cannot be plain text"),
        Source::Url(_) => ("url", None),
        Source::File(_) => ("file", None),
    };
    write(writer, kind, media_type, &media.source);
    extras::write(writer, members.into_iter());
    writer.close();
    Ok(())
}

/// Writes the source of a document in the same way.
pub(crate) fn write_document(
    writer: &mut Writer,
    media: &Media,
    members: Vec<(&str, &str)>,
) -> Result<(), &'static str> {
    const WRONG: &str = "must be a PDF or plain text";
    let plain;
    let (kind, media_type, source) = match &media.source {
        Source::Base64(_) if media.media_type == "application/pdf" => {
            ("base64", Some("application/pdf"), &media.source)
        }
        Source::Base64(data) if media.media_type.starts_with("text/") => {
            let text = base64::decode(data).and_then(|bytes| String::from_utf8(bytes).ok());
            plain = Source::Text(text.ok_or(WRONG)?);
            ("text", Some("text/plain"), &plain)
        }
        Source::Base64(_) => return Err(WRONG),
        Source::Text(_) => ("text", Some("text/plain"), &media.source),
        Source::Url(_) => ("url", None, &media.source),
        Source::File(_) => ("file", None, &media.source),
    };
    write(writer, kind, media_type, source);
    extras::write(writer, members.into_iter());
    writer.close();
    Ok(())
}

/// Writes a source, which stays open.
fn write(writer: &mut Writer, kind: &str, media_type: Option<&str>, source: &Source) {
    writer.key("source").open().key("type").text(kind);
    if let Some(media_type) = media_type {
        writer.key("media_type").text(media_type);
    }
    let (name, data) = match source {
        Source::Base64(data) | Source::Text(data) => ("data", data),
        Source::Url(url) => ("url", url),
        Source::File(id) => ("file_id", id),
    };
    writer.key(name).text(data);
}

/// What kind of picture it is: its bytes are believed more than its word, because the API believes them, too.
fn picture(data: &str, said: &str) -> Option<&'static str> {
    let said = if said == "image/jpg" {
        "image/jpeg"
    } else {
        said
    };
    let sniffed = MAGIC.iter().find(|(magic, _)| data.starts_with(magic));
    sniffed
        .or_else(|| MAGIC.iter().find(|(_, kind)| *kind == said))
        .map(|(_, kind)| *kind)
}
