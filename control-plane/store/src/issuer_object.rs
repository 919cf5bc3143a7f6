//! An issuer as edges are told of it.

use domain::{issuer::Checked, name::IssuerName};
use policy::{
    id::{IssuerId, OrganizationId},
    issuer::Issuer,
    object::Object,
    region::Audience,
    scope::{self, Scope},
};

use crate::{column, error::StoreError, named, write::Write};

/// Notes that the issuer stands so from now on.
pub(crate) async fn put(
    write: &mut Write,
    (id, organization, name): (IssuerId, OrganizationId, &IssuerName),
    it: &Checked,
) -> Result<(), StoreError> {
    let project = match &it.project {
        Some(name) => Some(named::project(write.connection(), name).await?.0),
        None => None,
    };
    let mut providers = Vec::with_capacity(it.scope.providers.len());
    for name in &it.scope.providers {
        let provider = named::provider(write.connection(), name).await?;
        providers.push(column::known(provider, "issuer_provider.provider")?);
    }
    let ranges = it.scope.ranges.iter().map(|text| scope::range(text));
    let issuer = Issuer {
        id,
        organization,
        name: name.issuer.to_string(),
        url: it.url.clone(),
        keys_url: it.keys_url.clone(),
        audiences: it.audiences.clone(),
        algorithms: it.algorithms.clone(),
        types: it.types.clone(),
        leeway_ms: it.leeway_ms,
        project,
        mapping: it.mapping.clone(),
        scope: Scope {
            models: it.scope.models.clone(),
            endpoints: it.scope.endpoints.clone(),
            providers,
            ranges: column::known(ranges.collect(), "issuer.ip_ranges")?,
            request_tokens_max: it.scope.request_tokens_max,
            ..Scope::default()
        },
        disabled: it.disabled,
    };
    write.put(Object::Issuer(Box::new(issuer)), Audience::everywhere());
    Ok(())
}
