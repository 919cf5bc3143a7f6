//! All that a family sends and takes, in one entry: the first byte says which kind, the second how.

use dialect::neutral::Family;

use crate::{answer, cuts, error, request, stream};

/// The kinds, in the order of the first byte.
pub const KINDS: [&str; 5] = ["request", "answer", "stream", "error", "framed"];

/// Statuses that providers fail with.
const STATUSES: [u16; 8] = [0, 200, 400, 401, 404, 429, 500, 529];

/// One input of a family.
pub fn check(family: Family, input: &[u8]) {
    let (kind, rest) = cuts::first(input);
    let (how, bytes) = cuts::first(rest);
    let text = str::from_utf8(bytes);
    match (KINDS[usize::from(kind) % KINDS.len()], text) {
        ("request", Ok(text)) => request::check(family, how, text),
        ("answer", _) => answer::check(family, how, bytes),
        ("stream", _) => stream::check(family, how, how, bytes),
        ("error", _) => error::check(family, STATUSES[usize::from(how) % STATUSES.len()], bytes),
        ("framed", Ok(text)) if family == Family::Converse => {
            stream::check(family, how, how, &stream::framed(text));
        }
        _ => {}
    }
}
