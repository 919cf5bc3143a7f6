//! Inputs changed at random, from a seed, so that a failure can be seen again.

use fastrand::Rng;

const BYTES: &[u8] = b"\"\\{}[]:,0-+.eEu\n\r \t\0\x1f\x7f\x80\xc3\xed\xff!";

const WORDS: [&str; 20] = [
    "null",
    "{}",
    "[]",
    "\"\"",
    "-1",
    "1e999",
    "true",
    "[[{}]]",
    "\\ud800",
    "\\u0000",
    "\n\n",
    "data: ",
    "[DONE]",
    "event: error",
    ": x\n\n",
    "\"index\":4294967295,",
    "18446744073709551615",
    "{\"a\":",
    "\"type\":\"text\",",
    "\"usage\":{}",
];

/// `input` with a few changes.
pub fn mutated(input: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..=bytes.len());
        let byte = BYTES[rng.usize(..BYTES.len())];
        match rng.u8(..7) {
            0 if at < bytes.len() => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if rng.u8(..4) == 0 => bytes.truncate(at),
            4 => {
                let end = rng.usize(at..=bytes.len().min(at + 200));
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => {
                let end = rng.usize(at..=bytes.len().min(at + 60));
                drop(bytes.drain(at..end));
            }
            _ => value(&mut bytes, at, rng),
        }
    }
    bytes
}

/// Puts a word at `at`, or in the place of the next value of a member.
fn value(bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let word = WORDS[rng.usize(..WORDS.len())].bytes();
    let colon = bytes[at..].iter().position(|byte| *byte == b':');
    let (Some(colon), true) = (colon, rng.bool()) else {
        bytes.splice(at..at, word);
        return;
    };
    let from = at + colon + 1;
    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b'\n');
    let len = bytes[from..].iter().position(ends).unwrap_or(0);
    bytes.splice(from..from + len, word);
}
