//! What was used, as this dialect counts it: parts among their wholes.
//!
//! Owns the way back from disjoint counts. Reading is the business of `openai`, which meters with it.

use payload::writer::Writer;

use crate::{Tokens, openai};

/// Reads a usage object.
pub fn tokens(raw: &str) -> Option<Tokens> {
    openai::usage::tokens(raw)
}

/// Writes a usage object. Whoever has a cache for an hour has no word for it here: all that was kept is told as one.
pub fn write(writer: &mut Writer, tokens: &Tokens) {
    let (input, output) = (tokens.input_total(), tokens.output_total());
    writer.open();
    writer.key("prompt_tokens").number(input);
    writer.key("completion_tokens").number(output);
    writer
        .key("total_tokens")
        .number(input.saturating_add(output));
    writer.key("prompt_tokens_details").open();
    writer.key("cached_tokens").number(tokens.cached_input);
    writer.key("audio_tokens").number(tokens.audio_input);
    let kept = tokens.cache_write.saturating_add(tokens.cache_write_hour);
    if kept > 0 {
        writer.key("cache_write_tokens").number(kept);
    }
    writer.close();
    writer.key("completion_tokens_details").open();
    writer.key("reasoning_tokens").number(tokens.reasoning);
    writer.key("audio_tokens").number(tokens.audio_output);
    writer.close().close();
}
