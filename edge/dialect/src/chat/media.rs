//! Pictures, sounds and files in the parts of a message.
//!
//! Owns `data:` URLs and the words for formats of sound. Must never fetch an address.

use payload::object::{self, Misfit, Object};

use crate::{
    chat::{draft::Draft, own},
    neutral::{Content, Extra, Media, Part, Source, Unsupported},
    place::Place,
};

/// Reads a media type and a payload out of a `data:` URL in base64; another address is left as it is.
pub(crate) fn source(url: &str) -> (Source, String) {
    let data = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    match data {
        Some((media_type, data)) if !media_type.contains(',') => {
            (Source::Base64(data.to_owned()), media_type.to_owned())
        }
        _ => (Source::Url(url.to_owned()), String::new()),
    }
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

const fn media(source: Source, media_type: String) -> Media {
    Media {
        source,
        media_type,
        name: None,
        detail: None,
    }
}

/// Reads `image_url`, which Mistral also takes as a string.
pub(crate) fn image(raw: &str, kept: &mut Vec<Extra>) -> Result<Content, Misfit> {
    if object::is_text(raw) {
        let (source, media_type) = source(&object::text(raw)?);
        return Ok(Content::Image(media(source, media_type)));
    }
    let mut image = Object::parse(raw)?;
    let url = image.text("url")?;
    let url = url.ok_or_else(|| Misfit::new("must be a string").within("url"))?;
    let (source, media_type) = source(&url);
    let mut media = media(source, media_type);
    media.detail = image.text("detail")?.map(Into::into);
    own::keep(image, "image_url.", kept);
    Ok(Content::Image(media))
}

/// Reads `input_audio`.
pub(crate) fn audio(raw: &str, kept: &mut Vec<Extra>) -> Result<Content, Misfit> {
    let mut audio = Object::parse(raw)?;
    let data = audio.text("data")?;
    let data = data.ok_or_else(|| Misfit::new("must be a string").within("data"))?;
    let format = audio.text("format")?.unwrap_or_default();
    let media_type = match format.as_ref() {
        "" => String::new(),
        "mp3" => "audio/mpeg".to_owned(),
        format => format!("audio/{format}"),
    };
    own::keep(audio, "input_audio.", kept);
    let source = Source::Base64(data.into_owned());
    Ok(Content::Audio(media(source, media_type)))
}

/// Reads `file`.
pub(crate) fn file(raw: &str, kept: &mut Vec<Extra>) -> Result<Content, Misfit> {
    let mut file = Object::parse(raw)?;
    let (source, media_type) = match (file.text("file_data")?, file.text("file_id")?) {
        (Some(data), _) => match source(&data) {
            // What is no address is the payload itself.
            (Source::Url(data), _) if !data.contains(':') => (Source::Base64(data), String::new()),
            read => read,
        },
        (None, Some(id)) => (Source::File(id.into_owned()), String::new()),
        (None, None) => return Err(Misfit::new("must have file_data or file_id")),
    };
    let mut media = media(source, media_type);
    media.name = file.text("filename")?.map(Into::into);
    own::keep(file, "file.", kept);
    Ok(Content::Document(media))
}

/// Reads `document_url`, the address of a file at Mistral.
pub(crate) fn document(url: &str, name: Option<&str>) -> Content {
    let (source, media_type) = source(url);
    let mut media = media(source, media_type);
    media.name = name.map(Into::into);
    Content::Document(media)
}

/// Writes a picture into the part that is open.
pub(crate) fn write_image(
    image: &Media,
    part: &Part,
    place: Place,
    draft: &mut Draft<'_>,
) -> Result<(), Unsupported> {
    let url = match &image.source {
        Source::Base64(data) => data_url(&image.media_type, data),
        Source::Url(url) if draft.target.image_urls || url.starts_with("data:") => url.clone(),
        Source::Url(_) => {
            return Err(place.unsupported(
                "is given by its address, which this model does not read: send its bytes",
            ));
        }
        Source::File(_) | Source::Text(_) => {
            return Err(place.unsupported("is kept at another provider: send its bytes"));
        }
    };
    if image.name.is_some() {
        draft.note(place, "name");
    }
    draft.writer.key("type").text("image_url");
    draft.writer.key("image_url").open().key("url").text(&url);
    if let Some(detail) = &image.detail {
        draft.writer.key("detail").text(detail);
    }
    draft.write_under(&part.extra, "image_url.");
    draft.writer.close();
    Ok(())
}

/// Writes a sound into the part that is open.
pub(crate) fn write_audio(
    audio: &Media,
    part: &Part,
    place: Place,
    draft: &mut Draft<'_>,
) -> Result<(), Unsupported> {
    let Source::Base64(data) = &audio.source else {
        return Err(place.unsupported("is a sound given by its address: send its bytes"));
    };
    let kind = audio.media_type.strip_prefix("audio/");
    let format = match kind.unwrap_or(&audio.media_type) {
        "mpeg" => "mp3",
        "x-wav" | "wave" | "vnd.wave" => "wav",
        format => format,
    };
    draft.writer.key("type").text("input_audio");
    draft.writer.key("input_audio").open();
    draft.writer.key("data").text(data);
    if !format.is_empty() {
        draft.writer.key("format").text(format);
    }
    draft.write_under(&part.extra, "input_audio.");
    draft.writer.close();
    Ok(())
}

/// Writes a file into the part that is open. Plain text becomes words.
pub(crate) fn write_document(
    document: &Media,
    part: &Part,
    place: Place,
    draft: &mut Draft<'_>,
) -> Result<(), Unsupported> {
    let (member, value) = match &document.source {
        Source::Text(text) => {
            if document.name.is_some() {
                draft.note(place, "title");
            }
            draft.writer.key("type").text("text").key("text").text(text);
            return Ok(());
        }
        Source::Url(url) if draft.target.document_urls => {
            draft.writer.key("type").text("document_url");
            draft.writer.key("document_url").text(url);
            if let Some(name) = &document.name {
                draft.writer.key("document_name").text(name);
            }
            return Ok(());
        }
        Source::Url(_) => {
            return Err(place.unsupported(
                "is given by its address, which this model does not read: send its bytes",
            ));
        }
        Source::Base64(data) if document.media_type.is_empty() => ("file_data", data.clone()),
        Source::Base64(data) => ("file_data", data_url(&document.media_type, data)),
        Source::File(id) => ("file_id", id.clone()),
    };
    draft.writer.key("type").text("file");
    draft.writer.key("file").open().key(member).text(&value);
    if let Some(name) = &document.name {
        draft.writer.key("filename").text(name);
    }
    draft.write_under(&part.extra, "file.");
    draft.writer.close();
    Ok(())
}
