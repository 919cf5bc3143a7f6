//! Which paths may be appended to a base URL.
//!
//! Strict on purpose: what one server reads as one segment, and another as two or as a step up, is refused, because
//! nobody here knows which server stands behind a base URL.

/// The longest name of a provider.
const NAME_BYTES_MAX: usize = 63;

/// Whether this is a provider's name as operators write it.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Whether a path, which begins with a slash, is read alike by everybody.
pub(crate) fn is_plain(path: &str) -> bool {
    let Some(path) = path.strip_prefix('/').filter(|path| !path.is_empty()) else {
        return false;
    };
    // A last slash is the resource's own business.
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').all(is_plain_segment)
}

fn is_plain_segment(segment: &str) -> bool {
    let Some(decoded) = decoded(segment) else {
        return false;
    };
    // Some servers cut a segment at its first `;` before they look for dots.
    let name = decoded.split(|byte| *byte == b';').next();
    let name = name.unwrap_or_default();
    !decoded.is_empty() && name != b"." && name != b".."
}

/// A segment's bytes. `None` where a byte may not stand there, or may not be encoded.
fn decoded(segment: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            let digits = str::from_utf8(digits).ok()?;
            let byte = digits
                .bytes()
                .all(|digit| digit.is_ascii_hexdigit())
                .then(|| u8::from_str_radix(digits, 16).ok())??;
            if matches!(byte, b'/' | b'\\' | b'%' | b'?' | b'#' | 0x7f | ..0x20) {
                return None;
            }
            decoded.push(byte);
            rest = after;
            continue;
        }
        let allowed = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
        decoded.push(allowed.then_some(byte)?);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_could_read_otherwise_is_refused() {
        for path in [
            "",
            "/",
            "//",
            "x",
            "/a//b",
            "//a",
            "/a/../b",
            "/..",
            "/a/.",
            "/%2e%2e/b",
            "/.%2E/b",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0ab",
            "/%252e%252e/a",
            "/..;x/a",
            "/.;/a",
            "/a%3fb",
            "/a%23",
            "/a%",
            "/a%2",
            "/a%+1",
            "/a b",
            "/ä",
            "/a?b",
            "/a\"",
        ] {
            assert!(!is_plain(path), "{path}");
        }
        for path in [
            "/files",
            "/files/",
            "/a.b/..c/...",
            "/m:generate",
            "/a%20b",
            "/arn%3Aaws",
            "/a@b,c=d;e",
        ] {
            assert!(is_plain(path), "{path}");
        }
        for (name, expected) in [
            ("openai", true),
            ("a-1", true),
            ("", false),
            ("A", false),
            ("a.b", false),
        ] {
            assert_eq!(is_name(name), expected);
        }
    }
}
