//! A whole installation for one test: Postgres, Redis, control planes and edges, each a real process.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use proto::admin::{CreateJoinTokenRequest, JoinToken, WaitForPropagationRequest};
use tempfile::TempDir;

use crate::{
    admin::Admin, binaries, client, database::Database, process::Process, redis::Redis, wait,
};

/// What stands in an installation.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many control-plane replicas.
    pub control_planes: usize,
    /// The region of each edge.
    pub edges: Vec<&'static str>,
    /// Settings over the usual ones, for every control plane.
    pub control_plane_settings: Vec<(&'static str, String)>,
    /// Settings over the usual ones, for every edge: `SLUICE_SECTION__FIELD`.
    pub edge_settings: Vec<(&'static str, String)>,
}

/// A running installation. Dropping it stops everything and removes its files.
#[derive(Debug)]
pub struct Site {
    /// Postgres.
    pub database: Database,
    /// Redis.
    pub redis: Redis,
    /// The control planes.
    pub control_planes: Vec<ControlPlane>,
    /// The edges.
    pub edges: Vec<Edge>,
    plan: Plan,
    operator_key: String,
    folder: TempDir,
}

/// A running control plane.
#[derive(Debug)]
pub struct ControlPlane {
    /// The process.
    pub process: Process,
    /// Where operators call.
    pub admin: SocketAddr,
    /// Where edges call.
    pub edges: SocketAddr,
    /// Where it is watched.
    pub ops: SocketAddr,
}

/// A running edge.
#[derive(Debug)]
pub struct Edge {
    /// The process.
    pub process: Process,
    /// What it calls itself.
    pub id: String,
    /// Where clients call.
    pub inference: SocketAddr,
    /// Where it is watched.
    pub ops: SocketAddr,
    settings: Vec<(String, String)>,
}

/// Under which control planes seal unless told otherwise.
pub const SEALING_KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const STATE_KEY: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

// === impl Site ===

impl Default for Plan {
    fn default() -> Self {
        Self {
            control_planes: 1,
            edges: vec!["here"],
            control_plane_settings: Vec::new(),
            edge_settings: Vec::new(),
        }
    }
}

impl Site {
    /// Starts everything and waits until every edge is ready.
    pub async fn start(plan: Plan) -> Self {
        let folder = tempfile::Builder::new().prefix("sluice-site-").tempdir();
        let folder = folder.expect("a temporary folder can be made");
        let database = Database::start(folder.path());
        let redis = Redis::start(folder.path()).await;
        let settings = control_plane_settings(&database, folder.path(), 0, &plan);
        let program = binaries::path("sluice-control-plane");
        let (status, said) =
            Process::run(folder.path(), "migrate", &program, &["migrate"], &settings);
        assert!(status.success(), "migrate failed: {said}");
        let mut site = Self {
            database,
            redis,
            control_planes: Vec::new(),
            edges: Vec::new(),
            plan: plan.clone(),
            operator_key: String::new(),
            folder,
        };
        for _ in 0..plan.control_planes {
            site.add_control_plane().await;
        }
        for region in plan.edges {
            site.add_edge(region).await;
        }
        for at in 0..site.edges.len() {
            site.ready(at).await;
        }
        site
    }

    /// Starts one more control-plane replica.
    pub async fn add_control_plane(&mut self) {
        let at = self.control_planes.len();
        let settings = control_plane_settings(&self.database, self.folder.path(), at, &self.plan);
        let started = start_control_plane(self.folder.path(), at, &settings).await;
        self.control_planes.push(started);
        if self.operator_key.is_empty() {
            let text = fs::read_to_string(self.folder.path().join("operator-key"));
            text.expect("the first start writes the operator's key")
                .trim()
                .clone_into(&mut self.operator_key);
        }
    }

    /// Starts a control plane again that was killed, on the ports that it had.
    pub async fn revive_control_plane(&mut self, at: usize) {
        let ControlPlane {
            admin, edges, ops, ..
        } = self.control_planes[at];
        let mut settings =
            control_plane_settings(&self.database, self.folder.path(), at, &self.plan);
        for (section, address) in [("ADMIN", admin), ("EDGES", edges), ("OPS", ops)] {
            let name = format!("SLUICE_{section}__ADDRESS");
            settings.retain(|(other, _)| *other != name);
            settings.push((name, address.to_string()));
        }
        self.control_planes[at] = start_control_plane(self.folder.path(), at, &settings).await;
    }

    /// Sets a setting of every control plane, from its next start on.
    pub fn set_control_planes(&mut self, name: &'static str, value: &str) {
        let settings = &mut self.plan.control_plane_settings;
        settings.retain(|(other, _)| *other != name);
        settings.push((name, value.to_owned()));
    }

    /// Stops a control plane and starts it again with the settings that are set by now, on the ports that it had.
    pub async fn restart_control_plane(&mut self, at: usize) {
        self.control_planes[at].process.kill();
        self.revive_control_plane(at).await;
    }

    /// Starts a control plane beside the others that cannot start, with settings over the usual ones, and gives what it said.
    pub fn fail_control_plane(&self, more: &[(&'static str, String)]) -> String {
        let folder = self.folder.path();
        let mut settings = control_plane_settings(&self.database, folder, 99, &self.plan);
        over(&mut settings, more);
        let program = binaries::path("sluice-control-plane");
        let (status, said) = Process::run(folder, "failing", &program, &["serve"], &settings);
        assert!(!status.success(), "it starts: {said}");
        said
    }

    /// Starts one more edge.
    pub async fn add_edge(&mut self, region: &'static str) {
        let token = self.join_token(region).await;
        self.add_edge_with(&token, &[]).await;
    }

    /// Starts one more edge, with this join token and settings over the usual ones.
    pub async fn add_edge_with(&mut self, token: &str, more: &[(&'static str, String)]) {
        let id = format!("edge-{}", self.edges.len());
        let mut settings = self.edge_settings(&id, token);
        over(&mut settings, &self.plan.edge_settings);
        over(&mut settings, more);
        let edge = start_edge(self.folder.path(), &id, settings).await;
        self.edges.push(edge);
    }

    /// Starts an edge again, with the settings and the disk that it had.
    pub async fn restart_edge(&mut self, at: usize) {
        self.edges[at].process.kill();
        let edge = &self.edges[at];
        let (id, settings) = (edge.id.clone(), edge.settings.clone());
        self.edges[at] = start_edge(self.folder.path(), &id, settings).await;
    }

    /// Sets a setting of an edge, from its next start on.
    pub fn set_edge(&mut self, at: usize, name: &str, value: &str) {
        let settings = &mut self.edges[at].settings;
        settings.retain(|(other, _)| other != name);
        settings.push((name.to_owned(), value.to_owned()));
    }

    /// Leaves a setting of an edge away, from its next start on.
    pub fn unset_edge(&mut self, at: usize, name: &str) {
        self.edges[at].settings.retain(|(other, _)| other != name);
    }

    /// Waits until an edge says that it is ready, and gives how long that took.
    pub async fn ready(&self, at: usize) -> std::time::Duration {
        let ops = format!("http://{}", self.edges[at].ops);
        let ready = || async {
            let mut client = client::Client::connect(&ops, "").await.ok()?;
            let reply = client.get("/readyz").await.ok()?;
            reply.status.is_success().then_some(())
        };
        wait::until("the edge is ready", ready).await.1
    }

    /// The admin API of the first control plane.
    pub fn admin(&self) -> Admin {
        self.admin_of(0)
    }

    /// The admin API of one control plane.
    pub fn admin_of(&self, at: usize) -> Admin {
        Admin::new(self.control_planes[at].admin, &self.operator_key)
    }

    /// The base URL that a client of an edge would use, without `/v1`.
    pub fn url(&self, edge: usize) -> String {
        format!("http://{}", self.edges[edge].inference)
    }

    /// What an edge shows of one metric: the sum over its labels that contain `labels`.
    pub async fn metric(&self, edge: usize, name: &str, labels: &str) -> f64 {
        metric(self.edges[edge].ops, name, labels).await
    }

    /// As [`Self::metric`], of a metric that is a whole number.
    pub async fn count(&self, edge: usize, name: &str, labels: &str) -> u64 {
        let lines = shown(self.edges[edge].ops, name, labels).await;
        lines
            .iter()
            .filter_map(|text| text.parse::<u64>().ok())
            .sum()
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The operator's key.
    pub fn operator_key(&self) -> &str {
        &self.operator_key
    }

    /// Waits until every edge has what was last written; the stragglers fail the test.
    pub async fn propagated(&self) {
        let request = WaitForPropagationRequest::default();
        let reply = self.admin().edges().wait_for_propagation(request).await;
        let reply = reply.expect("the control plane answers").into_inner();
        assert!(reply.reached, "stragglers: {:?}", reply.stragglers);
    }

    /// A join token for a region.
    pub async fn join_token(&self, region: &str) -> String {
        let request = CreateJoinTokenRequest {
            join_token: Some(JoinToken {
                region: region.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let reply = self.admin().edges().create_join_token(request).await;
        reply.expect("a join token is made").into_inner().text
    }

    fn edge_settings(&self, id: &str, token: &str) -> Vec<(String, String)> {
        let addresses: Vec<String> = self
            .control_planes
            .iter()
            .map(|it| format!("\"http://{}\"", it.edges))
            .collect();
        let folder = self.folder.path();
        [
            ("EDGE__ID", id.to_owned()),
            ("INFERENCE__ADDRESS", "127.0.0.1:0".to_owned()),
            ("INFERENCE__THREADS", "1".to_owned()),
            ("UPSTREAM__PRIVATE_RANGES", "[\"127.0.0.0/8\"]".to_owned()),
            ("LIMITS__STORE", "redis".to_owned()),
            ("LIMITS__REDIS_URL", self.redis.url()),
            ("LIMITS__TIMEOUT_MS", "2000".to_owned()),
            (
                "CONTROL_PLANE__ADDRESSES",
                format!("[{}]", addresses.join(",")),
            ),
            ("CONTROL_PLANE__JOIN_TOKEN", token.to_owned()),
            (
                "STATE__DIRECTORY",
                folder.join(format!("{id}-state")).display().to_string(),
            ),
            ("STATE__KEY", STATE_KEY.to_owned()),
            ("OPS__ADDRESS", "127.0.0.1:0".to_owned()),
            (
                "OPS__PORTS_FILE",
                ports_file(folder, id).display().to_string(),
            ),
            ("DRAIN__GRACE_MS", "200".to_owned()),
            ("DRAIN__DEADLINE_MS", "10000".to_owned()),
        ]
        .map(|(name, value)| (format!("SLUICE_{name}"), value))
        .to_vec()
    }
}

/// Sets settings, also where they are set already.
fn over(settings: &mut Vec<(String, String)>, more: &[(&'static str, String)]) {
    for (name, value) in more {
        settings.retain(|(other, _)| other != name);
        settings.push(((*name).to_owned(), value.clone()));
    }
}

/// What a program shows of one metric: the sum over its labels that contain `labels`.
pub async fn metric(ops: SocketAddr, name: &str, labels: &str) -> f64 {
    let lines = shown(ops, name, labels).await;
    lines
        .iter()
        .filter_map(|text| text.parse::<f64>().ok())
        .sum()
}

/// The values that a program shows of one metric, as text.
async fn shown(ops: SocketAddr, name: &str, labels: &str) -> Vec<String> {
    let reply = client::get(&format!("http://{ops}"), "", "/metrics").await;
    let text = reply.bytes().await.expect("the metrics arrive");
    String::from_utf8_lossy(&text)
        .lines()
        .filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with([' ', '{'])) && line.contains(labels)
        })
        .filter_map(|line| line.rsplit(' ').next().map(str::to_owned))
        .collect()
}

fn control_plane_settings(
    database: &Database,
    folder: &Path,
    at: usize,
    plan: &Plan,
) -> Vec<(String, String)> {
    let usual = [
        ("DATABASE__URL", database.url()),
        ("ADMIN__ADDRESS", "127.0.0.1:0".to_owned()),
        (
            "ADMIN__OPERATOR_KEY_FILE",
            folder.join("operator-key").display().to_string(),
        ),
        ("EDGES__ADDRESS", "127.0.0.1:0".to_owned()),
        ("OPS__ADDRESS", "127.0.0.1:0".to_owned()),
        (
            "OPS__PORTS_FILE",
            ports_file(folder, &control_plane_name(at))
                .display()
                .to_string(),
        ),
        ("SEAL__KEY", SEALING_KEY.to_owned()),
        ("DRAIN__GRACE_MS", "100".to_owned()),
        ("DRAIN__DEADLINE_MS", "3000".to_owned()),
    ];
    let mut settings = usual
        .map(|(name, value)| (format!("SLUICE_{name}"), value))
        .to_vec();
    over(&mut settings, &plan.control_plane_settings);
    settings
}

async fn start_control_plane(
    folder: &Path,
    at: usize,
    settings: &[(String, String)],
) -> ControlPlane {
    let name = control_plane_name(at);
    let file = ports_file(folder, &name);
    let _ = fs::remove_file(&file);
    let program = binaries::path("sluice-control-plane");
    let mut process = Process::start(folder, &name, &program, &["serve"], settings);
    let ports = process.ports(&file).await;
    let (admin, edges, ops) = (ports["admin"], ports["edges"], ports["ops"]);
    ControlPlane {
        process,
        admin,
        edges,
        ops,
    }
}

async fn start_edge(folder: &Path, id: &str, settings: Vec<(String, String)>) -> Edge {
    let file = ports_file(folder, id);
    let _ = fs::remove_file(&file);
    let program = binaries::path("sluice-edge");
    let mut process = Process::start(folder, id, &program, &["serve"], &settings);
    let ports = process.ports(&file).await;
    let (inference, ops) = (ports["inference"], ports["ops"]);
    Edge {
        process,
        id: id.to_owned(),
        inference,
        ops,
        settings,
    }
}

fn control_plane_name(at: usize) -> String {
    format!("control-plane-{at}")
}

fn ports_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}-ports.json"))
}
