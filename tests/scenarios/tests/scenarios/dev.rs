//! One command runs everything, and leaves nothing behind but its folder.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use harness::{binaries, client, client::Client, wait};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running `sluice dev --json`.
struct Dev {
    child: Child,
    folder: PathBuf,
    out: PathBuf,
    err: PathBuf,
}

impl Dev {
    /// Starts one with its data in `folder`; what it says goes beside that.
    fn start(folder: &Path) -> Self {
        let beside = |name: &str| folder.with_extension(name);
        let (out, err) = (beside("out"), beside("err"));
        let file = |path: &Path| fs::File::create(path).expect("a file can be made");
        let mut command = Command::new(binaries::path("sluice"));
        command.args(["dev", "--json", "--data-dir"]).arg(folder);
        if let Some(postgres) = std::env::var_os("SLUICE_TEST_POSTGRES") {
            command.arg("--postgres").arg(postgres);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(file(&out))
            .stderr(file(&err))
            .spawn();
        Self {
            child: child.expect("it starts"),
            folder: folder.to_owned(),
            out,
            err,
        }
    }

    /// Waits until it has printed its line, and gives it with the time that it took.
    async fn ready(&mut self) -> (Value, Duration) {
        let since = Instant::now();
        let (out, err) = (self.out.clone(), self.err.clone());
        let child = std::sync::Mutex::new(&mut self.child);
        let line = || {
            let ended = child
                .lock()
                .expect("one thread")
                .try_wait()
                .expect("a child can be asked");
            assert!(
                ended.is_none(),
                "it ended: {}",
                fs::read_to_string(&err).unwrap_or_default()
            );
            let text = fs::read_to_string(&out).unwrap_or_default();
            async move { text.ends_with('\n').then_some(text) }
        };
        let (text, _) = wait::until("it is ready", line).await;
        (
            serde_json::from_str(&text).expect("the line is JSON"),
            since.elapsed(),
        )
    }

    /// Its database's process.
    fn database(&self) -> Pid {
        let text = fs::read_to_string(self.folder.join("cluster/postmaster.pid"));
        let text = text.expect("the database runs");
        Pid::from_raw(
            text.lines()
                .next()
                .and_then(|line| line.parse().ok())
                .expect("a number"),
        )
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process number is small");
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    /// Waits until it has ended.
    async fn end(&mut self) -> ExitStatus {
        let child = std::sync::Mutex::new(&mut self.child);
        let ended = || {
            let state = child
                .lock()
                .expect("one thread")
                .try_wait()
                .expect("a child can be asked");
            async move { state }
        };
        wait::until("it has ended", ended).await.0
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Asked first, because one that is killed leaves the empty folder of its socket behind.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::SIGTERM);
            let since = Instant::now();
            while since.elapsed() < Duration::from_secs(5)
                && matches!(self.child.try_wait(), Ok(None))
            {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn temporary() -> TempDir {
    tempfile::Builder::new()
        .prefix("sluice-dev-")
        .tempdir()
        .expect("a folder can be made")
}

fn text(facts: &Value, name: &str) -> String {
    facts[name].as_str().unwrap_or_default().to_owned()
}

fn question(stream: bool) -> String {
    let messages = json!([{"role": "user", "content": "one two three"}]);
    json!({"model": "demo", "stream": stream, "messages": messages}).to_string()
}

async fn answers(facts: &Value) {
    let (url, key) = (text(facts, "base_url"), text(facts, "api_key"));
    let reply = client::post(&url, &key, "/v1/chat/completions", question(false)).await;
    assert_eq!(reply.status, 200);
    let answer = reply.json().await;
    let said = answer["choices"][0]["message"]["content"]
        .as_str()
        .expect("it speaks")
        .to_owned();
    assert!(said.ends_with("one two three"), "{said}");
}

async fn is_gone(pid: Pid) {
    wait::until("the database has ended", || async move {
        kill(pid, None).is_err().then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_command_gives_a_key_that_streams_and_the_second_start_is_quick() {
    let parent = temporary();
    let folder = parent.path().join("dev");
    let mut dev = Dev::start(&folder);
    let (facts, _) = dev.ready().await;
    let (url, key) = (text(&facts, "base_url"), text(&facts, "api_key"));
    assert!(
        url.ends_with("/v1") && url.starts_with("http://127.0.0.1:"),
        "{url}"
    );
    assert_eq!(text(&facts, "model"), "demo");

    let mut client = Client::connect(&url, &key).await.expect("the edge accepts");
    let asked = client.post("/v1/chat/completions", question(true)).await;
    let mut reply = asked.expect("the edge answers");
    let (mut pieces, mut whole) = (0, Vec::new());
    while let Some(piece) = reply.next().await {
        pieces += 1;
        whole.extend_from_slice(&piece.expect("the stream is whole"));
    }
    let whole = String::from_utf8(whole).expect("events are text");
    assert!(pieces > 5, "word by word, not at once: {pieces}");
    assert!(whole.ends_with("data: [DONE]\n\n"), "{whole}");
    assert!(
        !whole.contains("\"usage\":{"),
        "nobody asked for it: {whole}"
    );

    let body = r#"{"model": "demo-embed", "input": "a red fox", "dimensions": 8}"#;
    let reply = client::post(&url, &key, "/v1/embeddings", body)
        .await
        .json()
        .await;
    assert_eq!(
        reply["data"][0]["embedding"].as_array().map(Vec::len),
        Some(8)
    );
    let reply = client::post(&url, &key, "/v1/chat/completions", r#"{"model": "demo"}"#).await;
    assert_eq!(
        reply.status, 400,
        "the demo provider judges as the real one does"
    );
    assert_eq!(reply.error_code().await, "missing_required_parameter");
    let reply = client::post(
        &url,
        "slc_live_wrong",
        "/v1/chat/completions",
        question(false),
    )
    .await;
    assert_eq!(reply.status, 401);

    let database = dev.database();
    dev.signal(Signal::SIGTERM);
    assert_eq!(dev.end().await.code(), Some(0));
    assert!(kill(database, None).is_err(), "the database ended first");
    let printed = fs::read_to_string(&dev.out).expect("it printed");
    assert_eq!(printed.lines().count(), 1, "{printed}");

    let mut again = Dev::start(&folder);
    let (second, took) = again.ready().await;
    assert!(
        took < Duration::from_secs(2),
        "the second start took {took:?}"
    );
    assert_eq!(text(&second, "api_key"), key, "the key stays");
    answers(&second).await;
    again.signal(Signal::SIGINT);
    assert_eq!(again.end().await.code(), Some(0));
}

#[tokio::test]
async fn two_starts_on_one_folder_are_told_apart() {
    let parent = temporary();
    let folder = parent.path().join("dev");
    let mut dev = Dev::start(&folder);
    let (facts, _) = dev.ready().await;
    let output = Command::new(binaries::path("sluice"))
        .args(["dev", "--data-dir"])
        .arg(&folder)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("another process uses"), "{said}");
    assert!(said.contains(&folder.display().to_string()), "{said}");
    assert!(output.stdout.is_empty());
    answers(&facts).await;
}

#[tokio::test]
async fn two_folders_are_two_installations() {
    let parent = temporary();
    let mut one = Dev::start(&parent.path().join("one"));
    let mut other = Dev::start(&parent.path().join("other"));
    let (one, other) = (one.ready().await.0, other.ready().await.0);
    assert_ne!(text(&one, "base_url"), text(&other, "base_url"));
    answers(&one).await;
    answers(&other).await;
    let (url, key) = (text(&one, "base_url"), text(&other, "api_key"));
    let reply = client::post(&url, &key, "/v1/chat/completions", question(false)).await;
    assert_eq!(reply.status, 401, "a key of the other");
}

#[tokio::test]
async fn a_kill_leaves_no_database_and_a_folder_that_starts_again() {
    let parent = temporary();
    let folder = parent.path().join("dev");
    let mut dev = Dev::start(&folder);
    let (first, _) = dev.ready().await;
    let database = dev.database();
    dev.signal(Signal::SIGKILL);
    dev.end().await;
    is_gone(database).await;

    let mut again = Dev::start(&folder);
    let (second, _) = again.ready().await;
    assert_eq!(text(&second, "api_key"), text(&first, "api_key"));
    answers(&second).await;
    let database = again.database();
    again.signal(Signal::SIGTERM);
    again.end().await;
    is_gone(database).await;
}

#[tokio::test]
async fn a_start_that_is_cut_short_leaves_no_database_and_is_completed_by_the_next() {
    let parent = temporary();
    let folder = parent.path().join("dev");
    let mut dev = Dev::start(&folder);
    let pid_file = folder.join("cluster/postmaster.pid");
    let ready = || {
        // The eighth line says `ready` once the database takes connections.
        let text = fs::read_to_string(&pid_file).unwrap_or_default();
        async move {
            text.lines()
                .nth(7)
                .is_some_and(|line| line.trim() == "ready")
                .then_some(())
        }
    };
    wait::until("the database runs", ready).await;
    let database = dev.database();
    dev.signal(Signal::SIGTERM);
    assert_eq!(dev.end().await.code(), Some(0));
    is_gone(database).await;

    let mut again = Dev::start(&folder);
    let (facts, _) = again.ready().await;
    answers(&facts).await;
}

#[tokio::test]
async fn a_folder_below_one_that_is_closed_to_others_works_for_root_too() {
    let parent = temporary();
    let closed = parent.path().join("closed");
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&closed)
        .expect("a folder can be made");
    let mut dev = Dev::start(&closed.join("deep"));
    let (facts, _) = dev.ready().await;
    answers(&facts).await;
}
