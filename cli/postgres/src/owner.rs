//! As whom the server runs: Postgres refuses to run as root.

use std::path::Path;

use nix::unistd::{Gid, Uid, User, chown};

/// As whom the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user, by number.
    pub uid: u32,
    /// The group, by number.
    pub gid: u32,
}

/// Ourselves, or, when we are root, `postgres` or `nobody`. `None` when we are root and there is neither.
pub fn choose() -> Option<Owner> {
    let own = Uid::effective();
    if !own.is_root() {
        return Some(Owner {
            uid: own.as_raw(),
            gid: Gid::effective().as_raw(),
        });
    }
    let named = |name: &str| User::from_name(name).ok().flatten();
    let user = named("postgres").or_else(|| named("nobody"))?;
    Some(Owner {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    })
}

/// Gives a folder to the owner.
pub fn give(folder: &Path, owner: Owner) -> std::io::Result<()> {
    let uid = Uid::from_raw(owner.uid);
    if uid == Uid::effective() {
        return Ok(());
    }
    chown(folder, Some(uid), Some(Gid::from_raw(owner.gid))).map_err(Into::into)
}
