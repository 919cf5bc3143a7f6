//! A tenant whose model is released, and the traffic that meets the release.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use harness::{
    admin::Admin,
    client::Client,
    provider::{Answer, Asked, Provider, Step},
    site::{Plan, Site},
    tenant::{Rules, Tenant},
    wait,
};
use proto::admin::{
    CreateOperatorKeyRequest, GetModelRequest, GetRolloutRequest, ListAuditEntriesRequest,
    OperatorKey, RoleBinding, Rollout, RolloutGate, RolloutMetric, RolloutStep,
    StartRolloutRequest,
};
use scenarios::openai;
use serde_json::{Value, json};
use tonic::Code;

const CHAT: &str = "/v1/chat/completions";
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Answers as OpenAI does, but fails what is asked of `broken`, cuts short what is asked of `terse`, and calls a tool with half an
/// object where `clumsy` is asked.
fn half_broken(asked: &Asked) -> Answer {
    let question: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    if question["model"] == "broken" {
        return Answer::json(500, r#"{"error":{"message":"out of order"}}"#);
    }
    if question["model"] == "clumsy" {
        return half_a_call(question["stream"] == json!(true));
    }
    let mut answer = openai::answer(asked);
    if question["model"] == "terse" {
        for step in &mut answer.steps {
            if let Step::Send(bytes) = step {
                let text = String::from_utf8_lossy(bytes);
                let cut = r#""finish_reason":"length""#;
                *bytes = text.replace(r#""finish_reason":"stop""#, cut).into();
            }
        }
    }
    answer
}

fn half_a_call(streamed: bool) -> Answer {
    let call = |arguments: &str| {
        let function = json!({"name": "weather", "arguments": arguments});
        json!([{"index": 0, "id": "call_1", "type": "function", "function": function}])
    };
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13});
    if !streamed {
        let message =
            json!({"role": "assistant", "content": null, "tool_calls": call(r#"{"city":"Bo"#)});
        let choice = json!([{"index": 0, "message": message, "finish_reason": "tool_calls"}]);
        let whole = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choice, "usage": usage});
        return Answer::json(200, whole.to_string());
    }
    let event = |delta: Value, finish: Value, usage: &Value| {
        let choice = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        let event = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choice, "usage": usage});
        Step::Send(format!("data: {event}\n\n").into())
    };
    let piece = |text| event(json!({"tool_calls": call(text)}), Value::Null, &Value::Null);
    Answer::events(vec![
        piece(r#"{"city""#),
        piece(r#":"Bo"#),
        event(json!({}), json!("tool_calls"), &usage),
        Step::Send("data: [DONE]\n\n".into()),
    ])
}

/// A step of this share in percent that needs so many requests of the candidate.
pub(crate) fn step(percent: i32, sample_min: i64) -> RolloutStep {
    RolloutStep {
        basis_points: percent * 100,
        sample_min,
        ..Default::default()
    }
}

/// A gate on errors that is cleared by a few requests.
pub(crate) fn errors() -> RolloutGate {
    RolloutGate {
        metric: RolloutMetric::ErrorRate.into(),
        margin_basis_points: 4_000,
        ..Default::default()
    }
}

/// A tenant whose model `chat` has a version `v2` that is `known` so at the provider.
pub(crate) struct Town {
    pub(crate) site: Site,
    pub(crate) tenant: Tenant,
    pub(crate) key: String,
    pub(crate) provider: Provider,
}

impl Town {
    pub(crate) async fn build(edges: Vec<&'static str>, known: &str) -> Self {
        Self::build_with(1, edges, known).await
    }

    pub(crate) async fn build_with(
        control_planes: usize,
        edges: Vec<&'static str>,
        known: &str,
    ) -> Self {
        let provider = Provider::start(half_broken).await;
        let site = Site::start(Plan {
            control_planes,
            edges,
            ..Plan::default()
        })
        .await;
        let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        let made = tenant.version(("chat", "v2"), ("main", known), Rules::default());
        made.await.expect("a version is made");
        let (_, key) = tenant.key().await;
        site.propagated().await;
        Self {
            site,
            tenant,
            key,
            provider,
        }
    }

    /// An operator who publishes models.
    pub(crate) async fn publisher(&self) -> Admin {
        let request = CreateOperatorKeyRequest {
            parent: self.tenant.organization.clone(),
            operator_key: Some(OperatorKey {
                bindings: vec![RoleBinding {
                    role: "model-publisher".to_owned(),
                    scope: self.tenant.organization.clone(),
                }],
                ..Default::default()
            }),
            ..Default::default()
        };
        let root = self.site.admin();
        let made = root.operator_keys().create_operator_key(request).await;
        let text = made.expect("an operator is made").into_inner().text;
        Admin::new(self.site.control_planes[0].admin, &text)
    }

    pub(crate) fn model(&self) -> String {
        format!("{}/models/chat", self.tenant.organization)
    }

    pub(crate) async fn start(&self, rollout: Rollout) -> Result<Rollout, Code> {
        let request = StartRolloutRequest {
            parent: self.model(),
            rollout: Some(Rollout {
                candidate_version: format!("{}/versions/v2", self.model()),
                ..rollout
            }),
            ..Default::default()
        };
        let started = self.site.admin().rollouts().start_rollout(request).await;
        let started = started.map_err(|why| why.code())?.into_inner();
        self.site.propagated().await;
        Ok(started)
    }

    pub(crate) async fn rollout(&self, name: &str) -> Option<Rollout> {
        let request = GetRolloutRequest {
            name: name.to_owned(),
        };
        let got = self.site.admin().rollouts().get_rollout(request).await;
        Some(got.ok()?.into_inner())
    }

    pub(crate) async fn stable(&self) -> String {
        let request = GetModelRequest { name: self.model() };
        let model = self.site.admin().models().get_model(request).await;
        let model = model.expect("the model is there").into_inner();
        model
            .stable_version
            .rsplit('/')
            .next()
            .unwrap_or("")
            .to_owned()
    }

    /// The methods of the audit trail that moved rollouts, in order, with the step at which each left it.
    pub(crate) async fn trail(&self) -> Vec<(String, i64)> {
        let request = ListAuditEntriesRequest {
            parent: self.tenant.organization.clone(),
            page_size: 1_000,
            ..Default::default()
        };
        let listed = self.site.admin().audit().list_audit_entries(request).await;
        let listed = listed.expect("the trail is told").into_inner();
        let entries = listed.audit_entries.into_iter();
        let entries = entries.map(|it| {
            let entry: Value = serde_json::from_str(&it.entry).expect("an entry is JSON");
            let step = entry["after"]["step"].as_i64().unwrap_or(0);
            (entry["method"].as_str().unwrap_or("").to_owned(), step)
        });
        entries.filter(|it| it.0.ends_with("Rollout")).collect()
    }
}

/// The version that serves a user, asked once.
pub(crate) async fn version(client: &mut Client, user: &str) -> Option<(u16, String)> {
    let headers = [
        ("content-type", "application/json"),
        ("x-sluice-end-user", user),
    ];
    // Half of them are streams.
    let body = if user.ends_with(['0', '2', '4', '6', '8']) {
        openai::streamed("chat")
    } else {
        openai::whole("chat")
    };
    let reply = client.request("POST", CHAT, &headers, body).await.ok()?;
    let status = reply.status.as_u16();
    let label = reply.headers.get("x-sluice-model")?.to_str().ok()?;
    let version = label.rsplit('@').next()?.to_owned();
    let _ = reply.bytes().await;
    Some((status, version))
}

/// Users asking one after the other until told to stop: what each got, in order.
pub(crate) fn traffic(
    url: String,
    key: String,
    users: u32,
    stop: Arc<AtomicBool>,
) -> tokio::task::JoinHandle<HashMap<u32, Vec<(u16, String)>>> {
    tokio::spawn(async move {
        let mut got: HashMap<u32, Vec<_>> = HashMap::new();
        let mut client = Client::connect(&url, &key).await.expect("the edge accepts");
        for user in (0..users).cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let answer = version(&mut client, &format!("user-{user}")).await;
            got.entry(user)
                .or_default()
                .push(answer.expect("an edge always answers"));
        }
        got
    })
}

/// Drives traffic of so many users until the rollout has ended.
pub(crate) async fn drive(
    town: &Town,
    name: &str,
    users: u32,
) -> (Rollout, HashMap<u32, Vec<(u16, String)>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let task = traffic(town.site.url(0), town.key.clone(), users, Arc::clone(&stop));
    let ended = wait::until_within(PATIENCE, "the rollout has ended", async || {
        town.rollout(name).await.filter(|it| it.end_time.is_some())
    });
    let (ended, _) = ended.await;
    stop.store(true, Ordering::Relaxed);
    (ended, task.await.expect("traffic never fails"))
}

/// Nobody who met the candidate meets the stable version again.
pub(crate) fn nobody_went_back(got: &HashMap<u32, Vec<(u16, String)>>) {
    for (user, answers) in got {
        let versions: Vec<&str> = answers.iter().map(|it| it.1.as_str()).collect();
        assert!(versions.is_sorted(), "user {user}: {versions:?}");
    }
}
