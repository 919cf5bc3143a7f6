//! A refusal that is believed for a moment, so that a flood of requests beyond a limit does not become a flood of questions.
//!
//! Knows what was said and when; knows nothing of loans. Longer than what refills takes to suffice it is believed by a crowd alone, of
//! which only one asks when that time is over.

use std::{
    mem,
    time::{Duration, Instant},
};

use policy::applying::Measure;

use crate::reservation::{Line, Reserved};

/// How long one is believed at most. Short, because what others give back is not heard of here.
const BELIEVED_MAX: Duration = Duration::from_millis(100);

/// How many refusals by the same one are a crowd.
const CROWD: u32 = 3;

/// The last word on what some limits have no room for.
#[derive(Debug)]
pub(crate) struct Denial {
    until: Instant,
    /// When it would be worth asking again.
    retry_at: Instant,
    tightest: usize,
    amount: i64,
    remaining: Vec<i64>,
    /// How many were refused by it, and since the question that it answers.
    believed: u32,
    /// Whether they were a crowd when its time was over.
    crowd: bool,
}

// === impl Denial ===

impl Denial {
    /// The keeper refused these for so many milliseconds. They were asked at `sent`; `before` is the last word before this one.
    pub(crate) fn said(
        lines: &[Line],
        (tightest, retry_after_ms, remaining): (usize, u64, &[i64]),
        sent: Instant,
        before: Option<&Self>,
    ) -> Self {
        let line = lines.get(tightest);
        let left = remaining.get(tightest).copied().unwrap_or(0);
        let crowd = before.is_some_and(|it| it.crowd);
        let fills = line.filter(|_| crowd);
        let fills = fills.map_or(0, |line| until_there_is(line, i64::MAX, left) / 4);
        let until = Duration::from_millis(retry_after_ms.max(fills)).min(BELIEVED_MAX);
        let wait = Duration::from_millis(retry_after_ms);
        Self {
            until: sent + until,
            retry_at: sent + wait.max(until),
            tightest,
            amount: line.map_or(0, |line| line.amount),
            remaining: remaining.to_vec(),
            // Who asked for this and who was refused meanwhile are of the crowd, too: the answer may come when its time is over already.
            believed: before.map_or(0, |it| it.believed).saturating_add(1),
            crowd,
        }
    }

    /// The keeper had room for these: what holds for others, where it has none for as much again until a rate has refilled, or where a
    /// crowd asks.
    pub(crate) fn after(
        lines: &[Line],
        remaining: &[i64],
        sent: Instant,
        before: Option<&Self>,
    ) -> Option<Self> {
        let lacks = |(at, (line, left)): (usize, (&Line, &i64))| {
            let wait_ms = until_there_is(line, line.amount, *left);
            (!line.soft && wait_ms > 0).then_some((at, wait_ms))
        };
        let lines_left = lines.iter().zip(remaining).enumerate();
        let Some((tightest, wait_ms)) = lines_left.filter_map(lacks).max_by_key(|it| it.1) else {
            // A crowd that waited for this does not ask all at once now.
            let before = before.filter(|it| it.crowd && it.believed >= CROWD)?;
            return Some(Self {
                until: sent,
                retry_at: sent,
                remaining: remaining.to_vec(),
                ..*before
            });
        };
        let said = (tightest, wait_ms, remaining);
        Some(Self::said(lines, said, sent, before))
    }

    /// What it says to these, if it holds for them, too. When its time is over it says nothing; to a crowd only once, and then it holds
    /// until the one that asks has its answer.
    pub(crate) fn says(&mut self, lines: &[Line], now: Instant) -> Option<Reserved> {
        if lines.get(self.tightest)?.amount < self.amount {
            return None;
        }
        if self.until <= now {
            self.crowd = mem::take(&mut self.believed) >= CROWD;
            if self.crowd {
                self.until = now + BELIEVED_MAX;
            }
            return None;
        }
        self.believed = self.believed.saturating_add(1);
        let wait = self.retry_at.saturating_duration_since(now);
        let retry_after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Some(Reserved::Denied {
            tightest: self.tightest,
            retry_after_ms: retry_after_ms.max(1),
            remaining: self.remaining.clone(),
            slots: Vec::new(),
        })
    }
}

/// How many milliseconds a rate of which so much is left takes to refill until there is as much, or until it is full; 0 where it does
/// not refill.
fn until_there_is(line: &Line, amount: i64, left: i64) -> u64 {
    let Measure::Rate(rate) = &line.measure else {
        return 0;
    };
    let most = amount.min(rate.burst().try_into().unwrap_or(i64::MAX));
    let lacks = u64::try_from(most.saturating_sub(left)).unwrap_or(0);
    lacks.saturating_mul(rate.window_ms()) / rate.amount().max(1)
}
