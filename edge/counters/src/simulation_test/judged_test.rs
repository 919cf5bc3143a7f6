//! The schedules, run, and what must be true of each in the end.
//!
//! Knows the account and the keeper's own word; changes neither, save by asking for nothing.

use super::*;

impl World {
    /// What is left of the first limit is what the account says, to the unit: each was settled once, or charged in full.
    pub(super) fn keeper_is_right(&mut self) -> Result<(), String> {
        let request = Request {
            organization: ORGANIZATION,
            id: self.id(),
        };
        let lines = &lines(self.now_ms, 0)[..1];
        let reply = self
            .keeper
            .reserve(&request, Wanted::now(lines), LEASE_MS, self.now_ms);
        let Reserved::Granted { remaining, .. } = reply.value else {
            return Err("the account's limit is short".to_owned());
        };
        let left = i64::try_from(ACCOUNT).unwrap() - self.charged;
        // One unit an hour comes back.
        if remaining[0].abs_diff(left) > 1 {
            return Err(format!("{} left, the account says {left}", remaining[0]));
        }
        let charged = |it: &Admitted| it.settled + it.topped;
        let all: i64 = self.admitted.iter().map(charged).sum();
        if all > self.charged {
            return Err(format!("{all} was used and {} charged", self.charged));
        }
        self.each_is_charged_what_it_used()
    }

    /// Of each request that ended: to the unit where its end came in time, and never less. A crash takes what was not sent with it.
    fn each_is_charged_what_it_used(&self) -> Result<(), String> {
        for it in self.admitted.iter().filter(|it| !it.crashed) {
            let (charged, Some(used)) = (it.settled + it.topped, it.used) else {
                continue;
            };
            let in_time = it.given_back_at_ms < u64::MAX;
            if charged < used || in_time && charged > used {
                return Err(format!("{used} was used and {charged} charged: {it:?}"));
            }
        }
        Ok(())
    }

    /// Of each reservation there is a record in the end: by its own edge, or by another one, which says what was charged.
    pub(super) fn all_are_posted(&mut self) -> Result<(), String> {
        // Long enough that whoever has been given something and is gone is followed by another one, and not so long that
        // anything is forgotten.
        for _ in 0..24 {
            self.now_ms = self.now_ms.max(self.seen_ms) + BEQUEST_TERM_MS + LEASE_MS;
            for _ in 0..8 {
                let request = Request {
                    organization: ORGANIZATION,
                    id: self.id(),
                };
                let nothing = Settlement {
                    request,
                    lines: Vec::new(),
                    charge_if_absent: false,
                    bequest: None,
                };
                let reply = self.keeper.settle(&nothing, self.now_ms);
                self.inherit(reply.bequests);
            }
        }
        for it in &self.admitted {
            let Some(id) = it.reservation else { continue };
            let is_settled = it.given_back_at_ms < u64::MAX;
            match self.posted.get(&id) {
                None if !is_settled => return Err(format!("nobody made a record of {it:?}")),
                Some(said) if !(is_settled || it.topped_late) && *said != it.amount + it.topped => {
                    return Err(format!("a record says {said} of {it:?}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// In any interval, what was admitted is within the bound of the rate, and in any day within that of the quota.
    pub(super) fn bounds_hold(&self) -> Result<(), String> {
        let timed = self.admitted.iter().enumerate();
        for (number, first) in timed.filter(|_| !self.loans_give_back) {
            let mut sum = 0;
            for last in &self.admitted[number..] {
                sum += last.counted();
                // Room that earlier ones gave back meanwhile may be used again.
                let back: i64 = self.admitted[..number]
                    .iter()
                    .filter(|it| (first.at_ms..=last.at_ms).contains(&it.given_back_at_ms))
                    .map(|it| it.amount - it.settled)
                    .sum();
                let ms = i64::try_from(last.at_ms.saturating_sub(first.at_ms)).unwrap();
                let bound = 200 * ms / 1_000 + 60 + back + 1;
                if sum > bound {
                    return Err(format!("{sum} of {bound} in {ms} ms"));
                }
            }
        }
        let mut days: HashMap<u64, i64> = HashMap::new();
        for it in &self.admitted {
            *days.entry(it.day).or_default() += it.counted();
        }
        match days.values().find(|sum| **sum > 900) {
            Some(sum) => Err(format!("{sum} of 900 in a day")),
            None => Ok(()),
        }
    }
}

impl Admitted {
    /// What of it was admitted, and not used beyond that or given back.
    fn counted(&self) -> i64 {
        (self.settled + self.topped).min(self.amount)
    }
}

/// How many are run. `just prove protocol` sets the scale when it compiles this.
fn schedules() -> u64 {
    let scale = option_env!("SLUICE_TEST_SCALE");
    1_000 * scale.and_then(|it| it.parse().ok()).unwrap_or(1)
}

#[test]
fn every_schedule_stays_within_the_bounds_and_settles_each_reservation_once() {
    let schedules = schedules();
    for seed in 0..schedules {
        if let Err(why) = World::new(seed, Fault::None).run() {
            panic!("schedule {seed}: {why}");
        }
    }
    println!("{schedules} schedules, 0 violations");
}

#[test]
fn a_fault_in_the_protocol_is_found_out() {
    for fault in [
        Fault::SettlesTwice,
        Fault::RefundsTheDead,
        Fault::SkipsALimit,
        Fault::TopsUpTwice,
        Fault::GivesOnce,
        Fault::ForgetsTheLate,
    ] {
        let found = (0..400).any(|seed| World::new(seed, fault).run().is_err());
        assert!(found, "{fault:?} was not found out");
    }
}
