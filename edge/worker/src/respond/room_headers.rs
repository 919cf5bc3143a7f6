//! How much room is left, in the headers that `OpenAI`'s clients read.
//!
//! Knows names and notation; knows nothing of limits.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::admit::room::{Room, State};

const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// Adds what is left of each unit that a limit counts.
pub fn show(headers: &mut HeaderMap, room: &Room) {
    for (state, names) in [(room.requests, REQUESTS), (room.tokens, TOKENS)] {
        let Some(State {
            limit,
            remaining,
            reset_ms,
        }) = state
        else {
            continue;
        };
        let [limit_name, remaining_name, reset_name] = names;
        headers.insert(limit_name, limit.into());
        headers.insert(remaining_name, remaining.into());
        // One buffer, which becomes the header's own.
        if let Ok(reset) = HeaderValue::from_maybe_shared(Bytes::from(duration(reset_ms))) {
            headers.insert(reset_name, reset);
        }
    }
}

/// A duration as `OpenAI` writes it: `12ms`, `1.5s`, `6m0s`.
fn duration(ms: u64) -> String {
    let (minutes, seconds, rest) = (ms / 60_000, ms / 1_000 % 60, ms % 1_000);
    let mut text = String::with_capacity(24);
    if minutes > 0 {
        whole(&mut text, minutes);
        text.push('m');
    }
    if minutes == 0 && seconds == 0 {
        whole(&mut text, rest);
        text.push_str("ms");
        return text;
    }
    whole(&mut text, seconds);
    if rest > 0 {
        text.push('.');
        for digit in [rest / 100, rest / 10 % 10, rest % 10] {
            whole(&mut text, digit);
        }
        text.truncate(text.trim_end_matches('0').len());
    }
    text.push('s');
    text
}

/// A whole number, without the machinery that formats anything: this runs for every answer.
fn whole(text: &mut String, number: u64) {
    if number >= 10 {
        whole(text, number / 10);
    }
    text.push(char::from(b'0' + u8::try_from(number % 10).unwrap_or(0)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_clients_read_them() {
        let texts = [0, 12, 1_000, 1_500, 17_399, 60_000, 366_040].map(duration);
        assert_eq!(
            texts,
            ["0ms", "12ms", "1s", "1.5s", "17.399s", "1m0s", "6m6.04s"]
        );
    }
}
