//! Deprecations between the wire and the store.

use domain::{
    deprecation::{self, Asked, Deprecation},
    segment::Slug,
    violation::Violations,
};
use proto::admin;

use crate::api::moment;

/// What is asked of what is called `name` in this organization; `None` takes it back.
pub(crate) fn read(
    organization: &Slug,
    name: &str,
    given: Option<&admin::Deprecation>,
) -> Result<Option<Deprecation>, Violations> {
    let Some(given) = given else { return Ok(None) };
    let at = |at: &prost_types::Timestamp| moment::millis(at).ok();
    let asked = Asked {
        from_ms: given.deprecate_time.as_ref().and_then(at),
        sunset_ms: given.sunset_time.as_ref().map(at),
        successor: &given.successor,
    };
    deprecation::check(organization, name, &asked).map(Some)
}

/// As the wire has it.
pub(crate) fn wire(it: &Deprecation) -> admin::Deprecation {
    let at = |ms| moment::from_millis(ms).ok().map(moment::to_wire);
    let successor = it.successor.as_ref().map(ToString::to_string);
    admin::Deprecation {
        deprecate_time: at(it.from_ms),
        sunset_time: it.sunset_ms.and_then(at),
        successor: successor.unwrap_or_default(),
    }
}
