//! A key gets a new secret while it is used, and nobody notices until the old one's time is over; nor when the sealing key and
//! the pepper are others after it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{
    client::{self, Client},
    provider::Provider,
    site::{Plan, SEALING_KEY, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    EndKeyOverlapRequest, GetKeyRequest, GetSealingRequest, Key, KeyFinding, KeyRotation, Project,
    ReportKeysRequest, RotateKeyRequest, RotatePepperRequest, SealedUnder, Sealing,
    UpdateProjectRequest,
};
use scenarios::{openai, scale};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

const CHAT: &str = "/v1/chat/completions";

/// How many ask at once.
const CLIENTS: u64 = 16;

/// How many requests come in a second, from all of them: 1,000 in the full form.
fn requests_a_second() -> u32 {
    100 * u32::try_from(scale()).expect("a scale is small")
}

/// How long both secrets work in the drill.
fn overlap() -> Duration {
    Duration::from_secs(3 + scale() as u64)
}

/// Asks an edge once: the status, and the code of an error.
async fn ask(site: &Site, edge: usize, key: &str) -> (u16, String) {
    let reply = client::post(&site.url(edge), key, CHAT, openai::whole("chat")).await;
    match reply.status.as_u16() {
        200 => (200, String::new()),
        status => (status, reply.error_code().await),
    }
}

async fn refused(site: &Site, edge: usize, key: &str, code: &str) {
    let refused = || async { (ask(site, edge, key).await == (401, code.to_owned())).then_some(()) };
    wait::until("the secret is refused", refused).await;
}

/// Rotates: the new text, and the key as it is then.
async fn rotate(site: &Site, name: &str, overlap: Option<Duration>) -> (String, Key) {
    let request = RotateKeyRequest {
        name: name.to_owned(),
        overlap: overlap.map(span),
        ..Default::default()
    };
    let reply = site.admin().keys().rotate_key(request).await;
    let reply = reply.expect("the key is rotated").into_inner();
    (reply.text, reply.key.expect("the reply holds the key"))
}

async fn rule(site: &Site, project: &str, rotation: Option<KeyRotation>) {
    let project = Project {
        name: project.to_owned(),
        key_rotation: rotation,
        ..Default::default()
    };
    let request = UpdateProjectRequest {
        project: Some(project),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["key_rotation".to_owned()],
        }),
        ..Default::default()
    };
    let updated = site.admin().projects().update_project(request).await;
    updated.expect("the project has the rule");
}

fn span(span: Duration) -> prost_types::Duration {
    span.try_into().expect("a short span")
}

/// Asks at a steady pace with whichever text is told, on one connection, until told to stop. What was late is caught up
/// with.
async fn traffic(
    url: String,
    texts: watch::Receiver<String>,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
) -> Vec<u16> {
    let mut failed = Vec::new();
    let mut open: Option<(String, Client)> = None;
    let mut pace = interval(Duration::from_secs(CLIENTS) / requests_a_second());
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let text = texts.borrow().clone();
        let mut client = match open.take() {
            Some((with, client)) if with == text => client,
            _ => Client::connect(&url, &text)
                .await
                .expect("the edge accepts"),
        };
        let reply = client.post(CHAT, openai::whole("chat")).await;
        let reply = reply.expect("the edge answers");
        let status = reply.status.as_u16();
        reply.bytes().await.expect("the body arrives");
        asked.fetch_add(1, Ordering::Relaxed);
        if status != 200 {
            failed.push(status);
        }
        open = Some((text, client));
    }
    failed
}

async fn sealing(site: &Site, control_plane: usize) -> Sealing {
    let admin = site.admin_of(control_plane);
    let told = admin.sealing().get_sealing(GetSealingRequest {}).await;
    told.expect("it is told").into_inner()
}

async fn restart_control_planes(site: &mut Site) {
    for at in 0..site.control_planes.len() {
        site.restart_control_plane(at).await;
    }
}

/// Brings everything under another sealing key, in the order that the documents name.
async fn rotate_sealing_key(site: &mut Site) {
    let (old, new) = (SEALING_KEY, "7e".repeat(32));
    let file = |name: &str, text: &str| {
        let path = site.folder().join(name);
        std::fs::write(&path, text).expect("a key can be written");
        format!("[\"{}\"]", path.display())
    };
    let (old_file, new_file) = (file("old.key", old), file("new.key", &new));
    site.set_control_planes("SLUICE_SEAL__OPEN_KEY_FILES", &new_file);
    restart_control_planes(site).await;
    site.set_control_planes("SLUICE_SEAL__KEY", &new);
    site.set_control_planes("SLUICE_SEAL__OPEN_KEY_FILES", &old_file);
    restart_control_planes(site).await;
    let here: &Site = site;
    let all_moved = || async {
        let told = sealing(here, 0).await;
        let moved = |under| under == SealedUnder::SealingKey;
        (told.left == 0 && told.values.iter().all(|it| moved(it.under()))).then_some(told)
    };
    let (told, _) = wait::until("everything is under the new key", all_moved).await;
    let places = ["provider credentials", "key hashes", "peppers", "policy"];
    for place in places {
        assert!(told.values.iter().any(|it| it.place == place), "{place}");
    }
    site.set_control_planes("SLUICE_SEAL__OPEN_KEY_FILES", "[]");
    restart_control_planes(site).await;
    let ends = site.fail_control_plane(&[("SLUICE_SEAL__KEY", old.to_owned())]);
    assert!(
        ends.contains(&told.key_id),
        "the missing key is named: {ends}"
    );
}

async fn still_stands(site: &Site, (new, old): (&str, &str)) {
    for edge in 0..2 {
        assert_eq!(ask(site, edge, new).await.0, 200, "the key stands");
        refused(site, edge, old, "api_key_rotated").await;
    }
}

/// Tags everything under another pepper, and waits until the one before is gone.
async fn rotate_pepper(site: &Site) {
    let request = RotatePepperRequest {
        overlap: Some(span(Duration::ZERO)),
        ..Default::default()
    };
    let made = site.admin().sealing().rotate_pepper(request).await;
    let made = made.expect("a pepper is made").into_inner();
    let alone = || async {
        let peppers = sealing(site, 1).await.peppers;
        (peppers.len() == 1 && peppers[0].version == made.version).then_some(())
    };
    wait::until("the pepper before is gone", alone).await;
}

#[tokio::test]
async fn a_key_is_rotated_under_traffic_and_no_request_fails() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        control_planes: 2,
        edges: vec!["here", "there"],
        ..Plan::default()
    };
    let mut site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (name, old) = tenant.key().await;
    site.propagated().await;
    let (texts, heard) = watch::channel(old.clone());
    let (stop, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut clients = JoinSet::new();
    let started = Instant::now();
    for client in 0..CLIENTS {
        let edge = usize::from(client % 2 == 1);
        let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
        clients.spawn(traffic(site.url(edge), heard.clone(), stop, asked));
    }
    let seen = |many: u64| {
        let asked = &asked;
        let goal = asked.load(Ordering::Relaxed) + many;
        wait::until("there is traffic", move || async move {
            (asked.load(Ordering::Relaxed) >= goal).then_some(())
        })
    };
    // For a second's worth in each phase.
    let some = u64::from(requests_a_second());
    seen(some).await;
    let began = Instant::now();
    let (new, key) = rotate(&site, &name, Some(overlap())).await;
    assert!(new.starts_with(&key.prefix) && old.starts_with(&key.prefix));
    site.propagated().await;
    // The old one is still used by everybody; then everybody moves.
    seen(some).await;
    texts.send(new.clone()).expect("the clients listen");
    seen(some).await;
    assert!(
        began.elapsed() < overlap(),
        "the drill is shorter than the overlap"
    );
    for edge in 0..2 {
        assert_eq!(ask(&site, edge, &old).await.0, 200, "both secrets work");
    }
    for edge in 0..2 {
        refused(&site, edge, &old, "api_key_rotated").await;
    }
    let late = began.elapsed().saturating_sub(overlap());
    assert!(late < Duration::from_secs(1), "{late:?} too late");
    seen(some).await;
    rotate_sealing_key(&mut site).await;
    seen(some).await;
    rotate_pepper(&site).await;
    seen(some).await;
    still_stands(&site, (&new, &old)).await;
    let (_, made) = tenant.key().await;
    site.propagated().await;
    assert_eq!(ask(&site, 0, &made).await.0, 200, "and so does another one");
    stop.store(true, Ordering::Relaxed);
    let failed: Vec<u16> = clients.join_all().await.concat();
    let (asked, took) = (asked.load(Ordering::Relaxed), started.elapsed());
    println!(
        "{asked} requests in {took:.1?}, {} a second, {} failed; the old secret was refused {late:.1?} after its time",
        asked / took.as_secs().max(1),
        failed.len()
    );
    assert_eq!(failed, [0_u16; 0]);
}

#[tokio::test]
async fn an_overlap_can_be_ended_and_a_third_secret_waits_for_that() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (name, first) = tenant.key().await;
    let (second, key) = rotate(&site, &name, None).await;
    let until = key.previous_secret_expire_time.expect("both work");
    let made = key.secret_create_time.expect("it was made");
    assert_eq!(until.seconds - made.seconds, 24 * 3_600);
    let request = RotateKeyRequest {
        name: name.clone(),
        ..Default::default()
    };
    let third = site.admin().keys().rotate_key(request).await;
    let refusal = third.expect_err("a third secret is refused");
    assert_eq!(refusal.code(), tonic::Code::FailedPrecondition);
    site.propagated().await;
    assert_eq!(ask(&site, 0, &first).await.0, 200);
    assert_eq!(ask(&site, 0, &second).await.0, 200);
    let end = EndKeyOverlapRequest {
        name: name.clone(),
        ..Default::default()
    };
    site.admin()
        .keys()
        .end_key_overlap(end)
        .await
        .expect("it ends");
    refused(&site, 0, &first, "invalid_api_key").await;
    assert_eq!(ask(&site, 0, &second).await.0, 200);
    // A leaked secret is cut at once.
    let (third, key) = rotate(&site, &name, Some(Duration::ZERO)).await;
    assert!(key.previous_secret_expire_time.is_none());
    refused(&site, 0, &second, "invalid_api_key").await;
    assert_eq!(ask(&site, 0, &third).await.0, 200);
}

#[tokio::test]
async fn a_secret_that_is_too_old_is_refused_by_the_edge_alone() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (name, old) = tenant.key().await;
    let rotation = KeyRotation {
        max_age: Some(span(Duration::from_secs(3))),
        ..Default::default()
    };
    rule(&site, &tenant.project, Some(rotation)).await;
    site.propagated().await;
    refused(&site, 0, &old, "api_key_too_old").await;
    let (new, _) = rotate(&site, &name, Some(Duration::from_mins(1))).await;
    site.propagated().await;
    assert_eq!(ask(&site, 0, &new).await.0, 200);
    assert_eq!(ask(&site, 0, &old).await.1, "api_key_too_old");
    refused(&site, 0, &new, "api_key_too_old").await;
    rule(&site, &tenant.project, None).await;
    site.propagated().await;
    assert_eq!(ask(&site, 0, &new).await.0, 200);
}

#[tokio::test]
async fn a_report_tells_who_is_unused_or_due_and_usage_tells_who_was_used() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (used, text) = tenant.key().await;
    let (unused, _) = tenant.key().await;
    let (_, _) = rotate(&site, &used, None).await;
    site.propagated().await;
    assert_eq!(ask(&site, 0, &text).await.0, 200);
    let get = || async {
        let request = GetKeyRequest { name: used.clone() };
        let key = site
            .admin()
            .keys()
            .get_key(request)
            .await
            .expect("it stands");
        let key = key.into_inner();
        key.last_use_time?;
        key.previous_secret_last_use_time
    };
    wait::until("the use is known, and with which secret", get).await;
    let report = |unused_for| {
        let request = ReportKeysRequest {
            parent: tenant.organization.clone(),
            unused_for: Some(span(unused_for)),
            ..Default::default()
        };
        let mut keys = site.admin().keys();
        async move {
            let reply = keys.report_keys(request).await;
            let rows = reply.expect("a report is made").into_inner().reports;
            rows.into_iter()
                .map(|it| (it.key.clone().expect("a key").name, it.findings().collect()))
                .collect::<Vec<(String, Vec<KeyFinding>)>>()
        }
    };
    assert_eq!(report(Duration::from_hours(1)).await, []);
    let rotation = KeyRotation {
        period: Some(span(Duration::from_hours(1))),
        warn_before: Some(span(Duration::from_secs(3_599))),
        ..Default::default()
    };
    rule(&site, &tenant.project, Some(rotation)).await;
    let soon = || async {
        let found = report(Duration::from_hours(1)).await;
        (found.len() == 2).then_some(found)
    };
    let (found, _) = wait::until("both are due soon", soon).await;
    for (_, findings) in found {
        assert_eq!(findings, [KeyFinding::RotationSoon]);
    }
    let found = report(Duration::ZERO).await;
    let of = |name: &str| found.iter().find(|it| it.0 == name).map(|it| it.1.clone());
    let both = vec![KeyFinding::Unused, KeyFinding::RotationSoon];
    assert_eq!(of(&unused), Some(both));
}
