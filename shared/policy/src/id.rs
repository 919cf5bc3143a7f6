//! Ids: sixteen bytes that never come back, one type for each noun.
//!
//! Knows nothing of how ids are drawn; the control plane draws UUIDv7s.

use std::fmt;

/// The text or bytes were not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 16 bytes, or 32 hex digits")
    }
}

impl std::error::Error for InvalidId {}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Takes sixteen bytes as an id.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The sixteen bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = InvalidId;

            fn try_from(bytes: &[u8]) -> Result<Self, InvalidId> {
                <[u8; 16]>::try_from(bytes).map(Self).map_err(|_| InvalidId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    )*};
}

ids! {
    /// Which organization.
    OrganizationId;
    /// Which project.
    ProjectId;
    /// Which provider.
    ProviderId;
    /// Which model.
    ModelId;
    /// Which version of a model.
    VersionId;
    /// Which rollout of a model.
    RolloutId;
    /// Which shadow of a model.
    ShadowId;
    /// Which limit.
    LimitId;
    /// Which issuer of clients' tokens.
    IssuerId;
    /// Which of an organization's own prices.
    PriceId;
    /// Which discount.
    DiscountId;
    /// Which count of a limit: of a limit that counts each member by itself, one for each member.
    CounterId;
    /// Which counts always concern the same requests, and so stand together.
    ShelfId;
}
