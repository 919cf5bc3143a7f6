//! The values of objects: encoded when a change is written, sealed while they rest if they are secrets.
//!
//! The only place that opens a value of the secrets lane, and only when it is about to be sent to an edge.
//! What it seals is bound to the object's kind and key, so that no value opens in another's place.

use std::sync::Arc;

use policy::{change::Edit, object::Lane};
use seal::{CannotOpen, Ring};
use store::Encode;
use zeroize::Zeroizing;

/// Seals and opens the values of objects.
#[derive(Clone)]
pub struct Values(Ring);

// === impl Values ===

impl Values {
    /// With the keys of the control plane.
    pub const fn new(sealing: Ring) -> Self {
        Self(sealing)
    }

    /// How the store turns edits into the values that it keeps.
    pub fn encode(&self) -> Encode {
        let sealing = self.0.clone();
        Arc::new(move |edit: &Edit| {
            let plain = Zeroizing::new(proto::object::encode_edit(edit));
            if edit.kind().lane() == Lane::Secrets && !plain.is_empty() {
                sealing.seal(&plain, &context(edit.kind() as u8, &edit.key()))
            } else {
                plain.to_vec()
            }
        })
    }

    /// A value as an edge gets it. Empty values stay empty.
    pub fn open(
        &self,
        lane: Lane,
        (kind, key): (u8, &[u8]),
        value: &[u8],
    ) -> Result<Vec<u8>, CannotOpen> {
        if lane != Lane::Secrets || value.is_empty() {
            return Ok(value.to_vec());
        }
        let mut opened = self.0.open(value, &context(kind, key))?;
        Ok(std::mem::take(&mut *opened))
    }
}

fn context(kind: u8, key: &[u8]) -> Vec<u8> {
    [&[kind], key].concat()
}

#[cfg(test)]
mod tests {
    use policy::{
        credential::Pepper,
        object::{Kind, Object},
        organization::Organization,
    };
    use seal::SealingKey;

    use super::*;

    fn values() -> Values {
        Values::new(Ring::from(
            SealingKey::parse(&SealingKey::generate_text()).unwrap(),
        ))
    }

    #[test]
    fn a_secret_rests_sealed_and_opens_only_as_the_object_that_it_is() {
        let values = values();
        let pepper = Object::Pepper(Pepper {
            version: 1,
            secret: [7; 32],
        });
        let kind = Kind::Pepper as u8;
        let kept = values.encode()(&Edit::Upsert(pepper.clone()));
        assert!(!kept.windows(32).any(|bytes| bytes == [7; 32]));
        let opened = values
            .open(Lane::Secrets, (kind, &pepper.key()), &kept)
            .unwrap();
        assert_eq!(
            proto::object::decode(Kind::Pepper, &opened).unwrap(),
            pepper
        );
        assert!(
            values
                .open(Lane::Secrets, (kind, &[0, 0, 0, 2]), &kept)
                .is_err()
        );
        assert!(
            values
                .open(Lane::Secrets, (8, &pepper.key()), &kept)
                .is_err()
        );
    }

    #[test]
    fn what_is_no_secret_rests_as_it_travels() {
        let id = policy::id::OrganizationId::from_bytes([1; 16]);
        let object = Object::Organization(Organization {
            id,
            name: "acme".to_owned(),
            zone: policy::calendar::Zone::UTC,
            audit_access: policy::audit_access::AuditAccess::None,
        });
        let value = proto::object::encode(&object);
        assert_eq!(values().encode()(&Edit::Upsert(object)), value);
    }
}
