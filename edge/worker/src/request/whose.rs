//! Whose a request is, as its headers say; kept only where somebody asks for it.
//!
//! Knows names of headers; knows nothing of what is made of them.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header in which a client may say for whom it asks.
const END_USER: HeaderName = HeaderName::from_static("x-sluice-end-user");
/// The header in which a client may say to which of its sessions a request belongs.
const SESSION: HeaderName = HeaderName::from_static("x-sluice-session");

/// What the headers say of whose a request is.
#[derive(Clone)]
pub struct Whose {
    /// The end user.
    pub end_user: Option<HeaderValue>,
    /// The session.
    pub session: Option<HeaderValue>,
}

// === impl Whose ===

impl Whose {
    /// Takes it out of the headers. Boxed, because it is rare and would ride in the future of every request.
    pub fn take(headers: &mut HeaderMap) -> Option<Box<Self>> {
        let end_user = headers.remove(END_USER);
        let session = headers.remove(SESSION);
        if end_user.is_none() && session.is_none() {
            return None;
        }
        Some(Box::new(Self { end_user, session }))
    }
}
