//! What is kept of a secret of a key, and told of it to edges.

/// A secret, as it is kept.
#[derive(Clone)]
pub struct Secret {
    /// SHA-256 of it, sealed.
    pub sha256_sealed: Vec<u8>,
    /// What edges compare.
    pub tag: [u8; 32],
    /// With which pepper the tag was made.
    pub pepper_version: u32,
}
