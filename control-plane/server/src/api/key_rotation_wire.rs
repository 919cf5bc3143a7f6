//! Rotations and reports of keys between the wire and the store.
//!
//! Knows nothing of a key's text. Milliseconds are since 1970.

use domain::{
    name::{KeyName, OrganizationName, ProjectName},
    rotation::{self, Given, OVERLAP_MAX_MS, Rotation},
    violation::Violations,
};
use policy::revision::Revision;
use proto::admin;
use store::key_report::{Parent, Report};
use time::OffsetDateTime;

use crate::api::{key_wire, moment, span};

/// How long nobody must have used a key to call it unused, where nobody says.
const UNUSED_DEFAULT_MS: u64 = 90 * 24 * 3_600_000;

/// A rotation as an operator asks for it, checked.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Of which key.
    pub(crate) name: KeyName,
    /// The guard of the write.
    pub(crate) etag: String,
    /// How long the old secret goes on working; `None` means: as the project says.
    pub(crate) overlap_ms: Option<u64>,
}

/// Which keys are asked about: of whom, and since when nobody must have used them, as a span.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Whose.
    pub(crate) parent: Parent,
    /// For how long.
    pub(crate) unused_ms: u64,
}

/// Reads a request for a rotation.
pub(crate) fn wanted(asked: admin::RotateKeyRequest) -> Result<Wanted, Violations> {
    let mut violations = Violations::new();
    let name = violations.take("name", KeyName::parse(&asked.name));
    let overlap = asked.overlap.map(span::millis);
    let overlap_ms = overlap.and_then(|read| violations.take("overlap", read));
    if overlap_ms.is_some_and(|it| it > OVERLAP_MAX_MS) {
        violations.add("overlap", "must be at most 90 days");
    }
    match (name, violations.is_empty()) {
        (Some(name), true) => Ok(Wanted {
            name,
            etag: asked.etag,
            overlap_ms,
        }),
        _ => Err(violations),
    }
}

/// Reads what a report is asked about.
pub(crate) fn asked(asked: &admin::ReportKeysRequest) -> Result<Asked, Violations> {
    let mut violations = Violations::new();
    let parent = if asked.parent.split('/').count() > 2 {
        ProjectName::parse(&asked.parent).map(Parent::Project)
    } else {
        OrganizationName::parse(&asked.parent).map(Parent::Organization)
    };
    let parent = violations.take("parent", parent);
    let unused = asked.unused_for.map_or(Ok(UNUSED_DEFAULT_MS), span::millis);
    let unused_ms = violations.take("unused_for", unused);
    match (parent, unused_ms) {
        (Some(parent), Some(unused_ms)) => Ok(Asked { parent, unused_ms }),
        _ => Err(violations),
    }
}

/// A report as it is shown, at `now`.
pub(crate) fn report(report: Report, now: OffsetDateTime, now_ms: u64) -> admin::KeyReport {
    use admin::KeyFinding::{RotationOverdue, RotationSoon, TooOld, Unused};
    let past = |at: Option<OffsetDateTime>| at.is_some_and(|at| at <= now);
    let rotation = match (past(report.too_old_at), past(report.rotate_at)) {
        (true, _) => Some(TooOld),
        (false, true) => Some(RotationOverdue),
        (false, false) => past(report.warn_at).then_some(RotationSoon),
    };
    let findings = report.unused.then_some(Unused).into_iter().chain(rotation);
    admin::KeyReport {
        findings: findings.map(i32::from).collect(),
        rotate_time: report.rotate_at.map(moment::to_wire),
        too_old_time: report.too_old_at.map(moment::to_wire),
        key: Some(key_wire::wire(report.key, Revision(0), now_ms)),
    }
}

/// Reads a project's rule; `None` where it has none, or where `violations` say what is wrong with it.
pub(crate) fn rule(
    given: Option<admin::KeyRotation>,
    violations: &mut Violations,
) -> Option<Rotation> {
    const FIELD: &str = "project.key_rotation";
    let given = given?;
    let mut part = |name: &str, span: Option<prost_types::Duration>| {
        let read = span.map(span::millis);
        read.and_then(|read| violations.take(&format!("{FIELD}.{name}"), read))
    };
    let given = Given {
        period_ms: part("period", given.period),
        overlap_ms: part("overlap", given.overlap),
        warn_before_ms: part("warn_before", given.warn_before),
        age_max_ms: part("max_age", given.max_age),
    };
    rotation::read(FIELD, given, violations)
}

/// A project's rule as it is shown.
pub(crate) fn shown(rule: Rotation) -> admin::KeyRotation {
    admin::KeyRotation {
        period: rule.period_ms.map(span::to_wire),
        overlap: Some(span::to_wire(rule.overlap_ms)),
        warn_before: Some(span::to_wire(rule.warn_before_ms)),
        max_age: rule.age_max_ms.map(span::to_wire),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_with_a_rotation_is_told_at_once() {
        let days = |days: i64| prost_types::Duration {
            seconds: days * 86_400,
            nanos: 0,
        };
        let request = admin::RotateKeyRequest {
            name: "keys/one".to_owned(),
            overlap: Some(days(91)),
            ..Default::default()
        };
        let violations = wanted(request).unwrap_err().into_vec();
        let fields: Vec<_> = violations.into_iter().map(|it| it.field).collect();
        assert_eq!(fields, ["name", "overlap"]);
        let request = admin::ReportKeysRequest {
            parent: "acme".to_owned(),
            unused_for: Some(days(-1)),
            ..Default::default()
        };
        let violations = asked(&request).unwrap_err().into_vec();
        let fields: Vec<_> = violations.into_iter().map(|it| it.field).collect();
        assert_eq!(fields, ["parent", "unused_for"]);
    }
}
