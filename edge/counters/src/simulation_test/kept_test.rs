//! What the keeper does, and what the account says of it.
//!
//! Knows the twin and the account beside it; knows nothing of edges. What is wrong with the keeper is done here.

use super::*;

impl World {
    pub(super) fn keeper_reserves(&mut self, request: &Request, wanted: Wanted<'_>) -> Reserved {
        self.seen_ms = self.seen_ms.max(self.now_ms);
        let skipped = wanted.lines.len() - usize::from(self.fault == Fault::SkipsALimit);
        let amounts = wanted.ahead.map(|ahead| Ahead {
            amounts: ahead.amounts[..skipped].to_vec(),
            ..ahead.clone()
        });
        let asked = Wanted {
            lines: &wanted.lines[..skipped],
            ahead: amounts.as_ref(),
            claims: None,
            bequest: wanted.bequest,
        };
        let reply = self.keeper.reserve(request, asked, LEASE_MS, self.now_ms);
        self.inherit(reply.bequests);
        let (mut value, mut reaps) = (reply.value, false);
        if let Reserved::Granted {
            remaining, lent, ..
        } = &mut value
        {
            let known = self.held.contains_key(&request.id) || self.done.contains_key(&request.id);
            if !known {
                self.hold(request.id, wanted.lines[0].amount, (LEASE_MS, false));
            }
            // What has ended is cleared away by what is written, and by nothing else.
            reaps = !known;
            if let (Some(ahead), [first, ..]) = (wanted.ahead, lent.as_slice()) {
                self.hold(ahead.loan, *first, (ahead.term_ms, true));
            }
            if self.fault == Fault::SkipsALimit {
                remaining.push(0);
                if let Some(last) = lent.last().copied() {
                    lent.push(last);
                }
            }
        }
        if reaps {
            self.reap();
        }
        value
    }

    fn hold(&mut self, id: [u8; 16], amount: i64, (lease_ms, is_loan): (u64, bool)) {
        let owed = Owed {
            amount,
            until_ms: self.now_ms + lease_ms,
            is_loan,
            ended: false,
        };
        self.held.insert(id, owed);
        self.charged += amount;
    }

    /// Says whether what is settled was still held. What comes `again` is not known for what came before: that is a fault.
    pub(super) fn keeper_settles(&mut self, settlement: &Settlement, again: bool) -> bool {
        self.seen_ms = self.seen_ms.max(self.now_ms);
        let mut sent = settlement.clone();
        if again {
            sent.request.id = self.id();
            sent.charge_if_absent = true;
        }
        let ended = self.held.get(&settlement.request.id);
        if self.fault == Fault::ForgetsTheLate && ended.is_some_and(|owed| owed.ended) {
            sent.request.id = self.id();
        }
        let reply = self.keeper.settle(&sent, self.now_ms);
        self.inherit(reply.bequests);
        let id = settlement.request.id;
        let used = |line: Option<&Line>| line.map_or(0, |line| line.amount);
        let first = settlement
            .lines
            .iter()
            .find(|line| line.counter == CounterId::from_bytes([1; 16]));
        let remembered = self
            .done
            .get(&id)
            .is_some_and(|until_ms| *until_ms > self.now_ms);
        let held = self.held.remove(&id);
        if let Some(owed) = held {
            // A line that is not named was used as reserved.
            let named = first.map_or(owed.amount, |line| line.amount);
            self.charged += named - owed.amount;
            self.done.insert(id, u64::MAX);
        } else if settlement.charge_if_absent && !remembered {
            self.charged += used(first);
            self.done.insert(id, u64::MAX);
        }
        self.reap();
        held.is_some()
    }

    /// A lease that has ended was charged when it was made.
    fn reap(&mut self) {
        let now_ms = self.now_ms;
        if self.fault == Fault::RefundsTheDead {
            let dead = self
                .held
                .iter()
                .find(|(_, owed)| owed.until_ms <= now_ms + 50);
            if let Some((id, owed)) = dead {
                let lines = vec![Line {
                    amount: -owed.amount,
                    ..lines(now_ms, 0)[0]
                }];
                let request = Request {
                    organization: ORGANIZATION,
                    id: [id[7]; 16],
                };
                self.keeper.settle(
                    &Settlement {
                        request,
                        lines,
                        charge_if_absent: true,
                        bequest: None,
                    },
                    now_ms,
                );
            }
        }
        self.held.retain(|_, owed| {
            owed.ended |= owed.until_ms <= now_ms;
            !(owed.ended && owed.is_loan)
        });
    }

    /// Somebody is given what reservations left, and posts it; or is gone before that, or its word is lost.
    pub(super) fn inherit(&mut self, bequests: Vec<Bequest>) {
        for Bequest { id, text } in bequests {
            let fate = self.random.u32(0..6);
            if fate == 0 {
                if self.fault == Fault::GivesOnce {
                    self.keeper.inherited(ORGANIZATION, &[id], self.now_ms);
                }
                continue;
            }
            let amount = i64::from_le_bytes((*text).try_into().unwrap());
            // A record is stored once, whoever posts it.
            self.posted.entry(id).or_insert(amount);
            if fate > 1 {
                self.keeper.inherited(ORGANIZATION, &[id], self.now_ms);
            }
        }
    }
}
