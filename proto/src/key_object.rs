//! The wall where a key becomes bytes and bytes become a key.
//!
//! What a key is held to stands in a message of its own, and its tag with it: whoever does not know that message finds
//! no tag, and so no key without its bounds.

use policy::{
    glob::Glob,
    id::{ModelId, ProviderId},
    key::{Key, Labels, PreviousSecret},
    revision::Revision,
    scope::{self, Scope},
};

use crate::{
    malformed::{InvalidObject, digest, filled, id, invalid},
    sync as wire,
};

/// The key as a message.
pub(crate) fn encode(it: &Key) -> wire::KeyPolicy {
    let restriction = restriction(it);
    wire::KeyPolicy {
        key_id: it.key_id.clone(),
        organization_id: it.organization.as_bytes().to_vec(),
        project_id: it.project.as_bytes().to_vec(),
        tag: if restriction.is_some() {
            Vec::new()
        } else {
            it.tag.to_vec()
        },
        pepper_version: it.pepper_version,
        model_ids: it.models.iter().map(|id| id.as_bytes().to_vec()).collect(),
        expires_at_ms: it.expires_at_ms.unwrap_or(0),
        config_revision: it.config_revision.0,
        secret_created_at_ms: it.secret_created_at_ms,
        previous_secret: it.previous.as_deref().map(previous_secret),
        restriction,
        labels: labels(it),
    }
}

fn labels(it: &Key) -> Vec<wire::KeyLabel> {
    let labels = it.labels.iter().flat_map(|all| all.iter());
    let label = |(name, value): &(String, String)| wire::KeyLabel {
        name: name.clone(),
        value: value.clone(),
    };
    labels.map(label).collect()
}

/// The key that a message holds, checked.
pub(crate) fn decode(it: &wire::KeyPolicy) -> Result<Key, InvalidObject> {
    filled(&it.key_id, "key_id")?;
    let models = it
        .model_ids
        .iter()
        .map(|bytes| id::<ModelId>(bytes, "model_ids"));
    let previous = it.previous_secret.as_ref().map(read_previous_secret);
    let restriction = it.restriction.as_ref();
    let tag = restriction.map_or(&it.tag, |it| &it.tag);
    let scope = restriction.map(read_scope).transpose()?;
    Ok(Key {
        organization: id(&it.organization_id, "organization_id")?,
        project: id(&it.project_id, "project_id")?,
        tag: digest(tag, "tag")?,
        pepper_version: it.pepper_version,
        models: models.collect::<Result<_, _>>()?,
        expires_at_ms: (it.expires_at_ms > 0).then_some(it.expires_at_ms),
        config_revision: Revision(it.config_revision),
        secret_created_at_ms: it.secret_created_at_ms,
        previous: previous.transpose()?.map(Box::new),
        disabled: restriction.is_some_and(|it| it.disabled),
        scope: scope.filter(|it| *it != Scope::default()).map(Box::new),
        labels: read_labels(&it.labels),
        key_id: it.key_id.clone(),
    })
}

fn read_labels(labels: &[wire::KeyLabel]) -> Option<Box<Labels>> {
    let labels = labels.iter().map(|it| (it.name.clone(), it.value.clone()));
    let labels: Box<Labels> = labels.collect();
    (!labels.is_empty()).then_some(labels)
}

fn previous_secret(it: &PreviousSecret) -> wire::PreviousSecretPolicy {
    wire::PreviousSecretPolicy {
        tag: it.tag.to_vec(),
        pepper_version: it.pepper_version,
        created_at_ms: it.created_at_ms,
        expires_at_ms: it.expires_at_ms,
    }
}

fn read_previous_secret(it: &wire::PreviousSecretPolicy) -> Result<PreviousSecret, InvalidObject> {
    Ok(PreviousSecret {
        tag: digest(&it.tag, "previous_secret.tag")?,
        pepper_version: it.pepper_version,
        created_at_ms: it.created_at_ms,
        expires_at_ms: it.expires_at_ms,
    })
}

fn restriction(it: &Key) -> Option<wire::RestrictionPolicy> {
    if !it.disabled && it.scope.is_none() {
        return None;
    }
    let open = Scope::default();
    Some(wire::RestrictionPolicy {
        tag: it.tag.to_vec(),
        disabled: it.disabled,
        ..restricted(it.scope.as_deref().unwrap_or(&open))
    })
}

/// A scope as a message, without a tag.
pub(crate) fn restricted(scope: &Scope) -> wire::RestrictionPolicy {
    let providers = scope.providers.iter();
    wire::RestrictionPolicy {
        tag: Vec::new(),
        disabled: false,
        model_patterns: scope.models.iter().map(ToString::to_string).collect(),
        endpoints: scope.endpoints.clone(),
        provider_ids: providers.map(|id| id.as_bytes().to_vec()).collect(),
        ip_ranges: scope.ranges.iter().map(ToString::to_string).collect(),
        request_tokens_max: scope.request_tokens_max.unwrap_or(0),
    }
}

/// The scope that a message holds.
pub(crate) fn read_scope(it: &wire::RestrictionPolicy) -> Result<Scope, InvalidObject> {
    let models = it.model_patterns.iter().map(|text| Glob::parse(text));
    let models: Result<_, _> = models.collect();
    let providers = it
        .provider_ids
        .iter()
        .map(|bytes| id::<ProviderId>(bytes, "provider_ids"));
    let ranges: Option<_> = it.ip_ranges.iter().map(|text| scope::range(text)).collect();
    Ok(Scope {
        models: models.map_err(|_| invalid("model_patterns holds no pattern"))?,
        endpoints: it.endpoints.clone(),
        providers: providers.collect::<Result<_, _>>()?,
        ranges: ranges.ok_or_else(|| invalid("ip_ranges holds no range"))?,
        request_tokens_max: (it.request_tokens_max > 0).then_some(it.request_tokens_max),
        among: None,
    })
}

#[cfg(test)]
mod tests {
    use policy::id::{OrganizationId, ProjectId};

    use super::*;

    fn key() -> Key {
        Key {
            key_id: "one".to_owned(),
            organization: OrganizationId::from_bytes([1; 16]),
            project: ProjectId::from_bytes([2; 16]),
            tag: [3; 32],
            pepper_version: 1,
            secret_created_at_ms: 5,
            previous: Some(Box::new(PreviousSecret {
                tag: [4; 32],
                pepper_version: 1,
                created_at_ms: 4,
                expires_at_ms: 6,
            })),
            models: Vec::new(),
            disabled: false,
            scope: None,
            labels: Some(Box::new([("team".to_owned(), "search".to_owned())])),
            expires_at_ms: None,
            config_revision: Revision(7),
        }
    }

    #[test]
    fn a_key_comes_back_as_it_went() {
        let scope = Scope {
            models: vec![Glob::parse("gpt-*").unwrap()],
            endpoints: vec!["embeddings".to_owned()],
            providers: vec![ProviderId::from_bytes([5; 16])],
            ranges: vec![scope::range("10.0.0.0/8").unwrap()],
            request_tokens_max: Some(9),
            among: None,
        };
        let scoped = Key {
            scope: Some(Box::new(scope)),
            ..key()
        };
        let disabled = Key {
            disabled: true,
            ..key()
        };
        for key in [key(), scoped, disabled] {
            assert!(decode(&encode(&key)).unwrap() == key);
        }
    }

    #[test]
    fn who_does_not_know_what_a_key_is_held_to_finds_no_key() {
        let disabled = Key {
            disabled: true,
            ..key()
        };
        let mut message = encode(&disabled);
        message.restriction = None;
        assert!(decode(&message).is_err());
        let mut message = encode(&disabled);
        message.restriction.as_mut().unwrap().ip_ranges = vec!["everywhere".to_owned()];
        assert!(decode(&message).is_err());
    }
}
