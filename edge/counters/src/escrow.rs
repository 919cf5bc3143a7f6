//! What this thread has borrowed of busy limits, to admit requests by itself.
//!
//! Knows loans and what was spent of them; knows nothing of how they are asked for or sent back. A loan was taken out of
//! every limit before anything is spent of it, so a thread that is gone has used at most what it borrowed. What the
//! requests of a loan used more or less than they reserved goes into the loan while it runs, and is owed after.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use policy::{
    applying::{Measure, Shelf},
    by_id::ById,
    id::{CounterId, OrganizationId},
    limit::UNITS_MAX,
};

use crate::{
    denial::Denial,
    pace::Pace,
    reservation::{Ahead, Line, Request, Reserved, Settlement, Wanted},
};

/// How many sets of limits are watched.
// Full: the next one borrows nothing, and each of its requests asks for itself.
const PURSES_MAX: usize = 16_384;

/// How long the keeper knows a loan beyond its term, so that what is given back arrives in time.
const GRACE_MS: u64 = 500;

/// How long a purse is kept that nobody has used.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// The purses of one thread.
#[derive(Debug)]
pub(crate) struct Escrow {
    /// How long a loan may be spent, in milliseconds.
    term_ms: u64,
    // Held for one look or change, in which nothing waits.
    purses: Mutex<ById<PurseId, Purse>>,
}

/// Which purse: made from the ids of its organization and its limits, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PurseId(u128);

/// What a purse says to a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is admitted, or refused, and nobody needs to be asked.
    Reserved(Reserved),
    /// Ask, and borrow this at the same time; see [`Escrow::asked`].
    Ask(Option<Ahead>),
}

/// What was borrowed of one set of limits, and how it is used.
#[derive(Debug)]
struct Purse {
    organization: OrganizationId,
    notes: Vec<Note>,
    loan: Option<Loan>,
    /// Somebody is asking for a loan now.
    asking: bool,
    denial: Option<Denial>,
    pace: Pace,
    used: Instant,
}

/// One count of a purse.
#[derive(Debug)]
struct Note {
    counter: CounterId,
    shelf: Shelf,
    measure: Measure,
    /// What the loan was, and what is left of it; negative when its requests used more than they reserved.
    lent: i64,
    free: i64,
    /// What was left for everybody when the loan was given.
    level: i64,
    /// What requests of earlier loans used beyond what they reserved; negative is to be given back.
    owed: i64,
}

#[derive(Debug)]
struct Loan {
    id: [u8; 16],
    until: Instant,
}

// === impl Escrow ===

impl Escrow {
    /// No purse yet. Loans may be spent for `term_ms`; with 0 nothing is borrowed.
    pub(crate) fn new(term_ms: u64) -> Self {
        Self {
            term_ms,
            purses: Mutex::default(),
        }
    }

    /// Admits a request from its purse, or says what to ask.
    pub(crate) fn spend(&self, request: &Request, lines: &[Line], now: Instant) -> (PurseId, Said) {
        let id = PurseId::of(request.organization, lines);
        if self.term_ms == 0 {
            return (id, Said::Ask(None));
        }
        let mut purses = self.purses();
        let Some(purse) = purses.get_mut(&id) else {
            if purses.len() < PURSES_MAX {
                purses.insert(id, Purse::new(request.organization, lines, now));
            }
            return (id, Said::Ask(None));
        };
        if !purse.is_for(lines) {
            return (id, Said::Ask(None));
        }
        (id, purse.spend(lines, self.term_ms, now))
    }

    /// What the keeper said to a request that had to ask; `None` when it said nothing. `sent` is when it was asked, from
    /// which a loan's term runs, so that it ends here before it does there. Gives the settlement of the loan before, or of
    /// the one that may have been given and is not known here.
    pub(crate) fn asked(
        &self,
        (id, organization): (PurseId, OrganizationId),
        wanted: Wanted<'_>,
        answer: Option<&Reserved>,
        sent: Instant,
    ) -> Option<Settlement> {
        let Wanted { lines, ahead, .. } = wanted;
        let mut purses = self.purses();
        let purse = purses.get_mut(&id).filter(|purse| purse.is_for(lines));
        let Some(purse) = purse else {
            return unspent(organization, wanted);
        };
        if ahead.is_some() {
            purse.asking = false;
        }
        match (answer, ahead) {
            (
                Some(Reserved::Granted {
                    remaining, lent, ..
                }),
                Some(ahead),
            ) if !lent.is_empty() => {
                let earlier = purse.end_loan();
                let loan = Loan {
                    id: ahead.loan,
                    until: sent + Duration::from_millis(self.term_ms),
                };
                purse.take(loan, lines, remaining, lent);
                earlier
            }
            (
                Some(Reserved::Denied {
                    tightest,
                    retry_after_ms,
                    remaining,
                    ..
                }),
                _,
            ) => {
                let said = (*tightest, *retry_after_ms, &**remaining);
                purse.denial = Some(Denial::said(lines, said, sent, purse.denial.as_ref()));
                None
            }
            (Some(Reserved::Granted { remaining, .. }), _) => {
                purse.denial = Denial::after(lines, remaining, sent, purse.denial.as_ref());
                None
            }
            (None, _) => unspent(organization, wanted),
            _ => None,
        }
    }

    /// A request that was admitted from a purse used this much beyond what it reserved, in the order of its lines. `false` says
    /// that the purse is gone, because nobody else used it for long.
    pub(crate) fn settle(&self, id: PurseId, overuse: impl Iterator<Item = (Line, i64)>) -> bool {
        let mut purses = self.purses();
        let purse = purses.get_mut(&id);
        let is_there = purse.is_some();
        if let Some(purse) = purse {
            purse.settle(overuse);
        }
        is_there
    }

    /// Ends the loans whose term is over, or all, and collects what is owed; each becomes a settlement. Forgets purses
    /// that nobody uses.
    pub(crate) fn sweep(&self, now: Instant, all: bool) -> Vec<Settlement> {
        let mut settlements = Vec::new();
        self.purses().retain(|_, purse| {
            if purse
                .loan
                .as_ref()
                .is_some_and(|loan| all || loan.until <= now)
            {
                settlements.extend(purse.end_loan());
            }
            settlements.extend(purse.pay());
            purse.loan.is_some() || now.duration_since(purse.used) < IDLE_MAX
        });
        settlements
    }

    /// Whether there is nothing to look after.
    pub(crate) fn is_empty(&self) -> bool {
        self.purses().is_empty()
    }

    fn purses(&self) -> MutexGuard<'_, ById<PurseId, Purse>> {
        self.purses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back a loan of which nothing was spent, because nobody here heard whether it was given. It is remembered, in case this
/// overtakes what asked for it.
fn unspent(organization: OrganizationId, wanted: Wanted<'_>) -> Option<Settlement> {
    let ahead = wanted.ahead?;
    let nothing = |line: &Line| Line { amount: 0, ..*line };
    Some(Settlement {
        request: Request {
            organization,
            id: ahead.loan,
        },
        lines: wanted.lines.iter().map(nothing).collect(),
        charge_if_absent: true,
        bequest: None,
    })
}

// === impl PurseId ===

impl PurseId {
    /// That of no limit, of which nothing is borrowed.
    pub(crate) const NONE: Self = Self(0);

    fn of(organization: OrganizationId, lines: &[Line]) -> Self {
        // Ids of limits are random, so that mixing them is enough; a purse is compared with its limits all the same.
        const MIX: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        let whose = u128::from_be_bytes(*organization.as_bytes());
        Self(lines.iter().fold(whose, |mixed: u128, line| {
            let id = u128::from_be_bytes(*line.counter.as_bytes());
            (mixed.rotate_left(29) ^ id).wrapping_mul(MIX)
        }))
    }
}

// === impl Purse ===

impl Purse {
    fn new(organization: OrganizationId, lines: &[Line], now: Instant) -> Self {
        let note = |line: &Line| Note {
            counter: line.counter,
            shelf: line.shelf,
            measure: line.measure,
            lent: 0,
            free: 0,
            level: 0,
            owed: 0,
        };
        Self {
            organization,
            notes: lines.iter().map(note).collect(),
            loan: None,
            asking: false,
            denial: None,
            pace: Pace::new(lines.len(), now),
            used: now,
        }
    }

    fn is_for(&self, lines: &[Line]) -> bool {
        let pairs = || self.notes.iter().zip(lines);
        self.notes.len() == lines.len() && pairs().all(|(note, line)| note.counter == line.counter)
    }

    fn spend(&mut self, lines: &[Line], term_ms: u64, now: Instant) -> Said {
        self.used = now;
        self.pace.count(lines.iter().map(|line| line.amount), now);
        let runs = self.loan.as_ref().is_some_and(|loan| now < loan.until);
        if runs && self.fits(lines) {
            for (note, line) in self.notes.iter_mut().zip(lines) {
                note.free -= line.amount;
            }
            let left = |note: &Note| note.level + note.free;
            return Said::Reserved(Reserved::Granted {
                remaining: self.notes.iter().map(left).collect(),
                lent: Vec::new(),
                over: Vec::new(),
                slots: Vec::new(),
            });
        }
        if let Some(denied) = self.denial.as_mut().and_then(|it| it.says(lines, now)) {
            return Said::Reserved(denied);
        }
        if self.asking {
            return Said::Ask(None);
        }
        let Some(amounts) = self.pace.ahead(term_ms, now) else {
            return Said::Ask(None);
        };
        self.asking = true;
        let mut loan = [0; 16];
        fastrand::fill(&mut loan);
        Said::Ask(Some(Ahead {
            loan,
            amounts,
            term_ms: term_ms + GRACE_MS,
        }))
    }

    /// Whether the loan has room in every limit, under the rates that it was given under.
    fn fits(&self, lines: &[Line]) -> bool {
        let mut pairs = self.notes.iter().zip(lines);
        pairs.all(|(note, line)| note.measure == line.measure && note.free >= line.amount)
    }

    fn take(&mut self, loan: Loan, lines: &[Line], levels: &[i64], lent: &[i64]) {
        let said = lines.iter().zip(levels).zip(lent);
        for (note, ((line, level), lent)) in self.notes.iter_mut().zip(said) {
            if note.owed < 0 && !same_period(&note.measure, &line.measure) {
                note.owed = 0;
            }
            note.measure = line.measure;
            note.level = *level;
            note.lent = *lent;
            note.free = *lent;
        }
        self.loan = Some(loan);
        self.denial = None;
    }

    fn settle(&mut self, overuse: impl Iterator<Item = (Line, i64)>) {
        for (line, units) in overuse {
            let mut notes = self.notes.iter_mut();
            let Some(note) = notes.find(|note| note.counter == line.counter) else {
                continue;
            };
            if units < 0 && !same_period(&note.measure, &line.measure) {
                // What was taken of a period that is over is not given back to the next one.
                continue;
            }
            if self.loan.is_some() {
                // Never more than was lent, because only that has its place kept in the bucket. The rest goes back.
                let free = note.free - units;
                note.free = free.min(note.lent);
                note.owe(note.free - free);
            } else {
                note.owe(units);
            }
            if units < 0 {
                self.denial = None;
            }
        }
    }

    /// The loan is over: what was used of it. What was used beyond it is owed, for this settlement may come after the loan
    /// has ended where it was given, and changes nothing then.
    fn end_loan(&mut self) -> Option<Settlement> {
        let loan = self.loan.take()?;
        let lines = self.notes.iter_mut().map(|note| {
            let used = note.lent - note.free + mem::take(&mut note.owed);
            let within = used.min(note.lent);
            (note.lent, note.free) = (0, 0);
            note.owe(used - within);
            note.line(within)
        });
        Some(Settlement {
            request: Request {
                organization: self.organization,
                id: loan.id,
            },
            lines: lines.collect(),
            charge_if_absent: false,
            bequest: None,
        })
    }

    /// What is owed beyond any loan, and what is to be given back where no loan runs that will be settled with it.
    fn pay(&mut self) -> Option<Settlement> {
        let runs = self.loan.is_some();
        let is_due = |note: &Note| note.owed > 0 || !runs && note.owed < 0;
        if !self.notes.iter().any(is_due) {
            return None;
        }
        let mut id = [0; 16];
        fastrand::fill(&mut id);
        let owed = self.notes.iter_mut().filter(|note| is_due(note));
        let lines = owed.map(|note| {
            let owed = mem::take(&mut note.owed);
            note.line(owed)
        });
        Some(Settlement {
            request: Request {
                organization: self.organization,
                id,
            },
            lines: lines.collect(),
            charge_if_absent: true,
            bequest: None,
        })
    }
}

// === impl Note ===

impl Note {
    fn owe(&mut self, units: i64) {
        let most = UNITS_MAX.cast_signed();
        self.owed = (self.owed + units).clamp(-most, most);
    }

    fn line(&self, used: i64) -> Line {
        let most = UNITS_MAX.cast_signed();
        Line {
            counter: self.counter,
            shelf: self.shelf,
            measure: self.measure,
            amount: used.clamp(-most, most),
            soft: false,
            counted_from_ms: 0,
            given: 0,
        }
    }
}

/// Whether both are of one period, or of no period at all.
fn same_period(one: &Measure, other: &Measure) -> bool {
    match (one, other) {
        (Measure::Quota { span: one, .. }, Measure::Quota { span: other, .. }) => one == other,
        _ => true,
    }
}

#[cfg(test)]
#[path = "escrow_test.rs"]
mod tests;
