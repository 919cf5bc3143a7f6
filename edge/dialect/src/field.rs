//! Whether a key in a client's body is a member that we read, to every reader that may come behind us.
//!
//! Knows how lenient readers compare keys. Must never decide what follows from it: see `request`.

/// How a key is spelled, compared with a name of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// It is the name.
    Same,
    /// It is the name to a reader that minds no letter case.
    Alike,
    /// It is another name.
    Other,
}

/// Compares a key with a name, which is in small letters.
pub(crate) fn spelling(key: &str, name: &str) -> Spelling {
    if key == name {
        Spelling::Same
    } else if key.chars().map(folded).eq(name.chars()) {
        Spelling::Alike
    } else {
        Spelling::Other
    }
}

/// The letter that Go's reader, which minds no case, takes this one for. It knows two that are not ASCII.
fn folded(letter: char) -> char {
    match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => letter.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_makes_a_key_alike_and_nothing_else_does() {
        assert_eq!(spelling("max_tokens", "max_tokens"), Spelling::Same);
        for alike in ["Max_Tokens", "max_to\u{212a}ens", "max_token\u{17f}"] {
            assert_eq!(spelling(alike, "max_tokens"), Spelling::Alike, "{alike}");
        }
        for other in ["max_token", "max_tokens ", "maxTokens", "mäx_tokens", ""] {
            assert_eq!(spelling(other, "max_tokens"), Spelling::Other, "{other}");
        }
    }
}
