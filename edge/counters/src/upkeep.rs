//! What keeps counters true behind the requests: settlements are sent, leases renewed, Redis dialled again.
//!
//! Knows nothing of why a request settled. One task for each thread; it never holds up a request. Once a
//! settlement is taken from the queue it is sent until it is answered, refused too often, or the drain is over.

use std::{sync::Arc, time::Duration};

use lifecycle::drain::{Drain, Phase};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::{
    counters::{Parts, Remote, expired},
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

/// How long a thread that drains must have had nothing to do before its upkeep ends.
const QUIET: Duration = Duration::from_secs(1);

/// How many hold [`Parts`] when only the upkeep is left: itself, and the handle of the loop that runs.
const ALONE: usize = 2;

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
    renew_at: Instant,
    dial_at: Instant,
    send_at: Instant,
    quiet_since: Option<Instant>,
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

    /// Runs until nobody can ask any more and everything is sent: when all [`crate::Counters`] are gone, or the
    /// drain has had nothing to do for a second, or is over. A drain does not wait for a Redis that is away.
    /// What is left then and was reserved in Redis is charged in full when its lease ends; what was admitted
    /// from this edge's share is not charged.
    pub async fn run(mut self, drain: Drain) {
        tokio::select! {
            () = drain.over() => {}
            () = self.work(&drain) => {}
        }
        let parts = Arc::clone(&self.parts);
        let Some(remote) = &parts.remote else { return };
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

    async fn work(&mut self, drain: &Drain) {
        let parts = Arc::clone(&self.parts);
        let now = Instant::now();
        let mut agenda = Agenda {
            renew_at: now + self.third_of_a_lease(),
            dial_at: now,
            send_at: now,
            quiet_since: None,
        };
        loop {
            if let Some(remote) = &parts.remote {
                self.tend(remote, &mut agenda).await;
            }
            if Instant::now() >= agenda.renew_at {
                agenda.renew_at = Instant::now() + self.third_of_a_lease();
                self.renew().await;
            }
            let draining = drain.phase() >= Phase::Draining;
            if self.may_end(draining, &mut agenda) {
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
                () = sleep_until(self.next(&agenda)) => {}
                () = drain.draining(), if !draining => {}
            }
        }
    }

    /// Dials when the way is blocked, and sends when it is clear.
    async fn tend(&mut self, remote: &Remote, agenda: &mut Agenda) {
        if remote.link.clear_now().is_none() && Instant::now() >= agenda.dial_at {
            // A second, give or take a quarter, so that edges do not dial in step.
            let pause_ms = fastrand::u64(750..1_250);
            agenda.dial_at = Instant::now() + Duration::from_millis(pause_ms);
            remote.link.dialling();
            let dialled = self.dial().await;
            remote.link.dialled(dialled);
        }
        if let Some(clear) = remote.link.clear_now()
            && Instant::now() >= agenda.send_at
        {
            match self.send(&clear.connection).await {
                Ok(0) => {}
                Ok(_) => remote.link.answered(),
                Err(failure) => {
                    remote.link.failed(&clear, &failure);
                    agenda.send_at = Instant::now() + RESEND_AFTER;
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

    fn may_end(&self, draining: bool, agenda: &mut Agenda) -> bool {
        let remote = self.parts.remote.as_ref();
        if remote.is_none() && draining {
            // Whatever is held here ends with this process.
            return true;
        }
        let sent = self.batch.is_empty() && remote.is_none_or(|remote| remote.queue.is_empty());
        if sent && Arc::strong_count(&self.parts) <= ALONE {
            return true;
        }
        let idle = sent || remote.is_some_and(|remote| remote.link.is_blocked());
        if !draining || !idle || !self.parts.live.is_empty() {
            agenda.quiet_since = None;
            return false;
        }
        agenda
            .quiet_since
            .get_or_insert_with(Instant::now)
            .elapsed()
            >= QUIET
    }

    fn next(&self, agenda: &Agenda) -> Instant {
        let mut next = agenda.renew_at;
        if let Some(remote) = &self.parts.remote {
            if remote.link.clear_now().is_none() {
                next = next.min(agenda.dial_at);
            } else if !self.batch.is_empty() || !remote.queue.is_empty() {
                next = next.min(agenda.send_at);
            }
        }
        agenda
            .quiet_since
            .map_or(next, |since| next.min(since + QUIET))
    }

    fn third_of_a_lease(&self) -> Duration {
        Duration::from_millis(self.parts.lease_ms / 3)
    }
}
