//! The one way to write a request down before it is signed, so that both sides sign the same.

use std::fmt::Write as _;

/// What is to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path as it is sent, its segments encoded once; see [`encode_segment`].
    pub path: &'a str,
    /// The query as it is sent, without `?`; may be empty.
    pub query: &'a str,
    /// The headers to sign, `host` among them. What hops may change is left out, such as `user-agent`, and so is what
    /// signing itself adds.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

/// What becomes of a path before it is encoded once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Path {
    /// Empty and dotted segments are taken out, as every service but the object store does.
    #[default]
    Normalized,
    /// It stays as it is.
    AsSent,
}

/// Never signed: a hop may change them, or signing adds them itself.
const UNSIGNED: [&str; 10] = [
    "authorization",
    "connection",
    "expect",
    "te",
    "transfer-encoding",
    "user-agent",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-amzn-trace-id",
];

/// Writes something, such as a model's id, as one segment of a path. Everything is encoded that could be taken for
/// more than a letter, `/` and `:` too.
pub fn encode_segment(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len() + 8);
    percent(&mut out, segment.as_bytes(), false);
    out
}

/// The headers to sign: names in lower case and sorted, values with single spaces. A name that comes twice has both
/// values, but for `host`, which a request has once.
pub(crate) fn headers(
    given: &[(&str, &str)],
    added: &[(&'static str, String)],
) -> Vec<(String, String)> {
    let given = given
        .iter()
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), *value))
        .filter(|(name, _)| !UNSIGNED.contains(&name.as_str()));
    let added = added
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_str()));
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in given.chain(added) {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        match headers.iter_mut().find(|(known, _)| *known == name) {
            None => headers.push((name, value)),
            Some(_) if name == "host" => {}
            Some((_, known)) => {
                known.push(',');
                known.push_str(&value);
            }
        }
    }
    headers.sort();
    headers
}

/// The names of the signed headers.
pub(crate) fn names(headers: &[(String, String)]) -> String {
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    names.join(";")
}

/// The whole request.
pub(crate) fn request(
    request: &Request<'_>,
    path: Path,
    headers: &[(String, String)],
    body_hash: &str,
) -> String {
    let mut out = String::with_capacity(512);
    out.push_str(request.method);
    out.push('\n');
    out.push_str(&canonical_path(request.path, path));
    out.push('\n');
    out.push_str(&canonical_query(request.query));
    out.push('\n');
    for (name, value) in headers {
        let _ = writeln!(out, "{name}:{value}");
    }
    let _ = write!(out, "\n{}\n{body_hash}", names(headers));
    out
}

fn canonical_path(path: &str, manner: Path) -> String {
    let mut out = String::with_capacity(path.len() + 32);
    match manner {
        Path::AsSent => percent(&mut out, path.as_bytes(), true),
        Path::Normalized => {
            let mut kept: Vec<&str> = Vec::new();
            for segment in path.split('/') {
                match segment {
                    "" | "." => {}
                    ".." => drop(kept.pop()),
                    segment => kept.push(segment),
                }
            }
            for segment in &kept {
                out.push('/');
                percent(&mut out, segment.as_bytes(), true);
            }
            if !kept.is_empty() && path.ends_with('/') {
                out.push('/');
            }
        }
    }
    if out.is_empty() {
        out.push('/');
    }
    out
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (again(name), again(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Encodes anew what may be encoded otherwise.
fn again(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|hex| str::from_utf8(hex).ok());
        let hex = hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let (b'%', Some(byte)) = (first, byte) {
            bytes.push(byte);
            rest = behind.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    let mut out = String::with_capacity(text.len());
    percent(&mut out, &bytes, false);
    out
}

fn percent(out: &mut String, bytes: &[u8], keep_slash: bool) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte));
            }
            b'/' if keep_slash => out.push('/'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_encoded_once_more_than_it_was_sent() {
        let sent = format!("/model/{}/converse", encode_segment("arn:aws:x/y"));
        assert_eq!(sent, "/model/arn%3Aaws%3Ax%2Fy/converse");
        assert_eq!(
            canonical_path(&sent, Path::Normalized),
            "/model/arn%253Aaws%253Ax%252Fy/converse"
        );
        assert_eq!(
            canonical_path("/test/@connections/JBDvjfGEIAMCERw%3D", Path::Normalized),
            "/test/%40connections/JBDvjfGEIAMCERw%253D"
        );
        assert_eq!(canonical_path("/a/./b//../c/", Path::Normalized), "/a/c/");
        assert_eq!(canonical_path("//a//", Path::AsSent), "//a//");
        assert_eq!(canonical_path("", Path::AsSent), "/");
        assert_eq!(canonical_path("/..", Path::Normalized), "/");
    }

    #[test]
    fn a_query_is_sorted_and_encoded_one_way() {
        assert_eq!(
            canonical_query("b=2&a=%7e&a=%2f&c&%zz"),
            "%25zz=&a=%2F&a=~&b=2&c="
        );
        assert_eq!(canonical_query(""), "");
    }

    #[test]
    fn host_stands_once_and_what_hops_change_does_not_stand() {
        let given = [
            ("Host", "h"),
            ("User-Agent", "x"),
            ("host", "h"),
            ("X-A", " 1  2 "),
            ("x-a", "3"),
            ("x-amz-date", "old"),
        ];
        let headers = headers(&given, &[("x-amz-date", "new".to_owned())]);
        assert_eq!(names(&headers), "host;x-a;x-amz-date");
        let values: Vec<&str> = headers.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["h", "1 2,3", "new"]);
    }
}
