//! The wall where an issuer becomes bytes and bytes become an issuer.
//!
//! Whether its expressions compile is not judged here: an edge that cannot compile one takes none of its tokens.

use policy::issuer::{AUDIENCES_MAX, Algorithm, Issuer, LEEWAY_MAX_MS, Mapping, TYPES_MAX};

use crate::{
    key_object,
    malformed::{InvalidObject, filled, id, invalid},
    sync as wire,
};

/// The issuer as a message.
pub(crate) fn policy(it: &Issuer) -> wire::IssuerPolicy {
    let project = it.project.as_ref();
    wire::IssuerPolicy {
        id: it.id.as_bytes().to_vec(),
        organization_id: it.organization.as_bytes().to_vec(),
        name: it.name.clone(),
        issuer_url: it.url.clone(),
        keys_url: it.keys_url.clone(),
        audiences: it.audiences.clone(),
        algorithms: it
            .algorithms
            .iter()
            .map(|it| it.name().to_owned())
            .collect(),
        token_types: it.types.clone(),
        leeway_ms: it.leeway_ms,
        project_id: project.map_or_else(Vec::new, |id| id.as_bytes().to_vec()),
        project_expression: it.mapping.project.clone(),
        condition: it.mapping.condition.clone(),
        end_user_expression: it.mapping.end_user.clone(),
        models_expression: it.mapping.models.clone(),
        request_tokens_max_expression: it.mapping.request_tokens_max.clone(),
        restriction: Some(wire::RestrictionPolicy {
            disabled: it.disabled,
            ..key_object::restricted(&it.scope)
        }),
    }
}

/// The issuer that a message holds, checked.
pub(crate) fn read(it: wire::IssuerPolicy) -> Result<Issuer, InvalidObject> {
    filled(&it.name, "name")?;
    filled(&it.issuer_url, "issuer_url")?;
    if !(1..=AUDIENCES_MAX).contains(&it.audiences.len())
        || it.audiences.iter().any(String::is_empty)
    {
        return Err(invalid("audiences are none, empty or too many"));
    }
    if it.token_types.len() > TYPES_MAX || it.leeway_ms > LEEWAY_MAX_MS {
        return Err(invalid("token_types or leeway_ms is out of bounds"));
    }
    let algorithms = it.algorithms.iter().map(|name| Algorithm::named(name));
    let algorithms: Option<Vec<_>> = algorithms.collect();
    let algorithms = algorithms.filter(|all| !all.is_empty());
    let restriction = it
        .restriction
        .ok_or_else(|| invalid("restriction is missing"))?;
    let project = if it.project_id.is_empty() {
        filled(&it.project_expression, "project_expression")?;
        None
    } else {
        Some(id(&it.project_id, "project_id")?)
    };
    Ok(Issuer {
        id: id(&it.id, "id")?,
        organization: id(&it.organization_id, "organization_id")?,
        name: it.name,
        url: it.issuer_url,
        keys_url: it.keys_url,
        audiences: it.audiences,
        algorithms: algorithms
            .ok_or_else(|| invalid("algorithms holds none, or one that is not known"))?,
        types: it.token_types,
        leeway_ms: it.leeway_ms,
        project,
        mapping: Mapping {
            condition: it.condition,
            project: it.project_expression,
            end_user: it.end_user_expression,
            models: it.models_expression,
            request_tokens_max: it.request_tokens_max_expression,
        },
        scope: key_object::read_scope(&restriction)?,
        disabled: restriction.disabled,
    })
}

#[cfg(test)]
mod tests {
    use policy::{
        glob::Glob,
        id::{IssuerId, OrganizationId, ProjectId},
        scope::Scope,
    };

    use super::*;

    fn issuer() -> Issuer {
        Issuer {
            id: IssuerId::from_bytes([1; 16]),
            organization: OrganizationId::from_bytes([2; 16]),
            name: "corp".to_owned(),
            url: "https://id.example".to_owned(),
            keys_url: String::new(),
            audiences: vec!["sluice".to_owned()],
            algorithms: vec![Algorithm::Es256],
            types: vec!["at+jwt".to_owned()],
            leeway_ms: 5_000,
            project: Some(ProjectId::from_bytes([3; 16])),
            mapping: Mapping {
                condition: "claims.ok".to_owned(),
                ..Mapping::default()
            },
            scope: Scope {
                models: vec![Glob::parse("chat*").unwrap()],
                ..Scope::default()
            },
            disabled: true,
        }
    }

    #[test]
    fn an_issuer_comes_back_as_it_went() {
        assert_eq!(read(policy(&issuer())).unwrap(), issuer());
    }

    #[test]
    fn an_issuer_that_would_hold_nothing_back_is_refused() {
        type Spoil = fn(&mut wire::IssuerPolicy);
        let spoils: [Spoil; 6] = [
            |it| it.audiences.clear(),
            |it| it.audiences.push(String::new()),
            |it| it.algorithms.clear(),
            |it| it.algorithms.push("HS256".to_owned()),
            |it| it.restriction = None,
            |it| it.project_id.clear(),
        ];
        for spoil in spoils {
            let mut message = policy(&issuer());
            spoil(&mut message);
            assert!(read(message).is_err());
        }
    }
}
