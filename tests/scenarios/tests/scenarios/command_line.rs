//! The command line does what the admin API does, and says how it ended.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use harness::{
    binaries, client,
    provider::Provider,
    site::{Plan, Site},
    wait,
};
use nix::sys::signal::Signal;
use scenarios::openai;
use serde_json::Value;

/// The command line of an operator of a site, with `acme` and its project `web` as where short names stand.
pub(crate) struct Shell {
    address: String,
    key: String,
    variables: Vec<(&'static str, String)>,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Shell {
    pub(crate) fn new(site: &Site) -> Self {
        let address = format!("http://{}", site.control_planes[0].admin);
        Self {
            address,
            key: site.operator_key().to_owned(),
            variables: Vec::new(),
        }
    }

    /// One that has no key, and these variables.
    pub(crate) fn stranger(site: &Site, variables: Vec<(&'static str, String)>) -> Self {
        Self {
            key: String::new(),
            variables,
            ..Self::new(site)
        }
    }

    /// Runs `line` and gives how it ended.
    pub(crate) fn run(&self, line: &str) -> Ended {
        self.run_with(line, "")
    }

    /// Runs `line` with something to read.
    pub(crate) fn run_with(&self, line: &str, input: &str) -> Ended {
        let mut command = Command::new(binaries::path("sluice"));
        command.args(line.split_whitespace()).env_clear();
        let variables = [
            ("SLUICE_ADDRESS", self.address.as_str()),
            ("SLUICE_OPERATOR_KEY", &self.key),
            ("SLUICE_ORGANIZATION", "acme"),
            ("SLUICE_PROJECT", "web"),
        ];
        command.envs(variables.into_iter().filter(|(_, value)| !value.is_empty()));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("its input is ours");
        // It may have refused the line before it read anything.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let Output {
            status,
            stdout,
            stderr,
        } = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8(bytes).expect("it speaks UTF-8");
        Ended {
            code: status.code().unwrap_or(-1),
            out: text(stdout),
            err: text(stderr),
        }
    }

    /// Runs `line`, which must go well, and gives what it printed.
    pub(crate) fn done(&self, line: &str) -> String {
        let ended = self.run(line);
        assert_eq!(ended.code, 0, "`sluice {line}`: {}", ended.err);
        ended.out
    }

    /// The same as JSON.
    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.done(&format!("{line} -o json"))).expect("it prints JSON")
    }
}

async fn chat(site: &Site, key: &str) -> u16 {
    let reply = client::post(
        &site.url(0),
        key,
        "/v1/chat/completions",
        openai::whole("chat"),
    )
    .await;
    let status = reply.status.as_u16();
    let _ = reply.bytes().await;
    status
}

#[tokio::test]
async fn from_nothing_to_an_answer_and_back() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let shell = Shell::new(&site);
    shell.done("organizations create acme");
    shell.done("projects create web --display-name Web");
    let line = format!(
        "providers create main --kind openai-compatible --base-url {} --credential-file -",
        provider.base_url()
    );
    let made = shell.run_with(&line, "sk-from-standard-input\n");
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(
        !made.out.contains("sk-from"),
        "a credential is shown nowhere: {}",
        made.out
    );
    shell.done("models create chat --provider main --provider-model provider-chat");
    limits(&shell);
    let minted = shell.run("keys create --display-name first --wait --text-only");
    assert_eq!(minted.code, 0, "{}", minted.err);
    let key = minted.out.trim();
    assert!(
        key.starts_with("slc_live_") && minted.out.lines().count() == 1,
        "{}",
        minted.out
    );
    assert!(
        minted.err.contains("on the one edge that runs"),
        "{}",
        minted.err
    );

    assert_eq!(chat(&site, key).await, 200);
    let asked = &provider.asked()[0];
    assert_eq!(
        asked.headers["authorization"],
        "Bearer sk-from-standard-input"
    );

    let line = "versions create chat@v2 --target main=provider-chat-2 --provenance git_sha=1f3 --stable --wait";
    shell.done(line);
    assert_eq!(chat(&site, key).await, 200);
    let body: Value = serde_json::from_slice(&provider.asked()[1].body).expect("a body is JSON");
    assert_eq!(body["model"], "provider-chat-2");
    shell.done("models update chat --stable v1 --wait");
    let model = shell.json("models get chat");
    assert_eq!(
        model["stableVersion"],
        "organizations/acme/models/chat/versions/v1"
    );

    explains(&shell, key);
    let counted = || async {
        let usage = shell.json("usage --by project,model");
        (usage["rows"][0]["requests"] == "2").then_some(usage)
    };
    let (usage, _) = wait::until("the usage arrived", counted).await;
    assert_eq!(usage["rows"][0]["model"], "chat");
    let table = shell.done("usage");
    assert!(
        table.starts_with("DAY ") && table.contains("organizations/acme/projects/web"),
        "{table}"
    );

    unmake(&site, &shell, key).await;
}

/// Makes a limit that stays, and one on concurrent requests that goes again.
fn limits(shell: &Shell) {
    shell.done("limits create rpm --scope project --unit requests --amount 6000 --window minute");
    shell.done("limits create at-once --scope project --unit concurrent-requests --amount 20");
    let listed = shell.done("limits list");
    let at_once = listed.lines().find(|line| line.contains("at-once"));
    let words: Vec<&str> = at_once.expect("it is listed").split_whitespace().collect();
    assert!(words.contains(&"concurrent-requests"), "{listed}");
    assert!(!words.contains(&"unspecified"), "{listed}");
    let no_window = shell.run("limits create rps --scope project --unit requests --amount 6");
    assert_ne!(no_window.code, 0, "it needs a window");
    assert!(no_window.err.contains("--window"), "{}", no_window.err);
    shell.done("limits delete at-once");
}

/// Says which limits concern the key, for people and for programs.
fn explains(shell: &Shell, key: &str) {
    let id = key.split('_').nth(2).expect("a key holds its id");
    let route = format!("route explain --key {id} --model chat");
    let said = shell.json(&route);
    assert_eq!(said["regions"][0]["targets"][0]["place"], 1);
    assert!(shell.done(&route).contains("main"));
    let line = format!("limits explain --key {id} --model chat");
    let said = shell.json(&line);
    let limit = &said["regions"][0]["limits"][0];
    assert_eq!(limit["limit"], "organizations/acme/limits/rpm");
    assert_eq!(limit["amount"], "6000");
    let table = shell.done(&line);
    assert!(
        table.starts_with("REGION ") && table.contains("rpm") && table.contains("minute"),
        "{table}"
    );
}

#[tokio::test]
async fn rules_come_from_files_and_options_and_are_tried_without_making_anything() {
    let site = Site::start(Plan {
        edges: Vec::new(),
        ..Plan::default()
    })
    .await;
    let shell = Shell::new(&site);
    shell.done("organizations create acme");
    shell.done("providers create main --kind openai-compatible --base-url http://127.0.0.1:9/v1");
    shell.done("models create chat");
    let file = |name: &str, text: &str| {
        let path = site.folder().join(name);
        std::fs::write(&path, text).expect("a file is written");
        path.display().to_string()
    };
    let rules = file(
        "rules.json",
        r#"[{"clamp":{"path":"n","max":2},"dialects":["chat"]},{"jq":".b = 1"}]"#,
    );
    let headers = file("headers.json", r#"[{"copy":"x-trace"}]"#);
    let samples = file(
        "samples.json",
        r#"[{"dialect":"chat","body":{"n": 9},"becomes":{"n":2,"b":1,"t":0.2,"messages":[]}}]"#,
    );
    let line = format!(
        "versions create chat@v1 --target main=m --transform-file {rules} --header-file {headers} --set t=0.2 --default messages=[] --append-system Brief."
    );
    let tried = format!("{line} --sample-file {samples} --validate-only");
    let ended = shell.run(&tried);
    assert_eq!(
        ended.code, 4,
        "the instructions are missing in the sample: {}",
        ended.err
    );
    assert!(
        ended.err.contains("model_version.samples[0]"),
        "{}",
        ended.err
    );
    let becomes = r#"{"n":2,"b":1,"t":0.2,"messages":[{"role":"system","content":"Brief."}]}"#;
    assert!(ended.err.contains(becomes), "{}", ended.err);
    let samples = file("samples.json", r#"[{"dialect":"chat","body":{"n":9}}]"#);
    let tried = shell.json(&format!("{line} --sample-file {samples} --validate-only"));
    assert_eq!(tried["samples"][0]["becomes"], becomes);
    assert_eq!(
        shell.run("versions get chat@v1").code,
        3,
        "nothing was made"
    );

    shell.done(&format!("{line} --sample-file {samples}"));
    let table = shell.done("versions get chat@v1");
    for part in [
        "clamp path=n max=2 dialects chat",
        "jq .b = 1",
        "set path=t value=0.2",
        "append_system Brief.",
        "copy x-trace",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let made = shell.json("versions get chat@v1");
    assert_eq!(made["samples"][0]["body"], r#"{"n":9}"#);
    assert_eq!(made["transformRules"][0]["clamp"]["max"], 2.0);
    let listed = shell.json("versions list chat");
    assert_eq!(listed["modelVersions"][0].get("transformRules"), None);
    let odd = shell.run("versions create chat@v2 --target main=m --set t=low");
    assert_eq!(odd.code, 2);
    assert!(odd.err.contains("a text stands in quotes"), "{}", odd.err);
}

/// Takes everything away again, in the order in which the control plane lets it go.
async fn unmake(site: &Site, shell: &Shell, key: &str) {
    let id = key.split('_').nth(2).expect("a key has its id in it");
    shell.done(&format!("keys revoke {id} --wait"));
    assert_eq!(chat(site, key).await, 401);
    shell.done(&format!("keys delete {id}"));
    shell.done("limits delete rpm");
    shell.done("models update chat --no-stable");
    for version in ["v1", "v2"] {
        shell.done(&format!("versions delete chat@{version}"));
    }
    for line in [
        "models delete chat",
        "providers delete main",
        "projects delete web",
    ] {
        shell.done(line);
    }
    shell.done("organizations delete acme --wait");
    assert_eq!(shell.json("organizations list"), serde_json::json!({}));
}

#[tokio::test]
async fn results_are_a_table_for_people_and_one_document_for_programs() {
    let site = Site::start(Plan {
        edges: Vec::new(),
        ..Plan::default()
    })
    .await;
    let shell = Shell::new(&site);
    shell.done("organization create acme");
    for id in ["a", "b", "web"] {
        shell.done(&format!("project create {id} --display-name Team-{id}"));
    }
    let table = shell.done("projects list");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(
        lines[0].starts_with("NAME ") && lines[0].contains("DISPLAY NAME"),
        "{table}"
    );
    assert!(lines[1].starts_with("organizations/acme/projects/a ") && lines[1].contains("Team-a"));
    assert!(!table.contains('\u{1b}'), "no colour where nobody looks");

    let all = shell.json("projects list");
    assert_eq!(all["projects"].as_array().map(Vec::len), Some(3));
    assert_eq!(all["projects"][0]["displayName"], "Team-a");
    assert!(all.get("nextPageToken").is_none());
    let some = shell.run("projects list --max 2 -o json");
    let document: Value = serde_json::from_str(&some.out).expect("it prints JSON");
    assert_eq!(document["projects"].as_array().map(Vec::len), Some(2));
    assert!(
        document["nextPageToken"].is_string() && some.err.contains("--max"),
        "{}",
        some.err
    );

    let token = shell.json("join-tokens create --region eu");
    assert!(
        token["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("slj_")),
        "{token}"
    );
    let name = token["joinToken"]["name"]
        .as_str()
        .expect("it has a name")
        .to_owned();
    shell.done(&format!("join-tokens revoke {name}"));
    let listed = shell.json("join-tokens list");
    assert!(
        listed["joinTokens"][0]["revokeTime"].is_string(),
        "{listed}"
    );

    let request = "keys create --request-id 0197a1de-0000-7000-8000-000000000001";
    let (once, again) = (shell.json(request), shell.json(request));
    assert_eq!(once, again, "one request id is one key");
    let shown = shell.run("keys create --test --expires 90d");
    assert!(
        shown.out.contains("\ntext ") && shown.out.contains("slc_test_"),
        "{}",
        shown.out
    );
    assert!(shown.err.contains("shown this once"), "{}", shown.err);
    let Ended { out, err, .. } = shell.run("keys create --validate-only");
    assert!(!out.contains("\ntext ") && err.contains("nothing was written"));
    assert_eq!(
        shell.json("keys list")["keys"].as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn how_it_ended_is_told_by_the_exit_code_and_in_words() {
    let site = Site::start(Plan {
        edges: Vec::new(),
        ..Plan::default()
    })
    .await;
    let shell = Shell::new(&site);
    shell.done("organizations create acme");
    shell.done("projects create web");
    let etag = shell.json("projects get web")["etag"]
        .as_str()
        .expect("it has one")
        .to_owned();
    shell.done("projects update web --display-name Changed");

    let stale = format!("projects update web --display-name Mine --etag {etag}");
    for (line, code, says) in [
        ("projects frobnicate", 2, "frobnicate"),
        ("projects update web", 2, "nothing is to be changed"),
        (
            "keys get organizations/acme",
            2,
            "organizations/…/projects/…/keys/…",
        ),
        ("projects get nobody", 3, "does not exist"),
        ("projects create web", 4, "exists already"),
        (
            "providers create Main! --kind openai --base-url ftp://x",
            4,
            "provider.base_url: ",
        ),
        (&stale, 4, "changed by somebody else"),
        ("organizations delete acme", 4, "acme"),
    ] {
        let ended = shell.run(line);
        assert_eq!(ended.code, code, "`sluice {line}`: {}", ended.err);
        assert!(ended.err.contains(says), "`sluice {line}`: {}", ended.err);
        assert!(
            ended.out.is_empty(),
            "`sluice {line}` printed {}",
            ended.out
        );
    }
    strangers(&shell);
}

/// Whoever has no key, or no way, is told what is missing.
fn strangers(shell: &Shell) {
    let with = |address: &str, key: &str| Shell {
        variables: Vec::new(),
        address: address.to_owned(),
        key: key.to_owned(),
    };
    for (stranger, code, says) in [
        (with(&shell.address, ""), 5, "SLUICE_OPERATOR_KEY"),
        (with(&shell.address, "slo_wrong"), 5, "SLUICE_OPERATOR_KEY"),
        (
            with("http://127.0.0.1:9", &shell.key),
            6,
            "http://127.0.0.1:9",
        ),
        (
            with("http://192.0.2.1:7070", &shell.key),
            2,
            "--plaintext-beyond-loopback",
        ),
    ] {
        let ended = stranger.run("projects list");
        assert_eq!(ended.code, code, "{}", ended.err);
        assert!(
            ended.err.contains(says) && !ended.err.contains(&shell.key),
            "{}",
            ended.err
        );
    }
}

#[tokio::test]
async fn an_edge_that_is_behind_is_named_and_has_an_exit_code_of_its_own() {
    let site = Site::start(Plan::default()).await;
    let shell = Shell::new(&site);
    shell.done("organizations create acme");
    shell.done("projects create web --wait");
    site.edges[0].process.signal(Signal::SIGSTOP);
    let behind = shell.run("projects update web --display-name Again --wait=300ms");
    assert_eq!(behind.code, 7, "{}", behind.err);
    assert!(
        behind.err.contains("edges/edge-0 in here"),
        "{}",
        behind.err
    );
    assert!(
        behind.out.contains("Again"),
        "the write stands: {}",
        behind.out
    );
    let behind = shell.run("edges wait --timeout 300ms --region here -o json");
    assert_eq!(behind.code, 7, "{}", behind.err);
    let document: Value = serde_json::from_str(&behind.out).expect("it prints JSON");
    assert_eq!(document["stragglers"][0]["name"], "edges/edge-0");
    assert_eq!(
        shell
            .run("edges wait --timeout 300ms --region elsewhere")
            .code,
        0
    );
    site.edges[0].process.signal(Signal::SIGCONT);
    shell.done("edges wait");
    assert!(shell.done("edges list").contains("edges/edge-0"));
}
