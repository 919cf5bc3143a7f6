//! Whether a provider's model is well: one that fails too often is set aside, and comes back by trials.
//!
//! Pure: whoever asks says what time it is. That a provider has no room is no failure, and `pace` heeds it. What is set
//! aside stays so for longer each time that it fails its trials; it is whole again when sixteen of them were answered, of
//! which one goes first, then two at once, four and eight, and none of which failed. What other edges say is a hint: it puts behind
//! until it is tried, and makes fewer failures enough.

use std::time::{Duration, Instant};

use crate::hearsay::Hearsay;

/// How long failures are remembered, for the part of them: this long to twice as long.
const WINDOW: Duration = Duration::from_secs(10);

/// How many trials must be answered in a row.
const TRIALS: u32 = 16;

/// How many times as long as the first time one is set aside at most.
const TIMES_MAX: u32 = 10;

/// When a provider's model is set aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// After so many failures in a row.
    pub(crate) in_a_row: u32,
    /// When so many of a hundred fail.
    pub(crate) percent: u32,
    /// Of so many at least.
    pub(crate) sample_min: u32,
    /// For how long the first time; zero means: never.
    pub(crate) aside: Duration,
    /// For how long the word of one other edge puts it behind; zero means: never.
    pub(crate) hint: Duration,
}

/// How a provider's model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As far as is known.
    Well,
    /// For so long it is asked only where nobody else is left.
    Aside(Duration),
    /// It is asked again, by few at once.
    OnTrial,
    /// Other edges say that it fails: for so long it is asked after the others. Zero means: whoever comes next tries.
    Said(Duration),
}

/// What is known of one.
#[derive(Debug)]
pub(crate) struct Health {
    in_a_row: u32,
    /// Of the window before, and of this one.
    asked: [u32; 2],
    failed: [u32; 2],
    window_began: Instant,
    times: u32,
    state: State,
    hearsay: Hearsay,
}

/// What comes of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failed {
    /// It is set aside by that, and was not.
    pub(crate) is_aside: bool,
    /// What other edges said is borne out.
    pub(crate) is_borne_out: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Since then.
    Well(Instant),
    Aside {
        until: Instant,
        /// How many trials are under way, once its time is over, and how many were answered.
        under_way: u32,
        answered: u32,
    },
}

// === impl Health ===

impl Health {
    /// Nothing is known.
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            in_a_row: 0,
            asked: [0; 2],
            failed: [0; 2],
            window_began: now,
            times: 0,
            state: State::Well(now),
            hearsay: Hearsay::new(now),
        }
    }

    /// How it is.
    pub(crate) fn standing(&self, terms: &Terms, now: Instant) -> Standing {
        match self.state {
            State::Well(_) => match self.hearsay.behind(terms.hint, now) {
                Some(left) => Standing::Said(left),
                None => Standing::Well,
            },
            State::Aside { until, .. } => match until.saturating_duration_since(now) {
                Duration::ZERO => Standing::OnTrial,
                left => Standing::Aside(left),
            },
        }
    }

    /// Whether it is set aside or on trial, by what was seen here.
    pub(crate) const fn is_unwell(&self) -> bool {
        matches!(self.state, State::Aside { .. })
    }

    /// So many other edges say that it fails.
    pub(crate) fn hears(&mut self, edges: u32, now: Instant) {
        self.hearsay.hear(edges, now);
    }

    /// Whether somebody goes there who may go elsewhere. What others say keeps nobody from going: it is heeded where targets are put
    /// in order.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        match self.state {
            State::Well(_) => true,
            State::Aside {
                until,
                under_way,
                answered,
            } => until <= now && under_way < room(answered),
        }
    }

    /// Somebody goes there. Says whether it is a trial, which is to be ended.
    pub(crate) fn goes(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Well(_) => self.hearsay.goes(now),
            State::Aside { under_way, .. } => {
                *under_way = under_way.saturating_add(1);
                true
            }
        }
    }

    /// A trial has ended, however.
    pub(crate) const fn ended(&mut self) {
        self.hearsay.ended();
        if let State::Aside { under_way, .. } = &mut self.state {
            *under_way = under_way.saturating_sub(1);
        }
    }

    /// One that was sent then was answered. Says whether that proves wrong what others said and was believed.
    pub(crate) fn disproves(&mut self, sent: Instant, now: Instant) -> bool {
        let was_believed = self.hearsay.answered(sent, now);
        was_believed && !self.is_unwell()
    }

    /// One was answered. Says whether it is well by that.
    pub(crate) fn answered(&mut self, now: Instant) -> bool {
        self.turn_window(now);
        self.asked[1] = self.asked[1].saturating_add(1);
        self.in_a_row = 0;
        let State::Aside { answered, .. } = &mut self.state else {
            return false;
        };
        *answered += 1;
        if *answered < TRIALS {
            return false;
        }
        self.state = State::Well(now);
        (self.asked, self.failed) = ([0; 2], [0; 2]);
        true
    }

    /// One has failed, which was answered before if it `broke` off.
    pub(crate) fn failed(&mut self, broke: bool, terms: &Terms, now: Instant) -> Failed {
        let is_borne_out = self.hearsay.failed(now) && !self.is_unwell();
        Failed {
            is_aside: self.sets_aside(broke, terms, now),
            is_borne_out,
        }
    }

    fn sets_aside(&mut self, broke: bool, terms: &Terms, now: Instant) -> bool {
        self.turn_window(now);
        self.failed[1] = self.failed[1].saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        if !broke {
            self.asked[1] = self.asked[1].saturating_add(1);
        }
        let well_since = match self.state {
            State::Well(since) => Some(since),
            // What was sent before it was set aside says nothing new.
            State::Aside { until, .. } if until > now => return false,
            State::Aside { .. } => None,
        };
        if well_since.is_some() && !self.is_too_much(terms, now) || terms.aside.is_zero() {
            return false;
        }
        if let Some(since) = well_since {
            self.forgive(now.saturating_duration_since(since), terms);
        }
        self.times = (self.times + 1).min(TIMES_MAX);
        self.state = State::Aside {
            until: now + terms.aside * self.times,
            under_way: 0,
            answered: 0,
        };
        (self.asked, self.failed) = ([0; 2], [0; 2]);
        well_since.is_some()
    }

    fn is_too_much(&self, terms: &Terms, now: Instant) -> bool {
        let sum = |of: [u32; 2]| u64::from(of[0]) + u64::from(of[1]);
        let (asked, failed) = (sum(self.asked), sum(self.failed));
        let often = asked >= u64::from(terms.sample_min)
            && failed * 100 >= asked * u64::from(terms.percent);
        often || self.in_a_row >= self.hearsay.lowered(terms.in_a_row, now)
    }

    /// For each span of being set aside that one was well, one time is forgotten.
    fn forgive(&mut self, well: Duration, terms: &Terms) {
        let spans = well.as_millis() / terms.aside.as_millis().max(1);
        let spans = u32::try_from(spans).unwrap_or(u32::MAX);
        self.times = self.times.saturating_sub(spans);
    }

    fn turn_window(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.window_began);
        if passed < WINDOW {
            return;
        }
        let keeps = passed < 2 * WINDOW;
        for of in [&mut self.asked, &mut self.failed] {
            *of = [if keeps { of[1] } else { 0 }, 0];
        }
        self.window_began = now;
    }
}

/// How many trials may be under way when so many were answered.
const fn room(answered: u32) -> u32 {
    match answered {
        0 => 1,
        1..=2 => 2,
        3..=6 => 4,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        in_a_row: 5,
        percent: 50,
        sample_min: 20,
        aside: Duration::from_secs(30),
        hint: Duration::from_secs(2),
    };
    const SECOND: Duration = Duration::from_secs(1);

    /// Fails as often as it takes.
    fn fail(health: &mut Health, now: Instant) -> u32 {
        (1..100)
            .find(|_| health.failed(false, &TERMS, now).is_aside)
            .unwrap()
    }

    /// Answers trials until one more does not fit, and says how many went.
    fn trials(health: &mut Health, now: Instant) -> u32 {
        let mut went = 0;
        while health.admits(now) && went < 100 {
            assert!(health.goes(now));
            went += 1;
        }
        went
    }

    #[test]
    fn five_failures_in_a_row_set_aside_and_an_answer_between_them_does_not_let_it_come_to_that() {
        let now = Instant::now();
        let mut health = Health::new(now);
        for _ in 0..4 {
            assert!(!health.failed(false, &TERMS, now).is_aside);
        }
        health.answered(now);
        assert_eq!(fail(&mut health, now), 5);
        assert_eq!(health.standing(&TERMS, now), Standing::Aside(TERMS.aside));
        assert!(!health.admits(now));
        assert!(
            !health.failed(false, &TERMS, now).is_aside,
            "it is aside already"
        );
    }

    #[test]
    fn half_of_a_sample_sets_aside_and_too_small_a_sample_does_not() {
        let now = Instant::now();
        let mut health = Health::new(now);
        for number in 0..19 {
            assert!(!health.failed(false, &TERMS, now).is_aside, "{number}");
            assert!(!health.answered(now));
            if number == 8 {
                break;
            }
        }
        // The eighteen before count, and those of half a minute ago do not.
        assert!(!health.failed(false, &TERMS, now).is_aside);
        let mut later = Health::new(now);
        for _ in 0..9 {
            later.failed(false, &TERMS, now);
            later.answered(now);
        }
        assert!(!later.failed(false, &TERMS, now + 30 * SECOND).is_aside);
        health.answered(now);
        assert!(health.failed(false, &TERMS, now).is_aside);
    }

    #[test]
    fn answers_that_break_off_count_once_each() {
        let now = Instant::now();
        let mut health = Health::new(now);
        let broke = (0..100).find(|_| {
            health.answered(now);
            health.failed(true, &TERMS, now).is_aside
        });
        assert_eq!(broke, Some(19));
    }

    #[test]
    fn it_comes_back_by_one_trial_then_more_at_once() {
        let mut now = Instant::now();
        let mut health = Health::new(now);
        fail(&mut health, now);
        now += TERMS.aside;
        assert_eq!(health.standing(&TERMS, now), Standing::OnTrial);
        let (mut went, mut well) = (Vec::new(), false);
        while !well {
            let together = trials(&mut health, now);
            went.push(together);
            for _ in 0..together {
                health.ended();
                well |= health.answered(now);
            }
        }
        assert_eq!(went, [1, 2, 4, 8, 8]);
        assert_eq!(health.standing(&TERMS, now), Standing::Well);
    }

    #[test]
    fn a_trial_that_fails_sets_aside_for_longer_and_a_time_of_being_well_is_counted() {
        let mut now = Instant::now();
        let mut health = Health::new(now);
        fail(&mut health, now);
        for times in 2..20 {
            now += TERMS.aside * (times - 1).min(TIMES_MAX);
            assert!(health.admits(now) && health.goes(now));
            // It was unwell before.
            assert!(!health.failed(false, &TERMS, now).is_aside);
            health.ended();
            let aside = TERMS.aside * times.min(TIMES_MAX);
            assert_eq!(health.standing(&TERMS, now), Standing::Aside(aside));
        }
        now += TERMS.aside * TIMES_MAX;
        for _ in 0..TRIALS {
            health.goes(now);
            health.ended();
            health.answered(now);
        }
        now += TERMS.aside * 20;
        fail(&mut health, now);
        assert_eq!(health.standing(&TERMS, now), Standing::Aside(TERMS.aside));
    }

    #[test]
    fn what_others_say_puts_behind_and_keeps_nobody_away_and_makes_fewer_failures_enough() {
        let mut now = Instant::now();
        let mut health = Health::new(now);
        health.hears(1, now);
        assert_eq!(health.standing(&TERMS, now), Standing::Said(TERMS.hint));
        assert!(health.admits(now), "for whoever has nobody else");
        assert!(!health.is_unwell(), "nobody hears of it from here");
        now += TERMS.hint;
        assert_eq!(health.standing(&TERMS, now), Standing::Said(Duration::ZERO));
        // Its try fails, and so do two who had nobody else.
        for _ in 0..3 {
            health.hears(1, now);
            assert!(health.goes(now));
        }
        let failed: Vec<_> = (0..3)
            .map(|_| health.failed(false, &TERMS, now))
            .map(|it| (it.is_aside, it.is_borne_out))
            .collect();
        assert_eq!(failed, [(false, true), (false, true), (true, true)]);
        assert_eq!(health.standing(&TERMS, now), Standing::Aside(TERMS.aside));

        let mut other = Health::new(now);
        other.hears(1, now);
        assert!(other.goes(now) && other.disproves(now, now));
        other.ended();
        other.hears(1, now + SECOND);
        assert_eq!(other.standing(&TERMS, now + SECOND), Standing::Well);
        assert!(!other.disproves(now, now + SECOND), "it was known");

        let deaf = Terms {
            hint: Duration::ZERO,
            ..TERMS
        };
        let mut unheeding = Health::new(now);
        unheeding.hears(90, now);
        assert_eq!(unheeding.standing(&deaf, now), Standing::Well);
    }
}
