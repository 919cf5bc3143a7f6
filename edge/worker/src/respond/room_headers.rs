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

/// Adds what is left of each limit, and by `OpenAI`'s names what is left of the tightest limit of each kind.
pub fn show(headers: &mut HeaderMap, room: &Room) {
    let states = room.states();
    if states.is_empty() {
        return;
    }
    let (mut policy, mut left) = (
        String::with_capacity(BYTES_EACH * states.len()),
        String::with_capacity(BYTES_EACH * states.len()),
    );
    let (mut requests, mut tokens): (Option<&State>, Option<&State>) = (None, None);
    for state in states {
        add_policy(&mut policy, state);
        add_left(&mut left, state);
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
    if states.iter().any(|state| state.over) {
        let mut names = String::with_capacity(BYTES_EACH);
        for state in states.iter().filter(|state| state.over) {
            named(&mut names, state);
        }
        insert(headers, WARNING, names);
    }
    insert(headers, POLICY, policy);
    insert(headers, LEFT, left);
    for (state, names) in [(requests, REQUESTS), (tokens, TOKENS)] {
        let Some(state) = state else {
            continue;
        };
        let [limit_name, remaining_name, reset_name] = names;
        headers.insert(limit_name, state.amount.into());
        headers.insert(remaining_name, state.remaining.into());
        if let Some(reset_ms) = state.reset_ms {
            insert(headers, reset_name, duration(reset_ms));
        }
    }
}

/// Inserts a text, whose buffer becomes the header's own.
fn insert(headers: &mut HeaderMap, name: HeaderName, text: String) {
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
        headers.insert(name, value);
    }
}

/// `"rpm";q=60;w=60;qu="requests"`.
fn add_policy(text: &mut String, state: &State) {
    named(text, state);
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
fn add_left(text: &mut String, state: &State) {
    named(text, state);
    text.push_str(";r=");
    whole(text, state.remaining);
    if let Some(reset_ms) = state.reset_ms {
        text.push_str(";t=");
        whole(text, reset_ms.div_ceil(1_000));
    }
}

/// The name of a limit is letters, digits and `-`, and so needs no escapes.
fn named(text: &mut String, state: &State) {
    if !text.is_empty() {
        text.push_str(", ");
    }
    text.push('"');
    text.push_str(&state.limit.name);
    text.push('"');
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
