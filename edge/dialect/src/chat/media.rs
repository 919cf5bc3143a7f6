//! Pictures, sounds and files in a conversation.
//!
//! Knows `data:` URLs. Must never fetch what stands at an address.

use crate::{
    chat::extras,
    neutral::{Extra, Media, Source},
    object::{self, Misfit, Object},
    writer::Writer,
};

/// Reads a picture: `image_url`, an object, or a string as some have it.
pub(crate) fn image(raw: &str, kept: &mut Vec<Extra>) -> Result<Media, Misfit> {
    let (url, detail) = if object::is_text(raw) {
        (object::text(raw)?, None)
    } else {
        let mut inner = Object::parse(raw)?;
        let url = inner
            .text("url")?
            .ok_or_else(|| Misfit::new("is required").within("url"))?;
        let detail = inner.text("detail")?.map(Into::into);
        extras::keep(inner, "image_url.", kept);
        (url, detail)
    };
    let (source, media_type) = address(&url, Source::Url);
    Ok(Media {
        source,
        media_type,
        name: None,
        detail,
    })
}

/// Reads a sound: `input_audio`.
pub(crate) fn audio(raw: &str, kept: &mut Vec<Extra>) -> Result<Media, Misfit> {
    let mut inner = Object::parse(raw)?;
    let data = inner
        .text("data")?
        .ok_or_else(|| Misfit::new("is required").within("data"))?;
    let media_type = match inner.text("format")?.as_deref() {
        Some("mp3") => "audio/mpeg".to_owned(),
        Some(format) => format!("audio/{format}"),
        None => String::new(),
    };
    extras::keep(inner, "input_audio.", kept);
    Ok(Media {
        source: Source::Base64(data.into()),
        media_type,
        name: None,
        detail: None,
    })
}

/// Reads a file: `file`.
pub(crate) fn file(raw: &str, kept: &mut Vec<Extra>) -> Result<Media, Misfit> {
    let mut inner = Object::parse(raw)?;
    let name = inner.text("filename")?.map(Into::into);
    let data = inner.text("file_data")?;
    let id = inner.text("file_id")?;
    let (source, media_type) = match (data, id) {
        // What is no `data:` URL is base64 without its type.
        (Some(data), _) => address(&data, Source::Base64),
        (None, Some(id)) => (Source::File(id.into()), String::new()),
        (None, None) => return Err(Misfit::new("is required").within("file_data")),
    };
    extras::keep(inner, "file.", kept);
    Ok(Media {
        source,
        media_type,
        name,
        detail: None,
    })
}

/// Writes a picture as `image_url`. What is wrong with it, if it cannot be written.
pub(crate) fn write_image(
    writer: &mut Writer,
    media: &Media,
    kept: &[Extra],
) -> Result<(), &'static str> {
    let url = match &media.source {
        Source::Base64(data) => data_url(&media.media_type, data, "image/png"),
        Source::Url(url) => url.clone(),
        Source::Text(_) => return Err("a picture cannot be plain text"),
        Source::File(_) => return Err("a picture cannot stand at another provider"),
    };
    writer.key("image_url").open().key("url").text(&url);
    if let Some(detail) = &media.detail {
        writer.key("detail").text(detail);
    }
    extras::write(writer, extras::under(kept, "image_url."));
    writer.close();
    Ok(())
}

/// Writes a sound as `input_audio`, in the same way.
pub(crate) fn write_audio(
    writer: &mut Writer,
    media: &Media,
    kept: &[Extra],
) -> Result<(), &'static str> {
    let Source::Base64(data) = &media.source else {
        return Err("a sound must be sent along in base64");
    };
    writer.key("input_audio").open().key("data").text(data);
    if !media.media_type.is_empty() {
        let format = media.media_type.trim_start_matches("audio/");
        let format = match format {
            "mpeg" => "mp3",
            "x-wav" | "wave" => "wav",
            format => format,
        };
        writer.key("format").text(format);
    }
    extras::write(writer, extras::under(kept, "input_audio."));
    writer.close();
    Ok(())
}

/// Writes a file as `file`, in the same way. Plain text is not for here.
pub(crate) fn write_file(
    writer: &mut Writer,
    media: &Media,
    kept: &[Extra],
) -> Result<(), &'static str> {
    if matches!(media.source, Source::Url(_) | Source::Text(_)) {
        return Err("a file must be sent along, not stand at an address");
    }
    writer.key("file").open();
    if let Some(name) = &media.name {
        writer.key("filename").text(name);
    }
    match &media.source {
        Source::Base64(data) if media.media_type.is_empty() => {
            writer.key("file_data").text(data);
        }
        Source::Base64(data) => {
            let url = data_url(&media.media_type, data, "application/pdf");
            writer.key("file_data").text(&url);
        }
        Source::File(id) => {
            writer.key("file_id").text(id);
        }
        Source::Url(_) | Source::Text(_) => {}
    }
    extras::write(writer, extras::under(kept, "file."));
    writer.close();
    Ok(())
}

fn data_url(media_type: &str, data: &str, fallback: &str) -> String {
    let media_type = if media_type.is_empty() {
        fallback
    } else {
        media_type
    };
    format!("data:{media_type};base64,{data}")
}

/// A `data:` URL in base64 taken apart; anything else is what `or` makes of it.
fn address(url: &str, or: fn(String) -> Source) -> (Source, String) {
    let inline = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    match inline {
        Some((media_type, data)) => (Source::Base64(data.to_owned()), media_type.to_owned()),
        None => (or(url.to_owned()), String::new()),
    }
}
