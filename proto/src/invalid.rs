//! Why bytes are not an object of policy, and the checks that several objects share.

use std::fmt;

/// Why bytes are not an object. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidObject(String);

pub(crate) fn id<'a, T: TryFrom<&'a [u8]>>(
    bytes: &'a [u8],
    field: &str,
) -> Result<T, InvalidObject> {
    T::try_from(bytes).map_err(|_| InvalidObject(format!("{field} is not 16 bytes")))
}

pub(crate) fn digest(bytes: &[u8], field: &str) -> Result<[u8; 32], InvalidObject> {
    bytes
        .try_into()
        .map_err(|_| InvalidObject(format!("{field} is not 32 bytes")))
}

pub(crate) fn filled(text: &str, field: &str) -> Result<(), InvalidObject> {
    if text.is_empty() {
        Err(InvalidObject(format!("{field} is empty")))
    } else {
        Ok(())
    }
}

pub(crate) fn invalid(why: &str) -> InvalidObject {
    InvalidObject(why.to_owned())
}

impl fmt::Display for InvalidObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidObject {}
