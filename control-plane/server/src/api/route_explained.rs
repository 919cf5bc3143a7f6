//! Where a request would go, between the wire of operators and that of edges.
//!
//! Knows both messages; knows nothing of who is asked. What an edge says is bounded here, and what is no name is left out.

use std::collections::HashMap;

use domain::{
    capability,
    name::{ModelName, ProviderName, VersionName},
    segment::{ModelSlug, Slug},
    text,
    violation::Violations,
};
use policy::capability::Abilities;
use proto::{
    admin::{
        ExplainRouteRequest, OtherRoute, RegionRoute, RouteNote, RouteProblem, RouteRule,
        RouteTarget,
    },
    sync::{
        Explain, ExplainProblem, ExplainedTarget, OtherRouteExplained, RouteQuestion, TargetNote,
    },
};

use crate::{
    api::explained::{About, duration},
    asking::Told,
};

/// The most targets of one answer, and the most notes of one target.
// Full: the others are left out.
const TARGETS_MAX: usize = 100;
const NOTES_MAX: usize = 16;

/// The most headers and tags that may be supposed, and the longest name or value of one, in bytes.
// Full: the question is refused.
const HEADERS_MAX: usize = 64;
const TAGS_MAX: usize = 8;
const HEADER_BYTES_MAX: usize = 1_024;

/// The longest text of preferences, the longest word of what is wrong with them, in characters, and the most other models.
const PREFERENCES_MAX: usize = 4_096;
const WHY_MAX: usize = 1_024;
const OTHERS_MAX: usize = 8;

/// How many tokens go in where that is not said.
const INPUT_TOKENS: u64 = 1_000;

/// What is asked, checked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Whose requests for what.
    pub(crate) about: About,
    session: String,
    headers: HashMap<String, String>,
    tags: HashMap<String, String>,
    input_tokens: u64,
    preferences: String,
    abilities: Abilities,
    output_tokens_max: u64,
}

// === impl Asked ===

impl Asked {
    /// Reads a request.
    pub(crate) fn read(asked: &ExplainRouteRequest) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let fields = [&asked.key, &asked.model, &asked.end_user, &asked.region];
        let about = About::read(fields.map(String::as_str), &mut violations);
        let session = violations.take("session", text::end_user(&asked.session));
        bound("headers", &asked.headers, HEADERS_MAX, &mut violations);
        bound("tags", &asked.tags, TAGS_MAX, &mut violations);
        let input_tokens = match asked.input_tokens {
            0 => Ok(INPUT_TOKENS),
            other => u64::try_from(other).map_err(|_| "must not be negative"),
        };
        let input_tokens = violations.take("input_tokens", input_tokens);
        let output = u64::try_from(asked.output_tokens_max).map_err(|_| "must not be negative");
        let output_tokens_max = violations.take("output_tokens_max", output);
        let abilities = capability::abilities("abilities", &asked.abilities, &mut violations);
        let preferences = text::within(&asked.preferences, PREFERENCES_MAX);
        let preferences = violations.take("preferences", preferences.map(str::to_owned));
        match (about, session, violations.is_empty()) {
            (Some(about), Some(session), true) => Ok(Self {
                preferences: preferences.unwrap_or_default(),
                about,
                session,
                headers: lower(&asked.headers),
                tags: asked.tags.clone(),
                input_tokens: input_tokens.unwrap_or(INPUT_TOKENS),
                abilities: abilities.unwrap_or_default(),
                output_tokens_max: output_tokens_max.unwrap_or_default(),
            }),
            _ => Err(violations),
        }
    }

    /// The question to an edge.
    pub(crate) fn question(&self) -> Explain {
        Explain {
            key_id: self.about.key.key.as_str().to_owned(),
            model: self.about.model.model.as_str().to_owned(),
            end_user: self.about.end_user.clone(),
            route: Some(RouteQuestion {
                session: self.session.clone(),
                headers: self.headers.clone(),
                tags: self.tags.clone(),
                input_tokens: self.input_tokens,
                preferences: self.preferences.clone(),
                abilities: self.abilities.bits().into(),
                output_tokens_max: self.output_tokens_max,
            }),
            ..Explain::default()
        }
    }

    /// What an edge says, as operators see it.
    pub(crate) fn shown(&self, told: Told) -> RegionRoute {
        let mut shown = RegionRoute {
            region: told.region.to_string(),
            edge: format!("edges/{}", told.edge_id),
            problem: RouteProblem::Silent.into(),
            ..RegionRoute::default()
        };
        let Some(explained) = told.explained else {
            return shown;
        };
        if let Some(problem) = problem_of(explained.problem()) {
            shown.problem = problem.into();
            shown.why =
                text::within(&explained.why, WHY_MAX).map_or_else(|_| String::new(), str::to_owned);
            return shown;
        }
        let Some(route) = explained.route else {
            return shown;
        };
        shown.problem = RouteProblem::Unspecified.into();
        shown.revision = i64::try_from(explained.revision).unwrap_or(i64::MAX);
        let version = self.version(&route.model, &route.version);
        shown.version = version.unwrap_or_default();
        shown.stands_for = self.model(&route.stands_for).unwrap_or_default();
        shown.rule = i32::try_from(route.rule).unwrap_or_default();
        shown.targets = self.targets(&route.targets);
        let others = route.others.iter().take(OTHERS_MAX);
        shown.others = others.map(|it| self.other(it)).collect();
        shown
    }

    fn other(&self, it: &OtherRouteExplained) -> OtherRoute {
        let route = it.route.clone().unwrap_or_default();
        let version = self.version(&route.model, &route.version);
        OtherRoute {
            model: text::provider_model(&it.model).unwrap_or_default(),
            problem: problem_of(it.problem()).unwrap_or_default().into(),
            version: version.unwrap_or_default(),
            targets: self.targets(&route.targets),
        }
    }

    fn targets(&self, targets: &[ExplainedTarget]) -> Vec<RouteTarget> {
        let targets = (1..).zip(targets.iter().take(TARGETS_MAX));
        targets.map(|(place, it)| self.target(place, it)).collect()
    }

    fn model(&self, name: &str) -> Option<String> {
        let name = ModelName {
            organization: self.about.model.organization.clone(),
            model: ModelSlug::parse(name).ok()?,
        };
        Some(name.to_string())
    }

    fn version(&self, model: &str, name: &str) -> Option<String> {
        let name = VersionName {
            organization: self.about.model.organization.clone(),
            model: ModelSlug::parse(model).ok()?,
            version: Slug::parse(name).ok()?,
        };
        Some(name.to_string())
    }

    fn target(&self, place: i32, it: &ExplainedTarget) -> RouteTarget {
        let provider = Slug::parse(&it.provider).map(|provider| ProviderName {
            organization: self.about.key.organization.clone(),
            provider,
        });
        let provider_model = text::provider_model(&it.provider_model).unwrap_or_default();
        RouteTarget {
            provider: provider.map_or_else(|_| String::new(), |name| name.to_string()),
            provider_model,
            weight: i32::try_from(it.weight).unwrap_or(i32::MAX),
            place: if it.asked { place } else { 0 },
            notes: it.notes.iter().take(NOTES_MAX).map(note).collect(),
            under_way: it.under_way.into(),
            first_byte: it.first_ms.map(duration),
            tokens_per_second: it.tokens_per_second.and_then(|it| i64::try_from(it).ok()),
            weight_now: it.weight_now.filter(|it| it.is_finite()),
        }
    }
}

fn bound(field: &str, given: &HashMap<String, String>, most: usize, violations: &mut Violations) {
    if given.len() > most {
        violations.add(field, format!("must hold at most {most}"));
    }
    let is_long = |text: &String| text.len() > HEADER_BYTES_MAX;
    if given
        .iter()
        .any(|(name, value)| is_long(name) || is_long(value))
    {
        let why = format!("must hold names and values of at most {HEADER_BYTES_MAX} bytes");
        violations.add(field, why);
    }
}

fn lower(headers: &HashMap<String, String>) -> HashMap<String, String> {
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    headers.collect()
}

fn note(it: &TargetNote) -> RouteNote {
    // The numbers of rules are the same to edges and to operators.
    let rule = i32::try_from(it.rule).ok();
    let rule = rule.and_then(|number| RouteRule::try_from(number).ok());
    RouteNote {
        rule: rule.unwrap_or_default().into(),
        lasts: it.for_ms.map(duration),
    }
}

fn problem_of(problem: ExplainProblem) -> Option<RouteProblem> {
    Some(match problem {
        ExplainProblem::Unspecified => return None,
        ExplainProblem::Key => RouteProblem::KeyUnknown,
        ExplainProblem::Revoked => RouteProblem::KeyRevoked,
        ExplainProblem::Model => RouteProblem::ModelUnknown,
        ExplainProblem::Busy => RouteProblem::Busy,
        ExplainProblem::Forbidden => RouteProblem::KeyForbidden,
        ExplainProblem::Preferences => RouteProblem::Preferences,
        ExplainProblem::Retired => RouteProblem::Retired,
        // Of questions for one limit alone, which is not asked here.
        ExplainProblem::Limit => RouteProblem::Unspecified,
    })
}

#[cfg(test)]
mod tests {
    use policy::region::Region;
    use proto::sync::{Explained, RouteExplained};

    use super::*;

    fn asked(model: &str) -> Result<Asked, Violations> {
        Asked::read(&ExplainRouteRequest {
            key: "organizations/acme/projects/web/keys/0aZ9bY8cX7dW".to_owned(),
            model: model.to_owned(),
            ..ExplainRouteRequest::default()
        })
    }

    #[test]
    fn a_model_of_another_organization_is_refused() {
        let refused = asked("organizations/evil/models/chat").unwrap_err();
        assert_eq!(refused.into_vec()[0].field, "model");
    }

    #[test]
    fn what_an_edge_says_has_names_and_a_bound_and_one_that_does_not_know_the_question_is_silent() {
        let asked = asked("organizations/acme/models/chat").unwrap();
        let target = ExplainedTarget {
            provider: "main".to_owned(),
            provider_model: "gpt".to_owned(),
            notes: vec![TargetNote {
                rule: 3,
                for_ms: Some(1_500),
            }],
            ..ExplainedTarget::default()
        };
        let told = |route| Told {
            edge_id: "edge-1".to_owned(),
            region: Region::try_from("here").unwrap(),
            explained: Some(Explained {
                route,
                ..Explained::default()
            }),
        };
        let shown = asked.shown(told(Some(RouteExplained {
            model: "chat".to_owned(),
            version: "v1".to_owned(),
            rule: 0,
            targets: vec![target; TARGETS_MAX + 1],
            others: Vec::new(),
            stands_for: "chat".to_owned(),
        })));
        assert_eq!(shown.stands_for, "organizations/acme/models/chat");
        assert_eq!(shown.version, "organizations/acme/models/chat/versions/v1");
        assert_eq!(shown.targets.len(), TARGETS_MAX);
        let first = &shown.targets[0];
        assert_eq!(first.provider, "organizations/acme/providers/main");
        assert_eq!((first.place, first.notes[0].rule()), (0, RouteRule::Key));
        assert_eq!(asked.shown(told(None)).problem(), RouteProblem::Silent);
    }
}
