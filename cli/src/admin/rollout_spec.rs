//! Steps and gates as they are written on a command line.

use std::str::FromStr;

use clap::ValueEnum;
use proto::admin::{RolloutGate, RolloutMetric, RolloutStep, RolloutStickiness};

use crate::moment::{span, wire_span};

/// A step: `5%`, `5%:10m`, `5%:10m:200` or `5%:10m:200:approve`.
#[derive(Debug, Clone, PartialEq)]
pub struct Step(pub RolloutStep);

/// A gate: `error-rate`, `error-rate:1%` or `error-rate:1%:3%`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate(pub RolloutGate);

/// What keeps a client with the version that it met first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sticky {
    /// Nothing: each request is assigned by itself
    Request,
    /// The key
    Key,
    /// The end user
    EndUser,
    /// The session, of the header x-sluice-session
    Session,
}

/// Hundredths of a percent, of `5%`, `5` or `0.25%`.
pub fn basis_points(text: &str) -> Result<i32, String> {
    let wrong = || "write a percentage with at most two decimals, such as 5% or 0.25%".to_owned();
    let number = text.strip_suffix('%').unwrap_or(text);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || decimals.len() > 2 || !digits(decimals) {
        return Err(wrong());
    }
    let number = format!("{whole}{decimals:0<2}").parse::<i32>();
    number.map_err(|_| wrong())
}

// === impl Step ===

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let share = basis_points(parts.next().unwrap_or_default())?;
        let mut step = RolloutStep {
            basis_points: share,
            ..Default::default()
        };
        let mut rest: Vec<&str> = parts.collect();
        if rest.last() == Some(&"approve") {
            rest.pop();
            step.needs_approval = true;
        }
        if rest.len() > 2 {
            return Err("write PERCENT:TIME:REQUESTS, such as 5%:10m:200".to_owned());
        }
        if let Some(bake) = rest.first() {
            step.bake_time = Some(wire_span(span(bake)?));
        }
        if let Some(sample) = rest.get(1) {
            let sample = sample.parse::<u32>().ok();
            let sample = sample.ok_or("the third part is a number of requests")?;
            step.sample_min = i64::from(sample);
        }
        Ok(Self(step))
    }
}

// === impl Gate ===

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let metric = match parts.next().unwrap_or_default() {
            "error-rate" => RolloutMetric::ErrorRate,
            "first-byte-time" => RolloutMetric::FirstByteTime,
            "total-time" => RolloutMetric::TotalTime,
            "cost" => RolloutMetric::Cost,
            "truncation-rate" => RolloutMetric::TruncationRate,
            "refusal-rate" => RolloutMetric::RefusalRate,
            "tool-call-error-rate" => RolloutMetric::ToolCallErrorRate,
            "feedback-score" => RolloutMetric::FeedbackScore,
            _ => {
                return Err("write error-rate, first-byte-time, total-time, cost, truncation-rate, refusal-rate, tool-call-error-rate or feedback-score".to_owned());
            }
        };
        let mut next = || parts.next().map_or(Ok(0), basis_points);
        let gate = RolloutGate {
            metric: metric.into(),
            tolerance_basis_points: next()?,
            margin_basis_points: next()?,
        };
        if parts.next().is_some() {
            return Err("write METRIC:TOLERANCE:MARGIN, such as error-rate:0%:2%".to_owned());
        }
        Ok(Self(gate))
    }
}

// === impl Sticky ===

impl Sticky {
    /// As the wire has it.
    pub const fn wire(self) -> RolloutStickiness {
        match self {
            Self::Request => RolloutStickiness::Request,
            Self::Key => RolloutStickiness::Key,
            Self::EndUser => RolloutStickiness::EndUser,
            Self::Session => RolloutStickiness::Session,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(text: &str) -> Result<(i32, i64, i64, bool), String> {
        let Step(step) = text.parse()?;
        let bake = step.bake_time.map_or(0, |it| it.seconds);
        let it = (step.basis_points, bake, step.sample_min);
        Ok((it.0, it.1, it.2, step.needs_approval))
    }

    #[test]
    fn a_step_is_a_share_a_time_and_a_sample() {
        assert_eq!(step("5%"), Ok((500, 0, 0, false)));
        assert_eq!(step("0.25"), Ok((25, 0, 0, false)));
        assert_eq!(step("5%:10m:200"), Ok((500, 600, 200, false)));
        assert_eq!(step("50%:approve"), Ok((5_000, 0, 0, true)));
        assert_eq!(step("100%:1h:1:approve"), Ok((10_000, 3_600, 1, true)));
        for wrong in ["", "%", "-5%", "5%:ten", "5%:1m:x", "1.234", "5%:1m:2:no"] {
            assert!(step(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_gate_is_a_metric_a_tolerance_and_a_margin() {
        let gate = |text: &str| {
            let Gate(it) = text.parse()?;
            let parts = (it.tolerance_basis_points, it.margin_basis_points);
            Ok::<_, String>((it.metric(), parts))
        };
        assert_eq!(gate("cost"), Ok((RolloutMetric::Cost, (0, 0))));
        assert_eq!(
            gate("error-rate:0.5%:3%"),
            Ok((RolloutMetric::ErrorRate, (50, 300)))
        );
        for wrong in ["", "errors", "cost:x", "cost:1:2:3"] {
            assert!(gate(wrong).is_err(), "{wrong}");
        }
    }
}
