//! What whoever watches the edge learns of one request: its counts go to the series of its model, provider and
//! organization when its account is closed.
//!
//! Knows handles and times; decides nothing, and fails nobody.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue};
use policy::{
    cost::Cost,
    id::{ModelId, ProviderId},
    provider::Provider,
};
use spans::Context;

use crate::{
    record::{
        attempt::Missed, finished::Record, line::line, measures::Measures, outcome::Outcome,
        told::Opening, trace::Trace,
    },
    request::Arrival,
    series::{ModelSeries, OrganizationSeries, ProviderSeries, Series, class::class},
};

/// What came of an attempt whose provider says what is wrong with the request.
const REFUSED: &str = "refused";

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
    trace: Option<Box<Trace>>,
    /// Whether nobody is to hear of it, because it is no client's.
    looks_away: bool,
}

// === impl Watch ===

impl Watch {
    /// Begins to watch what was opened so.
    pub(super) fn new(
        series: &Series,
        (arrival, record): (&Arrival, &Record),
        opening: &Opening<'_>,
    ) -> Self {
        Self {
            model: series.model(record.model, opening.model_name),
            organization: series.organization(record.organization),
            provider: None,
            asks: false,
            missed: false,
            read_after: opening.read_after,
            waited: Duration::ZERO,
            trace: Trace::begin(&series.tracer, arrival, record, opening),
            looks_away: false,
        }
    }

    /// Nobody hears of it from here on.
    pub(super) const fn look_away(&mut self) {
        self.looks_away = true;
    }

    /// Another model is asked in the place of the one before.
    pub(super) fn turn_to(&mut self, series: &Series, (model, name): (ModelId, &str)) {
        self.model = series.model(model, name);
    }

    /// It waited so long for a turn.
    pub(super) fn waited(&mut self, long: Duration) {
        self.waited += long;
    }

    /// It could be sent, so long after its arrival. Only the first time is our own, which it tells: what comes later is what
    /// providers cost.
    pub(super) fn ready(&mut self, measures: &Measures, since: Duration) -> Option<Duration> {
        let read_after = self.read_after.take()?;
        let ours = since.saturating_sub(read_after + self.waited);
        if !self.looks_away {
            measures.overhead(ours);
        }
        Some(ours)
    }

    /// An attempt at this provider begins. It is told of the trace, if there is one.
    pub(super) fn attempt(&mut self, to: (&Arc<Provider>, &str), headers: &mut HeaderMap) {
        if let Some(trace) = &mut self.trace {
            trace.attempt(to, Some(headers));
        }
    }

    /// An attempt reached this provider, under its name for the model.
    pub(super) fn reached(&mut self, series: &Series, (provider, model): (&Arc<Provider>, &str)) {
        if let Some(trace) = self.trace.as_deref_mut().filter(|it| !it.asks()) {
            trace.attempt((provider, model), None);
        }
        let known = self.provider.as_ref().filter(|(id, _)| *id == provider.id);
        if known.is_none() {
            self.provider = Some((provider.id, series.provider(provider)));
        }
        self.asks = true;
    }

    /// An attempt gave no answer.
    pub(super) fn missed(&mut self, series: &Series, missed: &Missed<'_>) {
        self.missed = true;
        self.asks = false;
        if let Some(trace) = &mut self.trace {
            trace.ended(Some(missed), None);
        }
        if self.looks_away {
            return;
        }
        // Also where it was not reached: that is what is wrong. What was spared or had no room was not asked.
        if missed.theirs {
            series.provider(missed.provider).attempt(missed.code);
        } else if missed.sent {
            series.provider(missed.provider).attempt(REFUSED);
        }
    }

    /// What a span of an attempt beside another is to be, where the request is traced.
    pub(super) fn beside(&self) -> Option<(Context, Option<HeaderValue>)> {
        self.trace.as_deref().map(Trace::beside)
    }

    /// The attempt beside is the one that is under way.
    pub(super) fn takes(&mut self, to: (&Arc<Provider>, &str), span: Option<(Context, Instant)>) {
        if let (Some(trace), Some(span)) = (&mut self.trace, span) {
            trace.takes(to, span);
        }
    }

    /// The attempt that is under way is not waited for any more, because one beside it has answered. That it might have is nobody's failure.
    pub(super) fn outrun(&mut self, series: &Series, missed: &Missed<'_>) {
        self.asks = false;
        if let Some(trace) = &mut self.trace {
            trace.ended(Some(missed), None);
        }
        if missed.sent {
            series.provider(missed.provider).attempt(missed.code);
        }
    }

    /// An attempt beside the one that is under way gave no answer, or is not waited for any more.
    pub(super) fn missed_beside(
        &mut self,
        series: &Series,
        missed: &Missed<'_>,
        span: Option<(Context, Instant)>,
    ) {
        if let (Some(trace), Some(span)) = (&mut self.trace, span) {
            let under_way = trace.set_aside();
            trace.takes((missed.provider, missed.provider_model), span);
            trace.ended(Some(missed), None);
            trace.resume(under_way);
        }
        if missed.theirs {
            self.missed = true;
            series.provider(missed.provider).attempt(missed.code);
        } else if missed.sent {
            let code = if missed.refused { REFUSED } else { missed.code };
            series.provider(missed.provider).attempt(code);
        }
    }

    /// All is known.
    pub(super) fn finished(mut self, measures: &Measures, series: &Series, record: &Record) {
        if self.looks_away {
            return;
        }
        if let Some(trace) = self.trace.take() {
            trace.finished(record);
        }
        let access_log = &series.access_log;
        access_log.write(|| line(record, self.model.name()));
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
        other => other.word(),
    }
}
