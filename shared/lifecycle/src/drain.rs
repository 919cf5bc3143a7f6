//! The drain: how a process leaves without failing anyone.
//!
//! Knows phases and durations, and nothing of what is being finished. Phases only go forward: serving,
//! leaving (not ready, yet still accepting, while balancers look away), draining (accepts no more,
//! finishes), over (what is left is cut).

use std::{future, io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::sleep,
};
use tracing::info;

/// Where the process is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not on its way.
    Serving,
    /// No longer ready, but accepting.
    Leaving,
    /// Accepting no more; finishing what it has.
    Draining,
    /// Out of time: what is unfinished is cut.
    Over,
}

/// Starts the drain. Dropped without that, it never starts.
#[derive(Debug)]
pub struct Trigger {
    phase: watch::Sender<Phase>,
    grace: Duration,
    deadline: Duration,
}

/// Follows the drain. Clones follow the same one, on any runtime.
#[derive(Debug, Clone)]
pub struct Drain(watch::Receiver<Phase>);

/// A drain that leaves for `grace` and then drains for at most `deadline`.
pub fn channel(grace: Duration, deadline: Duration) -> (Trigger, Drain) {
    let (phase, seen) = watch::channel(Phase::Serving);
    (
        Trigger {
            phase,
            grace,
            deadline,
        },
        Drain(seen),
    )
}

/// Starts the drain at the first SIGTERM or SIGINT, and comes back; a second one ends it at once.
///
/// Must be polled before the first signal to be heeded: until then a signal ends the process, as it does by
/// default.
pub async fn signals(trigger: Trigger) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let name = either(&mut terminate, &mut interrupt).await;
    info!(signal = name, grace = ?trigger.grace, deadline = ?trigger.deadline, "draining");
    tokio::spawn(async move {
        tokio::select! {
            () = trigger.run() => {}
            name = either(&mut terminate, &mut interrupt) => {
                info!(signal = name, "cutting what is unfinished");
                trigger.phase.send_replace(Phase::Over);
            }
        }
    });
    Ok(())
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

// === impl Trigger ===

impl Trigger {
    /// Starts the drain, on the runtime that calls; it goes through its phases by itself.
    pub fn start(self) {
        // Told before the task runs, so that whoever called this reads the phase it caused.
        self.phase.send_replace(Phase::Leaving);
        tokio::spawn(async move { self.run().await });
    }

    async fn run(&self) {
        self.phase.send_replace(Phase::Leaving);
        sleep(self.grace).await;
        self.phase.send_replace(Phase::Draining);
        sleep(self.deadline).await;
        self.phase.send_replace(Phase::Over);
    }
}

// === impl Drain ===

impl Drain {
    /// Where the process is.
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Comes back once the process is no longer ready, or further on its way.
    pub async fn leaving(&self) {
        self.at_least(Phase::Leaving).await;
    }

    /// Comes back once nothing more is accepted, or further on its way.
    pub async fn draining(&self) {
        self.at_least(Phase::Draining).await;
    }

    /// Comes back once the deadline has passed.
    pub async fn over(&self) {
        self.at_least(Phase::Over).await;
    }

    async fn at_least(&self, phase: Phase) {
        let reached = self.0.clone().wait_for(|now| *now >= phase).await.is_ok();
        if !reached {
            // The trigger was dropped unused, so nobody will ever start this drain.
            future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
#[path = "drain_test.rs"]
mod tests;
