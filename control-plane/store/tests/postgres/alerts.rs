//! Alerts: what fires stands once, whoever looks, and so does each notice; who was overtaken writes nothing.

use std::time::Duration;

use domain::{
    alert::{Finding, Watch},
    name::{AlertChannelName, AlertRuleName},
};
use store::{
    Obstacle, StoreError, alert, alert_channel, alert_notice::Tried, alert_rule, id::draw,
    organization, project,
};

use crate::world::{World, all, organization_name, project_name};

const LIFE: Duration = Duration::from_mins(1);
const ONE: [u8; 16] = [1; 16];
const OTHER: [u8; 16] = [2; 16];

fn channel_name() -> AlertChannelName {
    AlertChannelName::parse("organizations/acme/alertChannels/ops").unwrap()
}

/// A world with a channel, and a rule that tells it; the id of the rule.
async fn world() -> (World, [u8; 16]) {
    let world = World::acme().await;
    let mut write = world.store.write("test").await.unwrap();
    let channel = alert_channel::New {
        id: draw(),
        name: channel_name(),
        terms: alert_channel::Terms {
            display_name: String::new(),
            kind: 1,
            address: "https://ops.example/".to_owned(),
            security: 0,
            username: String::new(),
            sender: String::new(),
            recipients: Vec::new(),
            credential_sealed: Some(vec![1, 2, 3]),
        },
    };
    alert_channel::create(&mut write, channel).await.unwrap();
    let rule = alert_rule::New {
        id: draw(),
        name: AlertRuleName::parse("organizations/acme/alertRules/edges").unwrap(),
        terms: alert_rule::Terms {
            display_name: String::new(),
            watch: Watch::Edge(5_000),
            channels: vec![channel_name()],
            remind_after_ms: None,
        },
    };
    let made = alert_rule::create(&mut write, rule.clone()).await.unwrap();
    assert_eq!((made.id, made.terms), (rule.id, rule.terms));
    write.commit().await.unwrap();
    (world, rule.id)
}

fn found(subjects: &[&str]) -> Vec<Finding> {
    let finding = |it: &&str| Finding {
        subject: (*it).to_owned(),
        summary: format!("{it} is silent"),
    };
    subjects.iter().map(finding).collect()
}

#[tokio::test]
async fn what_is_found_fires_once_and_its_notices_are_owed_once() {
    let (world, rule) = world().await;
    let store = &world.store;
    let turn = store.take_alert_turn(ONE, LIFE).await.unwrap().unwrap();
    for expected in [2, 0, 0] {
        let noted = store.note_findings(&turn, rule, &found(&["a", "b"])).await;
        assert_eq!(noted.unwrap().unwrap().fired, expected);
    }
    let noted = store.note_findings(&turn, rule, &found(&["b"])).await;
    assert_eq!(noted.unwrap().unwrap().resolved, 1);
    // What begins again is another alert.
    let noted = store.note_findings(&turn, rule, &found(&["a", "b"])).await;
    assert_eq!(noted.unwrap().unwrap().fired, 1);
    let page = all();
    let listed = alert::list(store, &organization_name("acme"), (&page, false)).await;
    let states: Vec<_> = listed
        .unwrap()
        .rows
        .iter()
        .map(|it| (it.subject.clone(), it.resolved_at.is_some(), it.waiting))
        .collect();
    let expected = [("a", false, 1), ("b", false, 1), ("a", true, 2)];
    let mut sorted = states.clone();
    sorted.sort();
    let mut expected = expected.map(|(it, over, waiting)| (it.to_owned(), over, waiting));
    expected.sort();
    assert_eq!(sorted, expected);
    assert_eq!(store.notices_owed().await, Ok(4));
}

#[tokio::test]
async fn who_was_overtaken_writes_nothing() {
    let (world, rule) = world().await;
    let store = &world.store;
    let brief = Duration::from_millis(1);
    let old = store.take_alert_turn(ONE, brief).await.unwrap().unwrap();
    let new = loop {
        if let Some(turn) = store.take_alert_turn(OTHER, LIFE).await.unwrap() {
            break turn;
        }
    };
    assert_eq!(store.take_alert_turn(ONE, LIFE).await, Ok(None));
    let late = store.note_findings(&old, rule, &found(&["a"])).await;
    assert_eq!(late, Ok(None));
    let noted = store.note_findings(&new, rule, &found(&["a"])).await;
    assert_eq!(noted.unwrap().unwrap().fired, 1);
    // Until it is time to look again, it is nobody's turn.
    store.leave_alert_turn(&new, LIFE).await.unwrap();
    assert_eq!(store.take_alert_turn(ONE, LIFE).await, Ok(None));
}

#[tokio::test]
async fn a_notice_that_is_tried_is_nobody_elses_and_they_go_in_order() {
    let (world, rule) = world().await;
    let store = &world.store;
    let turn = store.take_alert_turn(ONE, LIFE).await.unwrap().unwrap();
    store
        .note_findings(&turn, rule, &found(&["a"]))
        .await
        .unwrap();
    store.note_findings(&turn, rule, &[]).await.unwrap();
    let owed = store.claim_notices(10, LIFE).await.unwrap();
    assert_eq!(owed.len(), 1, "that it is over waits for that it began");
    assert_eq!(
        (owed[0].event, owed[0].tries, owed[0].organization.as_str()),
        (1, 1, "acme")
    );
    assert_eq!(store.claim_notices(10, LIFE).await, Ok(Vec::new()));
    let again = Tried::Again("away".to_owned(), Duration::ZERO);
    store.note_tried(&owed[0], &again).await.unwrap();
    let second = store.claim_notices(10, LIFE).await.unwrap();
    assert_eq!((second[0].id, second[0].tries), (owed[0].id, 2));
    // Who tried first has nothing to say any more.
    store.note_tried(&owed[0], &Tried::Delivered).await.unwrap();
    assert_eq!(store.notices_owed().await, Ok(2));
    store
        .note_tried(&second[0], &Tried::Delivered)
        .await
        .unwrap();
    let last = store.claim_notices(10, LIFE).await.unwrap();
    assert_eq!((last.len(), last[0].event), (1, 3));
    store
        .note_tried(&last[0], &Tried::GivenUp("gone".to_owned()))
        .await
        .unwrap();
    let page = all();
    let listed = alert::list(store, &organization_name("acme"), (&page, false)).await;
    let row = listed.unwrap().rows.remove(0);
    assert_eq!(
        (row.delivered, row.waiting, row.given_up, row.error.as_str()),
        (1, 0, 1, "gone")
    );
}

#[tokio::test]
async fn a_channel_that_is_told_stays_and_all_goes_with_the_organization() {
    let (world, rule) = world().await;
    let store = &world.store;
    let turn = store.take_alert_turn(ONE, LIFE).await.unwrap().unwrap();
    store
        .note_findings(&turn, rule, &found(&["a"]))
        .await
        .unwrap();
    let mut write = store.write("test").await.unwrap();
    let kept = alert_channel::delete(&mut write, &channel_name(), "").await;
    let by = Obstacle::IsToldByRule;
    let name = channel_name().to_string();
    assert_eq!(kept, Err(StoreError::Blocked { name, by }));
    drop(write);
    let mut write = store.write("test").await.unwrap();
    project::delete(&mut write, &project_name("chat"), "")
        .await
        .unwrap();
    organization::delete(&mut write, &organization_name("acme"), "")
        .await
        .unwrap();
    write.commit().await.unwrap();
    assert_eq!(store.alerts_firing().await, Ok(0));
    assert_eq!(store.notices_owed().await, Ok(0));
}
