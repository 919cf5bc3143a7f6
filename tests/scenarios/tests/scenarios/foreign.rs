//! Servers that nobody here wrote answer through an edge what they answer without one.
//!
//! `just prove foreign` brings them and runs this; without them it says so and passes. llama.cpp serves a model of random
//! weights: what it says is noise, always the same. `MLServer` speaks the Open Inference Protocol.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use harness::{
    client,
    process::Process,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::ProviderKind;
use scenarios::sdk;
use serde_json::{Value, json};

/// How long a server of Python's may take to start.
const START: Duration = Duration::from_mins(1);

/// The Python that has them.
#[expect(
    clippy::print_stdout,
    reason = "whoever runs the tests must see that this one did nothing"
)]
fn python() -> Option<PathBuf> {
    let python = env::var_os("SLUICE_TEST_FOREIGN").map(PathBuf::from);
    if python.is_none() {
        println!("skipped, because SLUICE_TEST_FOREIGN names no Python: `just prove foreign` does");
    }
    python
}

fn ours(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("foreign")
        .join(name)
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

/// Waits until a server answers at `path`.
async fn answers(server: &mut Process, url: &str, path: &str) {
    wait::until_within(START, &format!("{url}{path} answers"), async || {
        assert!(server.ended().is_none(), "it ended:\n{}", server.said());
        let address = url.trim_start_matches("http://");
        std::net::TcpStream::connect(address).ok()?;
        let reply = client::get(url, "", path).await;
        (reply.status == 200).then_some(())
    })
    .await;
}

/// Starts llama.cpp's server of OpenAI's API.
async fn llama(site: &Site, python: &Path) -> (Process, String) {
    let folder = site.folder();
    let model = folder.join("tiny.gguf").display().to_string();
    let maker = ours("tiny.py").display().to_string();
    let (made, said) = Process::run(folder, "tiny", python, &[&maker, &model], &[]);
    assert!(made.success(), "{said}");
    let port = free_port().to_string();
    let arguments = ["-m", "llama_cpp.server", "--model", &*model];
    let more = ["--host", "127.0.0.1", "--port", &*port];
    let bounds = ["--n_ctx", "2048", "--n_threads", "1"];
    let all = [&arguments[..], &more, &bounds].concat();
    let mut server = Process::start(folder, "llama", python, &all, &[]);
    let url = format!("http://127.0.0.1:{port}");
    answers(&mut server, &url, "/v1/models").await;
    (server, url)
}

#[tokio::test]
async fn llama_cpp_answers_openai_and_anthropic_clients_as_it_answers_itself() {
    let Some(python) = python() else { return };
    let site = Site::start(Plan::default()).await;
    let (_server, url) = llama(&site, &python).await;
    let base_url = format!("{url}/v1");
    let tenant = Tenant::make(&site.admin(), "acme", &base_url).await;
    let kind = ProviderKind::LlamaCpp;
    tenant.provider_of(kind, "llama", &base_url).await;
    tenant.model("tiny", "llama", "tiny").await;
    let (_, key) = tenant.key().await;
    site.propagated().await;

    let direct = sdk::foreign(&url, "none", &[]).await;
    let through = sdk::foreign(&site.url(0), &key, &["anthropic"]).await;
    println!("direct:  {direct}\nthrough: {through}");
    let text = &direct["whole"]["text"];
    assert!(text.as_str().is_some_and(|text| text.len() > 9), "{direct}");
    for (question, answer) in direct.as_object().expect("what was seen") {
        assert_eq!(through[question], *answer, "{question}");
    }
    assert_eq!(
        direct["shaped"]["level"].as_str().map(str::is_empty),
        Some(false)
    );
    assert_eq!(direct["too long"], 400);
    // Another API hears the same, in its own words.
    let expected = json!({"text": text, "end": "max_tokens"});
    assert_eq!(through["anthropic streamed"], expected);
    let tokens = &direct["whole"]["tokens"];
    let whole = json!({"text": text, "end": "max_tokens", "tokens": tokens});
    assert_eq!(without_cache(&through["anthropic"], tokens), whole);
}

/// llama.cpp counts what its cache served among the input; Anthropic's clients are told of it apart.
fn without_cache(seen: &Value, tokens: &Value) -> Value {
    let mut seen = seen.clone();
    let told = seen["tokens"][0].as_u64();
    assert!(
        told.is_some_and(|told| told <= tokens[0].as_u64().unwrap_or(0)),
        "{seen}"
    );
    seen["tokens"][0] = tokens[0].clone();
    seen
}

/// Starts `MLServer` with a model that doubles what it is given.
async fn mlserver(folder: &Path, python: &Path) -> (Process, String) {
    let folder = folder.join("mlserver");
    fs::create_dir(&folder).expect("a folder is made");
    for name in ["double.py", "model-settings.json"] {
        fs::copy(ours("double").join(name), folder.join(name)).expect("a file is copied");
    }
    let [http, grpc, metrics] = [free_port(), free_port(), free_port()];
    let settings = json!({
        "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics,
        "parallel_workers": 0,
    });
    let file = folder.join("settings.json");
    fs::write(file, settings.to_string()).expect("settings are written");
    let shown = folder.display().to_string();
    let variables = [("PYTHONPATH".to_owned(), shown.clone())];
    // It cannot be called by its name: what that names may have been made in another folder.
    let arguments = [
        "-c",
        "from mlserver.cli import main; main()",
        "start",
        &shown,
    ];
    let mut server = Process::start(&folder, "mlserver", python, &arguments, &variables);
    let url = format!("http://127.0.0.1:{http}");
    answers(&mut server, &url, "/v2/models/double/ready").await;
    (server, url)
}

#[tokio::test]
async fn mlserver_answers_tensors_through_an_edge_as_it_answers_them_itself() {
    let Some(python) = python() else { return };
    let site = Site::start(Plan::default()).await;
    let (_server, url) = mlserver(site.folder(), &python).await;
    let tenant = Tenant::make(&site.admin(), "acme", &format!("{url}/v1")).await;
    let kind = ProviderKind::OpenInference;
    tenant.provider_of(kind, "mlserver", &url).await;
    tenant.model("twice", "mlserver", "double").await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let asked = json!({
        "id": "7",
        "inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}],
    });
    let ask = async |url: &str, key: &str, model: &str| {
        let path = format!("/v2/models/{model}/infer");
        let reply = client::post(url, key, &path, asked.to_string()).await;
        (reply.status.as_u16(), reply.json().await)
    };
    let (direct, through) = (
        ask(&url, "", "double").await,
        ask(&site.url(0), &key, "twice").await,
    );
    println!("direct:  {}\nthrough: {}", direct.1, through.1);
    assert_eq!(direct, through);
    let (status, said) = through;
    let output = &said["outputs"][0];
    assert_eq!((status, &said["id"]), (200, &json!("7")));
    assert_eq!(output["data"], json!([2.0, 4.0, 6.0, 8.0]), "{said}");
    assert_eq!(output["shape"], json!([2, 2]));
    // What it refuses, it refuses in its own words.
    let wrong = json!({"inputs": [{"name": "y", "shape": [1], "datatype": "FP32", "data": [1]}]});
    let path = |model: &str| format!("/v2/models/{model}/infer");
    let direct = client::post(&url, "", &path("double"), wrong.to_string()).await;
    let through = client::post(&site.url(0), &key, &path("twice"), wrong.to_string()).await;
    assert_eq!(direct.status, through.status);
}
