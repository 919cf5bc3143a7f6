//! What an edge is given by its settings before anything runs: its name, its way to the control plane, its disk.
//!
//! Knows the settings and reads the secrets they name; starts nothing.

use lifecycle::settings;
use seal::SealingKey;

use crate::{
    config,
    feed::{dial::Dialer, disk::Directory},
    worker::cannot_start::CannotStart,
};

/// What the edge calls itself.
pub fn edge_id(edge: &config::Edge) -> Result<String, CannotStart> {
    let Some(id) = &edge.id else {
        return Ok(format!("edge-{:08x}", fastrand::u32(..)));
    };
    let fits = (1..=63).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if fits {
        Ok(id.clone())
    } else {
        Err(CannotStart::EdgeId)
    }
}

/// The way to the control plane.
pub fn dialer(config: &config::ControlPlane) -> Result<Dialer, CannotStart> {
    let name = "control_plane.join_token";
    let token = settings::secret(&config.join_token, &config.join_token_file, name)?;
    let token = token.ok_or(CannotStart::NoJoinToken)?;
    Ok(Dialer::new(
        &config.addresses,
        token.expose(),
        config.plaintext_beyond_loopback,
    )?)
}

/// The state directory. A text that is no key is refused, a directory that cannot be had is not: an edge that can
/// serve, serves.
pub fn directory(config: &config::State) -> Result<Option<Directory>, CannotStart> {
    let key = settings::secret(&config.key, &config.key_file, "state.key")?;
    let (Some(path), Some(key)) = (&config.directory, key) else {
        tracing::warn!(
            "nothing is kept on disk, because state.directory or state.key is not set: a restart needs the control plane, and unsent usage does not outlast the process"
        );
        return Ok(None);
    };
    let key = SealingKey::parse(key.expose()).map_err(CannotStart::StateKey)?;
    match Directory::open(path, key) {
        Ok(directory) => Ok(Some(directory)),
        Err(why) => {
            let path = path.display();
            tracing::error!(%path, %why, "nothing is kept on disk, because the directory cannot be had");
            Ok(None)
        }
    }
}
