//! What the command line says of credentials that are exchanged for tokens: from a file, with where they may go, and never
//! shown.

use std::fs;

use harness::site::{Plan, Site};
use serde_json::json;

use crate::command_line::Shell;

#[tokio::test]
async fn what_is_exchanged_for_tokens_comes_from_a_file_and_says_where() {
    let site = Site::start(Plan {
        edges: Vec::new(),
        ..Plan::default()
    })
    .await;
    let shell = Shell::new(&site);
    shell.done("organizations create acme");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("account.json");
    let secret = "hush-hush-hush";
    let form = |authority: &str| {
        json!({
            "type": "client_secret", "tenant_id": "t-1", "client_id": "c-1", "client_secret": secret,
            "authority": authority,
        })
        .to_string()
    };
    fs::write(&file, form("https://login.example.com")).expect("a file");
    let command = format!(
        "providers create azure --kind azure-openai --base-url https://a.openai.azure.com/openai/v1 --credential-file {}",
        file.display()
    );

    // Where it may be exchanged beside its kind's own origins is said aloud, or refused.
    let refused = shell.run(&command);
    assert_ne!(refused.code, 0, "{}", refused.out);
    assert!(refused.err.contains("exchange"), "{}", refused.err);
    let made = shell.run(&format!(
        "{command} --exchange-origin https://login.example.com --exchange-origin https://second.example.com"
    ));
    assert_eq!(made.code, 0, "{}", made.err);
    let origins = || shell.json("providers get azure")["exchangeOrigins"].clone();
    assert_eq!(
        origins(),
        json!([
            "https://login.example.com:443",
            "https://second.example.com:443"
        ])
    );

    let both =
        "providers update azure --exchange-origin https://x.example.com --no-exchange-origin";
    assert_eq!(shell.run(both).code, 2);
    shell.done("providers update azure --exchange-origin https://login.example.com");
    assert_eq!(origins(), json!(["https://login.example.com:443"]));
    // The credential that is there still needs it.
    let needed = shell.run("providers update azure --no-exchange-origin");
    assert_ne!(needed.code, 0, "{}", needed.out);
    let line = "providers update azure --no-exchange-origin --credential-file -";
    let own = form("https://login.microsoftonline.com");
    let changed = shell.run_with(line, &own);
    assert_eq!(changed.code, 0, "{}", changed.err);
    assert!(origins().is_null(), "{}", origins());

    let forgotten = shell.done("providers update azure --no-credential");
    let listed = shell.done("providers list");
    for said in [&refused.err, &made.out, &changed.out, &forgotten, &listed] {
        assert!(!said.contains(secret), "the secret is shown: {said}");
    }
    let it = shell.json("providers get azure");
    assert!(
        it["credentialSet"].is_null() || it["credentialSet"] == false,
        "{it}"
    );
}
