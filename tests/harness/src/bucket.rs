//! A bucket of S3 for one test, by a server that nobody here wrote.

use std::{
    env,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use crate::{client::Client, process::Process, wait};

/// What the bucket is called.
pub const BUCKET: &str = "usage";

/// A running server with one bucket. Dropping it stops it.
#[derive(Debug)]
pub struct Bucket {
    address: SocketAddr,
    _process: Process,
}

// === impl Bucket ===

impl Bucket {
    /// Starts one with its files below `folder`, on a free port.
    pub async fn start(folder: &Path) -> Self {
        let probe = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = probe.local_addr().expect("a listener has an address");
        drop(probe);
        let program = env::var_os("SLUICE_TEST_PYTHON").map_or("python3".into(), PathBuf::from);
        let port = address.port().to_string();
        let arguments = ["-m", "moto.server", "-H", "127.0.0.1", "-p", &port];
        let path = env::var("PATH").unwrap_or_default();
        let variables = [("PATH".to_owned(), path)];
        let process = Process::start(folder, "bucket", &program, &arguments, &variables);
        let bucket = Self {
            address,
            _process: process,
        };
        let made = || async { bucket.asked("PUT", "").await };
        wait::until("the bucket is made", made).await;
        bucket
    }

    /// Where the server listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The names of the objects in the bucket.
    pub async fn names(&self) -> Vec<String> {
        let listing = self.asked("GET", "?list-type=2").await;
        let listing = listing.expect("the bucket answers");
        let parts = listing.split("<Key>").skip(1);
        let names = parts.filter_map(|it| it.split("</Key>").next());
        names.map(str::to_owned).collect()
    }

    /// What a file of the bucket holds.
    pub async fn file(&self, name: &str) -> Option<String> {
        self.asked("GET", &format!("/{name}")).await
    }

    async fn asked(&self, method: &str, question: &str) -> Option<String> {
        let url = format!("http://{}", self.address);
        // Whose it is, is not looked at; that somebody says it, is.
        let mut client = Client::connect(&url, "anybody").await.ok()?;
        let path = format!("/{BUCKET}{question}");
        let reply = client.request(method, &path, &[], String::new()).await;
        let reply = reply.ok().filter(|it| it.status.is_success())?;
        let body = reply.bytes().await.ok()?;
        Some(String::from_utf8_lossy(&body).into_owned())
    }
}
