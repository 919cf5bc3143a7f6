//! One running program: started with its own settings, told to stop, killed when the test drops it.

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::wait;

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; what it says goes to `<folder>/<name>.log`. Its environment is only `variables`.
    pub fn start(
        folder: &Path,
        name: &str,
        program: &Path,
        arguments: &[&str],
        variables: &[(String, String)],
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = fs::File::options().create(true).append(true).open(&log);
        let output = output.expect("the log can be opened");
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn();
        let child = child.unwrap_or_else(|error| panic_with(&format!("{name}: {error}")));
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// Runs `program` to its end.
    pub fn run(
        folder: &Path,
        name: &str,
        program: &Path,
        arguments: &[&str],
        variables: &[(String, String)],
    ) -> (ExitStatus, String) {
        let mut process = Self::start(folder, name, program, arguments, variables);
        let status = process.child.wait().expect("a child can be waited for");
        (status, process.said())
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process number is small");
        // It may have ended already, which is what some tests are about.
        let _ = kill(Pid::from_raw(pid), signal);
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Waits until it has ended.
    pub async fn end(&mut self) -> ExitStatus {
        let what = format!("{} has ended", self.name);
        wait::until(&what, async || self.ended()).await.0
    }

    /// Waits until it has written where it listens.
    pub async fn ports(&mut self, file: &Path) -> HashMap<String, SocketAddr> {
        let text = loop {
            if let Ok(text) = fs::read_to_string(file) {
                break text;
            }
            if let Some(status) = self.ended() {
                panic_with(&format!(
                    "{} ended with {status}:\n{}",
                    self.name,
                    self.said()
                ));
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        };
        let ports: HashMap<String, String> =
            serde_json::from_str(&text).expect("the ports file is JSON");
        let address = |text: String| text.parse().expect("the ports file holds addresses");
        ports
            .into_iter()
            .map(|(name, text)| (name, address(text)))
            .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[expect(
    clippy::panic,
    reason = "a test that cannot start its parts has failed"
)]
fn panic_with(why: &str) -> ! {
    panic!("{why}")
}
