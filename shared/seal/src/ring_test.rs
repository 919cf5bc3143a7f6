//! What a ring seals, opens and renews.

use super::*;

fn key(digit: char) -> SealingKey {
    SealingKey::parse(&digit.to_string().repeat(64)).unwrap()
}

fn ring(sealing: char, opening: &str) -> Ring {
    Ring::new(key(sealing), opening.chars().map(key).collect()).unwrap()
}

#[test]
fn what_the_older_key_sealed_opens_until_that_key_is_taken_away() {
    let sealed = ring('a', "").seal(b"secret", b"here");
    assert_eq!(sealed.len(), 6 + ENVELOPE_BYTES);
    assert_eq!(**ring('b', "a").open(&sealed, b"here").unwrap(), *b"secret");
    let without = ring('b', "").open(&sealed, b"here").unwrap_err();
    assert_eq!(without, CannotOpen::NoKey(key('a').id()));
    assert!(without.to_string().contains(&key('a').id().to_string()));
}

#[test]
fn a_renewed_value_needs_the_older_key_no_more_and_its_value_is_not_sealed_anew() {
    let old = ring('a', "").seal(b"secret", b"here");
    let both = ring('b', "a");
    // The context is not asked for: only the own key is sealed anew.
    let renewed = both.renew(&old, b"anywhere").unwrap().unwrap();
    assert_eq!(
        old[HEAD_BYTES + OWN_BYTES..],
        renewed[HEAD_BYTES + OWN_BYTES..]
    );
    assert!(renewed.starts_with(&both.mark()) && !old.starts_with(&both.mark()));
    let alone = ring('b', "");
    assert_eq!(**alone.open(&renewed, b"here").unwrap(), *b"secret");
    assert_eq!(alone.open(&renewed, b"there"), Err(CannotOpen::Other));
    assert_eq!(both.renew(&renewed, b"here"), Ok(None));
}

#[test]
fn what_is_from_before_envelopes_opens_and_is_put_into_one() {
    let bare = key('a').seal(b"secret", b"here");
    assert_eq!(Ring::named(&bare), None);
    let both = ring('b', "a");
    assert_eq!(**both.open(&bare, b"here").unwrap(), *b"secret");
    assert_eq!(both.renew(&bare, b"there"), Err(CannotOpen::Other));
    let renewed = both.renew(&bare, b"here").unwrap().unwrap();
    assert_eq!(Ring::named(&renewed), Some(key('b').id()));
    assert_eq!(**ring('b', "").open(&renewed, b"here").unwrap(), *b"secret");
    assert_eq!(ring('b', "").open(&bare, b"here"), Err(CannotOpen::Other));
}

#[test]
fn every_flipped_bit_and_every_cut_of_an_envelope_is_noticed() {
    let ring = ring('a', "b");
    let sealed = ring.seal(b"secret", b"here");
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(ring.open(&changed, b"here").is_err(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(
            ring.open(&sealed[..length], b"here").is_err(),
            "length {length}"
        );
    }
}

#[test]
fn halves_of_two_envelopes_make_no_third() {
    let ring = ring('a', "");
    let (one, two) = (ring.seal(b"one", b"here"), ring.seal(b"two", b"here"));
    let mixed = [
        &one[..HEAD_BYTES + OWN_BYTES],
        &two[HEAD_BYTES + OWN_BYTES..],
    ]
    .concat();
    assert_eq!(ring.open(&mixed, b"here"), Err(CannotOpen::Other));
}

#[test]
fn a_ring_holds_so_many_keys_and_no_more() {
    let many = |count| (0..count).map(|_| key('b')).collect();
    assert!(Ring::new(key('a'), many(OPENING_KEYS_MAX)).is_ok());
    assert!(Ring::new(key('a'), many(OPENING_KEYS_MAX + 1)).is_err());
}
