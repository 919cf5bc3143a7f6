//! Issuers between the wire and the store: what is wanted, what changes, what is shown.
//!
//! A change is laid over what stands, and the whole is checked as a new one would be: most fields mean something only
//! beside others.

use domain::{
    issuer::{self, Checked},
    key_scope::{self, Scope},
    name::{IssuerName, OrganizationName},
    segment::Slug,
    violation::Violations,
};
use policy::{id::IssuerId, issuer::Mapping, revision::Revision};
use proto::admin;
use store::{
    id,
    issuer::{New, Row},
};
use tonic::Status;

use crate::{
    api::{
        desk,
        mask::{Field, Mask},
        moment, span,
    },
    status,
};

/// An update of an issuer, before what it is laid over is known.
pub(crate) struct Change {
    /// Which issuer.
    pub(crate) name: IssuerName,
    /// The guard of the write.
    pub(crate) etag: String,
    mask: Mask,
    given: admin::Issuer,
}

/// Reads a request for a new issuer.
pub(crate) fn new(asked: admin::CreateIssuerRequest) -> Result<New, Violations> {
    let given = desk::required(asked.issuer, "issuer")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let slug = violations.take("issuer_id", Slug::parse(&asked.issuer_id));
    let Some(parent) = parent else {
        return Err(violations);
    };
    let checked = checked(&parent.organization, given, &mut violations);
    let (Some(issuer), Some(checked), true) = (slug, checked, violations.is_empty()) else {
        return Err(violations);
    };
    Ok(New {
        id: IssuerId::from_bytes(id::draw()),
        name: IssuerName {
            organization: parent.organization,
            issuer,
        },
        checked,
    })
}

/// The issuer as it is shown.
pub(crate) fn wire(row: Row, written: Revision) -> admin::Issuer {
    let etag = row.etag();
    let it = row.checked;
    let scope = it.scope;
    admin::Issuer {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        etag,
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        revision: desk::latest(row.revision, written),
        display_name: it.display_name,
        issuer_url: it.url,
        keys_url: it.keys_url,
        audiences: it.audiences,
        algorithms: it
            .algorithms
            .iter()
            .map(|it| it.name().to_owned())
            .collect(),
        token_types: it.types,
        leeway: Some(span::to_wire(it.leeway_ms)),
        project: it.project.map_or_else(String::new, |it| it.to_string()),
        project_expression: it.mapping.project,
        condition: it.mapping.condition,
        end_user_expression: it.mapping.end_user,
        models_expression: it.mapping.models,
        request_tokens_max_expression: it.mapping.request_tokens_max,
        model_patterns: scope.models.iter().map(ToString::to_string).collect(),
        endpoints: scope.endpoints,
        providers: scope.providers.iter().map(ToString::to_string).collect(),
        ip_ranges: scope.ranges,
        request_tokens_max: i64::try_from(scope.request_tokens_max.unwrap_or(0))
            .unwrap_or(i64::MAX),
        disabled: it.disabled,
    }
}

fn checked(
    organization: &Slug,
    given: admin::Issuer,
    violations: &mut Violations,
) -> Option<Checked> {
    let leeway_ms = given.leeway.map(span::millis).transpose();
    let leeway_ms = violations.take("issuer.leeway", leeway_ms)?;
    let wanted = issuer::Wanted {
        organization,
        display_name: &given.display_name,
        url: &given.issuer_url,
        keys_url: &given.keys_url,
        audiences: &given.audiences,
        algorithms: &given.algorithms,
        types: &given.token_types,
        leeway_ms,
        project: &given.project,
        scope: scope(organization, &given, violations),
        mapping: Mapping {
            condition: given.condition,
            project: given.project_expression,
            end_user: given.end_user_expression,
            models: given.models_expression,
            request_tokens_max: given.request_tokens_max_expression,
        },
        disabled: given.disabled,
    };
    wanted.check(violations)
}

/// What tokens open at most, in the words for keys.
fn scope(organization: &Slug, given: &admin::Issuer, violations: &mut Violations) -> Scope {
    let mut found = Violations::new();
    let tokens = u64::try_from(given.request_tokens_max);
    if tokens.is_err() {
        found.add("key.request_tokens_max", "must not be negative");
    }
    let scope = Scope {
        models: key_scope::patterns(&given.model_patterns, &mut found),
        endpoints: key_scope::endpoints(&given.endpoints, &mut found),
        providers: key_scope::providers(organization, &given.providers, &mut found),
        regions: Vec::new(),
        ranges: key_scope::ranges(&given.ip_ranges, &mut found),
        request_tokens_max: tokens.ok().filter(|it| *it > 0),
    };
    for it in found.into_vec() {
        let field = it.field.strip_prefix("key.").unwrap_or(&it.field);
        violations.add(format!("issuer.{field}"), it.description);
    }
    scope
}

// === impl Change ===

impl Change {
    /// Reads a request for an update.
    pub(crate) fn read(asked: admin::UpdateIssuerRequest) -> Result<Self, Violations> {
        let given = desk::required(asked.issuer, "issuer")?;
        let fields = [
            Field::changes("display_name", !given.display_name.is_empty()),
            Field::fixed("issuer_url"),
            Field::changes("keys_url", !given.keys_url.is_empty()),
            Field::changes("audiences", !given.audiences.is_empty()),
            Field::changes("algorithms", !given.algorithms.is_empty()),
            Field::changes("token_types", !given.token_types.is_empty()),
            Field::changes("leeway", given.leeway.is_some()),
            Field::changes("project", !given.project.is_empty()),
            Field::changes("project_expression", !given.project_expression.is_empty()),
            Field::changes("condition", !given.condition.is_empty()),
            Field::changes("end_user_expression", !given.end_user_expression.is_empty()),
            Field::changes("models_expression", !given.models_expression.is_empty()),
            Field::changes(
                "request_tokens_max_expression",
                !given.request_tokens_max_expression.is_empty(),
            ),
            Field::changes("model_patterns", !given.model_patterns.is_empty()),
            Field::changes("endpoints", !given.endpoints.is_empty()),
            Field::changes("providers", !given.providers.is_empty()),
            Field::changes("ip_ranges", !given.ip_ranges.is_empty()),
            Field::changes("request_tokens_max", given.request_tokens_max != 0),
            Field::changes("disabled", given.disabled),
        ];
        let mut violations = Violations::new();
        let mask = Mask::read(asked.update_mask, &fields, &mut violations);
        let name = violations.take("issuer.name", IssuerName::parse(&given.name));
        let (Some(mask), Some(name)) = (mask, name) else {
            return Err(violations);
        };
        Ok(Self {
            name,
            etag: given.etag.clone(),
            mask,
            given,
        })
    }

    /// Makes the change.
    pub(crate) fn apply(self, row: &mut Row) -> Result<(), Status> {
        let Self {
            mask: m, given: g, ..
        } = self;
        let was = wire(row.clone(), Revision(0));
        let laid = admin::Issuer {
            display_name: m.pick("display_name", g.display_name).or(was.display_name),
            keys_url: m.pick("keys_url", g.keys_url).or(was.keys_url),
            audiences: m.pick("audiences", g.audiences).or(was.audiences),
            algorithms: m.pick("algorithms", g.algorithms).or(was.algorithms),
            token_types: m.pick("token_types", g.token_types).or(was.token_types),
            leeway: m.pick("leeway", g.leeway).or(was.leeway),
            project: m.pick("project", g.project).or(was.project),
            project_expression: m
                .pick("project_expression", g.project_expression)
                .or(was.project_expression),
            condition: m.pick("condition", g.condition).or(was.condition),
            end_user_expression: m
                .pick("end_user_expression", g.end_user_expression)
                .or(was.end_user_expression),
            models_expression: m
                .pick("models_expression", g.models_expression)
                .or(was.models_expression),
            request_tokens_max_expression: m
                .pick(
                    "request_tokens_max_expression",
                    g.request_tokens_max_expression,
                )
                .or(was.request_tokens_max_expression),
            model_patterns: m
                .pick("model_patterns", g.model_patterns)
                .or(was.model_patterns),
            endpoints: m.pick("endpoints", g.endpoints).or(was.endpoints),
            providers: m.pick("providers", g.providers).or(was.providers),
            ip_ranges: m.pick("ip_ranges", g.ip_ranges).or(was.ip_ranges),
            request_tokens_max: m
                .pick("request_tokens_max", g.request_tokens_max)
                .or(was.request_tokens_max),
            disabled: m.pick("disabled", g.disabled).or(was.disabled),
            issuer_url: was.issuer_url,
            ..Default::default()
        };
        let mut violations = Violations::new();
        let checked = checked(&row.name.organization, laid, &mut violations);
        row.checked = checked.ok_or_else(|| status::invalid(violations))?;
        Ok(())
    }
}
