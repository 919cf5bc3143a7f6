//! What a keeper replied to an operation, and what all replies of a trace have reached.
//!
//! Knows nothing of who keeps.

use counters::reservation::{Reply, Reserved, Settled};

/// What an operation gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Replied {
    Reserved(Reply<Reserved>),
    Settled(Reply<Settled>),
    Renewed(u64),
    Heard,
}

/// What a trace has reached.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) granted: u64,
    pub(crate) denied: u64,
    pub(crate) settled: u64,
    pub(crate) charged: u64,
    pub(crate) lent: u64,
    pub(crate) over: u64,
    pub(crate) renewed: u64,
    pub(crate) expired: u64,
    pub(crate) bequests: usize,
    pub(crate) reaped_most: u64,
    pub(crate) deepest: i64,
}

impl Seen {
    /// Takes note of a reply.
    pub(crate) fn count(&mut self, replied: &Replied) {
        let expired = match replied {
            Replied::Reserved(reply) => {
                let (Reserved::Granted { remaining, .. } | Reserved::Denied { remaining, .. }) =
                    &reply.value
                else {
                    return;
                };
                self.deepest = remaining.iter().copied().fold(self.deepest, i64::min);
                match &reply.value {
                    Reserved::Granted { lent, over, .. } => {
                        self.granted += 1;
                        self.over += u64::from(!over.is_empty());
                        self.lent += u64::from(!lent.is_empty());
                    }
                    Reserved::Denied { .. } => self.denied += 1,
                    Reserved::Unknown { .. } | Reserved::Lacking { .. } => {}
                }
                self.bequests += reply.bequests.len();
                reply.expired
            }
            Replied::Settled(reply) => {
                match reply.value {
                    Settled::Released => self.settled += 1,
                    Settled::Charged => self.charged += 1,
                    Settled::Nothing => {}
                }
                self.bequests += reply.bequests.len();
                reply.expired
            }
            Replied::Renewed(count) => {
                self.renewed += count;
                0
            }
            Replied::Heard => 0,
        };
        self.expired += expired;
        self.reaped_most = self.reaped_most.max(expired);
    }
}
