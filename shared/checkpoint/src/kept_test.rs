//! What a witness takes, and what it refuses.

use super::*;
use crate::{key::Signer, signed::Checkpoint};

fn signer() -> Signer {
    Signer::draw().unwrap().0
}

fn head(length: u64, head: u8, at_ms: u64) -> Checkpoint {
    Checkpoint {
        chain: "changes".to_owned(),
        length,
        head: [head; 32],
        at_ms,
        previous: [0; 32],
    }
}

fn knowing(signer: &Signer) -> Kept {
    let mut kept = Kept::default();
    assert_eq!(kept.learn(signer.endorse(signer.public())), Ok(true));
    kept
}

#[test]
fn a_longer_chain_is_taken_and_an_older_word_passed_over() {
    let signer = signer();
    let mut kept = knowing(&signer);
    assert_eq!(kept.take(head(5, 1, 10).sign(&signer)), Ok(true));
    assert_eq!(kept.take(head(5, 1, 10).sign(&signer)), Ok(false));
    assert_eq!(kept.take(head(9, 2, 20).sign(&signer)), Ok(true));
    assert_eq!(kept.take(head(5, 1, 10).sign(&signer)), Ok(false));
    assert_eq!(Kept::read(&kept.text()), Some(kept));
}

#[test]
fn what_contradicts_what_is_kept_is_refused() {
    let (signer, other) = (signer(), signer());
    let mut kept = knowing(&signer);
    assert_eq!(kept.take(head(5, 1, 10).sign(&signer)), Ok(true));
    let before = kept.clone();
    for (made, why) in [
        (head(5, 2, 11).sign(&signer), Contradiction::OtherHead),
        (head(4, 2, 11).sign(&signer), Contradiction::Shorter),
        (head(6, 2, 11).sign(&other), Contradiction::NotSigned),
    ] {
        assert_eq!(kept.take(made), Err(why));
    }
    let strange = other.endorse(other.public());
    assert_eq!(kept.learn(strange), Err(Contradiction::StrangeKey));
    assert_eq!(kept, before);
}

#[test]
fn a_key_is_learnt_by_the_word_of_one_that_is_known() {
    let (first, second) = (signer(), signer());
    let mut kept = knowing(&first);
    let mut forged = first.endorse(second.public());
    forged.signature[0] ^= 1;
    assert_eq!(kept.learn(forged), Err(Contradiction::StrangeKey));
    assert_eq!(kept.learn(first.endorse(second.public())), Ok(true));
    assert_eq!(kept.take(head(5, 1, 10).sign(&second)), Ok(true));
}

#[test]
fn a_head_signed_over_another_hash_is_none() {
    let maker = signer();
    let signed = head(5, 1, 10).sign(&maker);
    let (key, signature) = (*signed.key(), *signed.signature());
    let read = |it: &Checkpoint| Signed::read(&it.text(), key, signature);
    assert_eq!(read(signed.checkpoint()), Some(signed.clone()));
    assert_eq!(read(&head(5, 2, 10)), None);
    assert_eq!(read(&head(6, 1, 10)), None);
    let (again, bytes) = Signer::draw().unwrap();
    assert_eq!(Signer::open(&bytes).unwrap().public(), again.public());
}
