//! The edge of `sluice dev`: its settings, its ports, and its way out.

use std::net::SocketAddr;

use lifecycle::{drain::Drain, settings};
use worker::{Config, worker::Running};

use crate::{
    dev::{
        Part,
        control_plane::{address, any},
        folder::Folder,
    },
    failure::{Exit, Failure},
};

/// The region of its join token.
pub const REGION: &str = "local";

/// A running edge.
pub struct Edge(Running);

// === impl Edge ===

impl Edge {
    /// Starts one that follows the control plane at `control_plane`.
    pub async fn start(
        control_plane: SocketAddr,
        join_token: &str,
        folder: &Folder,
        drain: Drain,
    ) -> Result<Self, Failure> {
        folder.secret_or("state-key", seal::SealingKey::generate_text)?;
        // The inference port can be shared by processes that ask for it at once, the other cannot: so both are
        // ours, or neither.
        let contract = [address(8080), address(8081)];
        let ports = if contract.iter().any(|it| it.port() == 0) {
            [any(); 2]
        } else {
            contract
        };
        let config = |ports| settings(control_plane, join_token, folder, ports);
        let running = match Box::pin(worker::start(config(ports)?, drain.clone())).await {
            // Somebody was faster since the ports were looked at.
            Err(_) if ports[0].port() != 0 => {
                Box::pin(worker::start(config([any(); 2])?, drain)).await
            }
            started => started,
        };
        let refused = |why| Failure::new(Exit::Failed, format!("the edge does not start: {why}"));
        running.map(Self).map_err(refused)
    }

    /// Where clients call.
    pub fn inference(&self) -> SocketAddr {
        self.0.inference
    }

    /// Sees it out, on a task of its own.
    pub fn run(self) -> Part {
        let ended = || "its log says why; --verbose shows more".to_owned();
        tokio::spawn(async move { self.0.join().await.map_err(|_| ended()) })
    }
}

fn settings(
    control_plane: SocketAddr,
    join_token: &str,
    folder: &Folder,
    ports: [SocketAddr; 2],
) -> Result<Config, Failure> {
    let [inference, ops] = ports.map(|address| address.to_string());
    let vars = [
        ("EDGE__ID", "dev".to_owned()),
        ("INFERENCE__ADDRESS", inference),
        // The demo provider, and whatever else runs on this machine.
        (
            "UPSTREAM__PRIVATE_RANGES",
            "[\"127.0.0.0/8\", \"::1/128\"]".to_owned(),
        ),
        ("LIMITS__STORE", "process".to_owned()),
        (
            "CONTROL_PLANE__ADDRESSES",
            format!("[\"http://{control_plane}\"]"),
        ),
        ("CONTROL_PLANE__JOIN_TOKEN", join_token.to_owned()),
        (
            "STATE__DIRECTORY",
            folder.join("edge").display().to_string(),
        ),
        (
            "STATE__KEY_FILE",
            folder.join("state-key").display().to_string(),
        ),
        ("OPS__ADDRESS", ops),
    ];
    let vars = vars.map(|(name, value)| (format!("SLUICE_{name}"), value));
    settings::load(None, vars).map_err(Failure::broken)
}
