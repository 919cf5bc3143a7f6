//! One change, read and checked: where bytes of the control plane become something to apply.
//!
//! Knows the caps and the decoders; changes nothing. Whatever the bytes, the result is a step: one that cannot
//! be taken says why, without a value in the words.

use std::panic::{AssertUnwindSafe, catch_unwind};

use policy::{
    change::Operation,
    id::{LimitId, OrganizationId},
    object::{Kind, Lane, Object},
    revision::Revision,
    scope::{self, Scope},
};
use proto::{message, object, sync as wire};
use zeroize::Zeroize;

use crate::feed::{ledger::Name, revocation::Revocation};

/// The longest key of an object, in bytes.
const KEY_BYTES_MAX: usize = 256;
/// The longest value of an object, in bytes; checked before it is decoded.
const VALUE_BYTES_MAX: usize = 256 * 1024;
/// The longest text in an object, in bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// The most targets of a version.
const TARGETS_MAX: usize = 64;
/// The most models that a key names.
const MODELS_MAX: usize = 10_000;
/// The most origins at which a credential may be exchanged.
const ORIGINS_MAX: usize = 64;
/// The longest credential, in bytes.
const SECRET_BYTES_MAX: usize = 16 * 1024;

/// One change, checked.
#[derive(Debug)]
pub struct Step {
    /// Which object.
    pub name: Name,
    /// The number of the change.
    pub revision: Revision,
    /// What to do.
    pub act: Act,
}

/// What to do with one object.
#[derive(Debug)]
pub enum Act {
    /// Put it in force.
    Put(Object),
    /// Take it out.
    Take(Kind),
    /// Revoke the key, for ever.
    Revoke(Revocation),
    /// It is of a kind that this build need not know.
    PassOver {
        /// Whether it is gone.
        gone: bool,
    },
    /// It cannot be taken; what stood before stays.
    Refuse {
        /// Why, without values.
        why: String,
        /// The limit that could not be read, and whose it is, so that its organization can be closed.
        closes: Option<(LimitId, OrganizationId)>,
    },
}

impl Step {
    /// Reads a change of `lane`. Wipes the value of a secret.
    pub fn read(lane: Lane, mut change: wire::Change) -> Self {
        // Where: a decoder that panics on some bytes must cost one object, not the process. Nothing of ours is
        // half-changed by it, since reading changes nothing.
        let read = catch_unwind(AssertUnwindSafe(|| act(lane, &change)));
        let act = match read {
            Ok(Ok(act)) => act,
            Ok(Err(why)) => Act::Refuse {
                why,
                closes: closes(&change),
            },
            Err(_) => Act::Refuse {
                why: "reading it panicked".to_owned(),
                closes: None,
            },
        };
        if lane == Lane::Secrets {
            change.value.zeroize();
        }
        // A number above 255 has no place in the hash, and is refused by `act`; zero is no kind of ours.
        let kind = u8::try_from(change.kind).unwrap_or(0);
        Self {
            name: (kind, change.key.into()),
            revision: Revision(change.revision),
            act,
        }
    }
}

fn act(lane: Lane, change: &wire::Change) -> Result<Act, String> {
    let number = u8::try_from(change.kind).ok().filter(|number| *number > 0);
    let number = number.ok_or("the number of its kind is out of range")?;
    if change.key.is_empty() || change.key.len() > KEY_BYTES_MAX {
        return Err(format!("its key does not have 1 to {KEY_BYTES_MAX} bytes"));
    }
    let operation = u8::try_from(change.operation)
        .ok()
        .and_then(Operation::from_number);
    let operation = operation.ok_or("its operation is not known")?;
    let Some(kind) = Kind::from_number(number) else {
        let gone = operation == Operation::Delete;
        if change.must_understand && !gone {
            return Err("its kind is not known to this build and must be".to_owned());
        }
        return Ok(Act::PassOver { gone });
    };
    if kind.lane() != lane {
        return Err(format!(
            "its kind does not travel in the lane {}",
            lane.word()
        ));
    }
    match operation {
        Operation::Upsert => upsert(kind, change).map(Act::Put),
        Operation::Delete => Ok(Act::Take(kind)),
        Operation::Revoke if kind == Kind::Key => {
            let revocation = Revocation::of(change);
            Ok(Act::Revoke(revocation.ok_or("its key is not text")?))
        }
        Operation::Revoke => Err("only keys are revoked".to_owned()),
    }
}

fn upsert(kind: Kind, change: &wire::Change) -> Result<Object, String> {
    if change.value.len() > VALUE_BYTES_MAX {
        return Err(format!("its value has more than {VALUE_BYTES_MAX} bytes"));
    }
    let object = object::decode(kind, &change.value).map_err(|why| why.to_string())?;
    if object.key() != change.key {
        return Err("its value names another object".to_owned());
    }
    within_caps(&object)?;
    Ok(object)
}

fn scope_fits(scope: &Scope) -> bool {
    scope.models.len() <= scope::PATTERNS_MAX
        && scope.endpoints.len() <= scope::ENDPOINTS_MAX
        && scope
            .endpoints
            .iter()
            .all(|word| word.len() <= TEXT_BYTES_MAX)
        && scope.providers.len() <= scope::PROVIDERS_MAX
        && scope.ranges.len() <= scope::RANGES_MAX
}

fn within_caps(object: &Object) -> Result<(), String> {
    let text = |text: &str| text.len() <= TEXT_BYTES_MAX;
    let fits = match object {
        Object::Organization(it) => text(&it.name),
        Object::Project(it) => text(&it.name),
        Object::Provider(it) => text(&it.name) && text(&it.base_url),
        Object::Model(it) => text(&it.name),
        Object::Version(it) => {
            text(&it.name)
                && it.targets.len() <= TARGETS_MAX
                && it.targets.iter().all(|target| text(&target.provider_model))
        }
        Object::Limit(it) => text(&it.name),
        // Patterns have a bound of their own.
        Object::Price(it) => text(&it.name),
        Object::Discount(it) => text(&it.name),
        Object::Key(it) => {
            it.models.len() <= MODELS_MAX && it.scope.as_deref().is_none_or(scope_fits)
        }
        Object::Issuer(it) => {
            let mapping = &it.mapping;
            [
                &it.name,
                &it.url,
                &it.keys_url,
                &mapping.condition,
                &mapping.project,
            ]
            .into_iter()
            .chain([
                &mapping.end_user,
                &mapping.models,
                &mapping.request_tokens_max,
            ])
            .chain(&it.audiences)
            .chain(&it.types)
            .all(|it| text(it))
                && scope_fits(&it.scope)
        }
        Object::Credential(it) => {
            text(&it.allowed_origin)
                && it.secret.len() <= SECRET_BYTES_MAX
                && it.exchange_origins.len() <= ORIGINS_MAX
                && it.exchange_origins.iter().all(|origin| text(origin))
        }
        Object::Pepper(_) => true,
    };
    if fits {
        Ok(())
    } else {
        Err("a list or a text in it is longer than this build takes".to_owned())
    }
}

/// Of a limit that could not be read, whose it is, as far as the bytes say. One that says nothing at all closes
/// nothing, because nobody could say what.
fn closes(change: &wire::Change) -> Option<(LimitId, OrganizationId)> {
    let limit = change.kind == Kind::Limit as u32
        && change.operation != Operation::Delete as i32
        && change.value.len() <= VALUE_BYTES_MAX;
    if !limit {
        return None;
    }
    let read: wire::LimitPolicy = message::decode(&change.value).ok()?;
    let organization = OrganizationId::try_from(read.organization_id.as_slice()).ok()?;
    Some((LimitId::try_from(change.key.as_slice()).ok()?, organization))
}

#[cfg(test)]
#[path = "step_test.rs"]
mod tests;
