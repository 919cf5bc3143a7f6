//! A picture, as `image_url`.
//!
//! Owns how a `data:` URL is taken apart and put together. An address is carried, never fetched.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    cohere::own,
    neutral::{Content, Media, Part, Source},
};

/// Reads the members of a part of type `image_url`.
pub(crate) fn decode(mut part: Object<'_>) -> Result<Part, Misfit> {
    let mut image = part
        .object("image_url")?
        .ok_or_else(|| Misfit::new("is missing").within("image_url"))?;
    let read = (|| {
        let url = image
            .text("url")?
            .ok_or_else(|| Misfit::new("is missing").within("url"))?;
        let detail = image.text("detail")?.map(std::borrow::Cow::into_owned);
        Ok((url, detail))
    })();
    let (url, detail) = read.map_err(|misfit: Misfit| misfit.within("image_url"))?;
    let (media_type, source) = source(&url);
    let mut extra = own::kept("image_url.", image);
    extra.extend(own::kept("", part));
    Ok(Part {
        content: Content::Image(Media {
            source,
            media_type,
            name: None,
            detail,
        }),
        cache: None,
        extra,
    })
}

/// Writes a picture as a part. `false` if it is neither here nor at an address: then nothing is written.
pub(crate) fn encode(writer: &mut Writer, media: &Media, part: &Part) -> bool {
    let url = match &media.source {
        Source::Url(url) => url.clone(),
        Source::Base64(data) => format!("data:{};base64,{data}", media.media_type),
        Source::Text(_) | Source::File(_) => return false,
    };
    writer.open().key("type").text("image_url");
    writer.key("image_url").open().key("url").text(&url);
    if let Some(detail) = &media.detail {
        writer.key("detail").text(detail);
    }
    own::write(writer, &part.extra, "image_url.", &[]);
    writer.close();
    own::write(writer, &part.extra, "", &[]);
    writer.close();
    true
}

/// Media type and place. A `data:` URL with parameters stays an address, because it could not be put together again.
fn source(url: &str) -> (String, Source) {
    let embedded = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"))
        .filter(|(media_type, _)| !media_type.contains([';', ',']));
    match embedded {
        Some((media_type, data)) => (media_type.to_owned(), Source::Base64(data.to_owned())),
        None => (String::new(), Source::Url(url.to_owned())),
    }
}
