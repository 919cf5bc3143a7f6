//! What this edge has to say of targets, what was said of it, and what it has heard.
//!
//! Pure: whoever asks says what time it is, and how a target is. Knows nothing of how words travel.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use counters::{Hint, Hints, Said};
use policy::id::{OrganizationId, ProviderId};
use shaping::{
    Heeded,
    outbox::{Account, News, Word},
};

/// How long after it was used last a provider is one of which others are heard.
const USED_FOR: Duration = Duration::from_mins(1);

/// How many providers those are.
// Full: of another one nobody is heard, until one of them has not been used for a while.
const ACCOUNTS_MAX: usize = 4_096;

/// How many targets are said to fail, and how many to be parked.
// Full: others find out for themselves.
const TARGETS_MAX: usize = 1_024;

/// How often it is said again that a target fails; well within the time that a word holds.
const AGAIN: Duration = Duration::from_secs(1);

/// What is said, in metrics.
const FAILS: &str = "fails";
const PARKED: &str = "parked";

/// A provider's account and its name for the model.
pub(super) type Target = (Account, Arc<str>);

/// The book.
#[derive(Debug, Default)]
pub(super) struct Book {
    used: HashMap<Account, Instant>,
    /// What fails here, and when that was said last.
    failing: HashMap<Target, Option<Instant>>,
    /// What is parked, until then, and was not said.
    parked: HashMap<Target, Instant>,
    /// What others speak of, and what is done about it here.
    heard: HashMap<Target, Heeded>,
    heard_at: Option<Instant>,
    /// How many organizations have had their turn.
    turn: usize,
}

/// What is said of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It fails.
    Fails,
    /// It does not, any more.
    Well,
    /// It is parked.
    Parked,
}

// === impl Book ===

impl Book {
    /// Takes what a lane has found out.
    pub(super) fn note(&mut self, word: Word, now: Instant) {
        if self.used.len() < ACCOUNTS_MAX || self.used.contains_key(&word.account) {
            self.used.insert(word.account, now);
        }
        let target = (word.account, word.model);
        match word.what {
            News::Fails if has_room(&self.failing, &target) => {
                self.failing.insert(target, None);
            }
            News::Parked(wait) if has_room(&self.parked, &target) => {
                self.parked.insert(target, now + wait);
            }
            News::Used | News::Fails | News::Parked(_) => {}
        }
    }

    /// What is to be said now of the targets of so many organizations at most, by turns; those of which there is nothing to say are
    /// listened to. What is said stands beside it. `whose` a provider is and how a target is, is asked.
    pub(super) fn sayings(
        &mut self,
        (whose, is_unwell): (
            impl Fn(Account) -> Option<OrganizationId>,
            impl Fn(&Target) -> bool,
        ),
        organizations: usize,
        now: Instant,
    ) -> (Vec<Hints>, Vec<(Target, What)>) {
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < USED_FOR;
        self.used.retain(|_, at| is_fresh(*at));
        self.parked.retain(|_, until| *until > now);
        let used = self.used.keys().copied();
        let speaks_of = used.chain(self.failing.keys().map(|it| it.0));
        let mut of: Vec<OrganizationId> = speaks_of.filter_map(&whose).collect();
        of.sort_unstable();
        of.dedup();
        // What belongs to nobody any more is nobody's to hear of.
        self.failing.retain(|it, _| whose(it.0).is_some());
        let all = of.len();
        let turn = self.turn;
        let their_turn = of.into_iter().cycle().skip(turn % all.max(1));
        let mut each: BTreeMap<OrganizationId, Vec<Hint>> = their_turn
            .take(organizations.min(all))
            .map(|it| (it, Vec::new()))
            .collect();
        self.turn = turn.wrapping_add(each.len());
        let mut said = Vec::new();
        let mut say = |target: &Target, what: What, word: Said| {
            let hints = whose(target.0).and_then(|it| each.get_mut(&it));
            if let Some(hints) = hints {
                hints.push(Hint {
                    provider: ProviderId::from_bytes(target.0),
                    model: (*target.1).to_owned(),
                    said: word,
                });
                said.push((target.clone(), what));
            }
        };
        for (target, at) in &self.failing {
            let is_due = at.is_none_or(|at| now.saturating_duration_since(at) >= AGAIN);
            match is_unwell(target) {
                false => say(target, What::Well, Said::Well),
                true if is_due => say(target, What::Fails, Said::Fails),
                true => {}
            }
        }
        for (target, until) in &self.parked {
            let left = until.saturating_duration_since(now);
            say(target, What::Parked, Said::Parked(left));
        }
        let hints = each.into_iter().map(|(organization, hints)| Hints {
            organization,
            hints,
        });
        (hints.collect(), said)
    }

    /// This was said, and will be heard.
    pub(super) fn was_said(&mut self, said: &[(Target, What)], now: Instant) {
        for (target, what) in said {
            match what {
                What::Well => drop(self.failing.remove(target)),
                What::Parked => drop(self.parked.remove(target)),
                What::Fails => drop(self.failing.insert(target.clone(), Some(now))),
            }
        }
    }

    /// Others speak of these, and so much is done about it; gives those of whom nobody speaks any more, of the providers that
    /// `were_asked` about.
    pub(super) fn heard(
        &mut self,
        news: HashMap<Target, Heeded>,
        were_asked: impl Fn(Account) -> bool,
        now: Instant,
    ) -> Vec<Target> {
        let before = self.heard.keys();
        let over = before.filter(|it| were_asked(it.0) && !news.contains_key(*it));
        let over: Vec<Target> = over.cloned().collect();
        for target in &over {
            self.heard.remove(target);
        }
        self.heard.extend(news);
        self.heard_at = Some(now);
        over
    }

    /// Nobody is heard. What was heard is forgotten when it no longer holds.
    pub(super) fn hears_nobody(&mut self, now: Instant) {
        let holds = |at: Instant| now.saturating_duration_since(at) < shaping::hearsay::TERM;
        if !self.heard_at.is_some_and(holds) {
            self.heard.clear();
        }
    }

    /// How many targets are put behind or left alone by what others say, by what that is.
    pub(super) fn heeded(&self) -> [(&'static str, u32); 2] {
        let count = |is: fn(&Heeded) -> bool| {
            let count = self.heard.values().filter(|it| is(it)).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        [
            (FAILS, count(|it| it.is_behind)),
            (PARKED, count(|it| it.is_parked)),
        ]
    }
}

fn has_room<V>(kept: &HashMap<Target, V>, target: &Target) -> bool {
    kept.len() < TARGETS_MAX || kept.contains_key(target)
}

// === impl What ===

impl What {
    /// Its name in metrics; `None` for what takes a word back.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Fails => Some(FAILS),
            Self::Parked => Some(PARKED),
            Self::Well => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BEHIND: Heeded = Heeded {
        is_behind: true,
        is_parked: false,
    };

    fn word(account: u8, what: News) -> Word {
        Word {
            account: [account; 16],
            model: "m".into(),
            what,
        }
    }

    /// Ten providers are one organization's.
    #[expect(clippy::unnecessary_wraps, reason = "a provider may be nobody's")]
    fn whose(account: Account) -> Option<OrganizationId> {
        Some(OrganizationId::from_bytes([account[0] / 10; 16]))
    }

    fn what(said: &[(Target, What)]) -> Vec<What> {
        said.iter().map(|(_, what)| *what).collect()
    }

    #[test]
    fn what_fails_is_said_again_each_second_until_it_is_well_and_then_taken_back_once() {
        let (mut book, now) = (Book::default(), Instant::now());
        book.note(word(1, News::Fails), now);
        let mut spoken = Vec::new();
        for (half, unwell) in [(0, true), (1, true), (2, true), (3, false), (4, false)] {
            let now = now + half * SECOND / 2;
            let (of, said) = book.sayings((whose, |_: &Target| unwell), 8, now);
            assert_eq!(of.len(), 1, "it listens");
            book.was_said(&said, now);
            spoken.extend(what(&said));
        }
        assert_eq!(spoken, [What::Fails, What::Fails, What::Well]);
    }

    #[test]
    fn what_redis_was_not_told_is_said_again_and_what_is_over_is_not() {
        let (mut book, now) = (Book::default(), Instant::now());
        book.note(word(1, News::Parked(3 * SECOND)), now);
        book.note(word(2, News::Fails), now);
        let unwell = |it: &Target| it.0[0] == 2;
        let (_, said) = book.sayings((whose, unwell), 8, now);
        assert_eq!(said.len(), 2);
        let (of, said) = book.sayings((whose, unwell), 8, now + 2 * SECOND);
        let left = of[0].hints.iter().map(|it| it.said);
        let left: Vec<_> = left.collect();
        assert!(left.contains(&Said::Parked(SECOND)), "{left:?}");
        assert_eq!(said.len(), 2);
        let (_, said) = book.sayings((whose, unwell), 8, now + 3 * SECOND);
        assert_eq!(what(&said), [What::Fails]);
    }

    #[test]
    fn only_what_was_used_lately_is_listened_to_and_organizations_take_turns() {
        let (mut book, now) = (Book::default(), Instant::now());
        for account in [1, 2, 11, 21] {
            book.note(word(account, News::Used), now);
        }
        let well = |_: &Target| false;
        let mut turns = Vec::new();
        for _ in 0..3 {
            let (of, _) = book.sayings((whose, well), 2, now);
            let of = of.iter().map(|it| it.organization.as_bytes()[0]);
            turns.push(of.collect::<Vec<_>>());
        }
        assert_eq!(turns, [vec![0, 1], vec![0, 2], vec![1, 2]]);
        assert!(book.sayings((whose, well), 2, now + USED_FOR).0.is_empty());
    }

    #[test]
    fn what_nobody_says_any_more_is_given_back_once_and_only_of_those_that_were_asked_about() {
        let (mut book, now) = (Book::default(), Instant::now());
        let target = |account: u8| -> Target { ([account; 16], "m".into()) };
        let both = HashMap::from([(target(1), BEHIND), (target(11), Heeded::default())]);
        assert!(book.heard(both, |_| true, now).is_empty());
        assert_eq!(book.heeded()[0].1, 1);
        let over = book.heard(HashMap::new(), |it| it[0] == 1, now);
        assert_eq!(over, [target(1)]);
        assert_eq!(book.heeded()[0].1, 0);
        let over = book.heard(HashMap::new(), |_| true, now);
        assert_eq!(over, [target(11)]);
        book.heard(HashMap::from([(target(1), BEHIND)]), |_| true, now);
        book.hears_nobody(now + SECOND);
        assert_eq!(book.heeded()[0].1, 1, "it holds for a while");
        book.hears_nobody(now + 10 * SECOND);
        assert_eq!(book.heeded()[0].1, 0);
    }
}
