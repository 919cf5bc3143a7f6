//! A private Postgres for one test, and the faults that a test can give it.

use std::{env, ffi::OsString, path::Path};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use private_postgres::{Options, Postgres};
use sqlx::{Connection, PgConnection};

use crate::binaries;

/// A private Postgres.
#[derive(Debug)]
pub struct Database {
    options: Options,
    server: Option<Postgres>,
}

impl Database {
    /// Starts one with its files below `folder`.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, Vec::new())
    }

    /// As [`Self::start`], with settings over the usual ones.
    pub fn start_with(folder: &Path, settings: Vec<String>) -> Self {
        let options = Options {
            bin_dir: env::var_os("SLUICE_TEST_POSTGRES").map(Into::into),
            search_path: env::var("PATH").unwrap_or_default(),
            data_dir: folder.join("postgres"),
            settings,
            guard: vec![binaries::path("sluice").into(), OsString::from("guard")],
        };
        let server = Postgres::start(&options, |_| {}).expect("Postgres starts");
        Self {
            options,
            server: Some(server),
        }
    }

    /// The URL of the database that the control plane uses.
    pub fn url(&self) -> String {
        self.server.as_ref().expect("Postgres runs").url("postgres")
    }

    /// A connection of the test's own, to look at what stands there.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url())
            .await
            .expect("Postgres answers")
    }

    /// The process number of the server that the others are children of, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server
            .as_ref()
            .and_then(|server| u32::try_from(server.pid()).ok())
    }

    /// Stops it, for good.
    pub fn stop(&mut self) {
        self.server.take();
    }

    /// Freezes or thaws it: it takes connections and answers none.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        if let Some(server) = &self.server {
            let _ = kill(Pid::from_raw(server.pid()), signal);
        }
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.options.data_dir
    }
}
