//! The `usage` of an answer: counts that do not overlap, but for the total.
//!
//! Owns both spellings of the cache's counts. Thoughts are not counted apart: they are output. Must never guess: what
//! does not say how much was used is no usage.

use payload::{
    object::{self, Object},
    scalar,
    writer::Writer,
};

use crate::{Tokens, converse::extras, neutral::Extra};

/// Reads a usage object. `inputTokens` is what no cache had to do with.
pub fn tokens(raw: &str) -> Option<Tokens> {
    let mut usage = Object::parse(raw).ok()?;
    let mut count = |names: &[&str]| {
        let mut counts = names.iter().filter_map(|name| {
            usage
                .raw(name)
                .ok()
                .flatten()
                .and_then(scalar::whole_number)
        });
        counts.next()
    };
    let read = count(&["cacheReadInputTokens", "cacheReadInputTokenCount"]).unwrap_or(0);
    let written = count(&["cacheWriteInputTokens", "cacheWriteInputTokenCount"]).unwrap_or(0);
    let (input, output) = (count(&["inputTokens"]), count(&["outputTokens"]));
    let total = count(&["totalTokens"]);
    let rest = |known: Option<u64>| {
        let known = known.unwrap_or(0);
        total.map(|total| total.saturating_sub(known.saturating_add(read).saturating_add(written)))
    };
    let (input, output) = match (input, output) {
        (None, None) => (total?, 0),
        (Some(input), None) => (input, rest(Some(input)).unwrap_or(0)),
        (None, Some(output)) => (rest(Some(output)).unwrap_or(0), output),
        (Some(input), Some(output)) => (input, output),
    };
    let hour = hour(&mut usage).min(written);
    Some(Tokens {
        input,
        cached_input: read,
        cache_write: written - hour,
        cache_write_hour: hour,
        output,
        ..Tokens::default()
    })
}

/// Writes a usage object.
pub fn write(writer: &mut Writer, tokens: &Tokens) {
    let written = tokens.cache_write.saturating_add(tokens.cache_write_hour);
    let input = tokens.input.saturating_add(tokens.audio_input);
    writer.open().key("inputTokens").number(input);
    writer.key("outputTokens").number(tokens.output_total());
    writer.key("totalTokens").number(tokens.total());
    if tokens.cached_input > 0 {
        writer
            .key("cacheReadInputTokens")
            .number(tokens.cached_input);
    }
    if written > 0 {
        writer.key("cacheWriteInputTokens").number(written);
    }
    if tokens.cache_write_hour > 0 {
        writer.key("cacheDetails").open_array();
        for (ttl, count) in [("1h", tokens.cache_write_hour), ("5m", tokens.cache_write)] {
            if count > 0 {
                writer.open().key("ttl").text(ttl);
                writer.key("inputTokens").number(count).close();
            }
        }
        writer.close_array();
    }
    writer.close();
}

/// What a usage object says beyond what [`write()`] would write of it.
pub(crate) fn beyond(raw: &str, tokens: &Tokens, extra: &mut Vec<Extra>, under: &str) {
    let (Ok(usage), plain) = (Object::parse(raw), plain(tokens)) else {
        return;
    };
    let plain: Vec<_> = Object::parse(&plain)
        .map(|object| object.rest().collect())
        .unwrap_or_default();
    for (name, raw) in usage.rest() {
        let same = plain
            .iter()
            .any(|(known, value)| *known == name && *value == raw);
        if !same {
            extras::push(extra, under, &name, raw);
        }
    }
}

/// Writes a usage object with what it said [`beyond`].
pub(crate) fn write_with(writer: &mut Writer, tokens: &Tokens, extra: &[Extra], under: &str) {
    let plain = plain(tokens);
    writer.open();
    if let Ok(object) = Object::parse(&plain) {
        for (name, raw) in object.rest() {
            let own = extras::get(extra, &format!("{under}.{name}"));
            if own.is_none() {
                writer.key(&name).raw(raw);
            }
        }
    }
    extras::write(writer, extra, under, &[]);
    writer.close();
}

fn plain(tokens: &Tokens) -> String {
    let mut writer = Writer::default();
    write(&mut writer, tokens);
    String::from_utf8_lossy(&writer.into_bytes()).into_owned()
}

/// What the cache took for an hour.
fn hour(usage: &mut Object<'_>) -> u64 {
    let details = usage.raw("cacheDetails").ok().flatten();
    let details = details.and_then(|raw| object::elements(raw).ok());
    details
        .into_iter()
        .flatten()
        .filter_map(|raw| Object::parse(raw).ok())
        .filter_map(|mut detail| {
            let ttl = detail.text("ttl").ok()??;
            (ttl == "1h").then(|| detail.count("inputTokens").ok()?)?
        })
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Option<[u64; 5]> {
        tokens(raw).map(|it| {
            [
                it.input,
                it.cached_input,
                it.cache_write,
                it.cache_write_hour,
                it.output,
            ]
        })
    }

    #[test]
    fn counts_do_not_overlap_and_are_never_taken_off_each_other() {
        let written = r#"{"cacheDetails":[{"inputTokens":7351,"ttl":"5m"}],"cacheReadInputTokens":0,
            "cacheWriteInputTokens":7351,"inputTokens":10,"outputTokens":4,"totalTokens":7365}"#;
        assert_eq!(read(written), Some([10, 0, 7_351, 0, 4]));
        assert_eq!(tokens(written).unwrap().total(), 7_365);
        let served = r#"{"cacheReadInputTokenCount":7351,"inputTokens":10,"outputTokens":4}"#;
        assert_eq!(read(served), Some([10, 7_351, 0, 0, 4]));
        let hour = r#"{"cacheDetails":[{"inputTokens":5,"ttl":"5m"},{"inputTokens":7,"ttl":"1h"}],
            "cacheWriteInputTokens":12,"inputTokens":1,"outputTokens":2,"totalTokens":15}"#;
        assert_eq!(read(hour), Some([1, 0, 5, 7, 2]));
    }

    #[test]
    fn a_missing_count_follows_from_the_total_and_no_count_is_no_usage() {
        let raw = r#"{"inputTokens":4,"cacheReadInputTokens":2,"totalTokens":9}"#;
        assert_eq!(read(raw), Some([4, 2, 0, 0, 3]));
        assert_eq!(read(r#"{"totalTokens":9}"#), Some([9, 0, 0, 0, 0]));
        for nothing in ["{}", "[]", "null", r#"{"inputTokens":-1}"#, "{"] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
        let huge = r#"{"inputTokens":1e99,"outputTokens":1e99,"cacheWriteInputTokens":1e99}"#;
        assert_eq!(tokens(huge).unwrap().total(), u64::MAX);
    }

    #[test]
    fn what_was_said_beyond_the_counts_goes_back_too() {
        let raw = r#"{"inputTokens":10,"outputTokens":4,"totalTokens":14,"cacheReadInputTokens":0,"serverToolUsage":{}}"#;
        let tokens = tokens(raw).unwrap();
        let mut extra = Vec::new();
        beyond(raw, &tokens, &mut extra, "usage");
        let mut writer = Writer::default();
        write_with(&mut writer, &tokens, &extra, "usage");
        assert_eq!(String::from_utf8(writer.into_bytes()).unwrap(), raw);
    }
}
