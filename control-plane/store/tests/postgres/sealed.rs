//! Every place where a sealed value rests is found, tells whose its value is, and takes another one; and one pepper takes another
//! one's place without a key that edges cannot check.

use std::time::Duration;

use policy::credential::Pepper;
use store::{
    Obstacle, StoreError, key, pepper, pepper_rotation,
    sealed_value::{Kept, Place},
};

use crate::world::{World, new_key};

/// One value in each place. What the test world has put there already is as an edge knows it, and named here, too.
const FILLED: &str = r"
    UPDATE provider SET credential = '\x020101010101010101aa';
    UPDATE key SET secret_sha256 = '\x020101010101010101bb',
        previous_secret_sha256 = '\x020101010101010101cc', previous_tag = tag,
        previous_pepper_version = 1, previous_created_at = now(), previous_expires_at = now();
    UPDATE pepper SET secret = '\x020101010101010101dd';
    UPDATE object SET value = '\x020101010101010101ee' WHERE kind IN (8, 9);
    UPDATE change SET value = '\x020101010101010101ff' WHERE lane = 3;
    INSERT INTO edge_authority (generation, certificate, key)
        VALUES (1, 'pem', '\x02010101010101010111');
    INSERT INTO audit_key (number, public, endorsed_by, endorsement, secret)
        VALUES (1, decode(repeat('05', 32), 'hex'), decode(repeat('05', 32), 'hex'),
            decode(repeat('06', 64), 'hex'), '\x02010101010101010155');
    INSERT INTO alert_channel (id, organization, name, display_name, kind, address, security,
        username, sender, recipients, credential_sealed)
        SELECT gen_random_uuid(), id, 'ops', '', 1, '', 0, '', '', '{}', '\x02010101010101010122'
        FROM organization;
    INSERT INTO local_user (id, name, display_name, lifetime_ms, disabled, code_secret)
        VALUES (gen_random_uuid(), 'ada', '', 60000, false, '\x02010101010101010166');
    INSERT INTO model (id, organization, name, display_name)
        SELECT gen_random_uuid(), id, 'followed', '' FROM organization;
    INSERT INTO version_source (id, organization, name, model, kind, url, ca_pem, subject, within, username,
        credential_sealed, interval_ms, provider, provider_model, label_names, label_values, stickiness, shares,
        bakes_ms, samples, approvals, metrics, tolerances, margins)
        SELECT gen_random_uuid(), model.organization, 'champion', model.id, 1, '', '', '', '', '',
            '\x02010101010101010166', 60000, provider.id, '', '{}', '{}', 1, '{}', '{}', '{}', '{}', '{}', '{}', '{}'
        FROM model JOIN provider ON provider.organization = model.organization;
    INSERT INTO idempotency (actor, request_id, method, digest, reply)
        VALUES ('ann smith', gen_random_uuid(), 'CreateKey', '\x00', '\x02010101010101010133'),
               ('ann smith', gen_random_uuid(), 'CreateKey', '\x00', '');
    SELECT ensure_content_partition(current_date + 1);
    INSERT INTO usage_content (until, id, organization, project, end_user, sealed)
        SELECT current_date + 1, gen_random_uuid(), organization, id, '', '\x02010101010101010144'
        FROM project;
    INSERT INTO usage_content (until, id, organization, project, end_user, sealed)
        SELECT current_date + 1, gen_random_uuid(), organization, id, '', NULL FROM project;
";

const OLD: [u8; 9] = [2, 1, 1, 1, 1, 1, 1, 1, 1];
const NEW: [u8; 9] = [2, 9, 9, 9, 9, 9, 9, 9, 9];

async fn filled() -> (World, key::Row) {
    let world = World::acme().await;
    world.project("web").await;
    world.provider("one", &[]).await;
    let key = world.key(new_key("web")).await;
    world.sql(FILLED).await;
    (world, key)
}

async fn all_of(world: &World, place: Place) -> Vec<Kept> {
    let (mut found, mut after) = (Vec::new(), place.start().to_owned());
    loop {
        let asked = (after.as_str(), NEW.as_slice(), 1);
        let some = world.store.sealed_behind(place, asked).await.unwrap();
        let Some(last) = some.last() else {
            return found;
        };
        after.clone_from(&last.row);
        found.extend(some.into_iter().filter(|it| !it.sealed.is_empty()));
    }
}

#[tokio::test]
async fn every_place_is_walked_and_its_values_replaced_unless_they_are_others_by_now() {
    let (world, key) = filled().await;
    let parts = |place| match place {
        Place::Authority => 0,
        Place::Object | Place::Change => 2,
        Place::Reply | Place::Content => 3,
        _ => 1,
    };
    for place in Place::ALL {
        let found = all_of(&world, place).await;
        assert!(!found.is_empty(), "{place:?} is found");
        for kept in &found {
            assert!(kept.sealed.starts_with(&OLD), "{place:?}");
            assert_eq!(kept.owner.len(), parts(place), "{place:?}");
            let new = [NEW.as_slice(), &[7]].concat();
            let stale = Kept {
                sealed: new.clone(),
                ..kept.clone()
            };
            let replace = |kept| world.store.replace_sealed(place, kept, &new);
            assert!(!replace(&stale).await.unwrap(), "{place:?}");
            assert!(replace(kept).await.unwrap(), "{place:?}");
        }
        assert!(all_of(&world, place).await.is_empty(), "{place:?}");
        if place == Place::KeySecret {
            assert_eq!(found[0].owner, [key.name.key.as_str().as_bytes()]);
        }
        if place == Place::Reply {
            assert_eq!(found[0].owner[0], b"ann smith");
        }
    }
    let counts = world.store.sealed_counts().await.unwrap();
    assert!(counts.iter().all(|it| it.beginning == NEW));
    let places: Vec<&str> = counts.iter().map(|it| it.place.as_str()).collect();
    let mut words = Place::ALL.map(Place::word);
    words.sort_unstable();
    assert_eq!(places, words);
}

#[tokio::test]
async fn a_sealing_turn_is_one_replicas_until_it_is_left() {
    let world = World::acme().await;
    let take = |replica| {
        world
            .store
            .take_sealing_turn([replica; 16], Duration::from_mins(1))
    };
    let turn = take(1).await.unwrap().unwrap();
    assert!(take(2).await.unwrap().is_none());
    assert_eq!(take(1).await.unwrap(), Some(turn));
    world.store.leave_sealing_turn(turn).await.unwrap();
    assert!(take(2).await.unwrap().is_some());
}

#[tokio::test]
async fn a_pepper_goes_when_every_key_has_left_it_and_not_before() {
    let (world, key) = filled().await;
    let store = &world.store;
    let mut write = store.write("test").await.unwrap();
    let version = pepper_rotation::next_version(&mut write).await.unwrap();
    let next = Pepper {
        version,
        secret: [5; 32],
    };
    let begun = pepper_rotation::begin(&mut write, &next, b"sealed", Duration::ZERO).await;
    begun.unwrap();
    write.commit().await.unwrap();
    let mut write = store.write("test").await.unwrap();
    let third = pepper_rotation::next_version(&mut write).await;
    let by = Obstacle::HasTwoPeppers;
    assert!(matches!(third, Err(StoreError::Blocked { by: it, .. }) if it == by));
    drop(write);
    // Nobody tags under it before every edge has it; here there are none.
    assert_eq!(pepper::newest(store).await.unwrap().unwrap().version, 1);
    assert!(pepper_rotation::use_newest(store).await.unwrap());
    assert_eq!(pepper::newest(store).await.unwrap().unwrap().version, 2);
    pepper_rotation::note_left(store, 2).await.unwrap();
    assert_eq!(pepper_rotation::spent(store).await.unwrap(), None);
    let mut write = store.write("test").await.unwrap();
    assert!(pepper_rotation::retire(&mut write, 1).await.is_err());
    drop(write);
    let behind = pepper_rotation::behind(store, (2, [0; 16], 10)).await;
    let behind = behind.unwrap();
    assert_eq!(behind, [(key.uid, key.name.clone())]);
    let mut write = store.write("test").await.unwrap();
    let locked = pepper_rotation::lock(&mut write, &key.name).await.unwrap();
    let locked = locked.unwrap();
    let tags = ([8; 32], locked.previous.as_ref().map(|_| [9; 32]));
    pepper_rotation::retag(&mut write, &locked, 2, tags)
        .await
        .unwrap();
    write.commit().await.unwrap();
    pepper_rotation::note_left(store, 2).await.unwrap();
    assert_eq!(pepper_rotation::spent(store).await.unwrap(), Some(1));
    let mut write = store.write("test").await.unwrap();
    pepper_rotation::retire(&mut write, 1).await.unwrap();
    write.commit().await.unwrap();
    let stand = pepper_rotation::standing(store).await.unwrap();
    assert_eq!((stand.len(), stand[0].version, stand[0].secrets), (1, 2, 2));
    assert!(!pepper_rotation::is_under_way(store).await.unwrap());
}
