//! Why bytes are not an object of policy, and the checks that every object needs.
//!
//! Never holds a value.

use std::fmt;

/// Why bytes are not an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidObject(String);

impl InvalidObject {
    /// For this reason.
    pub(crate) const fn new(why: String) -> Self {
        Self(why)
    }
}

/// The id that these bytes are.
pub(crate) fn id<'a, T: TryFrom<&'a [u8]>>(
    bytes: &'a [u8],
    field: &str,
) -> Result<T, InvalidObject> {
    T::try_from(bytes).map_err(|_| InvalidObject(format!("{field} is not 16 bytes")))
}

/// The 32 bytes of a hash or a tag.
pub(crate) fn digest(bytes: &[u8], field: &str) -> Result<[u8; 32], InvalidObject> {
    bytes
        .try_into()
        .map_err(|_| InvalidObject(format!("{field} is not 32 bytes")))
}

/// A text that must say something.
pub(crate) fn filled(text: &str, field: &str) -> Result<(), InvalidObject> {
    if text.is_empty() {
        Err(InvalidObject(format!("{field} is empty")))
    } else {
        Ok(())
    }
}

/// For this reason.
pub(crate) fn invalid(why: &str) -> InvalidObject {
    InvalidObject(why.to_owned())
}

impl fmt::Display for InvalidObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidObject {}
