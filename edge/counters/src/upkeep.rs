//! What keeps counters true behind the requests: settlements are sent, leases renewed, Redis dialled again.
//!
//! Knows nothing of why a request settled. One task for each thread; it never holds up a request. Once a
//! settlement is taken from the queue it is sent until it is answered, refused too often, or the time is up.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use lifecycle::drain::Drain;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;

use crate::{
    local::expired,
    parts::{Parts, Remote},
    queue::lost,
    redis::{Connection, Failure, Server},
    reservation::{Settlement, Term},
};

/// The most settlements sent in one round trip.
const BATCH_MAX: usize = 128;

/// A settlement that Redis refuses so often, while it takes others, is given up.
const REFUSALS_MAX: u8 = 8;

/// How long to wait before the same settlements are sent again.
const RESEND_AFTER: Duration = Duration::from_millis(200);

/// How often it is looked whether a loan is over.
const SWEEP: Duration = Duration::from_millis(100);

/// How often all counts of slots are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long the upkeep waits, once the drain is over, for requests that are being cut to settle.
const LAST: Duration = Duration::from_secs(1);

/// Keeps one thread's counters up. To be run on that thread's runtime, before the first request.
pub struct Upkeep {
    parts: Arc<Parts>,
    server: Option<Server>,
    /// Taken from the queue and not answered yet, each with how often it was refused.
    // Full: the rest waits in the queue.
    batch: Vec<(Settlement, u8)>,
}

/// When to do what next.
struct Agenda {
    renew: Instant,
    dial: Instant,
    send: Instant,
    sweep: Instant,
    look: Instant,
}

// === impl Upkeep ===

impl Upkeep {
    pub(crate) fn new(parts: Arc<Parts>, server: Option<Server>) -> Self {
        Self {
            parts,
            server,
            batch: Vec::new(),
        }
    }

    /// Runs until all [`crate::Counters`] are gone and everything is sent, or Redis is away, which is not waited
    /// for then; at the latest until a second after the drain is over. What is left is counted: what was reserved
    /// in Redis is charged in full when its lease ends, what was admitted from this edge's share is not charged.
    pub async fn run(mut self, drain: Drain) {
        let late = async {
            drain.over().await;
            sleep(LAST).await;
        };
        tokio::select! {
            () = self.work() => {}
            () = late => {}
        }
        let parts = Arc::clone(&self.parts);
        let Some(remote) = &parts.remote else { return };
        sweep(remote, true);
        self.say_slots(true).await;
        if let Some(clear) = remote.link.clear_now()
            && let Err(failure) = self.send(&clear.connection).await
        {
            remote.link.failed(&clear, &failure);
        }
        let left = self.batch.len() + remote.queue.take(usize::MAX).len();
        if left > 0 {
            lost(left as u64);
            warn!(left, "leaving with settlements that redis did not take");
        }
    }

    async fn work(&mut self) {
        let parts = Arc::clone(&self.parts);
        let now = Instant::now();
        let mut agenda = Agenda {
            renew: now + self.third_of_a_lease(),
            dial: now,
            send: now,
            sweep: now,
            look: now,
        };
        loop {
            if let Some(remote) = &parts.remote {
                let last = self.is_alone();
                if last || Instant::now() >= agenda.sweep {
                    agenda.sweep = Instant::now() + SWEEP;
                    sweep(remote, last);
                }
                self.tend(remote, &mut agenda).await;
            }
            let all = Instant::now() >= agenda.look;
            if all {
                agenda.look = Instant::now() + LOOK;
            }
            self.say_slots(all).await;
            if Instant::now() >= agenda.renew {
                agenda.renew = Instant::now() + self.third_of_a_lease();
                self.renew().await;
            }
            if self.may_end() {
                return;
            }
            let bell = async {
                match &parts.remote {
                    Some(remote) => remote.link.bell.notified().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = bell => {}
                () = parts.flights.bell.notified() => {}
                () = parts.gone.notified() => {}
                () = sleep_until(self.next(&agenda)) => {}
            }
        }
    }

    /// Dials when the way is blocked, and sends when it is clear.
    async fn tend(&mut self, remote: &Remote, agenda: &mut Agenda) {
        if remote.link.clear_now().is_none() && Instant::now() >= agenda.dial {
            // A second, give or take a quarter, so that edges do not dial in step.
            let pause_ms = fastrand::u64(750..1_250);
            agenda.dial = Instant::now() + Duration::from_millis(pause_ms);
            remote.link.dialling();
            let dialled = self.dial().await;
            remote.link.dialled(dialled);
        }
        if let Some(clear) = remote.link.clear_now()
            && Instant::now() >= agenda.send
        {
            match self.send(&clear.connection).await {
                Ok(0) => {}
                Ok(_) => remote.link.answered(),
                Err(failure) => {
                    remote.link.failed(&clear, &failure);
                    agenda.send = Instant::now() + RESEND_AFTER;
                }
            }
        }
    }

    /// Dials, and sends everything that was kept, before the connection is trusted with new requests.
    async fn dial(&mut self) -> Result<Connection, Failure> {
        let Some(server) = &self.server else {
            return Err(Failure::Lost);
        };
        let connection = server.dial().await?;
        self.send(&connection).await?;
        self.parts.flights.forgotten();
        self.say_slots_to(&connection, true).await?;
        Ok(connection)
    }

    /// Sends until nothing waits; says how many were answered.
    async fn send(&mut self, connection: &Connection) -> Result<usize, Failure> {
        let parts = Arc::clone(&self.parts);
        let Some(remote) = &parts.remote else {
            return Ok(0);
        };
        let mut sent = 0;
        loop {
            if self.batch.is_empty() {
                let taken = remote.queue.take(BATCH_MAX).into_iter();
                self.batch.extend(taken.map(|settlement| (settlement, 0)));
            }
            if self.batch.is_empty() {
                return Ok(sent);
            }
            let settlements = self.batch.iter().map(|(settlement, _)| settlement);
            // Whatever ends this call early leaves the batch in place, and it is sent again.
            let replies = connection.settle(settlements, None).await?;
            let mut refused = None;
            for ((settlement, refusals), reply) in
                std::mem::take(&mut self.batch).into_iter().zip(replies)
            {
                match reply {
                    Ok(reply) => {
                        sent += 1;
                        expired(reply.expired);
                        let whose = settlement.request.organization;
                        parts.estate.note(whose, reply.bequests);
                    }
                    Err(failure) => {
                        refused = Some(failure);
                        if refusals < REFUSALS_MAX {
                            self.batch.push((settlement, refusals + 1));
                        } else {
                            lost(1);
                        }
                    }
                }
            }
            if let Some(failure) = refused {
                return Err(failure);
            }
        }
    }

    /// Says how many slots of each count are this process's, where that has changed; with `all`, also where it was not said
    /// for long.
    async fn say_slots(&self, all: bool) {
        let parts = &*self.parts;
        if parts.flights.is_empty() {
            return;
        }
        let now = std::time::Instant::now();
        let Some(remote) = &parts.remote else {
            let saying = parts.flights.due(all, now);
            let now_ms = parts.local.clock.now_ms();
            let heard = parts.local.twin().hold_slots(&saying, now_ms);
            return parts.flights.said(&saying, &heard, now);
        };
        let Some(clear) = remote.link.clear_now() else {
            return;
        };
        match self.say_slots_to(&clear.connection, all).await {
            Ok(true) => remote.link.answered(),
            Ok(false) => {}
            Err(failure) => remote.link.failed(&clear, &failure),
        }
    }

    /// The same over this connection; whether there was anything to say.
    async fn say_slots_to(&self, connection: &Connection, all: bool) -> Result<bool, Failure> {
        let flights = &self.parts.flights;
        let now = std::time::Instant::now();
        let saying = flights.due(all, now);
        if saying.is_empty() {
            return Ok(false);
        }
        let heard = connection.hold_slots(&saying, None).await?;
        flights.said(&saying, &heard, now);
        Ok(true)
    }

    /// Renews every lease of this thread. A lease that is missed now has two more chances.
    async fn renew(&self) {
        let ids = self.parts.live.ids();
        let local = &self.parts.local;
        let lease_ms = self.parts.lease_ms;
        let now_ms = local.clock.now_ms();
        for (organization, ids) in &ids {
            local.twin().renew(*organization, ids, lease_ms, now_ms);
        }
        if let Some(remote) = &self.parts.remote
            && let Some(clear) = remote.link.clear_now()
            && !ids.is_empty()
        {
            match clear
                .connection
                .renew(
                    &ids,
                    Term {
                        lease_ms,
                        now_ms: None,
                    },
                )
                .await
            {
                Ok(_) => remote.link.answered(),
                Err(failure) => remote.link.failed(&clear, &failure),
            }
        }
    }

    /// Whether nobody can ask or settle any more.
    fn is_alone(&self) -> bool {
        // Acquire, so that what the last one settled is seen in the queue.
        self.parts.handles.load(Ordering::Acquire) == 0
    }

    fn may_end(&self) -> bool {
        let alone = self.is_alone();
        let done = |remote: &Remote| {
            remote.link.is_blocked() || (self.batch.is_empty() && remote.queue.is_empty())
        };
        alone && self.parts.remote.as_ref().is_none_or(done)
    }

    fn next(&self, agenda: &Agenda) -> Instant {
        let mut next = agenda.renew;
        if !self.parts.flights.is_empty() {
            next = next.min(agenda.look);
        }
        if let Some(remote) = &self.parts.remote {
            if remote.link.clear_now().is_none() {
                next = next.min(agenda.dial);
            } else if !self.batch.is_empty() || !remote.queue.is_empty() {
                next = next.min(agenda.send);
            }
            if !remote.escrow.is_empty() {
                next = next.min(agenda.sweep);
            }
        }
        next
    }

    fn third_of_a_lease(&self) -> Duration {
        Duration::from_millis(self.parts.lease_ms / 3)
    }
}

/// Sends back what was borrowed and is over; all of it when nobody can ask any more.
fn sweep(remote: &Remote, all: bool) {
    for settlement in remote.escrow.sweep(std::time::Instant::now(), all) {
        remote.queue.push(settlement);
    }
}
