//! When a model or a version is no longer to be used, and what is to be used instead.
//!
//! Reads no clock: the time is passed in.

use std::sync::Arc;

use crate::id::VersionId;

/// The most versions of a model that are deprecated at once.
pub const DEPRECATED_MAX: usize = 256;

/// When something is no longer to be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// From when nothing new is to use it, seconds since 1970.
    pub from_seconds: u64,
    /// From when nothing may use it; `None`: that is not known yet.
    pub sunset_seconds: Option<u64>,
    /// What is to be used instead, as clients name it: `model` or `model@version`. May be empty.
    pub successor: String,
}

/// What of a model is deprecated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endings {
    /// The model itself.
    pub own: Option<Arc<Deprecation>>,
    /// Versions of it; at most [`DEPRECATED_MAX`].
    pub versions: Vec<(VersionId, Arc<Deprecation>)>,
}

// === impl Deprecation ===

impl Deprecation {
    /// Whether nothing new is to use it.
    pub const fn has_begun(&self, now_ms: u64) -> bool {
        self.from_seconds <= now_ms / 1_000
    }

    /// Whether nothing may use it.
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.sunset_seconds.is_some_and(|it| it <= now_ms / 1_000)
    }

    /// Which of two ends first, by their sunsets, and where those are the same or unknown by their beginnings.
    fn order(&self) -> (u64, u64) {
        let sunset = self.sunset_seconds.unwrap_or(u64::MAX);
        (sunset, self.from_seconds)
    }
}

// === impl Endings ===

impl Endings {
    /// Whether nothing is deprecated.
    pub const fn is_nothing(&self) -> bool {
        self.own.is_none() && self.versions.is_empty()
    }

    /// The deprecation of one of the model's versions.
    pub fn of_version(&self, version: VersionId) -> Option<&Arc<Deprecation>> {
        let mut versions = self.versions.iter();
        versions.find(|(id, _)| *id == version).map(|(_, it)| it)
    }
}

/// Of what a model and the version that serves it are deprecated by, what ends first.
pub fn sooner<'a>(
    model: Option<&'a Arc<Deprecation>>,
    version: Option<&'a Arc<Deprecation>>,
) -> Option<&'a Arc<Deprecation>> {
    model.into_iter().chain(version).min_by_key(|it| it.order())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(from_seconds: u64, sunset_seconds: Option<u64>) -> Arc<Deprecation> {
        Arc::new(Deprecation {
            from_seconds,
            sunset_seconds,
            successor: String::new(),
        })
    }

    #[test]
    fn it_begins_and_is_over_at_its_moments() {
        let it = one(10, Some(20));
        assert!(!it.has_begun(9_999) && it.has_begun(10_000));
        assert!(!it.is_over(19_999) && it.is_over(20_000));
        assert!(!one(0, None).is_over(u64::MAX));
    }

    #[test]
    fn what_ends_first_is_told() {
        let (soon, late, open) = (one(5, Some(10)), one(1, Some(20)), one(0, None));
        assert_eq!(sooner(Some(&late), Some(&soon)), Some(&soon));
        assert_eq!(sooner(Some(&open), Some(&late)), Some(&late));
        assert_eq!(sooner(Some(&open), Some(&one(3, None))), Some(&open));
        assert_eq!(sooner(None, Some(&open)), Some(&open));
        assert_eq!(sooner(None, None), None);
    }
}
