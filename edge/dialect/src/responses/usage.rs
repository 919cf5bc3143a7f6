//! The `usage` of a response.
//!
//! Owns the arithmetic between counts that hold one another and disjoint ones. Must never guess: what does not say how
//! much was used is no usage.

use payload::{
    object::{Misfit, Object},
    scalar,
    writer::Writer,
};

use crate::{Tokens, neutral::Extra, responses::own};

const INPUT: &str = "usage.input_tokens_details.";
const OUTPUT: &str = "usage.output_tokens_details.";

/// Reads a usage object. Cached and written tokens are among `input_tokens`, and reasoning is among `output_tokens`,
/// unless the total shows that it was counted beside them.
pub fn tokens(raw: &str) -> Option<Tokens> {
    read(raw, &mut Vec::new())
}

/// Writes a usage object.
pub fn write(writer: &mut Writer, tokens: &Tokens) {
    write_with(writer, tokens, &[]);
}

/// Like [`tokens`], and keeps what else stands there.
pub(crate) fn read(raw: &str, extras: &mut Vec<Extra>) -> Option<Tokens> {
    let mut usage = Object::parse(raw).ok()?;
    let (input, output) = (
        count(&mut usage, "input_tokens"),
        count(&mut usage, "output_tokens"),
    );
    let total = count(&mut usage, "total_tokens");
    let output = output.or_else(|| total?.checked_sub(input?));
    let input = input.or_else(|| total?.checked_sub(output.unwrap_or(0)));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let mut details = details(&mut usage, "input_tokens_details");
    let cached = count(&mut details, "cached_tokens").unwrap_or(0).min(input);
    let written = count(&mut details, "cache_write_tokens").unwrap_or(0);
    let written = written.min(input - cached);
    let hour = hour(&mut details, extras).min(written);
    own::keep(details, INPUT, extras);
    let mut details = self::details(&mut usage, "output_tokens_details");
    let reasoning = count(&mut details, "reasoning_tokens").unwrap_or(0);
    own::keep(details, OUTPUT, extras);
    own::keep(usage, "usage.", extras);
    let beside = input.saturating_add(output).saturating_add(reasoning);
    let spoken = if total == Some(beside) {
        output
    } else {
        output.saturating_sub(reasoning)
    };
    Some(Tokens {
        input: input - cached - written,
        cached_input: cached,
        cache_write: written - hour,
        cache_write_hour: hour,
        output: spoken,
        reasoning,
        ..Tokens::default()
    })
}

/// Like [`write()`], with what else stood there.
pub(crate) fn write_with(writer: &mut Writer, tokens: &Tokens, extras: &[Extra]) {
    let (input, output) = (tokens.input_total(), tokens.output_total());
    writer.open().key("input_tokens").number(input);
    writer.key("input_tokens_details").open();
    let written = tokens.cache_write.saturating_add(tokens.cache_write_hour);
    writer.key("cached_tokens").number(tokens.cached_input);
    writer.key("cache_write_tokens").number(written);
    if tokens.cache_write_hour > 0 {
        writer.key("cache_write_tokens_details").open();
        writer.key("ttl_12h_tokens").number(tokens.cache_write_hour);
        writer
            .key("ttl_30m_tokens")
            .number(tokens.cache_write)
            .close();
    }
    own::write(writer, extras, INPUT);
    writer.close().key("output_tokens").number(output);
    writer.key("output_tokens_details").open();
    writer.key("reasoning_tokens").number(tokens.reasoning);
    own::write(writer, extras, OUTPUT);
    writer.close().key("total_tokens").number(tokens.total());
    own::write_except(writer, extras, "usage.", &[INPUT, OUTPUT]);
    writer.close();
}

/// Of the tokens that the cache took, those that it keeps for half a day: the hours of other dialects. Where there are
/// none, the split says nothing and goes on as it is.
fn hour(details: &mut Object<'_>, extras: &mut Vec<Extra>) -> u64 {
    let name = "cache_write_tokens_details";
    let Ok(Some(raw)) = details.raw(name) else {
        return 0;
    };
    let split = Object::parse(raw).ok();
    let hour = split.and_then(|mut split| count(&mut split, "ttl_12h_tokens"));
    if hour.unwrap_or(0) == 0 {
        extras.push(own::extra(format!("{INPUT}{name}"), raw));
    }
    hour.unwrap_or(0)
}

fn count(object: &mut Object<'_>, name: &str) -> Option<u64> {
    object.raw(name).ok()?.and_then(scalar::whole_number)
}

fn details<'a>(usage: &mut Object<'a>, name: &str) -> Object<'a> {
    let details: Result<_, Misfit> = usage.object(name);
    details.ok().flatten().unwrap_or_default()
}
