//! The official SDKs, unmodified, as programs that ask one question and print what they saw.

use std::{env, ffi::OsString, path::Path};

use serde_json::Value;
use tokio::process::Command;

/// An SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// `openai` for Python.
    Python,
    /// `openai` for Node.
    Node,
}

impl Sdk {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Python, Self::Node];

    /// Asks `question` (a function of the program) at the edge of `url`.
    pub async fn ask(self, url: &str, key: &str, model: &str, question: &str) -> Value {
        self.answered(question, self.command(url, key, model, question))
            .await
    }

    /// As [`Self::ask`], of the model `chat`, by a program that trusts the authority in a file.
    pub async fn ask_trusting(self, ca_file: &Path, url: &str, key: &str, question: &str) -> Value {
        let mut command = self.command(url, key, "chat", question);
        command
            .env("SSL_CERT_FILE", ca_file)
            .env("NODE_EXTRA_CA_CERTS", ca_file);
        self.answered(question, command).await
    }

    fn command(self, url: &str, key: &str, model: &str, question: &str) -> Command {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
        let mut command = match self {
            Self::Python => {
                let mut command = Command::new(named("SLUICE_TEST_PYTHON"));
                command.arg(folder.join("chat.py"));
                command
            }
            Self::Node => {
                named("SLUICE_TEST_NODE_MODULES");
                let mut command = Command::new("node");
                command.arg(folder.join("chat.mjs"));
                command
            }
        };
        command
            .args([&format!("{url}/v1"), key, model, question])
            .kill_on_drop(true);
        command
    }

    async fn answered(self, question: &str, mut command: Command) -> Value {
        let output = command.output().await.expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{self:?} failed at {question}: {said}"
        );
        serde_json::from_slice(&output.stdout).expect("the program prints JSON")
    }
}

/// Holds one conversation with every model, by an SDK of Python's or, with `node`, of Node's: `chat`, `responses`,
/// `messages`, `gemini` or `ai`; or has them make vectors, by `vectors` or `ai_vectors`.
pub async fn converse(node: bool, sdk: &str, url: &str, key: &str, models: &[&str]) -> Value {
    let arguments = [&[sdk, url, key], models].concat();
    if node {
        named("SLUICE_TEST_NODE_MODULES");
        return printed("node".into(), "sdk/dialects.mjs", &arguments).await;
    }
    python("sdk/dialects.py", &arguments).await
}

/// A program that asks `question` (a function of it) where nothing is modelled.
pub fn passing(url: &str, key: &str, question: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
    let mut command = Command::new(named("SLUICE_TEST_PYTHON"));
    command
        .arg(folder.join("passing.py"))
        .args([url, key, question])
        .kill_on_drop(true);
    command
}

/// What such a program prints.
pub async fn pass(url: &str, key: &str, question: &str) -> Value {
    let output = passing(url, key, question).output().await;
    let output = output.expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{question} failed: {said}");
    serde_json::from_slice(&output.stdout).expect("the program prints JSON")
}

/// Asks every model richer things by an SDK, which `of_node` and its name say as for [`converse`].
pub async fn richer(
    (of_node, sdk): (bool, &str),
    url: &str,
    key: &str,
    picture: &str,
    models: &[&str],
) -> Value {
    let arguments = [&[sdk, url, key, picture], models].concat();
    if of_node {
        named("SLUICE_TEST_NODE_MODULES");
        return printed("node".into(), "sdk/richer.mjs", &arguments).await;
    }
    python("sdk/richer.py", &arguments).await
}

/// Asks a server that nobody here wrote, directly or through an edge; `more` may name `anthropic`.
pub async fn foreign(url: &str, key: &str, more: &[&str]) -> Value {
    python("foreign/ask.py", &[&[url, key, "tiny"], more].concat()).await
}

/// Asks these questions, each a model and what its client prefers, by the SDK for Python.
pub async fn prefer(url: &str, key: &str, questions: &Value) -> Value {
    let url = format!("{url}/v1");
    python("sdk/preferences.py", &[&url, key, &questions.to_string()]).await
}

/// Asks the model `chat` for what it cannot do, by the SDKs of two makers for Python.
pub async fn able(url: &str, key: &str) -> Value {
    python("sdk/able.py", &[url, key]).await
}

/// Asks the model `chat` with a certificate and no key, by the SDK for Python, which trusts the authority in `ca_file`.
pub async fn certified(url: &str, ca_file: &Path, cert_file: &Path, key_file: &Path) -> Value {
    let files = [ca_file, cert_file, key_file].map(|it| it.display().to_string());
    let [ca_file, cert_file, key_file] = files.each_ref().map(String::as_str);
    let url = format!("{url}/v1");
    python("sdk/certified.py", &[&url, ca_file, cert_file, key_file]).await
}

/// What is in a file of records, or in an endpoint's bucket of them, as a database reads it.
pub async fn records(place: &[&str]) -> Value {
    python("sdk/records.py", place).await
}

/// What a forge makes of the pipeline in a checkout: which forge, where, which job, of which commit.
pub async fn pipeline(place: &[&str]) -> Value {
    python("ci/runner.py", place).await
}

/// What a program of Python's prints.
async fn python(file: &str, arguments: &[&str]) -> Value {
    printed(named("SLUICE_TEST_PYTHON"), file, arguments).await
}

/// What a program prints.
async fn printed(program: OsString, file: &str, arguments: &[&str]) -> Value {
    let mut command = Command::new(program);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
        .args(arguments)
        .kill_on_drop(true);
    let output = command.output().await.expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{file} failed: {said}");
    serde_json::from_slice(&output.stdout).expect("the program prints JSON")
}

fn named(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| panic_with(&format!("{name} is not set; run ./test")))
}

#[expect(
    clippy::panic,
    reason = "a test that lacks its SDKs has failed, and must say what to do"
)]
fn panic_with(why: &str) -> ! {
    panic!("{why}")
}
