//! The `usage` of an answer or of a chunk, in all the shapes that providers give it.
//!
//! Owns the arithmetic from overlapping counts to disjoint ones. Must never guess: what does not say how much
//! was used is no usage, because a usage of nothing would be free.

use std::{ops::Range, sync::LazyLock};

use memchr::memmem::FinderRev;
use payload::{
    json::{self, Fault},
    scalar,
};

use crate::{Finish, Tokens, tokens::Tier};

/// What the outermost object of an answer or a chunk says about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said {
    /// What was used.
    pub tokens: Option<Tokens>,
    /// Nothing but usage: `choices` is there and empty, `usage` is an object, and there is no error.
    pub usage_only: bool,
    /// It reports an error.
    pub error: bool,
    /// Why the first choice ended; only of chunks, whose choices are short.
    pub finish: Finish,
}

/// The longest choices of a chunk that says why they ended and generates nothing.
// Full: it is not looked into, and nobody knows why the answer ended.
const CHUNK_BYTES_MAX: usize = 1_024;

/// Made once: this is looked for in every chunk.
static FINISH_REASON: LazyLock<FinderRev<'static>> =
    LazyLock::new(|| FinderRev::new("\"finish_reason\""));

/// Reads the outermost object of an answer or a chunk. `None` if it is not one.
pub fn said(text: &str) -> Option<Said> {
    let mut said = Said::default();
    let (mut usage, mut groq_usage, mut no_choices) = (None, None, false);
    let mut tier = Tier::default();
    let read = json::members(text, |key, value| {
        let raw = &text[value];
        match scalar::string(key).as_deref() {
            Some("usage") if raw.starts_with('{') => usage = Some(raw),
            Some("x_groq") => groq_usage = member(raw, "usage").map(|place| &raw[place]),
            Some("service_tier") => tier = Tier::read(raw),
            Some("choices") => {
                no_choices = is_empty_array(raw);
                if raw.len() <= CHUNK_BYTES_MAX {
                    said.finish = finish(raw);
                }
            }
            Some("error") => said.error = !matches!(raw, "null" | "false" | "\"\"" | "{}"),
            Some("object") => said.error |= raw == "\"error\"",
            _ => {}
        }
        Ok::<_, Fault>(())
    });
    read.ok()?;
    said.usage_only = no_choices && usage.is_some() && !said.error;
    let tokens = usage
        .and_then(tokens)
        .or_else(|| groq_usage.and_then(tokens));
    said.tokens = tokens.map(|it| it.served(tier));
    Some(said)
}

/// Why choices say that they ended. It stands behind what was said, so the last such member is looked for; in words its
/// quotes would have a backslash before them.
fn finish(choices: &str) -> Finish {
    let Some(at) = FINISH_REASON.rfind(choices) else {
        return Finish::Unseen;
    };
    let value = choices
        .get(at + FINISH_REASON.needle().len()..)
        .unwrap_or_default();
    let value = value.trim_start().strip_prefix(':').unwrap_or_default();
    let word = value.trim_start().strip_prefix('"');
    match word.and_then(|it| it.split('"').next()) {
        Some("length" | "max_tokens" | "MAX_TOKENS" | "model_length") => Finish::Truncated,
        Some("content_filter" | "SAFETY" | "refusal") => Finish::Refused,
        None | Some("error" | "abort" | "insufficient_system_resource" | "pause_turn") => {
            Finish::Unseen
        }
        Some(_) => Finish::Whole,
    }
}

/// Reads a usage object. Cached tokens, those that a cache took and those of sound are among `prompt_tokens`; sound
/// and reasoning are among `completion_tokens`, unless the total shows that reasoning was counted beside them, as
/// xAI does. Sound that a cache served is counted as cached.
pub fn tokens(usage: &str) -> Option<Tokens> {
    let counts = Counts::read(usage)?;
    let completion = counts
        .completion
        .or_else(|| counts.total?.checked_sub(counts.prompt?));
    let prompt = counts
        .prompt
        .or_else(|| counts.total?.checked_sub(completion.unwrap_or(0)));
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    let (prompt, completion) = (prompt.unwrap_or(0), completion.unwrap_or(0));
    let cached = counts.cached.unwrap_or(0).min(prompt);
    let fresh = prompt - cached;
    let cache_write = counts.cache_write.unwrap_or(0).min(fresh);
    let audio_input = counts.audio_input.unwrap_or(0).min(fresh - cache_write);
    let reasoning = counts.reasoning.unwrap_or(0);
    let beside = prompt.saturating_add(completion).saturating_add(reasoning);
    let output = if counts.total == Some(beside) {
        completion
    } else {
        completion.saturating_sub(reasoning)
    };
    let audio_output = counts.audio_output.unwrap_or(0).min(output);
    Some(Tokens {
        input: fresh - cache_write - audio_input,
        cached_input: cached,
        cache_write,
        cache_write_hour: 0,
        audio_input,
        output: output - audio_output,
        reasoning,
        audio_output,
        ..Tokens::default()
    })
}

#[derive(Default)]
struct Counts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    audio_input: Option<u64>,
    reasoning: Option<u64>,
    audio_output: Option<u64>,
}

// === impl Counts ===

impl Counts {
    fn read(usage: &str) -> Option<Self> {
        let mut counts = Self::default();
        let (mut cached_elsewhere, mut reasoning_elsewhere) = (None, None);
        let mut written_elsewhere = None;
        let read = json::members(usage, |key, value| {
            let raw = &usage[value];
            let number = || scalar::whole_number(raw);
            match key {
                "\"prompt_tokens\"" => counts.prompt = number(),
                "\"completion_tokens\"" => counts.completion = number(),
                "\"total_tokens\"" => counts.total = number(),
                "\"prompt_tokens_details\"" => {
                    counts.cached = count(raw, "cached_tokens");
                    counts.cache_write = count(raw, "cache_write_tokens")
                        .or_else(|| count(raw, "cache_creation_tokens"));
                    counts.audio_input = count(raw, "audio_tokens");
                }
                "\"completion_tokens_details\"" => {
                    counts.reasoning = count(raw, "reasoning_tokens");
                    counts.audio_output = count(raw, "audio_tokens");
                }
                // Together's place for it, and DeepSeek's older name.
                "\"cached_tokens\"" | "\"prompt_cache_hit_tokens\"" => cached_elsewhere = number(),
                "\"reasoning_tokens\"" => reasoning_elsewhere = number(),
                // What proxies in front of Anthropic say.
                "\"cache_creation_input_tokens\"" => written_elsewhere = number(),
                _ => {}
            }
            Ok::<_, Fault>(())
        });
        read.ok()?;
        counts.cached = counts.cached.or(cached_elsewhere);
        counts.reasoning = counts.reasoning.or(reasoning_elsewhere);
        counts.cache_write = counts.cache_write.or(written_elsewhere);
        Some(counts)
    }
}

fn count(raw: &str, name: &str) -> Option<u64> {
    member(raw, name).and_then(|place| scalar::whole_number(&raw[place]))
}

/// Where the last member called `name` stands in `raw`, if that is an object.
fn member(raw: &str, name: &str) -> Option<Range<usize>> {
    let mut place = None;
    let read = json::members(raw, |key, value| {
        if scalar::string(key).as_deref() == Some(name) {
            place = Some(value);
        }
        Ok::<_, Fault>(())
    });
    read.ok()?;
    place
}

fn is_empty_array(raw: &str) -> bool {
    raw.strip_prefix('[')
        .is_some_and(|rest| rest.trim_start() == "]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(usage: &str) -> Option<[u64; 4]> {
        tokens(usage).map(|tokens| {
            [
                tokens.input,
                tokens.cached_input,
                tokens.output,
                tokens.reasoning,
            ]
        })
    }

    #[test]
    fn overlapping_counts_become_disjoint_ones() {
        let openai = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":30}}"#;
        assert_eq!(read(openai), Some([36, 64, 20, 30]));
        let deepseek = r#"{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":8}"#;
        assert_eq!(read(deepseek), Some([1, 8, 1, 0]));
        let together = r#"{"prompt_tokens":9,"completion_tokens":1,"cached_tokens":2}"#;
        assert_eq!(read(together), Some([7, 2, 1, 0]));
    }

    #[test]
    fn sound_and_what_a_cache_took_are_counted_apart() {
        let sound = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":10,"audio_tokens":60,"cache_write_tokens":20},
            "completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":30}}"#;
        let expected = Tokens {
            input: 10,
            cached_input: 10,
            cache_write: 20,
            cache_write_hour: 0,
            audio_input: 60,
            output: 15,
            reasoning: 5,
            audio_output: 30,
            ..Tokens::default()
        };
        assert_eq!(tokens(sound), Some(expected));
        assert_eq!(expected.total(), 150);
        let proxied =
            r#"{"prompt_tokens":9,"completion_tokens":1,"cache_creation_input_tokens":4}"#;
        assert_eq!(tokens(proxied).map(|tokens| tokens.cache_write), Some(4));
        let odd = r#"{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":9,"audio_tokens":9}}"#;
        assert_eq!(tokens(odd).map(|tokens| tokens.total()), Some(5));
    }

    #[test]
    fn reasoning_that_was_counted_beside_the_output_is_not_taken_off_it() {
        let xai = r#"{"prompt_tokens":37,"completion_tokens":530,"total_tokens":800,
            "completion_tokens_details":{"reasoning_tokens":233}}"#;
        assert_eq!(read(xai), Some([37, 0, 530, 233]));
    }

    #[test]
    fn parts_that_exceed_the_whole_make_it_empty_and_no_less() {
        let odd = r#"{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":5},
            "completion_tokens_details":{"reasoning_tokens":7}}"#;
        assert_eq!(read(odd), Some([0, 1, 0, 7]));
    }

    #[test]
    fn a_missing_count_follows_from_the_total_and_no_count_is_no_usage() {
        assert_eq!(
            read(r#"{"prompt_tokens":4,"total_tokens":9}"#),
            Some([4, 0, 5, 0])
        );
        assert_eq!(
            read(r#"{"completion_tokens":4,"total_tokens":9}"#),
            Some([5, 0, 4, 0])
        );
        assert_eq!(read(r#"{"total_tokens":9}"#), Some([9, 0, 0, 0]));
        for nothing in [
            "{}",
            r#"{"prompt_tokens":null}"#,
            r#"{"prompt_tokens":-1}"#,
            "[]",
            "null",
        ] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn an_answer_is_read_by_its_outermost_members_only() {
        let nested = r#"{"choices":[{"usage":{"prompt_tokens":1}}],"usage":null}"#;
        assert_eq!(said(nested), Some(Said::default()));
        let groq =
            said(r#"{"choices":[],"x_groq":{"usage":{"prompt_tokens":3}},"usage":null}"#).unwrap();
        assert_eq!(groq.tokens.map(|tokens| tokens.input), Some(3));
        assert!(!groq.usage_only);
    }

    #[test]
    fn a_chunk_with_an_error_is_never_usage_only() {
        let with = |rest: &str| {
            said(&format!(
                r#"{{"choices":[ ],"usage":{{"prompt_tokens":3}}{rest}}}"#
            ))
            .unwrap()
        };
        assert!(with("").usage_only);
        assert!(with(r#","error":null"#).usage_only);
        assert!(!with(r#","error":{"message":"x"}"#).usage_only);
        assert!(with(r#","error":"x""#).error);
    }
}
