//! A hundred thousand requests of every outcome, while the control plane, Redis and edges go away in turn: what providers served, what
//! is recorded, what sums say and what limits were charged for agree to the token and the nano-dollar, or differ by causes that are
//! named, within the bound of each.
//!
//! A thousand, or `SLUICE_TEST_SCALE` times as many; `just prove ledger` takes a hundred thousand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use harness::{progress::Progress, relay::Relay, wait};
use scenarios::ledger::{
    books::{Book, Table},
    kind::Kind,
};

use crate::{
    ledger_town::Town,
    ledger_traffic::{OPEN, Traffic},
};

/// Requests of a round in the short form.
const REQUESTS: usize = 1_000;

/// The most rounds: what goes away goes away once in each.
const ROUNDS_MAX: usize = 20;

/// How often connections to Redis break in a round.
const BREAKS: usize = 5;

/// How long all may take to agree.
const AGREE_WITHIN: Duration = Duration::from_secs(20);

/// How long to wait before all are asked again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_counts_the_same_whatever_befalls_a_request() {
    let scale = scenarios::scale();
    let rounds = scale.div_ceil(5).min(ROUNDS_MAX);
    let each = REQUESTS * scale / rounds;
    let progress = Progress::new("ledger", (each * rounds) as u64);
    let mut town = Town::build().await;
    let traffic = Traffic::new([town.site.url(0), town.site.url(1)], town.key_texts());
    for round in 1..=rounds {
        let tell = |what: &str| progress.tell(&format!("round {round} of {rounds}: {what}"));
        tell("all is well");
        traffic.run(&Kind::UNHARMED, each * 2 / 5, &progress).await;
        tell("the control plane is away");
        town.site.control_planes[0].process.kill();
        traffic.run(&Kind::UNHARMED, each / 5, &progress).await;
        town.site.revive_control_plane(0).await;
        tell("Redis is away");
        // What edges have borrowed is given back, so that nothing of these is charged in full.
        agreement(&town, &traffic, &Kind::UNHARMED).await;
        town.relays.iter().for_each(|relay| relay.shut(true));
        traffic.run(&Kind::UNHARMED, each / 10, &progress).await;
        town.relays.iter().for_each(|relay| relay.shut(false));
        traffic.run(&Kind::UNHARMED, each / 10, &progress).await;
        town.all_ask_redis().await;
        tell("connections to Redis break");
        sever(&town, &traffic, each / 10, &progress).await;
        tell("what was counted is compared");
        agreement(&town, &traffic, &Kind::UNHARMED).await;
        tell("an edge is killed");
        kill(&mut town, &traffic, each / 10, &progress).await;
    }
    progress.tell("everybody is asked what was counted");
    let books = agreement(&town, &traffic, &Kind::ALL).await;
    drop(progress);
    println!("{}", Table(&books));
    assert_eq!(traffic.unexpected(), Vec::<String>::new());
}

/// Resets every connection to Redis again and again while clients ask.
async fn sever(town: &Town, traffic: &Arc<Traffic>, requests: usize, progress: &Progress) {
    let before = town.expired().await;
    let running = traffic.start(&[Kind::Severed], requests);
    for part in 1..=BREAKS {
        let made = async || {
            traffic
                .has_made(requests * part / (BREAKS + 1))
                .then_some(())
        };
        wait::until("more was asked", made).await;
        town.relays.iter().for_each(Relay::reset);
    }
    running.all(progress).await;
    town.all_ask_redis().await;
    let (earlier, since) = (traffic.charged_in_full(), Instant::now());
    loop {
        // What is over is looked for by whoever asks next.
        traffic.run(&[Kind::Whole], 2, progress).await;
        traffic.expired(earlier + town.expired().await - before);
        let books = town.books(traffic, &[Kind::Severed]).await;
        let Some(why) = books.iter().find_map(|book| book.agree().err()) else {
            return;
        };
        assert!(since.elapsed() < AGREE_WITHIN, "{why}: {books:?}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Kills an edge that holds answers without an end while it answers others, and starts it again.
async fn kill(town: &mut Town, traffic: &Arc<Traffic>, requests: usize, progress: &Progress) {
    let before = town.till.drawer(Kind::Killed).endless();
    traffic.hold();
    let running = traffic.start(&[Kind::Killed], requests);
    let held = || async {
        let open = town.till.drawer(Kind::Killed).endless() - before;
        (open == OPEN && traffic.has_made(requests / 2)).then_some(())
    };
    wait::until("answers are open", held).await;
    traffic.killed(0);
    town.site.edges[0].process.kill();
    running.all(progress).await;
    town.site.restart_edge(0).await;
    town.site.ready(0).await;
    traffic.moved(0, town.site.url(0));
}

/// The books of these kinds, once they agree.
async fn agreement(town: &Town, traffic: &Traffic, kinds: &[Kind]) -> Vec<Book> {
    let since = Instant::now();
    loop {
        let books = town.books(traffic, kinds).await;
        let disagreement = books.iter().find_map(|book| book.agree().err());
        let Some(disagreement) = disagreement else {
            return books;
        };
        let in_time = since.elapsed() <= AGREE_WITHIN;
        let odd = traffic.unexpected();
        assert!(in_time, "{disagreement}; {odd:?}\n{}", Table(&books));
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
