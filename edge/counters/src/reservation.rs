//! The words in which room is asked for, held and given back; the same for Redis and for the twin.
//!
//! Knows nothing of where counts are kept. A reservation is settled at most once, whoever keeps it.

use policy::{
    applying::{Applied, Count, Measure, Shelf},
    id::{CounterId, OrganizationId},
    limit::{Rate, UNITS_MAX},
};

/// The most reservations whose lease has ended that one call looks after. They are charged already; this counts them and
/// gives what they leave. Full: the rest waits for the next call.
pub const REAP_MAX: usize = 32;

/// How long a charge without a reservation is remembered, in milliseconds, so that its retry charges nothing.
pub const CHARGED_KEEP_MS: u64 = 600_000;

/// How long whoever was given a [`Bequest`] has to take care of it, in milliseconds; then the next one is given it.
pub const BEQUEST_TERM_MS: u64 = 30_000;

/// How long a reservation that was charged because its lease ended can still be settled, in milliseconds.
pub const LATE_KEEP_MS: u64 = 600_000;

/// The longest text of a bequest, in bytes.
// Full: whoever writes it cuts it.
pub const BEQUEST_BYTES_MAX: usize = 256;

/// The longest lease, in milliseconds. What keeps reservations is itself kept for a week after it is used.
pub const LEASE_MS_MAX: u64 = 600_000;

/// The longest loan, in milliseconds. A bucket is kept for longer, so that it never forgets what it has lent.
pub const LOAN_MS_MAX: u64 = 30_000;

/// How long a process's claim of slots stands without being written again, in milliseconds.
pub const SLOTS_TERM_MS: u64 = 15_000;

/// A request that asks for room. Its id must never come back for another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    /// Whose limits are asked.
    pub organization: OrganizationId,
    /// Which request; sixteen bytes that never come back.
    pub id: [u8; 16],
}

/// What a request asks of one limit. Each count stands at most once in what a request demands.
#[derive(Debug, Clone)]
pub struct Demand {
    /// The limit, as this edge knows it now, and which count of it.
    pub applied: Applied,
    /// How much, in the limit's unit. More than [`UNITS_MAX`] counts as [`UNITS_MAX`].
    pub amount: u64,
}

/// Whether there was room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// There was, in every limit, and it is held.
    Granted {
        /// What is left of each demand's limit after it, in order; negative is debt. What was lent is not in it.
        remaining: Vec<i64>,
        /// What was lent of each limit besides, in order; empty when nothing was.
        lent: Vec<i64>,
        /// The soft ones that had no room, by their places; nothing was taken of them.
        over: Vec<usize>,
        /// What became of each claim, in order.
        slots: Vec<Slot>,
    },
    /// Nobody knows what was used of some of the quotas in their periods, because the keeper began later than they count and was
    /// not told. Nothing was written. Only a keeper says so, and whoever asked it answers then.
    Lacking {
        /// Which demands, by their places.
        places: Vec<usize>,
    },
    /// Nobody can tell, and one of the limits admits nothing then. Nothing was written.
    Unknown {
        /// Which demand, by its place.
        place: usize,
    },
    /// There was not, and nothing was written.
    Denied {
        /// Which demand has to wait longest, by its place.
        tightest: usize,
        /// How long until that demand would be admitted if nothing else is, in milliseconds.
        retry_after_ms: u64,
        /// What is left of each demand's limit, in order.
        remaining: Vec<i64>,
        /// What there is of each claim, in order.
        slots: Vec<Slot>,
    },
}

/// What a process claims of counts of slots. It owns one field of each count, which says how many are its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Claims<'a> {
    /// Whose fields; sixteen bytes that are another process's never, nor this one's after a restart.
    pub owner: [u8; 16],
    /// Grows with all that this owner says, so that what comes late takes nothing back. Below 2^53.
    pub turn: u64,
    /// The counts.
    pub each: &'a [Claim],
}

/// One count's part of [`Claims`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Which count.
    pub counter: CounterId,
    /// How many slots there are for all.
    pub amount: u64,
    /// What its owner said last that are its own, and in which turn: where nothing that was said later has come, it is so
    /// many, although that word itself may be on its way still.
    pub known: (u32, u64),
    /// How many of its owner's requests have one already, whatever the count says.
    pub base: u32,
    /// How many more it must have now: one, or none where it has one to spare.
    pub more: u32,
    /// How many it would like beyond that, so that later requests need not ask.
    pub spare: u32,
    /// What a refusal says of when to ask again, in milliseconds. Not zero.
    pub retry_ms: u64,
    /// As in [`Line`].
    pub soft: bool,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Whether there was room.
    pub granted: bool,
    /// How many it has got beyond what it needed.
    pub spare: u32,
    /// How many are its owner's now; of a denial, where there was room, how many would be.
    pub own: u32,
    /// How many are others'.
    pub others: u64,
}

/// What an owner says of one of its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Which count.
    pub counter: CounterId,
    /// How many are its own.
    pub number: u32,
    /// Whether it may be more, because claims are on their way.
    pub at_least: bool,
}

/// All that an owner says at once of counts of slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saying {
    /// As in [`Claims`].
    pub owner: [u8; 16],
    /// As in [`Claims`].
    pub turn: u64,
    /// The counts, by organization.
    pub of: Vec<(OrganizationId, Vec<Said>)>,
}

/// One count's part of a reservation or of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Which count.
    pub counter: CounterId,
    /// Where it stands. Lines of one shelf follow each other.
    pub shelf: Shelf,
    /// What decides how it refills and where it ends. Of a quota, with the period in which this was asked for.
    pub measure: Measure,
    /// What is asked for, which is not negative; or what was used, which is where more came back than went out. At most
    /// [`UNITS_MAX`] either way.
    pub amount: i64,
    /// Whether it only warns: where it does not fit, nothing is taken of it and nobody refused.
    pub soft: bool,
    /// From when on a quota counts, milliseconds since 1970; zero where that is before its period.
    pub counted_from_ms: u64,
    /// How much of a quota's measure is room for what was given back to other regions, which the keeper of all counts as used; a
    /// share of one edge has nothing of it.
    pub given: u64,
}

/// What an edge would like to borrow together with a reservation, to admit later requests by itself. A loan is settled
/// like a reservation, and charged in full when its term ends before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// Which loan; sixteen bytes that never come back.
    pub loan: [u8; 16],
    /// How much of each line's limit, in order; at most [`UNITS_MAX`]. Half of what is left is lent at most, and nothing
    /// unless one more such request would fit everywhere.
    pub amounts: Vec<i64>,
    /// How long, in milliseconds, at most [`LOAN_MS_MAX`].
    pub term_ms: u64,
}

/// What is wanted of the limits of one request.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// For the request itself.
    pub lines: &'a [Line],
    /// For those that come after it. Nothing is lent where there are claims.
    pub ahead: Option<&'a Ahead>,
    /// Of slots.
    pub claims: Option<&'a Claims<'a>>,
    /// What the request leaves to whoever finds that its lease has ended, at most [`BEQUEST_BYTES_MAX`]; empty for nothing.
    pub bequest: &'a [u8],
}

/// How a call is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// How long a reservation is held without renewal, in milliseconds, from 1 to [`LEASE_MS_MAX`].
    pub lease_ms: u64,
    /// The time, in Unix milliseconds; `None` lets the keeper read its own clock. Below 2^53 / 1000.
    pub now_ms: Option<u64>,
}

/// What a request used. Limits that are not named were used as reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Which request.
    pub request: Request,
    /// What was used of each limit.
    pub lines: Vec<Line>,
    /// Charge the lines even when no reservation is held, because this edge admitted the request by itself.
    pub charge_if_absent: bool,
    /// Where this is more of what another reservation holds: what that one leaves now.
    pub bequest: Option<Bequest>,
}

/// What a reservation leaves whose lease has ended, so that a record can be made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bequest {
    /// Which reservation's.
    pub id: [u8; 16],
    /// What it says; opaque here.
    pub text: Box<[u8]>,
}

/// What became of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The reservation was held, or charged because its lease had ended lately: the difference was given back or charged.
    Released,
    /// No reservation was held: the lines were charged.
    Charged,
    /// It was settled before, or its lease had ended long ago, and nothing was changed.
    Nothing,
}

/// What a call gave, and what became of reservations whose lease had ended, which it looked after. Those are charged in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<T> {
    /// What the call gave.
    pub value: T,
    /// How many leases had ended.
    pub expired: u64,
    /// What those left, and others of which nobody took care in time.
    pub bequests: Vec<Bequest>,
}

// === impl Demand ===

impl Demand {
    /// The same as one line of a reservation; `None` when it is for a slot.
    pub fn line(&self) -> Option<Line> {
        let Count::Level(measure) = self.applied.count else {
            return None;
        };
        let given = self.applied.given;
        let measure = match measure {
            Measure::Quota { amount, span } => Measure::Quota {
                amount: amount.saturating_add(given),
                span,
            },
            Measure::Rate(_) => measure,
        };
        Some(Line {
            counter: self.applied.counter,
            shelf: self.applied.shelf,
            measure,
            amount: signed(self.amount),
            soft: self.is_soft(),
            counted_from_ms: match measure {
                Measure::Quota { span, .. } => self.counted_from_ms(span.from_ms),
                Measure::Rate(_) => 0,
            },
            given,
        })
    }

    /// From when on it counts, where that is later than its period.
    fn counted_from_ms(&self, period_from_ms: u64) -> u64 {
        let from_ms = self.applied.limit.counted_from_ms;
        if from_ms > period_from_ms { from_ms } else { 0 }
    }

    /// The same as a claim of one slot, by whom has none yet; `None` when it is for something else.
    pub fn claim(&self) -> Option<Claim> {
        let Count::Slots(amount) = self.applied.count else {
            return None;
        };
        Some(Claim {
            counter: self.applied.counter,
            amount,
            known: (0, 0),
            base: 0,
            more: 1,
            spare: 0,
            retry_ms: 1,
            soft: self.is_soft(),
        })
    }

    /// The same as a claim of nothing more, which tells how many there are.
    pub(crate) fn glance(&self) -> Option<Claim> {
        self.claim().map(|claim| Claim { more: 0, ..claim })
    }

    /// Whether it only warns or watches.
    pub(crate) fn is_soft(&self) -> bool {
        !self.applied.limit.terms.mode.refuses()
    }
}

/// An amount with a sign, at most [`UNITS_MAX`].
pub(crate) fn signed(amount: u64) -> i64 {
    i64::try_from(amount.min(UNITS_MAX)).unwrap_or(i64::MAX)
}

// === impl Wanted ===

impl<'a> Wanted<'a> {
    /// Nothing ahead, and no slots.
    pub const fn now(lines: &'a [Line]) -> Self {
        Self {
            lines,
            ahead: None,
            claims: None,
            bequest: &[],
        }
    }
}

impl Wanted<'_> {
    /// What is claimed of slots.
    pub(crate) const fn claimed(&self) -> &[Claim] {
        match self.claims {
            Some(claims) => claims.each,
            None => &[],
        }
    }
}

// === impl Saying ===

impl Saying {
    /// Whether nothing is said.
    pub const fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

// === impl Claim ===

impl Claim {
    /// One edge's part of the slots, when `edges` share them: rounded down, so that all together are no more than there
    /// are; but one at least, so that a small limit does not vanish.
    pub fn share(&self, edges: u32) -> u64 {
        (self.amount / u64::from(edges.max(1))).max(1)
    }
}

// === impl Line ===

impl Line {
    /// The same line at one edge's part of the limit, when `edges` share it: rounded up, so that a small
    /// limit does not vanish.
    pub fn share_of(self, edges: u32) -> Self {
        let edges = u64::from(edges.max(1));
        let part = |whole: u64| whole.div_ceil(edges);
        let measure = match self.measure {
            Measure::Rate(rate) => {
                let rate = Rate::new(part(rate.amount()), rate.window_ms(), part(rate.burst()));
                // A part of a valid rate, rounded up, is valid.
                rate.map_or(self.measure, Measure::Rate)
            }
            Measure::Quota { amount, span } => Measure::Quota {
                amount: part(amount.saturating_sub(self.given)),
                span,
            },
        };
        Self {
            measure,
            given: 0,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use policy::id::ShelfId;

    use super::*;

    #[test]
    fn the_shares_of_all_edges_are_no_more_slots_than_there_are_or_one_for_each() {
        for (amount, edges) in [(10, 3), (64, 64), (3, 7), (1_000_000, 999), (5, 0)] {
            let claim = Claim {
                counter: CounterId::from_bytes([1; 16]),
                amount,
                known: (0, 0),
                base: 0,
                more: 1,
                spare: 0,
                retry_ms: 1,
                soft: false,
            };
            let all = claim.share(edges) * u64::from(edges.max(1));
            assert!(all <= amount.max(u64::from(edges)), "{amount} over {edges}");
        }
    }

    #[test]
    fn the_shares_of_all_edges_exceed_a_rate_by_less_than_one_unit_for_each() {
        for (amount, burst, edges) in [(1, 1, 7), (100, 10, 3), (1_000_000, 99_999, 64), (5, 5, 0)]
        {
            let rate = Rate::new(amount, 60_000, burst).unwrap();
            let line = Line {
                counter: CounterId::from_bytes([1; 16]),
                shelf: Shelf {
                    id: ShelfId::from_bytes([1; 16]),
                    is_one_of_many: false,
                },
                measure: Measure::Rate(rate),
                amount: 1,
                soft: false,
                counted_from_ms: 0,
                given: 0,
            };
            let Measure::Rate(share) = line.share_of(edges).measure else {
                panic!("a rate")
            };
            let edges = u64::from(edges.max(1));
            assert!((amount..amount + edges).contains(&(share.amount() * edges)));
            assert!((burst..burst + edges).contains(&(share.burst() * edges)));
            assert_eq!(share.window_ms(), 60_000);
        }
    }
}
