//! Snapshots on their way: in which order, broken off, overtaken, and too old.

use policy::object::Lane;
use proto::sync::{self as wire, sync_response::Message as Heard};

use crate::{
    edge::{Edge, planes, ready, until},
    plane::{key, organization, revoke, upsert},
    script::{Script, soon},
};

#[tokio::test]
async fn keys_are_fetched_when_what_they_refer_to_is_there() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let planes = planes();
    let session = script.session().await;
    let mut first = [script.fetch().await, script.fetch().await];
    first.sort_by_key(|fetch| fetch.request.lane);
    assert_eq!(first.each_ref().map(|fetch| fetch.request.lane), [1, 3]);
    first[0].serve(&planes[0]).await;
    until("the configuration", || edge.organization(1).is_some()).await;
    assert!(script.is_quiet());
    first[1].serve(&planes[2]).await;
    let last = script.fetch().await;
    assert_eq!(last.request.lane, 2);
    last.serve(&planes[1]).await;
    soon("readiness", edge.readiness.ready()).await;
    drop(session);
}

#[tokio::test]
async fn a_key_revoked_while_a_snapshot_loads_stays_revoked() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let mut planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    session
        .say(Heard::NeedSnapshot(wire::NeedSnapshot {
            lane: 2,
            reason: String::new(),
        }))
        .await;
    let fetch = script.fetch().await;
    let mut chunks = planes[1].snapshot().into_iter();
    fetch.chunks.send(Ok(chunks.next().unwrap())).await.unwrap();

    let key_ids = vec!["one".to_owned()];
    session
        .say(Heard::Revocations(wire::Revocations {
            key_ids,
            ..Default::default()
        }))
        .await;
    until("the revocation by message", || edge.is_revoked("one")).await;
    session.batch(planes[1].publish(revoke("two"))).await;
    until("the revocation by batch", || edge.is_revoked("two")).await;
    assert!(!edge.in_force.is_cut("one") && !edge.in_force.is_cut("two"));
    // What it asks for beside itself does not wait either, nor need the revocation be news.
    session
        .say(Heard::Revocations(wire::Revocations {
            cut_key_ids: vec!["one".to_owned()],
            ..Default::default()
        }))
        .await;
    until("the cut by message", || edge.in_force.is_cut("one")).await;
    let mut cutting = revoke("two");
    cutting.value = vec![8, 1];
    session.batch(planes[1].publish(cutting)).await;
    until("the cut by batch", || edge.in_force.is_cut("two")).await;

    for chunk in chunks {
        fetch.chunks.send(Ok(chunk)).await.unwrap();
    }
    session.acked(Lane::Keys, planes[1].revision).await;
    assert!(edge.is_revoked("one") && edge.is_revoked("two"));
}

#[tokio::test]
async fn a_snapshot_that_broke_off_goes_on_where_it_stopped() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    session
        .say(Heard::NeedSnapshot(wire::NeedSnapshot {
            lane: 2,
            reason: String::new(),
        }))
        .await;
    let chunks = planes[1].snapshot();
    let first = script.fetch().await;
    first.chunks.send(Ok(chunks[0].clone())).await.unwrap();
    drop(first);
    let second = script.fetch().await;
    assert_eq!(second.request.snapshot_id, chunks[0].snapshot_id);
    assert_eq!(second.request.from_chunk, 1);
    // A chunk that is not what its digest says makes it begin anew.
    let torn = wire::FetchSnapshotResponse {
        sha256: vec![0; 32],
        ..chunks[1].clone()
    };
    second.chunks.send(Ok(torn)).await.unwrap();
    let third = script.fetch().await;
    assert_eq!(
        (third.request.snapshot_id.len(), third.request.from_chunk),
        (0, 0)
    );
    third.serve(&planes[1]).await;
    session
        .batch(wire::Batch {
            previous_revision: planes[1].revision,
            revision: planes[1].revision + 1,
            changes: Vec::new(),
            lane: 2,
            epoch: planes[1].epoch.clone(),
            state_hash: planes[1].hash(),
        })
        .await;
    session.acked(Lane::Keys, planes[1].revision + 1).await;
}

#[tokio::test]
async fn an_older_snapshot_is_not_taken() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let mut planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    let older = crate::edge::planes();
    session
        .batch(planes[0].put(&organization(1, "newer")))
        .await;
    session.acked(Lane::Config, planes[0].revision).await;
    session
        .say(Heard::NeedSnapshot(wire::NeedSnapshot {
            lane: 1,
            reason: String::new(),
        }))
        .await;
    script.serve(&[&older[0]]).await;
    // It asks again, and has not gone back.
    let again = script.fetch().await;
    assert_eq!(edge.organization(1).as_deref(), Some("newer"));
    again.serve(&planes[0]).await;
    session
        .batch(planes[0].put(&organization(1, "newest")))
        .await;
    session.acked(Lane::Config, planes[0].revision).await;
}

#[tokio::test]
async fn a_snapshot_at_the_same_revision_is_acknowledged() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    session
        .say(Heard::NeedSnapshot(wire::NeedSnapshot {
            lane: 1,
            reason: String::new(),
        }))
        .await;
    script.serve(&[&planes[0]]).await;
    let ack = session.acked(Lane::Config, planes[0].revision).await;
    assert_eq!(ack.state_hash, planes[0].hash());
}

#[tokio::test]
async fn what_waited_for_a_snapshot_is_acknowledged_at_once() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let mut planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    session
        .say(Heard::NeedSnapshot(wire::NeedSnapshot {
            lane: 2,
            reason: String::new(),
        }))
        .await;
    let fetch = script.fetch().await;
    let snapshot = planes[1].snapshot();
    for _ in 0..600 {
        session.batch(planes[1].publish(torn())).await;
    }
    // Heard after them all, since what the edge hears comes in order.
    let key_ids = vec!["last".to_owned()];
    session
        .say(Heard::Revocations(wire::Revocations {
            key_ids,
            ..Default::default()
        }))
        .await;
    until("the batches to wait", || edge.is_revoked("last")).await;
    for chunk in snapshot {
        fetch.chunks.send(Ok(chunk)).await.unwrap();
    }
    session.acked(Lane::Keys, planes[1].revision).await;
}

fn torn() -> wire::Change {
    wire::Change {
        value: vec![0xff],
        ..upsert(&key("torn"))
    }
}
