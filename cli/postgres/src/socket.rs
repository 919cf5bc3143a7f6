//! The folder of the server's socket, which only its user can enter.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{
    cannot_start::CannotStart,
    owner::{self, Owner},
};

/// How the path of every such folder begins. Short, because the path of a socket must stay below 108 bytes.
const PREFIX: &str = "/tmp/sluice-";

/// A fresh folder. Where it is stands in `data_dir`, so that the one of an owner that was killed is removed here.
pub(crate) fn folder(data_dir: &Path, owner: Owner) -> Result<PathBuf, CannotStart> {
    let refused = |error| CannotStart::System("make the socket folder", error);
    let record = data_dir.join("socket-folder");
    let left = fs::read_to_string(&record).unwrap_or_default();
    let name = left.strip_prefix(PREFIX).unwrap_or_default();
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let _ = fs::remove_dir_all(&left);
    }
    let name = std::iter::repeat_with(fastrand::alphanumeric)
        .take(12)
        .collect::<String>();
    let folder = PathBuf::from(format!("{PREFIX}{name}"));
    fs::write(&record, folder.as_os_str().as_encoded_bytes()).map_err(refused)?;
    let made = fs::DirBuilder::new().mode(0o700).create(&folder);
    made.and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)))
        .and_then(|()| owner::give(&folder, owner))
        .map_err(refused)?;
    Ok(folder)
}
