//! What other edges say of a provider's model: that it fails there. A hint, and no judgement.
//!
//! Pure: whoever asks says what time it is. The word of others puts it behind its peers until it is tried here, after a while for each
//! edge that says so; one such try goes at a time. What is answered here outweighs one edge's word for a moment, and what was sent since
//! the word was heard and is answered proves it wrong; then it counts for nothing until more edges say so, or it is forgotten. Knows
//! nothing of how words travel.

use std::time::{Duration, Instant};

/// How long a word holds that is not said again.
pub const TERM: Duration = Duration::from_secs(4);

/// The words of how many edges put off a try.
const EDGES_MAX: u32 = 5;

/// How long what was answered here outweighs the word of one edge.
const FRESH: Duration = Duration::from_secs(2);

/// How long it is remembered that a word was wrong, after the last answer that showed it.
const WRONG_FOR: Duration = Duration::from_mins(1);

/// The least that is told of for how long it is put behind.
const MOMENT: Duration = Duration::from_millis(1);

/// What others say of one.
#[derive(Debug)]
pub(crate) struct Hearsay {
    /// How many edges say that it fails, and until when that holds.
    edges: u32,
    until: Instant,
    /// Since when that is believed, or when it was tried in vain last.
    since: Instant,
    /// How many are under way there in spite of it.
    trying: u32,
    /// When one was answered here, if none has failed since.
    answered: Option<Instant>,
    /// The words of so many edges were wrong, which is remembered until then.
    wrong: u32,
    wrong_until: Instant,
}

// === impl Hearsay ===

impl Hearsay {
    /// Nothing is said.
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            edges: 0,
            until: now,
            since: now,
            trying: 0,
            answered: None,
            wrong: 0,
            wrong_until: now,
        }
    }

    /// So many other edges say that it fails.
    pub(crate) fn hear(&mut self, edges: u32, now: Instant) {
        if self.believed(now) == 0 {
            self.since = now;
        }
        self.edges = edges;
        self.until = if edges == 0 { now } else { now + TERM };
    }

    /// For how long it stays behind its peers before it is tried, `span` for each edge that says that it fails; zero where whoever comes
    /// next tries. `None` where there is no such word, or it is not believed.
    pub(crate) fn behind(&self, span: Duration, now: Instant) -> Option<Duration> {
        let edges = self.believed(now).min(EDGES_MAX);
        if edges == 0 || span.is_zero() {
            return None;
        }
        let left = (self.since + span * edges).saturating_duration_since(now);
        Some(match self.trying {
            0 => left,
            _ => left.max(MOMENT),
        })
    }

    /// After how many failures in a row it is set aside here, where that is `in_a_row` by what this edge knows alone.
    pub(crate) fn lowered(&self, in_a_row: u32, now: Instant) -> u32 {
        in_a_row.div_ceil(1 + self.said(now)).max(1)
    }

    /// Somebody goes there. Says whether that is a try, which is to be ended.
    pub(crate) fn goes(&mut self, now: Instant) -> bool {
        let tries = self.believed(now) > 0;
        self.trying += u32::from(tries);
        tries
    }

    /// A try has ended, however.
    pub(crate) const fn ended(&mut self) {
        self.trying = self.trying.saturating_sub(1);
    }

    /// One that was sent then was answered. Says whether that proves wrong what was believed.
    pub(crate) fn answered(&mut self, sent: Instant, now: Instant) -> bool {
        let believed = self.believed(now) > 0;
        self.answered = Some(now);
        if self.until <= now || sent < self.since {
            return false;
        }
        self.wrong = self.edges;
        self.wrong_until = now + WRONG_FOR;
        believed
    }

    /// One has failed here. Says whether that bears out what was believed.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        let believed = self.believed(now) > 0;
        self.answered = None;
        if believed {
            self.since = now;
        }
        believed
    }

    /// How many edges say so who were not proved wrong.
    fn said(&self, now: Instant) -> u32 {
        let were_wrong = self.edges <= self.wrong && now < self.wrong_until;
        if self.until <= now || were_wrong {
            return 0;
        }
        self.edges
    }

    /// The same, where what is known here does not outweigh it.
    fn believed(&self, now: Instant) -> u32 {
        let fresh = |at: Instant| now.saturating_duration_since(at) < FRESH;
        match self.said(now) {
            1 if self.answered.is_some_and(fresh) => 0,
            edges => edges,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(2);
    const SECOND: Duration = Duration::from_secs(1);

    /// Hears the same each half second for so long.
    fn hear_for(hearsay: &mut Hearsay, edges: u32, from: Instant, span: Duration) -> Instant {
        let mut now = from;
        while now < from + span {
            hearsay.hear(edges, now);
            now += SECOND / 2;
        }
        now
    }

    #[test]
    fn a_word_puts_behind_until_it_is_tried_and_each_edge_makes_that_later() {
        let now = Instant::now();
        for (edges, seconds) in [(1, 2), (2, 4), (5, 10), (90, 10)] {
            let mut hearsay = Hearsay::new(now);
            assert_eq!(hearsay.behind(SPAN, now), None);
            hearsay.hear(edges, now);
            assert_eq!(hearsay.behind(SPAN, now), Some(seconds * SECOND));
            let later = hear_for(&mut hearsay, edges, now, seconds * SECOND);
            assert_eq!(hearsay.behind(SPAN, later), Some(Duration::ZERO), "{edges}");
            // One tries, and nobody else meanwhile.
            assert!(hearsay.goes(later));
            assert_eq!(hearsay.behind(SPAN, later), Some(MOMENT));
            assert!(hearsay.failed(later), "it bears the word out");
            hearsay.ended();
            assert_eq!(hearsay.behind(SPAN, later), Some(seconds * SECOND));
        }
    }

    #[test]
    fn a_word_that_is_not_said_again_is_forgotten_and_one_that_is_taken_back_is_at_once() {
        let now = Instant::now();
        let mut hearsay = Hearsay::new(now);
        hearsay.hear(3, now);
        assert!(
            hearsay
                .behind(SPAN, now + Duration::from_millis(3_999))
                .is_some()
        );
        assert_eq!(hearsay.behind(SPAN, now + TERM), None);
        hearsay.hear(3, now + TERM);
        hearsay.hear(0, now + TERM);
        assert_eq!(hearsay.behind(SPAN, now + TERM), None);
    }

    #[test]
    fn what_is_answered_here_proves_the_word_wrong_until_more_edges_say_so() {
        let before = Instant::now();
        let now = before + MOMENT;
        let mut hearsay = Hearsay::new(now);
        hearsay.hear(1, now);
        // What was sent before says nothing of now.
        assert!(!hearsay.answered(before, now + FRESH));
        let now = hear_for(&mut hearsay, 1, now + FRESH, 2 * FRESH);
        assert!(hearsay.behind(SPAN, now).is_some());
        assert!(hearsay.goes(now) && hearsay.answered(now, now));
        hearsay.ended();
        let now = hear_for(&mut hearsay, 1, now, 20 * SECOND);
        assert_eq!(hearsay.behind(SPAN, now), None, "one edge was wrong");
        assert_eq!(hearsay.lowered(5, now), 5, "and lowers nothing");
        hearsay.hear(2, now);
        assert_eq!(hearsay.behind(SPAN, now), Some(2 * SPAN));
        let now = hear_for(&mut hearsay, 1, now, WRONG_FOR);
        assert!(hearsay.behind(SPAN, now).is_some(), "that is forgotten");
    }

    #[test]
    fn what_is_answered_here_outweighs_the_word_of_one_edge_and_not_of_two() {
        let now = Instant::now();
        let mut hearsay = Hearsay::new(now);
        hearsay.answered(now, now);
        hearsay.hear(1, now);
        assert_eq!(hearsay.behind(SPAN, now), None);
        hearsay.hear(2, now);
        assert_eq!(hearsay.behind(SPAN, now), Some(2 * SPAN));
        hearsay.hear(1, now);
        hearsay.failed(now);
        assert!(hearsay.behind(SPAN, now).is_some(), "it failed since");
    }

    #[test]
    fn the_more_edges_say_so_the_fewer_failures_of_ones_own_set_aside() {
        let now = Instant::now();
        let mut hearsay = Hearsay::new(now);
        for (edges, expected) in [(0, 5), (1, 3), (2, 2), (4, 1), (1_000, 1)] {
            hearsay.hear(edges, now);
            assert_eq!(hearsay.lowered(5, now), expected, "{edges}");
        }
    }
}
