//! A server of MLflow for one test: a registry of models that nobody here wrote.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::{client::Client, process::Process, wait};

/// How long it may take to start: it makes the tables of its database first.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Mlflow {
    address: SocketAddr,
    folder: PathBuf,
    process: Process,
}

// === impl Mlflow ===

impl Mlflow {
    /// Starts one with its files below `folder`, on a free port.
    pub async fn start(folder: &Path) -> Self {
        let probe = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = probe.local_addr().expect("a listener has an address");
        drop(probe);
        let folder = folder.join("mlflow");
        fs::create_dir_all(&folder).expect("a folder can be made");
        let process = run(&folder, address);
        let server = Self {
            address,
            folder,
            process,
        };
        server.ready().await;
        server
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it, with every process that it has started. What it knows stays on the disk.
    pub fn stop(&mut self) {
        end(&mut self.process);
    }

    /// Starts it again, where it stood.
    pub async fn revive(&mut self) {
        self.process = run(&self.folder, self.address);
        self.ready().await;
    }

    /// Makes a registered model.
    pub async fn model(&self, name: &str) {
        self.post("registered-models/create", &json!({ "name": name }))
            .await;
    }

    /// Makes a version of one, of a run of its own, with these tags: its number and its run.
    pub async fn version(&self, model: &str, tags: &[(&str, &str)]) -> (String, String) {
        let run = json!({ "experiment_id": "0", "run_name": "a run" });
        let run = self.post("runs/create", &run).await;
        let info = &run["run"]["info"];
        let artifacts = info["artifact_uri"].as_str().expect("a run has artifacts");
        let tags = tags
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": value }));
        let version = json!({
            "name": model,
            "source": format!("{artifacts}/model"),
            "run_id": info["run_id"],
            "tags": tags.collect::<Vec<_>>(),
        });
        let made = self.post("model-versions/create", &version).await;
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        (
            text(&made["model_version"]["version"]),
            text(&info["run_id"]),
        )
    }

    /// Points an alias at a version.
    pub async fn alias(&self, model: &str, alias: &str, version: &str) {
        let alias = json!({ "name": model, "alias": alias, "version": version });
        self.post("registered-models/alias", &alias).await;
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let client = Client::connect(&self.url(), "").await;
        let mut client = client.expect("the server accepts");
        let path = format!("/api/2.0/mlflow/{path}");
        let headers = [("content-type", "application/json")];
        let reply = client
            .request("POST", &path, &headers, body.to_string())
            .await;
        let reply = reply.expect("the server answers");
        assert!(reply.status.is_success(), "{path}: {}", reply.status);
        reply.json().await
    }

    async fn ready(&self) {
        let url = self.url();
        let asked = async || {
            let mut client = Client::connect(&url, "").await.ok()?;
            let reply = client.get("/health").await.ok()?;
            reply.status.is_success().then_some(())
        };
        wait::until_within(PATIENCE, "the registry answers", asked).await;
    }
}

impl Drop for Mlflow {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn run(folder: &Path, address: SocketAddr) -> Process {
    let program = env::var_os("SLUICE_TEST_PYTHON").map_or("python3".into(), PathBuf::from);
    let program = program.display().to_string();
    let port = address.port().to_string();
    // In a session of its own, because it starts others that outlive it.
    let arguments = [
        program.as_str(),
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        "sqlite:///registry.db",
        "--artifacts-destination",
        "artifacts",
        "--host",
        "127.0.0.1",
        "--port",
        &port,
        "--workers",
        "1",
    ];
    let path = env::var("PATH").unwrap_or_default();
    let home = folder.display().to_string();
    let variables = [
        ("PATH", path.as_str()),
        ("HOME", &home),
        ("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false"),
        ("MLFLOW_DISABLE_TELEMETRY", "true"),
        ("DO_NOT_TRACK", "true"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Process::start(
        folder,
        "mlflow",
        Path::new("/usr/bin/setsid"),
        &arguments,
        &variables,
    )
}

/// Its number is that of its group: it leads a session.
fn end(process: &mut Process) {
    let group = i32::try_from(process.pid()).expect("a process number is small");
    // It may have ended already.
    let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    process.kill();
}
