//! `sluice-load`: measures what Sluice costs, and fails when an answer, a count or a bar is not as it should be.
//!
//! Owns the command line and the exit codes. Knows nothing of how anything is measured.

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    process::ExitCode,
    thread,
};

use clap::Parser;
use load::{plan::Plan, report::Report, run};
use tokio::{runtime, task::LocalSet};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures an edge and a bare proxy in one run and prints the ratios. Exits with 1 when an answer differs from
/// the expected one, when the counts disagree or when a bar is missed.
#[derive(Debug, Parser)]
struct Cli {
    /// Ask little, and hold nothing against the bars of cost: for debug builds
    #[arg(long)]
    short: bool,
    /// Print a document with every round instead of the table
    #[arg(long)]
    json: bool,
    /// Rounds of each phase, instead of the plan's own
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: Option<u32>,
    /// Cores for the edge, the bare proxy and the provider each; all of them by default
    #[arg(long)]
    cores: Option<NonZeroUsize>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match report(&cli) {
        Ok(report) if say(&cli, &report).is_ok() && report.missed.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            // Standard error may be gone; the exit code says it all the same.
            let _ = writeln!(io::stderr(), "sluice-load: {why}");
            ExitCode::FAILURE
        }
    }
}

fn report(cli: &Cli) -> Result<Report, run::Failed> {
    let cores = cli.cores.or_else(|| thread::available_parallelism().ok());
    let cores = cores.unwrap_or(NonZeroUsize::MIN);
    let mut plan = if cli.short {
        Plan::short(cores)
    } else {
        Plan::full(cores)
    };
    for rounds in [
        &mut plan.requests.0,
        &mut plan.long.0,
        &mut plan.arrivals.0,
        &mut plan.streams.0,
    ] {
        *rounds = cli.rounds.unwrap_or(*rounds);
    }
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(run::Failed::System)?;
    LocalSet::new().block_on(&runtime, run::run(plan))
}

fn say(cli: &Cli, report: &Report) -> io::Result<()> {
    let text = if cli.json {
        format!("{:#}\n", report.document())
    } else {
        report.table()
    };
    io::stdout().lock().write_all(text.as_bytes())
}
