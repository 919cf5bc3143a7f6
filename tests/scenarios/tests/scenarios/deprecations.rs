//! Clients of what is deprecated are told until its sunset, in headers and where models are listed, and are then refused by an error that
//! names what takes its place. Operators see who still asks for it.

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

/// The first second of 2020, from when on everything here is deprecated.
const SINCE: &str = "--from 2020-01-01";

struct Town {
    site: Site,
    shell: Shell,
    key: String,
    key_id: String,
    _provider: Provider,
}

// === impl Town ===

impl Town {
    /// With the models `chat`, which has versions `v1` and `v2`, and `chat-2`.
    async fn build() -> Self {
        let provider = Provider::start(openai::answer).await;
        let site = Site::start(Plan::default()).await;
        let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        tenant.model("chat-2", "main", "newer").await;
        let (name, key) = tenant.key().await;
        let (_, key_id) = name.rsplit_once('/').expect("a whole name");
        site.propagated().await;
        let shell = Shell::new(&site);
        shell.done("versions create chat@v2 --target main=other");
        Self {
            site,
            shell,
            key,
            key_id: key_id.to_owned(),
            _provider: provider,
        }
    }

    async fn client(&self) -> Client {
        let client = Client::connect(&self.site.url(0), &self.key).await;
        client.expect("the edge accepts")
    }

    async fn ask(&self, model: &str) -> Reply {
        let mut client = self.client().await;
        let reply = client.post(CHAT, openai::whole(model)).await;
        reply.expect("the edge answers")
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let mut client = self.client().await;
        let reply = client.request("GET", path, headers, "").await;
        let reply = reply.expect("the edge answers");
        (reply.status.as_u16(), reply.json().await)
    }
}

/// What a reply says of deprecation: its three headers, where they are.
fn told(reply: &Reply) -> [Option<&str>; 3] {
    ["deprecation", "sunset", "link"].map(|name| {
        let value = reply.headers.get(name)?;
        value.to_str().ok()
    })
}

/// The one of a list that is called so.
fn one<'a>(listed: &'a Value, id: &str) -> Option<&'a Value> {
    let all = listed["data"].as_array()?;
    all.iter().find(|it| it["id"] == id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_deprecated_model_are_told_and_after_its_sunset_sent_to_its_successor() {
    let town = Town::build().await;
    let command =
        format!("models deprecate chat {SINCE} --sunset 2199-12-31 --successor chat-2 --wait");
    town.shell.done(&command);
    let reply = town.ask("chat").await;
    assert_eq!(reply.status, 200);
    let link = Some("</v1/models/chat-2>; rel=\"successor-version\"");
    let sunset = Some("Tue, 31 Dec 2199 00:00:00 GMT");
    assert_eq!(told(&reply), [Some("@1577836800"), sunset, link]);
    assert_eq!(told(&town.ask("chat-2").await), [None; 3]);

    let (_, listed) = town.get("/v1/models", &[]).await;
    let chat = one(&listed, "chat").expect("it is still there");
    assert_eq!(chat["shutdown_date"], "2199-12-31");
    assert_eq!(chat["deprecated_at"], "2020-01-01T00:00:00Z");
    assert_eq!(chat["successor"], "chat-2");
    assert!(one(&listed, "chat-2").is_some_and(|it| it.get("successor").is_none()));
    let anthropic = [("anthropic-version", "2023-06-01")];
    let (_, listed) = town.get("/v1/models", &anthropic).await;
    let chat = one(&listed, "chat").expect("it is still there");
    assert_eq!(chat["lifecycle"], "deprecated");
    assert_eq!(chat["retires_at"], "2199-12-31T00:00:00Z");
    let (url, key) = (town.site.url(0), town.key.as_str());
    let said = Sdk::Python.ask(&url, key, "chat", "ending").await;
    let expected = json!({"shutdown_date": "2199-12-31", "sunset": sunset, "refused": null});
    assert_eq!(said, expected);

    // Who still asks for it: the sums are made when records have come.
    wait::until("its users are known", async || {
        let users = town.shell.done("models users chat");
        users.contains(&town.key_id).then_some(())
    })
    .await;
    let others = town.shell.done("models users chat@v2");
    assert!(!others.contains(&town.key_id), "{others}");

    let command =
        format!("models deprecate chat {SINCE} --sunset 2020-06-01 --successor chat-2 --wait");
    town.shell.done(&command);
    let reply = town.ask("chat").await;
    assert_eq!(reply.status, 404);
    assert_eq!(told(&reply)[2], link);
    assert_eq!(reply.headers["x-sluice-code"], "model_retired");
    let body = reply.json().await;
    let message = "`chat` was retired at 2020-06-01T00:00:00Z: use `chat-2` instead";
    let said = body["error"]["message"].as_str().unwrap_or_default();
    assert!(said.contains(message), "{body}");
    let (_, listed) = town.get("/v1/models", &[]).await;
    assert!(one(&listed, "chat").is_none() && one(&listed, "chat-2").is_some());
    assert_eq!(town.get("/v1/models/chat", &[]).await.0, 404);
    let said = Sdk::Python.ask(&url, key, "chat", "ending").await;
    assert_eq!(said["refused"], "model_retired");
    // A client that names another one gets that.
    let asked = json!({"model": "chat", "models": ["chat-2"], "messages": [{"role": "user", "content": "hi"}]});
    let mut client = town.client().await;
    let reply = client.post(CHAT, asked.to_string()).await;
    let reply = reply.expect("the edge answers");
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["x-sluice-model"]),
        (200, &"chat-2@v1".parse().expect("a value"))
    );

    town.shell.done("models deprecate chat --undo --wait");
    let reply = town.ask("chat").await;
    assert_eq!((reply.status.as_u16(), told(&reply)), (200, [None; 3]));
    let trail = town.shell.done("audit list --since 1h -o json");
    assert!(trail.contains("DeprecateModel"), "{trail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_ends_whoever_chose_it_and_what_makes_no_sense_is_refused() {
    let town = Town::build().await;
    let command = format!("versions deprecate chat@v1 {SINCE} --successor chat@v2 --wait");
    assert!(town.shell.done(&command).contains("chat/versions/v2"));
    let link = Some("</v2/models/chat/versions/v2>; rel=\"successor-version\"");
    let reply = town.ask("chat").await;
    assert_eq!(told(&reply), [Some("@1577836800"), None, link]);
    town.shell.done("models update chat --stable v2 --wait");
    assert_eq!(told(&town.ask("chat").await), [None; 3]);

    let command = format!(
        "versions deprecate chat@v1 {SINCE} --sunset 2020-06-01 --successor chat@v2 --wait"
    );
    town.shell.done(&command);
    assert_eq!(town.ask("chat").await.status, 200);
    town.shell.done("models update chat --stable v1 --wait");
    let reply = town.ask("chat").await;
    assert_eq!(reply.status, 404);
    let body = reply.json().await;
    let said = body["error"]["message"].as_str().unwrap_or_default();
    assert!(
        said.contains("`chat@v1` was retired") && said.contains("`chat@v2`"),
        "{body}"
    );
    let listed = town.shell.json("keys list");
    let key = listed["keys"][0]["name"].as_str().expect("there is a key");
    let explained = town
        .shell
        .done(&format!("route explain --key {key} --model chat -o json"));
    assert!(explained.contains("ROUTE_PROBLEM_RETIRED"), "{explained}");

    for wrong in [
        "models deprecate chat --from 2020-02-01 --sunset 2020-01-01",
        "models deprecate chat --successor chat",
        "models deprecate chat --successor nothing",
        "versions deprecate chat@v1 --successor chat@v9",
        "models deprecate chat --successor organizations/evil/models/chat",
    ] {
        let ended = town.shell.run(wrong);
        assert_eq!(ended.code, 4, "{wrong}: {}", ended.err);
    }
}
