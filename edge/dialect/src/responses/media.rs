//! Pictures and files: data URLs, addresses and ids.
//!
//! Owns how they are named in parts of items. Must never fetch one, nor look into its bytes.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::neutral::{Media, Source};

/// Reads the members of an `input_image`.
pub(crate) fn read_image(part: &mut Object<'_>) -> Result<Media, Misfit> {
    let detail = part.text("detail")?.map(Into::into);
    let url = part.text("image_url")?;
    let (source, media_type) = match url {
        Some(url) => located(&url),
        None => match part.text("file_id")? {
            Some(id) => (Source::File(id.into()), String::new()),
            None => return Err(Misfit::new("must have image_url or file_id")),
        },
    };
    Ok(Media {
        source,
        media_type,
        name: None,
        detail,
    })
}

/// Reads the members of an `input_file`.
pub(crate) fn read_file(part: &mut Object<'_>) -> Result<Media, Misfit> {
    let name = part.text("filename")?.map(Into::into);
    let detail = part.text("detail")?.map(Into::into);
    let (source, media_type) = if let Some(data) = part.text("file_data")? {
        match located(&data) {
            (Source::Url(data), _) => (Source::Base64(data), String::new()),
            located => located,
        }
    } else if let Some(url) = part.text("file_url")? {
        (Source::Url(url.into()), String::new())
    } else if let Some(id) = part.text("file_id")? {
        (Source::File(id.into()), String::new())
    } else {
        return Err(Misfit::new("must have file_data, file_url or file_id"));
    };
    Ok(Media {
        source,
        media_type,
        name,
        detail,
    })
}

/// Writes the members of an `input_image`. `false` if this API cannot be given such a picture.
pub(crate) fn write_image(writer: &mut Writer, media: &Media) -> bool {
    match &media.source {
        Source::Base64(data) => writer.key("image_url").text(&data_url(media, data)),
        Source::Url(url) => writer.key("image_url").text(url),
        Source::File(id) => writer.key("file_id").text(id),
        Source::Text(_) => return false,
    };
    if let Some(detail) = &media.detail {
        writer.key("detail").text(detail);
    }
    true
}

/// Writes the members of an `input_file`. A text is not one: it is written as words. A file that is sent along must
/// have a name, so `named` says whether one without gets one.
pub(crate) fn write_file(writer: &mut Writer, media: &Media, named: bool) -> bool {
    match &media.source {
        Source::Base64(data) if media.media_type.is_empty() => writer.key("file_data").text(data),
        Source::Base64(data) => writer.key("file_data").text(&data_url(media, data)),
        Source::Url(url) => writer.key("file_url").text(url),
        Source::File(id) => writer.key("file_id").text(id),
        Source::Text(_) => return false,
    };
    match &media.name {
        Some(name) => writer.key("filename").text(name),
        None if named && matches!(media.source, Source::Base64(_)) => {
            writer.key("filename").text(default_name(&media.media_type))
        }
        None => writer,
    };
    if let Some(detail) = &media.detail {
        writer.key("detail").text(detail);
    }
    true
}

fn default_name(media_type: &str) -> &'static str {
    match media_type {
        "" | "application/pdf" => "document.pdf",
        _ => "document",
    }
}

/// What a URL locates, and its media type if it says one.
fn located(url: &str) -> (Source, String) {
    let data = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    match data {
        Some((media_type, data)) => (Source::Base64(data.to_owned()), media_type.to_owned()),
        None => (Source::Url(url.to_owned()), String::new()),
    }
}

fn data_url(media: &Media, data: &str) -> String {
    format!("data:{};base64,{data}", media.media_type)
}
