//! What a sealing key seals, opens and refuses.

use super::*;

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn key() -> SealingKey {
    SealingKey::parse(HEX).unwrap()
}

#[test]
fn what_is_sealed_opens_with_its_key_and_context() {
    for length in [0, 1, 15, 16, 17, 4096] {
        let plain = vec![7; length];
        let sealed = key().seal(&plain, b"here");
        assert_eq!(sealed.len(), length + SEALING_BYTES);
        assert_eq!(*key().open(&sealed, b"here").unwrap(), plain);
    }
}

#[test]
fn another_key_or_context_opens_nothing() {
    let sealed = key().seal(b"secret", b"here");
    let other = SealingKey::parse(&SealingKey::generate_text()).unwrap();
    assert_eq!(other.open(&sealed, b"here"), Err(CannotOpen::Other));
    assert_eq!(key().open(&sealed, b"there"), Err(CannotOpen::Other));
    assert_eq!(key().open(&sealed, b""), Err(CannotOpen::Other));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let sealed = key().seal(b"secret", b"here");
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            key().open(&changed, b"here"),
            Err(CannotOpen::Other),
            "bit {bit}"
        );
    }
    for length in 0..sealed.len() {
        assert_eq!(
            key().open(&sealed[..length], b"here"),
            Err(CannotOpen::Other),
            "length {length}"
        );
    }
}

#[test]
fn one_value_is_never_sealed_twice_alike() {
    let sealed: std::collections::BTreeSet<_> = (0..1000)
        .map(|_| key().seal(b"secret", b"here")[..=NONCE_LEN].to_vec())
        .collect();
    assert_eq!(sealed.len(), 1000);
}

#[test]
fn a_value_sealed_by_an_older_build_still_opens() {
    // Sealed elsewhere: version 1, nonce of twelve bytes of 0x0c, AES-256-GCM by another implementation.
    let sealed = from_hex_of_any_length(include_str!("sealed_v1.hex").trim());
    assert_eq!(
        **key().open(&sealed, b"context").unwrap(),
        *b"the plain value"
    );
}

#[test]
fn a_key_is_read_in_each_of_its_spellings() {
    let sealed = key().seal(b"secret", b"");
    let spellings = [
        HEX.to_uppercase(),
        format!(" {HEX}\n"),
        BASE64.to_owned(),
        BASE64.trim_end_matches('=').to_owned(),
        format!("{BASE64}\r\n"),
    ];
    for text in spellings {
        assert!(
            SealingKey::parse(&text).unwrap().open(&sealed, b"").is_ok(),
            "{text}"
        );
    }
    let (url, standard) = ("-_".repeat(21) + "8", "+/".repeat(21) + "8=");
    let sealed = SealingKey::parse(&url).unwrap().seal(b"secret", b"");
    assert!(
        SealingKey::parse(&standard)
            .unwrap()
            .open(&sealed, b"")
            .is_ok()
    );
}

#[test]
fn what_is_not_a_key_is_refused() {
    let texts = [
        String::new(),
        HEX[1..].to_owned(),
        format!("{HEX}0"),
        HEX.replace('1', "g"),
        HEX.replace('1', "é"),
        BASE64.replace('A', "!"),
        // The last character carries two bits that are no part of the key.
        BASE64.replace("8=", "9="),
        format!("{BASE64}="),
        BASE64.replace("8=", "=8"),
    ];
    for text in texts {
        assert_eq!(SealingKey::parse(&text).err(), Some(InvalidKey), "{text:?}");
    }
}

#[test]
fn generated_texts_are_keys_and_differ() {
    let (one, two) = (SealingKey::generate_text(), SealingKey::generate_text());
    assert_ne!(*one, *two);
    assert_eq!(one.len(), 64);
    assert!(SealingKey::parse(&one).is_ok());
}

fn from_hex_of_any_length(text: &str) -> Vec<u8> {
    let byte = |pair| u8::from_str_radix(pair, 16).unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| byte(&text[at..at + 2]))
        .collect()
}

#[test]
fn a_key_has_one_id_and_another_key_another() {
    assert_eq!(key().id(), SealingKey::parse(BASE64).unwrap().id());
    let other = SealingKey::parse(&SealingKey::generate_text()).unwrap();
    assert_ne!(key().id(), other.id());
    let shown = key().id().to_string();
    assert_eq!(shown.len(), 16);
    assert!(!HEX.contains(&shown), "an id is no part of its key");
}
