//! Counts of slots: of each count, who owns how many and until when.
//!
//! The same as in `lua/bucket.lua`, line by line. Knows nothing of requests. An owner that has not written for its term has
//! none, and all that are owned at one time are never more than a claim was told that there are.

use std::collections::HashMap;

use policy::id::CounterId;

use crate::{
    bucket::KEEP_MS,
    reservation::{Claim, Claims, SLOTS_TERM_MS, Said, Saying, Slot},
};

/// The counts of one organization.
#[derive(Debug, Default)]
pub(crate) struct Slots(
    // Full: swept by whoever keeps it; what is swept has no owner any more.
    HashMap<CounterId, Owners>,
);

type Owners = HashMap<[u8; 16], Owned>;

#[derive(Debug, Clone, Copy)]
struct Owned {
    count: u32,
    until_ms: u64,
    turn: u64,
}

// === impl Slots ===

impl Slots {
    /// What each claim would get now, in order.
    pub(crate) fn offered(&self, claims: Option<&Claims<'_>>, now_ms: u64) -> Vec<Slot> {
        let Some(claims) = claims else {
            return Vec::new();
        };
        let each = claims.each.iter();
        each.map(|claim| self.offer(claims.owner, claim, now_ms))
            .collect()
    }

    fn offer(&self, owner: [u8; 16], claim: &Claim, now_ms: u64) -> Slot {
        let (mut own, others) = self.owned(claim.counter, owner, now_ms);
        let (known, since) = claim.known;
        if self.last(claim.counter, owner) < since {
            own = own.min(known);
        }
        let left = claim.amount.saturating_sub(others);
        let needed = u64::from(own.max(claim.base)) + u64::from(claim.more);
        let granted = needed <= left;
        let with_spare = (needed + u64::from(claim.spare)).min(left).max(needed);
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Slot {
            granted,
            spare: if granted {
                count(with_spare - needed)
            } else {
                0
            },
            own: if granted { count(with_spare) } else { own },
            others,
        }
    }

    /// Writes what was offered and granted.
    pub(crate) fn take(&mut self, claims: Option<&Claims<'_>>, offered: &[Slot], now_ms: u64) {
        let Some(claims) = claims else { return };
        for (claim, slot) in claims.each.iter().zip(offered) {
            if slot.granted {
                let turn = claims.turn;
                self.write(claim.counter, claims.owner, (slot.own, turn), now_ms);
            }
        }
    }

    /// Takes an owner's word, and tells how many are its own then.
    pub(crate) fn hear(&mut self, saying: &Saying, said: &[Said], now_ms: u64) -> Vec<u32> {
        let (owner, turn) = (saying.owner, saying.turn);
        let mut hear = |it: &Said| {
            let (own, _) = self.owned(it.counter, owner, now_ms);
            let last = self.last(it.counter, owner);
            let number = match it.at_least {
                _ if last >= turn => own,
                true => own.max(it.number),
                false => it.number,
            };
            self.write(it.counter, owner, (number, turn), now_ms);
            number
        };
        said.iter().map(&mut hear).collect()
    }

    /// Forgets counts that nobody owns anything of any more.
    pub(crate) fn sweep(&mut self, now_ms: u64) {
        self.0
            .retain(|_, owners| owners.values().any(|it| it.until_ms + KEEP_MS > now_ms));
    }

    /// How many counts there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The last turn of an owner.
    fn last(&self, counter: CounterId, owner: [u8; 16]) -> u64 {
        let owners = self.0.get(&counter);
        let found = owners.and_then(|owners| owners.get(&owner));
        found.map_or(0, |it| it.turn)
    }

    fn owned(&self, counter: CounterId, owner: [u8; 16], now_ms: u64) -> (u32, u64) {
        let (mut own, mut others) = (0, 0);
        for (whose, it) in self.0.get(&counter).into_iter().flatten() {
            if it.until_ms <= now_ms {
                continue;
            }
            if *whose == owner {
                own = it.count;
            } else {
                others += u64::from(it.count);
            }
        }
        (own, others)
    }

    /// Writes an owner's number and forgets owners that have not written for their term. A clock that stepped back
    /// prolongs no term.
    fn write(
        &mut self,
        counter: CounterId,
        owner: [u8; 16],
        (count, turn): (u32, u64),
        now_ms: u64,
    ) {
        let until_ms = now_ms + SLOTS_TERM_MS;
        let owners = self.0.entry(counter).or_default();
        owners.retain(|whose, it| *whose == owner || it.until_ms > now_ms);
        for it in owners.values_mut() {
            it.until_ms = it.until_ms.min(until_ms);
        }
        let last = owners.get(&owner).map_or(0, |it| it.turn);
        let word = Owned {
            count,
            until_ms,
            turn: turn.max(last),
        };
        // Also where there are none, so that what comes late is told from what is new.
        owners.insert(owner, word);
    }
}
