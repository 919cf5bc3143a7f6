//! Why a request went where it went, as lines and as a cell.
//!
//! Knows the message and how people read it; the words of rules are the control plane's.

use std::time::Duration;

use proto::admin::{UsageDecision, UsageTarget, UsageTargetNote};

use crate::{admin::route::HEDGE, moment::roughly};

/// What chose the version.
pub fn chosen_by(decision: &UsageDecision) -> String {
    match decision.rule {
        0 => decision.chosen_by.clone(),
        rule => format!("{} {rule}", decision.chosen_by),
    }
}

/// A line for what chose the version, and one for each target.
pub fn lines(decision: &UsageDecision) -> Vec<(String, String)> {
    let mut lines = vec![("chosen by".to_owned(), chosen_by(decision))];
    if !decision.balance.is_empty() {
        lines.push(("balance".to_owned(), decision.balance.clone()));
    }
    lines.extend(decision.targets.iter().map(|it| {
        let head = match (it.place, it.reached) {
            (0, _) => "left out".to_owned(),
            (place, true) => format!("target {place}"),
            (place, false) => format!("target {place}, not asked"),
        };
        (head, target(it))
    }));
    if decision.more_targets > 0 {
        lines.push(("more targets".to_owned(), decision.more_targets.to_string()));
    }
    lines
}

/// All targets in one cell, those that were left out with a dash for their place.
pub fn cell(decision: &UsageDecision) -> String {
    let targets = decision.targets.iter().map(|it| match it.place {
        0 => format!("- {}", target(it)),
        place => format!("{place} {}", target(it)),
    });
    targets.collect::<Vec<_>>().join("; ")
}

fn target(it: &UsageTarget) -> String {
    let notes: Vec<String> = it.notes.iter().map(note).collect();
    let between = if notes.is_empty() { "" } else { ": " };
    format!(
        "{} {}{between}{}",
        it.provider,
        it.provider_model,
        notes.join(", ")
    )
}

fn note(it: &UsageTargetNote) -> String {
    if it.lasts_ms == 0 {
        return it.rule.clone();
    }
    if it.rule == HEDGE {
        return format!("{} after {}ms", it.rule, it.lasts_ms);
    }
    let lasts = Duration::from_millis(it.lasts_ms.unsigned_abs()).as_secs();
    let lasts = roughly(i64::try_from(lasts).unwrap_or(i64::MAX));
    format!("{} for {lasts}", it.rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_a_line_that_says_whether_it_was_asked_and_what_kept_it_from_its_place() {
        let note = |rule: &str, lasts_ms| UsageTargetNote {
            rule: rule.to_owned(),
            lasts_ms,
        };
        let target = |provider: &str, place, notes| UsageTarget {
            provider: provider.to_owned(),
            provider_model: "m".to_owned(),
            place,
            reached: place == 1,
            notes,
        };
        let decision = UsageDecision {
            chosen_by: "rule".to_owned(),
            rule: 2,
            targets: vec![
                target("a", 1, vec![]),
                target("b", 2, vec![note("set-aside", 12_000), note("hedge", 250)]),
                target("c", 0, vec![note("key", 0)]),
            ],
            ..UsageDecision::default()
        };
        let lines = lines(&decision);
        let lines: Vec<_> = lines.iter().map(|it| (&*it.0, &*it.1)).collect();
        assert_eq!(
            lines,
            [
                ("chosen by", "rule 2"),
                ("target 1", "a m"),
                (
                    "target 2, not asked",
                    "b m: set-aside for 12s, hedge after 250ms"
                ),
                ("left out", "c m: key"),
            ]
        );
        let all = "1 a m; 2 b m: set-aside for 12s, hedge after 250ms; - c m: key";
        assert_eq!(cell(&decision), all);
    }
}
