//! `sluice dev`: the control plane, an edge and the demo provider in this process, over a private Postgres.
//!
//! Owns the order in which they start and leave. Knows both planes from outside only: their settings, their
//! addresses and their admin API. Whatever way it ends, the database ends with it.

use std::{path::PathBuf, pin::pin, time::Duration};

use clap::Args;
use lifecycle::{drain, logs};
use tokio::task::JoinHandle;

use crate::{
    failure::{Exit, Failure},
    output,
};

pub mod progress;
pub mod folder;
pub mod database;
pub mod control_plane;
pub mod probe;
pub mod edge;
pub mod content;
pub mod greeting;
pub mod site;

use folder::Folder;
use progress::Progress;
use site::Site;

/// How long answers that are on their way may take once it is told to end.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// How to run it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where everything is kept between starts [default: ~/.local/share/sluice/dev]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print one line of JSON when all is ready: base URL, key, model, admin address, operator's key
    #[arg(long)]
    json: bool,
    /// The folder of the Postgres programs, version 14 or newer; without it, they are looked for
    #[arg(long, value_name = "BIN_DIR")]
    postgres: Option<PathBuf>,
    /// Log on standard error what happens, not only what is wrong
    #[arg(long, short)]
    verbose: bool,
}

/// Runs it until it is told to end.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let filter = if arguments.verbose { "info" } else { "warn" };
    let logs = logs::Config {
        filter: filter.to_owned(),
        ..Default::default()
    };
    logs::init(&logs, None).map_err(Failure::broken)?;
    let folder = Folder::open(arguments.data_dir.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::system("start the runtime", &error))?;
    runtime.block_on(Box::pin(serve(arguments, folder)))
}

async fn serve(arguments: Arguments, folder: Folder) -> Result<(), Failure> {
    let (trigger, leaving) = drain::channel(Duration::ZERO, DRAIN_DEADLINE);
    let mut signalled = pin!(drain::signals(trigger));
    let progress = Progress::start();
    let site = tokio::select! {
        started = Box::pin(Site::start(arguments.postgres, &folder, leaving, &progress)) => started,
        // What had started by then is dropped, and stops.
        heeded = &mut signalled => return heeded.map_err(|why| no_signals(&why)),
    };
    progress.finish();
    let Site {
        database,
        control_plane,
        edge,
        demo,
        facts,
    } = site?;
    output::line(if arguments.json {
        greeting::json(&facts)
    } else {
        greeting::text(&facts, &folder)
    })?;

    let (mut edge, mut serving) = (edge.run(), control_plane.serving);
    let early = tokio::select! {
        heeded = &mut signalled => heeded.map_err(|why| no_signals(&why)),
        ended = &mut edge => Err(ended_early("the edge", ended)),
        ended = &mut serving => Err(ended_early("the control plane", ended)),
    };
    if early.is_ok() {
        // The edge goes first, so that it has someone to report its last usage to.
        let left = edge.await;
        control_plane.trigger.start();
        let both = [("the edge", left), ("the control plane", serving.await)];
        for (name, left) in both {
            if !matches!(left, Ok(Ok(()))) {
                output::remark(format_args!("sluice: {name} did not end well"));
            }
        }
    }
    demo.abort();
    database.stop().await;
    early
}

/// A part of the process, on its own task.
type Part = JoinHandle<Result<(), String>>;

fn ended_early(part: &str, ended: Result<Result<(), String>, tokio::task::JoinError>) -> Failure {
    let why = match ended {
        Ok(Ok(())) => "without a reason".to_owned(),
        Ok(Err(why)) => why,
        Err(why) => why.to_string(),
    };
    Failure::new(Exit::Failed, format!("{part} ended before its time: {why}"))
}

fn no_signals(error: &std::io::Error) -> Failure {
    Failure::system("listen for signals", error)
}
