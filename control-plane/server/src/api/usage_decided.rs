//! Why a request went where it went, in words: those in which routes are explained.
//!
//! Knows what is kept with a record and what operators see; what the control plane does not know has no word.

use prost::Message;
use proto::{
    admin::{RouteRule, TargetBalance, UsageDecision, UsageTarget, UsageTargetNote},
    usage::{Chooser, DecidedNote, DecidedTarget, Decision},
};

/// The word for a version that was chosen by its share.
pub(crate) const SHARED: &str = "rollout";

/// What is kept, shown; a provider is `named` by its id. `None` where nothing is kept.
pub(crate) fn decision(kept: &[u8], named: impl Fn(&[u8]) -> String) -> Option<UsageDecision> {
    if kept.is_empty() {
        return None;
    }
    let decision = Decision::decode(kept).ok()?;
    let chosen_by = match decision.chooser() {
        Chooser::Unspecified => "",
        Chooser::Release => "release",
        Chooser::Rollout => SHARED,
        Chooser::Rule => "rule",
        Chooser::Client => "client",
        Chooser::Alias => "alias",
    };
    let balance = i32::try_from(decision.balance).unwrap_or_default();
    let balance = TargetBalance::try_from(balance).unwrap_or_default();
    let target = |it: DecidedTarget| UsageTarget {
        provider: named(&it.provider_id),
        provider_model: it.provider_model,
        place: i32::try_from(it.place).unwrap_or_default(),
        reached: it.reached,
        notes: it.notes.iter().map(note).collect(),
    };
    Some(UsageDecision {
        chosen_by: chosen_by.to_owned(),
        rule: i32::try_from(decision.rule).unwrap_or_default(),
        balance: word(balance.as_str_name(), "TARGET_BALANCE_"),
        targets: decision.targets.into_iter().map(target).collect(),
        more_targets: i32::try_from(decision.more_targets).unwrap_or(i32::MAX),
    })
}

fn note(it: &DecidedNote) -> UsageTargetNote {
    // The numbers of rules are the same to edges and to operators.
    let rule = i32::try_from(it.rule).unwrap_or_default();
    let rule = RouteRule::try_from(rule).unwrap_or_default();
    UsageTargetNote {
        rule: word(rule.as_str_name(), "ROUTE_RULE_"),
        lasts_ms: i64::try_from(it.for_ms.unwrap_or_default()).unwrap_or(i64::MAX),
    }
}

/// A value's name as people read it; nothing where it has none.
fn word(name: &str, prefix: &str) -> String {
    let word = name.strip_prefix(prefix).unwrap_or_default();
    if word == "UNSPECIFIED" {
        return String::new();
    }
    word.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_shown_in_words_and_what_is_not_is_absent() {
        let named = |id: &[u8]| format!("p{}", id[0]);
        assert_eq!(decision(&[], named), None);
        let kept = Decision {
            chooser: Chooser::Rule.into(),
            rule: 2,
            balance: 2,
            targets: vec![DecidedTarget {
                provider_id: vec![7; 16],
                provider_model: "m".to_owned(),
                place: 1,
                reached: true,
                notes: vec![
                    DecidedNote {
                        rule: 4,
                        for_ms: Some(21_000),
                    },
                    DecidedNote {
                        rule: 99,
                        for_ms: None,
                    },
                ],
            }],
            more_targets: 0,
        };
        let shown = decision(&kept.encode_to_vec(), named).unwrap();
        assert_eq!((shown.chosen_by.as_str(), shown.rule), ("rule", 2));
        assert_eq!(shown.balance, "least-latency");
        let target = &shown.targets[0];
        assert_eq!(
            (target.provider.as_str(), target.place, target.reached),
            ("p7", 1, true)
        );
        let notes = target.notes.iter();
        let notes: Vec<_> = notes.map(|it| (it.rule.as_str(), it.lasts_ms)).collect();
        assert_eq!(notes, [("set-aside", 21_000), ("", 0)]);
    }
}
