//! Which limits concern a request, between the wire of operators and that of edges.
//!
//! Knows both messages; knows nothing of who is asked. What an edge says is bounded here, and what is no name is left out.

use domain::{
    name::{KeyName, LimitName, ModelName, ProviderName},
    segment::Slug,
    text,
    violation::Violations,
};
use policy::{calendar::Period, limit::Mode, region::Region};
use proto::{
    admin::{
        AppliedLimit, ExplainLimitsRequest, LimitMode, LimitProblem, LimitUnit, LimitWindow,
        RegionLimits,
    },
    sync::{Explain, ExplainProblem, Explained, ExplainedLimit},
};

use crate::asking::Told;

/// The most limits of one answer.
// Full: the others are left out, and the answer says so.
const LIMITS_MAX: usize = 100;

/// What is asked, checked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Whose requests.
    pub(crate) key: KeyName,
    /// For which model.
    pub(crate) model: ModelName,
    /// In which region alone.
    pub(crate) region: Option<Region>,
    end_user: String,
}

// === impl Asked ===

impl Asked {
    /// Reads a request.
    pub(crate) fn read(asked: &ExplainLimitsRequest) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let key = violations.take("key", KeyName::parse(&asked.key));
        let model = violations.take("model", ModelName::parse(&asked.model));
        let end_user = violations.take("end_user", text::end_user(&asked.end_user));
        let region = (!asked.region.is_empty()).then(|| Region::try_from(asked.region.as_str()));
        let region = region.map(|read| violations.take("region", read));
        if let (Some(key), Some(model)) = (&key, &model)
            && key.organization != model.organization
        {
            violations.add("model", "must be of the organization of the key");
        }
        match (key, model, end_user, violations.is_empty()) {
            (Some(key), Some(model), Some(end_user), true) => Ok(Self {
                key,
                model,
                region: region.flatten(),
                end_user,
            }),
            _ => Err(violations),
        }
    }

    /// The question to an edge.
    pub(crate) fn question(&self) -> Explain {
        Explain {
            number: 0,
            key_id: self.key.key.as_str().to_owned(),
            model: self.model.model.as_str().to_owned(),
            end_user: self.end_user.clone(),
            route: None,
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
        let organization = || self.key.organization.clone();
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
        ExplainProblem::Unspecified => LimitProblem::Unspecified,
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

fn duration(ms: u64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: number(ms / 1_000),
        nanos: i32::try_from(ms % 1_000 * 1_000_000).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
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
