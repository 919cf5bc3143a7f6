//! A service account owns keys, and one switch stands before all of them.

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use scenarios::openai;

use crate::command_line::Shell;

async fn answered(site: &Site, key: &str) -> u16 {
    let asked = openai::whole("chat");
    let reply = client::post(&site.url(0), key, "/v1/chat/completions", asked).await;
    let status = reply.status.as_u16();
    let _ = reply.bytes().await;
    status
}

/// Mints a key of the account: its id and its text.
fn mint(shell: &Shell) -> (String, String) {
    let made = shell.json("keys create --service-account crawler --wait");
    let name = made["key"]["name"].as_str().expect("it has a name");
    let id = name.rsplit('/').next().expect("a name has an id");
    let text = made["text"].as_str().expect("it has a text");
    (id.to_owned(), text.to_owned())
}

#[tokio::test]
async fn one_switch_refuses_all_keys_of_an_account_and_restores_each_as_it_was() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let shell = Shell::new(&site);
    shell.done("service-accounts create crawler --display-name Crawler");
    let (one, first) = mint(&shell);
    let (two, second) = mint(&shell);
    shell.done(&format!("keys update {two} --disable --wait"));
    assert_eq!(answered(&site, &first).await, 200);
    assert_eq!(answered(&site, &second).await, 401);

    shell.done("service-accounts update crawler --disable --wait");
    assert_eq!(answered(&site, &first).await, 401);
    let shown = shell.json(&format!("keys get {one}"));
    assert_eq!(shown["state"], "KEY_STATE_DISABLED");
    assert!(shown["disabled"].is_null(), "its own switch is on: {shown}");
    // Neither a write of the key nor another secret gets around the switch.
    shell.done(&format!("keys update {one} --display-name busy --wait"));
    assert_eq!(answered(&site, &first).await, 401);
    let renewed = shell.json(&format!("keys rotate {one} --at-once --wait"));
    let renewed = renewed["text"].as_str().expect("it has a text");
    assert_eq!(answered(&site, renewed).await, 401);
    let (_, third) = mint(&shell);
    assert_eq!(answered(&site, &third).await, 401);

    shell.done("service-accounts update crawler --enable --wait");
    assert_eq!(answered(&site, renewed).await, 200);
    assert_eq!(answered(&site, &third).await, 200);
    assert_eq!(answered(&site, &second).await, 401);

    let held = shell.run("service-accounts delete crawler");
    assert!(held.err.contains("it has keys"), "{}", held.err);
    let listed = shell.json("keys list");
    for key in listed["keys"].as_array().expect("a list") {
        let name = key["name"].as_str().expect("it has a name");
        shell.done(&format!("keys revoke {name}"));
    }
    shell.done("service-accounts delete crawler");
    let told = shell.done("audit list");
    assert!(told.contains("UpdateServiceAccount"), "{told}");
}
