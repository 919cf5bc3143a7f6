//! What whoever watches the edge learns of one request: its counts go to the series of its model, provider and
//! organization when its account is closed.
//!
//! Knows handles and times; decides nothing, and fails nobody.

use std::{rc::Rc, sync::Arc, time::Duration};

use policy::{cost::Cost, id::ProviderId, provider::Provider};

use crate::{
    record::{finished::Record, measures::Measures, outcome::Outcome},
    series::{ModelSeries, OrganizationSeries, ProviderSeries, Series, class::class},
};

/// One request, as it is watched.
pub(super) struct Watch {
    model: Rc<ModelSeries>,
    organization: Rc<OrganizationSeries>,
    /// Whom the attempt that is under way reached, or the last one.
    provider: Option<(ProviderId, Rc<ProviderSeries>)>,
    /// Whether an attempt is under way.
    asks: bool,
    missed: bool,
    /// How long after its arrival its body was here; taken when the first attempt could be sent.
    read_after: Option<Duration>,
    waited: Duration,
}

// === impl Watch ===

impl Watch {
    /// Begins to watch; the model's name, and when the body was read if it was.
    pub(super) fn new(
        series: &Series,
        record: &Record,
        (name, read_after): (&str, Option<Duration>),
    ) -> Self {
        Self {
            model: series.model(record.model, name),
            organization: series.organization(record.organization),
            provider: None,
            asks: false,
            missed: false,
            read_after,
            waited: Duration::ZERO,
        }
    }

    /// It waited so long for a turn.
    pub(super) fn waited(&mut self, long: Duration) {
        self.waited += long;
    }

    /// It could be sent, so long after its arrival. Only the first time is our own: what comes later is what providers cost.
    pub(super) fn ready(&mut self, measures: &Measures, since: Duration) {
        if let Some(read_after) = self.read_after.take() {
            measures.overhead(since.saturating_sub(read_after + self.waited));
        }
    }

    /// An attempt reached this provider.
    pub(super) fn reached(&mut self, series: &Series, provider: &Arc<Provider>) {
        let known = self.provider.as_ref().filter(|(id, _)| *id == provider.id);
        if known.is_none() {
            self.provider = Some((provider.id, series.provider(provider)));
        }
        self.asks = true;
    }

    /// An attempt gave no answer.
    pub(super) fn missed(&mut self, code: &'static str) {
        self.missed = true;
        if let (true, Some((_, provider))) = (self.asks, &self.provider) {
            provider.attempt(code);
        }
        self.asks = false;
    }

    /// All is known.
    pub(super) fn finished(self, measures: &Measures, series: &Series, record: &Record) {
        measures.used(&record.tokens);
        measures.cost(record.cost);
        if let (true, Some((_, provider))) = (self.asks, &self.provider) {
            provider.attempt(word(record.outcome));
            if self.missed && record.outcome == Outcome::Completed {
                provider.fallbacks.increment(1);
            }
        }
        let served = self.provider.as_ref().map(|(id, it)| (*id, &**it));
        let served = served.filter(|(id, _)| Some(*id) == record.provider);
        let pair = series.pair(&self.model, served);
        let class = class(record.status);
        let duration = Duration::from_micros(record.duration_us);
        pair.request(class, duration);
        pair.used(&record.tokens);
        self.organization.request(class);
        self.organization
            .input
            .increment(record.tokens.input_total());
        let output = record.tokens.output_total();
        self.organization.output.increment(output);
        if let Cost::Known(nano) = record.cost {
            pair.cost(nano);
            self.organization.cost.increment(nano);
        }
        if record.streamed && record.first_byte_us > 0 {
            let first = Duration::from_micros(record.first_byte_us);
            pair.first_token(first);
            let after = u32::try_from(output.saturating_sub(1)).unwrap_or(u32::MAX);
            if record.outcome == Outcome::Completed && after > 0 {
                pair.output_token(duration.saturating_sub(first) / after);
            }
        }
    }
}

/// What came of an attempt that nobody said to have failed.
const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "answered",
        Outcome::ClientGone => "client_gone",
        Outcome::ProviderFailed => "provider_failed",
        Outcome::Cut => "cut",
    }
}
