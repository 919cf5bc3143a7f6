//! A private Redis for one test, and the faults that a test can give it.

use std::{
    env,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;

use crate::{process::Process, wait};

/// A private Redis.
#[derive(Debug)]
pub struct Redis {
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl Redis {
    /// Starts one with its files below `folder`, on a free port.
    pub async fn start(folder: &Path) -> Self {
        let probe = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = probe
            .local_addr()
            .expect("a listener has an address")
            .port();
        drop(probe);
        let mut redis = Self {
            folder: folder.to_owned(),
            port,
            process: None,
        };
        redis.restart().await;
        redis
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Starts it again on the same port, empty.
    pub async fn restart(&mut self) {
        self.process = None;
        let port = self.port.to_string();
        let arguments = [
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        let program = env::var_os("SLUICE_TEST_REDIS").map_or("redis-server".into(), PathBuf::from);
        let path = env::var("PATH").unwrap_or_default();
        let libraries = env::var("LD_LIBRARY_PATH").unwrap_or_default();
        let variables = [
            ("PATH".to_owned(), path),
            ("LD_LIBRARY_PATH".to_owned(), libraries),
        ];
        let process = Process::start(&self.folder, "redis", &program, &arguments, &variables);
        self.process = Some(process);
        let address = self.address();
        let answers = || async move { TcpStream::connect(address).ok() };
        wait::until("Redis answers", answers).await;
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// A connection of the test's own, to look at what stands there.
    pub async fn connect(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("the URL is one");
        client
            .get_multiplexed_async_connection()
            .await
            .expect("Redis answers")
    }

    /// How many scripts it has run since it started.
    pub async fn scripts_run(&self) -> u64 {
        let mut redis = self.connect().await;
        let mut info = redis::cmd("INFO");
        let info = info.arg("commandstats").query_async::<String>(&mut redis);
        let info = info.await.expect("Redis answers");
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        let calls = line.and_then(|rest| rest.split(',').next()?.parse().ok());
        calls.unwrap_or(0)
    }

    /// Its process number, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Stops it: connections are refused.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Freezes or thaws it: it takes connections and answers none.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }
}
