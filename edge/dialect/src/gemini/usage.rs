//! `usageMetadata`: from Google's overlapping counts to disjoint ones, and back.
//!
//! Owns the arithmetic. Thoughts stand beside the candidates, what tools gave to the model beside the prompt, and what
//! a cache served among the prompt. Must never guess: what says no count is no usage.

use payload::{object, writer::Writer};

use crate::{Tokens, gemini::member::Members};

/// Reads the value of `usageMetadata`.
pub fn tokens(raw: &str) -> Option<Tokens> {
    let mut usage = Members::parse(raw).ok()?;
    let mut count = |name: &str| usage.count(name).ok().flatten();
    let total = count("totalTokenCount");
    let prompt = count("promptTokenCount");
    let tool_use = count("toolUsePromptTokenCount").unwrap_or(0);
    let thoughts = count("thoughtsTokenCount").unwrap_or(0);
    let candidates = count("candidatesTokenCount");
    let cached = count("cachedContentTokenCount").unwrap_or(0);
    if total.is_none() && prompt.is_none() && candidates.is_none() {
        return None;
    }
    let left = |parts: u64| total.unwrap_or(0).saturating_sub(parts);
    let beside = tool_use.saturating_add(thoughts);
    let prompt = prompt.unwrap_or_else(|| left(beside.saturating_add(candidates.unwrap_or(0))));
    let candidates = candidates.unwrap_or_else(|| left(beside.saturating_add(prompt)));
    let cached = cached.min(prompt);
    let mut sound = |name: &str| sound(&mut usage, name);
    let sound_in = sound("promptTokensDetails").saturating_sub(sound("cacheTokensDetails"));
    let sound_in = sound_in.min(prompt - cached);
    let sound_out = sound("candidatesTokensDetails").min(candidates);
    Some(Tokens {
        input: (prompt - cached - sound_in).saturating_add(tool_use),
        cached_input: cached,
        audio_input: sound_in,
        output: candidates - sound_out,
        reasoning: thoughts,
        audio_output: sound_out,
        ..Tokens::default()
    })
}

/// Writes the value of `usageMetadata`.
pub fn write(writer: &mut Writer, tokens: &Tokens) {
    let candidates = tokens.output.saturating_add(tokens.audio_output);
    writer.open();
    writer.key("promptTokenCount").number(tokens.input_total());
    writer.key("candidatesTokenCount").number(candidates);
    writer.key("totalTokenCount").number(tokens.total());
    if tokens.cached_input > 0 {
        writer
            .key("cachedContentTokenCount")
            .number(tokens.cached_input);
    }
    if tokens.reasoning > 0 {
        writer.key("thoughtsTokenCount").number(tokens.reasoning);
    }
    let words_in = tokens.input_total().saturating_sub(tokens.audio_input);
    write_details(writer, "promptTokensDetails", words_in, tokens.audio_input);
    write_details(
        writer,
        "candidatesTokensDetails",
        tokens.output,
        tokens.audio_output,
    );
    writer.close();
}

/// Writes how many tokens are words and how many sound, if any are.
fn write_details(writer: &mut Writer, name: &str, words: u64, sound: u64) {
    if sound == 0 {
        return;
    }
    writer.key(name).open_array();
    for (modality, count) in [("TEXT", words), ("AUDIO", sound)] {
        writer.open().key("modality").text(modality);
        writer.key("tokenCount").number(count).close();
    }
    writer.close_array();
}

/// The tokens of sound in a list by modality.
fn sound(usage: &mut Members<'_>, name: &str) -> u64 {
    let listed = usage.list(name).ok().flatten().unwrap_or_default();
    let counts = listed.into_iter().filter_map(|raw| {
        let mut detail = Members::parse(raw).ok()?;
        let modality = detail.raw("modality").ok()??;
        // The number stands for the word where a client asks for numbers.
        let is_sound = object::text(modality).is_ok_and(|word| word == "AUDIO") || modality == "4";
        is_sound.then(|| detail.count("tokenCount").ok().flatten())?
    });
    counts.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_disjoint_and_come_back() {
        let raw = r#"{"promptTokenCount":100,"toolUsePromptTokenCount":7,"candidatesTokenCount":20,
            "thoughtsTokenCount":5,"totalTokenCount":132,"cachedContentTokenCount":60,
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":70},{"modality":"AUDIO","tokenCount":30}],
            "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":10}],
            "candidatesTokensDetails":[{"modality":4,"tokenCount":8}]}"#;
        let read = tokens(raw).unwrap();
        let expected = Tokens {
            input: 27,
            cached_input: 60,
            audio_input: 20,
            output: 12,
            reasoning: 5,
            audio_output: 8,
            ..Tokens::default()
        };
        assert_eq!(read, expected);
        assert_eq!(read.total(), 132);
        let mut writer = Writer::default();
        write(&mut writer, &read);
        let written = String::from_utf8(writer.into_bytes()).unwrap();
        assert_eq!(tokens(&written), Some(expected), "{written}");
    }

    #[test]
    fn a_missing_count_follows_from_the_total() {
        let cut = tokens(r#"{"promptTokenCount":4,"thoughtsTokenCount":12,"totalTokenCount":16}"#);
        assert_eq!(
            cut.map(|it| (it.input, it.output, it.reasoning)),
            Some((4, 0, 12))
        );
        let short = tokens(r#"{"promptTokenCount":4,"totalTokenCount":9}"#);
        assert_eq!(short.map(|it| (it.input, it.output)), Some((4, 5)));
        for nothing in ["{}", "null", "[]", r#"{"promptTokenCount":-1}"#] {
            assert_eq!(tokens(nothing), None, "{nothing}");
        }
    }
}
