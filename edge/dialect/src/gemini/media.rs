//! Pictures, sounds and files: `inlineData` and `fileData`.
//!
//! Owns both shapes and what Google wants to know of a file. Must never fetch anything.

use std::borrow::Cow;

use payload::{object::Misfit, writer::Writer};

use crate::{
    gemini::{member::Members, own, target::Target},
    neutral::{Content, Dropped, Extra, Media, Source, Unsupported},
};

/// Media types by the end of an address, for files whose type is not said.
const TYPES: [(&str, &str); 14] = [
    (".png", "image/png"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".webp", "image/webp"),
    (".gif", "image/gif"),
    (".heic", "image/heic"),
    (".pdf", "application/pdf"),
    (".txt", "text/plain"),
    (".mp3", "audio/mp3"),
    (".wav", "audio/wav"),
    (".ogg", "audio/ogg"),
    (".flac", "audio/flac"),
    (".mp4", "video/mp4"),
    (".webm", "video/webm"),
];

/// Reads `inlineData`. What is unknown in it becomes extras.
pub(crate) fn inline(raw: &str, extra: &mut Vec<Extra>) -> Result<Content, Misfit> {
    let mut members = Members::parse(raw)?;
    let data = members.text("data")?.unwrap_or_default();
    let source = Source::Base64(standard(data));
    content(members, source, "inlineData.", extra)
}

/// Reads `fileData`. What is unknown in it becomes extras.
pub(crate) fn file(raw: &str, extra: &mut Vec<Extra>) -> Result<Content, Misfit> {
    let mut members = Members::parse(raw)?;
    let uri = members.text("fileUri")?;
    let uri = uri.ok_or_else(|| Misfit::new("must be there").within("fileUri"))?;
    let source = Source::Url(uri.into_owned());
    content(members, source, "fileData.", extra)
}

fn content(
    mut members: Members<'_>,
    source: Source,
    path: &str,
    extra: &mut Vec<Extra>,
) -> Result<Content, Misfit> {
    let media = Media {
        source,
        media_type: members.text("mimeType")?.unwrap_or_default().into_owned(),
        name: members.text("displayName")?.map(Cow::into_owned),
        detail: None,
    };
    members.rest(path, extra)?;
    Ok(match media.media_type.split('/').next() {
        Some("image") => Content::Image(media),
        Some("audio") => Content::Audio(media),
        _ => Content::Document(media),
    })
}

/// Base64 in the usual alphabet, padded: Google also takes the one for addresses.
fn standard(data: Cow<'_, str>) -> String {
    let whole = data.len().is_multiple_of(4) && !data.contains(['-', '_']);
    if whole {
        return data.into_owned();
    }
    let mut standard = data
        .trim_end_matches('=')
        .replace('-', "+")
        .replace('_', "/");
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    standard
}

/// Writes a medium as members of the part that is open. `at` is where the client gave it.
pub(crate) fn write(
    writer: &mut Writer,
    (media, extra): (&Media, &[Extra]),
    target: &Target<'_>,
    at: &str,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    if media
        .detail
        .as_deref()
        .is_some_and(|detail| detail != "auto")
    {
        dropped.note(format!("{at}.detail"));
    }
    match &media.source {
        // Plain text needs no wrapping, and every model reads it.
        Source::Text(text) => {
            writer.key("text").text(text);
            return Ok(());
        }
        Source::Base64(data) => {
            writer.key("inlineData").open();
            write_type(writer, media_type(media, "").ok_or_else(|| untyped(at))?);
            writer.key("data").text(data);
            own::write(writer, extra, "inlineData.", &[]);
        }
        Source::Url(url) => {
            let media_type = media_type(media, url);
            if media_type.is_none() && target.is_vertex() {
                return Err(untyped(at));
            }
            writer.key("fileData").open();
            if let Some(media_type) = media_type {
                write_type(writer, media_type);
            }
            writer.key("fileUri").text(url);
            own::write(writer, extra, "fileData.", &[]);
        }
        Source::File(_) => {
            return Err(Unsupported {
                at: at.to_owned(),
                why: "files of another provider cannot be read by Gemini: send the data or an address".to_owned(),
            });
        }
    }
    match &media.name {
        Some(name) if target.is_vertex() => {
            writer.key("displayName").text(name);
        }
        // AI Studio refuses names.
        Some(_) => dropped.note(format!("{at}.filename")),
        None => {}
    }
    writer.close();
    Ok(())
}

fn write_type(writer: &mut Writer, media_type: &str) {
    writer.key("mimeType").text(media_type);
}

fn media_type<'a>(media: &'a Media, url: &str) -> Option<&'a str> {
    if !media.media_type.is_empty() {
        return Some(&media.media_type);
    }
    let path = url
        .split(['?', '#'])
        .next()
        .unwrap_or(url)
        .to_ascii_lowercase();
    let known = TYPES.iter().find(|(end, _)| path.ends_with(end));
    known.map(|(_, media_type)| *media_type)
}

fn untyped(at: &str) -> Unsupported {
    Unsupported {
        at: at.to_owned(),
        why: "Gemini must be told the media type: send it, or an address that ends in one"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_for_addresses_becomes_the_usual_one() {
        assert_eq!(standard(Cow::Borrowed("_9j-")), "/9j+");
        assert_eq!(standard(Cow::Borrowed("_9")), "/9==");
        assert_eq!(standard(Cow::Borrowed("AA==")), "AA==");
    }
}
