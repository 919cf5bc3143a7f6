//! What edges of a region tell each other of targets, by way of their Redis: that one fails, or that its provider wants nothing for a while.
//!
//! Runs beside the requests, on one core; none waits for it. Where Redis does not answer, each edge goes by what it sees itself, as it does
//! without others. Decides nothing: what a word is worth is `shaping`'s to say, and what was only heard is never said again.

mod book;

use std::{collections::HashMap, convert::Infallible, future::pending, sync::Arc, time::Duration};

use counters::Counters;
use policy::id::{OrganizationId, ProviderId};
use shaping::{Lanes, outbox::Account};
use tokio::time::{Instant, sleep, sleep_until};

use crate::in_force::InForce;

use self::book::{Book, Target};

/// How often others are heard.
const EVERY: Duration = Duration::from_millis(500);

/// How long words wait for others to go with.
const TOGETHER: Duration = Duration::from_millis(50);

/// How many organizations are in one call.
// Full: the others are in the next ones, by turns.
const ORGANIZATIONS_MAX: usize = 256;

const TOLD: &str = "sluice_shaping_hints_told_total";
const BELIEVED: &str = "sluice_shaping_hints_believed";
const ALONE: &str = "sluice_shaping_hints_alone";

/// Tells other edges, and hears them.
pub struct Teller {
    counters: Counters,
    lanes: Arc<Lanes>,
    in_force: InForce,
    edge: String,
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(TOLD, "Words about targets that other edges were told");
    metrics::describe_gauge!(
        BELIEVED,
        "Models of providers that are asked after others, or left alone, by the word of other edges"
    );
    metrics::describe_gauge!(
        ALONE,
        "Whether this edge hears no others of its region, because Redis does not answer"
    );
}

// === impl Teller ===

impl Teller {
    /// Tells by these counters' Redis what these lanes find out, as the edge of this id.
    pub fn new(counters: Counters, (lanes, in_force): (Arc<Lanes>, InForce), edge: String) -> Self {
        Self {
            counters,
            lanes,
            in_force,
            edge,
        }
    }

    /// Runs. Never ends.
    pub async fn run(&self) -> Infallible {
        let Some(outbox) = self.lanes.outbox() else {
            return pending().await;
        };
        metrics::gauge!(ALONE).set(0.0);
        let (mut book, mut next) = (Book::default(), Instant::now());
        loop {
            tokio::select! {
                () = outbox.rung() => sleep(TOGETHER).await,
                () = sleep_until(next) => {}
            }
            let now = Instant::now();
            next = now + EVERY;
            let now = now.into_std();
            for word in outbox.take() {
                book.note(word, now);
            }
            self.exchange(&mut book, now).await;
            for (what, targets) in book.heeded() {
                metrics::gauge!(BELIEVED, "what" => what).set(f64::from(targets));
            }
        }
    }

    /// Says what is to be said, and takes the word of others.
    async fn exchange(&self, book: &mut Book, now: std::time::Instant) {
        let rules = self.in_force.rules();
        let whose = |account: Account| {
            let provider = rules.provider(ProviderId::from_bytes(account));
            provider.map(|it| it.organization)
        };
        let is_unwell = |(account, model): &Target| self.lanes.is_unwell(*account, model);
        let (of, said) = book.sayings((whose, is_unwell), ORGANIZATIONS_MAX, now);
        if of.is_empty() {
            return;
        }
        let heard = self.counters.share_hints(&self.edge, &of).await;
        metrics::gauge!(ALONE).set(f64::from(u8::from(heard.is_none())));
        let now = Instant::now().into_std();
        let Some(heard) = heard else {
            return book.hears_nobody(now);
        };
        book.was_said(&said, now);
        for (target, what) in &said {
            if let Some(what) = what.name() {
                metrics::counter!(TOLD, "what" => what).increment(1);
            }
            tracing::debug!(model = &*target.1, ?what, "told other edges of a target");
        }
        let asked: Vec<OrganizationId> = of.iter().map(|it| it.organization).collect();
        let each = asked.iter().zip(heard);
        let each = each.flat_map(|(of, heard)| heard.into_iter().map(move |it| (of, it)));
        let mut news = HashMap::new();
        for (of, it) in each {
            let target: Target = (*it.provider.as_bytes(), it.model.into());
            // Who spoke may be ahead of the rules in force here, or behind them.
            if whose(target.0) != Some(*of) {
                continue;
            }
            let at = (target.0, &*target.1);
            let heeded = self.lanes.hears(at, (it.edges, it.parked), now);
            news.insert(target, heeded);
        }
        let is_asked = |account| whose(account).is_none_or(|it| asked.contains(&it));
        for (account, model) in book.heard(news, is_asked, now) {
            self.lanes.hears((account, &model), (0, None), now);
        }
    }
}
