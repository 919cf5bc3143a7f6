//! What a version's rules say is what its provider gets, whoever asks; and rules that do not work never come that far.

use std::time::Instant;

use harness::{
    client::{self, Client},
    provider::{Asked, Provider},
    site::{Plan, Site},
    tenant::{Rules, Tenant},
};
use proto::admin::{LimitUnit, LimitWindow, ListModelVersionsRequest};
use scenarios::{
    dialects::{self, KINDS},
    openai,
};
use serde_json::{Value, json};
use tonic::Code;

const CHAT: &str = "/v1/chat/completions";

/// Every kind of rule. Instructions go where each dialect has them; the rest is said for each dialect.
const EVERY_KIND: &str = r#"[
  {"set":{"path":"temperature","value":0.25},"dialects":["chat","responses","messages"]},
  {"set":{"path":"generationConfig.temperature","value":0.25},"dialects":["gemini"]},
  {"default":{"path":"top_p","value":0.5},"dialects":["chat","responses","messages"]},
  {"default":{"path":"generationConfig.topP","value":0.5},"dialects":["gemini"]},
  {"rename":{"from":"budget","to":"max_tokens"},"dialects":["chat","messages"]},
  {"rename":{"from":"budget","to":"max_output_tokens"},"dialects":["responses"]},
  {"rename":{"from":"budget","to":"generationConfig.maxOutputTokens"},"dialects":["gemini"]},
  {"clamp":{"path":"max_tokens","max":64},"dialects":["chat","messages"]},
  {"clamp":{"path":"max_output_tokens","max":64},"dialects":["responses"]},
  {"clamp":{"path":"generationConfig.maxOutputTokens","max":64},"dialects":["gemini"]},
  {"remove":{"path":"secret"}},
  {"prepend_system":"First words."},
  {"append_system":"Last words."},
  {"jq":".. |= if . == \"Say hello.\" then \"Say hello twice.\" else . end"}
]"#;

/// A path and a body of each API that clients speak, whole and streamed.
fn questions(model: &str) -> Vec<(String, String)> {
    let mut questions = Vec::new();
    for stream in [false, true] {
        let with = |mut body: Value| {
            body["budget"] = json!(4096);
            body["secret"] = json!("leak");
            if stream {
                body["stream"] = json!(true);
            }
            body.to_string()
        };
        let said = json!([{"role": "user", "content": "Say hello."}]);
        let chat = with(json!({"model": model, "messages": said}));
        questions.push((CHAT.to_owned(), chat.clone()));
        questions.push(("/v1/messages".to_owned(), chat));
        let responses = with(json!({"model": model, "input": "Say hello."}));
        questions.push(("/v1/responses".to_owned(), responses));
        let contents = json!([{"role": "user", "parts": [{"text": "Say hello."}]}]);
        let verb = if stream {
            "streamGenerateContent?alt=sse"
        } else {
            "generateContent"
        };
        let body = json!({"contents": contents, "budget": 4096, "secret": "leak"});
        questions.push((format!("/v1beta/models/{model}:{verb}"), body.to_string()));
    }
    questions
}

/// A site with one scripted provider of `OpenAI`'s dialect, `acme` and a key.
async fn town() -> (Site, Provider, Tenant, String) {
    let site = Site::start(Plan::default()).await;
    let provider = Provider::start(openai::answer).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    (site, provider, tenant, key)
}

/// Makes `chat` serve another version, with these rules.
async fn serve(tenant: &Tenant, version: &str, rules: Rules<'_>) {
    let made = tenant.version(("chat", version), ("main", "provider-chat"), rules);
    made.await.expect("the rules work");
    tenant.serve("chat", version).await;
}

fn last(provider: &Provider) -> Asked {
    provider.asked().pop().expect("it was asked")
}

fn body(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).expect("a provider gets JSON")
}

#[tokio::test]
async fn every_kind_of_rule_reaches_providers_of_every_dialect_from_clients_of_every_api() {
    let (site, _own, tenant, key) = town().await;
    let url = site.url(0);
    let mut providers = Vec::new();
    for (name, kind, model) in KINDS {
        let provider = Provider::start(move |asked: &Asked| dialects::answer(kind, asked)).await;
        tenant.provider_of(kind, name, &provider.base_url()).await;
        tenant.model(name, name, model).await;
        let rules = Rules {
            bodies: EVERY_KIND,
            ..Rules::default()
        };
        let made = tenant.version((name, "v2"), (name, model), rules);
        made.await.expect("the rules work");
        tenant.serve(name, "v2").await;
        providers.push(provider);
    }
    site.propagated().await;
    for ((name, ..), provider) in KINDS.iter().zip(&providers) {
        for (path, question) in questions(name) {
            let reply = client::post(&url, &key, &path, question).await;
            assert_eq!(reply.status, 200, "{path} to {name}");
            let text = reply.bytes().await.expect("an answer arrives");
            assert!(text.windows(5).any(|it| it == b"Hello"), "{path} to {name}");
            let sent = body(&last(provider)).to_string();
            let (first, said, end) = (
                sent.find("First words."),
                sent.find("Say hello twice."),
                sent.find("Last words."),
            );
            assert!(
                said.is_some() && first.is_some(),
                "{path} to {name}: {sent}"
            );
            assert!(first < end, "{path} to {name}: {sent}");
            for wanted in ["0.25", "0.5", ":64"] {
                assert!(sent.contains(wanted), "{path} to {name}, {wanted}: {sent}");
            }
            for gone in ["4096", "leak", "budget", "\"Say hello.\""] {
                assert!(!sent.contains(gone), "{path} to {name}, {gone}: {sent}");
            }
        }
    }
}

#[tokio::test]
async fn what_no_rule_touches_keeps_its_bytes_and_a_model_without_rules_all_of_them() {
    let (site, provider, tenant, key) = town().await;
    tenant.model("plain", "main", "plain").await;
    let rules = Rules {
        bodies: r#"[{"set":{"path":"temperature","value":0.2}},{"append_system":"Be brief."}]"#,
        headers: r#"[{"set":{"name":"X-Team","value":"blue"}},{"copy":"x-trace"},{"remove":"accept"}]"#,
        ..Rules::default()
    };
    serve(&tenant, "v2", rules).await;
    site.propagated().await;
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("x-trace", "t-1"),
        ("x-other", "o"),
        ("x-api-key", "another-key"),
        ("cookie", "c=1"),
    ];
    let mut client = Client::connect(&site.url(0), &key)
        .await
        .expect("it listens");
    let said = r#"{"model" : "MODEL","messages":[{"role":"system" ,"content":"Hi."}], "n":1.0}"#;
    for (model, becomes, team, trace) in [
        (
            "chat",
            r#"{"model" : "provider-chat","messages":[{"role":"system" ,"content":"Hi.\u000a\u000aBe brief."}], "n":1.0,"temperature":0.2}"#,
            Some("blue"),
            Some("t-1"),
        ),
        ("plain", &said.replace("MODEL", "plain"), None, None),
    ] {
        let question = said.replace("MODEL", model);
        let reply = client.request("POST", CHAT, &headers, question).await;
        let reply = reply.expect("it answers");
        assert_eq!(reply.status, 200);
        let _ = reply.bytes().await;
        let asked = last(&provider);
        let sent = String::from_utf8_lossy(&asked.body).replace("\\n", "\\u000a");
        assert_eq!(sent, becomes);
        let header = |name: &str| asked.headers.get(name).map(|it| it.to_str().unwrap_or("?"));
        assert_eq!((header("x-team"), header("x-trace")), (team, trace));
        assert_eq!(header("accept").is_some(), team.is_none());
        for never in ["x-other", "x-api-key", "cookie"] {
            assert_eq!(header(never), None, "{never}");
        }
        let bearer = format!("Bearer {}", harness::tenant::CREDENTIAL);
        assert_eq!(header("authorization"), Some(bearer.as_str()));
    }
}

#[tokio::test]
async fn rules_that_do_not_work_are_refused_before_there_is_a_version() {
    let (_site, _provider, tenant, _) = town().await;
    let target = ("main", "provider-chat");
    let long = format!(r#"[{{"append_system":"{}"}}]"#, "a".repeat(60_000));
    let three = format!("[{0},{0},{0}]", &long[1..long.len() - 1]);
    for (bodies, headers, samples, says) in [
        (
            r#"[{"remove":{"path":"a..b"}}]"#,
            "[]",
            &[][..],
            "model_version.transform_rules[0]: the path `a..b` has an empty name",
        ),
        (
            r#"[{"set":{"path":"model","value":"m"}}]"#,
            "[]",
            &[],
            "transform_rules[0]: the model is told by the targets",
        ),
        (
            "[]",
            r#"[{"copy":"Authorization"}]"#,
            &[],
            "model_version.header_rules[0]: authorization is the gateway's own",
        ),
        (
            r#"[{"jq":".a | env"}]"#,
            "[]",
            &[],
            "transform_rules[0]: line 1, column 6: there is no `env`",
        ),
        (
            r#"[{"jq":"last(repeat(.))"}]"#,
            "[]",
            &[("{}", "")],
            "model_version.samples[0]: transform_rules[0]: the program took too many steps",
        ),
        (
            r#"[{"set":{"path":"n","value":1}}]"#,
            "[]",
            &[("{}", ""), (r#"{"n":2}"#, r#"{"n":2}"#)],
            "model_version.samples[1]: becomes {\"n\":1}",
        ),
        (&three, "[]", &[], "more than 131072 bytes together"),
    ] {
        let rules = Rules {
            bodies,
            headers,
            samples,
            only_tried: false,
        };
        let why = tenant.version(("chat", "v2"), target, rules).await;
        let why = why.expect_err("the rules do not work");
        assert_eq!(why.code(), Code::InvalidArgument);
        let told = format!("{why:?}{}", String::from_utf8_lossy(why.details()));
        let (field, rest) = says.split_once(": ").unwrap_or((says, says));
        for part in [field, rest] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}

#[tokio::test]
async fn a_dry_run_shows_what_samples_become_and_makes_nothing() {
    let (site, _provider, tenant, _) = town().await;
    let target = ("main", "provider-chat");
    let rules = Rules {
        bodies: r#"[{"set":{"path":"n","value":1}}]"#,
        samples: &[(r#"{ "a": 1 }"#, r#"{"a":1,"n":1}"#)],
        only_tried: true,
        ..Rules::default()
    };
    let tried = tenant.version(("chat", "v2"), target, rules).await;
    let tried = tried.expect("the rules work");
    assert_eq!(tried.samples[0].becomes, r#"{ "a": 1,"n":1 }"#);
    let request = ListModelVersionsRequest {
        parent: format!("{}/models/chat", tenant.organization),
        ..Default::default()
    };
    let listed = site.admin().versions().list_model_versions(request).await;
    let listed = listed.expect("they are listed").into_inner();
    assert_eq!(listed.model_versions.len(), 1, "nothing was made");
}

#[tokio::test]
async fn limits_and_streams_are_judged_by_what_the_rules_made() {
    let (site, provider, tenant, key) = town().await;
    let rules = Rules {
        bodies: r#"[{"clamp":{"path":"max_tokens","max":16}},{"set":{"path":"stream","value":true}}]"#,
        ..Rules::default()
    };
    serve(&tenant, "v2", rules).await;
    let rate = (100_000, LimitWindow::Minute, 10_000);
    tenant
        .limit("tpm", &tenant.project, LimitUnit::Tokens, rate)
        .await;
    site.propagated().await;
    let question =
        r#"{"model":"chat","max_tokens":9000,"messages":[{"role":"user","content":"hi"}]}"#;
    let reply = client::post(&site.url(0), &key, CHAT, question).await;
    let type_of = reply.headers["content-type"].to_str().unwrap_or_default();
    assert!(type_of.starts_with("text/event-stream"), "{type_of}");
    let left = reply.headers["x-ratelimit-remaining-tokens"].to_str();
    let left: u64 = left.unwrap_or_default().parse().expect("a number");
    assert!(left > 9_900, "{left}: 9,000 were reserved, and not 16");
    let text = reply.bytes().await.expect("an answer arrives");
    assert!(text.ends_with(b"[DONE]\n\n"));
    let sent = body(&last(&provider));
    assert_eq!(sent["max_tokens"], 16);
    // Nobody asked for usage, so the gateway did: what is sent is a stream.
    assert_eq!(sent["stream_options"]["include_usage"], true);
}

#[tokio::test]
async fn who_is_at_fault_is_told_in_each_dialect() {
    let (site, provider, tenant, key) = town().await;
    let program = r#"[{"clamp":{"path":"t.n","max":1}},{"jq":"if .user == \"no\" then error(.user) else . end"}]"#;
    let rules = Rules {
        bodies: program,
        ..Rules::default()
    };
    serve(&tenant, "v2", rules).await;
    site.propagated().await;
    let url = site.url(0);
    for (path, message) in [
        (CHAT, "/error/message"),
        ("/v1/responses", "/error/message"),
        ("/v1/messages", "/error/message"),
        ("/v1beta/models/chat:generateContent", "/error/message"),
    ] {
        for (question, status, code, says) in [
            (
                r#"{"model":"chat","t":{"n":"x"}}"#,
                400,
                "invalid_body",
                "T.n must be a number.",
            ),
            (
                r#"{"model":"chat","user":"no"}"#,
                500,
                "transform_failed",
                "The rules of this model's version failed; whoever runs the gateway finds the reason in its log.",
            ),
        ] {
            let reply = client::post(&url, &key, path, question).await;
            assert_eq!(reply.status, status, "{path}");
            assert_eq!(reply.headers["x-sluice-code"], code, "{path}");
            let retry = reply.headers.get("x-should-retry");
            assert_eq!(retry.is_some_and(|it| it == "false"), status == 500);
            let error = reply.json().await;
            assert_eq!(
                error.pointer(message),
                Some(&json!(says)),
                "{path}: {error}"
            );
        }
    }
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_program_that_loops_ends_and_keeps_nobody_else_waiting() {
    let (site, _provider, tenant, key) = town().await;
    tenant.model("plain", "main", "plain").await;
    let rules = Rules {
        bodies: r#"[{"jq":"if .user == \"loop\" then last(repeat(.)) else . end"}]"#,
        samples: &[(r#"{"user":"nobody"}"#, "")],
        ..Rules::default()
    };
    serve(&tenant, "v2", rules).await;
    site.propagated().await;
    let url = site.url(0);
    let looping = async {
        let question = r#"{"model":"chat","user":"loop"}"#;
        let reply = client::post(&url, &key, CHAT, question).await;
        assert_eq!(reply.headers["x-sluice-code"], "transform_failed");
        Instant::now()
    };
    let others = async {
        for _ in 0..3 {
            let reply = client::post(&url, &key, CHAT, openai::whole("plain")).await;
            assert_eq!(reply.status, 200);
        }
        Instant::now()
    };
    // The edge has one core, which serves both.
    let (looped, served) = tokio::join!(looping, others);
    assert!(served < looped, "others waited for a program");
}
