//! Takes a member out of a body, with its comma, and leaves every other byte as it is.
//!
//! Knows commas; knows nothing of what a member means.

use payload::{
    json::{self, Fault},
    scalar,
};

/// The object without the last member of this name. `None` where it has none.
pub(crate) fn without(object: &str, name: &str) -> Option<String> {
    let mut found = None;
    json::members(object, |key, value| {
        if scalar::string(key).as_deref() == Some(name) {
            found = object[..value.start].rfind(key).map(|from| from..value.end);
        }
        Ok::<_, Fault>(())
    })
    .ok()?;
    let place = found?;
    let (before, after) = (&object[..place.start], &object[place.end..]);
    // One comma goes with it: the one behind it, or of the last member the one before.
    if let Some(rest) = after.trim_start().strip_prefix(',') {
        return Some([before, rest].concat());
    }
    let before = before.trim_end();
    Some([before.strip_suffix(',').unwrap_or(before), after].concat())
}
