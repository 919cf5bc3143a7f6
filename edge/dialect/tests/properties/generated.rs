//! Random JSON and random streams, from a seed that a failing test names.
//!
//! Knows what is valid, and nothing of what is tested with it.

use std::fmt::Write;

use fastrand::Rng;

/// How many rounds a property is tried, each from its own seed.
pub(crate) const ROUNDS: u64 = 3_000;

/// A value, its depth at most `depth`, written with random white space and escapes.
pub(crate) fn value(rng: &mut Rng, depth: u32) -> String {
    match rng.u8(..if depth == 0 { 6 } else { 9 }) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => "false".to_owned(),
        3 => number(rng),
        4 | 5 => {
            let text = text(rng);
            string(rng, &text)
        }
        6 | 7 => {
            let members: Vec<_> = (0..rng.usize(..4))
                .map(|at| {
                    let name = ["model", "stream", "ü", ""][rng.usize(..4)];
                    (string(rng, &format!("{name}{at}")), value(rng, depth - 1))
                })
                .collect();
            object(rng, &members)
        }
        _ => {
            let elements: Vec<_> = (0..rng.usize(..4))
                .map(|_| format!("{}{}{}", space(rng), value(rng, depth - 1), space(rng)))
                .collect();
            format!(
                "[{}{}]",
                if elements.is_empty() { space(rng) } else { "" },
                elements.join(",")
            )
        }
    }
}

/// An object with these members: each a key with its quotes, and a value.
pub(crate) fn object(rng: &mut Rng, members: &[(String, String)]) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(key, value)| {
            let [a, b, c, d] = std::array::from_fn(|_| space(rng));
            format!("{a}{key}{b}:{c}{value}{d}")
        })
        .collect();
    format!(
        "{{{}{}}}",
        if members.is_empty() { space(rng) } else { "" },
        members.join(",")
    )
}

/// A string with its quotes, some of its letters spelled as escapes.
pub(crate) fn string(rng: &mut Rng, text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        if letter < ' ' || matches!(letter, '"' | '\\') || rng.u8(..8) == 0 {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}").unwrap();
            }
        } else {
            out.push(letter);
        }
    }
    out + "\""
}

/// Some text: a word of ours, or letters of one to four bytes.
pub(crate) fn text(rng: &mut Rng) -> String {
    const WORDS: [&str; 6] = [
        "model",
        "\"usage\":{",
        "a}b]",
        "\\",
        "data: x\n\n",
        "[DONE]",
    ];
    const LETTERS: [char; 11] = [
        'a', 'Z', '0', '"', '\\', '\n', '\u{1}', 'é', '日', '😀', '\u{2028}',
    ];
    if rng.u8(..4) == 0 {
        return WORDS[rng.usize(..WORDS.len())].to_owned();
    }
    (0..rng.usize(..12))
        .map(|_| LETTERS[rng.usize(..LETTERS.len())])
        .collect()
}

/// White space, mostly none.
pub(crate) fn space(rng: &mut Rng) -> &'static str {
    ["", "", "", " ", "\n", "\t\r\n "][rng.usize(..6)]
}

fn number(rng: &mut Rng) -> String {
    match rng.u8(..4) {
        0 => rng.i64(..).to_string(),
        1 => format!("{}.{}", rng.i8(..), rng.u16(..)),
        2 => format!(
            "{}{}{}",
            rng.u8(..),
            ["e", "E", "e-", "E+"][rng.usize(..4)],
            rng.u8(..9)
        ),
        _ => rng.u8(..10).to_string(),
    }
}
