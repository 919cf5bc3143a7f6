//! What is known of an experiment, in words.
//!
//! Each sentence says one thing of one arm beside the first one, with its interval of 95 %, or that nothing can be said yet. Knows how people
//! say it and nothing of how it was found.

use crate::{
    allocation::SAMPLES_MIN,
    experiment::{Contrast, METRICS, Plan, Tally},
    gate::Metric,
    interval::Bounds,
};

/// How often one interval may be wrong, over all times at which it is looked at.
pub const ALPHA: f64 = 0.05;

/// The difference of an arm from the first one in a metric, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// At best guess: points of a rate as a part of one, or a part of the first arm's mean.
    pub about: f64,
    /// At least.
    pub low: f64,
    /// At most.
    pub high: f64,
}

/// The interval of an arm's mean in a metric, as it is told; `None` while nobody knows what a score of one is.
pub fn of_arm(tally: &Tally, arm: usize, at: usize) -> Option<Bounds> {
    let metric = *METRICS.get(at)?;
    let (known, one) = (tally.known.get(arm)?.get(at)?, tally.one(at)?);
    let Bounds { low, high } = known.score.bounds(ALPHA);
    let (low, high) = (metric.told(low * one), metric.told(high * one));
    Some(Bounds {
        low: low.min(high),
        high: low.max(high),
    })
}

/// How an arm behind the first one differs from it, counted from 1; `None` while that may be anything.
pub fn between(tally: &Tally, arm: usize, at: usize) -> Option<Difference> {
    let metric = *METRICS.get(at)?;
    let contrast = tally.contrasts.get(arm.checked_sub(1)?)?.get(at)?;
    let (first, other) = (
        tally.known.first()?.get(at)?,
        tally.known.get(arm)?.get(at)?,
    );
    let (first, other) = (first.values.mean(), other.values.mean());
    // Where shares move, an arm's own mean is of the times at which it had most of them: what is of one time tells more.
    let moves = !tally.beliefs.is_empty();
    let in_blocks = 2.0 * contrast.difference.mean() - 1.0;
    if !metric.is_rate() {
        let about = if moves {
            in_blocks / contrast.base.mean()
        } else {
            other / first - 1.0
        };
        return relative(contrast, about);
    }
    let about = if moves { in_blocks } else { other - first };
    let Bounds { low, high } = difference(contrast, ALPHA);
    // Of feedback the values are what it lacks.
    let sign = if metric == Metric::FeedbackScore {
        -1.0
    } else {
        1.0
    };
    let (one, another) = (sign * low, sign * high);
    (high - low < 2.0).then_some(Difference {
        about: sign * about,
        low: one.min(another),
        high: one.max(another),
    })
}

fn difference(contrast: &Contrast, alpha: f64) -> Bounds {
    let Bounds { low, high } = contrast.difference.bounds(alpha);
    Bounds {
        low: 2.0 * low - 1.0,
        high: 2.0 * high - 1.0,
    }
}

/// Difference and base miss half as often each, so that the part that one is of the other misses as often as one alone may.
fn relative(contrast: &Contrast, about: f64) -> Option<Difference> {
    let Bounds { low, high } = difference(contrast, ALPHA / 2.0);
    let base = contrast.base.bounds(ALPHA / 2.0);
    if base.low <= 0.0 {
        return None;
    }
    Some(Difference {
        about,
        low: (low / base.low).min(low / base.high).max(-1.0),
        high: (high / base.low).max(high / base.high),
    })
}

/// What is known, a sentence each. `names` are those of the arms.
pub fn findings(plan: &Plan, tally: &Tally, names: &[String]) -> Vec<String> {
    let mut said: Vec<String> = mismatch(tally, names).into_iter().collect();
    said.extend(followed(plan, tally, names));
    let Some((first, others)) = names.split_first() else {
        return said;
    };
    for (arm, name) in (1..).zip(others) {
        for (at, metric) in METRICS.into_iter().enumerate() {
            said.push(finding(between(tally, arm, at), metric, (name, first)));
        }
    }
    said
}

/// That shares follow what is known, and the chance of each arm.
fn followed(plan: &Plan, tally: &Tally, names: &[String]) -> Option<String> {
    let goal = plan.allocation?.goal;
    let Some(chances) = tally.chances(plan) else {
        return Some(format!(
            "the shares will follow the {goal}, as soon as {SAMPLES_MIN:.0} clients of each arm tell it"
        ));
    };
    let all = names.iter().zip(&chances).enumerate();
    let all = all.map(|(arm, (name, chance))| {
        if plan.is_out(arm) {
            format!("{name} is out")
        } else {
            format!("{name} {:.1} %", chance * 100.0)
        }
    });
    let all: Vec<String> = all.collect();
    Some(format!(
        "the shares follow the {goal}; the chance of being the best: {}. All that is said here holds however they have moved",
        all.join(", ")
    ))
}

fn mismatch(tally: &Tally, names: &[String]) -> Option<String> {
    if !tally.proportions.is_mismatch() {
        return None;
    }
    let counts = names.iter().zip(&tally.proportions.counts);
    let counts = counts.zip(&tally.proportions.due);
    let counts = counts.map(|((name, it), due)| format!("{name} {it:.0}, due {due:.0}"));
    let counts: Vec<_> = counts.collect();
    Some(format!(
        "the arms do not get the clients that their shares say ({}): find out why, and believe nothing else of this until then",
        counts.join("; ")
    ))
}

fn finding(known: Option<Difference>, metric: Metric, (name, first): (&str, &str)) -> String {
    let unit = if metric.is_rate() { "points" } else { "%" };
    let Some(known) = known else {
        return format!("of the {metric} nothing can be said yet: too few requests tell it");
    };
    let (low, high) = (known.low * 100.0, known.high * 100.0);
    if low <= 0.0 && high >= 0.0 {
        return format!(
            "of the {metric} nothing can be said yet: that of {name} is between {:.1} {unit} lower and {high:.1} {unit} higher (95 %)",
            -low
        );
    }
    let is_more = low > 0.0;
    let (least, most) = (low.abs().min(high.abs()), low.abs().max(high.abs()));
    let (verb, more, less) = comparison(metric);
    format!(
        "{name} {verb} {:.1} {unit} {} than {first} (95 %: {least:.1} to {most:.1})",
        known.about.abs() * 100.0,
        if is_more { more } else { less },
    )
}

/// What a version does, and the words for more and for less of it.
const fn comparison(metric: Metric) -> (&'static str, &'static str, &'static str) {
    match metric {
        Metric::Cost => ("costs", "more", "less"),
        Metric::FirstByteTime | Metric::TotalTime => ("answers", "later", "sooner"),
        Metric::FeedbackScore => ("is liked", "better", "less"),
        Metric::ErrorRate => ("fails", "more often", "less often"),
        Metric::TruncationRate => ("is cut short", "more often", "less often"),
        Metric::ToolCallErrorRate => ("calls tools wrongly", "more often", "less often"),
        Metric::RefusalRate => ("refuses", "more often", "less often"),
    }
}

#[cfg(test)]
#[path = "finding_test.rs"]
mod tests;
