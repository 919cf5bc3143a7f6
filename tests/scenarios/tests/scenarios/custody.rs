//! A sealing key that Vault or AWS KMS keeps wrapped: a control plane needs them to start and for nothing else.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use harness::{
    binaries, client,
    kms::Kms,
    process::Process,
    provider::{Answer, Asked, Provider},
    site::{self, Plan, SEALING_KEY, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{GetSealingRequest, SealedUnder};
use scenarios::openai;

const CHAT: &str = "/v1/chat/completions";
const WRAPPED: &str = "vault:v1:d3JhcHBlZA==";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

async fn served(site: &Site, key: &str) {
    let reply = client::post(&site.url(0), key, CHAT, openai::whole("chat")).await;
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.error_code().await);
}

/// Waits until the first control plane says so of who keeps its key.
async fn custodian_is(site: &Site, well: bool) {
    let ops = site.control_planes[0].ops;
    let said = || async {
        let now = site::metric(ops, "sluice_sealing_custodian", "").await;
        (now > 0.5).eq(&well).then_some(())
    };
    wait::until("the outage is known", said).await;
}

/// A transit engine with one key, which holds [`KEY`] and unwraps it while it is well.
async fn transit(is_well: Arc<AtomicBool>) -> Provider {
    Provider::start(move |asked: &Asked| {
        let token = asked.headers.get("x-vault-token");
        let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        if !is_well.load(Ordering::SeqCst) {
            Answer::json(503, r#"{"errors":["Vault is sealed"]}"#)
        } else if token.is_none_or(|it| it != "s.sluice") {
            Answer::json(403, r#"{"errors":["permission denied"]}"#)
        } else if asked.path == "/v1/transit/decrypt/sluice" && body["ciphertext"] == WRAPPED {
            Answer::json(200, format!(r#"{{"data":{{"plaintext":"{KEY}"}}}}"#))
        } else {
            Answer::json(400, r#"{"errors":["invalid ciphertext"]}"#)
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_vault_is_away_nothing_stops_and_a_start_says_whom_it_needs() {
    let is_well = Arc::new(AtomicBool::new(true));
    let vault = transit(Arc::clone(&is_well)).await;
    let provider = Provider::start(openai::answer).await;
    let token = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(token.path(), "s.sluice\n").expect("a token can be written");
    let address = vault.base_url().trim_end_matches("/v1").to_owned();
    let plan = Plan {
        control_plane_settings: vec![
            ("SLUICE_SEAL__KEY", WRAPPED.to_owned()),
            ("SLUICE_SEAL__LOOK_EVERY_MS", "200".to_owned()),
            ("SLUICE_SEAL__VAULT__ADDRESS", address.clone()),
            ("SLUICE_SEAL__VAULT__KEY", "sluice".to_owned()),
            (
                "SLUICE_SEAL__VAULT__TOKEN_FILE",
                token.path().display().to_string(),
            ),
        ],
        ..Plan::default()
    };
    let mut site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    served(&site, &key).await;
    custodian_is(&site, true).await;

    is_well.store(false, Ordering::SeqCst);
    custodian_is(&site, false).await;
    // What is sealed meanwhile opens, and so does what was sealed before.
    let (_, another) = tenant.key().await;
    site.propagated().await;
    served(&site, &another).await;
    served(&site, &key).await;
    let ends = site.fail_control_plane(&[]);
    let named =
        format!("Vault at {address} cannot unwrap the sealing key now: 503 Vault is sealed");
    assert!(ends.contains(&named), "{ends}");
    assert!(!ends.contains("s.sluice") && !ends.contains(KEY), "{ends}");

    is_well.store(true, Ordering::SeqCst);
    custodian_is(&site, true).await;
    site.restart_control_plane(0).await;
    let (_, third) = tenant.key().await;
    site.propagated().await;
    served(&site, &third).await;
    let other = ("SLUICE_SEAL__KEY", "vault:v1:b3RoZXI=".to_owned());
    let ends = site.fail_control_plane(&[other]);
    assert!(ends.contains("400 invalid ciphertext"), "{ends}");
}

/// A key that KMS has drawn, as the program shows it.
fn drawn(folder: &Path, settings: &[(String, String)]) -> String {
    let program = binaries::path("sluice-control-plane");
    let (status, said) = Process::run(folder, "seal-key", &program, &["seal-key"], settings);
    assert!(status.success(), "{said}");
    let wrapped = said.lines().find(|line| line.starts_with("aws-kms:"));
    wrapped.expect("it is shown").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_s_key_sealed_is_brought_under_a_key_that_kms_keeps() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let kms = Kms::start(folder.path()).await;
    let provider = Provider::start(openai::answer).await;
    let of_kms = [
        ("SLUICE_SEAL__AWS_KMS__ENDPOINT", kms.url()),
        ("SLUICE_SEAL__AWS_KMS__KEY_ID", kms.key_id().to_owned()),
        ("SLUICE_SEAL__AWS_KMS__ACCESS_KEY_ID", "AKID".to_owned()),
        (
            "SLUICE_SEAL__AWS_KMS__SECRET_ACCESS_KEY",
            "secret".to_owned(),
        ),
    ];
    let plan = Plan {
        control_plane_settings: of_kms.to_vec(),
        ..Plan::default()
    };
    let mut site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    served(&site, &key).await;

    let mut settings: Vec<(String, String)> = of_kms
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    settings.push((
        "SLUICE_DATABASE__URL".to_owned(),
        "postgres://nobody@127.0.0.1:1/none".to_owned(),
    ));
    let wrapped = drawn(folder.path(), &settings);
    let old = folder.path().join("old.key");
    std::fs::write(&old, SEALING_KEY).expect("a key can be written");
    site.set_control_planes("SLUICE_SEAL__KEY", &wrapped);
    let files = format!("[\"{}\"]", old.display());
    site.set_control_planes("SLUICE_SEAL__OPEN_KEY_FILES", &files);
    site.restart_control_plane(0).await;
    let moved = || async {
        let mut sealing = site.admin().sealing();
        let told = sealing
            .get_sealing(GetSealingRequest {})
            .await
            .ok()?
            .into_inner();
        let here = |under| under == SealedUnder::SealingKey;
        (told.left == 0 && told.values.iter().all(|it| here(it.under()))).then_some(())
    };
    wait::until_within(
        Duration::from_secs(30),
        "everything is under the new key",
        moved,
    )
    .await;
    site.set_control_planes("SLUICE_SEAL__OPEN_KEY_FILES", "[]");
    site.restart_control_plane(0).await;
    let (_, another) = tenant.key().await;
    site.propagated().await;
    served(&site, &another).await;
    served(&site, &key).await;
    // Whoever changes the wrapped text, or brings another, gets a refusal and no key.
    let changed = wrapped.replace("aws-kms:", "aws-kms:AAAA");
    let ends = site.fail_control_plane(&[("SLUICE_SEAL__KEY", changed)]);
    assert!(
        ends.contains("does not unwrap the sealing key: 400"),
        "{ends}"
    );
}
