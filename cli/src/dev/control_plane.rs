//! The control plane of `sluice dev`: its settings, its ports, and its way out.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use lifecycle::{
    drain::{self, Trigger},
    settings,
};
use server::{
    config::Config,
    server::{Running, cannot_start::CannotStart, migrate, start},
};

use crate::{
    dev::{Part, folder::Folder, progress::Progress},
    failure::{Exit, Failure},
};

/// How long streams to edges may take to end: there is one edge, and it has left by then.
const DEADLINE: Duration = Duration::from_secs(2);

/// The file with the operator's key.
pub const OPERATOR_KEY: &str = "operator-key";

/// A running control plane.
pub struct ControlPlane {
    /// Where operators call.
    pub admin: SocketAddr,
    /// Where edges call.
    pub edges: SocketAddr,
    /// Makes it leave.
    pub trigger: Trigger,
    /// Ends when it has left, or failed.
    pub serving: Part,
}

/// This port of this machine if nobody has it, else any.
pub fn address(port: u16) -> SocketAddr {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if TcpListener::bind(wanted).is_ok() {
        wanted
    } else {
        any()
    }
}

/// Any free port of this machine.
pub fn any() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

// === impl ControlPlane ===

impl ControlPlane {
    /// Starts one over the database at `url`, brought to its shape first.
    pub async fn start(url: &str, folder: &Folder, progress: &Progress) -> Result<Self, Failure> {
        folder.secret_or("seal-key", seal::SealingKey::generate_text)?;
        let ports = [7070, 7071, 7072].map(address);
        let config = settings(url, folder, ports)?;
        progress.say("bringing the database to its shape");
        Box::pin(migrate(&config))
            .await
            .map_err(|why| refused(&why))?;
        progress.say("starting the control plane");
        let (trigger, drain) = drain::channel(Duration::ZERO, DEADLINE);
        let running = match Box::pin(start(config, drain.clone())).await {
            // Somebody was faster since the ports were looked at.
            Err(CannotStart::Listen(..)) => {
                let config = settings(url, folder, [any(); 3])?;
                Box::pin(start(config, drain)).await
            }
            started => started,
        };
        let running = running.map_err(|why| refused(&why))?;
        let Running { admin, edges, .. } = running;
        let serving =
            tokio::spawn(async move { running.join().await.map_err(|why| why.to_string()) });
        Ok(Self {
            admin,
            edges,
            trigger,
            serving,
        })
    }
}

fn settings(url: &str, folder: &Folder, ports: [SocketAddr; 3]) -> Result<Config, Failure> {
    let [admin, edges, ops] = ports.map(|address| address.to_string());
    let file = |name| folder.join(name).display().to_string();
    let vars = [
        ("DATABASE__URL", url.to_owned()),
        ("ADMIN__ADDRESS", admin),
        ("ADMIN__OPERATOR_KEY_FILE", file(OPERATOR_KEY)),
        ("EDGES__ADDRESS", edges),
        ("OPS__ADDRESS", ops),
        ("SEAL__KEY_FILE", file("seal-key")),
    ];
    let vars = vars.map(|(name, value)| (format!("SLUICE_{name}"), value));
    settings::load(None, vars).map_err(Failure::broken)
}

fn refused(why: &CannotStart) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("the control plane does not start: {why}"),
    )
}
