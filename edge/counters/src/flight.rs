//! One count of slots, as this process sees it.
//!
//! Knows how many of its requests have one, how many ask, and what the keeper was told. Knows nothing of the other counts.

use std::time::{Duration, Instant};

use policy::id::OrganizationId;

use crate::reservation::{Claim, SLOTS_TERM_MS, Slot};

/// How often the keeper is told again though nothing has changed.
const REFRESH: Duration = Duration::from_secs(5);

/// How long before its term ends a claim is no longer trusted.
const MARGIN: Duration = Duration::from_secs(2);

/// How long a spare is kept that nobody uses.
const SPARE_IDLE: Duration = Duration::from_secs(1);

/// How long a count is remembered that nobody uses. What the keeper still has of it ends sooner.
const KEPT: Duration = Duration::from_secs(30);

/// Which part of what is left for all may be claimed ahead.
const SPARE_PART: u64 = 16;

/// When to ask again where it is not known how long requests take, in milliseconds.
const RETRY_MS: u64 = 1_000;

/// The longest that is said of when to ask again, in milliseconds.
const RETRY_MS_MAX: u64 = 60_000;

/// One count.
#[derive(Debug)]
pub(crate) struct Flight {
    organization: OrganizationId,
    /// Requests that have a slot.
    seated: u32,
    /// Requests that ask for one.
    asking: u32,
    /// Slots that the keeper has for this process beyond those, and that nobody has. What it has for requests whose answers
    /// are on their way is not among them.
    free: u32,
    /// What others had when it was told last.
    others: u64,
    /// How many may stay free.
    spare: u32,
    /// The turn of the last thing that was said and is not answered; zero where all is.
    doubt: u64,
    /// The whole number that was said last, and in which turn.
    whole: (u32, u64),
    /// When that was said which was heard last.
    confirmed: Option<Instant>,
    /// When something was said last.
    said: Option<Instant>,
    used: Instant,
    /// How long requests take, in milliseconds; zero where none has ended.
    mean_ms: u64,
    /// Whether somebody has noted that the whole number should be said.
    pub(crate) is_listed: bool,
}

// === impl Flight ===

impl Flight {
    pub(crate) const fn new(organization: OrganizationId, now: Instant) -> Self {
        Self {
            organization,
            seated: 0,
            asking: 0,
            free: 0,
            others: 0,
            spare: 0,
            doubt: 0,
            whole: (0, 0),
            confirmed: None,
            said: None,
            used: now,
            mean_ms: 0,
            is_listed: false,
        }
    }

    pub(crate) const fn organization(&self) -> OrganizationId {
        self.organization
    }

    pub(crate) const fn used(&mut self, now: Instant) {
        self.used = now;
    }

    /// Whether a slot is claimed and free.
    pub(crate) fn has_free(&self, amount: u64, now: Instant) -> bool {
        self.free > 0 && self.others + u64::from(self.seated) < amount && self.is_trusted(now)
    }

    /// A request takes a free one.
    pub(crate) const fn sit(&mut self) {
        self.free = self.free.saturating_sub(1);
        self.seated += 1;
    }

    /// A request asks: fills in what is claimed. Where a slot is free, it has that and asks for none.
    pub(crate) fn ask(&mut self, claim: Claim, can_ask: bool, now: Instant) -> Claim {
        let has = can_ask && self.has_free(claim.amount, now);
        if has {
            self.sit();
        }
        self.asking += 1;
        Claim {
            known: self.whole,
            base: self.seated,
            more: u32::from(!has),
            // One asks for all that come after it.
            spare: if has || self.asking > 1 {
                0
            } else {
                self.spare
            },
            retry_ms: self.retry_ms(),
            ..claim
        }
    }

    /// How many there are with this claim.
    pub(crate) const fn taken(&self, claim: &Claim) -> u32 {
        // Who has one already is not counted twice.
        self.seated + self.asking - (1 - claim.more)
    }

    /// How many requests have one.
    pub(crate) const fn seated(&self) -> u32 {
        self.seated
    }

    /// How many slots are left for all.
    pub(crate) fn left(&self, amount: u64) -> u64 {
        amount.saturating_sub(self.others + u64::from(self.seated + self.free))
    }

    /// The keeper granted a claim that was sent at that time, with this slot.
    pub(crate) fn granted(&mut self, claim: &Claim, slot: &Slot, sent: Instant) {
        self.others = slot.others;
        if !self.is_trusted(sent) {
            self.free = 0;
        }
        self.seat(claim);
        // Where the keeper has forgotten some, those were of the free ones.
        let known = slot.own.saturating_sub(self.seated);
        self.free = (self.free + slot.spare).min(known);
        self.confirmed = self.confirmed.max(Some(sent));
        self.said = self.said.max(Some(sent));
        let left = self.left(claim.amount) / SPARE_PART;
        let spare = left.min(u64::from(self.seated.max(4)));
        self.spare = u32::try_from(spare).unwrap_or(0);
    }

    /// A claim has its slot.
    pub(crate) const fn seat(&mut self, claim: &Claim) {
        self.asking = self.asking.saturating_sub(1);
        self.seated += claim.more;
    }

    /// A claim has no slot; the keeper may have told how things are.
    pub(crate) fn refused(&mut self, claim: &Claim, slot: Option<&Slot>) {
        self.asking = self.asking.saturating_sub(1);
        if claim.more == 0 {
            // It had a free one.
            self.seated = self.seated.saturating_sub(1);
            self.free += 1;
        }
        let Some(slot) = slot else { return };
        self.others = slot.others;
        if !slot.granted {
            self.spare = 0;
        }
    }

    /// Something was said in this turn, and nobody answered.
    pub(crate) const fn unanswered(&mut self, turn: u64) {
        if self.doubt < turn {
            self.doubt = turn;
        }
    }

    /// A request that had a slot has ended after so long.
    pub(crate) fn left_by_one(&mut self, took: Duration) {
        self.seated = self.seated.saturating_sub(1);
        self.free += 1;
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let took_ms = took_ms.clamp(1, RETRY_MS_MAX);
        self.mean_ms = match self.mean_ms {
            0 => took_ms,
            mean_ms => (mean_ms * 7 + took_ms).div_ceil(8),
        };
    }

    /// Whether the whole number should be said at once.
    pub(crate) const fn should_say(&self) -> bool {
        self.asking == 0 && self.free > self.spare
    }

    /// What should be said of it in this turn, if anything: a number, and whether it may be more.
    pub(crate) fn say(&mut self, turn: u64, now: Instant) -> Option<(u32, bool)> {
        let old = |at: Instant, age| now.saturating_duration_since(at) >= age;
        if old(self.used, SPARE_IDLE) {
            self.spare = 0;
        }
        let trusted = self.is_trusted(now);
        if !trusted {
            // Others may have what was claimed ahead.
            self.free = 0;
        }
        let refresh = self.said.is_none_or(|at| old(at, REFRESH));
        let is_known = self.free == 0 && self.seated == 0 && self.doubt == 0;
        if is_known || !(refresh || self.doubt > 0 || self.should_say()) {
            return None;
        }
        self.said = Some(now);
        self.doubt = turn;
        if self.asking > 0 {
            return Some((self.seated + self.free, true));
        }
        self.free = self.free.min(self.spare);
        self.whole = (self.seated + self.free, turn);
        Some((self.whole.0, false))
    }

    /// What was said in this turn at that time was heard, and so many are this process's.
    pub(crate) fn heard(&mut self, turn: u64, own: u32, at: Instant) {
        self.confirmed = self.confirmed.max(Some(at));
        // What nobody knows of is said again.
        if self.doubt <= turn && own <= self.seated + self.free + self.asking {
            self.doubt = 0;
        }
    }

    /// A claim has its slot without the keeper's word, in this turn. It knows nothing of that until all is said again.
    pub(crate) const fn seat_alone(&mut self, claim: &Claim, turn: u64) {
        self.seat(claim);
        self.unanswered(turn);
        self.forgotten();
    }

    /// The keeper may have forgotten it.
    pub(crate) const fn forgotten(&mut self) {
        (self.said, self.confirmed) = (None, None);
    }

    /// Whether any request has a slot or asks for one.
    pub(crate) const fn is_busy(&self) -> bool {
        self.seated > 0 || self.asking > 0
    }

    /// Whether it is worth remembering.
    pub(crate) fn is_kept(&self, now: Instant) -> bool {
        self.is_busy() || now.saturating_duration_since(self.used) < KEPT
    }

    /// Whether the keeper has what is claimed for a while yet.
    fn is_trusted(&self, now: Instant) -> bool {
        let term = Duration::from_millis(SLOTS_TERM_MS).saturating_sub(MARGIN);
        self.confirmed
            .is_some_and(|at| now.saturating_duration_since(at) < term)
    }

    const fn retry_ms(&self) -> u64 {
        match self.mean_ms {
            0 => RETRY_MS,
            mean_ms => mean_ms,
        }
    }
}
