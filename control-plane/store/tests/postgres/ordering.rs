//! No change is lost and hashes add up, whatever the writers do; and this test would notice.

use std::{collections::BTreeSet, time::Duration};

use policy::{hash::StateHash, object::Lane, revision::Revision};
use store::{Changes, Everything, HashRow, Store, organization, provider};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::world::{World, new_organization, new_provider};

const WRITERS: u32 = 8;
const WRITES_EACH: u32 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_writers_with_delays_and_rollbacks_lose_no_change() {
    let world = World::acme().await;
    storm(&world.store).await.unwrap();
}

/// What `take_revision` must not be: numbers drawn early become visible late.
const SEQUENCE: &str = "
    CREATE SEQUENCE drawn START 1000;
    CREATE OR REPLACE FUNCTION take_revision(count bigint) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE
        drawn bigint := nextval('drawn');
    BEGIN
        PERFORM pg_sleep(random() * 0.02);
        RETURN drawn;
    END $$;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequence_in_place_of_the_locked_counter_is_found_out() {
    let mut world = World::acme().await;
    world.spoil();
    world.sql(SEQUENCE).await;
    let why = storm(&world.store).await.unwrap_err();
    assert!(why.contains("lost"), "{why}");
}

/// Writes while somebody reads, and says what went wrong.
async fn storm(store: &Store) -> Result<(), String> {
    let (done, until) = watch::channel(false);
    let start = store.head().await.map_err(|why| why.to_string())?.revision;
    let reader = tokio::spawn(tail(store.clone(), start, until));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(store.clone(), writer));
    }
    let mut committed = BTreeSet::new();
    while let Some(revisions) = writers.join_next().await {
        committed.extend(revisions.map_err(|why| why.to_string())?);
    }
    let _ = done.send(true);
    let seen = reader.await.map_err(|why| why.to_string())??;
    let lost: Vec<_> = committed.difference(&seen).collect();
    if !lost.is_empty() {
        return Err(format!(
            "{} of {} changes are lost",
            lost.len(),
            committed.len()
        ));
    }
    let everything = store.everything().await.map_err(|why| why.to_string())?;
    if recomputed(&everything) == nonzero(&everything.hashes) {
        Ok(())
    } else {
        Err("the hashes do not add up".to_owned())
    }
}

/// Makes organizations, and providers for some regions that move; a tenth is rolled back.
async fn write(store: Store, writer: u32) -> Vec<Revision> {
    let mut committed = Vec::new();
    for number in 0..WRITES_EACH {
        let mut write = store.write("writer").await.unwrap();
        let slug = format!("w{writer}-{number}");
        match fastrand::u8(..3) {
            0 => drop(
                organization::create(&mut write, new_organization(&slug))
                    .await
                    .unwrap(),
            ),
            1 => {
                let new = new_provider(&slug, &["eu", "us"][..fastrand::usize(..3)]);
                provider::create(&mut write, new, None).await.unwrap();
            }
            _ => {
                let new = new_provider(&slug, &["eu"]);
                let made = provider::create(&mut write, new, None).await.unwrap();
                let revision = write.commit().await.unwrap();
                committed.push(revision);
                write = store.write("writer").await.unwrap();
                let mut row = provider::lock(&mut write, &made.name, "").await.unwrap();
                row.regions.clear();
                provider::update(&mut write, &row, None).await.unwrap();
            }
        }
        sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
        let numbered = write.number().await.unwrap();
        sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
        if fastrand::u8(..10) > 0 {
            committed.push(numbered.commit().await.unwrap());
        }
    }
    committed
}

/// Reads the log as a publisher does, until the writers are done and nothing is left.
async fn tail(
    store: Store,
    start: Revision,
    done: watch::Receiver<bool>,
) -> Result<BTreeSet<Revision>, String> {
    let mut seen = BTreeSet::new();
    let mut cursor = start;
    loop {
        let last_round = *done.borrow();
        let changes = store
            .changes_since(cursor, 100)
            .await
            .map_err(|why| why.to_string())?;
        let Changes::Rows(changes) = changes else {
            return Err("the log was cut".to_owned());
        };
        for change in &changes {
            if change.revision <= cursor {
                return Err("revisions do not increase".to_owned());
            }
            cursor = change.revision;
            seen.insert(cursor);
        }
        if last_round && changes.is_empty() {
            return Ok(seen);
        }
        // Often, because a change that comes late must be missed to be found lost; but not without rest.
        sleep(Duration::from_millis(1)).await;
    }
}

/// The hashes as the objects give them.
fn recomputed(everything: &Everything) -> Vec<HashRow> {
    let mut rows: Vec<HashRow> = Vec::new();
    for object in &everything.objects {
        let hash = StateHash::of_number(object.kind, &object.key, object.revision);
        let regions = object.audience.regions().iter().cloned().map(Some);
        let regions: Vec<_> = if regions.len() == 0 {
            vec![None]
        } else {
            regions.collect()
        };
        for region in regions {
            match rows
                .iter_mut()
                .find(|it| it.lane == object.lane && it.region == region)
            {
                Some(row) => row.hash = row.hash.plus(hash),
                None => rows.push(HashRow {
                    lane: object.lane,
                    region,
                    hash,
                }),
            }
        }
    }
    nonzero(&rows)
}

/// In order, without those of regions that nothing is for any more.
pub(crate) fn nonzero(rows: &[HashRow]) -> Vec<HashRow> {
    let mut rows: Vec<_> = rows
        .iter()
        .filter(|it| it.hash != StateHash::default())
        .cloned()
        .collect();
    rows.sort_by_key(|it| (it.lane, it.region.clone()));
    assert!(rows.iter().all(|it| Lane::ALL.contains(&it.lane)));
    rows
}

/// Whether the hashes that are kept are those of the objects.
pub(crate) fn adds_up(everything: &Everything) -> bool {
    recomputed(everything) == nonzero(&everything.hashes)
}
