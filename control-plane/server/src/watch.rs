//! Watches what rules of alerts name, and notes what is to be told.
//!
//! Owns how often it is looked and that one replica does at a time. Reads what is summed or listed, never records; what that means
//! `domain` says, and the store lets nothing fire twice. Brings no notice: that it is owed stands in the database, and whoever
//! brings it is rung. What cannot be read stays as it is.

use std::{convert::Infallible, sync::Arc, time::Duration};

use domain::{
    alert::{self, FINDINGS_MAX, Finding, KeyAge, QUARTER_MS, Spike, Watch},
    name::{BudgetName, LimitName, ModelName, OrganizationName},
    page::Page,
};
use lifecycle::clock::Clock;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use policy::limit::Unit;
use store::{
    Store, StoreError,
    alert::{Noted, Turn},
    alert_rule::{self, Row},
    alert_seen, limit,
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use crate::standing;

/// For how long a replica has the turn unless it says that it is still there, and how often it does.
const TURN: Duration = Duration::from_secs(6);
const STILL_EVERY: Duration = Duration::from_secs(2);

/// How long a look at one rule may take.
const LOOK_MAX: Duration = Duration::from_secs(30); // Full: it stays as it is until the next look.

/// How many rules are read at once.
const RULES: u16 = 100; // Full: the others come next.

/// The most budgets of an organization that are looked at.
const BUDGETS_MAX: u32 = 1_000; // Full: those whose names come later are not watched.

/// Watches.
pub struct Watcher {
    store: Store,
    clock: Clock,
    replica: [u8; 16],
    every: Duration,
    /// Rung when there is something to bring.
    bell: Arc<Notify>,
}

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_alert_look_total",
        "Looks at what rules of alerts name, by how they ended"
    );
    describe_counter!(
        "sluice_alert_rule_failed_total",
        "Rules of alerts that could not be looked after"
    );
    describe_counter!(
        "sluice_alert_transition_total",
        "Alerts that fired, were over, or of which people were reminded"
    );
    describe_gauge!("sluice_alert_firing", "Alerts that fire now");
}

// === impl Watcher ===

impl Watcher {
    /// Watches as this replica, so often.
    pub const fn new(
        store: Store,
        clock: Clock,
        (replica, every): ([u8; 16], Duration),
        bell: Arc<Notify>,
    ) -> Self {
        Self {
            store,
            clock,
            replica,
            every,
            bell,
        }
    }

    /// Watches, for as long as the process lives.
    pub async fn run(self) -> Infallible {
        loop {
            let ended = match self.look().await {
                Ok(Some(())) => "done",
                Ok(None) => "elsewhere",
                Err(error) => {
                    warn!(%error, "What rules of alerts name cannot be watched, trying again");
                    "failed"
                }
            };
            counter!("sluice_alert_look_total", "result" => ended).increment(1);
            sleep(self.every).await;
        }
    }

    /// Looks at every rule once; `None` where it is another replica's turn, or nobody's yet.
    async fn look(&self) -> Result<Option<()>, StoreError> {
        let Some(turn) = self.store.take_alert_turn(self.replica, TURN).await? else {
            return Ok(None);
        };
        tokio::select! {
            looked = self.look_at_all(&turn) => looked?,
            () = self.keep(&turn) => return Ok(None),
        }
        gauge!("sluice_alert_firing").set(counted(self.store.alerts_firing().await?));
        self.store.sweep_alerts().await?;
        self.store.leave_alert_turn(&turn, self.every).await?;
        Ok(Some(()))
    }

    async fn look_at_all(&self, turn: &Turn) -> Result<(), StoreError> {
        let mut behind = None;
        loop {
            let rules = alert_rule::some(&self.store, behind, RULES).await?;
            let Some(last) = rules.last() else {
                return Ok(());
            };
            behind = Some(last.id);
            for rule in &rules {
                match timeout(LOOK_MAX, self.look_at(turn, rule)).await {
                    Ok(Ok(Some(noted))) => self.tell(rule, noted),
                    Ok(Ok(None)) => {}
                    Ok(Err(error)) => failed(rule, &error),
                    Err(_) => failed(rule, &"it takes longer than half a minute"),
                }
            }
        }
    }

    /// Keeps the turn while it is looked; ends when it is lost.
    async fn keep(&self, turn: &Turn) {
        loop {
            sleep(STILL_EVERY).await;
            match self.store.take_alert_turn(self.replica, TURN).await {
                Ok(kept) if kept.as_ref() == Some(turn) => {}
                Ok(_) => return,
                // Whoever takes over meanwhile finds the same, and nothing fires twice.
                Err(_) => {}
            }
        }
    }

    async fn look_at(&self, turn: &Turn, rule: &Row) -> Result<Option<Noted>, StoreError> {
        let mut found = self.found(rule).await?;
        found.sort_unstable();
        found.truncate(FINDINGS_MAX);
        self.store.note_findings(turn, rule.id, &found).await
    }

    fn tell(&self, rule: &Row, noted: Noted) {
        for (to, count) in [
            ("firing", noted.fired),
            ("resolved", noted.resolved),
            ("reminded", noted.reminded),
        ] {
            if count > 0 {
                counter!("sluice_alert_transition_total", "to" => to).increment(count);
                info!(rule = %rule.name, to, count, "Alerts have changed");
            }
        }
        if noted != Noted::default() {
            self.bell.notify_one();
        }
    }

    /// What a rule finds now.
    async fn found(&self, rule: &Row) -> Result<Vec<Finding>, StoreError> {
        let parent = rule.name.parent();
        match &rule.terms.watch {
            Watch::Budget { budget, thresholds } => {
                self.budgets(&parent, budget.as_ref(), thresholds).await
            }
            Watch::Errors { model, spike } => self.errors(&parent, model.as_ref(), spike).await,
            Watch::Key(age) => self.keys(&parent, age).await,
            Watch::Edge(silent_ms) => self.edges(*silent_ms).await,
        }
    }

    async fn budgets(
        &self,
        parent: &OrganizationName,
        only: Option<&BudgetName>,
        thresholds: &[u16],
    ) -> Result<Vec<Finding>, StoreError> {
        let rows = if let Some(name) = only {
            let name = LimitName {
                organization: name.organization.clone(),
                limit: name.budget.clone(),
            };
            vec![limit::get(&self.store, &name).await?]
        } else {
            let page = Page {
                size: BUDGETS_MAX,
                after: String::new(),
            };
            limit::list(&self.store, parent, (&page, true)).await?.rows
        };
        let now_ms = self.clock.now_ms();
        let mut found = Vec::new();
        for row in rows {
            let thresholds = if thresholds.is_empty() {
                &row.thresholds
            } else {
                thresholds
            };
            let counts_each = !row.narrowing.each.is_empty();
            if row.unit != Unit::MicroDollars || counts_each || thresholds.is_empty() {
                continue;
            }
            let standing = standing::of(&self.store, &row, (None, now_ms)).await?.0;
            let name = BudgetName {
                organization: row.name.organization.clone(),
                budget: row.name.limit.clone(),
            };
            found.extend(alert::crossed(&name, &standing, thresholds));
        }
        Ok(found)
    }

    async fn errors(
        &self,
        parent: &OrganizationName,
        only: Option<&ModelName>,
        spike: &Spike,
    ) -> Result<Vec<Finding>, StoreError> {
        // The quarter of an hour that has begun is part of the window.
        let now_ms = self.clock.now_ms();
        let end_ms = now_ms - now_ms % QUARTER_MS + QUARTER_MS;
        let at_ms = end_ms.saturating_sub(spike.window_ms);
        let from_ms = at_ms.saturating_sub(spike.window_ms);
        let seen = alert_seen::failures(&self.store, (parent, only), (from_ms, at_ms)).await?;
        let found = seen
            .into_iter()
            .filter_map(|(model, now, before)| spike.found(&model, now, before));
        Ok(found.collect())
    }

    async fn keys(
        &self,
        parent: &OrganizationName,
        age: &KeyAge,
    ) -> Result<Vec<Finding>, StoreError> {
        let mut found = Vec::new();
        for seen in alert_seen::keys(&self.store, parent, age).await? {
            let days = seen.age_days;
            let key = &seen.name.key;
            for (is_so, word, summary) in [
                (
                    seen.is_old,
                    "old",
                    format!("The secret of the key {key} is {days} days old"),
                ),
                (
                    seen.is_unused,
                    "unused",
                    format!("Nobody has used the key {key} for long"),
                ),
                (
                    seen.is_due,
                    "due",
                    format!("The key {key} is to be rotated"),
                ),
            ] {
                if is_so {
                    found.push(Finding {
                        subject: format!("{} is {word}", seen.name),
                        summary,
                    });
                }
            }
        }
        Ok(found)
    }

    async fn edges(&self, silent_ms: u64) -> Result<Vec<Finding>, StoreError> {
        let silent = alert_seen::silent_edges(&self.store, silent_ms).await?;
        let found = silent.into_iter().map(|it| Finding {
            subject: format!("edges/{}", it.edge),
            summary: format!(
                "Nothing is heard of the edge {} in the region {} for {} seconds or longer",
                it.edge,
                it.region,
                silent_ms / 1_000
            ),
        });
        Ok(found.collect())
    }
}

fn failed(rule: &Row, why: &dyn std::fmt::Display) {
    counter!("sluice_alert_rule_failed_total").increment(1);
    warn!(rule = %rule.name, %why, "A rule of alerts cannot be looked after, trying again");
}

/// A count as a gauge has it.
fn counted(it: u64) -> f64 {
    f64::from(u32::try_from(it).unwrap_or(u32::MAX))
}
