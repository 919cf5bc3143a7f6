//! Puts the parts of `sluice dev` together, in order, until a client's first request would succeed.
//!
//! Dropping an unfinished one stops what had started.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use lifecycle::drain::Drain;
use tokio::{net::TcpListener, task::JoinHandle};
use zeroize::Zeroizing;

use crate::{
    connection::{Access, Connection},
    demo::{self, model},
    dev::{
        content::{self, Upstream},
        control_plane::{ControlPlane, OPERATOR_KEY, any},
        database::Database,
        edge::Edge,
        folder::Folder,
        greeting::Facts,
        probe,
        progress::Progress,
    },
    failure::{Exit, Failure},
    propagation,
};

/// How long the edge may take to have what this start wrote.
const PROPAGATED_WITHIN: Duration = Duration::from_secs(20);

/// Everything, running.
pub struct Site {
    /// Postgres.
    pub database: Database,
    /// The control plane.
    pub control_plane: ControlPlane,
    /// The edge.
    pub edge: Edge,
    /// The demo provider.
    pub demo: JoinHandle<()>,
    /// What is printed.
    pub facts: Facts,
}

// === impl Site ===

impl Site {
    /// Starts everything.
    pub async fn start(
        bin_dir: Option<PathBuf>,
        folder: &Folder,
        leaving: Drain,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let database = Database::start(bin_dir, folder, progress).await?;
        let control_plane = ControlPlane::start(&database.url(), folder, progress).await?;
        let operator_key = operator_key(folder)?;
        let admin_address = format!("http://{}", control_plane.admin);
        let access = Access {
            address: admin_address.clone(),
            operator_key_file: None,
            ca_file: None,
            plaintext_beyond_loopback: false,
        };
        let mut connection = Connection::open(&access, Some(&operator_key))?;

        progress.say("starting the demo provider");
        let known = content::provider_base_url(&mut connection).await?;
        let (listener, base_url) = listen(known.as_deref()).await?;
        let credential = folder.secret_or("provider-key", provider_key)?;
        let serving = demo::serve::run(listener, credential.as_str().to_owned());
        let demo = tokio::spawn(async move { match serving.await {} });
        let upstream = Upstream {
            base_url,
            credential,
            known,
        };
        let content = content::prepare(&mut connection, folder, &upstream).await?;

        progress.say("starting the edge");
        let edge = Edge::start(control_plane.edges, &content.join_token, folder, leaving).await?;
        progress.say("waiting until the edge has it all");
        probe::models(edge.inference(), &content.client_key).await?;
        if content.revision > 0 {
            propagated(&mut connection, content.revision).await?;
        }
        let facts = Facts {
            base_url: format!("http://{}/v1", edge.inference()),
            api_key: content.client_key,
            model: model::CHAT,
            admin_address,
            operator_key,
        };
        Ok(Self {
            database,
            control_plane,
            edge,
            demo,
            facts,
        })
    }
}

fn operator_key(folder: &Folder) -> Result<Zeroizing<String>, Failure> {
    folder.secret(OPERATOR_KEY)?.ok_or_else(|| {
        let (file, folder) = (folder.join(OPERATOR_KEY), folder.path());
        let sentence = format!(
            "{} is gone, and nobody can show the key again",
            file.display()
        );
        let advice = format!("put it back, or remove {} to begin anew", folder.display());
        Failure::new(Exit::Refused, sentence).with_advice(advice)
    })
}

/// The demo provider's listener and base URL: where it was, so that nothing need be rewritten, or anywhere.
async fn listen(known: Option<&str>) -> Result<(TcpListener, String), Failure> {
    let before = known.and_then(|url| url.strip_prefix("http://")?.strip_suffix("/v1"));
    let before: Option<SocketAddr> = before.and_then(|address| address.parse().ok());
    let bound = match before {
        Some(address) => match TcpListener::bind(address).await {
            Ok(listener) => Ok(listener),
            Err(_) => TcpListener::bind(any()).await,
        },
        None => TcpListener::bind(any()).await,
    };
    let refused = |error| Failure::system("listen for the demo provider", &error);
    let listener = bound.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, format!("http://{address}/v1")))
}

fn provider_key() -> Zeroizing<String> {
    Zeroizing::new(format!(
        "sk-demo-{}",
        seal::SealingKey::generate_text().as_str()
    ))
}

/// Waits until the edge has a revision. Before it has connected there is no edge to wait for, so it is asked
/// again until there is one.
async fn propagated(connection: &mut Connection, revision: i64) -> Result<(), Failure> {
    let since = Instant::now();
    loop {
        let left = PROPAGATED_WITHIN.saturating_sub(since.elapsed());
        let waited = propagation::wait(connection, revision, "", left).await?;
        if waited.edges_reached > 0 || since.elapsed() >= PROPAGATED_WITHIN {
            return propagation::check(&waited);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
