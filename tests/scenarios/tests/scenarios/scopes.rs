//! A key is held to what its scope says, on every edge, and to nothing else.

use std::time::{Duration, Instant};

use harness::{
    client::Client,
    provider::{Answer, Provider},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateKeyRequest, ImportKeyRequest, Key, Provider as AdminProvider, RotateKeyRequest,
    UpdateKeyRequest, UpdateProviderRequest,
};
use scenarios::{openai, realtime::Realtime};
use sha2::Digest;

const CHAT: &str = "/v1/chat/completions";

/// Mints a key that is held to this: its name and its text.
async fn key(site: &Site, tenant: &Tenant, held: Key) -> (String, String) {
    let request = CreateKeyRequest {
        parent: tenant.project.clone(),
        key: Some(held),
        ..Default::default()
    };
    let made = site.admin().keys().create_key(request).await;
    let made = made.expect("a key is made").into_inner();
    (made.key.expect("the reply holds the key").name, made.text)
}

async fn ask_from(
    site: &Site,
    (edge, key): (usize, &str),
    (path, body): (&str, String),
    headers: &[(&str, &str)],
) -> (u16, String) {
    let mut client = Client::connect(&site.url(edge), key)
        .await
        .expect("it accepts");
    let headers = [headers, &[("content-type", "application/json")]].concat();
    let reply = client.request("POST", path, &headers, body).await;
    let reply = reply.expect("the edge answers");
    match reply.status.as_u16() {
        200 => (200, String::new()),
        status => (status, reply.error_code().await),
    }
}

async fn ask(site: &Site, edge: usize, key: &str, model: &str) -> (u16, String) {
    ask_from(site, (edge, key), (CHAT, openai::whole(model)), &[]).await
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

const FINE: (u16, String) = (200, String::new());

#[tokio::test]
async fn a_key_is_held_to_models_endpoints_providers_and_tokens() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    tenant.provider("other", &provider.base_url()).await;
    tenant.model("gpt-4o", "other", "provider-gpt").await;
    let provider_name = format!("{}/providers/main", tenant.organization);
    let held = [
        Key {
            model_patterns: vec!["gpt-*".to_owned()],
            ..Key::default()
        },
        Key {
            endpoints: vec!["embeddings".to_owned()],
            ..Key::default()
        },
        Key {
            providers: vec![provider_name],
            ..Key::default()
        },
        Key {
            request_tokens_max: 200,
            ..Key::default()
        },
    ];
    let mut texts = Vec::new();
    for held in held {
        texts.push(key(&site, &tenant, held).await.1);
    }
    site.propagated().await;
    let [patterned, embedding, bound, small] = texts.try_into().expect("four keys");
    assert_eq!(ask(&site, 0, &patterned, "gpt-4o").await, FINE);
    assert_eq!(
        ask(&site, 0, &patterned, "chat").await,
        refused(404, "model_not_found")
    );
    let forbidden = refused(403, "api_key_endpoint_forbidden");
    assert_eq!(ask(&site, 0, &embedding, "chat").await, forbidden);
    let body = r#"{"model":"chat","input":"hello"}"#.to_owned();
    let (status, _) = ask_from(&site, (0, &embedding), ("/v1/embeddings", body), &[]).await;
    assert_ne!(status, 403);
    assert_eq!(ask(&site, 0, &bound, "chat").await, FINE);
    let forbidden = refused(403, "api_key_provider_forbidden");
    assert_eq!(ask(&site, 0, &bound, "gpt-4o").await, forbidden);
    let body = |most: u32| {
        format!(
            r#"{{"model":"chat","max_tokens":{most},"messages":[{{"role":"user","content":"Hi"}}]}}"#
        )
    };
    let weigh = |most| ask_from(&site, (0, &small), (CHAT, body(most)), &[]);
    assert_eq!(weigh(50).await, FINE);
    assert_eq!(weigh(500).await, refused(400, "request_too_many_tokens"));
}

#[tokio::test]
async fn a_key_is_held_to_regions_and_switched_off_and_on() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        edges: vec!["here", "there"],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let held = Key {
        regions: vec!["there".to_owned()],
        ..Key::default()
    };
    let (name, text) = key(&site, &tenant, held).await;
    site.propagated().await;
    assert_eq!(ask(&site, 1, &text, "chat").await, FINE);
    assert_eq!(
        ask(&site, 0, &text, "chat").await,
        refused(401, "invalid_api_key")
    );
    let switch = |disabled, regions: &[&str]| {
        let key = Key {
            name: name.clone(),
            disabled,
            regions: regions.iter().map(ToString::to_string).collect(),
            ..Key::default()
        };
        let request = UpdateKeyRequest {
            key: Some(key),
            update_mask: Some(prost_types::FieldMask {
                paths: ["disabled", "regions"].map(str::to_owned).to_vec(),
            }),
            ..Default::default()
        };
        let mut keys = site.admin().keys();
        async move { drop(keys.update_key(request).await.expect("it is updated")) }
    };
    let since = Instant::now();
    switch(true, &[]).await;
    for edge in 0..2 {
        let off = || async {
            let answer = ask(&site, edge, &text, "chat").await;
            (answer == refused(401, "api_key_disabled")).then_some(())
        };
        wait::until("the key is off", off).await;
    }
    assert!(
        since.elapsed() < Duration::from_secs(1),
        "{:?}",
        since.elapsed()
    );
    switch(false, &["here"]).await;
    site.propagated().await;
    assert_eq!(ask(&site, 0, &text, "chat").await, FINE);
    assert_eq!(
        ask(&site, 1, &text, "chat").await,
        refused(401, "invalid_api_key")
    );
}

#[tokio::test]
async fn a_key_is_held_to_addresses_and_only_named_proxies_are_believed() {
    let provider = Provider::start(openai::answer).await;
    let mut site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let held = |range: &str| Key {
        ip_ranges: vec![range.to_owned()],
        ..Key::default()
    };
    let (_, local) = key(&site, &tenant, held("127.0.0.0/8")).await;
    let (_, office) = key(&site, &tenant, held("198.51.100.0/24")).await;
    site.propagated().await;
    let from = [("x-forwarded-for", "198.51.100.7")];
    let forbidden = refused(403, "api_key_address_forbidden");
    let chat = || (CHAT, openai::whole("chat"));
    assert_eq!(ask(&site, 0, &local, "chat").await, FINE);
    assert_eq!(ask(&site, 0, &office, "chat").await, forbidden);
    assert_eq!(
        ask_from(&site, (0, &office), chat(), &from).await,
        forbidden
    );
    site.set_edge(0, "SLUICE_INFERENCE__TRUSTED_PROXIES", "[\"127.0.0.1/32\"]");
    site.restart_edge(0).await;
    site.ready(0).await;
    assert_eq!(ask_from(&site, (0, &office), chat(), &from).await, FINE);
    let made_up = [("x-forwarded-for", "198.51.100.7, 203.0.113.9")];
    assert_eq!(
        ask_from(&site, (0, &office), chat(), &made_up).await,
        forbidden
    );
    let unreadable = [("x-forwarded-for", "198.51.100.7, somewhere")];
    assert_eq!(
        ask_from(&site, (0, &office), chat(), &unreadable).await,
        forbidden
    );
}

#[tokio::test]
async fn a_key_of_another_gateway_works_as_it_is_and_then_rotates() {
    // `printf %s sk-legacy-4fT9qLmZ2xWv7KbR1nYc8HdJ | sha256sum`.
    const TEXT: &str = "sk-legacy-4fT9qLmZ2xWv7KbR1nYc8HdJ";
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let import = |random_characters| ImportKeyRequest {
        parent: tenant.project.clone(),
        key: Some(Key::default()),
        sha256: sha2::Sha256::digest(TEXT).to_vec(),
        random_characters,
        alphabet_size: 62,
        ..Default::default()
    };
    let weak = site.admin().keys().import_key(import(12)).await;
    let weak = weak.expect_err("a key that can be guessed is refused");
    assert_eq!(weak.code(), tonic::Code::InvalidArgument);
    let key = site.admin().keys().import_key(import(24)).await;
    let key = key.expect("it is taken in").into_inner();
    assert!(key.imported);
    let again = site.admin().keys().import_key(import(24)).await;
    let again = again.expect_err("it stands already");
    assert_eq!(again.code(), tonic::Code::AlreadyExists);
    site.propagated().await;
    assert_eq!(ask(&site, 0, TEXT, "chat").await, FINE);
    let other = "sk-legacy-4fT9qLmZ2xWv7KbR1nYc8HdK";
    assert_eq!(
        ask(&site, 0, other, "chat").await,
        refused(401, "invalid_api_key")
    );
    let request = RotateKeyRequest {
        name: key.name,
        ..Default::default()
    };
    let rotated = site.admin().keys().rotate_key(request).await;
    let ours = rotated.expect("it is rotated").into_inner().text;
    site.propagated().await;
    assert_eq!(ask(&site, 0, &ours, "chat").await, FINE);
    assert_eq!(ask(&site, 0, TEXT, "chat").await, FINE);
}

/// Asks for something that is passed through, by GET.
async fn pass(
    site: &Site,
    edge: usize,
    key: &str,
    target: (&str, &[(&str, &str)]),
) -> (u16, String) {
    let client = Client::connect(&site.url(edge), key).await;
    let mut client = client.expect("it accepts");
    let (path, headers) = target;
    let reply = client.request("GET", path, headers, "").await;
    let reply = reply.expect("the edge answers");
    match reply.status.as_u16() {
        status @ (101 | 200) => (status, String::new()),
        status => (status, reply.error_code().await),
    }
}

const FILES: (&str, &[(&str, &str)]) = ("/passthrough/files/files", &[]);
const SOCKET: (&str, &[(&str, &str)]) = (
    "/v1/realtime?model=chat",
    &[
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ],
);

/// What a key is held to, and what it then gets of a provider's files and of a realtime session on the first edge.
type Case = (Key, (u16, String), (u16, String));

fn cases(tenant: &Tenant) -> Vec<Case> {
    let list = |text: &str| vec![text.to_owned()];
    let endpoint = |word: &str| Key {
        endpoints: list(word),
        ..Key::default()
    };
    let provider = |id: &str| Key {
        providers: vec![format!("{}/providers/{id}", tenant.organization)],
        ..Key::default()
    };
    let range = |range: &str| Key {
        ip_ranges: list(range),
        ..Key::default()
    };
    let pattern = |pattern: &str| Key {
        model_patterns: list(pattern),
        ..Key::default()
    };
    let region = Key {
        regions: list("there"),
        ..Key::default()
    };
    let open = || (101, String::new());
    let not_there = || refused(403, "api_key_endpoint_forbidden");
    let closed = || refused(403, "passthrough_not_allowed");
    let stranger = || refused(403, "api_key_address_forbidden");
    let elsewhere = || refused(403, "api_key_provider_forbidden");
    let unknown = || refused(401, "invalid_api_key");
    vec![
        (endpoint("passthrough"), FINE, not_there()),
        (endpoint("realtime"), not_there(), open()),
        (endpoint("chat_completions"), not_there(), not_there()),
        (provider("files"), FINE, elsewhere()),
        (provider("main"), closed(), open()),
        (range("127.0.0.0/8"), FINE, open()),
        (range("198.51.100.0/24"), stranger(), stranger()),
        (pattern("ch*"), closed(), open()),
        (pattern("gpt-*"), closed(), refused(404, "model_not_found")),
        (region, unknown(), unknown()),
    ]
}

#[tokio::test]
async fn what_passes_through_and_sockets_are_held_to_a_scope() {
    let files = Provider::start(|_| Answer::json(200, "{}")).await;
    let realtime = Realtime::start().await;
    let plan = Plan {
        edges: vec!["here", "there"],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &realtime.base_url()).await;
    tenant.provider("files", &files.base_url()).await;
    let request = UpdateProviderRequest {
        provider: Some(AdminProvider {
            name: format!("{}/providers/files", tenant.organization),
            passthrough: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    let opened = site.admin().providers().update_provider(request).await;
    opened.expect("it is opened");
    let mut asked = Vec::new();
    for (held, file, socket) in cases(&tenant) {
        let words = format!("{held:?}");
        let (_, text) = key(&site, &tenant, held).await;
        asked.push((text, file, socket, words));
    }
    site.propagated().await;
    for (text, file, socket, words) in &asked {
        assert_eq!(pass(&site, 0, text, FILES).await, *file, "{words}");
        assert_eq!(pass(&site, 0, text, SOCKET).await, *socket, "{words}");
    }
    // The last one is of the other region.
    let (there, ..) = asked.last().expect("there are some");
    assert_eq!(pass(&site, 1, there, FILES).await, FINE);
    assert_eq!(pass(&site, 1, there, SOCKET).await, (101, String::new()));
}
