//! A person logs in at their own issuer, a real provider of `OpenID` Connect, and leaves no secret but one that ends soon.

use std::{path::Path, process::Stdio};

use harness::{
    binaries,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use scenarios::{oidc::Oidc, openai};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::command_line::Shell;

/// A login under way ends so: its exit code, and what it said.
async fn log_in(site: &Site, arguments: &[&str], name: &str) -> (i32, String) {
    let address = format!("http://{}", site.control_planes[0].admin);
    let mut command = Command::new(binaries::path("sluice"));
    command.args(["login", "--trust", "corp"]).args(arguments);
    let logins = site.folder().join("logins.json");
    command
        .env_clear()
        .env("SLUICE_ADDRESS", address)
        .env("SLUICE_ORGANIZATION", "acme")
        .env("SLUICE_LOGINS_FILE", logins)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().expect("the program starts");
    let mut said = BufReader::new(child.stderr.take().expect("it speaks")).lines();
    let mut all = String::new();
    let asks = if arguments.is_empty() {
        "or open "
    } else {
        "open "
    };
    while let Some(line) = said.next_line().await.expect("it speaks") {
        if let Some(url) = line.strip_prefix(asks) {
            browse(url, name).await;
        }
        all.push_str(&line);
        all.push('\n');
    }
    let ended = child.wait().await.expect("it ends");
    (ended.code().unwrap_or(-1), all)
}

/// Has a person of this name log in where the URL leads.
async fn browse(url: &str, name: &str) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/browser.mjs");
    let mut command = Command::new("node");
    let shown = command.arg(program).args([url, name]).output().await;
    let shown = shown.expect("node runs");
    let told = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success(), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_logs_in_by_a_code_or_a_browser_with_the_roles_of_their_group() {
    let provider = Provider::start(openai::answer).await;
    let ranges = r#"["127.0.0.0/8"]"#.to_owned();
    let plan = Plan {
        edges: Vec::new(),
        control_plane_settings: vec![("SLUICE_ISSUERS__PRIVATE_RANGES", ranges)],
        ..Plan::default()
    };
    let (site, mut issuer) = tokio::join!(Site::start(plan), Oidc::start());
    Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let shell = Shell::new(&site);
    let line = format!(
        "trusts create corp --issuer-url {} --client-id sluice-cli --scope groups \
         --role owner@organization,groups=admins --role viewer@organization,groups=staff",
        issuer.url
    );
    shell.done(&line);
    let logins = site.folder().join("logins.json").display().to_string();
    let person = Shell::stranger(&site, vec![("SLUICE_LOGINS_FILE", logins)]);

    let (code, said) = log_in(&site, &[], "admins-ada").await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("enter the code ") && !said.contains("slo_"),
        "{said}"
    );
    let ada = person.json("whoami");
    assert_eq!(ada["subject"], "admins-ada");
    assert_eq!(ada["bindings"][0]["role"], "owner");
    assert_eq!(ada["bindings"].as_array().map(Vec::len), Some(1));
    person.done("projects create more");

    let (code, said) = log_in(&site, &["--browser"], "staff-bob").await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(person.json("whoami")["subject"], "staff-bob");
    assert_eq!(person.run("projects create other").code, 5);
    assert!(person.done("logout").contains("logged out"));
    let out = person.run("whoami");
    assert_eq!(out.code, 5, "{}", out.err);
    assert!(out.err.contains("sluice login"), "{}", out.err);
    let listed = shell.json("operator-keys list");
    let keys = listed["operatorKeys"].as_array().expect("there are some");
    let revoked = |it: &&serde_json::Value| it.get("revokeTime").is_some();
    let gone: Vec<_> = keys.iter().filter(revoked).collect();
    assert!(
        gone.len() == 1 && gone[0]["subject"] == "staff-bob",
        "{listed}"
    );

    let (code, said) = log_in(&site, &["--browser"], "guests-eve").await;
    assert!(code == 5 && said.contains("gives nothing"), "{said}");
    let (code, said) = log_in(&site, &[], "refuse").await;
    assert!(code == 5 && said.contains("denied"), "{said}");
    let own = shell.run("logout");
    assert!(
        own.code == 0 && own.out.contains("nobody is logged in"),
        "{}",
        own.out
    );
    issuer.kill().await;
    let (code, said) = log_in(&site, &[], "admins-ada").await;
    assert!(code == 6 && said.contains("cannot be asked"), "{said}");
}
