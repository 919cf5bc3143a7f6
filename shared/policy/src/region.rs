//! Where an edge stands, and which edges an object is for.

use std::fmt;

/// The name of a region: lower-case letters, digits and `-`, 1 to 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(String);

/// The text is not the name of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidRegion;

/// For which regions an object is. No regions means: for every one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audience(Vec<Region>);

// === impl Region ===

impl Region {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Region {
    type Error = InvalidRegion;

    fn try_from(text: &str) -> Result<Self, InvalidRegion> {
        let fits = (1..=63).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRegion)
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a region is 1 to 63 lower-case letters, digits and `-`")
    }
}

impl std::error::Error for InvalidRegion {}

// === impl Audience ===

impl Audience {
    /// Everybody.
    pub const fn everywhere() -> Self {
        Self(Vec::new())
    }

    /// Only these regions; none means everywhere. Sorted, each once.
    pub fn only(mut regions: Vec<Region>) -> Self {
        regions.sort();
        regions.dedup();
        Self(regions)
    }

    /// Whether an edge of `region` may see the object.
    pub fn includes(&self, region: &Region) -> bool {
        self.0.is_empty() || self.0.contains(region)
    }

    /// The regions; empty means everywhere.
    pub fn regions(&self) -> &[Region] {
        &self.0
    }
}
