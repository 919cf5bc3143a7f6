//! Announces where a process listens: in the log, and in a file for whoever asked for port 0.
//!
//! Knows names and addresses. The file is there whole or not at all, so who waits for it may read it as
//! soon as it is there.

use std::{ffi::OsString, fs, io, net::SocketAddr, path::Path};

use tracing::info;

/// Logs `listening` for each listener and, when a file is given, writes `{"name":"address", …}` there.
///
/// Names are identifiers of ours and go into the file as they stand.
pub fn listening(file: Option<&Path>, listeners: &[(&'static str, SocketAddr)]) -> io::Result<()> {
    for (name, address) in listeners {
        info!(name, %address, "listening");
    }
    let Some(path) = file else { return Ok(()) };
    let fields: Vec<String> = listeners
        .iter()
        .map(|(name, address)| format!("\"{name}\":\"{address}\""))
        .collect();
    let mut beside = OsString::from(path);
    beside.push(".new");
    fs::write(&beside, format!("{{{}}}\n", fields.join(",")))?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_names_every_listener() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ports.json");
        let listeners = [
            ("admin", "127.0.0.1:1".parse().unwrap()),
            ("ops", "[::1]:2".parse().unwrap()),
        ];
        listening(Some(&path), &listeners).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"admin\":\"127.0.0.1:1\",\"ops\":\"[::1]:2\"}\n");
        listening(None, &listeners).unwrap();
    }
}
