//! A model follows an inference service of KServe: each ready revision becomes a version, which is asked at the service's endpoint.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use harness::{
    admin::Admin,
    authority::Authority,
    client::Client,
    front::Front,
    provider::{Answer, Asked, Provider},
    site::Site,
};
use proto::admin::{
    CreateOperatorKeyRequest, CreateProviderRequest, CreateVersionSourceRequest, KserveService,
    OperatorKey, Provider as Wanted, ProviderKind, RoleBinding, SourceStatus, VersionSource,
};
use scenarios::openai;
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    command_line::Shell,
    sources::{known, site, versions},
};

const TOKEN: &str = "the-token-of-a-service-account";
const SERVICE: &str =
    "/apis/serving.kserve.io/v1beta1/namespaces/kserve-test/inferenceservices/llama";

/// What the service is: the address that it has, and the revision that is ready.
#[derive(Debug, Clone)]
struct State {
    url: String,
    revision: Option<&'static str>,
}

/// As KServe's documentation shows one.
fn object(state: &State) -> Value {
    let mut predictor = json!({
        "address": { "url": "http://llama-predictor.kserve-test.svc.cluster.local" },
        "latestCreatedRevision": "llama-predictor-00009",
        "url": "http://llama-predictor.kserve-test.example.com",
    });
    if let Some(revision) = state.revision {
        predictor["latestReadyRevision"] = json!(revision);
        predictor["latestRolledoutRevision"] = json!(revision);
        predictor["traffic"] =
            json!([{ "latestRevision": true, "percent": 100, "revisionName": revision }]);
    }
    json!({
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "llama",
            "namespace": "kserve-test",
            "uid": "0f27e2a1-cd39-460e-8efd-8b5aa8b0a7b3",
            "labels": { "served-as": "llama3" },
        },
        "spec": { "predictor": { "model": { "modelFormat": { "name": "huggingface" } } } },
        "status": {
            "address": { "url": "http://llama.kserve-test.svc.cluster.local" },
            "components": { "predictor": predictor },
            "conditions": [{ "type": "Ready", "status": "True" }],
            "url": state.url,
        },
    })
}

fn kubernetes(asked: &Asked, state: &Mutex<State>) -> Answer {
    let presented = asked.headers.get("authorization");
    let presented = presented.and_then(|it| it.to_str().ok());
    if presented != Some(format!("Bearer {TOKEN}").as_str()) {
        return Answer::json(401, r#"{"kind":"Status","code":401}"#);
    }
    if asked.path != SERVICE {
        return Answer::json(404, r#"{"kind":"Status","code":404}"#);
    }
    let state = state.lock().expect("nobody panicked with it");
    Answer::json(200, object(&state).to_string())
}

/// A model server of KServe's: it has OpenAI's API below a path of its own.
fn served(asked: &Asked) -> Answer {
    let mut below = asked.clone();
    below.path = asked.path.replacen("/openai/v1/", "/v1/", 1);
    openai::answer(&below)
}

/// The address of a scripted server.
fn address(of: &Provider) -> SocketAddr {
    let url = of.base_url();
    let authority = url.trim_start_matches("http://").trim_end_matches("/v1");
    authority.parse().expect("it is an address")
}

async fn make_provider(site: &Site, base_url: &str) {
    let request = CreateProviderRequest {
        parent: "organizations/acme".to_owned(),
        provider_id: "llama".to_owned(),
        provider: Some(Wanted {
            kind: ProviderKind::Vllm.into(),
            base_url: base_url.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site.admin().providers().create_provider(request).await;
    made.expect("a provider is made");
}

/// A cluster whose API is met over TLS, and the model server that its service runs.
struct Cluster {
    state: Arc<Mutex<State>>,
    serving: Provider,
    front: Front,
    token_file: String,
    ca_file: String,
    _api: Provider,
}

impl Cluster {
    async fn build(site: &Site) -> Self {
        let serving = Provider::start(served).await;
        let url = format!("http://{}", address(&serving));
        let revision = None;
        let state = Arc::new(Mutex::new(State { url, revision }));
        let seen = Arc::clone(&state);
        let api = Provider::start(move |asked: &Asked| kubernetes(asked, &seen)).await;
        let authority = Authority::new("the cluster's authority");
        let pair = authority.issue(site.folder(), "kubernetes", &["127.0.0.1"]);
        let files = [("token", TOKEN.to_owned()), ("ca.pem", authority.pem())];
        let [token_file, ca_file] = files.map(|(name, text)| {
            let path = site.folder().join(name);
            fs::write(&path, text).expect("a file can be written");
            path.display().to_string()
        });
        Self {
            state,
            serving,
            front: Front::start(&pair, address(&api)).await,
            token_file,
            ca_file,
            _api: api,
        }
    }

    /// Where the service answers.
    fn url(&self) -> String {
        format!("http://{}", address(&self.serving))
    }

    fn set(&self, revision: &'static str, url: &str) {
        let mut state = self.state.lock().expect("nobody panicked with it");
        *state = State {
            url: url.to_owned(),
            revision: Some(revision),
        };
    }

    /// The command that makes a source which follows the service.
    fn follow(&self, id: &str, more: &str) -> String {
        format!(
            "sources create {id} --kind kserve --url {} --namespace kserve-test --inference-service llama \
             --every 1s --model chat --target llama={{tag.served-as}} {more}",
            self.front.url()
        )
    }
}

fn because(text: &'static str) -> impl Fn(&SourceStatus) -> bool {
    move |it| it.problem.contains(text)
}

#[tokio::test]
async fn each_ready_revision_becomes_a_version_at_the_services_endpoint() {
    let (site, _main) = site(1, vec!["here"]).await;
    let cluster = Cluster::build(&site).await;
    let url = cluster.url();
    make_provider(&site, &format!("{url}/openai/v1")).await;
    let shell = Shell::new(&site);
    let (token, ca) = (&cluster.token_file, &cluster.ca_file);
    let line = cluster.follow(
        "llama",
        &format!("--credential-file {token} --ca-file {ca}"),
    );
    let shown = shell.done(&line);
    assert!(!shown.contains(TOKEN), "{shown}");
    // Without the authority nobody is believed, and without the token nothing is told.
    shell.done(&cluster.follow("stranger", &format!("--credential-file {token}")));
    shell.done(&cluster.follow("nobody", &format!("--ca-file {ca}")));
    known(
        &site,
        "stranger",
        "it believes nobody",
        because("certificate"),
    )
    .await;
    known(&site, "nobody", "it is refused", because("(401)")).await;
    known(
        &site,
        "llama",
        "nothing is ready",
        because("no ready revision"),
    )
    .await;

    for revision in ["llama-predictor-00001", "llama-predictor-00002"] {
        cluster.set(revision, &url);
        let at = |it: &SourceStatus| it.registry_version == revision && it.problem.is_empty();
        let status = known(&site, "llama", "a version is made", at).await;
        assert!(
            status
                .model_version
                .ends_with(&format!("/llama-{revision}"))
        );
    }
    // An address that is not the provider's is not where requests go.
    cluster.set("llama-predictor-00003", "http://elsewhere.example.com");
    let elsewhere = because("set the provider's base URL");
    known(&site, "llama", "it says where that is", elsewhere).await;
    let all = versions(&site).await;
    let names: Vec<&str> = all.iter().map(|it| it.0.as_str()).collect();
    let [first, second] = ["llama-llama-predictor-00001", "llama-llama-predictor-00002"];
    assert_eq!(names, [first, second, "v1"]);
    let provenance = &all[1].1.provenance;
    assert_eq!(provenance["endpoint"], url);
    assert_eq!(provenance["registered_model"], "kserve-test/llama");
    assert!(!provenance.contains_key("run_id"));

    shell.done(&format!("models update chat --stable {second} --wait"));
    let key = shell.done("keys create --project web --text-only --wait");
    let mut client = Client::connect(&site.url(0), key.trim())
        .await
        .expect("the edge accepts");
    let reply = client
        .post("/v1/chat/completions", openai::whole("chat"))
        .await;
    assert!(reply.expect("the edge answers").status.is_success());
    let asked = cluster.serving.asked();
    assert_eq!(asked[0].path, "/openai/v1/chat/completions");
    let body: Value = serde_json::from_slice(&asked[0].body).expect("it is JSON");
    assert_eq!(body["model"], "llama3");
    stands_in_the_way(&shell);
    is_refused(&site).await;
}

/// What a source names stays while it stands.
fn stands_in_the_way(shell: &Shell) {
    let refused = shell.run("models delete chat");
    assert!(
        refused.err.contains("a source of versions names it"),
        "{}",
        refused.err
    );
    let listed = shell.done("sources list");
    assert!(listed.contains("namespace=kserve-test"), "{listed}");
    for id in ["llama", "stranger", "nobody"] {
        shell.done(&format!("sources delete {id}"));
    }
}

fn private_one() -> CreateVersionSourceRequest {
    CreateVersionSourceRequest {
        parent: "organizations/acme".to_owned(),
        version_source_id: "mine".to_owned(),
        version_source: Some(VersionSource {
            model: "organizations/acme/models/chat".to_owned(),
            url: "https://10.0.0.1".to_owned(),
            kserve: Some(KserveService {
                namespace: "ml".to_owned(),
                inference_service: "llama".to_owned(),
            }),
            provider: "organizations/acme/providers/main".to_owned(),
            provider_model: "{name}".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Only who publishes models makes one, and what is not public is not dialled.
async fn is_refused(site: &Site) {
    let request = CreateOperatorKeyRequest {
        parent: "organizations/acme".to_owned(),
        operator_key: Some(OperatorKey {
            bindings: vec![RoleBinding {
                role: "viewer".to_owned(),
                scope: "organizations/acme".to_owned(),
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let root = site.admin();
    let made = root.operator_keys().create_operator_key(request).await;
    let text = made.expect("a viewer is made").into_inner().text;
    let viewer = Admin::new(site.control_planes[0].admin, &text);
    let denied = viewer.sources().create_version_source(private_one()).await;
    assert_eq!(
        denied.expect_err("not theirs").code(),
        Code::PermissionDenied
    );
    let made = root.sources().create_version_source(private_one()).await;
    made.expect("it is made");
    let closed = because("sources.private_ranges");
    known(site, "mine", "its address is closed", closed).await;
    let mut request = private_one();
    let source = request.version_source.as_mut().expect("there is one");
    "no certificate".clone_into(&mut source.ca_pem);
    let refused = root.sources().create_version_source(request).await;
    let why = refused.expect_err("it holds no certificate");
    assert!(
        why.message().contains("version_source.ca_pem"),
        "{}",
        why.message()
    );
}
