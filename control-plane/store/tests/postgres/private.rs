//! A private PostgreSQL: a temporary directory, a socket in it, and no port.
//!
//! Tests that run at the same time share one; the last to end stops it and removes the directory.

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid, User},
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

static RUNNING: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

/// A running PostgreSQL.
pub(crate) struct Postgres {
    child: Child,
    directory: TempDir,
    databases: AtomicU32,
    /// Migrated databases that nobody uses any more.
    pub(crate) free: Mutex<Vec<String>>,
    /// Done once there is a database `migrated`, to be copied.
    pub(crate) migrated: OnceCell<()>,
}

/// The one that runs, or a new one.
pub(crate) fn postgres() -> Arc<Postgres> {
    let mut running = RUNNING.lock().unwrap();
    running.upgrade().unwrap_or_else(|| {
        let postgres = Arc::new(Postgres::start());
        *running = Arc::downgrade(&postgres);
        postgres
    })
}

// === impl Postgres ===

impl Postgres {
    fn start() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("sluice-store.")
            .tempdir_in("/tmp")
            .unwrap();
        let data = directory.path().join("data");
        let owner = Uid::effective()
            .is_root()
            .then(|| {
                ["postgres", "nobody"]
                    .iter()
                    .find_map(|name| User::from_name(name).unwrap())
            })
            .flatten();
        if let Some(owner) = &owner {
            let (uid, gid) = (Some(owner.uid.as_raw()), Some(owner.gid.as_raw()));
            chown(directory.path(), uid, gid).unwrap();
        }
        let program = |name: &str| {
            let mut command = Command::new(programs().join(name));
            // PostgreSQL refuses to run as root.
            if let Some(owner) = &owner {
                command.uid(owner.uid.as_raw()).gid(owner.gid.as_raw());
            }
            command
                .current_dir(directory.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        let options = [
            "-U",
            "sluice",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
        ];
        let made = program("initdb")
            .arg("-D")
            .arg(&data)
            .args(options)
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        let mut server = program("postgres");
        server.arg("-D").arg(&data).arg("-k").arg(directory.path());
        for setting in ["listen_addresses=", "fsync=off", "max_connections=200"] {
            server.args(["-c", setting]);
        }
        let child = server.spawn().unwrap();
        wait_for(&directory.path().join(".s.PGSQL.5432"));
        Self {
            child,
            directory,
            databases: AtomicU32::new(0),
            free: Mutex::default(),
            migrated: OnceCell::new(),
        }
    }

    /// The URL of a database of this name.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://sluice@localhost/{database}?host={}",
            self.directory.path().display()
        )
    }

    /// A name for a database that nobody has.
    pub(crate) fn next_database(&self) -> String {
        format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Immediate shutdown: the directory goes with it.
        let _ = kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGQUIT,
        );
        let _ = self.child.wait();
    }
}

fn wait_for(socket: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !socket.exists() {
        assert!(Instant::now() < deadline, "PostgreSQL did not start");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Where its programs are: `PG_BIN`, the path, or where Debian puts them.
fn programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut debian: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    debian.sort();
    let named = env::var_os("SLUICE_TEST_POSTGRES").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let found = named
        .into_iter()
        .chain(env::split_paths(&path))
        .chain(debian.into_iter().rev())
        .find(|directory| directory.join("initdb").exists());
    found.expect("PostgreSQL is installed, or SLUICE_TEST_POSTGRES says where it is")
}
