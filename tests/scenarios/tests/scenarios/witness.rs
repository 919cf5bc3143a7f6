//! A trail that was written anew shows it, because its heads were signed and edges keep them.

use std::{fs, path::Path, process::Command};

use aws_lc_rs::digest::{SHA256, digest};
use harness::{
    binaries,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use scenarios::openai;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

/// Runs `sluice audit …`: whether it went well, and what it said.
fn sluice(site: &Site, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(binaries::path("sluice"));
    command.env_clear().arg("audit").args(words);
    command.env(
        "SLUICE_ADDRESS",
        format!("http://{}", site.control_planes[0].admin),
    );
    command.env("SLUICE_OPERATOR_KEY", site.operator_key());
    let output = command.output().expect("the program runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.success(), said)
}

fn verify(site: &Site, file: &Path, witness: Option<&Path>) -> (bool, String) {
    let shown = |path: &Path| path.display().to_string();
    let mut words = vec!["verify".to_owned(), shown(file)];
    if let Some(witness) = witness {
        words.extend(["--witness".to_owned(), shown(witness)]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    sluice(site, &words)
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// The same export with one word of history changed and every hash made anew; and, where wanted, without what was signed.
fn written_anew(export: &str, signed: bool) -> String {
    let (mut hashes, mut lines) = (std::collections::HashMap::new(), Vec::new());
    for line in export.lines() {
        let mut said: Value = serde_json::from_str(line).expect("a line is JSON");
        let is_signed = ["key", "checkpoint", "witness"]
            .iter()
            .any(|it| !said[it].is_null());
        if is_signed {
            if signed {
                lines.push(said.to_string());
            }
            continue;
        }
        let chain = said["chain"].as_str().expect("its chain").to_owned();
        let before = hashes.entry(chain).or_insert_with(|| vec![0_u8; 32]);
        if let Some(entry) = said["entry"].as_str() {
            let entry = entry.replace("acme", "evil");
            let text = [before.as_slice(), entry.as_bytes()].concat();
            *before = digest(&SHA256, &text).as_ref().to_vec();
            said["entry"] = entry.into();
        } else if !signed {
            for name in ["keys", "checkpoints", "witnesses"] {
                said[name] = json!(0);
            }
        }
        said["hash"] = hex(before).into();
        lines.push(said.to_string());
    }
    lines.join("\n") + "\n"
}

/// Two edges, and a trail that is signed five times a second.
async fn often_signed() -> Site {
    Site::start(Plan {
        edges: vec!["here", "there"],
        control_plane_settings: vec![("SLUICE_AUDIT__CHECKPOINT_EVERY_MS", "200".to_owned())],
        ..Plan::default()
    })
    .await
}

/// Waits until both edges keep what the chain of changes came to, and gives the file of one of them.
async fn kept(site: &Site) -> String {
    let mut connection = PgConnection::connect(&site.database.url())
        .await
        .expect("it connects");
    let both = "SELECT count(*) = 2 FROM audit_witness JOIN audit_chain USING (chain)
                WHERE chain = 'changes' AND length = sequence";
    let mut witnessed = async || {
        let asked = sqlx::query_scalar::<_, bool>(both);
        let done = asked.fetch_one(&mut connection).await;
        done.expect("it is told").then_some(())
    };
    wait::until("both edges keep it", &mut witnessed).await;
    let file = site.folder().join("edge-0-state/audit-heads");
    let written = async || {
        let lines = fs::read_to_string(&file).ok()?;
        lines.contains(" changes ").then_some(lines)
    };
    wait::until("it is on the disk", written).await.0
}

#[tokio::test]
async fn a_trail_that_is_written_anew_contradicts_what_was_signed_and_what_edges_keep() {
    let provider = Provider::start(openai::answer).await;
    let site = often_signed().await;
    Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let lines = kept(&site).await;
    let witness = site.folder().join("witness");
    fs::write(&witness, lines).expect("a file is written");
    let whole = site.folder().join("trail.jsonl");
    let (done, told) = sluice(&site, &["export", &whole.display().to_string()]);
    assert!(done, "{told}");
    let (done, told) = verify(&site, &whole, Some(&witness));
    assert!(
        done && told.contains("witnessed by 2 edges") && told.contains("in keeping with"),
        "{told}"
    );

    let export = fs::read_to_string(&whole).expect("the export is there");
    let touched = site.folder().join("touched.jsonl");
    fs::write(&touched, written_anew(&export, true)).expect("a file is written");
    let (done, told) = verify(&site, &touched, None);
    assert!(!done && told.contains("written anew"), "{told}");
    // Without anything signed it is whole in itself, and only the edge knows better.
    fs::write(&touched, written_anew(&export, false)).expect("a file is written");
    let (done, told) = verify(&site, &touched, None);
    assert!(done && told.contains("not signed"), "{told}");
    let (done, told) = verify(&site, &touched, Some(&witness));
    assert!(!done && told.contains("written anew"), "{told}");
}

#[tokio::test]
async fn an_edge_refuses_and_tells_of_a_chain_that_was_cut() {
    let provider = Provider::start(openai::answer).await;
    let site = often_signed().await;
    let acme = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let before = kept(&site).await;
    // Whoever owns the database can take its guards away.
    let cut = "ALTER TABLE audit_entry DISABLE TRIGGER ALL;
               ALTER TABLE audit_checkpoint DISABLE TRIGGER ALL;
               DELETE FROM audit_entry WHERE chain = 'changes' AND sequence > 2;
               DELETE FROM audit_checkpoint WHERE chain = 'changes';
               UPDATE audit_chain SET sequence = 2,
                   hash = (SELECT hash FROM audit_entry WHERE chain = 'changes' AND sequence = 2)
               WHERE chain = 'changes';";
    let mut connection = PgConnection::connect(&site.database.url())
        .await
        .expect("it connects");
    let done = sqlx::raw_sql(cut).execute(&mut connection).await;
    done.expect("the trail is cut");
    for edge in 0..2 {
        let refused = async || {
            let labels = r#"reason="shorter""#;
            let told = site.count(edge, "sluice_audit_contradicted_total", labels);
            (told.await > 0).then_some(())
        };
        wait::until("an edge tells of it", refused).await;
    }
    let file = site.folder().join("edge-0-state/audit-heads");
    let after = fs::read_to_string(file).expect("it keeps what it had");
    let changes = |lines: &str| {
        let mut lines = lines.lines();
        lines.find(|it| it.contains(" changes ")).map(str::to_owned)
    };
    assert_eq!(changes(&after), changes(&before));
    // Nothing of this holds up what policy is for.
    acme.key().await;
    site.propagated().await;
}
