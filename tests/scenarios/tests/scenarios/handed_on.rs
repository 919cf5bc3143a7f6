//! The audit trail is handed on to where others keep it, as far as it was signed, and can be checked there.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
};

use harness::{
    bucket::{BUCKET, Bucket},
    provider::Provider,
    relay::{Relay, Way},
    site::{self, Plan, Site},
    tenant::Tenant,
    wait,
};
use scenarios::openai;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::{io::AsyncReadExt, net::TcpListener};

use crate::command_line::Shell;

const SECRET: &str = "a-secret-that-is-never-told";

/// A syslog server on loopback, which keeps what it hears of each connection that ends.
struct Syslog {
    address: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Syslog {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it listens").to_string();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut batch = Vec::new();
                if client.read_to_end(&mut batch).await.is_ok() {
                    kept.lock().expect("nobody panics").extend(batch);
                }
            }
        });
        Self { address, heard }
    }

    /// The lines of the trail that it heard, read by the counts that stand before them.
    fn lines(&self) -> Vec<String> {
        let heard = self.heard.lock().expect("nobody panics").clone();
        let (mut rest, mut lines) = (heard.as_slice(), Vec::new());
        while !rest.is_empty() {
            let space = rest
                .iter()
                .position(|it| *it == b' ')
                .expect("a count ends");
            let (count, message) = rest.split_at(space);
            let count = std::str::from_utf8(count).expect("a count is digits");
            let count: usize = count.parse().expect("a count is a number");
            let message = &message[1..];
            let text = std::str::from_utf8(&message[..count]).expect("it is text");
            assert!(text.starts_with("<110>1 "), "{text}");
            let (_, line) = text.split_once(" - {").expect("it holds a line");
            lines.push(format!("{{{line}"));
            rest = &message[count..];
        }
        lines
    }
}

/// What a bucket holds, as one would put it together: the newest keys, and every chain in its order.
async fn put_together(bucket: &Bucket) -> String {
    let mut files = BTreeMap::new();
    for name in bucket.names().await {
        let file = bucket.file(&name).await.expect("it is there");
        files.insert(name, file);
    }
    let is_keys = |name: &&String| name.starts_with("trail/keys/");
    let keys = files.keys().rfind(is_keys).expect("keys are there").clone();
    let chains = files.iter().filter(|(name, _)| !is_keys(name));
    let chains = chains.map(|(_, file)| file.as_str());
    std::iter::once(files[&keys].as_str())
        .chain(chains)
        .collect()
}

/// How many entries of the chain of changes there are, all of them signed.
async fn signed(site: &Site) -> u64 {
    let mut connection = PgConnection::connect(&site.database.url())
        .await
        .expect("it connects");
    let asked = "SELECT max(length) FROM audit_checkpoint JOIN audit_chain USING (chain)
                 WHERE chain = 'changes' HAVING max(length) = max(sequence)";
    let all = wait::until("all is signed", async || {
        let found = sqlx::query_scalar::<_, i64>(asked)
            .fetch_optional(&mut connection)
            .await;
        found.expect("it is told")
    });
    u64::try_from(all.await.0).expect("a length")
}

async fn counted(site: &Site, name: &str, sink: &str) -> f64 {
    let labels = format!("sink=\"{sink}\"");
    site::metric(site.control_planes[0].ops, name, &labels).await
}

async fn site(relay: &Relay, syslog: &Syslog) -> Site {
    let endpoint = format!("http://{}", relay.address());
    let settings = [
        ("SLUICE_AUDIT__CHECKPOINT_EVERY_MS", "200"),
        ("SLUICE_AUDIT_SINKS__ARCHIVE__EVERY_MS", "200"),
        ("SLUICE_AUDIT_SINKS__ARCHIVE__S3__BUCKET", BUCKET),
        ("SLUICE_AUDIT_SINKS__ARCHIVE__S3__PREFIX", "trail/"),
        ("SLUICE_AUDIT_SINKS__ARCHIVE__S3__ENDPOINT", &endpoint),
        ("SLUICE_AUDIT_SINKS__ARCHIVE__S3__ACCESS_KEY_ID", "someone"),
        ("SLUICE_AUDIT_SINKS__ARCHIVE__S3__SECRET_ACCESS_KEY", SECRET),
        ("SLUICE_AUDIT_SINKS__SIEM__EVERY_MS", "200"),
        ("SLUICE_AUDIT_SINKS__SIEM__SYSLOG__ADDRESS", &syslog.address),
        ("SLUICE_AUDIT_SINKS__SIEM__SYSLOG__TLS", "false"),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned()));
    Site::start(Plan {
        edges: Vec::new(),
        control_plane_settings: settings.to_vec(),
        ..Plan::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_lands_whole_where_others_keep_it_though_they_were_away_and_its_sender_died() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let bucket = Bucket::start(folder.path()).await;
    let relay = Relay::start(bucket.address()).await;
    relay.shut(true);
    let syslog = Syslog::start().await;
    let mut site = site(&relay, &syslog).await;
    let provider = Provider::start(openai::answer).await;
    Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let shell = Shell::new(&site);
    // The bucket is away: that is told, and holds up neither who changes something nor the other sink.
    wait::until("a try has failed", async || {
        let failed = counted(&site, "sluice_audit_sink_failure_total", "archive").await;
        let lag = counted(&site, "sluice_audit_sink_lag_seconds", "archive").await;
        (failed > 0.0 && lag > 0.0).then_some(())
    })
    .await;
    let heard = async || {
        let lines = syslog.lines();
        lines
            .iter()
            .any(|it| it.contains("CreateModel"))
            .then_some(())
    };
    wait::until("the other one hears", heard).await;
    // It is there again and takes what it gets; but the sender dies before it hears of it.
    relay.back(Way::Stalled);
    relay.shut(false);
    let landed = async || (!bucket.names().await.is_empty()).then_some(());
    wait::until("something has landed", landed).await;
    let said = site.control_planes[0].process.said();
    assert!(!said.contains(SECRET), "{said}");
    site.control_planes[0].process.kill();
    relay.back(Way::Open);
    relay.reset();
    site.revive_control_plane(0).await;
    shell.done("projects create more");
    let all = signed(&site).await;
    let last = format!("-{all:020}.jsonl");
    wait::until("it is handed on", async || {
        let names = bucket.names().await;
        let changes = |it: &String| it.starts_with("trail/changes/") && it.ends_with(&last);
        names.iter().any(changes).then_some(())
    })
    .await;
    checked(&site, &shell, &put_together(&bucket).await);
    heard_by(&syslog, all).await;
}

/// What was put together is whole, each entry once, and shows what is changed in it.
fn checked(site: &Site, shell: &Shell, text: &str) {
    let file = site.folder().join("sent.jsonl");
    let line = format!("audit verify --sent {}", file.display());
    fs::write(&file, text).expect("a file is written");
    let told = shell.done(&line);
    assert!(told.contains("whole and unchanged"), "{told}");
    assert!(
        told.contains("changes ") && told.contains("signed up to"),
        "{told}"
    );
    let ends = shell.run(&format!("audit verify {}", file.display()));
    assert!(
        ends.code == 1 && ends.err.contains("its end is missing"),
        "{}",
        ends.err
    );
    let other = text.replacen("CreateProject", "DeleteProject", 1);
    fs::write(&file, other).expect("a file is written");
    let ended = shell.run(&line);
    assert!(
        ended.code == 1 && ended.err.contains("was changed"),
        "{}",
        ended.err
    );
    let mut lines: Vec<&str> = text.lines().collect();
    let entry = lines.iter().position(|it| it.contains("CreateProject"));
    lines.remove(entry.expect("a project was made"));
    fs::write(&file, lines.join("\n")).expect("a file is written");
    let ended = shell.run(&line);
    // What stood behind it was an entry, or what signed it.
    let shows = ["are missing", "another chain was signed"];
    let is_told = shows.iter().any(|it| ended.err.contains(it));
    assert!(ended.code == 1 && is_told, "{}", ended.err);
}

/// Every entry of the chain of changes came to the syslog server, and what came twice is the same.
async fn heard_by(syslog: &Syslog, all: u64) {
    wait::until("every entry is heard", async || {
        let mut entries = BTreeMap::new();
        for line in syslog.lines() {
            let said: Value = serde_json::from_str(&line).expect("a line is JSON");
            let is_change = said["chain"] == "changes" && said["entry"].is_string();
            if let Some(place) = said["sequence"].as_u64().filter(|_| is_change) {
                let before = entries.insert(place, line.clone());
                assert!(before.is_none_or(|before| before == line), "{line}");
            }
        }
        (entries.len() as u64 == all && entries.keys().copied().eq(1..=all)).then_some(())
    })
    .await;
}
