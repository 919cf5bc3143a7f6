//! Marks for the prompt cache: `cache_control`.
//!
//! Knows the only kind there is and its two lives. What it does not know is kept as it came.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    messages::extras,
    neutral::{Cache, Extra},
};

const NAME: &str = "cache_control";
/// Where members of a mark are kept that we do not know.
pub(crate) const PREFIX: &str = "cache_control.";

/// Takes the mark from a block or a tool.
pub(crate) fn take(
    object: &mut Object<'_>,
    kept: &mut Vec<Extra>,
) -> Result<Option<Cache>, Misfit> {
    let Some(raw) = object.raw(NAME)? else {
        return Ok(None);
    };
    let within = |misfit: Misfit| misfit.within(NAME);
    let mut mark = Object::parse(raw).map_err(within)?;
    if mark.text("type").map_err(within)?.as_deref() != Some("ephemeral") {
        kept.push(extras::extra(NAME, raw));
        return Ok(None);
    }
    let ttl = mark.text("ttl").map_err(within)?.map(Into::into);
    extras::keep(mark, PREFIX, kept);
    Ok(Some(Cache { ttl }))
}

/// Writes the mark as a member of the object that is open, and `members` into it.
pub(crate) fn write<'e>(
    writer: &mut Writer,
    cache: Option<&Cache>,
    members: impl Iterator<Item = (&'e str, &'e str)>,
) {
    let Some(cache) = cache else {
        return;
    };
    writer.key(NAME).open().key("type").text("ephemeral");
    if let Some(life) = cache.ttl.as_deref().and_then(life) {
        writer.key("ttl").text(life);
    }
    extras::write(writer, members);
    writer.close();
}

/// The life that comes nearest: five minutes, which need not be said, or an hour.
fn life(ttl: &str) -> Option<&'static str> {
    let hours: Option<u32> = ttl.strip_suffix('h').and_then(|hours| hours.parse().ok());
    match ttl {
        "5m" => Some("5m"),
        _ if hours.is_some_and(|hours| hours > 0) => Some("1h"),
        _ => None,
    }
}
