//! The `usage` of an answer or of a chunk.
//!
//! Owns how disjoint counts are written as overlapping ones, and the finer counts that are read here alone. The rest
//! of the reading is that of `openai::usage`.

use crate::{Tokens, object::Object, openai, writer::Writer};

/// Reads a usage object. `None` if it says neither what went in nor what came out.
pub fn tokens(raw: &str) -> Option<Tokens> {
    let mut tokens = openai::usage::tokens(raw)?;
    let mut usage = Object::parse(raw).ok()?;
    if let Ok(Some(mut details)) = usage.object("prompt_tokens_details") {
        let mut take = |name: &str| {
            let count = details.count(name).ok().flatten().unwrap_or(0);
            let count = count.min(tokens.input);
            tokens.input -= count;
            count
        };
        tokens.cache_write = take("cache_write_tokens");
        tokens.audio_input = take("audio_tokens");
    }
    if let Ok(Some(mut details)) = usage.object("completion_tokens_details") {
        let count = details.count("audio_tokens").ok().flatten().unwrap_or(0);
        tokens.audio_output = count.min(tokens.output);
        tokens.output -= tokens.audio_output;
    }
    Some(tokens)
}

/// Writes a usage object.
pub fn write(writer: &mut Writer, tokens: &Tokens) {
    let written = tokens.cache_write.saturating_add(tokens.cache_write_hour);
    writer.open();
    writer.key("prompt_tokens").number(tokens.input_total());
    writer
        .key("completion_tokens")
        .number(tokens.output_total());
    writer.key("total_tokens").number(tokens.total());
    writer.key("prompt_tokens_details").open();
    writer.key("cached_tokens").number(tokens.cached_input);
    if written > 0 {
        writer.key("cache_write_tokens").number(written);
    }
    writer
        .key("audio_tokens")
        .number(tokens.audio_input)
        .close();
    writer.key("completion_tokens_details").open();
    writer.key("reasoning_tokens").number(tokens.reasoning);
    writer
        .key("audio_tokens")
        .number(tokens.audio_output)
        .close();
    writer.close();
}
