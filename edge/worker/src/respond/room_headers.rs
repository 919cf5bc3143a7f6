//! How much room is left, in the headers that `OpenAI`'s clients read and in those of the
//! IETF's draft, `RateLimit` and `RateLimit-Policy`.
//!
//! Knows names and notation; knows nothing of limits.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use policy::limit::Unit;

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
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const WARNING: HeaderName = HeaderName::from_static("x-sluice-limit-warning");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// About how much a limit takes in the longer of the two headers of the draft, in bytes.
const BYTES_EACH: usize = 64;

/// The most headers that one answer has of these.
const HEADERS_MAX: usize = 9;

/// Values of headers, one behind the other in one text that they share once it is whole: this runs for every answer.
struct Values {
    text: String,
    /// Of each header, where its value ends; it begins where the one before ends.
    ends: Vec<(HeaderName, usize)>,
}

/// Adds what is left of each limit, and by `OpenAI`'s names what is left of the tightest limit of each kind.
pub fn show(headers: &mut HeaderMap, room: &Room) {
    let states = room.states();
    if states.is_empty() {
        return;
    }
    let mut values = Values::with_capacity(2 * BYTES_EACH * (states.len() + 1));
    let (mut requests, mut tokens): (Option<&State>, Option<&State>) = (None, None);
    for state in states {
        add_policy(&mut values, state);
        let tightest = match state.limit.unit {
            Unit::Requests => &mut requests,
            Unit::Tokens | Unit::InputTokens | Unit::OutputTokens => &mut tokens,
            // Clients take those headers for so many in a window, which there is not, or know no money.
            Unit::ConcurrentRequests | Unit::MicroDollars => continue,
        };
        if tightest.is_none_or(|other| state.remaining < other.remaining) {
            *tightest = Some(state);
        }
    }
    values.end(POLICY);
    for state in states {
        add_left(&mut values, state);
    }
    values.end(LEFT);
    if states.iter().any(|state| state.over) {
        for state in states.iter().filter(|state| state.over) {
            named(&mut values, state);
        }
        values.end(WARNING);
    }
    for (state, names) in [(requests, REQUESTS), (tokens, TOKENS)] {
        let Some(state) = state else {
            continue;
        };
        let [limit_name, remaining_name, reset_name] = names;
        whole(&mut values.text, state.amount);
        values.end(limit_name);
        whole(&mut values.text, state.remaining);
        values.end(remaining_name);
        if let Some(reset_ms) = state.reset_ms {
            add_duration(&mut values.text, reset_ms);
            values.end(reset_name);
        }
    }
    values.insert_into(headers);
}

// === impl Values ===

impl Values {
    /// Room for so many bytes before anything moves.
    fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            ends: Vec::with_capacity(HEADERS_MAX),
        }
    }

    /// Whether nothing has been said of the next header.
    fn begins(&self) -> bool {
        self.text.len() == self.ends.last().map_or(0, |(_, end)| *end)
    }

    /// What was said since the last one is this header's value.
    fn end(&mut self, name: HeaderName) {
        self.ends.push((name, self.text.len()));
    }

    fn insert_into(self, headers: &mut HeaderMap) {
        let (text, mut from) = (Bytes::from(self.text), 0);
        for (name, end) in self.ends {
            if let Ok(value) = HeaderValue::from_maybe_shared(text.slice(from..end)) {
                headers.insert(name, value);
            }
            from = end;
        }
    }
}

/// `"rpm";q=60;w=60;qu="requests"`.
fn add_policy(values: &mut Values, state: &State) {
    named(values, state);
    let text = &mut values.text;
    text.push_str(";q=");
    whole(text, state.amount);
    if let Some(window_ms) = state.window_ms {
        text.push_str(";w=");
        whole(text, window_ms.div_ceil(1_000));
    }
    text.push_str(match state.limit.unit {
        Unit::Requests => ";qu=\"requests\"",
        Unit::Tokens => ";qu=\"tokens\"",
        Unit::InputTokens => ";qu=\"input-tokens\"",
        Unit::OutputTokens => ";qu=\"output-tokens\"",
        Unit::ConcurrentRequests => ";qu=\"concurrent-requests\"",
        Unit::MicroDollars => ";qu=\"micro-dollars\"",
    });
}

/// `"rpm";r=59;t=1`.
fn add_left(values: &mut Values, state: &State) {
    named(values, state);
    let text = &mut values.text;
    text.push_str(";r=");
    whole(text, state.remaining);
    if let Some(reset_ms) = state.reset_ms {
        text.push_str(";t=");
        whole(text, reset_ms.div_ceil(1_000));
    }
}

/// The name of a limit is letters, digits and `-`, and so needs no escapes.
fn named(values: &mut Values, state: &State) {
    let begins = values.begins();
    let text = &mut values.text;
    if !begins {
        text.push_str(", ");
    }
    text.push('"');
    text.push_str(&state.limit.name);
    text.push('"');
}

/// A duration as `OpenAI` writes it: `12ms`, `1.5s`, `6m0s`.
fn add_duration(text: &mut String, ms: u64) {
    let (minutes, seconds, rest) = (ms / 60_000, ms / 1_000 % 60, ms % 1_000);
    if minutes > 0 {
        whole(text, minutes);
        text.push('m');
    }
    if minutes == 0 && seconds == 0 {
        whole(text, rest);
        text.push_str("ms");
        return;
    }
    whole(text, seconds);
    if rest > 0 {
        text.push('.');
        for digit in [rest / 100, rest / 10 % 10, rest % 10] {
            whole(text, digit);
        }
        text.truncate(text.trim_end_matches('0').len());
    }
    text.push('s');
}

/// A whole number, without the machinery that formats anything: this runs for every answer.
fn whole(text: &mut String, number: u64) {
    text.push_str(itoa::Buffer::new().format(number));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_clients_read_them() {
        let texts = [0, 12, 1_000, 1_500, 17_399, 60_000, 366_040].map(|ms| {
            let mut text = String::new();
            add_duration(&mut text, ms);
            text
        });
        assert_eq!(
            texts,
            ["0ms", "12ms", "1s", "1.5s", "17.399s", "1m0s", "6m6.04s"]
        );
    }
}
