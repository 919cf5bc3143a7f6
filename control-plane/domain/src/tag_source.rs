//! Which tags of a project's requests policy says.
//!
//! Knows how many there may be and that none is said twice; what one is stands in `policy::pin`.

use policy::pin::{PINS_MAX, Pin};

use crate::violation::Violations;

const FIELD: &str = "project.tag_sources";

/// Reads them; what is wrong is added to `violations`.
pub fn tag_sources(given: &[String], violations: &mut Violations) -> Vec<Pin> {
    if given.len() > PINS_MAX {
        violations.add(FIELD, format!("must hold at most {PINS_MAX}"));
        return Vec::new();
    }
    let mut pins: Vec<Pin> = Vec::with_capacity(given.len());
    for text in given {
        let Some(pin) = violations.take(FIELD, text.parse::<Pin>()) else {
            continue;
        };
        if pins.iter().any(|it| it.tag == pin.tag) {
            violations.add(FIELD, format!("says `{}` twice", pin.tag));
        }
        pins.push(pin);
    }
    pins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tag_has_one_source_and_there_are_few() {
        let read = |given: &[&str]| {
            let given: Vec<_> = given.iter().map(ToString::to_string).collect();
            let mut violations = Violations::new();
            let pins = tag_sources(&given, &mut violations);
            violations.is_empty().then_some(pins.len())
        };
        assert_eq!(read(&["team=label:team", "unit=claim:unit"]), Some(2));
        assert_eq!(read(&["team=label:team", "team=claim:team"]), None);
        assert_eq!(read(&["team"]), None);
        assert_eq!(read(&["a=label:a"; 9]), None);
    }
}
