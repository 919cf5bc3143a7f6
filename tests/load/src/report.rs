//! What a run came to, as a table for people and as a document for programs.
//!
//! Knows how figures are shown; judges nothing.

pub mod line;

use std::{fmt::Write as _, fs, time::Duration};

use serde_json::{Value, json};

use crate::{
    agreement::Counts,
    installation::Target,
    plan::Plan,
    rounds::{Measured, Memory, Phase, Round},
    verdict::{self, ACROSS_MAX, CHUNK_MAX, Figure, Quantity, REQUEST_MAX},
};

use self::line::Line;

/// A finished run.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was to be measured.
    pub plan: Plan,
    /// What was measured.
    pub measured: Measured,
    /// What everybody counted; they agreed.
    pub counts: Counts,
    /// The bars that were missed.
    pub missed: Vec<String>,
}

// === impl Report ===

impl Report {
    /// The table, the counts and the bars that were missed.
    pub fn table(&self) -> String {
        let mut text = format!("{}\n\n", machine());
        let mut lines = vec![Line::head()];
        lines.extend(self.costs());
        lines.extend(self.waits());
        lines.extend(self.memories());
        for line in &lines {
            line.write(&mut text);
        }
        let _ = writeln!(
            text,
            "\nleast of the rounds (median); others: the most of one core that anybody else used"
        );
        let _ = writeln!(text, "{}", self.counts);
        if !self.plan.bars {
            let _ = writeln!(
                text,
                "short form: no bar but the stall, since debug builds say nothing of cost"
            );
        }
        for missed in &self.missed {
            let _ = writeln!(text, "MISSED: {missed}");
        }
        text
    }

    /// All of it, every round included; times in microseconds.
    pub fn document(&self) -> Value {
        let rounds: Vec<Value> = self.measured.rounds.iter().map(round).collect();
        let memory: Vec<Value> = self.measured.memory.iter().map(memory).collect();
        let ratio = |phase| verdict::ratio(&self.measured, phase);
        json!({
            "machine": machine(),
            "bars_apply": self.plan.bars,
            "cpu_ratio": {
                "request": ratio(Phase::Requests),
                "chunk": ratio(Phase::Streams),
                "translated_chunk": verdict::across(&self.measured),
                "accounted": verdict::accounted(&self.measured),
                "long_request": ratio(Phase::Long),
            },
            "rounds": rounds,
            "memory": memory,
            "counts": {
                "client": self.counts.client, "provider": self.counts.provider,
                "redis": self.counts.redis, "ledger": self.counts.ledger,
                "redis_tokens": self.counts.redis_tokens, "ledger_tokens": self.counts.ledger_tokens,
                "client_bare": self.counts.client_bare, "provider_bare": self.counts.provider_bare,
            },
            "missed": self.missed,
        })
    }

    fn costs(&self) -> Vec<Line> {
        let long = format!("CPU a request of {} KB, µs", self.plan.long_bytes >> 10);
        let mut lines = vec![
            self.cost(
                Phase::Requests,
                "CPU a request, saturated, µs",
                &bar(REQUEST_MAX),
            ),
            self.beside(Phase::Requests, Quantity::RedisCpu, "  Redis, µs"),
            self.beside(
                Phase::Requests,
                Quantity::LedgerCpu,
                "  control plane and Postgres, µs",
            ),
            self.accounted(),
            self.paces(),
            self.cost(
                Phase::Streams,
                "CPU a chunk of a stream, µs",
                &bar(CHUNK_MAX),
            ),
            self.translated(),
            self.cost(Phase::Long, &long, ""),
        ];
        for rate in self.plan.rates {
            let what = format!("CPU a request at {rate}/s, µs");
            lines.push(self.cost(Phase::Arrivals(rate), &what, ""));
        }
        lines
    }

    fn waits(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let arrivals = self
            .plan
            .rates
            .map(|rate| (Phase::Arrivals(rate), format!("added p50 at {rate}/s, µs")));
        let alone = (Phase::Alone, "added p50, one plain client, µs".to_owned());
        for (phase, what) in arrivals.into_iter().chain([alone]) {
            let added = |target| verdict::added(&self.measured, phase, target);
            let (bare, sluice) = (added(Target::Bare), added(Target::Sluice));
            let ratio = bare
                .zip(sluice)
                .filter(|_| phase != Phase::Alone)
                .map(|(bare, it)| it / bare);
            let bar = if phase == Phase::Alone { "< 20000" } else { "" };
            lines.push(self.line(phase, &what, [plain(bare), plain(sluice)], (ratio, bar)));
        }
        let wait = |target| verdict::figure(&self.measured, Phase::Streams, target, Quantity::Wait);
        let first = [Target::Bare, Target::Sluice].map(|target| shown(wait(target)));
        lines.push(self.line(
            Phase::Streams,
            "first byte of a stream, p50, µs",
            first,
            (None, ""),
        ));
        lines
    }

    fn memories(&self) -> Vec<Line> {
        let of = |target| self.measured.memory.iter().find(|it| it.target == target);
        let (Some(bare), Some(sluice)) = (of(Target::Bare), of(Target::Sluice)) else {
            return Vec::new();
        };
        let mib = |kib: u32| f64::from(kib) / 1024.0;
        let line = |what: &str, of: fn(&Memory) -> f64| {
            let (bare, sluice) = (of(bare), of(sluice));
            let cells = [format!("{bare:.1}"), format!("{sluice:.1}")];
            Line::new(what, cells, (Some(sluice / bare), ""), String::new())
        };
        let silent = format!("KiB a silent stream, {} open", sluice.streams);
        let mut lines = vec![line(&silent, Memory::each_kib)];
        let cells = [bare, sluice].map(|it| format!("{:.1}", mib(it.warm_kib)));
        lines.push(Line::new(
            "memory when warm, MiB",
            cells,
            (None, ""),
            String::new(),
        ));
        lines
    }

    fn cost(&self, phase: Phase, what: &str, bar: &str) -> Line {
        let bar = if self.plan.bars { bar } else { "" };
        let cells = Target::PROXIES.map(|target| {
            shown(verdict::figure(
                &self.measured,
                phase,
                target,
                Quantity::Cpu,
            ))
        });
        self.line(
            phase,
            what,
            cells,
            (verdict::ratio(&self.measured, phase), bar),
        )
    }

    fn beside(&self, phase: Phase, of: Quantity, what: &str) -> Line {
        let sluice = verdict::figure(&self.measured, phase, Target::Sluice, of);
        Line::new(
            what,
            [String::new(), shown(sluice)],
            (None, ""),
            String::new(),
        )
    }

    /// What a translated chunk costs; on the left stands one that passes.
    fn translated(&self) -> Line {
        let cost = |phase| {
            shown(verdict::figure(
                &self.measured,
                phase,
                Target::Sluice,
                Quantity::Cpu,
            ))
        };
        let cells = [cost(Phase::Streams), cost(Phase::Across)];
        let bar = if self.plan.bars {
            bar(ACROSS_MAX)
        } else {
            String::new()
        };
        let end = (verdict::across(&self.measured), &*bar);
        let what = "CPU a chunk, passed | translated, µs";
        self.line(Phase::Across, what, cells, end)
    }

    /// What a request costs that leaves no record and is not measured, from the least of the rounds to the most, and what it costs otherwise.
    fn accounted(&self) -> Line {
        let cost = |target| {
            let of = Quantity::Cpu;
            let figure = verdict::figure(&self.measured, Phase::Requests, target, of);
            figure.map_or_else(String::new, |it| format!("{:.1}-{:.1}", it.least, it.most))
        };
        let cells = [cost(Target::Off), cost(Target::Sluice)];
        let end = (verdict::accounted(&self.measured), "");
        let what = "  unaccounted | accounted, least to most, µs";
        self.line(Phase::Requests, what, cells, end)
    }

    fn paces(&self) -> Line {
        let cells = Target::PROXIES.map(|target| {
            format!(
                "{:.0}",
                verdict::pace(&self.measured, Phase::Requests, target)
            )
        });
        Line::new(
            "  answers a second, best round",
            cells,
            (None, ""),
            String::new(),
        )
    }

    fn line(&self, phase: Phase, what: &str, cells: [String; 2], end: (Option<f64>, &str)) -> Line {
        let others = format!("{:.0} %", 100.0 * verdict::others(&self.measured, phase));
        Line::new(what, cells, end, others)
    }
}

/// The machine and the system, in a line.
pub fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let system = read("/proc/sys/kernel/osrelease");
    let model = model.map_or("an unknown processor", |(_, model)| model);
    format!("{cores} x {model}, Linux {}", system.trim())
}

fn round(round: &Round) -> Value {
    let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    json!({
        "phase": round.phase.to_string(), "target": round.target.name(), "units": round.units,
        "cpu_us": us(round.spent.target), "redis_cpu_us": us(round.spent.redis),
        "ledger_cpu_us": us(round.spent.ledger), "others_cpu_us": us(round.spent.others),
        "metered_us": us(round.spent.elapsed), "elapsed_us": us(round.elapsed),
        "p50_us": us(round.p50), "p99_us": us(round.p99),
    })
}

fn memory(memory: &Memory) -> Value {
    json!({
        "target": memory.target.name(), "streams": memory.streams,
        "warm_kib": memory.warm_kib, "silent_kib": memory.silent_kib,
    })
}

fn shown(figure: Option<Figure>) -> String {
    figure.map_or_else(String::new, |it| {
        format!("{:.1} ({:.1})", it.least, it.median)
    })
}

fn plain(number: Option<f64>) -> String {
    number.map_or_else(String::new, |it| format!("{it:.0}"))
}

fn bar(most: f64) -> String {
    format!("<= {most:.1}")
}
