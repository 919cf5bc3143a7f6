//! Which limits concern a request, between the wire of operators and that of edges.
//!
//! Knows both messages; knows nothing of who is asked. What an edge says is bounded here, and what is no name is left out.

use domain::{
    name::{LimitName, ProviderName},
    segment::Slug,
    violation::Violations,
};
use policy::{calendar::Period, limit::Mode};
use proto::{
    admin::{
        AppliedLimit, ExplainLimitsRequest, LimitMode, LimitProblem, LimitUnit, LimitWindow,
        RegionLimits,
    },
    sync::{Explain, ExplainProblem, Explained, ExplainedLimit},
};

use crate::{
    api::explained::{About, duration},
    asking::Told,
};

/// The most limits of one answer.
// Full: the others are left out, and the answer says so.
const LIMITS_MAX: usize = 100;

/// What is asked, checked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Whose requests for what.
    pub(crate) about: About,
}

// === impl Asked ===

impl Asked {
    /// Reads a request.
    pub(crate) fn read(asked: &ExplainLimitsRequest) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let fields = [&asked.key, &asked.model, &asked.end_user, &asked.region];
        match About::read(fields.map(String::as_str), &mut violations) {
            Some(about) if violations.is_empty() => Ok(Self { about }),
            _ => Err(violations),
        }
    }

    /// The question to an edge.
    pub(crate) fn question(&self) -> Explain {
        Explain {
            key_id: self.about.key.key.as_str().to_owned(),
            model: self.about.model.model.as_str().to_owned(),
            end_user: self.about.end_user.clone(),
            ..Explain::default()
        }
    }

    /// What an edge says, as operators see it.
    pub(crate) fn shown(&self, told: Told) -> RegionLimits {
        let region = told.region.to_string();
        let edge = format!("edges/{}", told.edge_id);
        let Some(explained) = told.explained else {
            return RegionLimits {
                region,
                edge,
                problem: LimitProblem::Silent.into(),
                ..RegionLimits::default()
            };
        };
        let problem = problem(&explained);
        let Explained {
            revision,
            mut limits,
            more,
            local_share,
            ..
        } = explained;
        let truncated = more || limits.len() > LIMITS_MAX;
        limits.truncate(LIMITS_MAX);
        RegionLimits {
            region,
            edge,
            problem: problem.into(),
            revision: number(revision),
            limits: limits.iter().filter_map(|it| self.limit(it)).collect(),
            truncated,
            local_share,
        }
    }

    fn limit(&self, it: &ExplainedLimit) -> Option<AppliedLimit> {
        let organization = || self.about.key.organization.clone();
        let limit = LimitName {
            organization: organization(),
            limit: Slug::parse(&it.name).ok()?,
        };
        let provider = (!it.provider.is_empty()).then(|| {
            Slug::parse(&it.provider).map(|provider| ProviderName {
                organization: organization(),
                provider,
            })
        });
        let provider = provider.transpose().ok()?;
        Some(AppliedLimit {
            limit: limit.to_string(),
            provider: provider.map(|name| name.to_string()).unwrap_or_default(),
            unit: unit(it.unit).into(),
            mode: mode(it.mode).into(),
            amount: number(it.amount),
            window: window(it).into(),
            burst: number(it.burst),
            remaining: it.remaining,
            reset: it.reset_ms.map(duration),
            share_millionths: it.share.and_then(|share| i32::try_from(share).ok()),
        })
    }
}

fn problem(explained: &Explained) -> LimitProblem {
    match explained.problem() {
        // These are of other questions than are asked here.
        ExplainProblem::Unspecified
        | ExplainProblem::Limit
        | ExplainProblem::Preferences
        | ExplainProblem::Retired => LimitProblem::Unspecified,
        ExplainProblem::Key => LimitProblem::KeyUnknown,
        ExplainProblem::Revoked => LimitProblem::KeyRevoked,
        ExplainProblem::Model => LimitProblem::ModelUnknown,
        ExplainProblem::Busy => LimitProblem::Busy,
        ExplainProblem::Forbidden => LimitProblem::KeyForbidden,
    }
}

/// The numbers of units are the same to edges and to operators.
fn unit(number: u32) -> LimitUnit {
    let number = i32::try_from(number).ok();
    let unit = number.and_then(|number| LimitUnit::try_from(number).ok());
    unit.unwrap_or_default()
}

fn mode(number: u32) -> LimitMode {
    match Mode::from_number(number) {
        Some(Mode::Hard) => LimitMode::Hard,
        Some(Mode::Soft) => LimitMode::Soft,
        Some(Mode::Shadow) => LimitMode::Shadow,
        Some(Mode::Strict) => LimitMode::Strict,
        None => LimitMode::Unspecified,
    }
}

fn window(it: &ExplainedLimit) -> LimitWindow {
    match (Period::from_number(it.period), it.window_ms) {
        (Some(Period::Day), _) => LimitWindow::Day,
        (Some(Period::Week), _) => LimitWindow::Week,
        (Some(Period::Month), _) => LimitWindow::Month,
        (Some(Period::Lifetime), _) => LimitWindow::Lifetime,
        (None, 1_000) => LimitWindow::Second,
        (None, 60_000) => LimitWindow::Minute,
        (None, 3_600_000) => LimitWindow::Hour,
        (None, _) => LimitWindow::Unspecified,
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use policy::region::Region;

    use super::*;

    fn asked(model: &str) -> Result<Asked, Violations> {
        Asked::read(&ExplainLimitsRequest {
            key: "organizations/acme/projects/web/keys/0aZ9bY8cX7dW".to_owned(),
            model: model.to_owned(),
            ..ExplainLimitsRequest::default()
        })
    }

    #[test]
    fn a_model_of_another_organization_is_refused() {
        let refused = asked("organizations/evil/models/chat").unwrap_err();
        assert_eq!(refused.into_vec()[0].field, "model");
        assert!(asked("organizations/acme/models/chat").is_ok());
    }

    #[test]
    fn what_an_edge_says_has_names_and_windows_and_a_bound() {
        let asked = asked("organizations/acme/models/chat").unwrap();
        let limit = ExplainedLimit {
            name: "rpm".to_owned(),
            provider: "main".to_owned(),
            unit: 1,
            mode: 2,
            period: 3,
            remaining: Some(-4),
            reset_ms: Some(1_500),
            ..ExplainedLimit::default()
        };
        let explained = Explained {
            limits: vec![limit; LIMITS_MAX + 1],
            ..Explained::default()
        };
        let shown = asked.shown(Told {
            edge_id: "edge-1".to_owned(),
            region: Region::try_from("here").unwrap(),
            explained: Some(explained),
        });
        assert!(shown.truncated && shown.limits.len() == LIMITS_MAX);
        let first = &shown.limits[0];
        assert_eq!(first.limit, "organizations/acme/limits/rpm");
        assert_eq!(first.provider, "organizations/acme/providers/main");
        assert_eq!(
            (first.unit(), first.mode(), first.window()),
            (LimitUnit::Requests, LimitMode::Soft, LimitWindow::Month)
        );
        assert_eq!(first.remaining, Some(-4));
        let reset = first.reset.unwrap();
        assert_eq!((reset.seconds, reset.nanos), (1, 500_000_000));
    }
}
