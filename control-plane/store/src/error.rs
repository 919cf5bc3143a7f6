//! What the database can say no to, in words that the layers above can act on.
//!
//! Knows nothing of gRPC codes. Never holds a value that was written, except names.

use std::fmt;

/// Why something could not be read or written. What was begun is rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// No such thing.
    NotFound {
        /// The resource name.
        name: String,
    },
    /// There is one with this name already.
    Exists {
        /// The resource name.
        name: String,
    },
    /// Somebody else wrote since the caller read.
    Stale {
        /// The resource name.
        name: String,
    },
    /// Something stands in the way that the caller must clear first.
    Blocked {
        /// The resource name.
        name: String,
        /// What stands in the way.
        by: Obstacle,
    },
    /// Rollouts are frozen.
    Frozen {
        /// The resource name.
        name: String,
        /// Until when and why, in words.
        until: String,
    },
    /// A field names something that does not exist.
    Dangling {
        /// The path of the field.
        field: String,
        /// The resource name that it holds.
        name: String,
    },
    /// The database did not answer, or not in time. Trying again may help.
    Unavailable(String),
    /// The database holds, or was asked for, something that it never should: a defect of ours.
    Broken(String),
}

/// What stands in the way of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// An organization has projects.
    HasProjects,
    /// An organization has providers.
    HasProviders,
    /// An organization has models.
    HasModels,
    /// An organization, project, key, model or provider has limits.
    HasLimits,
    /// An organization has issuers.
    HasIssuers,
    /// An organization or provider has prices.
    HasPrices,
    /// An organization or provider has discounts.
    HasDiscounts,
    /// An organization has as many prices as one may have.
    HasManyPrices,
    /// An organization has as many discounts as one may have.
    HasManyDiscounts,
    /// A project has keys that are not revoked or expired.
    HasActiveKeys,
    /// A project has more keys than go with it in one write.
    HasManyKeys,
    /// A model has more versions than go with it in one write.
    HasManyVersions,
    /// A provider is the target of a version.
    IsTarget,
    /// A model or provider is named by a key.
    IsNamedByKey,
    /// A project or provider is named by an issuer.
    IsNamedByIssuer,
    /// A rule of a model names a version.
    IsNamedByModel,
    /// An alias stands for a model, or for one version of it.
    IsNamedByAlias,
    /// An organization has as many aliases as one may have.
    HasManyAliases,
    /// A version is the stable one of its model.
    IsStable,
    /// A version is the candidate or the stable one of a rollout that is under way.
    IsInRollout,
    /// A model has a rollout that is under way.
    HasRollout,
    /// A version is an arm of an experiment that is under way.
    IsInExperiment,
    /// A model has an experiment that is under way.
    HasExperiment,
    /// A version gets the copies of a shadow that is under way.
    IsInShadow,
    /// A model has a shadow that is under way.
    HasShadow,
    /// A model has no stable version.
    HasNoStable,
    /// A rollout has ended, and never changes again.
    HasEnded,
    /// A rollout is not paused.
    IsNotPaused,
    /// A rollout is paused.
    IsPaused,
    /// A key is revoked, and never changes again.
    IsRevoked,
    /// A key is not revoked.
    IsNotRevoked,
    /// An edge is connected.
    IsConnected,
    /// A key has two secrets that work.
    HasTwoSecrets,
    /// A pepper still takes the place of another one.
    HasTwoPeppers,
    /// An operator key is the last one that may do everything.
    IsLastOwner,
    /// A channel of alerts is named by a rule.
    IsToldByRule,
    /// A budget or model is watched by a rule of alerts.
    IsWatched,
    /// An organization has as many channels of alerts as one may have.
    HasManyAlertChannels,
    /// An organization has as many rules of alerts as one may have.
    HasManyAlertRules,
    /// An operator key was given by a login, and never changes.
    IsGiven,
    /// An operator key was not given by a login.
    IsNotGiven,
    /// An organization has as many roles of its own as one may have.
    HasManyRoles,
    /// An operator key, a trust or a local user holds a role.
    IsBound,
    /// A model has as many deprecated versions as one may have.
    HasManyDeprecated,
    /// An organization has as many freeze windows as one may have.
    HasManyFreezeWindows,
    /// A model or provider is named by a source of versions.
    IsNamedBySource,
    /// An organization has as many sources of versions as one may have.
    HasManySources,
    /// A project has as many service accounts as one may have.
    HasManyAccounts,
    /// A service account has as many keys as one may have.
    HasManyAccountKeys,
    /// A service account has keys that are not revoked.
    HasAccountKeys,
    /// An organization, or all together, have as many local users as may be.
    HasManyLocalUsers,
    /// It holds a role or a permission that only a newer control plane knows.
    HoldsUnknown,
}

// === impl Obstacle ===

impl Obstacle {
    /// A word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::HasProjects => "HAS_PROJECTS",
            Self::HasProviders => "HAS_PROVIDERS",
            Self::HasModels => "HAS_MODELS",
            Self::HasLimits => "HAS_LIMITS",
            Self::HasIssuers => "HAS_ISSUERS",
            Self::HasPrices => "HAS_PRICES",
            Self::HasDiscounts => "HAS_DISCOUNTS",
            Self::HasManyPrices => "HAS_MANY_PRICES",
            Self::HasManyDiscounts => "HAS_MANY_DISCOUNTS",
            Self::HasActiveKeys => "HAS_ACTIVE_KEYS",
            Self::HasManyKeys => "HAS_MANY_KEYS",
            Self::HasManyVersions => "HAS_MANY_VERSIONS",
            Self::IsTarget => "IS_TARGET",
            Self::IsNamedByKey => "IS_NAMED_BY_KEY",
            Self::IsNamedByIssuer => "IS_NAMED_BY_ISSUER",
            Self::IsNamedByModel => "IS_NAMED_BY_MODEL",
            Self::IsNamedByAlias => "IS_NAMED_BY_ALIAS",
            Self::HasManyAliases => "HAS_MANY_ALIASES",
            Self::IsStable => "IS_STABLE",
            Self::IsInRollout => "IS_IN_ROLLOUT",
            Self::HasRollout => "HAS_ROLLOUT",
            Self::IsInExperiment => "IS_IN_EXPERIMENT",
            Self::HasExperiment => "HAS_EXPERIMENT",
            Self::IsInShadow => "IS_IN_SHADOW",
            Self::HasShadow => "HAS_SHADOW",
            Self::HasNoStable => "HAS_NO_STABLE_VERSION",
            Self::HasEnded => "HAS_ENDED",
            Self::IsNotPaused => "IS_NOT_PAUSED",
            Self::IsPaused => "IS_PAUSED",
            Self::IsRevoked => "IS_REVOKED",
            Self::IsNotRevoked => "IS_NOT_REVOKED",
            Self::IsConnected => "IS_CONNECTED",
            Self::HasTwoSecrets => "HAS_TWO_SECRETS",
            Self::HasTwoPeppers => "HAS_TWO_PEPPERS",
            Self::IsLastOwner => "IS_LAST_OWNER",
            Self::IsToldByRule => "IS_TOLD_BY_RULE",
            Self::IsWatched => "IS_WATCHED",
            Self::HasManyAlertChannels => "HAS_MANY_ALERT_CHANNELS",
            Self::HasManyAlertRules => "HAS_MANY_ALERT_RULES",
            Self::IsGiven => "IS_GIVEN",
            Self::IsNotGiven => "IS_NOT_GIVEN",
            Self::HasManyRoles => "HAS_MANY_ROLES",
            Self::IsBound => "IS_BOUND",
            Self::HasManyDeprecated => "HAS_MANY_DEPRECATED_VERSIONS",
            Self::HasManyFreezeWindows => "HAS_MANY_FREEZE_WINDOWS",
            Self::IsNamedBySource => "IS_NAMED_BY_SOURCE",
            Self::HasManySources => "HAS_MANY_SOURCES",
            Self::HasManyAccounts => "HAS_MANY_SERVICE_ACCOUNTS",
            Self::HasManyAccountKeys => "HAS_MANY_KEYS_OF_ITS_OWN",
            Self::HasAccountKeys => "HAS_KEYS_OF_ITS_OWN",
            Self::HasManyLocalUsers => "HAS_MANY_LOCAL_USERS",
            Self::HoldsUnknown => "HOLDS_UNKNOWN",
        }
    }

    /// That there is no room for more of something, and what to do.
    const fn is_full(self) -> &'static str {
        match self {
            Self::HasManyPrices => "it has 1,000 prices: delete old ones first",
            Self::HasManyDiscounts => "it has 200 discounts: delete old ones first",
            Self::HasManyKeys => "it has 1,000 keys or more: revoke and delete its keys first",
            Self::HasManyVersions => "it has 1,000 versions or more: delete its versions first",
            Self::HasManyAlertChannels => "it has 50 alert channels: delete old ones first",
            Self::HasManyAlertRules => "it has 100 alert rules: delete old ones first",
            Self::HasManyRoles => "it has 100 roles of its own: delete old ones first",
            Self::HasManyDeprecated => "it has 256 deprecated versions: delete old ones first",
            Self::HasManyFreezeWindows => "it has 50 freeze windows: delete old ones first",
            Self::HasManySources => "it has 50 sources of versions: delete old ones first",
            Self::HasManyAccounts => "it has 1,000 service accounts: delete old ones first",
            Self::HasManyAccountKeys => {
                "it has 1,000 keys that are not revoked: revoke old ones first, or make another account"
            }
            Self::HasManyLocalUsers => {
                "there are 1,000 local users beside it: delete old ones first"
            }
            Self::HasManyAliases => "it has 200 aliases: delete old ones first",
            _ => "it has as many as it may have: delete old ones first",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HasProjects => "it has projects: delete them first",
            Self::HasProviders => "it has providers: delete them first",
            Self::HasModels => "it has models: delete them first",
            Self::HasLimits => "it has limits: delete them first",
            Self::HasIssuers => "it has issuers: delete them first",
            Self::HasPrices => "it has prices: delete them first",
            Self::HasDiscounts => "it has discounts: delete them first",
            Self::HasActiveKeys => "it has active keys: revoke them first",
            Self::IsTarget => "a version targets it: delete that version first",
            Self::IsNamedByKey => "a key names it: change or delete that key first",
            Self::IsNamedByIssuer => "an issuer names it: change or delete that issuer first",
            Self::IsNamedByModel => "a rule of a model names it: change that rule first",
            Self::IsNamedByAlias => "an alias stands for it: change or delete that alias first",
            Self::IsStable => "it is the stable version: choose another one first",
            Self::IsInRollout => "a rollout that is under way has it: promote or abort that first",
            Self::HasRollout => "it has a rollout under way: promote or abort that first",
            Self::IsInExperiment => {
                "an experiment that is under way has it: stop or conclude that first"
            }
            Self::HasExperiment => "it has an experiment under way: stop or conclude that first",
            Self::IsInShadow => "a shadow that is under way has it: stop that first",
            Self::HasShadow => "it has a shadow under way: stop that first",
            Self::HasNoStable => "it has no stable version to compare with: choose one first",
            Self::HasEnded => "it has ended: start another one",
            Self::IsNotPaused => "it is not paused",
            Self::IsPaused => "it is paused: resume it first",
            Self::IsRevoked => "it is revoked: make another one",
            Self::IsNotRevoked => "it is not revoked: revoke it first",
            Self::IsConnected => "it is connected: stop it first",
            Self::HasTwoPeppers => {
                "one still takes the place of another: `sluice sealing show` tells how far it is"
            }
            Self::IsLastOwner => {
                "it is the last one that may do everything, for ever: make another one first"
            }
            Self::IsToldByRule => "an alert rule tells it: delete that rule first",
            Self::IsWatched => "an alert rule watches it: delete that rule first",
            Self::IsNotGiven => "an operator made it: `sluice operator-keys revoke` revokes it",
            Self::IsGiven => "it was given by a login: revoke it, or make another one",
            Self::IsBound => {
                "an operator key, a trust or a local user holds it: take it from them first; `sluice operator-keys list`, \
                 `sluice trusts list` and `sluice local-users list` show which"
            }
            Self::IsNamedBySource => "a source of versions names it: delete that source first",
            Self::HasAccountKeys => {
                "it has keys: revoke them first, or take them from it (`sluice keys update --no-service-account`)"
            }
            Self::HoldsUnknown => {
                "it holds what only a newer control plane knows: bring this control plane up to date first"
            }
            Self::HasTwoSecrets => {
                "it has two secrets that work: end their overlap first, or rotate without one"
            }
            full => full.is_full(),
        })
    }
}

// === impl StoreError ===

impl StoreError {
    /// Something of ours does not hold, in words without a secret.
    pub fn broken(why: &str) -> Self {
        Self::Broken(why.to_owned())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // Resources (53), shutdown and cancellation (57), connections (08), deadlock and serialization (40), a
        // lock not had in time (55), and a primary that was demoted (25006).
        let passing = match &error {
            sqlx::Error::Database(database) => database.code().is_some_and(|code| {
                code == "25006"
                    || ["08", "40", "53", "55", "57"]
                        .iter()
                        .any(|it| code.starts_with(it))
            }),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            _ => false,
        };
        let handshake = match &error {
            sqlx::Error::Tls(why) => Some(why.to_string()),
            // What is wrong with a certificate comes as an error of reading.
            sqlx::Error::Io(why) if why.kind() == std::io::ErrorKind::InvalidData => {
                Some(why.to_string())
            }
            _ => None,
        };
        if let Some(why) = handshake {
            return Self::Unavailable(format!(
                "the database cannot be reached over TLS ({why}): check sslmode, that sslrootcert names the authority \
                 of the database's certificate, and that the certificate is for the host in the URL"
            ));
        }
        if passing {
            Self::Unavailable(error.to_string())
        } else {
            Self::Broken(error.to_string())
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { name } => write!(f, "{name} does not exist"),
            Self::Exists { name } => write!(f, "{name} exists already"),
            Self::Stale { name } => {
                write!(f, "{name} has changed since it was read: read it again")
            }
            Self::Blocked { name, by } => write!(f, "{name} cannot be changed so: {by}"),
            Self::Frozen { name, until } => write!(f, "{name}: rollouts are frozen {until}"),
            Self::Dangling { field, name } => write!(f, "{field}: {name} does not exist"),
            Self::Unavailable(why) => write!(f, "the database is not available: {why}"),
            Self::Broken(why) => {
                write!(f, "the database refused or holds what it should not: {why}")
            }
        }
    }
}

impl std::error::Error for StoreError {}
