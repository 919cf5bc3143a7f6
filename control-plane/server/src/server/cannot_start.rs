//! Why the control plane does not start or has stopped, in words for who runs it.
//!
//! Knows every part that can fail at a start; holds no secret. Each sentence says what to do where that is known.

use std::{fmt, io};

use custodians::{Unopened, Unusable};
use lifecycle::{listen::CannotListen, settings::InvalidSettings};
use seal::{CannotOpen, TooManyKeys};
use store::{NotMigrated, StoreError};

use crate::{
    api::pepper::NoPepper,
    server::{encrypted::NoAuthority, first_key::NoFirstKey},
};

/// Why there is no control plane.
#[derive(Debug)]
pub enum CannotStart {
    /// `seal.key` and `seal.key_file` do not give a key.
    Seal(InvalidSettings),
    /// Neither is set.
    NoSealingKey,
    /// What this setting gives is no key.
    InvalidSealingKey(&'static str),
    /// Who is to unwrap it cannot be used.
    Custodian(Unusable),
    /// It was not unwrapped, or not drawn.
    Wrapped(Unopened),
    /// There is not one service, and no other, that could draw one.
    NoCustodian,
    /// The database cannot be used.
    Store(StoreError),
    /// The database has not the shape that this build needs.
    NotMigrated(NotMigrated),
    /// There is no pepper, and none can be made.
    NoPepper(NoPepper),
    /// There is no operator key, and none can be made.
    NoFirstKey(NoFirstKey),
    /// There are too many of them.
    TooManySealingKeys(TooManyKeys),
    /// What rests sealed cannot be opened with these sealing keys.
    WrongSealingKey(CannotOpen),
    /// The certificates of the admin listener cannot be served.
    Certificates(tls::files::Unusable),
    /// A way out for records cannot be used.
    Sink(sinks::Unusable),
    /// The courier of notices cannot be used.
    Courier(courier::Unusable),
    /// The collector of metrics and logs cannot be used.
    Telemetry(telemetry::Unusable),
    /// There is no authority of edges, and none can be made.
    NoAuthority(NoAuthority),
    /// A listener, by the name of its section.
    Listen(&'static str, CannotListen),
    /// A part that cannot fail in a build whose tests ran.
    Broken(&'static str),
    /// The addresses cannot be announced.
    Announce(io::Error),
}

/// A part ended that must not end.
#[derive(Debug)]
pub struct Stopped {
    /// The name of the part.
    pub part: &'static str,
    /// What it said, if anything.
    pub why: String,
}

// === impl CannotStart ===

impl From<NoAuthority> for CannotStart {
    fn from(why: NoAuthority) -> Self {
        Self::NoAuthority(why)
    }
}

impl From<StoreError> for CannotStart {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seal(error) => error.fmt(f),
            Self::NoSealingKey => f.write_str(
                "seal.key or seal.key_file must be set to 32 random bytes as 64 hex digits, \
                 such as `openssl rand -hex 32` prints",
            ),
            Self::InvalidSealingKey(setting) => {
                write!(f, "{setting}: neither 64 hex digits, nor base64 of 32 bytes, nor such a key wrapped")
            }
            Self::Custodian(why) => why.fmt(f),
            Self::Wrapped(why) => why.fmt(f),
            Self::NoCustodian => f.write_str(
                "set one of [seal.vault], [seal.aws_kms], [seal.google_kms] and [seal.azure_key_vault], and no other: the one that is set draws the key",
            ),
            Self::TooManySealingKeys(why) => write!(f, "seal.open_key_files: {why}"),
            Self::Store(error) => write!(f, "database.url: {error}"),
            Self::NotMigrated(error) => error.fmt(f),
            Self::NoPepper(error) => error.fmt(f),
            Self::NoFirstKey(error) => error.fmt(f),
            Self::WrongSealingKey(CannotOpen::Other) => f.write_str(
                "seal.key does not open what rests in this database; set the key with which it was sealed, \
                 or name its file in seal.open_key_files",
            ),
            Self::WrongSealingKey(why @ CannotOpen::NoKey(_)) => {
                write!(f, "a secret that edges need {why}")
            }
            Self::Certificates(error) => write!(f, "admin.tls: {error}"),
            Self::Sink(error) => error.fmt(f),
            Self::Courier(error) => error.fmt(f),
            Self::Telemetry(error) => error.fmt(f),
            Self::NoAuthority(error) => write!(f, "edges.tls: {error}"),
            Self::Listen(section, error) => write!(f, "{section}.address: {error}"),
            Self::Broken(what) => write!(f, "this build is broken: {what}"),
            Self::Announce(error) => write!(f, "ops.ports_file: {error}"),
        }
    }
}

impl std::error::Error for CannotStart {}

// === impl Stopped ===

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended: {}", self.part, self.why)
    }
}

impl std::error::Error for Stopped {}
