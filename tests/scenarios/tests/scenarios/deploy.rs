//! The example configurations start what they say they start.

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use harness::{
    admin::Admin, binaries, client, database::Database, process::Process, redis::Redis, wait,
};
use proto::admin::{CreateJoinTokenRequest, JoinToken};

fn deploy(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(file)
}

fn over(settings: &[(&str, String)]) -> Vec<(String, String)> {
    settings
        .iter()
        .map(|(name, value)| (format!("SLUICE_{name}"), value.clone()))
        .collect()
}

/// One of our programs, run with its example configuration; only what belongs to this machine and this run is
/// given over the file: addresses, keys, folders.
struct Example<'a> {
    folder: &'a Path,
    program: PathBuf,
    config: String,
    settings: Vec<(String, String)>,
}

impl<'a> Example<'a> {
    fn new(folder: &'a Path, program: &str, config: &str, settings: &[(&str, String)]) -> Self {
        Self {
            folder,
            program: binaries::path(program),
            config: deploy(config).display().to_string(),
            settings: over(settings),
        }
    }

    fn run(&self, verb: &str) -> (std::process::ExitStatus, String) {
        let arguments = ["--config", &self.config, verb];
        let (program, settings) = (&self.program, &self.settings);
        Process::run(self.folder, verb, program, &arguments, settings)
    }

    async fn serve(&self, name: &str) -> (Process, HashMap<String, SocketAddr>) {
        let arguments = ["--config", &self.config, "serve"];
        let (program, settings) = (&self.program, &self.settings);
        let mut process = Process::start(self.folder, name, program, &arguments, settings);
        let ports = process
            .ports(&self.folder.join(format!("{name}.json")))
            .await;
        (process, ports)
    }
}

#[tokio::test]
async fn both_programs_start_from_the_example_configurations() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let free = || "127.0.0.1:0".to_owned();
    let database = Database::start(folder.path());
    let redis = Redis::start(folder.path()).await;
    for (name, digit) in [("seal.key", "1"), ("state.key", "2")] {
        fs::write(folder.path().join(name), digit.repeat(64)).expect("the folder is ours");
    }
    let settings = [
        ("DATABASE__URL", database.url()),
        ("SEAL__KEY_FILE", at("seal.key")),
        ("ADMIN__OPERATOR_KEY_FILE", at("operator-key")),
        ("ADMIN__ADDRESS", free()),
        ("EDGES__ADDRESS", free()),
        ("OPS__ADDRESS", free()),
        ("OPS__PORTS_FILE", at("control-plane.json")),
    ];
    let program = "sluice-control-plane";
    let example = Example::new(folder.path(), program, "control-plane.toml", &settings);
    let (status, said) = example.run("serve");
    assert!(!status.success(), "serve must refuse to run before migrate");
    assert!(said.contains("migrate"), "it says what to do: {said}");
    let (status, said) = example.run("migrate");
    assert!(status.success(), "{said}");
    let (_control_plane, ports) = example.serve("control-plane").await;
    let key = fs::read_to_string(folder.path().join("operator-key")).expect("it was written");

    let token = join_token(&Admin::new(ports["admin"], key.trim())).await;
    fs::write(folder.path().join("join-token"), token).expect("the folder is ours");
    let control_plane = format!("[\"http://{}\"]", ports["edges"]);
    let settings = [
        ("INFERENCE__ADDRESS", free()),
        ("LIMITS__REDIS_URL", redis.url()),
        ("CONTROL_PLANE__ADDRESSES", control_plane),
        ("CONTROL_PLANE__JOIN_TOKEN_FILE", at("join-token")),
        ("STATE__DIRECTORY", at("state")),
        ("STATE__KEY_FILE", at("state.key")),
        ("OPS__ADDRESS", free()),
        ("OPS__PORTS_FILE", at("edge.json")),
    ];
    let example = Example::new(folder.path(), "sluice-edge", "edge.toml", &settings);
    let (_edge, ports) = example.serve("edge").await;
    let ops = format!("http://{}", ports["ops"]);
    let ready = || async {
        let mut client = client::Client::connect(&ops, "").await.ok()?;
        let reply = client.get("/readyz").await.ok()?;
        reply.status.is_success().then_some(())
    };
    wait::until("the edge is ready", ready).await;
}

async fn join_token(admin: &Admin) -> String {
    let join_token = Some(JoinToken {
        region: "eu-1".to_owned(),
        ..Default::default()
    });
    let request = CreateJoinTokenRequest {
        join_token,
        ..Default::default()
    };
    let made = admin.edges().create_join_token(request).await;
    made.expect("a token is made").into_inner().text
}

#[test]
fn the_units_run_the_programs_with_these_files_and_outlive_the_drain() {
    for (unit, program, config) in [
        (
            "sluice-control-plane.service",
            "sluice-control-plane",
            "control-plane.toml",
        ),
        ("sluice-edge.service", "sluice-edge", "edge.toml"),
    ] {
        let text = fs::read_to_string(deploy("systemd").join(unit)).expect("the unit is there");
        let start =
            format!("ExecStart=/usr/local/bin/{program} --config /etc/sluice/{config} serve");
        assert!(
            text.lines().any(|line| line == start),
            "{unit} does not say {start}"
        );
        let number = |text: &str, name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let digits = line
                .expect("the field is there")
                .trim_start_matches([' ', '=']);
            digits.trim().parse().expect("it is a number")
        };
        let settings = fs::read_to_string(deploy(config)).expect("the configuration is there");
        let drain_ms = number(&settings, "grace_ms") + number(&settings, "deadline_ms");
        assert!(
            number(&text, "TimeoutStopSec") * 1000 > drain_ms,
            "{unit} would cut the drain"
        );
    }
}
