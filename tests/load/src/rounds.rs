//! The rounds: each asks one target in one way, and reads what that cost.
//!
//! Targets take turns, and each round begins with another one, so that a busy neighbour or a warm cache meets
//! all alike. Keeps what was measured; judges nothing.

use std::{fmt, time::Duration};

use harness::progress::Progress;
use tokio::time::sleep;

use crate::{
    arrivals,
    connection::Broken,
    installation::{Installation, Target},
    plan::{AFTERMATH, Plan, SHORT_BYTES},
    procfs::{self, Meter, Spent},
    saturated::{self, Bounds, Question, Served},
    script::Kind,
    streams,
};

/// How a target is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// One plain client, one request after another.
    Alone,
    /// A closed loop with short bodies.
    Requests,
    /// A closed loop with long bodies.
    Long,
    /// An open loop, at this rate.
    Arrivals(u32),
    /// Streams at play.
    Streams,
    /// The same streams, translated from Anthropic's dialect.
    Across,
}

/// One round.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// How.
    pub phase: Phase,
    /// Who.
    pub target: Target,
    /// What the cost is divided by: requests, or chunks of streams.
    pub units: u32,
    /// What it cost.
    pub spent: Spent,
    /// How long the answers took; of streams, the first bytes of them.
    pub elapsed: Duration,
    /// The median of the answers' times.
    pub p50: Duration,
    /// Within this 99 of 100 answers stayed.
    pub p99: Duration,
}

/// Memory of one target.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Who.
    pub target: Target,
    /// How many streams were held.
    pub streams: u32,
    /// In use when warm, with none open.
    pub warm_kib: u32,
    /// In use with all of them open.
    pub silent_kib: u32,
}

/// All that was measured.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// The rounds, in order.
    pub rounds: Vec<Round>,
    /// The memory.
    pub memory: Vec<Memory>,
    /// Requests that were answered by each of [`Target::ALL`].
    pub asked: [u64; 4],
}

/// A round that failed.
#[derive(Debug)]
pub struct Failed {
    what: String,
    why: Broken,
}

/// What rounds are run with.
pub struct Rounds<'a> {
    installation: &'a Installation,
    plan: &'a Plan,
    progress: &'a Progress,
    measured: Measured,
}

/// How long the plain client may take.
const ALONE: Duration = Duration::from_secs(20);

// === impl Rounds ===

impl<'a> Rounds<'a> {
    /// Nothing has been measured yet.
    pub fn new(installation: &'a Installation, plan: &'a Plan, progress: &'a Progress) -> Self {
        Self {
            installation,
            plan,
            progress,
            measured: Measured::default(),
        }
    }

    /// All of the plan.
    pub async fn all(mut self) -> Result<Measured, Failed> {
        let plan = self.plan;
        self.turns(Phase::Alone, &Target::WAITED, 1).await?;
        // While the processes are fresh, so that no memory is there already that streams could use.
        for target in Target::PROXIES {
            self.memory(target)
                .await
                .map_err(|why| failed("silent streams", target, why))?;
        }
        let saturated = [Target::Bare, Target::Sluice, Target::Off];
        self.turns(Phase::Requests, &saturated, plan.requests.0)
            .await?;
        // In turns, because their costs are compared.
        for _ in 0..plan.streams.0 {
            self.turns(Phase::Streams, &Target::PROXIES, 1).await?;
            self.turns(Phase::Across, &[Target::Sluice], 1).await?;
        }
        self.turns(Phase::Long, &Target::PROXIES, plan.long.0)
            .await?;
        for rate in plan.rates {
            self.turns(Phase::Arrivals(rate), &Target::WAITED, plan.arrivals.0)
                .await?;
        }
        Ok(self.measured)
    }

    async fn turns(&mut self, phase: Phase, targets: &[Target], rounds: u32) -> Result<(), Failed> {
        let mut order = targets.to_vec();
        for round in 1..=rounds {
            for target in order.clone() {
                self.progress.step(&format!(
                    "{phase}, {}, round {round} of {rounds}",
                    target.name()
                ));
                let why = |why| failed(&phase.to_string(), target, why);
                self.round(phase, target, round.into()).await.map_err(why)?;
            }
            order.rotate_left(1);
        }
        Ok(())
    }

    async fn round(&mut self, phase: Phase, target: Target, seed: u64) -> Result<(), Broken> {
        let plan = self.plan;
        procfs::lull(plan.lull.0, plan.lull.1).await?;
        let question = self.question(phase, target);
        let connections = match phase {
            Phase::Alone => 1,
            Phase::Streams | Phase::Across => 0,
            _ => plan.connections,
        };
        let open = saturated::open(&question, connections).await?;
        let meter = Meter::start(self.installation.watched(target))?;
        let served = match phase {
            Phase::Alone => {
                // A stall of 40 ms in each must not end it early.
                let bounds = Bounds {
                    requests_max: plan.alone,
                    time: ALONE,
                };
                saturated::run(&question, open, bounds).await?
            }
            Phase::Requests => saturated::run(&question, open, plan.requests.1).await?,
            Phase::Long => saturated::run(&question, open, plan.long.1).await?,
            Phase::Arrivals(rate) => {
                let course = arrivals::Course {
                    rate,
                    time: plan.arrivals.1,
                    seed,
                };
                arrivals::run(&question, open, course).await?
            }
            Phase::Streams | Phase::Across => streams::play(&question, plan.streams.1).await?,
        };
        sleep(AFTERMATH).await;
        let spent = meter.stop()?;
        self.asked(target, u64::from(served.answers) + connections as u64);
        self.measured
            .rounds
            .push(round(phase, target, &served, spent, plan));
        Ok(())
    }

    async fn memory(&mut self, target: Target) -> Result<(), Broken> {
        self.progress
            .step(&format!("silent streams, {}", target.name()));
        let (plan, pid) = (self.plan, self.installation.pid(target));
        let question = self.question(Phase::Requests, target);
        let bounds = Bounds {
            time: Duration::from_secs(1),
            ..plan.requests.1
        };
        let open = saturated::open(&question, plan.connections).await?;
        let served = saturated::run(&question, open, bounds).await?;
        sleep(AFTERMATH).await;
        let warm_kib = procfs::resident_kib(pid)?;
        let silent = self
            .installation
            .question(target, Kind::Silent, SHORT_BYTES);
        let (request, first) = (&silent.request, &silent.expected);
        let held = streams::hold(silent.address, request, first, plan.silent).await?;
        sleep(AFTERMATH).await;
        let silent_kib = procfs::resident_kib(pid)?;
        drop(held);
        // Their records are due before the next round begins.
        sleep(AFTERMATH).await;
        let asked = u64::from(served.answers) + plan.connections as u64 + u64::from(plan.silent);
        self.asked(target, asked);
        self.measured.memory.push(Memory {
            target,
            streams: plan.silent,
            warm_kib,
            silent_kib,
        });
        Ok(())
    }

    fn question(&self, phase: Phase, target: Target) -> Question {
        let course = self.plan.streams.1;
        let (kind, bytes) = match phase {
            Phase::Long => (Kind::Whole, self.plan.long_bytes),
            Phase::Streams | Phase::Across => {
                let interval_ms = u64::try_from(course.interval.as_millis()).unwrap_or(u64::MAX);
                let kind = if phase == Phase::Streams {
                    Kind::Stream
                } else {
                    Kind::Across
                };
                (kind(course.chunks as usize, interval_ms), SHORT_BYTES)
            }
            _ => (Kind::Whole, SHORT_BYTES),
        };
        self.installation.question(target, kind, bytes)
    }

    fn asked(&mut self, target: Target, answers: u64) {
        for (count, of) in self.measured.asked.iter_mut().zip(Target::ALL) {
            *count += if of == target { answers } else { 0 };
        }
    }
}

fn round(phase: Phase, target: Target, served: &Served, spent: Spent, plan: &Plan) -> Round {
    let each = if matches!(phase, Phase::Streams | Phase::Across) {
        plan.streams.1.chunks
    } else {
        1
    };
    Round {
        phase,
        target,
        units: served.answers * each,
        spent,
        elapsed: served.elapsed,
        p50: served.latency.at(0.5),
        p99: served.latency.at(0.99),
    }
}

fn failed(what: &str, target: Target, why: Broken) -> Failed {
    Failed {
        what: format!("{what}, {}", target.name()),
        why,
    }
}

// === impl Phase ===

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => f.write_str("one plain client"),
            Self::Requests => f.write_str("closed loop"),
            Self::Long => f.write_str("long bodies"),
            Self::Arrivals(rate) => write!(f, "open loop at {rate}/s"),
            Self::Streams => f.write_str("streams"),
            Self::Across => f.write_str("translated streams"),
        }
    }
}

// === impl Failed ===

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for Failed {}
