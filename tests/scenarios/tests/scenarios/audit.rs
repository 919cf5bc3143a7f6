//! Who did what is told, and a trail that was touched shows it.

use std::{fs, path::Path, process::Command};

use harness::{
    admin::Admin,
    binaries,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    AuditEntry, CreateKeyRequest, CreateOperatorKeyRequest, Key, ListAuditEntriesRequest,
    OperatorKey, RoleBinding, UpdateKeyRequest,
};
use scenarios::openai;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

async fn no_edges() -> Site {
    Site::start(Plan {
        edges: Vec::new(),
        ..Plan::default()
    })
    .await
}

async fn entries(admin: &Admin, parent: &str) -> Vec<AuditEntry> {
    let request = ListAuditEntriesRequest {
        parent: parent.to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    let mut audit = admin.audit();
    let listed = audit.list_audit_entries(request).await;
    listed
        .expect("the trail is told")
        .into_inner()
        .audit_entries
}

fn said(entry: &AuditEntry) -> Value {
    serde_json::from_str(&entry.entry).expect("an entry is JSON")
}

/// An operator who may see acme and nothing else.
async fn viewer(site: &Site, organization: &str, role: &str) -> Admin {
    let request = CreateOperatorKeyRequest {
        parent: organization.to_owned(),
        operator_key: Some(OperatorKey {
            bindings: vec![RoleBinding {
                role: role.to_owned(),
                scope: organization.to_owned(),
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site
        .admin()
        .operator_keys()
        .create_operator_key(request)
        .await;
    let text = made.expect("it is made").into_inner().text;
    Admin::new(site.control_planes[0].admin, &text)
}

#[tokio::test]
async fn every_write_is_told_with_what_stood_before_and_every_denial() {
    let provider = Provider::start(openai::answer).await;
    let site = no_edges().await;
    let acme = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let evil = Tenant::make(&site.admin(), "evil", &provider.base_url()).await;
    let (name, text) = acme.key().await;
    let request = UpdateKeyRequest {
        key: Some(Key {
            name: name.clone(),
            display_name: "renamed".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    site.admin()
        .keys()
        .update_key(request)
        .await
        .expect("it is renamed");
    let auditor = viewer(&site, &acme.organization, "auditor").await;
    let told = entries(&auditor, &acme.organization).await;
    let update = told.iter().map(said).find(|it| it["method"] == "UpdateKey");
    let update = update.expect("the update is told");
    assert_eq!(update["object"], name.as_str());
    assert_eq!(update["source"], "127.0.0.1");
    assert_eq!(update["before"]["displayName"], Value::Null);
    assert_eq!(update["after"]["displayName"], "renamed");
    assert!(update["revision"].as_u64() > Some(0));
    let methods: Vec<Value> = told.iter().map(|it| said(it)["method"].clone()).collect();
    for method in [
        "CreateOrganization",
        "CreateProvider",
        "CreateKey",
        "CreateOperatorKey",
    ] {
        assert!(
            methods.contains(&method.into()),
            "{method} is told: {methods:?}"
        );
    }
    let all = entries(&site.admin(), "").await;
    assert_eq!(
        said(&all[0])["method"],
        "MakeOperatorKey",
        "the first key is told, too"
    );
    for entry in &all {
        for secret in [
            text.as_str(),
            harness::tenant::CREDENTIAL,
            site.operator_key(),
        ] {
            assert!(!entry.entry.contains(secret), "{}", entry.entry);
        }
    }
    assert!(all.len() > told.len() && told.iter().all(|it| !it.entry.contains("evil")));

    denied(&site, &acme, &evil).await;
}

/// A denial is told to whom it is about, and a viewer sees no trail.
async fn denied(site: &Site, acme: &Tenant, evil: &Tenant) {
    let other = viewer(site, &acme.organization, "viewer").await;
    let request = CreateKeyRequest {
        parent: evil.project.clone(),
        key: Some(Key::default()),
        ..Default::default()
    };
    other
        .keys()
        .create_key(request)
        .await
        .expect_err("it is denied");
    let denied = || async {
        let told = entries(&site.admin(), &evil.organization).await;
        told.iter().map(said).find(|it| it["result"] == "denied")
    };
    let (denied, _) = wait::until("the denial is told", denied).await;
    assert_eq!(denied["method"], "CreateKey");
    assert!(
        denied["chain"]
            .as_str()
            .is_some_and(|it| it.starts_with("denials/"))
    );
    let request = ListAuditEntriesRequest {
        parent: acme.organization.clone(),
        ..Default::default()
    };
    let refused = other.audit().list_audit_entries(request).await;
    assert_eq!(
        refused.expect_err("a viewer sees no trail").code(),
        tonic::Code::PermissionDenied
    );
}

/// Runs `sluice audit …`: whether it went well, and what it said.
fn sluice(site: &Site, words: &[&str], file: &Path) -> (bool, String) {
    let address = format!("http://{}", site.control_planes[0].admin);
    let mut command = Command::new(binaries::path("sluice"));
    command.env_clear().arg("audit").args(words).arg(file);
    if words != ["verify"] {
        command.env("SLUICE_ADDRESS", address);
        command.env("SLUICE_OPERATOR_KEY", site.operator_key());
    }
    let output = command.output().expect("the program runs");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[tokio::test]
async fn an_export_is_verified_offline_and_any_edit_removal_or_reorder_shows() {
    let provider = Provider::start(openai::answer).await;
    let site = no_edges().await;
    let acme = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    for _ in 0..3 {
        acme.key().await;
    }
    let whole = site.folder().join("trail.jsonl");
    let (done, told) = sluice(&site, &["export"], &whole);
    assert!(done, "{told}");
    let (done, told) = sluice(&site, &["verify"], &whole);
    assert!(done && told.contains("whole and unchanged"), "{told}");
    let text = fs::read_to_string(&whole).expect("the export is there");
    let lines: Vec<&str> = text.lines().collect();
    let touched = site.folder().join("touched.jsonl");
    let shows = |lines: &[String], what: &str| {
        fs::write(&touched, lines.join("\n") + "\n").expect("a file is written");
        let (done, told) = sluice(&site, &["verify"], &touched);
        assert!(!done, "{what}: {told}");
    };
    let owned = || {
        lines
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<String>>()
    };
    for at in 0..lines.len() {
        let mut cut = owned();
        cut.remove(at);
        shows(&cut, &format!("line {at} is gone"));
        let mut edited = owned();
        edited[at] = edited[at].replacen("acme", "ACME", 1);
        if edited[at] != lines[at] {
            shows(&edited, &format!("line {at} is edited"));
        }
        if at > 0 {
            let mut moved = owned();
            moved.swap(at - 1, at);
            shows(&moved, &format!("line {at} is moved"));
        }
    }
    let cut: Vec<String> = owned().into_iter().take(lines.len() / 2).collect();
    shows(&cut, "the end is cut off");

    // Nor does the database let anybody change it in passing.
    let mut connection = PgConnection::connect(&site.database.url())
        .await
        .expect("it connects");
    for statement in [
        "UPDATE audit_entry SET entry = '{}'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&mut connection).await;
        assert!(refused.is_err(), "{statement}");
    }
}
