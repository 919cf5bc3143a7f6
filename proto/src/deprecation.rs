//! Deprecations between policy and bytes.

use std::sync::Arc;

use policy::{
    deprecation::{DEPRECATED_MAX, Deprecation, Endings},
    id::VersionId,
    model::Model,
};

use crate::{
    malformed::{InvalidObject, id, invalid},
    sync as wire,
};

pub(crate) fn policy(it: &Deprecation) -> wire::DeprecationPolicy {
    wire::DeprecationPolicy {
        from_seconds: it.from_seconds,
        sunset_seconds: it.sunset_seconds.unwrap_or(0),
        successor: it.successor.clone(),
    }
}

pub(crate) fn of_versions(model: &Model) -> Vec<wire::DeprecatedVersionPolicy> {
    let endings = model.endings.as_deref();
    let versions = endings.map_or(&[][..], |it| &it.versions);
    let one = |(id, it): &(VersionId, Arc<Deprecation>)| wire::DeprecatedVersionPolicy {
        version_id: id.as_bytes().to_vec(),
        deprecation: Some(policy(it)),
    };
    versions.iter().map(one).collect()
}

pub(crate) fn read(
    own: Option<wire::DeprecationPolicy>,
    versions: Vec<wire::DeprecatedVersionPolicy>,
) -> Result<Option<Box<Endings>>, InvalidObject> {
    if versions.len() > DEPRECATED_MAX {
        return Err(invalid("deprecated_versions are too many"));
    }
    let one = |it: wire::DeprecatedVersionPolicy| {
        let deprecation = it.deprecation.unwrap_or_default();
        Ok((id(&it.version_id, "version_id")?, of(deprecation)))
    };
    let versions = versions.into_iter().map(one);
    let endings = Endings {
        own: own.map(of),
        versions: versions.collect::<Result<_, InvalidObject>>()?,
    };
    Ok((!endings.is_nothing()).then(|| Box::new(endings)))
}

fn of(it: wire::DeprecationPolicy) -> Arc<Deprecation> {
    Arc::new(Deprecation {
        from_seconds: it.from_seconds,
        sunset_seconds: (it.sunset_seconds > 0).then_some(it.sunset_seconds),
        successor: it.successor,
    })
}
