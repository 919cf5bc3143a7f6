//! Etags: what a writer sends back to say which state it saw.
//!
//! An etag holds the id of the thing, so that a thing made anew under an old name never matches.

use std::fmt::Write as _;

/// The etag of the state `version` of the thing `uid`.
pub fn etag(uid: &[u8; 16], version: i64) -> String {
    let mut text = String::with_capacity(32 + 20);
    // Writing to a string cannot fail.
    let _ = write!(text, "{:032x}.{version}", u128::from_be_bytes(*uid));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_differs_by_thing_and_by_state() {
        assert_ne!(etag(&[1; 16], 1), etag(&[1; 16], 2));
        assert_ne!(etag(&[1; 16], 1), etag(&[2; 16], 1));
        assert_eq!(etag(&[0; 16], 7), format!("{}.7", "0".repeat(32)));
    }
}
