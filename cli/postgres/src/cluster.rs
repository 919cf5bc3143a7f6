//! One cluster in one folder: made once, started, and stopped with its owner.
//!
//! Everything here blocks; it is called while a program starts or ends. The thread that spawns the server
//! lives as long as the server, because the parent-death signal is tied to the spawning thread.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    binaries::{self, Binaries},
    cannot_start::CannotStart,
    guard::{self, FOLDER, OnParentDeath},
    owner::{self, Owner},
    socket,
};

const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// How to run a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the binaries are; `None` means: look.
    pub bin_dir: Option<PathBuf>,
    /// The text of `PATH`, for looking.
    pub search_path: String,
    /// Where the cluster is or shall be. Made when it is absent, for the owner alone.
    pub data_dir: PathBuf,
    /// Settings over the usual ones, such as `work_mem=8MB`.
    pub settings: Vec<String>,
    /// How to call a program that calls [`guard::run`].
    pub guard: Vec<OsString>,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Postgres {
    pid: Pid,
    ended: mpsc::Receiver<io::Result<ExitStatus>>,
    socket_dir: PathBuf,
    _lock: Flock<fs::File>,
}

// === impl Postgres ===

impl Postgres {
    /// Starts the cluster in `options.data_dir`, making it first when there is none. `progress` is told what
    /// is being done, in a few words, before each slow step.
    pub fn start(options: &Options, mut progress: impl FnMut(&str)) -> Result<Self, CannotStart> {
        let binaries = binaries::find(options.bin_dir.as_deref(), &options.search_path);
        let binaries = binaries.ok_or(CannotStart::NoBinaries)?;
        let owner = owner::choose().ok_or(CannotStart::NoOwner)?;
        let lock = take_folder(&options.data_dir)?;
        let cluster = options.data_dir.join("cluster");
        if let Ok(text) = fs::read_to_string(cluster.join("PG_VERSION")) {
            let has = text.trim().parse().unwrap_or(0);
            if has != binaries.major {
                return Err(CannotStart::OtherVersion(has, binaries.major));
            }
            wait_for_predecessor(&cluster);
        } else {
            progress("making a database cluster");
            make(options, &binaries, owner, &cluster)?;
        }
        progress("starting the database");
        let socket_dir = socket::folder(&options.data_dir, owner)?;
        let (pid, ended) = spawn(options, &binaries, owner, &socket_dir)?;
        let server = Self {
            pid,
            ended,
            socket_dir,
            _lock: lock,
        };
        server.wait_until_ready(&options.data_dir)?;
        Ok(server)
    }

    /// The URL of a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://sluice@localhost/{database}?host={}",
            self.socket_dir.display()
        )
    }

    /// The folder of the socket.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The server's process.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Stops it fast and clean, and waits until it has ended.
    pub fn stop(self) {
        drop(self);
    }

    fn wait_until_ready(&self, data_dir: &Path) -> Result<(), CannotStart> {
        let pid_file = data_dir.join("cluster/postmaster.pid");
        let since = Instant::now();
        loop {
            // The eighth line says `ready` once connections are taken.
            let text = fs::read_to_string(&pid_file).unwrap_or_default();
            if text
                .lines()
                .nth(7)
                .is_some_and(|line| line.trim() == "ready")
                && text.lines().next().and_then(|line| line.parse().ok()) == Some(self.pid.as_raw())
            {
                return Ok(());
            }
            if self.ended.try_recv().is_ok() || since.elapsed() > READY_WITHIN {
                let log = fs::read_to_string(data_dir.join("postgres.log")).unwrap_or_default();
                return Err(CannotStart::Failed("postgres", tail(&log)));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = kill(self.pid, Signal::SIGINT);
        if let Err(mpsc::RecvTimeoutError::Timeout) = self.ended.recv_timeout(STOPPED_WITHIN) {
            let _ = kill(self.pid, Signal::SIGKILL);
        }
        let _ = fs::remove_dir_all(&self.socket_dir);
    }
}

fn take_folder(folder: &Path) -> Result<Flock<fs::File>, CannotStart> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|error| CannotStart::System("make the data folder", error))?;
    let file = fs::File::create(folder.join("lock"));
    let file = file.map_err(|error| CannotStart::System("open the lock file", error))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| CannotStart::InUse(folder.to_owned()))
}

fn make(
    options: &Options,
    binaries: &Binaries,
    owner: Owner,
    cluster: &Path,
) -> Result<(), CannotStart> {
    // What stands there without a version is a cluster whose making was cut short.
    let _ = fs::remove_dir_all(cluster);
    let made = fs::DirBuilder::new().mode(0o700).create(cluster);
    made.and_then(|()| owner::give(cluster, owner))
        .map_err(|error| CannotStart::System("make the cluster folder", error))?;
    let program = binaries.folder.join("initdb");
    let output = guard::command(
        &options.guard,
        owner,
        OnParentDeath::Nothing,
        cluster,
        &program,
    )
    .args([
        "-D",
        FOLDER,
        "-A",
        "trust",
        "-U",
        "sluice",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    ])
    .stdin(Stdio::null())
    .output()
    .map_err(|error| CannotStart::System("run the guard", error))?;
    if output.status.success() {
        return Ok(());
    }
    let _ = fs::remove_dir_all(cluster);
    Err(CannotStart::Failed(
        "initdb",
        tail(&String::from_utf8_lossy(&output.stderr)),
    ))
}

/// A server whose owner was killed is still shutting down for a moment.
fn wait_for_predecessor(cluster: &Path) {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).unwrap_or_default();
    let Some(pid) = text.lines().next().and_then(|line| line.parse().ok()) else {
        return;
    };
    let since = Instant::now();
    while kill(Pid::from_raw(pid), None).is_ok()
        && cluster.join("postmaster.pid").exists()
        && since.elapsed() < STOPPED_WITHIN
    {
        thread::sleep(Duration::from_millis(10));
    }
}

type Spawned = (Pid, mpsc::Receiver<io::Result<ExitStatus>>);

fn spawn(
    options: &Options,
    binaries: &Binaries,
    owner: Owner,
    socket_dir: &Path,
) -> Result<Spawned, CannotStart> {
    let log = fs::File::create(options.data_dir.join("postgres.log"));
    let log = log.map_err(|error| CannotStart::System("open the server's log", error))?;
    let cluster = options.data_dir.join("cluster");
    let program = binaries.folder.join("postgres");
    let mut command = guard::command(
        &options.guard,
        owner,
        OnParentDeath::Interrupt,
        &cluster,
        &program,
    );
    command.args(["-D", FOLDER, "-k"]).arg(socket_dir);
    let usual = [
        "listen_addresses=",
        "synchronous_commit=off",
        "max_connections=200",
    ];
    // Of two values for one setting the later counts.
    let more = options.settings.iter().map(String::as_str);
    for setting in usual.into_iter().chain(more) {
        command.args(["-c", setting]);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    // An interrupt from the terminal is for the owner alone, who stops the server when it is done with it.
    command.process_group(0);
    let (started, starting) = mpsc::channel();
    let (finished, ended) = mpsc::channel();
    thread::spawn(move || match command.spawn() {
        Ok(mut child) => {
            let _ = started.send(Ok(child.id()));
            let _ = finished.send(child.wait());
        }
        Err(error) => drop(started.send(Err(error))),
    });
    let gone = |_| CannotStart::System("start a thread", io::ErrorKind::Other.into());
    let pid = starting.recv().map_err(gone)?;
    let pid = pid.map_err(|error| CannotStart::System("run the guard", error))?;
    Ok((Pid::from_raw(i32::try_from(pid).unwrap_or(0)), ended))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
