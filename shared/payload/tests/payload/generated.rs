//! Random JSON from a seed that a failing test names.
//!
//! Knows what is valid, and nothing of what is tested with it.

use fastrand::Rng;

/// How many rounds a property is tried, each from its own seed.
pub(crate) const ROUNDS: u64 = 2_000;

/// Names that our rules look for, and others.
pub(crate) const NAMES: [&str; 8] = ["a", "b", "messages", "system", "role", "content", "ü", ""];

/// A value of at most this depth, with random white space, escapes and numbers.
pub(crate) fn value(rng: &mut Rng, depth: u32) -> String {
    match rng.u8(..if depth == 0 { 5 } else { 8 }) {
        0 => ["null", "true", "false"][rng.usize(..3)].to_owned(),
        1 | 2 => number(rng),
        3 | 4 => text(rng),
        5 | 6 => object(rng, depth - 1),
        _ => {
            let items: Vec<_> = (0..rng.usize(..4))
                .map(|_| {
                    let (before, item, behind) = (space(rng), value(rng, depth - 1), space(rng));
                    format!("{before}{item}{behind}")
                })
                .collect();
            format!("[{}]", items.join(","))
        }
    }
}

/// An object of at most this depth. No name stands there twice.
pub(crate) fn object(rng: &mut Rng, depth: u32) -> String {
    let mut names = NAMES.to_vec();
    rng.shuffle(&mut names);
    names.truncate(rng.usize(..6));
    let members: Vec<_> = names
        .into_iter()
        .map(|name| {
            let key = if rng.u8(..5) == 0 {
                escaped(name)
            } else {
                format!("\"{name}\"")
            };
            let [a, b, c, d] = std::array::from_fn(|_| space(rng));
            format!("{a}{key}{b}:{c}{}{d}", value(rng, depth))
        })
        .collect();
    format!(
        "{{{}{}}}",
        members.join(","),
        if members.is_empty() { space(rng) } else { "" }
    )
}

/// Changes a few bytes.
pub(crate) fn mutated(rng: &mut Rng, text: &str) -> Vec<u8> {
    const BYTES: &[u8] = b"\"\\{}[]:,0-.eu\n \0\xc3\xff";
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..rng.usize(..4) {
        let at = rng.usize(..=bytes.len());
        let byte = BYTES[rng.usize(..BYTES.len())];
        match rng.u8(..3) {
            0 => bytes.insert(at, byte),
            1 if at < bytes.len() => bytes[at] = byte,
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn escaped(name: &str) -> String {
    let letters = name.chars().map(|it| format!("\\u{:04x}", u32::from(it)));
    format!("\"{}\"", letters.collect::<String>())
}

fn text(rng: &mut Rng) -> String {
    const PIECES: [&str; 8] = ["a", "é", "\\n", "\\\"", "\\u00e9", "\\/", "}", "😀"];
    let pieces = (0..rng.usize(..6)).map(|_| PIECES[rng.usize(..PIECES.len())]);
    format!("\"{}\"", pieces.collect::<String>())
}

fn number(rng: &mut Rng) -> String {
    match rng.u8(..4) {
        0 => rng.i64(..).to_string(),
        1 => format!("{}.{}0", rng.i8(..), rng.u16(..)),
        2 => format!("{}e-{}", rng.u8(..), rng.u8(..20)),
        _ => ["0", "-0", "1.0", "1E5"][rng.usize(..4)].to_owned(),
    }
}

fn space(rng: &mut Rng) -> &'static str {
    ["", "", "", " ", "\n", "\t\r\n "][rng.usize(..6)]
}
