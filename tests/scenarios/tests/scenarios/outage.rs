//! Inference does not notice a dead control plane, a dead Postgres, or a restarting edge.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{
    client::{self, Client},
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::{CREDENTIAL, Tenant},
    wait,
};
use nix::sys::signal::Signal;
use proto::admin::{LimitUnit, LimitWindow, RevokeKeyRequest};
use scenarios::openai;
use tokio::sync::Semaphore;

/// A client that asks an edge again and again, and counts.
struct Traffic {
    asked: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Traffic {
    fn start(url: String, key: String) -> Self {
        let (asked, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let stop = Arc::new(AtomicBool::new(false));
        let counts = (Arc::clone(&asked), Arc::clone(&failed), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let (asked, failed, stop) = counts;
            let mut client = Client::connect(&url, &key).await.ok();
            while !stop.load(Ordering::Relaxed) {
                asked.fetch_add(1, Ordering::Relaxed);
                let whole = openai::whole("chat");
                let reply = match &mut client {
                    Some(client) => client.post("/v1/chat/completions", whole).await.ok(),
                    None => None,
                };
                let good = match reply {
                    Some(reply) => reply.status == 200 && reply.bytes().await.is_ok(),
                    None => false,
                };
                if !good {
                    failed.fetch_add(1, Ordering::Relaxed);
                    client = Client::connect(&url, &key).await.ok();
                }
            }
        });
        Self {
            asked,
            failed,
            stop,
            task,
        }
    }

    async fn after(&self, more: usize) {
        let until = self.asked.load(Ordering::Relaxed) + more;
        let enough = || async { (self.asked.load(Ordering::Relaxed) >= until).then_some(()) };
        let patience = wait::PATIENCE * u32::try_from(scenarios::scale()).expect("a small number");
        wait::until_within(patience, "more requests were made", enough).await;
    }

    async fn end(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the client does not panic");
        (
            self.asked.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
        )
    }
}

async fn status(url: &str, key: &str) -> u16 {
    let reply = client::post(url, key, "/v1/chat/completions", openai::whole("chat"));
    reply.await.status.as_u16()
}

#[tokio::test]
async fn edges_serve_and_restart_while_control_plane_and_postgres_are_gone() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        control_planes: 2,
        edges: vec!["here", "here"],
        ..Plan::default()
    };
    let mut site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    let (limited_name, limited) = tenant.key().await;
    tenant
        .limit(
            "few",
            &limited_name,
            LimitUnit::Requests,
            (1, LimitWindow::Hour, 3),
        )
        .await;
    let (revoked_name, revoked) = tenant.key().await;
    site.propagated().await;
    let request = RevokeKeyRequest {
        name: revoked_name,
        ..Default::default()
    };
    site.admin()
        .keys()
        .revoke_key(request)
        .await
        .expect("the key is revoked");
    site.propagated().await;

    let traffic = Traffic::start(site.url(0), key.clone());
    let step = 50 * scenarios::scale();
    traffic.after(step).await;
    for control_plane in &mut site.control_planes {
        control_plane.process.kill();
    }
    traffic.after(step).await;
    site.database.stop();
    traffic.after(step).await;

    for _ in 0..2 {
        site.restart_edge(1).await;
        let took = site.ready(1).await;
        assert!(
            took < Duration::from_secs(2),
            "ready from disk after {took:?}"
        );
        assert_eq!(status(&site.url(1), &key).await, 200);
        assert_eq!(
            status(&site.url(1), &revoked).await,
            401,
            "the revocation survives"
        );
    }
    let asked = provider.asked();
    let last = &asked.last().expect("it was asked").headers["authorization"];
    assert_eq!(last, &format!("Bearer {CREDENTIAL}"));
    let mut admitted = 0;
    for _ in 0..10 {
        admitted += usize::from(status(&site.url(1), &limited).await == 200);
    }
    assert_eq!(admitted, 3, "the limit holds after a start from disk");

    let (asked, failed) = traffic.end().await;
    assert_eq!(
        failed, 0,
        "{failed} of {asked} failed at the untouched edge"
    );
    assert!(asked >= 3 * step, "{asked} requests were made");
    println!("{failed} of {asked} requests failed");
}

#[tokio::test]
async fn a_drained_edge_fails_nobody_even_without_a_control_plane() {
    let gate = Arc::new(Semaphore::new(0));
    let at_provider = Arc::clone(&gate);
    let provider = Provider::start(move |_| {
        let mut steps: Vec<Step> = openai::events(true).into_iter().map(Step::Send).collect();
        steps.insert(2, Step::Wait(Arc::clone(&at_provider)));
        Answer::events(steps)
    })
    .await;
    let mut site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    site.control_planes[0].process.kill();
    site.database.stop();

    let mut replies = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Client::connect(&site.url(0), &key)
            .await
            .expect("the edge accepts");
        let asked = client
            .post("/v1/chat/completions", openai::streamed("chat"))
            .await;
        replies.push(asked.expect("the edge answers"));
        clients.push(client);
    }
    site.edges[0].process.signal(Signal::SIGTERM);
    let ops = format!("http://{}", site.edges[0].ops);
    let leaving = || async {
        let reply = client::get(&ops, "", "/readyz").await;
        (reply.status == 503).then_some(())
    };
    wait::until("readiness is off", leaving).await;
    // Load balancers need a moment to see that; who comes meanwhile is served.
    let late = Client::connect(&site.url(0), &key).await;
    let mut late = late.expect("a leaving edge still accepts for its grace");
    let late_reply = late
        .post("/v1/chat/completions", openai::streamed("chat"))
        .await;
    replies.push(late_reply.expect("the edge answers"));
    gate.add_permits(replies.len());
    for reply in replies {
        let bytes = reply.bytes().await.expect("the stream is finished");
        assert_eq!(bytes, openai::events(false).concat());
    }
    drop((clients, late));
    let status = site.edges[0].process.end().await;
    assert!(status.success(), "a drained edge ends well: {status}");
}

#[tokio::test]
async fn a_revocation_overtakes_a_snapshot_and_survives_a_restart() {
    let provider = Provider::start(openai::answer).await;
    let mut site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (name, key) = tenant.key().await;
    site.propagated().await;
    assert_eq!(status(&site.url(0), &key).await, 200);
    // An edge that has lost its disk starts with snapshots of every lane; the revocation comes meanwhile.
    site.edges[0].process.kill();
    let state = site.folder().join("edge-0-state");
    std::fs::remove_dir_all(&state).expect("the edge kept its state there");
    site.restart_edge(0).await;
    let since = Instant::now();
    let request = RevokeKeyRequest {
        name,
        ..Default::default()
    };
    site.admin()
        .keys()
        .revoke_key(request)
        .await
        .expect("the key is revoked");
    let refused = || async {
        let mut client = Client::connect(&site.url(0), &key).await.ok()?;
        let reply = client
            .post("/v1/chat/completions", openai::whole("chat"))
            .await
            .ok()?;
        (reply.status == 401).then_some(())
    };
    wait::until("the revoked key is refused", refused).await;
    assert!(
        since.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        since.elapsed()
    );
    site.propagated().await;
    site.restart_edge(0).await;
    site.ready(0).await;
    assert_eq!(status(&site.url(0), &key).await, 401);
}

#[tokio::test]
async fn no_edge_has_a_provider_key_in_its_environment_or_on_its_disk_in_clear() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    assert_eq!(status(&site.url(0), &key).await, 200);
    let pid = site.edges[0].process.pid();
    let environment = std::fs::read(format!("/proc/{pid}/environ")).expect("it is ours");
    let secrets = [CREDENTIAL, &key];
    let holds = |bytes: &[u8]| {
        secrets.iter().any(|secret| {
            bytes
                .windows(secret.len())
                .any(|it| it == secret.as_bytes())
        })
    };
    assert!(!holds(&environment), "a secret stands in the environment");
    let mut folders = vec![site.folder().to_owned()];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)
            .expect("the folder can be read")
            .flatten()
        {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if let Ok(bytes) = std::fs::read(entry.path()) {
                read += 1;
                assert!(
                    !holds(&bytes),
                    "a secret stands in {}",
                    entry.path().display()
                );
            }
        }
    }
    assert!(read > 20, "the files were looked at: {read}");
}
