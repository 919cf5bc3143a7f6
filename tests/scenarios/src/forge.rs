//! A forge: a bare repository that is pushed to, and a runner that checks a commit out and does what the pipeline in it says.
//!
//! Knows git, and by a program of its own what GitLab and GitHub make of their files; knows nothing of what a pipeline is for.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use tempfile::TempDir;

use crate::sdk;

/// Whose pipelines are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GitLab's, by the job `release chat` of `.gitlab-ci.yml`.
    GitLab,
    /// GitHub's, by the workflow `release.yml`.
    GitHub,
}

/// A repository at a forge, and the working copy of who writes it.
#[derive(Debug)]
pub struct Forge {
    kind: Kind,
    folder: TempDir,
}

/// The job of one commit, as the forge understands its files.
#[derive(Debug, Deserialize)]
pub struct Job {
    /// The variable that holds its token; empty where the job asks for it.
    pub token: String,
    /// For whom that is to be.
    pub audience: String,
    /// Its variables.
    pub environment: HashMap<String, String>,
    /// Its commands.
    pub script: Vec<String>,
    /// Where it is checked out.
    #[serde(skip)]
    pub checkout: PathBuf,
}

/// How a job ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code of the command that failed, or zero.
    pub code: i32,
    /// Everything that it said.
    pub log: String,
}

// === impl Forge ===

impl Forge {
    /// An empty repository, and its working copy on the branch `main`.
    pub fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let forge = Self { kind, folder };
        let (bare, copy) = (forge.at("chat.git"), forge.at("copy"));
        git(forge.folder.path(), &["init", "--bare", "--quiet", &bare]);
        git(
            forge.folder.path(),
            &["init", "--quiet", "-b", "main", &copy],
        );
        forge.git(&["remote", "add", "origin", &bare]);
        forge
    }

    /// Puts a file into the working copy.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join("copy").join(path);
        let parent = path.parent().expect("a file is in a folder");
        std::fs::create_dir_all(parent).expect("a folder can be made");
        std::fs::write(path, text).expect("the file can be written");
    }

    /// Puts a copy of one of our files into the working copy, with its mode.
    pub fn copy(&self, ours: &Path, path: &str) {
        self.write(path, "");
        let to = self.folder.path().join("copy").join(path);
        std::fs::copy(ours, to).expect("the file can be copied");
    }

    /// Runs git in the working copy, and gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.folder.path().join("copy"), arguments)
    }

    /// Commits everything and pushes the branch; the commit's hash.
    pub fn push(&self, branch: &str, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", message]);
        self.publish(branch)
    }

    /// Pushes what is committed; the newest commit's hash.
    pub fn publish(&self, branch: &str) -> String {
        let to = format!("HEAD:refs/heads/{branch}");
        self.git(&["push", "--quiet", "origin", &to]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Checks a commit out as a runner does, and reads its job.
    pub async fn job(&self, commit: &str) -> Job {
        let run = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(self.folder.path());
        let run = run.expect("a folder can be made").keep();
        let checkout = run.join("checkout");
        let to = checkout.display().to_string();
        git(&run, &["clone", "--quiet", &self.at("chat.git"), &to]);
        git(&checkout, &["checkout", "--quiet", "--detach", commit]);
        let (forge, name) = match self.kind {
            Kind::GitLab => ("gitlab", "release chat"),
            Kind::GitHub => ("github", "release.yml"),
        };
        let read = sdk::pipeline(&[forge, &to, name, commit]).await;
        let job: Job = serde_json::from_value(read).expect("the job is one");
        Job { checkout, ..job }
    }

    fn at(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

// === impl Job ===

impl Job {
    /// Runs it to its end, with these variables beside its own. Of variables of one name the job's own count.
    pub fn run(&self, path: &str, variables: &[(&str, String)]) -> Ended {
        let mut log = String::new();
        for line in &self.script {
            let mut command = Command::new("bash");
            command
                .args(["--noprofile", "--norc", "-eo", "pipefail", "-c"])
                .arg(format!("exec 2>&1; {line}"))
                .current_dir(&self.checkout)
                .env_clear()
                .env("PATH", path)
                .env("HOME", &self.checkout)
                .envs(variables.iter().map(|(name, value)| (name, value)))
                .envs(&self.environment);
            let ended = command.output().expect("bash is installed");
            log.push_str(&String::from_utf8_lossy(&ended.stdout));
            if !ended.status.success() {
                let code = ended.status.code().unwrap_or(-1);
                return Ended { code, log };
            }
        }
        Ended { code: 0, log }
    }
}

/// Runs git as somebody who has configured nothing.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder);
    for inherited in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(inherited);
    }
    command.envs([
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@acme.example"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@acme.example"),
    ]);
    let ended = command.output().expect("git is installed");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "git {arguments:?}: {said}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}
