//! Heads of the audit trail are signed once each, on one another, and what edges keep of them is noted.

use store::{
    audit::{About, Stamp},
    audit_checkpoint::{Due, Key, Made, Witness},
};

use crate::world::World;

const KEY: [u8; 32] = [5; 32];

fn key(public: [u8; 32]) -> Key {
    Key {
        public: public.to_vec(),
        by: KEY.to_vec(),
        endorsement: vec![6; 64],
        sealed: b"sealed".to_vec(),
        age_ms: 0,
    }
}

/// Signs so that every checkpoint is told apart.
fn made(due: Due) -> Made {
    let Due { head, previous, .. } = due;
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&head.sequence.to_be_bytes());
    hash[8] = head.chain.bytes().map(|it| it % 7).sum();
    hash[31] = 1;
    Made {
        said: format!("{} {}", head.sequence, previous[7]),
        hash,
        key: KEY,
        signature: [7; 64],
    }
}

async fn tell(world: &World, chain: &str) {
    let about = About {
        organization: None,
        actor: "ann".to_owned(),
        object: String::new(),
    };
    let text = |stamp: Stamp<'_>| stamp.sequence.to_string();
    world.store.audit(chain, [(about, text)]).await.unwrap();
}

#[tokio::test]
async fn a_chain_is_signed_when_it_has_grown_and_each_checkpoint_names_the_one_before() {
    let world = World::acme().await;
    let store = &world.store;
    assert!(store.add_audit_key(0, &key(KEY)).await.unwrap());
    assert!(!store.add_audit_key(0, &key([8; 32])).await.unwrap());
    tell(&world, "denials/a").await;
    store.sign_audit_heads(0, made).await.unwrap();
    assert_eq!(store.sign_audit_heads(0, made).await.unwrap(), 0);
    tell(&world, "denials/a").await;
    // Not before its time.
    assert_eq!(store.sign_audit_heads(60_000, made).await.unwrap(), 0);
    let (one, other) = tokio::join!(
        store.sign_audit_heads(0, made),
        store.sign_audit_heads(0, made)
    );
    assert_eq!(one.unwrap() + other.unwrap(), 1);
    let all = store.audit_checkpoints("denials/a", (0, 9)).await.unwrap();
    let said: Vec<&str> = all.iter().map(|it| it.said.as_str()).collect();
    assert_eq!(said, ["1 0", "2 1"]);
    let newest = store.newest_audit_checkpoints().await.unwrap();
    assert_eq!(newest[0], all[1]);

    let witness = |length: u8| {
        let mut hash = made(Due {
            head: store::audit::Head {
                chain: "denials/a".to_owned(),
                sequence: length.into(),
                hash: Vec::new(),
            },
            at_ms: 0,
            previous: vec![0; 32],
        });
        hash.said.clear();
        Witness {
            edge: "edge-1".to_owned(),
            identity: "token".to_owned(),
            certified: false,
            hash: hash.hash.to_vec(),
        }
    };
    for length in [2, 1, 9] {
        store.witness_audit(&witness(length)).await.unwrap();
    }
    let kept = store.audit_witnesses().await.unwrap();
    assert_eq!(
        kept.len(),
        1,
        "an older one, and one that was never made, are not noted"
    );
    assert_eq!((kept[0].length, &kept[0].witness), (2, &witness(2)));
}
