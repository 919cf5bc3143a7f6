//! Trusts between the wire and the store: what is wanted, what is shown.

use domain::{
    name::TrustName,
    segment::Slug,
    trust::{self, Checked, ClaimPattern, GRANTS_MAX, Grant},
    violation::Violations,
};
use proto::admin;
use store::trust::Row;

use crate::api::{desk, moment, operator_key_wire, span};

/// A trust as it is wanted, checked.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) name: TrustName,
    /// All else.
    pub(crate) checked: Checked,
}

/// Reads a request for a new one.
pub(crate) fn wanted(asked: admin::CreateTrustRequest) -> Result<Wanted, Violations> {
    let given = desk::required(asked.trust, "trust")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", desk::keeper(&asked.parent));
    let organization = parent.map(|it| it.map(|it| it.organization));
    let id = violations.take("trust_id", Slug::parse(&asked.trust_id));
    let lifetime = given.lifetime.map(span::millis).transpose();
    let lifetime_ms = violations.take("trust.lifetime", lifetime).flatten();
    let keeper = organization.as_ref().and_then(Option::as_ref);
    let wanted = trust::Wanted {
        display_name: &given.display_name,
        url: &given.issuer_url,
        keys_url: &given.keys_url,
        audiences: &given.audiences,
        subject: &given.subject,
        claims: claims("trust.claims", &given.claims, &mut violations),
        grants: grants(&given.grants, keeper, &mut violations),
        lifetime_ms,
        client_id: &given.client_id,
        scopes: &given.scopes,
    };
    let checked = wanted.check(&mut violations);
    match (organization, id, checked, violations.is_empty()) {
        (Some(organization), Some(trust), Some(checked), true) => Ok(Wanted {
            name: TrustName {
                organization,
                trust,
            },
            checked,
        }),
        _ => Err(violations),
    }
}

/// The trust as it is shown.
pub(crate) fn wire(row: Row) -> admin::Trust {
    let it = row.checked;
    admin::Trust {
        name: row.name.to_string(),
        display_name: it.display_name,
        create_time: Some(moment::to_wire(row.created_at)),
        issuer_url: it.url,
        keys_url: it.keys_url,
        audiences: it.audiences,
        subject: it
            .subject
            .map_or_else(String::new, |it| it.as_str().to_owned()),
        claims: it.claims.iter().map(claim).collect(),
        grants: it.grants.iter().map(grant).collect(),
        lifetime: Some(span::to_wire(it.lifetime_ms)),
        client_id: it.client_id,
        scopes: it.scopes,
    }
}

fn claim(it: &ClaimPattern) -> admin::ClaimPattern {
    admin::ClaimPattern {
        claim: it.claim.clone(),
        pattern: it.pattern.as_str().to_owned(),
    }
}

fn grant(it: &Grant) -> admin::TrustGrant {
    admin::TrustGrant {
        role: it.binding.role.name(),
        scope: it.binding.at.to_string(),
        claims: it.claims.iter().map(claim).collect(),
    }
}

fn claims(
    field: &str,
    given: &[admin::ClaimPattern],
    violations: &mut Violations,
) -> Vec<ClaimPattern> {
    let given = given
        .iter()
        .map(|it| (it.claim.as_str(), it.pattern.as_str()));
    trust::claims(field, given, violations)
}

fn grants(
    given: &[admin::TrustGrant],
    keeper: Option<&Slug>,
    violations: &mut Violations,
) -> Vec<Grant> {
    let mut read = Vec::new();
    // More are refused by their number.
    for (at, grant) in given.iter().enumerate().take(GRANTS_MAX + 1) {
        let field = format!("trust.grants[{at}]");
        let binding = (grant.role.as_str(), grant.scope.as_str());
        let binding = operator_key_wire::binding(&field, binding, keeper, violations);
        let claims = claims(&format!("{field}.claims"), &grant.claims, violations);
        if let Some(binding) = binding {
            read.push(Grant { binding, claims });
        }
    }
    read
}
