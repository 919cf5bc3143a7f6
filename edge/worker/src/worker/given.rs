//! What an edge is given by its settings before anything runs: its name, its way to the control plane, its disk.
//!
//! Knows the settings and reads the secrets they name; starts nothing.

use std::sync::Arc;

use lifecycle::{clock::Clock, settings};
use policy::region::Region;
use seal::SealingKey;
use tls::{
    door::Door,
    reload::{self, Reload},
};

use crate::{
    accept, certified,
    config::{self, Config},
    feed::{
        dial::Dialer,
        disk::{Directory, Note},
        membership::{Invitation, Proof},
    },
    worker::cannot_start::CannotStart,
};

/// What the edge calls itself: what the settings say, else what it drew once, else a new draw, which is kept if
/// there is a disk. Without one, each start looks like another edge until the last one is forgotten.
pub fn edge_id(edge: &config::Edge, directory: Option<&Directory>) -> Result<String, CannotStart> {
    if let Some(id) = &edge.id {
        return if is_edge_id(id) {
            Ok(id.clone())
        } else {
            Err(CannotStart::EdgeId)
        };
    }
    let Some(directory) = directory else {
        return Ok(drawn());
    };
    if let Some(id) = directory.note(Note::EdgeId).filter(|id| is_edge_id(id)) {
        return Ok(id);
    }
    let id = drawn();
    if let Err(why) = directory.write_note(Note::EdgeId, &id) {
        tracing::warn!(%why, "the drawn id of this edge cannot be kept, the next start draws another");
    }
    Ok(id)
}

/// How many edges of the region live, as the last process here was told; one if none was.
pub fn live_edges(directory: Option<&Directory>) -> u32 {
    let noted = directory.and_then(|directory| directory.note(Note::LiveEdges));
    noted
        .and_then(|text| text.parse().ok())
        .map_or(1, |live: u32| live.max(1))
}

/// The region, as the last process here was told.
pub fn region(directory: Option<&Directory>) -> Option<Region> {
    let noted = directory.and_then(|directory| directory.note(Note::Region));
    noted.and_then(|text| Region::try_from(text.as_str()).ok())
}

fn drawn() -> String {
    format!("edge-{:08x}", fastrand::u32(..))
}

/// The control plane's own rule: an edge that breaks it would be refused for ever.
fn is_edge_id(id: &str) -> bool {
    let bytes = id.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// The way to the control plane, and what proves this edge where that is a certificate.
pub fn dialer(
    config: &config::ControlPlane,
    directory: Option<&Directory>,
    edge_id: &str,
) -> Result<(Dialer, Option<Arc<Proof>>), CannotStart> {
    let name = "control_plane.join_token";
    let token = settings::secret(&config.join_token, &config.join_token_file, name)?;
    let invitation = token.as_ref().and_then(|it| Invitation::parse(it.expose()));
    if let (Some(token), None) = (&token, &invitation) {
        let (addresses, open) = (&config.addresses, config.plaintext_beyond_loopback);
        return Ok((Dialer::new(addresses, token.expose(), open)?, None));
    }
    let directory = directory.cloned();
    let proof = Proof::open(invitation, directory, edge_id.to_owned(), Clock::system());
    let proof = proof.ok_or(CannotStart::NoJoinToken)?;
    let dialer = Dialer::certified(&config.addresses, Arc::clone(&proof))?;
    Ok((dialer, Some(proof)))
}

/// A door, and whose certificates identify those who come through it.
pub type Entrance = (Option<Door>, certified::Places);

/// The door for clients where there are certificates, with whose certificates identify clients, and what keeps it in step with the
/// files of both.
pub fn door(config: &Config) -> Result<(Entrance, Option<Reload>), CannotStart> {
    let encrypted = config.inference.tls.clone();
    let certificates = &config.client_certificates;
    let certified = certified::Places::read(certificates, encrypted.is_some())?;
    let opened = encrypted.map(|it| {
        reload::open(
            "inference",
            it,
            certified::known(certificates),
            accept::ALPN,
        )
    });
    let (door, reload) = opened.transpose()?.unzip();
    Ok(((door, certified), reload))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(path: &std::path::Path) -> Directory {
        Directory::open(path, SealingKey::parse(&"7".repeat(64)).unwrap()).unwrap()
    }

    #[test]
    fn an_edge_keeps_the_id_that_it_drew() {
        let path = tempfile::tempdir().unwrap();
        let named = |id: Option<&str>| {
            let id = id.map(str::to_owned);
            edge_id(&config::Edge { id }, Some(&directory(path.path()))).unwrap()
        };
        let drawn = named(None);
        assert!(is_edge_id(&drawn), "{drawn}");
        assert_eq!(named(None), drawn);
        assert_eq!(named(Some("zurich-1")), "zurich-1");
        assert_eq!(named(None), drawn);
    }

    #[test]
    fn an_id_that_the_control_plane_would_refuse_is_refused_at_start() {
        for id in ["", "-edge", ".edge", "_edge", "a b", "ä", &"a".repeat(64)] {
            let edge = config::Edge {
                id: Some(id.to_owned()),
            };
            let refused = edge_id(&edge, None);
            assert!(matches!(refused, Err(CannotStart::EdgeId)), "{id}");
        }
    }
}
