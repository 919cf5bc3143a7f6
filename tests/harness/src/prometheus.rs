//! A real Prometheus for one test, and promtool beside it.

use std::{
    env, fs,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{client, process::Process, wait};

/// A Prometheus that scrapes each second.
#[derive(Debug)]
pub struct Prometheus {
    address: SocketAddr,
    _process: Process,
}

/// One of its programs.
fn program(name: &str) -> PathBuf {
    let folder = env::var_os("SLUICE_TEST_PROMETHEUS");
    folder.map_or(name.into(), |folder| PathBuf::from(folder).join(name))
}

/// What promtool says to these arguments, given `input`, where it finds anything to say.
pub fn promtool(arguments: &[&str], input: &str) -> Result<(), String> {
    let mut child = Command::new(program("promtool"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin
        .write_all(input.as_bytes())
        .expect("promtool takes its input");
    drop(stdin);
    let said = child.wait_with_output().expect("promtool ends");
    if said.status.success() && said.stderr.is_empty() {
        return Ok(());
    }
    let words = [said.stdout, said.stderr].concat();
    Err(String::from_utf8_lossy(&words).into_owned())
}

// === impl Prometheus ===

impl Prometheus {
    /// Starts one with its files below `folder`, which scrapes these jobs and keeps to the rules of these files.
    pub async fn start(folder: &Path, jobs: &[(&str, SocketAddr)], rules: &[&Path]) -> Self {
        let probe = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = probe.local_addr().expect("a listener has an address");
        drop(probe);
        let rules: Vec<_> = rules.iter().map(|it| it.display().to_string()).collect();
        let jobs = jobs.iter().map(
            |(job, at)| json!({"job_name": job, "static_configs": [{"targets": [at.to_string()]}]}),
        );
        // JSON is YAML, too.
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": rules,
            "scrape_configs": jobs.collect::<Vec<_>>(),
        });
        let file = folder.join("prometheus.yml");
        fs::write(&file, config.to_string()).expect("the folder can be written");
        let arguments = [
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", folder.join("series").display()),
            format!("--web.listen-address={address}"),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let process = Process::start(
            folder,
            "prometheus",
            &program("prometheus"),
            &arguments,
            &[],
        );
        let answers = || async move { TcpStream::connect(address).ok() };
        wait::until("Prometheus answers", answers).await;
        Self {
            address,
            _process: process,
        }
    }

    /// What it answers at a path below `/api/v1`.
    pub async fn ask(&self, path: &str) -> Value {
        let url = format!("http://{}", self.address);
        let reply = client::get(&url, "", &format!("/api/v1{path}")).await;
        reply.json().await
    }
}
