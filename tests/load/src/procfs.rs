//! What processes have used, as the kernel tells: CPU time and memory.
//!
//! Knows process numbers; knows nothing of what they are. CPU time is that of user and system together, in
//! steps of ten milliseconds, which is what the kernel shows.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use tokio::time::sleep;

/// One step of the kernel's counts; Linux shows a hundred in a second whatever its own clock does.
const TICK_MS: u64 = 10;

/// How long the machine is looked at to see whether it is quiet.
const LOOK: Duration = Duration::from_millis(250);

/// The processes of a measurement, by what they are to it.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// What is measured.
    pub target: Option<u32>,
    /// Redis.
    pub redis: Option<u32>,
    /// The control plane and Postgres, with the children of each.
    pub ledger: Vec<u32>,
    /// The provider and the client.
    pub ours: Vec<u32>,
}

/// What was used while something ran.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// By what is measured.
    pub target: Duration,
    /// By Redis.
    pub redis: Duration,
    /// By the control plane and Postgres.
    pub ledger: Duration,
    /// By everybody who has nothing to do with it.
    pub others: Duration,
    /// How long it ran.
    pub elapsed: Duration,
}

/// A measurement that runs.
#[derive(Debug)]
pub struct Meter {
    watched: Watched,
    started: Instant,
    before: Reading,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    target: Duration,
    redis: Duration,
    ledger: Duration,
    ours: Duration,
    machine: Duration,
}

/// The CPU time that a process has used; zero when it is gone.
pub fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = after_name(&stat);
    ticks(fields.get(11)) + ticks(fields.get(12))
}

/// The memory that a process has in use, in KiB.
pub fn resident_kib(pid: u32) -> io::Result<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| io::Error::other("the kernel shows no VmRSS"))
}

/// The CPU time that everything on this machine has used.
pub fn machine() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<&str> = line.split_whitespace().skip(1).collect();
    // All but what was idle (3) or waited for a disk (4); 8 and 9 are counted among the first two.
    Ok([0, 1, 2, 5, 6, 7]
        .into_iter()
        .map(|at| ticks(fields.get(at)))
        .sum())
}

/// Waits until everything together uses less than this part of one core, or patience ends.
pub async fn lull(part_max: f64, patience: Duration) -> io::Result<()> {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        let before = machine()?;
        sleep(LOOK).await;
        if machine()?.saturating_sub(before) <= LOOK.mul_f64(part_max) {
            break;
        }
    }
    Ok(())
}

/// The processes whose parent is `pid`.
fn children(pid: u32) -> Vec<u32> {
    let Ok(folder) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = folder
        .flatten()
        .filter_map(|it| it.file_name().to_str()?.parse().ok());
    let is_child = |child: &u32| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        after_name(&stat).get(1).and_then(|it| it.parse().ok()) == Some(pid)
    };
    pids.filter(is_child).collect()
}

/// The fields after the name, which may hold spaces and brackets. The first is the state.
fn after_name(stat: &str) -> Vec<&str> {
    stat.rsplit_once(") ")
        .map_or(Vec::new(), |(_, rest)| rest.split(' ').collect())
}

fn ticks(field: Option<&&str>) -> Duration {
    let ticks: u64 = field.and_then(|it| it.parse().ok()).unwrap_or(0);
    Duration::from_millis(ticks.saturating_mul(TICK_MS))
}

// === impl Meter ===

impl Meter {
    /// Begins.
    pub fn start(mut watched: Watched) -> io::Result<Self> {
        let children: Vec<u32> = watched
            .ledger
            .iter()
            .flat_map(|pid| children(*pid))
            .collect();
        watched.ledger.extend(children);
        let before = Reading::take(&watched)?;
        Ok(Self {
            watched,
            started: Instant::now(),
            before,
        })
    }

    /// Ends.
    pub fn stop(self) -> io::Result<Spent> {
        let (after, before) = (Reading::take(&self.watched)?, self.before);
        let of = |part: fn(&Reading) -> Duration| part(&after).saturating_sub(part(&before));
        let (target, redis, ledger) = (of(|it| it.target), of(|it| it.redis), of(|it| it.ledger));
        let known = target + redis + ledger + of(|it| it.ours);
        let others = of(|it| it.machine).saturating_sub(known);
        Ok(Spent {
            target,
            redis,
            ledger,
            others,
            elapsed: self.started.elapsed(),
        })
    }
}

// === impl Reading ===

impl Reading {
    fn take(watched: &Watched) -> io::Result<Self> {
        let all = |pids: &[u32]| pids.iter().map(|pid| cpu(*pid)).sum();
        Ok(Self {
            target: watched.target.map_or(Duration::ZERO, cpu),
            redis: watched.redis.map_or(Duration::ZERO, cpu),
            ledger: all(&watched.ledger),
            ours: all(&watched.ours),
            machine: machine()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_burns_is_seen_on_it_and_on_the_machine() {
        let pid = std::process::id();
        let watched = Watched {
            target: Some(pid),
            ..Watched::default()
        };
        let meter = Meter::start(watched).unwrap();
        let before = machine().unwrap();
        let started = cpu(pid);
        while cpu(pid) < started + Duration::from_millis(60) {
            std::hint::spin_loop();
        }
        let spent = meter.stop().unwrap();
        assert!(spent.target >= Duration::from_millis(60), "{spent:?}");
        assert!(machine().unwrap() > before);
        assert!(resident_kib(pid).unwrap() > 500);
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 3 7 7 0 -1 0 0 0 0 0 11 12 0";
        assert_eq!(after_name(stat)[..2], ["S", "3"]);
        assert_eq!((after_name(stat)[11], after_name(stat)[12]), ("11", "12"));
    }
}
