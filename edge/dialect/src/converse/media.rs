//! Pictures, sounds and documents: a format by its own word, and a source.
//!
//! Owns which word stands for which media type. Must never fetch anything: an address is of the object store or none.

use std::borrow::Cow;

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    converse::extras,
    neutral::{Extra, Media, Source},
};

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A file to read.
    Document,
}

const IMAGES: [(&str, &str); 4] = [
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
];

/// The first of those with the same media type is written.
const SOUNDS: [(&str, &str); 16] = [
    ("mp3", "audio/mpeg"),
    ("mp3", "audio/mp3"),
    ("opus", "audio/opus"),
    ("wav", "audio/wav"),
    ("wav", "audio/x-wav"),
    ("aac", "audio/aac"),
    ("flac", "audio/flac"),
    ("mp4", "audio/mp4"),
    ("ogg", "audio/ogg"),
    ("mka", "audio/x-matroska"),
    ("x-aac", "audio/x-aac"),
    ("m4a", "audio/m4a"),
    ("mpeg", "audio/x-mpeg"),
    ("mpga", "audio/mpga"),
    ("pcm", "audio/pcm"),
    ("webm", "audio/webm"),
];

const DOCUMENTS: [(&str, &str); 9] = [
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];

/// Reads a block's inside. `None` if its source is of a kind that only this dialect has.
pub(crate) fn read(
    medium: Medium,
    raw: &str,
    extra: &mut Vec<Extra>,
) -> Result<Option<Media>, Misfit> {
    let mut object = Object::parse(raw)?;
    let Some(mut from) = object.object("source")? else {
        return Ok(None);
    };
    let within = |misfit: Misfit| misfit.within("source");
    let under = format!("{}.source", medium.word());
    let mut found = Vec::new();
    let source = if let Some(bytes) = from.text("bytes").map_err(within)? {
        Source::Base64(bytes.into_owned())
    } else if let Some(text) = from.text("text").map_err(within)? {
        Source::Text(text.into_owned())
    } else if let Some(mut place) = from.object("s3Location").map_err(within)? {
        let uri = place.text("uri").map_err(within)?;
        let Some(uri) = uri.filter(|uri| is_of_store(uri)) else {
            return Ok(None);
        };
        extras::take(&mut found, &format!("{under}.s3Location"), place);
        Source::Url(uri.into_owned())
    } else {
        return Ok(None);
    };
    extras::take(&mut found, &under, from);
    let format = object.text("format")?;
    let media_type = format.as_deref().map(|format| medium.media_type(format));
    let media_type = media_type.unwrap_or_default();
    if let Some(format) = format.filter(|it| medium.format(&media_type) != Some(&**it)) {
        extras::push(&mut found, medium.word(), "format", &quoted(&format));
    }
    let name = match medium {
        Medium::Document => object.text("name")?.map(Cow::into_owned),
        Medium::Image | Medium::Audio => None,
    };
    extras::take(&mut found, medium.word(), object);
    extra.append(&mut found);
    Ok(Some(Media {
        source,
        media_type,
        name,
        detail: None,
    }))
}

/// Writes a block's inside. `name` is that of a document. What cannot be shown is told in words, and then nothing is
/// written.
pub(crate) fn write(
    writer: &mut Writer,
    medium: Medium,
    media: &Media,
    name: Option<&str>,
    extra: &[Extra],
) -> Result<(), String> {
    let word = medium.word();
    let own_format = extras::get(extra, &format!("{word}.format"));
    let format = medium.format(&media.media_type).or_else(|| by_name(media));
    let nameless = medium == Medium::Document && media.media_type.is_empty();
    if own_format.is_none() && format.is_none() && !nameless {
        let kind = match media.media_type.as_str() {
            "" => "of a type that is not told",
            kind => kind,
        };
        return Err(format!("Bedrock takes no {word} {kind}: send another type"));
    }
    match &media.source {
        Source::Base64(_) => {}
        Source::Text(_) if medium == Medium::Document => {}
        Source::Url(url) if is_of_store(url) => {}
        Source::Url(_) => {
            return Err(format!(
                "Bedrock fetches no {word} from an address: send it in base64"
            ));
        }
        Source::Text(_) | Source::File(_) => {
            return Err(format!(
                "Bedrock has no {word} under this id: send it in base64"
            ));
        }
    }
    writer.open();
    match (own_format, format) {
        (Some(raw), _) => drop(writer.key("format").raw(raw)),
        (None, Some(format)) => drop(writer.key("format").text(format)),
        (None, None) => {}
    }
    if let Some(name) = name {
        writer.key("name").text(name);
    }
    writer.key("source");
    source(writer, &media.source, extra, &format!("{word}.source"));
    extras::write(writer, extra, word, &["source", "format"]);
    writer.close();
    Ok(())
}

fn source(writer: &mut Writer, source: &Source, extra: &[Extra], under: &str) {
    writer.open();
    match source {
        Source::Base64(bytes) => drop(writer.key("bytes").text(bytes)),
        Source::Text(text) => drop(writer.key("text").text(text)),
        Source::Url(uri) | Source::File(uri) => {
            writer.key("s3Location").open().key("uri").text(uri);
            extras::write(writer, extra, &format!("{under}.s3Location"), &[]);
            writer.close();
        }
    }
    extras::write(writer, extra, under, &["s3Location"]);
    writer.close();
}

fn is_of_store(url: &str) -> bool {
    url.starts_with("s3://")
}

/// The format by the end of a document's name, for dialects that tell no type.
fn by_name(media: &Media) -> Option<&'static str> {
    let (_, end) = media.name.as_deref()?.rsplit_once('.')?;
    let found = DOCUMENTS
        .iter()
        .find(|(format, _)| end.eq_ignore_ascii_case(format));
    found
        .filter(|_| media.media_type.is_empty() || media.media_type == "application/octet-stream")
        .map(|(format, _)| *format)
}

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    payload::scalar::quote(&mut out, text);
    String::from_utf8_lossy(&out).into_owned()
}

// === impl Medium ===

impl Medium {
    /// The name of its block.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Document => "document",
        }
    }

    const fn formats(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Image => &IMAGES,
            Self::Audio => &SOUNDS,
            Self::Document => &DOCUMENTS,
        }
    }

    fn media_type(self, format: &str) -> String {
        let found = self.formats().iter().find(|(known, _)| *known == format);
        found.map_or_else(String::new, |(_, media_type)| (*media_type).to_owned())
    }

    fn format(self, media_type: &str) -> Option<&'static str> {
        let bare = media_type.split(';').next().unwrap_or_default().trim();
        let bare = match bare {
            "image/jpg" => "image/jpeg",
            bare => bare,
        };
        let found = self
            .formats()
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(bare));
        found.map(|(format, _)| *format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(medium: Medium, raw: &str) -> String {
        let mut extra = Vec::new();
        let media = read(medium, raw, &mut extra).unwrap().unwrap();
        let mut writer = Writer::default();
        write(&mut writer, medium, &media, media.name.as_deref(), &extra).unwrap();
        String::from_utf8(writer.into_bytes()).unwrap()
    }

    #[test]
    fn every_format_reads_back_as_itself() {
        for medium in [Medium::Image, Medium::Audio, Medium::Document] {
            let formats = medium.formats().iter().map(|(format, _)| *format);
            for format in formats.chain(["mkv", "new"]) {
                let raw = format!(r#"{{"format":"{format}","source":{{"bytes":"AA=="}}}}"#);
                assert_eq!(through(medium, &raw), raw);
            }
        }
    }

    #[test]
    fn sources_and_what_nobody_knows_read_back() {
        let raws = [
            r#"{"format":"pdf","name":"a","source":{"s3Location":{"uri":"s3://b/k","bucketOwner":"1"},"x":1},"context":"c"}"#,
            r#"{"name":"a","source":{"text":"t"},"citations":{"enabled":true}}"#,
        ];
        for raw in raws {
            assert_eq!(through(Medium::Document, raw), raw);
        }
        let other = r#"{"source":{"content":[{"text":"t"}]}}"#;
        let mut extra = Vec::new();
        assert_eq!(read(Medium::Document, other, &mut extra), Ok(None));
        assert!(extra.is_empty());
    }

    #[test]
    fn what_cannot_be_shown_is_told_and_nothing_is_written() {
        let media = |source, media_type: &str| Media {
            source,
            media_type: media_type.to_owned(),
            name: None,
            detail: None,
        };
        let cases = [
            media(Source::Url("https://x/y.png".to_owned()), "image/png"),
            media(Source::File("file-1".to_owned()), "image/png"),
            media(Source::Base64("AA==".to_owned()), "image/tiff"),
            media(Source::Base64("AA==".to_owned()), ""),
        ];
        for case in cases {
            let mut writer = Writer::default();
            assert!(write(&mut writer, Medium::Image, &case, None, &[]).is_err());
            assert!(writer.into_bytes().is_empty());
        }
    }
}
