//! The small process between the owner and a Postgres program, which then becomes that program.
//!
//! It gives up root, asks to be told when its parent dies, and executes. A folder under a closed parent is
//! reached through an open descriptor, `/proc/self/fd/N`: the user that root becomes could not walk there.
//! It is called by the program that links this crate, as `PROGRAM guard UID GID DEATH FOLDER PROGRAM ARGS…`.

use std::{
    convert::Infallible,
    ffi::{OsStr, OsString},
    fmt, io,
    os::{fd::IntoRawFd, unix::process::CommandExt},
    path::Path,
    process::Command,
};

use nix::{
    fcntl::{OFlag, open},
    sys::{prctl, signal::Signal, stat::Mode},
    unistd::{Gid, Uid, getppid, setgid, setgroups, setuid},
};

use crate::owner::Owner;

/// What stands in an argument where the folder's path belongs.
pub const FOLDER: &str = "{folder}";

/// Why the guard could not become the program.
#[derive(Debug)]
pub enum CannotGuard {
    /// The arguments are not those of a guard.
    Usage,
    /// A system call failed.
    System(io::Error),
}

/// Whether the program dies with its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnParentDeath {
    /// It is interrupted, which makes Postgres shut down fast and clean.
    Interrupt,
    /// It goes on.
    Nothing,
}

/// The command that runs `program` under a guard. `guard` is how to call a program that calls [`run`].
pub fn command(
    guard: &[OsString],
    owner: Owner,
    death: OnParentDeath,
    folder: &Path,
    program: &Path,
) -> Command {
    let mut words = guard.iter();
    let mut command = Command::new(
        words
            .next()
            .map_or(OsStr::new("sluice"), OsString::as_os_str),
    );
    command.args(words);
    command
        .arg(owner.uid.to_string())
        .arg(owner.gid.to_string());
    let death = if death == OnParentDeath::Interrupt {
        "interrupt"
    } else {
        "nothing"
    };
    command.arg(death).arg(folder).arg(program);
    command
}

/// Becomes the program that the arguments name. Returns only when it cannot.
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> Result<Infallible, CannotGuard> {
    let mut next = || arguments.next().ok_or(CannotGuard::Usage);
    let (uid, gid, death, folder, program) = (next()?, next()?, next()?, next()?, next()?);
    let parent = getppid();
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let descriptor = open(Path::new(&folder), flags, Mode::empty())?.into_raw_fd();
    let reached = format!("/proc/self/fd/{descriptor}");
    become_owner(number(&uid)?, number(&gid)?)?;
    // The signal is asked for after the change of user, because that change takes it back.
    if death == "interrupt" {
        prctl::set_pdeathsig(Some(Signal::SIGINT))?;
        if getppid() != parent {
            return Err(CannotGuard::System(io::Error::other(
                "the parent is gone already",
            )));
        }
    }
    let arguments = arguments.map(|argument| match argument.to_str() {
        Some(text) => OsString::from(text.replace(FOLDER, &reached)),
        None => argument,
    });
    Err(CannotGuard::System(
        Command::new(program).args(arguments).exec(),
    ))
}

fn become_owner(uid: u32, gid: u32) -> Result<(), CannotGuard> {
    if Uid::from_raw(uid) == Uid::effective() {
        return Ok(());
    }
    setgroups(&[])?;
    setgid(Gid::from_raw(gid))?;
    setuid(Uid::from_raw(uid))?;
    Ok(())
}

fn number(text: &OsStr) -> Result<u32, CannotGuard> {
    text.to_str()
        .and_then(|text| text.parse().ok())
        .ok_or(CannotGuard::Usage)
}

impl From<nix::Error> for CannotGuard {
    fn from(error: nix::Error) -> Self {
        Self::System(error.into())
    }
}

impl fmt::Display for CannotGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage => {
                f.write_str("usage: guard UID GID interrupt|nothing FOLDER PROGRAM ARGS")
            }
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CannotGuard {}
