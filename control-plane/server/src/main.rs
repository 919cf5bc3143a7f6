//! `sluice-control-plane`: reads its settings, then serves or migrates.
//!
//! Owns the command line, the exit codes and the one line that is ever printed: a new operator key, or a wrapped sealing key. Knows nothing of
//! what is served.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use lifecycle::{build, drain, logs, settings, tap};
use server::{
    config::Config,
    server::{cannot_start::CannotStart, migrate, operator_key, seal_key, start},
};
use tracing::{error, info};
use zeroize::Zeroizing;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The control plane of Sluice.
#[derive(Debug, Parser)]
#[command(name = "sluice-control-plane", version = build::VERSION)]
struct Cli {
    /// The settings, as TOML; variables `SLUICE_SECTION__FIELD` stand over them
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Serve operators and edges until SIGTERM
    Serve,
    /// Bring the database to the shape that this build needs, and exit
    Migrate,
    /// Make another operator key, for when the first one was lost, show it once, and exit
    OperatorKey {
        /// Where to write it, readable by this user alone, instead of showing it
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Have the service of `[seal.vault]`, `[seal.aws_kms]`, `[seal.google_kms]` or `[seal.azure_key_vault]` draw a sealing key, show it wrapped, for `seal.key_file`, and exit
    SealKey,
}

/// How the process ends. Zero is success, and 2 is a command line that is not understood.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Exit {
    /// A part ended before its time; the log says which.
    Stopped = 1,
    /// The settings are not usable.
    Settings = 3,
    /// The database lacks migrations: run `migrate`.
    NotMigrated = 4,
    /// It could not start or migrate for another reason.
    CannotStart = 5,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => ExitCode::from(exit as u8),
    }
}

fn run(cli: &Cli) -> Result<(), Exit> {
    let config: Config = settings::load(cli.config.as_deref(), settings::vars())
        .map_err(|why| complain(&why, Exit::Settings))?;
    let tap = config.telemetry.wants_logs().then(tap::open);
    logs::init(&config.logs, tap).map_err(|why| complain(&why, Exit::Settings))?;
    info!(build = build::line(), ?config, "starting");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|why| complain(&why, Exit::CannotStart))?;
    match cli.command {
        Command::Serve => runtime.block_on(Box::pin(serve(config))),
        Command::Migrate => runtime
            .block_on(Box::pin(migrate(&config)))
            .map_err(|why| refuse(&why)),
        Command::OperatorKey { ref file } => {
            runtime.block_on(Box::pin(make_operator_key(&config, file.as_deref())))
        }
        Command::SealKey => runtime.block_on(Box::pin(draw_seal_key(&config))),
    }
}

async fn make_operator_key(config: &Config, file: Option<&Path>) -> Result<(), Exit> {
    let made = operator_key(config, file).await;
    let text = made.map_err(|why| refuse(&why))?;
    show(Some(&text), file.is_some()).map_err(|why| complain(&why, Exit::CannotStart))
}

async fn draw_seal_key(config: &Config) -> Result<(), Exit> {
    let wrapped = seal_key(config).await.map_err(|why| refuse(&why))?;
    // Alone on its line, so that it can be led into a file; whoever reads it cannot unwrap it.
    writeln!(io::stdout().lock(), "{wrapped}").map_err(|why| complain(&why, Exit::CannotStart))
}

async fn serve(config: Config) -> Result<(), Exit> {
    let (trigger, drain) = drain::channel(config.drain.grace(), config.drain.deadline());
    let in_a_file = config.admin.operator_key_file.is_some();
    let running = start(config, drain).await.map_err(|why| refuse(&why))?;
    show(running.operator_key.as_ref(), in_a_file)
        .map_err(|why| complain(&why, Exit::CannotStart))?;
    let served = async { running.join().await };
    let signalled = async {
        let heeded = drain::signals(trigger).await;
        heeded.map_err(|why| complain(&why, Exit::CannotStart))?;
        std::future::pending::<Result<(), Exit>>().await
    };
    tokio::select! {
        served = served => served.map_err(|why| complain(&why, Exit::Stopped)),
        failed = signalled => failed,
    }
}

/// The one thing that is ever printed: whoever had an operator key made needs it and cannot get it again.
fn show(operator_key: Option<&Zeroizing<String>>, in_a_file: bool) -> io::Result<()> {
    match operator_key {
        Some(text) if !in_a_file => {
            writeln!(io::stdout().lock(), "operator key: {}", text.as_str())
        }
        Some(_) | None => Ok(()),
    }
}

fn refuse(why: &CannotStart) -> Exit {
    let exit = match why {
        CannotStart::NotMigrated(_) => Exit::NotMigrated,
        CannotStart::Seal(_)
        | CannotStart::NoSealingKey
        | CannotStart::InvalidSealingKey(_)
        | CannotStart::TooManySealingKeys(_)
        | CannotStart::Custodian(_)
        | CannotStart::NoCustodian
        | CannotStart::Certificates(_)
        | CannotStart::Sink(_)
        | CannotStart::Telemetry(_) => Exit::Settings,
        _ => Exit::CannotStart,
    };
    complain(why, exit)
}

/// Before the log is set up, and where it goes elsewhere, the reason still reaches who started the process.
fn complain(why: &dyn std::fmt::Display, exit: Exit) -> Exit {
    error!("sluice-control-plane ends: {why}");
    if !tracing::enabled!(tracing::Level::ERROR) {
        // Nobody is left to be told if this fails too.
        let _ = writeln!(io::stderr().lock(), "sluice-control-plane: {why}");
    }
    exit
}
