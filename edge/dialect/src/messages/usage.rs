//! The `usage` of an answer or of an event.
//!
//! Owns the arithmetic: this family counts input beside what its cache read and wrote, and thinking within output.
//! Must never add up two reports of one answer: they are cumulative, and the later one wins.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{Tokens, messages::extras, neutral::Extra, tokens::Tier};

/// What was said so far, each count by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_minutes: Option<u64>,
    cache_write_hour: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    tier: Option<Tier>,
}

/// Reads a usage object. `None` if it says neither what went in nor what came out.
pub fn tokens(raw: &str) -> Option<Tokens> {
    Counts::read(raw, "", &mut Vec::new()).ok()?.tokens()
}

/// Writes a usage object.
pub fn write(writer: &mut Writer, tokens: &Tokens) {
    writer.open();
    members(writer, tokens);
    writer.close();
}

/// Writes its members into the object that is open.
pub(crate) fn members(writer: &mut Writer, tokens: &Tokens) {
    let written = tokens.cache_write.saturating_add(tokens.cache_write_hour);
    let input = tokens.input.saturating_add(tokens.audio_input);
    writer.key("input_tokens").number(input);
    writer.key("cache_creation_input_tokens").number(written);
    writer
        .key("cache_read_input_tokens")
        .number(tokens.cached_input);
    if written > 0 {
        writer.key("cache_creation").open();
        writer
            .key("ephemeral_5m_input_tokens")
            .number(tokens.cache_write);
        writer
            .key("ephemeral_1h_input_tokens")
            .number(tokens.cache_write_hour)
            .close();
    }
    writer.key("output_tokens").number(tokens.output_total());
    if tokens.reasoning > 0 {
        writer.key("output_tokens_details").open();
        writer
            .key("thinking_tokens")
            .number(tokens.reasoning)
            .close();
    }
}

// === impl Counts ===

impl Counts {
    /// Reads a usage object and keeps what it does not know. Of its inner objects only counts are read.
    pub(crate) fn read(raw: &str, prefix: &str, kept: &mut Vec<Extra>) -> Result<Self, Misfit> {
        let mut usage = Object::parse(raw)?;
        let mut counts = Self {
            input: usage.count("input_tokens")?,
            cache_read: usage.count("cache_read_input_tokens")?,
            cache_write: usage.count("cache_creation_input_tokens")?,
            output: usage.count("output_tokens")?,
            tier: usage.peek("service_tier").map(Tier::read),
            ..Self::default()
        };
        if let Some(mut split) = usage.object("cache_creation")? {
            counts.cache_write_minutes = split.count("ephemeral_5m_input_tokens")?;
            counts.cache_write_hour = split.count("ephemeral_1h_input_tokens")?;
        }
        if let Some(mut details) = usage.object("output_tokens_details")? {
            counts.thinking = details.count("thinking_tokens")?;
        }
        extras::keep(usage, prefix, kept);
        Ok(counts)
    }

    /// A later report of the same answer.
    pub(crate) fn merge(&mut self, later: Self) {
        self.input = later.input.or(self.input);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.cache_write_minutes = later.cache_write_minutes.or(self.cache_write_minutes);
        self.cache_write_hour = later.cache_write_hour.or(self.cache_write_hour);
        self.output = later.output.or(self.output);
        self.thinking = later.thinking.or(self.thinking);
        self.tier = later.tier.or(self.tier);
    }

    /// What they come to.
    pub(crate) fn tokens(&self) -> Option<Tokens> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let hour = self.cache_write_hour.unwrap_or(0);
        let split = hour.saturating_add(self.cache_write_minutes.unwrap_or(0));
        let written = self.cache_write.unwrap_or(0).max(split);
        let output = self.output.unwrap_or(0);
        let thinking = self.thinking.unwrap_or(0).min(output);
        Some(Tokens {
            input: self.input.unwrap_or(0),
            cached_input: self.cache_read.unwrap_or(0),
            cache_write: written - hour,
            cache_write_hour: hour,
            output: output - thinking,
            reasoning: thinking,
            tier: self.tier.unwrap_or_default(),
            ..Tokens::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_disjoint_and_the_split_of_the_cache_is_kept() {
        let raw = r#"{"input_tokens":3,"cache_creation_input_tokens":50,"cache_read_input_tokens":1000,
            "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},
            "output_tokens":106,"output_tokens_details":{"thinking_tokens":67},"service_tier":"standard"}"#;
        let expected = Tokens {
            input: 3,
            cached_input: 1000,
            cache_write: 20,
            cache_write_hour: 30,
            output: 39,
            reasoning: 67,
            ..Tokens::default()
        };
        assert_eq!(tokens(raw), Some(expected));
        assert_eq!(expected.input_total(), 1053);
        let mut writer = Writer::default();
        write(&mut writer, &expected);
        let written = String::from_utf8(writer.into_bytes()).unwrap();
        assert_eq!(tokens(&written), Some(expected));
    }

    #[test]
    fn without_a_split_all_is_written_for_minutes_and_nothing_is_no_usage() {
        let raw = r#"{"input_tokens":3,"cache_creation_input_tokens":50,"output_tokens":1}"#;
        assert_eq!(tokens(raw).map(|tokens| tokens.cache_write), Some(50));
        for nothing in [
            "{}",
            "[]",
            r#"{"input_tokens":null}"#,
            r#"{"input_tokens":"3"}"#,
        ] {
            assert_eq!(tokens(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_later_report_replaces_and_is_never_added() {
        let read = |raw| Counts::read(raw, "", &mut Vec::new()).unwrap();
        let mut counts =
            read(r#"{"input_tokens":25,"cache_read_input_tokens":7,"output_tokens":1}"#);
        counts.merge(read(r#"{"output_tokens":15,"input_tokens":null}"#));
        let tokens = counts.tokens().unwrap();
        assert_eq!(
            (tokens.input, tokens.cached_input, tokens.output),
            (25, 7, 15)
        );
    }
}
