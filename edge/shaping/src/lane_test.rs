//! Turns at one lane: who goes, who waits, who is sent away.

use futures_util::FutureExt;
use policy::traffic::Class;

use crate::{
    busy::COME_BACK_MIN,
    outbox::{News, Outbox},
};

use super::*;

const BOUNDS: Bounds = Bounds {
    waiting_max: 4,
    park_max: Duration::from_mins(1),
    terms: Terms {
        in_a_row: 5,
        percent: 50,
        sample_min: 20,
        aside: Duration::from_secs(30),
        hint: Duration::from_secs(2),
    },
};

fn asking(patience: Duration) -> Asking {
    Asking {
        traffic: Traffic::default(),
        tenant: [1; 16],
        cost: 100,
        until: now() + patience,
        has_others: false,
    }
}

fn lane(ceiling: u32) -> Arc<Lane> {
    let signs = Arc::new(Signs::new(now()));
    Arc::new(Lane::new(ceiling, BOUNDS, signs, now()))
}

fn goes(lane: &Arc<Lane>) -> Turn {
    match lane.enter(asking(Duration::ZERO), now()) {
        Entered::Turn(turn) => turn,
        other => panic!("{other:?}"),
    }
}

fn waits(lane: &Arc<Lane>, patience: Duration) -> Waiting {
    match lane.enter(asking(patience), now()) {
        Entered::Waits(waiting) => waiting,
        other => panic!("{other:?}"),
    }
}

fn busy(lane: &Arc<Lane>, patience: Duration) -> Busy {
    match lane.enter(asking(patience), now()) {
        Entered::Busy(busy) => busy,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_given_back_is_the_next_ones() {
    let lane = self::lane(2);
    let (one, _two) = (goes(&lane), goes(&lane));
    assert_eq!(busy(&lane, Duration::ZERO).why, Why::Late);
    let mut turn = Box::pin(waits(&lane, Duration::from_secs(5)).turn());
    assert!((&mut turn).now_or_never().is_none());
    drop(one);
    assert!(turn.await.is_ok());
    assert_eq!(lane.state().under_way, 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_takes_no_turn() {
    let lane = self::lane(1);
    let one = goes(&lane);
    let gone = waits(&lane, Duration::from_secs(5));
    let called = waits(&lane, Duration::from_secs(5));
    drop(gone);
    drop(one);
    // Called, and gone before it knew.
    drop(called);
    assert!(lane.rests());
    drop(goes(&lane));
}

#[tokio::test(start_paused = true)]
async fn patience_ends_with_a_time_to_come_back() {
    let lane = self::lane(1);
    let _one = goes(&lane);
    let waited = waits(&lane, Duration::from_secs(5)).turn().await;
    let busy = waited.unwrap_err();
    assert_eq!((busy.why, busy.retry_after), (Why::Late, COME_BACK_MIN));
    assert_eq!(lane.state().queue.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_names_a_time_is_left_alone_until_then() {
    let lane = self::lane(100);
    goes(&lane).overloaded(Some(Duration::from_secs(20)));
    let busy = busy(&lane, Duration::from_secs(10));
    assert_eq!(
        (busy.why, busy.retry_after),
        (Why::Parked, Duration::from_secs(20))
    );
    let began = now();
    let turn = waits(&lane, Duration::from_secs(30)).turn().await.unwrap();
    assert_eq!(now() - began, Duration::from_secs(20));
    turn.taken();
}

#[tokio::test(start_paused = true)]
async fn who_waits_goes_when_a_parking_ends_whenever_it_began() {
    let moment = Duration::from_millis(5);
    // It ends before whoever waits for it has looked at the clock.
    let lane = self::lane(100);
    goes(&lane).overloaded(Some(moment));
    let waiting = waits(&lane, Duration::from_secs(10));
    time::advance(moment).await;
    let began = now();
    drop(waiting.turn().await.unwrap());
    assert!(now() - began <= moment, "{:?}", now() - began);
    // It begins while somebody waits, and outlasts the request that had the turn.
    let lane = self::lane(1);
    let one = goes(&lane);
    let waiting = waits(&lane, Duration::from_secs(10));
    let began = now();
    let parks = async {
        one.overloaded(Some(Duration::from_secs(3)));
        drop(one);
    };
    let (turn, ()) = tokio::join!(biased; waiting.turn(), parks);
    drop(turn.unwrap());
    assert_eq!(now() - began, Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn who_waits_goes_when_there_is_room_for_more_though_nobody_has_come_back() {
    let lane = self::lane(2);
    goes(&lane).overloaded(None);
    let one = goes(&lane);
    let waiting = waits(&lane, Duration::from_secs(10));
    time::advance(Duration::from_secs(2)).await;
    let began = now();
    let (turn, ()) = tokio::join!(biased; waiting.turn(), async { one.taken() });
    drop(turn.unwrap());
    assert_eq!(now(), began);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_turns_the_lowest_away() {
    let lane = self::lane(1);
    let _one = goes(&lane);
    let patience = Duration::from_secs(5);
    let mut turns: Vec<_> = (0..4)
        .map(|_| Box::pin(waits(&lane, patience).turn()))
        .collect();
    assert_eq!(busy(&lane, patience).why, Why::Full);
    let critical = Asking {
        traffic: Traffic {
            class: Class::Critical,
            ..Traffic::default()
        },
        ..asking(patience)
    };
    let Entered::Waits(_critical) = lane.enter(critical, now()) else {
        panic!("it takes the last one's place");
    };
    let last = turns.pop().unwrap().await;
    assert_eq!(last.unwrap_err().why, Why::Outranked);
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_asked_again_only_where_nobody_else_is_left_and_its_trials_are_counted() {
    let signs = Arc::new(Signs::new(now()));
    let lane = Arc::new(Lane::new(100, BOUNDS, Arc::clone(&signs), now()));
    let elsewhere = Asking {
        has_others: true,
        ..asking(Duration::ZERO)
    };
    for _ in 0..5 {
        goes(&lane).failed();
    }
    assert_eq!(signs.unwell(), 1);
    let Entered::Busy(busy) = lane.enter(elsewhere, now()) else {
        panic!("it is set aside")
    };
    assert_eq!(
        (busy.why, busy.retry_after),
        (Why::Aside, Duration::from_secs(30))
    );
    drop(goes(&lane));
    time::advance(Duration::from_secs(30)).await;
    let Entered::Turn(trial) = lane.enter(elsewhere, now()) else {
        panic!("one may try")
    };
    assert!(matches!(lane.enter(elsewhere, now()), Entered::Busy(_)));
    trial.taken();
    drop(trial);
    for _ in 0..15 {
        goes(&lane).taken();
    }
    assert_eq!(signs.unwell(), 0);
    for _ in 0..5 {
        goes(&lane).failed();
    }
    drop(lane);
    assert_eq!(signs.unwell(), 0, "who is gone is not unwell");
}

#[tokio::test(start_paused = true)]
async fn others_are_told_what_was_seen_here_and_never_what_was_only_heard() {
    let (signs, outbox) = (Arc::new(Signs::new(now())), Arc::<Outbox>::default());
    let slot = Slot::new(&outbox, [1; 16], "m");
    let lane = Lane::new(100, BOUNDS, signs, now()).telling(Some(slot));
    let lane = Arc::new(lane);
    let told = || {
        let words = outbox.take().into_iter();
        words.map(|it| it.what).collect::<Vec<_>>()
    };
    lane.hears(3, Some(Duration::from_secs(9)), now());
    assert!(told().is_empty());
    time::advance(Duration::from_secs(9)).await;
    let turn = goes(&lane);
    // What it has no room for is its own affair; what the account has used up is everybody's.
    turn.overloaded(Some(Duration::from_secs(5)));
    assert_eq!(told(), [News::Used]);
    turn.used_up(Duration::from_hours(1));
    assert_eq!(told(), [News::Parked(BOUNDS.park_max)]);
    time::advance(BOUNDS.park_max).await;
    for _ in 0..8 {
        turn.failed();
    }
    assert_eq!(told(), [News::Fails], "once");
    assert!(lane.is_unwell());
}

#[tokio::test(start_paused = true)]
async fn what_others_say_turns_nobody_away_who_has_come() {
    let lane = lane(100);
    assert!(lane.hears(5, None, now()).is_behind);
    let elsewhere = Asking {
        has_others: true,
        ..asking(Duration::ZERO)
    };
    let Entered::Turn(turn) = lane.enter(elsewhere, now()) else {
        panic!("it is put behind where targets are put in order")
    };
    turn.taken();
    drop(turn);
    let heeded = lane.hears(5, None, now());
    assert_eq!(heeded, Heeded::default(), "it was answered");
}
