//! A Redis of the test's own: on a free port, in a directory of its own, gone when dropped.
//!
//! Knows nothing of what is kept in it. Only the process that it started is ever ended.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// One redis-server.
pub(crate) struct RedisServer {
    pub(crate) child: Child,
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
}

impl RedisServer {
    /// Starts one, and waits until it answers.
    pub(crate) fn start() -> Self {
        loop {
            let directory = tempfile::tempdir().expect("a directory");
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = free.local_addr().expect("a bound address").port();
            drop(free);
            let child = spawn(port, &directory);
            let mut server = Self {
                child,
                port,
                directory,
            };
            // Between the two, another test may have taken the port.
            if server.answers() {
                return server;
            }
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The answer to one command without spaces in its words, as it comes over the wire.
    pub(crate) fn ask(&self, command: &str) -> std::io::Result<String> {
        ask(self.port, command)
    }

    /// The strings that the answer holds, whatever bytes they are.
    #[allow(dead_code, reason = "not every test reads what is no text")]
    pub(crate) fn texts(&self, command: &str) -> Vec<Vec<u8>> {
        let answer = ask_bytes(self.port, command).unwrap_or_default();
        let (mut rest, mut found) = (answer.as_slice(), Vec::new());
        while let Some(ends) = rest.windows(2).position(|it| it == b"\r\n") {
            let (line, behind) = rest.split_at(ends);
            rest = &behind[2..];
            let length = line.strip_prefix(b"$").map(String::from_utf8_lossy);
            if let Some(length) = length.and_then(|it| it.parse::<usize>().ok()) {
                found.push(rest[..length].to_vec());
                rest = &rest[length + 2..];
            }
        }
        found
    }

    /// Waits until it answers, and not another on its port. Says no when it has ended.
    pub(crate) fn answers(&mut self) -> bool {
        let ours = format!("process_id:{}\r", self.child.id());
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.child.try_wait().expect("our own process").is_none() {
            let answer = self.ask("INFO server").unwrap_or_default();
            if answer.contains(&ours) {
                return true;
            }
            let place = self.directory.path().display();
            assert!(Instant::now() < deadline, "silent redis-server in {place}");
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may have been killed already, and a frozen process takes this signal too.
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The answer of whoever listens there to one command without spaces in its words.
pub(crate) fn ask(port: u16, command: &str) -> std::io::Result<String> {
    let answer = ask_bytes(port, command)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn ask_bytes(port: u16, command: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = vec![0; 65_536];
    let length = stream.read(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

/// Starts the process.
pub(crate) fn spawn(port: u16, directory: &TempDir) -> Child {
    let port = port.to_string();
    spawn_with(&["--port", &port, "--bind", "127.0.0.1"], directory)
}

/// Starts a process with these options.
pub(crate) fn spawn_with(options: &[&str], directory: &TempDir) -> Child {
    // Named by a variable where the machine has none of its own.
    let program = std::env::var_os("SLUICE_TEST_REDIS").unwrap_or_else(|| "redis-server".into());
    Command::new(program)
        .args(options)
        .args(["--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}
