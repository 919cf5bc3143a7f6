//! The example configurations start what they say they start.

use std::{fs, path::PathBuf};

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

#[tokio::test]
async fn both_programs_start_from_the_example_configurations() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let database = Database::start(folder.path());
    let redis = Redis::start(folder.path()).await;
    for (name, digit) in [("seal.key", "1"), ("state.key", "2")] {
        fs::write(folder.path().join(name), digit.repeat(64)).expect("the folder is ours");
    }
    // Only what belongs to this machine and this run is given over the files: addresses, keys, folders.
    let settings = over(&[
        ("DATABASE__URL", database.url()),
        ("SEAL__KEY_FILE", at("seal.key")),
        ("ADMIN__OPERATOR_KEY_FILE", at("operator-key")),
        ("ADMIN__ADDRESS", "127.0.0.1:0".to_owned()),
        ("EDGES__ADDRESS", "127.0.0.1:0".to_owned()),
        ("OPS__ADDRESS", "127.0.0.1:0".to_owned()),
        ("OPS__PORTS_FILE", at("control-plane.json")),
    ]);
    let program = binaries::path("sluice-control-plane");
    let config = deploy("control-plane.toml").display().to_string();
    let arguments = ["--config", &config, "serve"];
    let (status, said) = Process::run(folder.path(), "early", &program, &arguments, &settings);
    assert!(!status.success(), "serve must refuse to run before migrate");
    assert!(said.contains("migrate"), "it says what to do: {said}");
    let arguments = ["--config", &config, "migrate"];
    let (status, said) = Process::run(folder.path(), "migrate", &program, &arguments, &settings);
    assert!(status.success(), "{said}");
    let arguments = ["--config", &config, "serve"];
    let mut control_plane = Process::start(
        folder.path(),
        "control-plane",
        &program,
        &arguments,
        &settings,
    );
    let ports = control_plane
        .ports(&folder.path().join("control-plane.json"))
        .await;
    let key = fs::read_to_string(folder.path().join("operator-key")).expect("it was written");

    let token = JoinToken {
        region: "eu-1".to_owned(),
        ..Default::default()
    };
    let request = CreateJoinTokenRequest {
        join_token: Some(token),
        ..Default::default()
    };
    let made = Admin::new(ports["admin"], key.trim())
        .edges()
        .create_join_token(request)
        .await;
    let text = made.expect("a token is made").into_inner().text;
    fs::write(folder.path().join("join-token"), text).expect("the folder is ours");
    let settings = over(&[
        ("INFERENCE__ADDRESS", "127.0.0.1:0".to_owned()),
        ("LIMITS__REDIS_URL", redis.url()),
        (
            "CONTROL_PLANE__ADDRESSES",
            format!("[\"http://{}\"]", ports["edges"]),
        ),
        ("CONTROL_PLANE__JOIN_TOKEN_FILE", at("join-token")),
        ("STATE__DIRECTORY", at("state")),
        ("STATE__KEY_FILE", at("state.key")),
        ("OPS__ADDRESS", "127.0.0.1:0".to_owned()),
        ("OPS__PORTS_FILE", at("edge.json")),
    ]);
    let program = binaries::path("sluice-edge");
    let config = deploy("edge.toml").display().to_string();
    let arguments = ["--config", &config, "serve"];
    let mut edge = Process::start(folder.path(), "edge", &program, &arguments, &settings);
    let ports = edge.ports(&folder.path().join("edge.json")).await;
    let ops = format!("http://{}", ports["ops"]);
    let ready = || async {
        let mut client = client::Client::connect(&ops, "").await.ok()?;
        client
            .get("/readyz")
            .await
            .ok()?
            .status
            .is_success()
            .then_some(())
    };
    wait::until("the edge is ready", ready).await;
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
