//! What must be true of what is said of the abilities of a target.

use policy::capability::{Abilities, Ability, Capabilities};

use crate::violation::Violations;

/// What an operator says, in the numbers of the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The most tokens of a conversation; zero: not said.
    pub context_tokens: i64,
    /// The most tokens of an answer; zero: not said.
    pub output_tokens_max: i64,
    /// What it can do.
    pub can: Vec<i32>,
    /// What it cannot.
    pub cannot: Vec<i32>,
}

/// Checks what is said under a field such as `model_version.targets[0].capabilities`.
pub fn check(field: &str, said: &Said, violations: &mut Violations) -> Option<Capabilities> {
    let can = abilities(&format!("{field}.can"), &said.can, violations);
    let cannot = abilities(&format!("{field}.cannot"), &said.cannot, violations);
    let mut count = |name: &str, number: i64| {
        let read = u64::try_from(number).map_err(|_| "must not be negative");
        violations.take(&format!("{field}.{name}"), read)
    };
    let context = count("context_tokens", said.context_tokens);
    let output = count("output_tokens_max", said.output_tokens_max);
    let capabilities = Capabilities::new((context?, output?), (can?, cannot?));
    violations.take(field, capabilities)
}

/// Reads abilities by their numbers, such as those that a request demands.
pub fn abilities(field: &str, numbers: &[i32], violations: &mut Violations) -> Option<Abilities> {
    let read = numbers.iter().map(|number| {
        let number = u32::try_from(*number).ok();
        number.and_then(Ability::from_number)
    });
    let all = read.collect::<Option<Abilities>>();
    if all.is_none() {
        violations.add(field, "holds one that is not known");
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_or_contradicts_itself_is_named() {
        let fields = |said: &Said| -> Vec<String> {
            let mut violations = Violations::new();
            assert_eq!(check("it", said, &mut violations), None);
            let all = violations.into_vec();
            all.into_iter().map(|it| it.field).collect()
        };
        let said = Said {
            can: vec![0],
            cannot: vec![15],
            context_tokens: -1,
            output_tokens_max: 0,
        };
        assert_eq!(fields(&said), ["it.can", "it.cannot", "it.context_tokens"]);
        let both = Said {
            can: vec![5],
            cannot: vec![5],
            ..Said::default()
        };
        assert_eq!(fields(&both), ["it"]);
        let large = Said {
            context_tokens: 1 << 32,
            ..Said::default()
        };
        assert_eq!(fields(&large), ["it"]);
    }

    #[test]
    fn what_is_said_is_kept() {
        let said = Said {
            can: vec![1],
            cannot: vec![5, 9],
            context_tokens: 8_192,
            output_tokens_max: 0,
        };
        let mut violations = Violations::new();
        let read = check("it", &said, &mut violations).unwrap();
        assert!(violations.is_empty());
        assert_eq!(read.numbers(), (8_192, 0));
        assert_eq!(read.abilities().1.all().count(), 2);
    }
}
