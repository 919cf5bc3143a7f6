//! What an operator may say of what a provider does with data, and what a project may demand of that.
//!
//! Knows the grammar of places and quantizations; what is left out by them is decided on edges.

use policy::{
    guard::Guard,
    handling::{Demanded, Handling, RESIDENCIES_MAX},
    preference::{Preference, Preferences},
};

use crate::{segment::Slug, violation::Violations};

/// Checks what is said of a provider.
pub fn handling(given: Handling, violations: &mut Violations) -> Handling {
    label("provider.residency", &given.residency, violations);
    label("provider.quantization", &given.quantization, violations);
    given
}

/// Checks what a project forbids, by the numbers of the wire, and what it demands.
pub fn guard(forbidden: &[i32], demanded: Demanded, violations: &mut Violations) -> Guard {
    let field = "project.residencies";
    if demanded.residencies.len() > RESIDENCIES_MAX {
        violations.add(field, format!("must hold at most {RESIDENCIES_MAX}"));
    }
    for (at, place) in demanded.residencies.iter().enumerate() {
        violations.take(&format!("{field}[{at}]"), Slug::parse(place));
    }
    Guard {
        forbidden: preferences(forbidden, violations),
        demanded,
    }
}

/// What a project forbids, by the numbers of the wire.
fn preferences(numbers: &[i32], violations: &mut Violations) -> Preferences {
    let all = numbers.iter().enumerate().filter_map(|(at, number)| {
        let number = u32::try_from(*number).ok();
        let known = number.and_then(Preference::from_number);
        if known.is_none() {
            let field = format!("project.forbidden_preferences[{at}]");
            violations.add(field, "is not known");
        }
        known
    });
    all.collect()
}

fn label(field: &str, text: &str, violations: &mut Violations) {
    if !text.is_empty() {
        violations.take(field, Slug::parse(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_quantizations_are_words_and_what_is_forbidden_is_known() {
        let mut violations = Violations::new();
        let good = Handling {
            residency: "eu-west".to_owned(),
            quantization: "fp8".to_owned(),
            ..Handling::default()
        };
        assert_eq!(handling(good.clone(), &mut violations), good);
        let made = guard(&[1, 13, 1], Demanded::default(), &mut violations);
        assert_eq!(made.forbidden.all().count(), 2);
        assert!(violations.is_empty());

        let bad = Handling {
            residency: "E U".to_owned(),
            quantization: "8".to_owned(),
            ..good
        };
        handling(bad, &mut violations);
        let demanded = Demanded {
            residencies: vec!["eu".to_owned(), String::new()],
            ..Demanded::default()
        };
        guard(&[0, 14], demanded, &mut violations);
        let fields: Vec<_> = violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect();
        let expected = [
            "provider.residency",
            "provider.quantization",
            "project.residencies[1]",
            "project.forbidden_preferences[0]",
            "project.forbidden_preferences[1]",
        ];
        assert_eq!(fields, expected);
    }
}
