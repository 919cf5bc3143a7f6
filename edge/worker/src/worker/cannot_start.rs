//! Why an edge does not start, in words for whoever typed the command.
//!
//! Knows every reason and nothing of how it came about.

use std::{fmt, io};

use lifecycle::{listen::CannotListen, settings::InvalidSettings};

use crate::{certified, config::InvalidLedgerEvery, feed::dial::InvalidAddress, opaque};

/// Why an edge does not start.
#[derive(Debug)]
pub enum CannotStart {
    /// A secret cannot be read.
    Settings(InvalidSettings),
    /// There is no join token.
    NoJoinToken,
    /// The edge's id is not one.
    EdgeId,
    /// The control plane's addresses are not such.
    Address(InvalidAddress),
    /// The state key is not one.
    StateKey(seal::InvalidKey),
    /// The settings of `[limits]` are refused.
    Limits(counters::config::InvalidConfig),
    /// How often the ledger is read is refused.
    LedgerEvery,
    /// The settings of `[traces]` are refused.
    Traces(spans::export::Unusable),
    /// The settings of `[telemetry]` are refused.
    Telemetry(telemetry::Unusable),
    /// The settings of `[introspection]` are refused.
    Introspection(opaque::Unusable),
    /// The settings of `[client_certificates]` are refused.
    ClientCertificates(certified::Unusable),
    /// The access log cannot be opened.
    AccessLog(io::Error),
    /// A listener cannot be had.
    Listen(CannotListen),
    /// The certificates of a listener cannot be served.
    Certificates(tls::files::Unusable),
    /// TLS to providers cannot be set up.
    Tls(rustls::Error),
    /// The machine refuses a thread or a file.
    System(io::Error),
}

// === impl CannotStart ===

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(why) => why.fmt(f),
            Self::NoJoinToken => f.write_str(
                "control_plane.join_token: an edge needs one; `sluice edges invite --region REGION`, or without TLS `sluice join-tokens create --region REGION`, prints one",
            ),
            Self::EdgeId => f.write_str("edge.id: 1 to 63 letters, digits, `.`, `_` and `-`, starting with a letter or digit"),
            Self::Address(why) => why.fmt(f),
            Self::StateKey(why) => write!(f, "state.key: {why}"),
            Self::Limits(why) => write!(f, "limits: {why}"),
            Self::LedgerEvery => f.write_str("limits.ledger_every_ms must be 1,000 to 3,600,000"),
            Self::Traces(why) => why.fmt(f),
            Self::Telemetry(why) => why.fmt(f),
            Self::Introspection(why) => why.fmt(f),
            Self::ClientCertificates(why) => why.fmt(f),
            Self::AccessLog(why) => write!(f, "access_log.file: it cannot be opened: {why}"),
            Self::Listen(why) => why.fmt(f),
            Self::Certificates(why) => write!(f, "inference.tls: {why}"),
            Self::Tls(why) => write!(f, "tls cannot be set up: {why}"),
            Self::System(why) => write!(f, "the system refuses a thread, a socket or a file: {why}"),
        }
    }
}

impl std::error::Error for CannotStart {}

impl From<InvalidSettings> for CannotStart {
    fn from(why: InvalidSettings) -> Self {
        Self::Settings(why)
    }
}

impl From<InvalidAddress> for CannotStart {
    fn from(why: InvalidAddress) -> Self {
        Self::Address(why)
    }
}

impl From<counters::config::InvalidConfig> for CannotStart {
    fn from(why: counters::config::InvalidConfig) -> Self {
        Self::Limits(why)
    }
}

impl From<InvalidLedgerEvery> for CannotStart {
    fn from(_: InvalidLedgerEvery) -> Self {
        Self::LedgerEvery
    }
}

impl From<spans::export::Unusable> for CannotStart {
    fn from(why: spans::export::Unusable) -> Self {
        Self::Traces(why)
    }
}

impl From<opaque::Unusable> for CannotStart {
    fn from(why: opaque::Unusable) -> Self {
        Self::Introspection(why)
    }
}

impl From<certified::Unusable> for CannotStart {
    fn from(why: certified::Unusable) -> Self {
        Self::ClientCertificates(why)
    }
}

impl From<telemetry::Unusable> for CannotStart {
    fn from(why: telemetry::Unusable) -> Self {
        Self::Telemetry(why)
    }
}

impl From<CannotListen> for CannotStart {
    fn from(why: CannotListen) -> Self {
        Self::Listen(why)
    }
}

impl From<tls::files::Unusable> for CannotStart {
    fn from(why: tls::files::Unusable) -> Self {
        Self::Certificates(why)
    }
}

impl From<io::Error> for CannotStart {
    fn from(why: io::Error) -> Self {
        Self::System(why)
    }
}

impl From<rustls::Error> for CannotStart {
    fn from(why: rustls::Error) -> Self {
        Self::Tls(why)
    }
}
