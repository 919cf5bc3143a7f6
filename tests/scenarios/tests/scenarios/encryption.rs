//! Everything that listens can be encrypted, with certificates that change while it runs.

use std::path::Path;

use harness::{
    authority::{self, Authority},
    binaries,
    database::Database,
    process::Process,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use scenarios::{openai, sdk::Sdk};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::command_line::Shell;

/// A site whose edge serves with the certificate `edge`, and for `other.example` with `other`.
async fn encrypted(folder: &Path, authority: &Authority, more: &[(&'static str, String)]) -> Site {
    let pair = authority.issue(folder, "edge", &["localhost", "127.0.0.1"]);
    let mut edge_settings = vec![
        (
            "SLUICE_INFERENCE__TLS__CERT_FILE",
            pair.cert_file.display().to_string(),
        ),
        (
            "SLUICE_INFERENCE__TLS__KEY_FILE",
            pair.key_file.display().to_string(),
        ),
    ];
    edge_settings.extend_from_slice(more);
    Site::start(Plan {
        edge_settings,
        ..Plan::default()
    })
    .await
}

#[tokio::test]
async fn an_sdk_reaches_an_edge_over_tls_while_its_certificate_changes() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("the authority of a test");
    let ca_file = folder.path().join("ca.pem");
    authority.write(&ca_file);
    let site = encrypted(folder.path(), &authority, &[]).await;
    let provider = Provider::start(openai::answer).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let address = site.edges[0].inference;
    let url = format!("https://localhost:{}", address.port());
    let text = openai::WORDS.concat();
    for sdk in Sdk::ALL {
        let streamed = sdk.ask_trusting(&ca_file, &url, &key, "stream").await;
        assert_eq!(streamed, json!({"text": text, "usage_seen": false}));
    }
    // What is no TLS is hung up on, and nothing of it is served.
    let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");

    // A connection that stands goes on with what it has; new ones get what is new.
    let mut before = authority.connect(address, "localhost", None).await.unwrap();
    let renewed = authority.issue(folder.path(), "edge", &["localhost", "127.0.0.1"]);
    let expected = authority::read(&renewed.cert_file);
    let shown = async || authority.shown(address, "localhost").await.unwrap();
    let served = async || (shown().await == expected).then_some(());
    wait::until("the new certificate is served", served).await;
    before
        .write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    before.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 401"), "{answer:?}");

    // A broken one is refused, told and counted, and the one before goes on.
    std::fs::write(&renewed.key_file, "no key").unwrap();
    let refused = async || {
        let refused = site.count(0, "sluice_tls_reload_total", "refused").await;
        (refused == 1).then_some(())
    };
    wait::until("the broken key is refused", refused).await;
    assert_eq!(shown().await, expected);
    let said = site.edges[0].process.said();
    assert!(said.contains("edge.key: holds no private key"), "{said}");
    assert!(
        site.count(0, "sluice_tls_handshake_failed_total", "inference")
            .await
            >= 1
    );
}

#[tokio::test]
async fn an_edge_that_names_an_authority_serves_only_who_shows_a_certificate_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let ca_file = folder.path().join("clients.pem");
    authority.write(&ca_file);
    let named = (
        "SLUICE_INFERENCE__TLS__CLIENT_CA_FILE",
        ca_file.display().to_string(),
    );
    let site = encrypted(folder.path(), &authority, &[named]).await;
    let address = site.edges[0].inference;
    let ours = authority.issue(folder.path(), "client", &["client.example"]);
    let strange = stranger.issue(folder.path(), "stranger", &["client.example"]);
    for (presented, welcome) in [(Some(&ours), true), (Some(&strange), false), (None, false)] {
        let mut answer = Vec::new();
        // With TLS 1.3 a client hears only with the first answer that it is not welcome.
        if let Ok(mut stream) = authority.connect(address, "localhost", presented).await {
            let asked = b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            if stream.write_all(asked).await.is_ok() {
                let _ = stream.read_to_end(&mut answer).await;
            }
        }
        assert_eq!(
            answer.starts_with(b"HTTP/1.1 401"),
            welcome,
            "{presented:?}"
        );
    }
}

#[tokio::test]
async fn the_admin_api_is_reached_over_tls_while_its_certificate_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let (ca_file, other) = (
        folder.path().join("ca.pem"),
        folder.path().join("other.pem"),
    );
    authority.write(&ca_file);
    stranger.write(&other);
    let pair = authority.issue(folder.path(), "admin", &["localhost"]);
    let plan = Plan {
        edges: Vec::new(),
        control_plane_settings: vec![
            (
                "SLUICE_ADMIN__TLS__CERT_FILE",
                pair.cert_file.display().to_string(),
            ),
            (
                "SLUICE_ADMIN__TLS__KEY_FILE",
                pair.key_file.display().to_string(),
            ),
        ],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let address = site.control_planes[0].admin;
    let url = format!("https://localhost:{}", address.port());
    let list = |url: &str, ca_file: &Path| {
        let line = format!("edges list --address {url} --ca-file {}", ca_file.display());
        Shell::new(&site).run(&line)
    };
    let listed = list(&url, &ca_file);
    assert_eq!(listed.code, 0, "{}", listed.err);
    // Another authority, another name, and no encryption.
    for (url, ca_file) in [
        (url.as_str(), &other),
        (&format!("https://127.0.0.1:{}", address.port()), &ca_file),
        (&format!("http://localhost:{}", address.port()), &ca_file),
    ] {
        assert_ne!(list(url, ca_file).code, 0, "{url}");
    }
    let renewed = authority.issue(folder.path(), "admin", &["localhost"]);
    let expected = authority::read(&renewed.cert_file);
    let served = async || {
        let shown = authority.shown(address, "localhost").await.unwrap();
        (shown == expected).then_some(())
    };
    wait::until("the new certificate is served", served).await;
    assert_eq!(list(&url, &ca_file).code, 0);
}

#[tokio::test]
async fn a_control_plane_trusts_only_the_database_that_its_url_proves() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let (ca_file, other) = (
        folder.path().join("ca.pem"),
        folder.path().join("other.pem"),
    );
    authority.write(&ca_file);
    stranger.write(&other);
    // An address of this test's own, so that the port is free.
    let number = std::process::id();
    let host = format!("127.{}.{}.5", 100 + number / 250 % 100, 1 + number % 250);
    let other_name = format!("{}6", &host[..host.len() - 1]);
    let listen = vec![format!("listen_addresses={host},{other_name}")];
    let database = Database::start_with(folder.path(), listen);
    let pair = authority.issue(folder.path(), "database", &[&host]);
    let mut sql = database.connect().await;
    // Written by the server itself, which takes a key only from a file of its own user.
    for (path, name) in [
        (&pair.cert_file, "server.crt"),
        (&pair.key_file, "server.key"),
    ] {
        let pem = std::fs::read_to_string(path).unwrap();
        let statement = format!(
            "COPY (SELECT regexp_split_to_table($pem${pem}$pem$, E'\\n')) TO PROGRAM 'umask 077; cat > {name}'"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut sql)
            .await
            .unwrap();
    }
    sqlx::raw_sql("ALTER SYSTEM SET ssl = on")
        .execute(&mut sql)
        .await
        .unwrap();
    sqlx::raw_sql("SELECT pg_reload_conf()")
        .execute(&mut sql)
        .await
        .unwrap();
    let encrypted = async || {
        let mut sql = database.connect().await;
        let on = sqlx::query_scalar::<_, String>("SHOW ssl")
            .fetch_one(&mut sql)
            .await;
        (on.ok()? == "on").then_some(())
    };
    wait::until("the database speaks TLS", encrypted).await;

    let migrate = |host: &str, ca_file: &Path| {
        let ca_file = ca_file.display();
        let url =
            format!("postgres://sluice@{host}/postgres?sslmode=verify-full&sslrootcert={ca_file}");
        let settings = [("SLUICE_DATABASE__URL".to_owned(), url)];
        let program = binaries::path("sluice-control-plane");
        Process::run(folder.path(), "migrate", &program, &["migrate"], &settings)
    };
    // Another authority, and another name.
    for (host, ca_file) in [(&host, &other), (&other_name, &ca_file)] {
        let (status, said) = migrate(host, ca_file);
        assert!(!status.success(), "{said}");
        assert!(
            said.contains("check sslmode, that sslrootcert names the authority"),
            "{said}"
        );
    }
    let (status, said) = migrate(&host, &ca_file);
    assert!(status.success(), "{said}");
}
