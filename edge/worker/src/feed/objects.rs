//! The objects of one lane as they will be in force, whichever lane it is.
//!
//! Knows how each lane is held and nothing of revisions, hashes or refusals. Configuration and secrets are
//! edited as a copy and published whole; keys one by one, or whole when they come from a snapshot.

use std::sync::Arc;

use policy::{
    change::Edit,
    credential::{Credential as Plain, Pepper},
    id::{LimitId, OrganizationId, ProviderId},
    object::{Kind, Lane, Object},
    revision::Revision,
    rules::Rules,
};
use zeroize::Zeroizing;

use crate::{
    feed::ledger::Name,
    in_force::{Credential, InForce, Secrets, Standing, Writer, keys::KeySet},
};

/// The objects of one lane, not in force yet.
pub enum Objects {
    /// Configuration.
    Config(Box<Rules>),
    /// Keys.
    Keys(KeySet),
    /// Secrets.
    Secrets(Secrets),
}

// === impl Objects ===

impl Objects {
    /// None, of this lane.
    pub fn none(lane: Lane) -> Self {
        match lane {
            Lane::Config => Self::Config(Box::default()),
            Lane::Keys => Self::Keys(KeySet::default()),
            Lane::Secrets => Self::Secrets(Secrets::default()),
        }
    }

    /// Adds or replaces an object. One of another lane changes nothing.
    pub fn put(&mut self, object: Object) {
        match (self, object) {
            (Self::Config(rules), object) => rules.apply(Edit::Upsert(object)),
            (Self::Keys(keys), Object::Key(key)) => keys.put(key),
            (Self::Secrets(secrets), Object::Credential(plain)) => {
                let provider = plain.provider;
                secrets
                    .credentials
                    .insert(provider, Arc::new(credential(plain)));
            }
            (Self::Secrets(secrets), Object::Pepper(pepper)) => {
                secrets
                    .peppers
                    .insert(pepper.version, Zeroizing::new(pepper.secret));
            }
            (Self::Keys(_) | Self::Secrets(_), _) => {}
        }
    }

    /// Takes an object out.
    pub fn take(&mut self, kind: Kind, key: &[u8]) {
        match (self, kind) {
            (Self::Config(rules), kind) => rules.apply(Edit::Delete {
                kind,
                key: key.to_vec(),
            }),
            (Self::Keys(keys), _) => {
                if let Ok(key_id) = std::str::from_utf8(key) {
                    keys.remove(key_id);
                }
            }
            (Self::Secrets(secrets), Kind::Credential) => {
                if let Ok(provider) = ProviderId::try_from(key) {
                    secrets.credentials.remove(&provider);
                }
            }
            (Self::Secrets(secrets), _) => {
                if let Ok(version) = <[u8; 4]>::try_from(key) {
                    secrets.peppers.remove(&u32::from_be_bytes(version));
                }
            }
        }
    }

    /// Closes an organization, because a limit of it could not be read and none stood before. If one did, it
    /// stays, and so does the organization.
    pub fn close(&mut self, limit: LimitId, organization: OrganizationId) {
        if let Self::Config(rules) = self
            && rules.object(Kind::Limit, limit.as_bytes()).is_none()
        {
            rules.close(limit, organization);
        }
    }

    /// Whether an object is among them.
    pub fn holds(&self, name: &Name) -> bool {
        match self {
            Self::Config(rules) => in_rules(rules, name).is_some(),
            Self::Keys(keys) => {
                std::str::from_utf8(&name.1).is_ok_and(|key_id| keys.contains(key_id))
            }
            Self::Secrets(secrets) => in_secrets(secrets, name).is_some(),
        }
    }

    /// Puts them in force, in place of all that the lane had.
    pub fn publish(self, writer: &mut Writer, revision: Revision) {
        match self {
            Self::Config(mut rules) => {
                rules.set_revision(revision);
                writer.publish_rules(*rules);
            }
            Self::Keys(keys) => writer.replace_keys(keys),
            Self::Secrets(secrets) => writer.publish_secrets(secrets),
        }
    }
}

/// The object of this lane that is in force now.
pub fn in_force(lane: Lane, in_force: &InForce, name: &Name) -> Option<Object> {
    match lane {
        Lane::Config => in_rules(&in_force.rules(), name),
        Lane::Keys => match in_force.standing(std::str::from_utf8(&name.1).ok()?)? {
            Standing::Active(key) => Some(Object::Key((*key).clone())),
            Standing::Revoked => None,
        },
        Lane::Secrets => in_secrets(&in_force.secrets(), name),
    }
}

fn in_rules(rules: &Rules, name: &Name) -> Option<Object> {
    rules.object(Kind::from_number(name.0)?, &name.1)
}

fn in_secrets(secrets: &Secrets, name: &Name) -> Option<Object> {
    if name.0 == Kind::Credential as u8 {
        let held = secrets
            .credentials
            .get(&ProviderId::try_from(&*name.1).ok()?)?;
        return Some(Object::Credential(Plain {
            provider: held.provider,
            secret: held.secret.to_vec(),
            allowed_origin: held.allowed_origin.clone(),
            exchange_origins: held.exchange_origins.clone(),
        }));
    }
    let version = u32::from_be_bytes(<[u8; 4]>::try_from(&*name.1).ok()?);
    let secret = secrets.peppers.get(&version)?;
    Some(Object::Pepper(Pepper {
        version,
        secret: **secret,
    }))
}

/// The same bytes, now wiped when dropped.
fn credential(plain: Plain) -> Credential {
    let Plain {
        provider,
        secret,
        allowed_origin,
        exchange_origins,
    } = plain;
    Credential {
        provider,
        secret: Zeroizing::new(secret),
        allowed_origin,
        exchange_origins,
    }
}
