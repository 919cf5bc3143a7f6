//! What the admin API seals before it is stored, each kind under a context of its own.
//!
//! Knows the contexts and nothing of where the bytes go. What was sealed as one thing never opens as another,
//! nor for another owner.

use policy::{
    credential::Pepper,
    id::{OrganizationId, ProjectId, ProviderId},
};
use seal::{CannotOpen, Ring};
use store::sealed_value::{Kept, Place};
use zeroize::Zeroizing;

/// A provider's credential, as a provider's row keeps it.
pub fn seal_credential(key: &Ring, provider: ProviderId, clear: &[u8]) -> Vec<u8> {
    key.seal(
        clear,
        &context("provider credential", &[provider.as_bytes()]),
    )
}

/// The inverse of [`seal_credential`].
pub fn open_credential(
    key: &Ring,
    provider: ProviderId,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    key.open(
        sealed,
        &context("provider credential", &[provider.as_bytes()]),
    )
}

/// The credential of a channel of alerts, as the channel's row keeps it.
pub fn seal_alert_credential(key: &Ring, channel: &[u8; 16], clear: &[u8]) -> Vec<u8> {
    key.seal(clear, &context("alert channel credential", &[channel]))
}

/// The inverse of [`seal_alert_credential`].
pub fn open_alert_credential(
    key: &Ring,
    channel: &[u8; 16],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    key.open(sealed, &context("alert channel credential", &[channel]))
}

/// What a local user's codes are computed from, as their row keeps it.
pub fn seal_code_secret(key: &Ring, local_user: &[u8; 16], clear: &[u8]) -> Vec<u8> {
    key.seal(clear, &context("code secret", &[local_user]))
}

/// The inverse of [`seal_code_secret`].
pub fn open_code_secret(
    key: &Ring,
    local_user: &[u8; 16],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    key.open(sealed, &context("code secret", &[local_user]))
}

/// The credential of a source of versions, as the source's row keeps it.
pub fn seal_source_credential(key: &Ring, source: &[u8; 16], clear: &[u8]) -> Vec<u8> {
    key.seal(clear, &context("version source credential", &[source]))
}

/// The inverse of [`seal_source_credential`].
pub fn open_source_credential(
    key: &Ring,
    source: &[u8; 16],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    key.open(sealed, &context("version source credential", &[source]))
}

/// The SHA-256 of a key's secret, from which its tag can be made again under another pepper.
pub fn seal_key_secret(key: &Ring, key_id: &str, secret_sha256: &[u8; 32]) -> Vec<u8> {
    key.seal(secret_sha256, &context("key secret", &[key_id.as_bytes()]))
}

/// The inverse of [`seal_key_secret`].
pub fn open_key_secret(
    key: &Ring,
    key_id: &str,
    sealed: &[u8],
) -> Result<Zeroizing<[u8; 32]>, CannotOpen> {
    let plain = key.open(sealed, &context("key secret", &[key_id.as_bytes()]))?;
    let hash = plain.as_slice().try_into().map_err(|_| CannotOpen::Other)?;
    Ok(Zeroizing::new(hash))
}

/// A pepper, as its row keeps it.
pub fn seal_pepper(key: &Ring, pepper: &Pepper) -> Vec<u8> {
    key.seal(
        &pepper.secret,
        &context("pepper", &[&pepper.version.to_be_bytes()]),
    )
}

/// The inverse of [`seal_pepper`].
pub fn open_pepper(key: &Ring, version: u32, sealed: &[u8]) -> Result<Pepper, CannotOpen> {
    let plain = key.open(sealed, &context("pepper", &[&version.to_be_bytes()]))?;
    let secret = plain.as_slice().try_into().map_err(|_| CannotOpen::Other)?;
    Ok(Pepper { version, secret })
}

/// The key of the authority that certifies edges, as its row keeps it.
pub fn seal_authority(key: &Ring, clear: &[u8]) -> Vec<u8> {
    key.seal(clear, &context("edge authority", &[]))
}

/// The inverse of [`seal_authority`].
pub fn open_authority(key: &Ring, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    key.open(sealed, &context("edge authority", &[]))
}

/// A key that signs the audit trail, as its row keeps it.
pub fn seal_audit_key(key: &Ring, public: &[u8; 32], clear: &[u8]) -> Vec<u8> {
    key.seal(clear, &context("audit key", &[public]))
}

/// The inverse of [`seal_audit_key`].
pub fn open_audit_key(
    key: &Ring,
    public: &[u8; 32],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    key.open(sealed, &context("audit key", &[public]))
}

/// Whose content it is: of which organization, project and request.
pub type ContentOf<'a> = (OrganizationId, ProjectId, &'a [u8; 16]);

/// What a request and its answer said, as its row keeps it.
pub fn seal_content(key: &Ring, of: ContentOf<'_>, clear: &[u8]) -> Vec<u8> {
    key.seal(clear, &content_context(of))
}

/// The inverse of [`seal_content`].
pub fn open_content(
    key: &Ring,
    of: ContentOf<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    key.open(sealed, &content_context(of))
}

fn content_context((organization, project, id): ContentOf<'_>) -> Vec<u8> {
    context(
        "usage content",
        &[organization.as_bytes(), project.as_bytes(), id],
    )
}

/// Which reply a sealed reply is: of which operator's call, to which method.
#[derive(Debug, Clone, Copy)]
pub struct ReplyOf<'a> {
    /// The id of the operator key.
    pub actor: &'a str,
    /// The method, such as `CreateKey`.
    pub method: &'a str,
    /// What the caller named the call.
    pub request_id: &'a [u8; 16],
}

/// A reply, as it is kept for a second call with the same request id.
pub fn seal_reply(key: &Ring, of: ReplyOf<'_>, reply: &[u8]) -> Vec<u8> {
    key.seal(reply, &of.context())
}

/// The inverse of [`seal_reply`].
pub fn open_reply(
    key: &Ring,
    of: ReplyOf<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    key.open(sealed, &of.context())
}

/// The same value under the key that seals now, of a place where one rests; `None` where it is already.
pub fn renew(key: &Ring, place: Place, kept: &Kept) -> Result<Option<Vec<u8>>, CannotOpen> {
    let parts: Vec<&[u8]> = kept.owner.iter().map(Vec::as_slice).collect();
    let context = match place {
        Place::Credential => context("provider credential", &parts),
        Place::AlertCredential => context("alert channel credential", &parts),
        Place::CodeSecret => context("code secret", &parts),
        Place::SourceCredential => context("version source credential", &parts),
        Place::KeySecret | Place::PreviousKeySecret => context("key secret", &parts),
        Place::Pepper => context("pepper", &parts),
        Place::Authority => context("edge authority", &parts),
        Place::AuditKey => context("audit key", &parts),
        Place::Content => context("usage content", &parts),
        Place::Reply => context("reply", &parts),
        // As `publish::values` has it: the number of the kind, then the object's key.
        Place::Object | Place::Change => parts.concat(),
    };
    key.renew(&kept.sealed, &context)
}

/// The word, then each part behind its length, so that no two lists of parts give the same bytes.
fn context(word: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = word.as_bytes().to_vec();
    for part in parts {
        context.extend((part.len() as u64).to_be_bytes());
        context.extend(*part);
    }
    context
}

// === impl ReplyOf ===

impl ReplyOf<'_> {
    fn context(&self) -> Vec<u8> {
        let parts = [
            self.actor.as_bytes(),
            self.method.as_bytes(),
            self.request_id.as_slice(),
        ];
        context("reply", &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Ring {
        seal::SealingKey::parse(&"07".repeat(32)).unwrap().into()
    }

    /// Seals as a build before envelopes did, and gives it as its place would.
    fn kept(seal: impl FnOnce(&Ring) -> Vec<u8>, owner: &[&[u8]]) -> Kept {
        Kept {
            row: String::new(),
            owner: owner.iter().map(|part| part.to_vec()).collect(),
            sealed: seal(&key()),
        }
    }

    #[test]
    fn what_any_place_keeps_is_renewed_and_opens_without_the_older_key() {
        let newer = seal::SealingKey::parse(&"08".repeat(32)).unwrap();
        let older = seal::SealingKey::parse(&"07".repeat(32)).unwrap();
        let (both, alone) = (
            Ring::new(newer.clone(), vec![older.clone()]).unwrap(),
            Ring::from(newer),
        );
        // A bare value opens in its own context alone, so this shows that each place names the right one.
        let bare = |word: &str, parts: &[&[u8]]| older.seal(b"secret", &context(word, parts));
        let id: &[u8] = &[3; 16];
        let one = |word| (bare(word, &[id]), vec![id.to_vec()]);
        let object = older.seal(b"secret", &[&[9], id].concat());
        let object = || (object.clone(), vec![vec![9], id.to_vec()]);
        let three = |word| {
            (
                bare(word, &[id, b"x", id]),
                vec![id.to_vec(), b"x".to_vec(), id.to_vec()],
            )
        };
        for (place, (sealed, owner)) in [
            (Place::Credential, one("provider credential")),
            (Place::AlertCredential, one("alert channel credential")),
            (Place::CodeSecret, one("code secret")),
            (Place::SourceCredential, one("version source credential")),
            (Place::KeySecret, one("key secret")),
            (Place::PreviousKeySecret, one("key secret")),
            (Place::Pepper, one("pepper")),
            (Place::Authority, (bare("edge authority", &[]), Vec::new())),
            (Place::AuditKey, one("audit key")),
            (Place::Object, object()),
            (Place::Change, object()),
            (Place::Reply, three("reply")),
            (Place::Content, three("usage content")),
        ] {
            let kept = Kept {
                row: String::new(),
                owner,
                sealed,
            };
            let renewed = renew(&both, place, &kept).unwrap().unwrap();
            assert!(renewed.starts_with(&alone.mark()), "{place:?}");
        }
        let provider = ProviderId::from_bytes([1; 16]);
        let kept = kept(
            |key| seal_credential(key, provider, b"secret"),
            &[provider.as_bytes()],
        );
        let renewed = renew(&both, Place::Credential, &kept).unwrap().unwrap();
        let opened = open_credential(&alone, provider, &renewed).unwrap();
        assert_eq!(opened.as_slice(), b"secret");
        assert!(open_credential(&alone, provider, &kept.sealed).is_err());
    }

    #[test]
    fn what_was_sealed_for_one_owner_does_not_open_for_another() {
        let (one, other) = (
            ProviderId::from_bytes([1; 16]),
            ProviderId::from_bytes([2; 16]),
        );
        let sealed = seal_credential(&key(), one, b"secret");
        assert_eq!(
            open_credential(&key(), one, &sealed).unwrap().as_slice(),
            b"secret"
        );
        assert!(open_credential(&key(), other, &sealed).is_err());

        let sealed = seal_alert_credential(&key(), &[1; 16], b"secret");
        assert!(open_alert_credential(&key(), &[1; 16], &sealed).is_ok());
        assert!(open_alert_credential(&key(), &[2; 16], &sealed).is_err());
        assert!(open_credential(&key(), one, &sealed).is_err());

        let sealed = seal_source_credential(&key(), &[1; 16], b"secret");
        assert!(open_source_credential(&key(), &[1; 16], &sealed).is_ok());
        assert!(open_source_credential(&key(), &[2; 16], &sealed).is_err());
        assert!(open_alert_credential(&key(), &[1; 16], &sealed).is_err());

        let pepper = Pepper {
            version: 1,
            secret: [9; 32],
        };
        let sealed = seal_pepper(&key(), &pepper);
        assert!(open_pepper(&key(), 1, &sealed).unwrap() == pepper);
        assert!(open_pepper(&key(), 2, &sealed).is_err());

        let (acme, web) = (
            OrganizationId::from_bytes([1; 16]),
            ProjectId::from_bytes([2; 16]),
        );
        let sealed = seal_content(&key(), (acme, web, &[3; 16]), b"hi");
        let open = |project, id| open_content(&key(), (acme, project, id), &sealed);
        assert_eq!(open(web, &[3; 16]).unwrap().as_slice(), b"hi");
        assert!(open(web, &[4; 16]).is_err());
        assert!(open(ProjectId::from_bytes([3; 16]), &[3; 16]).is_err());

        let of = ReplyOf {
            actor: "ann",
            method: "CreateKey",
            request_id: &[3; 16],
        };
        let sealed = seal_reply(&key(), of, b"reply");
        assert_eq!(
            open_reply(&key(), of, &sealed).unwrap().as_slice(),
            b"reply"
        );
        assert!(open_reply(&key(), ReplyOf { actor: "bob", ..of }, &sealed).is_err());
    }
}
