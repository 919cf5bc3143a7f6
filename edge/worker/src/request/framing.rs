//! How a body is framed, beyond what reading it needs.
//!
//! Knows one header; knows nothing of bodies. The server reads what is between chunks and passes over any coding before them,
//! which whoever stands before us may not have done: so nobody is served whose body was to be read otherwise first.

use http::{HeaderMap, header};

/// Whether the body is framed by its length or by chunks, and by nothing besides.
pub fn is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => only
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}
