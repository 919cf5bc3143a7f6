//! A model is asked for by other names: one that follows its newest version, and one that stays with a version whatever is released.
//! A key opens no more by them than by the model's own.

use harness::{
    client::{Client, Reply},
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use scenarios::{openai, sdk::Sdk};
use serde_json::{Value, json};

use crate::command_line::Shell;

const CHAT: &str = "/v1/chat/completions";

struct Town {
    site: Site,
    shell: Shell,
    key: String,
    key_name: String,
    _provider: Provider,
}

// === impl Town ===

impl Town {
    /// With the models `chat` and `other`, each of which has a version `v1` that serves.
    async fn build() -> Self {
        let provider = Provider::start(openai::answer).await;
        let site = Site::start(Plan::default()).await;
        let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        tenant.model("other", "main", "newer").await;
        let (key_name, key) = tenant.key().await;
        site.propagated().await;
        Self {
            shell: Shell::new(&site),
            site,
            key,
            key_name,
            _provider: provider,
        }
    }

    async fn ask(&self, key: &str, model: &str) -> Reply {
        let client = Client::connect(&self.site.url(0), key).await;
        let mut client = client.expect("the edge accepts");
        let reply = client.post(CHAT, openai::whole(model)).await;
        reply.expect("the edge answers")
    }

    /// Which version serves by this name, or why none does.
    async fn served(&self, model: &str) -> String {
        let reply = self.ask(&self.key, model).await;
        let header = if reply.status == 200 {
            "x-sluice-model"
        } else {
            "x-sluice-code"
        };
        let text = reply.headers[header].to_str();
        text.expect("it is text").to_owned()
    }

    /// What the command is refused with.
    fn refused(&self, line: &str) -> String {
        let ended = self.shell.run(line);
        assert_ne!(ended.code, 0, "`sluice {line}`: {}", ended.out);
        ended.err
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_name_follows_the_newest_version_and_another_stays_while_the_model_is_released() {
    let town = Town::build().await;
    let shell = &town.shell;
    shell.done("aliases create chat-latest --model chat --newest");
    shell.done("aliases create chat-2026-11-28 --model chat --pin v1");
    shell.done("aliases create gpt-4o --model chat --wait");
    for name in ["chat-latest", "chat-2026-11-28", "gpt-4o"] {
        assert_eq!(town.served(name).await, "chat@v1", "{name}");
    }
    shell.done("versions create chat@v2 --target main=other --wait");
    assert_eq!(town.served("chat-latest").await, "chat@v2");
    assert_eq!(town.served("chat").await, "chat@v1");
    let reply = town.ask(&town.key, "chat-latest").await;
    let id = reply.headers["x-sluice-request-id"].to_str();
    let id = id.expect("it is text").to_owned();
    let listed = shell.done("aliases list");
    assert!(listed.contains("chat/versions/v2"), "{listed}");

    // An official SDK sees and asks for each as for a model.
    let (url, key) = (town.site.url(0), town.key.as_str());
    let said = Sdk::Python.ask(&url, key, "chat-latest", "models").await;
    let all = ["chat", "chat-2026-11-28", "chat-latest", "gpt-4o", "other"];
    assert_eq!(said, json!({"ids": all, "one": "chat-latest"}));
    let said = Sdk::Python.ask(&url, key, "chat-latest", "chat").await;
    assert_eq!(said["text"], openai::WORDS.concat());

    // What is released moves the name that follows the model, and not the one that stays.
    shell.done("models update chat --stable v2 --wait");
    assert_eq!(town.served("gpt-4o").await, "chat@v2");
    assert_eq!(town.served("chat-2026-11-28").await, "chat@v1");

    let line = |name| format!("route explain --key {} --model {name}", town.key_name);
    let explained = shell.run(&line("chat-2026-11-28"));
    assert_eq!(explained.code, 0, "{}", explained.err);
    for words in ["an alias of chat", "version chat@v1 serves"] {
        let all = format!("{}{}", explained.out, explained.err);
        assert!(all.contains(words), "{all}");
    }
    let explained = shell.json(&line("chat-latest"));
    let stands_for = &explained["regions"][0]["standsFor"];
    assert_eq!(stands_for, "organizations/acme/models/chat", "{explained}");

    // The record is the model's, and tells that an alias chose the version.
    let (record, _) = wait::until("the record is stored", async || {
        let ended = shell.run(&format!("usage get {id} -o json"));
        serde_json::from_str::<Value>(&ended.out).ok()
    })
    .await;
    assert_eq!(record["decision"]["chosenBy"], "alias", "{record}");
    let model = record["model"].as_str().unwrap_or_default();
    assert!(model.ends_with("chat"), "{record}");
    let trail = shell.done("audit list --since 1h -o json");
    assert!(trail.contains("CreateModelAlias"), "{trail}");

    shell.done("aliases delete gpt-4o --wait");
    let reply = town.ask(key, "gpt-4o").await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.headers["x-sluice-code"], "model_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_opens_nothing_more_and_what_makes_no_sense_is_refused() {
    let town = Town::build().await;
    let shell = &town.shell;
    shell.done("aliases create chat-1 --model chat --pin v1");
    shell.done("aliases create swift --model other --wait");
    // By a pattern of the model's name, never of the alias's.
    for (scope, name, status) in [
        ("--model-pattern ch*", "chat-1", 200),
        ("--model-pattern ch*", "swift", 404),
        ("--model-pattern swift", "swift", 404),
        ("--model other", "swift", 200),
        ("--model other", "chat-1", 404),
    ] {
        let minted = shell.done(&format!("keys create --wait --text-only {scope}"));
        let reply = town.ask(minted.trim(), name).await;
        assert_eq!(reply.status, status, "{scope}: {name}");
    }

    let said = town.refused("aliases create other --model chat");
    assert!(said.contains("acme/models/other exists already"), "{said}");
    let said = town.refused("models create swift");
    assert!(said.contains("modelAliases/swift exists already"), "{said}");
    let said = town.refused("aliases create swifter --model swift");
    assert!(said.contains("models/swift does not exist"), "{said}");
    let said = town.refused("aliases create chat-9 --model chat --pin v9");
    assert!(said.contains("versions/v9 does not exist"), "{said}");
    shell.done("versions create chat@v2 --target main=other --stable");
    let said = town.refused("versions delete chat@v1");
    assert!(said.contains("change or delete that alias first"), "{said}");
    let said = town.refused("models delete chat");
    assert!(said.contains("change or delete that alias first"), "{said}");

    // What a version that is pinned comes to is told to those who ask, and the alias can be moved on.
    shell.done("versions deprecate chat@v1 --from 2020-01-01 --sunset 2020-06-01 --successor chat@v2 --wait");
    let reply = town.ask(&town.key, "chat-1").await;
    assert_eq!(reply.headers["x-sluice-code"], "model_retired");
    let body = reply.json().await;
    let said = body["error"]["message"].as_str().unwrap_or_default();
    assert!(said.contains("`chat-1 (chat@v1)` was retired"), "{body}");
    shell.done("aliases update chat-1 --pin v2 --wait");
    assert_eq!(town.served("chat-1").await, "chat@v2");
    shell.done("versions delete chat@v1");
    shell.done("aliases update chat-1 --model other --follow-model --wait");
    assert_eq!(town.served("chat-1").await, "other@v1");
}
