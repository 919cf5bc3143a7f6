//! A provider that speaks no API of anybody's answers whoever asks, because programs say how.
//!
//! What an operator does here stands in `docs/custom-models.md`, and is read from there.

use std::{path::Path, process::Command};

use harness::{
    admin::Admin,
    binaries, client,
    provider::{Answer, Asked, Provider},
    site::{Plan, Site},
    tenant::{CREDENTIAL, Tenant},
    wait,
};
use proto::admin::{
    CreateProviderRequest, CustomHeader, CustomMapping, Provider as Wanted, ProviderKind,
    QueryUsageRequest, UpdateProviderRequest, UsageDimension, UsageRow,
};
use scenarios::{
    dialects::{CALLS, TEXT, TOKENS},
    sdk,
};
use serde_json::{Value, json};
use tonic::Status;

use crate::dialects::{SDKS, assert_seen};

const DOCUMENT: &str = include_str!("../../../../docs/custom-models.md");

/// The service of the document.
fn house(asked: &Asked) -> Answer {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let last = body["turns"].as_array().and_then(|it| it.last());
    let last = last.map_or("", |it| it["text"].as_str().unwrap_or_default());
    if last == "Please fail." {
        let fault = json!({"fault": {"kind": "busy", "text": "Slow down."}});
        return Answer::json(429, fault.to_string());
    }
    let arguments = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let uses: Vec<Value> = match body["functions"].as_array() {
        Some(functions) if !functions.is_empty() => CALLS
            .map(|text| json!({"function": functions[0]["name"], "with": arguments(text)}))
            .to_vec(),
        _ => Vec::new(),
    };
    let say = if uses.is_empty() { TEXT } else { "" };
    let meter = json!({"in": TOKENS[0], "out": TOKENS[1]});
    Answer::json(
        200,
        json!({"say": say, "use": uses, "meter": meter}).to_string(),
    )
}

/// Writes the files of the document to a folder, and gives its commands.
fn unpack(folder: &Path) -> Vec<&'static str> {
    let (_, example) = DOCUMENT.split_once("## An example").expect("there is one");
    let mut blocks = example.split("```");
    let mut before = blocks.next().unwrap_or_default();
    let mut commands = Vec::new();
    while let (Some(block), Some(after)) = (blocks.next(), blocks.next()) {
        let (kind, text) = block.split_once('\n').expect("a block has a kind");
        if kind == "sh" {
            commands.extend(text.lines());
        } else {
            let name = before.trim().rsplit('\n').next().unwrap_or_default();
            std::fs::write(folder.join(name.trim_matches('`')), text).expect("a file is written");
        }
        before = after;
    }
    commands
}

fn run(site: &Site, folder: &Path, line: &str) {
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("sluice"), "{line}");
    let output = Command::new(binaries::path("sluice"))
        .args(words)
        .current_dir(folder)
        .env(
            "SLUICE_ADDRESS",
            format!("http://{}", site.control_planes[0].admin),
        )
        .env("SLUICE_OPERATOR_KEY", site.operator_key())
        .env("SLUICE_ORGANIZATION", "acme")
        .env("HOUSE_KEY", CREDENTIAL)
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
}

async fn usage(admin: &Admin, organization: &str, model: &str, requests: i64) -> UsageRow {
    let request = QueryUsageRequest {
        parent: organization.to_owned(),
        group_by: vec![UsageDimension::Model.into()],
        ..Default::default()
    };
    let arrived = || async {
        let reply = admin.usage().query_usage(request.clone()).await;
        let rows = reply.expect("the control plane answers").into_inner().rows;
        rows.into_iter()
            .find(|row| row.model.ends_with(model) && row.requests == requests)
    };
    wait::until("all usage arrived", arrived).await.0
}

#[tokio::test]
async fn the_worked_example_is_a_chat_model_for_every_sdk_whole_and_streamed() {
    let site = Site::start(Plan::default()).await;
    let provider = Provider::start(house).await;
    let own = provider.base_url();
    let tenant = Tenant::make(&site.admin(), "acme", &own).await;
    let folder = tempfile::tempdir().expect("a folder");
    for line in unpack(folder.path()) {
        let line = line.replace("https://models.example.com", own.trim_end_matches("/v1"));
        run(&site, folder.path(), &line);
    }
    let (_, key) = tenant.key().await;
    site.propagated().await;
    for (node, sdk) in SDKS {
        let seen = sdk::converse(node, sdk, &site.url(0), &key, &["house-chat"]).await;
        assert_seen(sdk, "house-chat", &seen["house-chat"]);
    }
    for asked in provider.asked() {
        assert_eq!(asked.path, "/v1/models/small/say");
        assert_eq!(asked.headers["x-house-key"], CREDENTIAL);
        assert_eq!(asked.headers["x-house-version"], "3");
        assert!(!asked.headers.contains_key("authorization"));
        let body: Value = serde_json::from_slice(&asked.body).expect("JSON");
        assert!(body["turns"][0]["text"].is_string(), "{body}");
    }
    let conversations = i64::try_from(SDKS.len()).expect("a few");
    let row = usage(
        &site.admin(),
        &tenant.organization,
        "house-chat",
        6 * conversations,
    )
    .await;
    let [input, output] = TOKENS.map(|it| 4 * conversations * i64::try_from(it).expect("a few"));
    assert_eq!(
        (row.input_tokens, row.output_tokens),
        (input, output),
        "{row:?}"
    );
}

fn wanted(base_url: &str, custom: CustomMapping) -> Wanted {
    Wanted {
        kind: ProviderKind::Custom.into(),
        base_url: base_url.to_owned(),
        credential: CREDENTIAL.to_owned(),
        custom: Some(custom),
        ..Default::default()
    }
}

async fn create(
    tenant: &Tenant,
    admin: &Admin,
    id: &str,
    wanted: Wanted,
) -> Result<Wanted, Status> {
    let request = CreateProviderRequest {
        parent: tenant.organization.clone(),
        provider_id: id.to_owned(),
        provider: Some(wanted),
        ..Default::default()
    };
    let made = admin.providers().create_provider(request).await;
    made.map(tonic::Response::into_inner)
}

fn sums() -> CustomMapping {
    CustomMapping {
        path: "/{model}?v=1".to_owned(),
        request_program: "if type == \"array\" then {numbers: .} else error(\"numbers\") end"
            .to_owned(),
        response_program: ".sum".to_owned(),
        usage_program: "{input_tokens: .n}".to_owned(),
        error_program: "{message: .why}".to_owned(),
        ..Default::default()
    }
}

fn adder(asked: &Asked) -> Answer {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let numbers: Vec<i64> = serde_json::from_value(body["numbers"].clone()).unwrap_or_default();
    match numbers.len() {
        0 => Answer::json(422, r#"{"why":"nothing to add"}"#),
        1 => Answer::json(200, "not JSON"),
        n => Answer::json(
            200,
            json!({"sum": numbers.iter().sum::<i64>(), "n": n}).to_string(),
        ),
    }
}

#[tokio::test]
async fn any_json_is_invoked_and_every_failure_has_its_code() {
    let site = Site::start(Plan::default()).await;
    let provider = Provider::start(adder).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let wanted = wanted(&provider.base_url(), sums());
    create(&tenant, &site.admin(), "adder", wanted)
        .await
        .expect("it is made");
    tenant.model("sums", "adder", "a b").await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let url = site.url(0);
    let invoke = |body: &'static str| client::post(&url, &key, "/models/sums:invoke", body);
    let reply = invoke("[1, 2, 3]").await;
    assert_eq!((reply.status.as_u16(), reply.json().await), (200, json!(6)));
    let asked = provider.asked().remove(0);
    assert_eq!(asked.path, "/v1/a%20b");
    assert_eq!(
        asked.headers["authorization"],
        format!("Bearer {CREDENTIAL}")
    );
    for (body, status, code, message) in [
        ("[]", 422, "", "nothing to add"),
        ("{}", 400, "request_unmappable", ""),
        ("[1]", 502, "mapping_failed", ""),
        ("[", 400, "invalid_body", ""),
    ] {
        let reply = invoke(body).await;
        assert_eq!(reply.status, status, "{body}");
        let said = reply
            .headers
            .get("x-sluice-code")
            .map_or("", |it| it.to_str().unwrap_or("?"));
        assert_eq!(said, code, "{body}");
        let error = reply.json().await["error"].clone();
        assert!(error["code"].is_string(), "{error}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|it| it.contains(message)),
            "{error}"
        );
    }
    for (path, code) in [
        ("/v1/chat/completions", "unsupported_endpoint"),
        ("/v1/embeddings", "unsupported_endpoint"),
    ] {
        let body = r#"{"model":"sums","messages":[{"role":"user","content":"hi"}],"input":"a"}"#;
        let reply = client::post(&url, &key, path, body).await;
        assert_eq!(reply.headers["x-sluice-code"], code, "{path}");
    }
    // The one that was answered, by the provider's count; the one it refused, and the one whose answer was none, by ours.
    let row = usage(&site.admin(), &tenant.organization, "sums", 3).await;
    assert!(row.input_tokens > 3, "{row:?}");
    assert_eq!(row.estimated_requests, 2, "{row:?}");
}

#[tokio::test]
async fn a_program_that_cannot_be_is_refused_with_the_reason_and_a_better_one_takes_its_place() {
    let site = Site::start(Plan::default()).await;
    let provider = Provider::start(adder).await;
    let admin = site.admin();
    let tenant = Tenant::make(&admin, "acme", &provider.base_url()).await;
    let refused = async |change: fn(&mut CustomMapping)| {
        let mut custom = sums();
        change(&mut custom);
        let wanted = wanted(&provider.base_url(), custom);
        let refused = create(&tenant, &admin, "adder", wanted).await;
        refused.expect_err("it is refused").message().to_owned()
    };
    let said = refused(|it| it.response_program = "{a: .b".to_owned()).await;
    assert!(
        said.contains("provider.custom.response_program: line 1, column 7"),
        "{said}"
    );
    let said = refused(|it| it.sample_request = "{}".to_owned()).await;
    assert!(
        said.contains("on its sample: the program raised an error: numbers"),
        "{said}"
    );
    let said = refused(|it| it.request_program = "repeat(.) | env".to_owned()).await;
    assert!(said.contains("there is no `env`"), "{said}");
    let said = refused(|it| {
        it.headers = vec![CustomHeader {
            name: "Authorization".to_owned(),
            value: "x".to_owned(),
        }];
    })
    .await;
    assert!(said.contains("provider.custom.headers[0].name"), "{said}");
    let mut other = wanted(&provider.base_url(), sums());
    other.kind = ProviderKind::Vllm.into();
    let said = create(&tenant, &admin, "adder", other)
        .await
        .expect_err("it is refused");
    assert!(
        said.message().contains("provider.custom: is only for"),
        "{said}"
    );

    let wanted = wanted(&provider.base_url(), sums());
    let made = create(&tenant, &admin, "adder", wanted)
        .await
        .expect("it is made");
    assert_eq!(
        made.custom.as_ref().map(|it| it.method.as_str()),
        Some("POST")
    );
    tenant.model("sums", "adder", "m").await;
    let (_, key) = tenant.key().await;
    let update = UpdateProviderRequest {
        provider: Some(Wanted {
            name: made.name,
            custom: Some(CustomMapping {
                response_program: "{total: .sum}".to_owned(),
                ..sums()
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    admin
        .providers()
        .update_provider(update)
        .await
        .expect("it is changed");
    site.propagated().await;
    let reply = client::post(&site.url(0), &key, "/models/sums:invoke", "[1,2]").await;
    assert_eq!(reply.json().await, json!({"total": 3}));
}
