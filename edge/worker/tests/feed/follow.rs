//! Following: snapshots, batches, and what happens when they do not join on.

use policy::{change::Operation, object::Lane};
use proto::sync::{self as wire, sync_request::Message as Say, sync_response::Message as Heard};

use crate::{
    edge::{Edge, planes, ready, until},
    plane::{key, organization, revoke, upsert},
    script::{Script, soon},
};

#[tokio::test]
async fn an_edge_takes_snapshots_and_then_what_changes() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let mut planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    assert_eq!(edge.organization(1).as_deref(), Some("acme"));
    assert_eq!(edge.secret().as_deref(), Some("first"));
    assert!(edge.is_active("one"));

    session
        .batch(planes[0].put(&organization(1, "renamed")))
        .await;
    let ack = session.acked(Lane::Config, planes[0].revision).await;
    assert_eq!(ack.state_hash, planes[0].hash());
    assert_eq!(ack.durable_revision, 0);
    assert_eq!(edge.organization(1).as_deref(), Some("renamed"));
    assert_eq!(edge.in_force.rules().revision().0, planes[0].revision);

    session.batch(planes[1].put(&key("three"))).await;
    let gone = wire::Change {
        operation: Operation::Delete as i32,
        ..upsert(&key("one"))
    };
    session.batch(planes[1].publish(gone)).await;
    session.batch(planes[1].publish(revoke("two"))).await;
    session.acked(Lane::Keys, planes[1].revision).await;
    assert!(edge.is_active("three") && edge.in_force.standing("one").is_none());
    assert!(edge.is_revoked("two"));

    session
        .say(Heard::Head(wire::Head {
            live_edges: 7,
            ..Default::default()
        }))
        .await;
    let mut live_edges = edge.live_edges.clone();
    soon(
        "the number of edges",
        live_edges.wait_for(|live| *live == 7),
    )
    .await
    .unwrap();
    assert!(script.is_quiet());
}

#[tokio::test]
async fn a_batch_that_does_not_join_on_leads_to_a_snapshot() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let mut planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    let missed = planes[0].put(&organization(2, "missed"));
    drop(missed);
    session.batch(planes[0].put(&organization(3, "seen"))).await;
    script.serve(&[&planes[0]]).await;
    session.acked(Lane::Config, planes[0].revision).await;
    assert_eq!(edge.organization(2).as_deref(), Some("missed"));
    assert_eq!(edge.organization(3).as_deref(), Some("seen"));

    // One that says what is known already, and more, joins on.
    let mut overlapping = planes[0].put(&organization(4, "more"));
    overlapping.previous_revision -= 1;
    session.batch(overlapping).await;
    session.acked(Lane::Config, planes[0].revision).await;
    assert!(script.is_quiet());
}

#[tokio::test]
async fn a_state_hash_that_differs_leads_to_a_snapshot() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let mut planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    // The control plane has an object that the batch does not carry: what a skipped row would look like.
    planes[0].put(&organization(2, "skipped"));
    planes[0].revision -= 1;
    let batch = planes[0].put(&organization(3, "seen"));
    session.batch(batch).await;
    script.serve(&[&planes[0]]).await;
    until("the skipped one", || edge.organization(2).is_some()).await;
    session.acked(Lane::Config, planes[0].revision).await;

    // The same, noticed by the head.
    planes[1].put(&key("skipped"));
    planes[1].revision -= 1;
    let head = wire::Head {
        heads: vec![planes[1].cursor()],
        ..Default::default()
    };
    session.say(Heard::Head(head)).await;
    script.serve(&[&planes[1]]).await;
    until("the skipped key", || edge.is_active("skipped")).await;
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_and_what_stood_before_stays() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let mut planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    let torn = wire::Change {
        value: vec![0xff],
        ..upsert(&organization(1, "torn"))
    };
    let unknown = wire::Change {
        kind: 99,
        ..torn.clone()
    };
    for (change, kept) in [(torn.clone(), true), (unknown, false)] {
        session.batch(planes[0].publish(change)).await;
        let nack = session.nacked().await;
        assert_eq!(nack.batch_revision, planes[0].revision);
        assert_eq!(nack.rejections.len(), 1);
        assert_eq!(nack.rejections[0].kept_previous, kept);
        // What was refused was seen, so the hashes agree and nothing is fetched.
        session.acked(Lane::Config, planes[0].revision).await;
        assert_eq!(edge.organization(1).as_deref(), Some("acme"));
    }
    assert!(script.is_quiet());

    // A snapshot with the same changes takes nothing away either.
    session
        .say(Heard::NeedSnapshot(wire::NeedSnapshot {
            lane: 1,
            reason: String::new(),
        }))
        .await;
    script.serve(&[&planes[0]]).await;
    let nack = session.nacked().await;
    assert_eq!(nack.rejections.len(), 2);
    assert_eq!(edge.organization(1).as_deref(), Some("acme"));
}

#[tokio::test]
async fn another_epoch_is_taken_whole_and_revoked_keys_stay_revoked() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let mut planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    session.batch(planes[1].publish(revoke("one"))).await;
    session.acked(Lane::Keys, planes[1].revision).await;

    // A backup was restored, in which the key was not revoked yet.
    let mut restored = crate::edge::planes();
    restored[1].epoch = b"two".to_vec();
    let head = wire::Head {
        heads: vec![restored[1].cursor()],
        ..Default::default()
    };
    session.say(Heard::Head(head)).await;
    script.serve(&[&restored[1]]).await;
    session.acked(Lane::Keys, restored[1].revision).await;
    session.batch(restored[1].put(&key("one"))).await;
    session.acked(Lane::Keys, restored[1].revision).await;
    assert!(edge.is_revoked("one") && edge.is_active("two"));
}

#[tokio::test]
async fn an_edge_comes_back_with_its_cursors_and_asks_for_nothing() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let mut planes = planes();
    let session = ready(&mut script, &edge, &planes).await;
    session.say(Heard::Drain(wire::Drain {})).await;
    let mut again = script.session().await;
    let cursors: Vec<_> = planes.iter().map(crate::plane::Plane::cursor).collect();
    assert_eq!(again.hello.cursors, cursors);
    again.batch(planes[0].put(&organization(2, "since"))).await;
    again.acked(Lane::Config, planes[0].revision).await;
    assert!(script.is_quiet());
    edge.stop().await;
}

#[tokio::test]
async fn an_edge_that_leaves_ends_its_stream_and_one_that_turns_away_resets_it() {
    let mut script = Script::start().await;
    let edge = Edge::without_disk(script.address);
    let mut first = script.session().await;
    first.say(Heard::Drain(wire::Drain {})).await;
    assert!(!first.is_left().await, "it goes to another replica");
    let mut second = script.session().await;
    let (left, ()) = tokio::join!(second.is_left(), edge.stop());
    assert!(left, "it says goodbye");
}

#[tokio::test]
async fn a_question_of_the_control_plane_is_answered_on_its_stream() {
    let mut script = Script::start().await;
    let mut edge = Edge::without_disk(script.address);
    let planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    let explain = wire::Explain {
        number: 5,
        key_id: "one".to_owned(),
        ..Default::default()
    };
    session.say(Heard::Explain(explain)).await;
    let question = soon("the question", edge.asked.recv()).await.unwrap();
    assert_eq!(question.asked().key_id, "one");
    question.answer(wire::Explained {
        revision: 3,
        ..Default::default()
    });
    let explained = session.wait("the answer", |say| match say {
        Say::Explained(it) => Some(it),
        _ => None,
    });
    let explained = explained.await;
    assert_eq!((explained.number, explained.revision), (5, 3));
}
