//! Which trace a request is in: W3C Trace Context, read strictly and written.
//!
//! Knows ids and the header `traceparent`; knows nothing of what is traced. What is not well-formed is as if it were not
//! there, as the standard says.

use http::HeaderValue;

/// The header in which a trace is handed on.
pub const TRACEPARENT: &str = "traceparent";

/// How long the header is in the version that there is.
const LENGTH: usize = 55;

/// Where a span stands in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Which trace.
    pub trace: [u8; 16],
    /// Which span of it; never all zeroes.
    pub span: [u8; 8],
    /// Which span it is part of; all zeroes where of none.
    pub parent: [u8; 8],
}

/// What a client says of its own trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Which trace.
    pub trace: [u8; 16],
    /// Which span of it asks.
    pub span: [u8; 8],
    /// Whether the trace is recorded.
    pub sampled: bool,
}

// === impl Context ===

impl Context {
    /// A span within this one, with an id of its own.
    pub fn within(&self) -> Self {
        Self {
            trace: self.trace,
            span: span_id(),
            parent: self.span,
        }
    }

    /// What hands this span on as the parent of what comes next.
    pub fn header(&self) -> Option<HeaderValue> {
        let mut text = Vec::with_capacity(LENGTH);
        text.extend_from_slice(b"00-");
        hex(&self.trace, &mut text);
        text.push(b'-');
        hex(&self.span, &mut text);
        text.extend_from_slice(b"-01");
        HeaderValue::from_bytes(&text).ok()
    }
}

/// A new id of a span.
pub fn span_id() -> [u8; 8] {
    fastrand::u64(1..).to_be_bytes()
}

fn hex(bytes: &[u8], text: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
}

// === impl Parent ===

impl Parent {
    /// Reads the header; `None` where it is none.
    pub fn parse(header: &[u8]) -> Option<Self> {
        let (known, rest) = header.split_at_checked(LENGTH)?;
        let version = digits::<1>(known.get(0..2)?)?[0];
        // A later version may say more, behind another dash.
        let fits = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let dashes = [2, 35, 52].iter().all(|at| known.get(*at) == Some(&b'-'));
        if !fits || !dashes {
            return None;
        }
        let trace = digits::<16>(known.get(3..35)?)?;
        let span = digits::<8>(known.get(36..52)?)?;
        let flags = digits::<1>(known.get(53..55)?)?[0];
        let named = trace != [0; 16] && span != [0; 8];
        named.then_some(Self {
            trace,
            span,
            sampled: flags & 1 == 1,
        })
    }
}

/// So many bytes in small hex digits.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

const fn digit(text: u8) -> Option<u8> {
    match text {
        b'0'..=b'9' => Some(text - b'0'),
        b'a'..=b'f' => Some(text - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_written_is_read_again() {
        let parent = Parent::parse(GOOD.as_bytes()).unwrap();
        assert!(parent.sampled);
        let context = Context {
            trace: parent.trace,
            span: parent.span,
            parent: [0; 8],
        };
        assert_eq!(context.header().unwrap(), GOOD);
        let within = context.within();
        assert_eq!((within.trace, within.parent), (context.trace, context.span));
        assert_ne!(within.span, [0; 8]);
    }

    #[test]
    fn whatever_comes_is_read_as_it_stands_or_not_at_all() {
        for _ in 0..50_000 {
            let mut bytes = GOOD.as_bytes().to_vec();
            for _ in 0..fastrand::usize(..4) {
                let at = fastrand::usize(..bytes.len());
                match fastrand::u8(..3) {
                    0 => bytes[at] = fastrand::u8(..),
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b"0fF-g"[fastrand::usize(..5)]),
                }
            }
            if let Some(Parent { trace, span, .. }) = Parent::parse(&bytes) {
                let context = Context {
                    trace,
                    span,
                    parent: [0; 8],
                };
                let again = context.header().unwrap();
                assert_eq!(again.as_bytes()[3..52], bytes[3..52]);
            }
        }
    }

    #[test]
    fn what_is_not_well_formed_is_none() {
        let zero_trace = GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        let zero_span = GOOD.replace("00f067aa0ba902b7", &"0".repeat(16));
        let bad = [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-more"),
            &GOOD.to_uppercase(),
            &GOOD.replace('-', "_"),
            &GOOD.replacen("00", "ff", 1),
            &GOOD.replace('b', "g"),
            &zero_trace,
            &zero_span,
            &"0".repeat(100_000),
        ];
        for text in bad {
            assert_eq!(Parent::parse(text.as_bytes()), None, "{text:.80}");
        }
        // A later version may have more behind it.
        let later = GOOD.replacen("00", "01", 1) + "-more";
        assert!(Parent::parse(later.as_bytes()).is_some());
        let unsampled = GOOD.replace("-01", "-00");
        assert!(!Parent::parse(unsampled.as_bytes()).unwrap().sampled);
    }
}
