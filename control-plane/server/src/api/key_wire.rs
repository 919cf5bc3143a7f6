//! Keys between the wire and the store: what is wanted, what changes, what is shown.
//!
//! Knows nothing of a key's text. Milliseconds are since 1970.

use std::mem;

use domain::{
    key,
    name::{KeyName, ModelName, ProjectName, ServiceAccountName},
    segment::KeyId,
    text,
    violation::Violations,
};
use keys::{Family, Foreign};
use policy::revision::Revision;
use prost_types::Timestamp;
use proto::admin;
use store::{
    id,
    key::{Environment, New, Row},
    key_secret::Secret,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::api::{
    desk,
    key_scope_wire::{self, Held},
    mask::{Field, Mask, Update},
    moment,
};

/// A key as an operator wants it, checked.
#[derive(Debug)]
pub(crate) struct Wanted {
    parent: ProjectName,
    environment: Environment,
    display_name: String,
    models: Vec<ModelName>,
    held: Held,
    service_account: Option<ServiceAccountName>,
    expires_at: Option<OffsetDateTime>,
}

/// An update of a key, checked as far as it can be without the key.
#[derive(Debug)]
pub(crate) struct Change {
    /// Which key.
    pub(crate) name: KeyName,
    /// The guard of the write.
    pub(crate) etag: String,
    environment: admin::KeyEnvironment,
    display_name: Update<String>,
    models: Update<Vec<ModelName>>,
    held: Held,
    service_account: Update<Option<ServiceAccountName>>,
    mask: Mask,
    expires_at: Update<Option<OffsetDateTime>>,
}

const ENVIRONMENT: &str = "key.environment";
const EXPIRE_TIME: &str = "key.expire_time";

/// A key that was minted elsewhere, as an operator wants it taken in, checked.
pub(crate) struct Imported {
    /// The key.
    pub(crate) wanted: Wanted,
    /// What its text hashes to.
    pub(crate) foreign: Foreign,
}

/// Reads a request for a new key. Whether its expiry lies ahead is asked only when it is made.
pub(crate) fn wanted(asked: admin::CreateKeyRequest) -> Result<Wanted, Violations> {
    let given = desk::required(asked.key, "key")?;
    wanted_in(&asked.parent, &given)
}

/// Reads a request to take in a key that was minted elsewhere.
pub(crate) fn imported(asked: admin::ImportKeyRequest) -> Result<Imported, Violations> {
    let given = asked.key.unwrap_or_default();
    let wanted = wanted_in(&asked.parent, &given);
    let mut violations = Violations::new();
    let sha256 = <[u8; 32]>::try_from(asked.sha256.as_slice());
    let sha256 = violations.take("sha256", sha256.map_err(|_| "must be 32 bytes"));
    if keys::entropy_bits(asked.random_characters, asked.alphabet_size) < keys::FOREIGN_BITS_MIN {
        violations.add(
            "random_characters",
            "with `alphabet_size` must make 128 random bits: a key that can be guessed is not taken in; rotate it",
        );
    }
    match (wanted, sha256, violations.is_empty()) {
        (Ok(wanted), Some(sha256), true) => Ok(Imported {
            wanted,
            foreign: Foreign::of(sha256),
        }),
        (wanted, ..) => {
            if let Err(others) = wanted {
                violations.append(others);
            }
            Err(violations)
        }
    }
}

fn wanted_in(parent: &str, given: &admin::Key) -> Result<Wanted, Violations> {
    let mut violations = Violations::new();
    let parent = violations.take("parent", ProjectName::parse(parent));
    let environment = match admin::KeyEnvironment::try_from(given.environment) {
        Ok(admin::KeyEnvironment::Test) => Environment::Test,
        Ok(admin::KeyEnvironment::Live | admin::KeyEnvironment::Unspecified) => Environment::Live,
        Err(_) => {
            violations.add(ENVIRONMENT, "is not known");
            Environment::Live
        }
    };
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("key.display_name", display_name);
    let expires_at = expiry(given.expire_time.as_ref(), &mut violations);
    let Some(parent) = parent else {
        return Err(violations);
    };
    let models = key::models(&parent.organization, &given.models, &mut violations);
    let held = Held::read(&parent.organization, given, &mut violations);
    let service_account = account(&parent, &given.service_account, &mut violations);
    let (Some(display_name), true) = (display_name, violations.is_empty()) else {
        return Err(violations);
    };
    Ok(Wanted {
        parent,
        environment,
        display_name,
        models,
        held,
        service_account,
        expires_at,
    })
}

/// The account of a key in `parent`; none where the text is empty.
fn account(
    parent: &ProjectName,
    text: &str,
    violations: &mut Violations,
) -> Option<ServiceAccountName> {
    const FIELD: &str = "key.service_account";
    if text.is_empty() {
        return None;
    }
    let name = violations.take(FIELD, ServiceAccountName::parse(text))?;
    if name.parent() != *parent {
        violations.add(FIELD, "must be of the project of the key");
        return None;
    }
    Some(name)
}

/// The key as it is shown, at `now_ms`.
pub(crate) fn wire(row: Row, written: Revision, now_ms: u64) -> admin::Key {
    let expired = row.expires_at.is_some_and(|at| moment::at_ms(at) <= now_ms);
    let state = match row.revoked_at {
        Some(_) => admin::KeyState::Revoked,
        None if expired => admin::KeyState::Expired,
        None if row.disabled || row.account_disabled => admin::KeyState::Disabled,
        None => admin::KeyState::Active,
    };
    let environment = shown(row.environment);
    let prefix = format!("{}{}", keys::prefix(family(row.environment)), row.name.key);
    let previous = row
        .previous_expires_at
        .filter(|at| moment::at_ms(*at) > now_ms);
    let mut key = admin::Key {
        name: row.name.to_string(),
        uid: Uuid::from_bytes(row.uid).simple().to_string(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        revision: desk::latest(row.revision, written),
        environment: environment.into(),
        prefix,
        models: row.models.iter().map(ToString::to_string).collect(),
        expire_time: row.expires_at.map(moment::to_wire),
        state: state.into(),
        revoke_time: row.revoked_at.map(moment::to_wire),
        last_use_time: row.used_at.map(moment::to_wire),
        secret_create_time: Some(moment::to_wire(row.secret_created_at)),
        previous_secret_expire_time: previous.map(moment::to_wire),
        previous_secret_last_use_time: row.previous_used_at.map(moment::to_wire),
        display_name: row.display_name,
        imported: row.imported,
        service_account: row
            .service_account
            .map_or_else(String::new, |it| it.to_string()),
        ..Default::default()
    };
    let held = Held {
        scope: row.scope,
        labels: row.labels,
        disabled: row.disabled,
    };
    held.show(&mut key);
    key
}

const fn shown(environment: Environment) -> admin::KeyEnvironment {
    match environment {
        Environment::Live => admin::KeyEnvironment::Live,
        Environment::Test => admin::KeyEnvironment::Test,
    }
}

/// The family of the text of a key for this.
pub(crate) const fn family(environment: Environment) -> Family {
    match environment {
        Environment::Live => Family::Live,
        Environment::Test => Family::Test,
    }
}

fn expiry(given: Option<&Timestamp>, violations: &mut Violations) -> Option<OffsetDateTime> {
    let read = given.map(|at| moment::millis(at).and_then(moment::from_millis));
    read.and_then(|read| violations.take(EXPIRE_TIME, read))
}

// === impl Wanted ===

impl Wanted {
    /// The family of its text.
    pub(crate) const fn family(&self) -> Family {
        family(self.environment)
    }

    /// Whether the key can be made at `now_ms`. Asked for a first call only: the second call of a pair gets its
    /// reply even when the key has expired meanwhile.
    pub(crate) fn check(&self, now_ms: u64) -> Result<(), Violations> {
        let mut violations = Violations::new();
        if let Some(at) = self.expires_at {
            violations.take(EXPIRE_TIME, key::expire(moment::at_ms(at), now_ms));
        }
        violations.done()
    }

    /// The row to make, for the key that was minted.
    pub(crate) fn into_new(self, key: KeyId, secret: Secret, imported: bool) -> New {
        let ProjectName {
            organization,
            project,
        } = self.parent;
        New {
            uid: id::draw(),
            name: KeyName {
                organization,
                project,
                key,
            },
            environment: self.environment,
            display_name: self.display_name,
            models: self.models,
            expires_at: self.expires_at,
            scope: self.held.scope,
            labels: self.held.labels,
            disabled: self.held.disabled,
            service_account: self.service_account,
            imported,
            secret,
        }
    }
}

// === impl Change ===

impl Change {
    /// Reads a request for an update.
    pub(crate) fn read(asked: admin::UpdateKeyRequest) -> Result<Self, Violations> {
        let given = desk::required(asked.key, "key")?;
        let own = [
            Field::changes("display_name", !given.display_name.is_empty()),
            Field::fixed("environment"),
            Field::output("prefix"),
            Field::changes("models", !given.models.is_empty()),
            Field::changes("expire_time", given.expire_time.is_some()),
            Field::output("state"),
            Field::output("revoke_time"),
            Field::output("last_use_time"),
            Field::output("secret_create_time"),
            Field::output("previous_secret_expire_time"),
            Field::output("previous_secret_last_use_time"),
            Field::output("imported"),
            Field::changes("service_account", !given.service_account.is_empty()),
        ];
        let fields = [&own[..], &key_scope_wire::fields(&given)].concat();
        let mut violations = Violations::new();
        let mask = Mask::read(asked.update_mask, &fields, &mut violations);
        let environment = admin::KeyEnvironment::try_from(given.environment);
        let environment = violations.take(ENVIRONMENT, environment);
        let display_name = text::display_name(&given.display_name);
        let display_name = violations.take("key.display_name", display_name);
        let expires_at = expiry(given.expire_time.as_ref(), &mut violations);
        let name = violations.take("key.name", KeyName::parse(&given.name));
        let (mut models, mut held, mut of) = (Vec::new(), Held::default(), None);
        if let Some(name @ KeyName { organization, .. }) = &name {
            models = key::models(organization, &given.models, &mut violations);
            held = Held::read(organization, &given, &mut violations);
            of = account(&name.parent(), &given.service_account, &mut violations);
        }
        let (Some(mask), Some(name), Some(environment), Some(display_name), true) =
            (mask, name, environment, display_name, violations.is_empty())
        else {
            return Err(violations);
        };
        Ok(Self {
            name,
            etag: given.etag,
            environment,
            display_name: mask.pick("display_name", display_name),
            models: mask.pick("models", models),
            expires_at: mask.pick("expire_time", expires_at),
            service_account: mask.pick("service_account", of),
            held,
            mask,
        })
    }

    /// Makes the change, unless it would change what stays or set an expiry that is over.
    pub(crate) fn apply(self, row: &mut Row, now_ms: u64) -> Result<(), Violations> {
        let mut violations = Violations::new();
        let same = [admin::KeyEnvironment::Unspecified, shown(row.environment)];
        if !same.contains(&self.environment) {
            violations.add(ENVIRONMENT, "cannot change");
        }
        let expires_at = self.expires_at.or(row.expires_at);
        if let Some(at) = expires_at.filter(|_| expires_at != row.expires_at) {
            violations.take(EXPIRE_TIME, key::expire(moment::at_ms(at), now_ms));
        }
        violations.done()?;
        row.display_name = self.display_name.or(mem::take(&mut row.display_name));
        row.models = self.models.or(mem::take(&mut row.models));
        row.expires_at = expires_at;
        let stood = row.service_account.take();
        row.service_account = self.service_account.or(stood);
        let stood = Held {
            scope: mem::take(&mut row.scope),
            labels: mem::take(&mut row.labels),
            disabled: row.disabled,
        };
        let held = self.held.apply(&self.mask, stood);
        (row.scope, row.labels, row.disabled) = (held.scope, held.labels, held.disabled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    fn fields(violations: Violations) -> Vec<String> {
        violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect()
    }

    fn asked(key: admin::Key) -> admin::CreateKeyRequest {
        let parent = "organizations/acme/projects/chat".into();
        admin::CreateKeyRequest {
            parent,
            key: Some(key),
            ..Default::default()
        }
    }

    #[test]
    fn a_key_is_live_unless_it_is_told_otherwise() {
        let family = |environment: admin::KeyEnvironment| {
            let environment = environment.into();
            let key = admin::Key {
                environment,
                ..Default::default()
            };
            wanted(asked(key)).map(|it| it.family())
        };
        assert_eq!(family(admin::KeyEnvironment::Unspecified), Ok(Family::Live));
        assert_eq!(family(admin::KeyEnvironment::Live), Ok(Family::Live));
        assert_eq!(family(admin::KeyEnvironment::Test), Ok(Family::Test));
    }

    #[test]
    fn everything_that_is_wrong_with_a_new_key_is_told_at_once() {
        let key = admin::Key {
            environment: 9,
            expire_time: Some(Timestamp {
                seconds: -1,
                nanos: 0,
            }),
            models: vec!["organizations/evil/models/chat".into()],
            ..Default::default()
        };
        let found = fields(wanted(asked(key)).unwrap_err());
        assert_eq!(found, [ENVIRONMENT, EXPIRE_TIME, "key.models[0]"]);
        let absent = admin::CreateKeyRequest {
            key: None,
            ..asked(admin::Key::default())
        };
        assert_eq!(fields(wanted(absent).unwrap_err()), ["key"]);
    }

    #[test]
    fn an_expiry_is_judged_when_the_key_is_made_and_not_when_the_call_is_read() {
        let key = admin::Key {
            expire_time: Some(Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            ..Default::default()
        };
        // A call that is read again after the expiry is still the same call.
        let wanted = wanted(asked(key)).unwrap();
        assert_eq!(wanted.check(NOW_MS - 1), Ok(()));
        assert_eq!(fields(wanted.check(NOW_MS).unwrap_err()), [EXPIRE_TIME]);
    }
}
