//! The `usage` of an answer, and the `meta` of vectors, which counts in the same words.
//!
//! Owns the arithmetic: tokens of pictures stand beside those of the input, cached and reasoning ones among the
//! others. What was billed is read only where nothing else is said. Must never guess.

use payload::{object::Object, scalar, writer::Writer};

use crate::Tokens;

/// Reads a usage. `None` if it does not say how much was used.
pub fn tokens(raw: &str) -> Option<Tokens> {
    let mut usage = Object::parse(raw).ok()?;
    let counts = counted(&mut usage).or_else(|| billed(&mut usage))?;
    let cached = count(&mut usage, "cached_tokens").unwrap_or(0);
    let cached = cached.min(counts.input);
    Some(Tokens {
        input: counts.input - cached,
        cached_input: cached,
        output: counts.output.saturating_sub(counts.reasoning),
        reasoning: counts.reasoning,
        ..Tokens::default()
    })
}

/// Writes a usage. What is billed is what was counted, because nobody else's prices are known here.
pub fn write(writer: &mut Writer, tokens: &Tokens) {
    let (input, output) = (tokens.input_total(), tokens.output_total());
    writer.open().key("billed_units").open();
    writer.key("input_tokens").number(input);
    writer.key("output_tokens").number(output);
    writer.close().key("tokens").open();
    writer.key("input_tokens").number(input);
    writer.key("output_tokens").number(output);
    if tokens.reasoning > 0 {
        writer.key("reasoning_tokens").number(tokens.reasoning);
    }
    writer.close();
    writer.key("cached_tokens").number(tokens.cached_input);
    writer.close();
}

/// Writes the usage as it came while it still says so, or anew; nothing where there is none.
pub(crate) fn write_member(
    writer: &mut Writer,
    name: &str,
    came: Option<&str>,
    now: Option<&Tokens>,
) {
    let came = came.filter(|raw| tokens(raw).as_ref() == now);
    match (came, now) {
        (Some(raw), _) => {
            writer.key(name).raw(raw);
        }
        (None, Some(tokens)) => {
            writer.key(name);
            write(writer, tokens);
        }
        (None, None) => {}
    }
}

/// What goes in, pictures among it; what comes out, reasoning among it.
#[derive(Clone, Copy)]
struct Counts {
    input: u64,
    output: u64,
    reasoning: u64,
}

/// What was counted: the pictures stand beside the input.
fn counted(usage: &mut Object<'_>) -> Option<Counts> {
    let mut tokens = usage.object("tokens").ok()??;
    let [input, image, output, reasoning] = [
        "input_tokens",
        "image_tokens",
        "output_tokens",
        "reasoning_tokens",
    ]
    .map(|name| count(&mut tokens, name));
    input.or(image).or(output)?;
    Some(Counts {
        input: input.unwrap_or(0).saturating_add(image.unwrap_or(0)),
        output: output.unwrap_or(0),
        reasoning: reasoning.unwrap_or(0),
    })
}

/// What was billed: the pictures are among the input, unless it is told by its kinds alone.
fn billed(usage: &mut Object<'_>) -> Option<Counts> {
    let mut units = usage.object("billed_units").ok()??;
    let [input, image, text, output] = [
        "input_tokens",
        "image_tokens",
        "text_tokens",
        "output_tokens",
    ]
    .map(|name| count(&mut units, name));
    input.or(image).or(text).or(output)?;
    let kinds = image.unwrap_or(0).saturating_add(text.unwrap_or(0));
    Some(Counts {
        input: input.unwrap_or(0).max(kinds),
        output: output.unwrap_or(0),
        reasoning: 0,
    })
}

fn count(object: &mut Object<'_>, name: &str) -> Option<u64> {
    scalar::whole_number(object.raw(name).ok()??)
}
