//! What `parse` accepts, and the thousands of texts that it refuses. Knows only the crate's public face.

use super::*;
use crate::{Minted, mint};

const ROUNDS: usize = 2_000;

#[test]
fn what_is_minted_is_read_back() {
    for family in FAMILIES {
        for _ in 0..200 {
            let Minted {
                text,
                key_id,
                secret_sha256,
            } = mint(family);
            let presented = parse(&text).unwrap();
            assert_eq!(presented.family(), family);
            assert_eq!(presented.key_id(), key_id);
            assert_eq!(presented.secret_sha256(), secret_sha256);
            assert!(presented.matches_sha256(&secret_sha256));
            assert!(presented.matches(&[3; 32], &tag(&[3; 32], &key_id, &secret_sha256)));
        }
    }
}

#[test]
fn a_known_text_stays_readable_for_ever() {
    // Computed by another program: a change of alphabet, width or checksum would lock every owner out.
    let text = format!("slc_live_{}_{}2XtTY8", "0".repeat(12), "0".repeat(43));
    let presented = parse(&text).unwrap();
    assert_eq!(presented.family(), Family::Live);
    let hash: String = presented
        .secret_sha256()
        .map(|byte| format!("{byte:02x}"))
        .concat();
    assert_eq!(
        hash,
        "b918b22a1581fedd39058065f00e6aad35bd561f20257151131a1ddcd21803de"
    );
}

#[test]
fn another_secret_pepper_or_id_does_not_match() {
    let (one, other) = (mint(Family::Live), mint(Family::Live));
    let presented = parse(&one.text).unwrap();
    assert!(!presented.matches_sha256(&other.secret_sha256));
    assert!(!presented.matches(&[1; 32], &tag(&[2; 32], &one.key_id, &one.secret_sha256)));
    assert!(!presented.matches(&[1; 32], &tag(&[1; 32], &other.key_id, &one.secret_sha256)));
    assert!(!presented.matches(&[1; 32], &tag(&[1; 32], &one.key_id, &other.secret_sha256)));
}

#[test]
fn parts_of_other_widths_are_refused_even_with_a_checksum_that_fits() {
    for (key_id, secret) in [
        (12, 43),
        (17, 43),
        (11, 43),
        (12, 44),
        (12, 42),
        (11, 44),
        (13, 42),
    ] {
        let before = format!("slo_{}_{}", "a".repeat(key_id), "b".repeat(secret));
        let text = before.clone() + str::from_utf8(&checksum(&before)).unwrap();
        assert_eq!(
            parse(&text).is_ok(),
            (key_id, secret) == (12, 43),
            "{key_id} and {secret}"
        );
    }
}

#[test]
fn every_change_of_one_byte_is_refused() {
    for family in FAMILIES {
        let minted = mint(family);
        for at in 0..minted.text.len() {
            for byte in 0..128_u8 {
                let mut bytes = minted.text.as_bytes().to_vec();
                if std::mem::replace(&mut bytes[at], byte) != byte {
                    assert!(
                        parse(&String::from_utf8(bytes).unwrap()).is_err(),
                        "byte {at}"
                    );
                }
            }
        }
    }
}

#[test]
fn thousands_of_mutated_texts_are_refused() {
    let mut random = fastrand::Rng::with_seed(62);
    for round in 0..ROUNDS {
        let minted = mint(FAMILIES[round % FAMILIES.len()]);
        for _ in 0..8 {
            let mutated = mutate(&minted.text, &mut random);
            if mutated != **minted.text {
                assert!(parse(&mutated).is_err(), "round {round}");
            }
        }
    }
}

#[test]
fn every_cut_and_every_extension_is_refused() {
    let minted = mint(Family::Operator);
    for length in 0..minted.text.len() {
        assert!(parse(&minted.text[..length]).is_err());
        assert!(parse(&minted.text[length + 1..]).is_err());
    }
    for extra in ["0", " ", "\n", "\0", "é", "_", "0".repeat(10_000).as_str()] {
        assert!(parse(&format!("{}{extra}", *minted.text)).is_err());
        assert!(parse(&format!("{extra}{}", *minted.text)).is_err());
    }
}

#[test]
fn a_refusal_names_the_first_thing_that_is_wrong() {
    let minted = mint(Family::Live);
    let refusal = |text: &str| parse(text).err().unwrap();
    assert_eq!(refusal(""), Malformed::Length);
    assert_eq!(refusal(&"x".repeat(1 << 20)), Malformed::Length);
    assert_eq!(
        refusal(&minted.text.replace("slc_live_", "sk-live-_")),
        Malformed::Prefix
    );
    assert_eq!(refusal(&minted.text.to_uppercase()), Malformed::Prefix);
    assert_eq!(
        refusal(&minted.text.replacen(&minted.key_id, "short", 1)),
        Malformed::Length
    );
    assert_eq!(
        refusal(&minted.text.replacen(&minted.key_id, "0123-5678901", 1)),
        Malformed::Shape
    );
    assert_eq!(
        refusal(&minted.text.replacen(&minted.key_id, "éééééé", 1)),
        Malformed::Shape
    );
    assert_eq!(
        refusal(&minted.text.replace("slc_live_", "slc_test_")),
        Malformed::Checksum
    );
}

/// One to four changes, each an edit that a hand or a proxy could make.
fn mutate(text: &str, random: &mut fastrand::Rng) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..random.usize(1..=4) {
        if letters.is_empty() {
            break;
        }
        let (at, other) = (
            random.usize(0..letters.len()),
            random.usize(0..letters.len()),
        );
        match random.u8(0..6) {
            0 => letters[at] = random.alphanumeric(),
            1 => letters[at] = random.char(..),
            2 => drop(letters.remove(at)),
            3 => letters.insert(at, random.alphanumeric()),
            4 => letters.swap(at, other),
            _ => letters.truncate(at),
        }
    }
    letters.into_iter().collect()
}
