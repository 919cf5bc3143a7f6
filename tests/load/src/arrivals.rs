//! An open loop: requests come when they come, whether or not the one before has been answered.
//!
//! Arrivals are a Poisson process, and a latency counts from the arrival that was planned, so that a server
//! which stalls is charged for everyone who had to wait. Arrivals lie between two milliseconds, where the
//! runtime's own timer is too coarse; so a timer of the kernel's wakes us.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    time::{Duration, Instant},
};

use nix::sys::{
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use tokio::{io::unix::AsyncFd, select, task::JoinSet};

use crate::{
    connection::{Broken, Connection},
    saturated::{Question, Served},
};

/// What is about to come.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    /// Requests a second, on average.
    pub rate: u32,
    /// For how long.
    pub time: Duration,
    /// The same seed gives the same arrivals.
    pub seed: u64,
}

/// Wakes at a moment, to some 50 microseconds.
struct Alarm(AsyncFd<Timer>);

struct Timer(TimerFd);

type Answered = Result<(Connection, Duration), Broken>;

/// When each request comes, counted from the beginning.
pub fn planned(course: Course) -> VecDeque<Duration> {
    let mut random = fastrand::Rng::with_seed(course.seed);
    let mut planned = VecDeque::new();
    let mut at = Duration::ZERO;
    loop {
        let gap = -(1.0 - random.f64()).ln() / f64::from(course.rate);
        at += Duration::from_secs_f64(gap);
        if at >= course.time {
            return planned;
        }
        planned.push_back(at);
    }
}

/// Asks on `idle`, the connections there are, as the course says. Whoever comes when all are busy waits.
pub async fn run(
    question: &Question,
    mut idle: Vec<Connection>,
    course: Course,
) -> Result<Served, Broken> {
    let mut coming = planned(course);
    // Full: as many as are coming, and no more ever.
    let mut waiting = VecDeque::with_capacity(coming.len());
    let alarm = Alarm::new()?;
    let mut served = Served::default();
    let mut tasks: JoinSet<Answered> = JoinSet::new();
    let started = Instant::now();
    loop {
        while coming.front().is_some_and(|at| *at <= started.elapsed()) {
            waiting.extend(coming.pop_front());
        }
        while let Some(connection) = (!waiting.is_empty()).then(|| idle.pop()).flatten() {
            let due = started + waiting.pop_front().unwrap_or_default();
            tasks.spawn_local(one(question.clone(), connection, due));
        }
        let next = coming.front().map(|at| started + *at);
        select! {
            Some(answered) = tasks.join_next() => {
                let (connection, time) = answered.map_err(io::Error::other)??;
                idle.push(connection);
                served.answers += 1;
                served.latency.record(time);
            }
            woken = alarm.at(next), if next.is_some() => woken?,
            else => break,
        }
    }
    served.elapsed = started.elapsed();
    Ok(served)
}

async fn one(question: Question, mut connection: Connection, due: Instant) -> Answered {
    connection
        .exchange(&question.request, &question.expected)
        .await?;
    Ok((connection, due.elapsed()))
}

// === impl Alarm ===

impl Alarm {
    #[expect(
        deprecated,
        reason = "its successor is unsafe, which we forbid; what it asks is so: Timer owns the one descriptor that it shows"
    )]
    fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Self(AsyncFd::new(Timer(timer))?))
    }

    async fn at(&self, moment: Option<Instant>) -> io::Result<()> {
        let left = moment.map(|moment| moment.saturating_duration_since(Instant::now()));
        let Some(left) = left.filter(|left| !left.is_zero()) else {
            return Ok(());
        };
        let timer = &self.0.get_ref().0;
        let once = Expiration::OneShot(TimeSpec::from_duration(left));
        timer.set(once, TimerSetTimeFlags::empty())?;
        loop {
            let mut ready = self.0.readable().await?;
            // Reading is what quiets it; a wake-up from the setting before finds nothing to read.
            match timer.wait() {
                Ok(()) => return Ok(()),
                Err(nix::errno::Errno::EAGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_as_many_as_the_rate_says_and_the_same_for_the_same_seed() {
        let course = Course {
            rate: 2_000,
            time: Duration::from_secs(5),
            seed: 7,
        };
        let arrivals = planned(course);
        // Five standard deviations of a Poisson count of 10,000.
        assert!(
            (9_500..10_500).contains(&arrivals.len()),
            "{}",
            arrivals.len()
        );
        assert!(arrivals.iter().is_sorted());
        assert_eq!(arrivals, planned(course));
        assert_ne!(arrivals, planned(Course { seed: 8, ..course }));
    }

    #[tokio::test]
    async fn the_alarm_wakes_between_two_milliseconds_and_never_early() {
        let alarm = Alarm::new().unwrap();
        let mut late = Vec::new();
        for _ in 0..50 {
            let moment = Instant::now() + Duration::from_micros(300);
            alarm.at(Some(moment)).await.unwrap();
            late.push(
                Instant::now()
                    .checked_duration_since(moment)
                    .expect("not early"),
            );
        }
        late.sort();
        // The runtime's own timer would be half a millisecond late on average.
        assert!(late[5] < Duration::from_micros(300), "{late:?}");
    }
}
