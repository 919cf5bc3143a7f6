//! A path to a value in a payload, such as `messages[0].content`.
//!
//! Owns how paths are written. Knows nothing of payloads.

use std::fmt;

/// The most bytes of a path. Full: it is refused.
pub const PATH_BYTES_MAX: usize = 256;

/// The most steps of a path. Full: it is refused.
pub const STEPS_MAX: usize = 16;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the member of this name.
    Name(String),
    /// To the element at this place; from the end, if it is negative.
    At(i64),
}

/// The steps from the outermost object to a value. There is at least one, and the first is a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(Vec<Step>);

// === impl Path ===

impl Path {
    /// Reads a path. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the path `{text}` {why}");
        if text.len() > PATH_BYTES_MAX {
            return Err(format!(
                "a path of more than {PATH_BYTES_MAX} bytes is too long"
            ));
        }
        let (mut steps, mut rest) = (Vec::new(), text);
        while !rest.is_empty() || steps.is_empty() {
            let (step, behind) = if let Some(inner) = rest.strip_prefix('[') {
                bracketed(inner)
                    .ok_or_else(|| wrong("has a bracket that is neither `[0]` nor `[\"name\"]`"))?
            } else {
                let name = match rest.strip_prefix('.') {
                    Some(name) if !steps.is_empty() => name,
                    None if steps.is_empty() => rest,
                    _ => {
                        return Err(wrong(
                            "has a name without a dot before it, or a dot too many",
                        ));
                    }
                };
                bare(name).ok_or_else(|| wrong("has an empty name"))?
            };
            steps.push(step);
            rest = behind;
        }
        if steps.len() > STEPS_MAX {
            return Err(wrong("has too many steps"));
        }
        match steps.first() {
            Some(Step::Name(_)) => Ok(Self(steps)),
            _ => Err(wrong("begins with a number: a payload is an object")),
        }
    }

    /// The steps.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Its last step, if that is a name, and those before it.
    pub(crate) fn member(&self) -> Option<(&[Step], &str)> {
        match self.0.split_last() {
            Some((Step::Name(name), before)) => Some((before, name)),
            _ => None,
        }
    }
}

/// A name without quotes: what comes before the next step.
fn bare(text: &str) -> Option<(Step, &str)> {
    let len = text.find(['.', '[', ']', '"']).unwrap_or(text.len());
    let (name, behind) = text.split_at(len);
    (!name.is_empty()).then(|| (Step::Name(name.to_owned()), behind))
}

/// A number or a name in quotes, its opening bracket cut off. Names have no escapes.
fn bracketed(text: &str) -> Option<(Step, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, behind) = quoted.split_once("\"]")?;
        let whole = !name.contains(['"', '\\']);
        return whole.then(|| (Step::Name(name.to_owned()), behind));
    }
    let (number, behind) = text.split_once(']')?;
    Some((Step::At(number.parse().ok()?), behind))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::At(at) => write!(f, "[{at}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_names_and_numbers() {
        let name = |name: &str| Step::Name(name.to_owned());
        for (text, steps) in [
            ("temperature", vec![name("temperature")]),
            ("a.b", vec![name("a"), name("b")]),
            ("a[0].b", vec![name("a"), Step::At(0), name("b")]),
            ("a[-1][2]", vec![name("a"), Step::At(-1), Step::At(2)]),
            ("a[\"b.c\"].d", vec![name("a"), name("b.c"), name("d")]),
            ("[\"\"]", vec![name("")]),
            ("ü-b c", vec![name("ü-b c")]),
        ] {
            assert_eq!(Path::parse(text), Ok(Path(steps)), "{text}");
        }
        let deep = "a.".repeat(STEPS_MAX) + "a";
        let long = "a".repeat(PATH_BYTES_MAX + 1);
        for wrong in [
            "",
            ".",
            ".a",
            "a.",
            "a..b",
            "[0]",
            "a[",
            "a[]",
            "a[x]",
            "a]",
            "a[0]b",
            "a\"b\"",
            "a[\"b",
            "a[\"b\"",
            "a[\"\\u0041\"]",
            "a[9223372036854775808]",
            &deep,
            &long,
        ] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }
}
