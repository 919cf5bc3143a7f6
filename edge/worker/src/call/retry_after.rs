//! When a provider says that it is worth asking again, in whichever header it says so.
//!
//! Knows headers; knows nothing of bodies. Of several times the longest counts: one provider sent `retry-after: 1` beside
//! `retry-after-ms: 0`.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};

use crate::http_date;

/// The longest time that is believed, in milliseconds: a day.
const WAIT_MS_MAX: u64 = 86_400_000;

/// What is left, of how much, and when all is there again.
const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// How long to wait from `now_ms`, which is since 1970, in milliseconds.
pub fn retry_after_ms(headers: &HeaderMap, now_ms: u64) -> Option<u64> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let said = text(header::RETRY_AFTER.as_str())
        .and_then(|text| seconds(text).or_else(|| until(text, now_ms)));
    let fine = text("retry-after-ms").and_then(|text| {
        let seconds = text.parse::<f64>().ok()? / 1_000.0;
        milliseconds(seconds)
    });
    let used_up = [REQUESTS, TOKENS]
        .into_iter()
        .filter_map(|[left, _, reset]| {
            (text(left.as_str())? == "0").then(|| duration(text(reset.as_str())?))?
        });
    let said = said.max(fine).or_else(|| used_up.max());
    said.map(|ms| ms.min(WAIT_MS_MAX))
}

/// For how long nothing more should be sent to a provider which says with its answer that what it allows is used up: what
/// it takes until there is room for one more request like this one, of so many tokens. It names when all is there again.
pub fn used_up(headers: &HeaderMap, tokens: u64) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let wait = |[left, most, reset]: [HeaderName; 3], cost: u64| {
        if text(left)? != "0" {
            return None;
        }
        let most: u64 = text(most)?.parse().ok()?;
        let reset_ms = duration(text(reset)?)?;
        reset_ms.saturating_mul(cost.min(most)).checked_div(most)
    };
    let wait_ms = wait(REQUESTS, 1).max(wait(TOKENS, tokens));
    wait_ms.map(|ms| Duration::from_millis(ms.min(WAIT_MS_MAX)))
}

fn seconds(text: &str) -> Option<u64> {
    milliseconds(text.parse().ok()?)
}

fn milliseconds(seconds: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the number is not negative"
    )]
    (seconds >= 0.0).then_some((seconds * 1_000.0).ceil() as u64)
}

fn until(date: &str, now_ms: u64) -> Option<u64> {
    let date = http_date::read(date)?;
    let at_ms = u64::try_from(date.unix_timestamp())
        .ok()?
        .checked_mul(1_000)?;
    Some(at_ms.saturating_sub(now_ms))
}

/// `12ms`, `17.4s`, `6m0s`, or seconds alone.
fn duration(text: &str) -> Option<u64> {
    if let Some(plain) = seconds(text) {
        return Some(plain);
    }
    let (mut rest, mut total) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let (unit, factor) = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3_600.0)]
            .into_iter()
            .find(|(unit, _)| rest.starts_with(unit))?;
        rest = rest.get(unit.len()..)?;
        total = total.saturating_add(milliseconds(number * factor)?);
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_is_waited_for_as_long_as_one_more_takes() {
        for (left, expected) in [("0", Some(600)), ("1", None), ("00", None)] {
            let mut map = HeaderMap::new();
            map.insert("x-ratelimit-remaining-requests", left.parse().unwrap());
            map.insert("x-ratelimit-limit-requests", "100".parse().unwrap());
            map.insert("x-ratelimit-reset-requests", "1m0s".parse().unwrap());
            let wait = used_up(&map, 1_000).map(|wait| wait.as_millis());
            assert_eq!(wait, expected, "{left}");
            map.insert("x-ratelimit-remaining-tokens", left.parse().unwrap());
            map.insert("x-ratelimit-limit-tokens", "10000".parse().unwrap());
            map.insert("x-ratelimit-reset-tokens", "60".parse().unwrap());
            let wait = used_up(&map, 1_000).map(|wait| wait.as_millis());
            assert_eq!(wait, expected.map(|it| it * 10), "{left}");
        }
    }

    #[test]
    fn a_time_is_read_in_every_form_and_the_longest_counts() {
        let now_ms = 784_111_777_000 - 5_000;
        for (headers, expected) in [
            (&[("retry-after", "7")][..], Some(7_000)),
            (&[("retry-after", "0.5")], Some(500)),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")],
                Some(5_000),
            ),
            (&[("retry-after", "Sun, 06 Nov 1904 08:49:37 GMT")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "9999999999")], Some(WAIT_MS_MAX)),
            (&[("retry-after-ms", "250")], Some(250)),
            (
                &[("retry-after", "1"), ("retry-after-ms", "0")],
                Some(1_000),
            ),
            (
                &[
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "6m0.5s"),
                ],
                Some(360_500),
            ),
            (
                &[
                    ("x-ratelimit-remaining-requests", "4"),
                    ("x-ratelimit-reset-requests", "12ms"),
                ],
                None,
            ),
            (
                &[
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "12ms"),
                ],
                Some(12),
            ),
            (&[], None),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(HeaderName::from_static(name), value.parse().unwrap());
            }
            assert_eq!(retry_after_ms(&map, now_ms), expected, "{headers:?}");
        }
    }
}
