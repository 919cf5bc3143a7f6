//! Why there is no server, in words for who wanted one.

use std::{fmt, io, path::PathBuf};

use crate::binaries;

/// Why there is no server.
#[derive(Debug)]
pub enum CannotStart {
    /// No binaries of a usable version were found.
    NoBinaries,
    /// We are root, and there is neither a `postgres` nor a `nobody` user.
    NoOwner,
    /// Another process has this folder.
    InUse(PathBuf),
    /// The folder holds a cluster of another major version: what it has, what we have.
    OtherVersion(u32, u32),
    /// A program failed: what it was doing, and the end of what it said.
    Failed(&'static str, String),
    /// The system refused something: what, and why.
    System(&'static str, io::Error),
}

// === impl CannotStart ===

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBinaries => write!(
                f,
                "no Postgres {} or newer was found; install its server binaries (Debian: apt-get install \
                 postgresql; macOS: brew install postgresql) or name their folder",
                binaries::MAJOR_MIN
            ),
            Self::NoOwner => f.write_str(
                "Postgres does not run as root, and there is no `postgres` or `nobody` user to run it as; \
                 run as another user",
            ),
            Self::InUse(folder) => write!(
                f,
                "another process uses {}; stop it, or choose another data folder",
                folder.display()
            ),
            Self::OtherVersion(has, have) => write!(
                f,
                "the data folder was made by Postgres {has} and the binaries found are {have}; dump and \
                 restore it, name binaries of version {has}, or choose another data folder"
            ),
            Self::Failed(program, said) => write!(f, "{program} failed: {said}"),
            Self::System(what, error) => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl std::error::Error for CannotStart {}
