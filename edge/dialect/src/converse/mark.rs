//! The mark of a prompt cache, which is a block of its own behind what it marks, among blocks and among tools.

use std::borrow::Cow;

use payload::{object::Object, writer::Writer};

use crate::{
    converse::target::Target,
    neutral::{Cache, Dropped},
};

/// The mark that a block sets, if it is nothing else.
pub(crate) fn read(block: &str) -> Option<Cache> {
    let mut object = Object::parse(block).ok()?;
    let mut point = object.object("cachePoint").ok()??;
    let kind = point.text("type").ok()??;
    let ttl = point.text("ttl").ok()?.map(Cow::into_owned);
    (kind == "default" && point.is_empty() && object.is_empty()).then_some(Cache { ttl })
}

/// Writes the mark of a prompt cache as a block of its own. `at` is what it marks.
pub(crate) fn write(
    writer: &mut Writer,
    cache: &Cache,
    target: &Target<'_>,
    dropped: &mut Dropped,
    at: &str,
) {
    writer
        .open()
        .key("cachePoint")
        .open()
        .key("type")
        .text("default");
    match &cache.ttl {
        Some(ttl) if target.cache_ttl => drop(writer.key("ttl").text(ttl)),
        // Five minutes are what is meant where nothing is said.
        Some(ttl) if ttl != "5m" => dropped.note(format!("{at}.cache_control.ttl")),
        _ => {}
    }
    writer.close().close();
}
