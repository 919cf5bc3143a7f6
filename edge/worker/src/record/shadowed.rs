//! What a shadow has to do with a request: that it was copied, or that it is a copy.
//!
//! Plain facts; what follows from them is decided where the account is kept.

use policy::id::ShadowId;

/// What a shadow has to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shadowed {
    /// The shadow.
    pub shadow: ShadowId,
    /// Of which request it is a copy; `None` where it is a client's own, which was copied.
    pub copy_of: Option<[u8; 16]>,
}
