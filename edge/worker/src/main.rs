//! `sluice-edge`: reads its settings and serves until told to leave.
//!
//! Owns the command line and the exit codes. Knows nothing of what is served.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use lifecycle::{build, drain, logs, settings, tap};
use worker::{CannotStart, Config, worker::Stopped};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An edge of Sluice.
#[derive(Debug, Parser)]
#[command(name = "sluice-edge", version = build::VERSION)]
struct Cli {
    /// The settings, as TOML; variables `SLUICE_SECTION__FIELD` stand over them
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Serve clients until SIGTERM
    Serve,
}

/// How the process ends. Zero is success, and 2 is a command line that is not understood.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Exit {
    /// A part ended before its time; the log says which.
    Stopped = 1,
    /// The settings are not usable.
    Settings = 3,
    /// It could not start for another reason.
    CannotStart = 5,
}

fn main() -> ExitCode {
    let Cli {
        config,
        command: Command::Serve,
    } = Cli::parse();
    match serve(config.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => ExitCode::from(exit as u8),
    }
}

fn serve(file: Option<&Path>) -> Result<(), Exit> {
    let config: Config =
        settings::load(file, settings::vars()).map_err(|why| complain(&why, Exit::Settings))?;
    let tap = config.telemetry.wants_logs().then(tap::open);
    logs::init(&config.logs, tap).map_err(|why| complain(&why, Exit::Settings))?;
    tracing::info!(build = build::line(), ?config, "starting");
    // One thread: the cores have their own, and what is left is the feed and the probes.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.map_err(|why| complain(&why, Exit::CannotStart))?;
    runtime.block_on(async {
        let (trigger, drain) = drain::channel(config.drain.grace(), config.drain.deadline());
        let running = worker::start(config, drain)
            .await
            .map_err(|why| refuse(&why))?;
        let leaving = async {
            drain::signals(trigger)
                .await
                .map_err(|why| complain(&why, Exit::CannotStart))?;
            std::future::pending().await
        };
        tokio::select! {
            ended = running.join() => ended.map_err(|Stopped| Exit::Stopped),
            failed = leaving => failed,
        }
    })
}

fn refuse(why: &CannotStart) -> Exit {
    let settings = !matches!(why, CannotStart::Listen(_) | CannotStart::System(_));
    complain(
        why,
        if settings {
            Exit::Settings
        } else {
            Exit::CannotStart
        },
    )
}

/// Says on standard error why it ends: the log may not be there yet, or not be read by whoever typed the command.
fn complain(why: &dyn std::error::Error, exit: Exit) -> Exit {
    // Standard error itself may be gone; then there is nobody to tell.
    let _ = writeln!(io::stderr(), "sluice-edge: {why}");
    exit
}
