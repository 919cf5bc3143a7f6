//! Brings the notices that are owed to where they go.
//!
//! Owns how many are brought at once, and how often one is tried. Every replica brings; a notice that one tries is nobody else's for
//! a minute. What is owed stands in the database: a process that dies has forgotten nothing, and may have delivered what it could
//! not note any more. Then it goes again, under the same id.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use courier::{Courier, Event, Notice};
use futures_util::future::join_all;
use lifecycle::clock::Clock;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use seal::Ring;
use store::{
    Store, StoreError,
    alert_channel::{self, Row},
    alert_notice::{Owed, Tried},
};
use tokio::{sync::Notify, time::timeout};
use tracing::warn;
use uuid::Uuid;

use crate::api::alert_channel_wire::destination;

/// How many notices are brought at once.
const AT_ONCE: u16 = 16; // Full: the others wait in the database.

/// For how long a notice that is tried is nobody else's; longer than a try may take.
const OURS: Duration = Duration::from_mins(1);

/// How often a notice is tried: for about an hour.
const TRIES_MAX: u32 = 15; // Full: it is given up, which its alert shows.

/// How long after a failure it is tried again: at first, and at most.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_mins(10);

/// How long nobody looks when no bell is heard.
const SCAN_EVERY: Duration = Duration::from_secs(1);

/// Brings notices.
pub struct Teller {
    store: Store,
    sealing: Ring,
    clock: Clock,
    courier: Courier,
    /// Rung when there is something to bring.
    bell: Arc<Notify>,
}

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_alert_notice_total",
        "Tries to bring notices of alerts, by the kind of channel and what became of them"
    );
    describe_gauge!("sluice_alert_notice_owed", "Notices of alerts that wait");
}

// === impl Teller ===

impl Teller {
    /// Brings by this courier what rests sealed under this key.
    pub fn new(
        store: Store,
        (sealing, clock): (Ring, Clock),
        courier: Courier,
        bell: Arc<Notify>,
    ) -> Self {
        Self {
            store,
            sealing,
            clock,
            courier,
            bell,
        }
    }

    /// Brings, for as long as the process lives.
    pub async fn run(self) -> Infallible {
        loop {
            let more = match self.round().await {
                Ok(more) => more,
                Err(error) => {
                    warn!(%error, "Notices of alerts cannot be brought, trying again");
                    false
                }
            };
            if !more {
                // A look comes without the bell too.
                let _ = timeout(SCAN_EVERY, self.bell.notified()).await;
            }
        }
    }

    /// Brings what is due; whether there may be more.
    async fn round(&self) -> Result<bool, StoreError> {
        let owed = self.store.claim_notices(AT_ONCE, OURS).await?;
        gauge!("sluice_alert_notice_owed").set(counted(self.store.notices_owed().await?));
        if owed.is_empty() {
            return Ok(false);
        }
        let ids: Vec<[u8; 16]> = owed.iter().map(|it| it.channel).collect();
        let channels = alert_channel::of_ids(&self.store, &ids).await?;
        let channels: HashMap<_, _> = channels.into_iter().map(|it| (it.id, it)).collect();
        let each = owed.iter().map(|it| async {
            // One that is gone has taken its notices with it.
            if let Some(channel) = channels.get(&it.channel) {
                let tried = self.bring(it, channel).await;
                if let Err(error) = self.store.note_tried(it, &tried).await {
                    warn!(%error, "What became of a notice cannot be noted: it goes again");
                }
            }
        });
        join_all(each).await;
        Ok(owed.len() == usize::from(AT_ONCE))
    }

    async fn bring(&self, owed: &Owed, channel: &Row) -> Tried {
        let now_ms = self.clock.now_ms();
        let brought = match destination(channel, &self.sealing) {
            None => Err("what is kept of the channel cannot be read: make another one".to_owned()),
            Some(to) => {
                let brought = self.courier.bring(&to, &notice(owed), now_ms).await;
                brought.map_err(|why| why.to_string())
            }
        };
        let kind = match channel.terms.kind {
            1 => "webhook",
            2 => "slack",
            _ => "email",
        };
        let tried = match brought {
            Ok(()) => Tried::Delivered,
            Err(why) if owed.tries >= TRIES_MAX => Tried::GivenUp(why),
            Err(why) => Tried::Again(why, again_after(owed.tries)),
        };
        let result = match &tried {
            Tried::Delivered => "delivered",
            Tried::Again(..) => "failed",
            Tried::GivenUp(..) => "given_up",
        };
        counter!("sluice_alert_notice_total", "channel" => kind, "result" => result).increment(1);
        if let Tried::Again(why, _) | Tried::GivenUp(why) = &tried {
            warn!(channel = %channel.name, why, tries = owed.tries, result, "A notice did not arrive");
        }
        tried
    }
}

/// A count as a gauge has it.
fn counted(it: u64) -> f64 {
    f64::from(u32::try_from(it).unwrap_or(u32::MAX))
}

fn notice(owed: &Owed) -> Notice {
    let organization = format!("organizations/{}", owed.organization);
    let alert = Uuid::from_bytes(owed.alert).simple().to_string();
    Notice {
        id: Uuid::from_bytes(owed.id).to_string(),
        event: match owed.event {
            1 => Event::Firing,
            2 => Event::StillFiring,
            _ => Event::Resolved,
        },
        alert: format!("{organization}/alerts/{alert}"),
        rule: format!("{organization}/alertRules/{}", owed.rule),
        subject: owed.subject.clone(),
        summary: owed.summary.clone(),
        at_ms: owed.at_ms,
    }
}

/// Twice as long each time.
fn again_after(tries: u32) -> Duration {
    let times = 1_u32
        .checked_shl(tries.saturating_sub(1))
        .unwrap_or(u32::MAX);
    AGAIN_AFTER.saturating_mul(times).min(AGAIN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_tried_for_about_an_hour() {
        let rests: Vec<u64> = (1..TRIES_MAX).map(|it| again_after(it).as_secs()).collect();
        assert_eq!(rests[..4], [1, 2, 4, 8]);
        assert_eq!(rests.last(), Some(&600));
        let all: u64 = rests.iter().sum();
        assert!((2_700..4_500).contains(&all), "{all}");
        assert_eq!(again_after(u32::MAX), AGAIN_MAX);
    }
}
