//! A whole run: start everything, measure, see that all have counted the same, and judge.
//!
//! Knows the order; each part knows the rest.

use std::{fmt, io, time::Duration};

use harness::progress::Progress;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    agreement::{Counts, Disagreement},
    installation::Installation,
    plan::Plan,
    report::Report,
    rounds::{self, Measured, Rounds},
    script, verdict,
};

/// How long the counts may take to agree: usage is on its way for some hundred milliseconds.
const AGREE_WITHIN: Duration = Duration::from_secs(20);
/// How long the counts must stay as they are, so that one too many would be seen.
const STAY: Duration = Duration::from_millis(500);
/// How long to wait before the counts are read again.
const READ_AGAIN: Duration = Duration::from_millis(50);

/// Files that one process may have open beside its streams.
const FILES_BESIDE: u64 = 512;

/// Why a run has no result.
#[derive(Debug)]
pub enum Failed {
    /// A round failed.
    Round(rounds::Failed),
    /// The counts disagree.
    Counts(Disagreement),
    /// It took too long.
    Time(Duration),
    /// So many files may not be open: how many are needed, and how many may be.
    Files(u64, u64),
    /// The system refused something.
    System(io::Error),
}

/// Runs the plan. Must run in a [`tokio::task::LocalSet`].
pub async fn run(plan: Plan) -> Result<Report, Failed> {
    allow_files(plan.silent)?;
    let ran = timeout(plan.time_max, measure(plan)).await;
    ran.map_err(|_| Failed::Time(plan.time_max))?
}

async fn measure(plan: Plan) -> Result<Report, Failed> {
    let progress = Progress::new("load", u64::from(plan.rounds()) + 2);
    progress.step("starting the control plane, an edge, the bare proxy and the provider");
    let mut installation = Installation::start(&plan).await;
    let rounds = Rounds::new(&installation, &plan, &progress);
    let measured = rounds.all().await.map_err(Failed::Round)?;
    progress.step("comparing what everybody counted");
    let counts = counts(&mut installation, &measured)
        .await
        .map_err(Failed::Counts)?;
    let missed = verdict::missed(&measured, &plan);
    Ok(Report {
        plan,
        measured,
        counts,
        missed,
    })
}

/// Waits until all counts agree, and sees that they stay so.
async fn counts(
    installation: &mut Installation,
    measured: &Measured,
) -> Result<Counts, Disagreement> {
    let [direct, bare, sluice, off] = measured.asked;
    let counted = |read: Counts| Counts {
        client: sluice,
        client_off: off,
        client_bare: direct + bare,
        off_tokens: off * script::WHOLE_TOKENS,
        ..read
    };
    let until = Instant::now() + AGREE_WITHIN;
    loop {
        let counts = counted(installation.counts().await);
        let agreed = counts.agree();
        if agreed.is_ok() {
            sleep(STAY).await;
            let again = counted(installation.counts().await);
            return again.agree().map(|()| again);
        }
        if Instant::now() > until {
            return agreed.map(|()| counts);
        }
        sleep(READ_AGAIN).await;
    }
}

/// A proxy has two connections for each stream. What is allowed here is inherited by what we start.
fn allow_files(streams: u32) -> Result<(), Failed> {
    let needed = 2 * u64::from(streams) + FILES_BESIDE;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(Failed::errno)?;
    if hard < needed {
        return Err(Failed::Files(needed, hard));
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(needed), hard).map_err(Failed::errno)
}

// === impl Failed ===

impl Failed {
    fn errno(error: nix::errno::Errno) -> Self {
        Self::System(error.into())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round(why) => why.fmt(f),
            Self::Counts(why) => why.fmt(f),
            Self::Time(most) => write!(f, "the run took longer than {most:?}"),
            Self::Files(needed, hard) => {
                write!(
                    f,
                    "{needed} open files are needed and {hard} allowed: raise `ulimit -Hn`"
                )
            }
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failed {}
