//! The private Postgres of `sluice dev`, started and stopped off the runtime's threads.

use std::{ffi::OsString, path::PathBuf};

use private_postgres::{CannotStart, Options, Postgres};
use tokio::task::spawn_blocking;

use crate::{
    dev::{folder::Folder, progress::Progress},
    failure::{Exit, Failure},
};

/// A running database. Dropping it stops it too, but blocks.
pub struct Database(Postgres);

// === impl Database ===

impl Database {
    /// Starts it, and makes it first when there is none.
    pub async fn start(
        bin_dir: Option<PathBuf>,
        folder: &Folder,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let own = std::env::current_exe();
        let own = own.map_err(|error| Failure::system("find this program's own file", &error))?;
        let options = Options {
            bin_dir,
            search_path: std::env::var("PATH").unwrap_or_default(),
            data_dir: folder.path().to_owned(),
            settings: Vec::new(),
            guard: vec![own.into(), OsString::from("guard")],
        };
        let progress = progress.clone();
        let started = spawn_blocking(move || Postgres::start(&options, |what| progress.say(what)));
        let started = started.await.map_err(Failure::broken)?;
        started.map(Self).map_err(|why| refused(&why))
    }

    /// Where the control plane finds it.
    pub fn url(&self) -> String {
        self.0.url("postgres")
    }

    /// Stops it and waits until it has ended.
    pub async fn stop(self) {
        // If the task cannot run, the database was dropped with it, which stops it as well.
        let _ = spawn_blocking(move || self.0.stop()).await;
    }
}

fn refused(why: &CannotStart) -> Failure {
    let exit = match why {
        CannotStart::InUse(_) | CannotStart::OtherVersion(..) => Exit::Refused,
        _ => Exit::Failed,
    };
    Failure::new(exit, why.to_string())
}
