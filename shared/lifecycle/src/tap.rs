//! A tap on what is logged: events as plain values, for whoever brings them elsewhere.
//!
//! Knows nothing of where they go. What carries them there logs, too, so that events of its own are never tapped: they would
//! never end. Nobody who logs waits.

use std::{
    fmt::{Debug, Write},
    sync::{Mutex, OnceLock},
    time::UNIX_EPOCH,
};

use tokio::sync::mpsc;
use tracing::{
    Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

use crate::clock::Clock;

/// How many events wait to be taken.
// Full: the event is not tapped, and counted; it is logged all the same.
const EVENTS_MAX: usize = 4_096;

/// The longest text of an event, in bytes. Full: the rest is cut off.
const TEXT_MAX: usize = 4_096;

/// What carries events, by what the names of its parts begin with.
const CARRIERS: [&str; 7] = [
    "telemetry",
    "spans",
    "tonic",
    "tower",
    "hyper",
    "h2",
    "rustls",
];

/// The other static of this crate: the subscriber that it feeds is the process's too, and set before there are any parts.
static TAPPED: OnceLock<Mutex<Option<Tapped>>> = OnceLock::new();

/// What was logged.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, nanoseconds since 1970.
    pub at_ns: u64,
    /// How grave it is.
    pub level: Level,
    /// Which part of the process says it.
    pub target: &'static str,
    /// What it says.
    pub message: String,
    /// What else it tells.
    pub fields: Vec<(&'static str, Value)>,
}

/// How grave an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the levels are called as everywhere")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// Any number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}

/// Where tapped events come out.
pub type Tapped = mpsc::Receiver<Event>;

/// Taps events.
pub struct Tap {
    events: mpsc::Sender<Event>,
    clock: Clock,
}

/// A tap for [`crate::logs::init`]. What comes out of it is [`taken`] once.
pub fn open() -> Tap {
    let (events, tapped) = mpsc::channel(EVENTS_MAX);
    // The first tap stays, as the first subscriber does.
    let _first = TAPPED.set(Mutex::new(Some(tapped)));
    Tap {
        events,
        clock: Clock::system(),
    }
}

/// What is tapped, for the first who asks.
pub fn taken() -> Option<Tapped> {
    TAPPED.get()?.lock().ok()?.take()
}

// === impl Tap ===

impl<S: Subscriber> Layer<S> for Tap {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        if CARRIERS.iter().any(|it| about.target().starts_with(it)) {
            return;
        }
        let Ok(place) = self.events.try_reserve() else {
            // Looked up each time: a tap is there before the recorder is.
            let labels = [("signal", "logs"), ("why", "queue_full")];
            return metrics::counter!("sluice_telemetry_dropped_total", &labels).increment(1);
        };
        let mut tapped = self.event(about);
        event.record(&mut tapped);
        place.send(tapped);
    }
}

impl Tap {
    fn event(&self, about: &Metadata<'static>) -> Event {
        let since = self.clock.now().duration_since(UNIX_EPOCH);
        let at = since.unwrap_or_default().as_nanos();
        Event {
            at_ns: u64::try_from(at).unwrap_or(u64::MAX),
            level: Level::of(*about.level()),
            target: about.target(),
            message: String::new(),
            fields: Vec::new(),
        }
    }
}

// === impl Level ===

impl Level {
    const fn of(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

// === impl Event ===

impl Visit for Event {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), Value::Number(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), Value::Whole(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.fields.push((field.name(), Value::Whole(value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), Value::Flag(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = value.to_owned();
        let end = (0..=TEXT_MAX.min(text.len())).rev();
        let end = end.into_iter().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.push((field.name(), Value::Text(text)));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{value:?}");
        self.record_str(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn events_are_tapped_with_their_fields_except_those_of_what_carries_them() {
        let tap = open();
        let mut tapped = taken().expect("the first who asks gets it");
        assert!(taken().is_none());
        let subscriber = tracing_subscriber::registry().with(tap);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(count = 3_u64, part = "a", broken = true, "It {}", "broke");
            tracing::info!(target: "telemetry::telling", "never");
            for _ in 0..EVENTS_MAX + 10 {
                tracing::info!("{}", "\u{e4}".repeat(TEXT_MAX));
            }
        });
        let first = tapped.try_recv().expect("it came");
        assert_eq!((first.level, &*first.message), (Level::Warn, "It broke"));
        let expected = [
            ("count", Value::Whole(3)),
            ("part", Value::Text("a".to_owned())),
            ("broken", Value::Flag(true)),
        ];
        assert_eq!(first.fields, expected);
        let mut rest = 0;
        while let Ok(event) = tapped.try_recv() {
            assert!(event.message.len() <= TEXT_MAX, "{}", event.message.len());
            rest += 1;
        }
        assert_eq!(rest, EVENTS_MAX - 1);
    }
}
