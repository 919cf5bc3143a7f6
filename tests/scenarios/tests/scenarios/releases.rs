//! A CI job pushes a version from a file, waits for its rollout, and fails when the gates do.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use harness::{
    binaries,
    client::Client,
    provider::{Answer, Asked, Provider},
    site::{Plan, Site},
    tenant::Tenant,
};
use scenarios::openai;
use serde_json::Value;

use crate::command_line::Shell;

/// Answers as OpenAI does, and fails what is asked of `broken`.
pub(crate) fn half_broken(asked: &Asked) -> Answer {
    let question: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    if question["model"] == "broken" {
        return Answer::json(500, r#"{"error":{"message":"out of order"}}"#);
    }
    openai::answer(asked)
}

/// Asks `chat` again and again until told to stop.
pub(crate) fn traffic(
    url: String,
    key: String,
    stop: Arc<AtomicBool>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut client = Client::connect(&url, &key).await.expect("the edge accepts");
        while !stop.load(Ordering::Relaxed) {
            let reply = client.post("/v1/chat/completions", openai::whole("chat"));
            let _ = reply.await.expect("the edge answers").bytes().await;
        }
    })
}

/// Runs the script that the templates for CI run: its exit code, and what it said.
fn job(site: &Site, file: &str) -> (Option<i32>, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/ci/release");
    let program = binaries::path("sluice");
    let folder = program.parent().expect("a program is in a folder");
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let address = format!("http://{}", site.control_planes[0].admin);
    let variables = [
        ("PATH", path.as_str()),
        ("SLUICE_ADDRESS", &address),
        ("SLUICE_OPERATOR_KEY", site.operator_key()),
        ("SLUICE_ORGANIZATION", "acme"),
        ("RELEASE_FILE", file),
        ("RELEASE_STEPS", "20%:0s:10 50%"),
        ("RELEASE_GATES", "error-rate:0%:40%"),
        ("RELEASE_STICKY", "request"),
        ("RELEASE_TIMEOUT", "60s"),
        ("RELEASE_COMMIT", "a3"),
    ];
    let mut command = Command::new(script);
    let ended = command.env_clear().envs(variables).output();
    let ended = ended.expect("the script starts");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    (ended.status.code(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_pushes_a_version_and_fails_when_its_gates_do() {
    let provider = Provider::start(half_broken).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let shell = Shell::new(&site);
    let written = |model: &str| {
        let path = site.folder().join(format!("{model}.toml"));
        let text = format!(
            "model = 'chat'\n[[target]]\nprovider = 'main'\nmodel = '{model}'\n[provenance]\nteam = 'support'\n"
        );
        std::fs::write(&path, text).expect("the file can be written");
        path.display().to_string()
    };
    let push = |model: &str, sha: &str| {
        let line = format!(
            "models push -f {} --provenance git_sha={sha}",
            written(model)
        );
        shell.done(&line).trim().to_owned()
    };
    let (fine, broken) = (push("fine", "a1"), push("broken", "b1"));
    assert_eq!(
        push("fine", "a2"),
        fine,
        "the same file is the same version"
    );
    assert_ne!(fine, broken);
    let shown = shell.json(&format!("versions get {fine}"));
    assert_eq!(shown["provenance"]["git_sha"], "a1");

    let stop = Arc::new(AtomicBool::new(false));
    let task = traffic(site.url(0), key, Arc::clone(&stop));
    let start = |version: &str| {
        let gates = "--gate error-rate:0%:40% --gate total-time:0%:100%";
        let line = format!(
            "rollouts start chat --to {version} --step 20%:0s:10 --step 50% {gates} --sticky request --wait=60s"
        );
        tokio::task::block_in_place(|| shell.run(&line))
    };
    let bad = start(&broken);
    assert_eq!(bad.code, 8, "{}{}", bad.out, bad.err);
    assert!(
        bad.err.contains("the error rate is worse: 100.00 %"),
        "{}",
        bad.err
    );
    assert!(bad.out.contains("rolled back"), "{}", bad.out);
    // As a job does, by the script of its template; and once more, as a pipeline that runs again does.
    let job = || tokio::task::block_in_place(|| job(&site, &written("fine")));
    let (code, said) = job();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("step 1 of 2, 20 %: waits for"), "{said}");
    let (code, said) = job();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("it serves already"), "{said}");
    stop.store(true, Ordering::Relaxed);
    task.await.expect("traffic never fails");

    let model = shell.json("models get chat");
    assert_eq!(model["stableVersion"], fine.as_str());
    let status = shell.json("rollouts status chat");
    assert_eq!(status["state"], "ROLLOUT_STATE_PROMOTED");
    let listed = shell.done("rollouts list chat");
    assert!(
        listed.contains("rolled-back") && listed.contains("promoted"),
        "{listed}"
    );
    // What serves already is no candidate.
    let again = shell.run(&format!("rollouts start chat --to {fine} --step 5%"));
    assert_eq!(again.code, 4, "{}", again.err);
}

#[tokio::test]
async fn an_operator_steps_in_by_the_name_of_the_model() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan {
        edges: Vec::new(),
        ..Plan::default()
    })
    .await;
    let _tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let shell = Shell::new(&site);
    shell.done("versions create chat@v2 --target main=other");
    let line = "rollouts start chat --to v2 --step 5%:10m:200 --gate cost --id winter";
    assert!(
        shell
            .done(&format!("{line} --validate-only"))
            .contains("winter")
    );
    assert_eq!(shell.run("rollouts status chat").code, 3);
    let started = shell.done(line);
    assert!(
        started.contains("200 more requests of the candidate"),
        "{started}"
    );
    assert!(
        shell
            .done("rollouts pause chat")
            .contains("somebody to resume it")
    );
    shell.done("rollouts resume chat@winter");
    let late = shell.run("rollouts wait chat --within 0s");
    assert_eq!(late.code, 7, "{}", late.err);
    let aborted = shell.done("rollouts abort chat --reason snow");
    assert!(
        aborted.contains("aborted") && aborted.contains("snow"),
        "{aborted}"
    );
    assert_eq!(shell.run("rollouts wait chat").code, 9);
    assert_eq!(shell.run("rollouts resume chat").code, 4);
}
