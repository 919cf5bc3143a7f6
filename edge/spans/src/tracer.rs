//! Which requests are traced, and the queue in which their spans wait.
//!
//! Knows ids and a part; knows nothing of what becomes of spans.

use std::sync::Arc;

use metrics::Counter;
use tokio::sync::mpsc;

use crate::{
    config::Config,
    context::{Context, Parent, span_id},
    span::Span,
};

/// How many spans wait for the collector.
// Full: the span is dropped and counted; its request hears nothing of it.
pub const SPANS_MAX: usize = 8_192;

/// The bits of a trace's id that decide whether it is traced: the last seven bytes, which are random.
const RANDOM_BITS: u32 = 56;

/// Decides and takes; clones are the same. Off, it is nothing.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<On>>);

struct On {
    below: u64,
    trust_clients: bool,
    to_providers: bool,
    queue: mpsc::Sender<Span>,
    dropped: Counter,
}

/// Says what is measured here.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_span_dropped_total",
        "Spans that no collector got, by why"
    );
    metrics::describe_counter!("sluice_span_exported_total", "Spans that a collector took");
}

// === impl Tracer ===

impl Tracer {
    /// One that traces as the settings say, and where what it takes comes out.
    pub fn new(config: &Config) -> (Self, mpsc::Receiver<Span>) {
        let (queue, spans) = mpsc::channel(SPANS_MAX);
        let on = On {
            below: below(config.ratio),
            trust_clients: config.trust_clients,
            to_providers: config.to_providers,
            queue,
            dropped: metrics::counter!("sluice_span_dropped_total", "why" => "queue_full"),
        };
        (Self(Some(Arc::new(on))), spans)
    }

    /// Where a request stands whose id is this, if it is traced. `header` is what its client says of a trace, and is asked
    /// for only where clients are trusted.
    pub fn begin<'a>(
        &self,
        id: [u8; 16],
        header: impl FnOnce() -> Option<&'a [u8]>,
    ) -> Option<Context> {
        let on = self.0.as_deref()?;
        let parent = if on.trust_clients { header() } else { None };
        let context = match parent.and_then(Parent::parse) {
            Some(parent) if parent.sampled => Context {
                trace: parent.trace,
                span: span_id(),
                parent: parent.span,
            },
            Some(_) => return None,
            None => Context {
                // So that whoever knows the request's id finds the trace.
                trace: id,
                span: span_id(),
                parent: [0; 8],
            },
        };
        let told = parent.is_some() && context.parent != [0; 8];
        (told || random(&id) < on.below).then_some(context)
    }

    /// Whether providers are told of the trace.
    pub fn tells_providers(&self) -> bool {
        self.0.as_deref().is_some_and(|on| on.to_providers)
    }

    /// Takes a finished span. Never waits.
    pub fn post(&self, span: Span) {
        if let Some(on) = self.0.as_deref()
            && on.queue.try_send(span).is_err()
        {
            on.dropped.increment(1);
        }
    }
}

/// What a random number is below in this part of all cases.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the product is between zero and two to the 56"
)]
fn below(ratio: f64) -> u64 {
    (ratio.clamp(0.0, 1.0) * (1_u64 << RANDOM_BITS) as f64) as u64
}

fn random(id: &[u8; 16]) -> u64 {
    let mut bytes = [0; 8];
    bytes[1..].copy_from_slice(&id[9..]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracer(ratio: f64, trust_clients: bool) -> (Tracer, mpsc::Receiver<Span>) {
        Tracer::new(&Config {
            ratio,
            trust_clients,
            ..Config::default()
        })
    }

    fn id() -> [u8; 16] {
        let mut id = [0; 16];
        fastrand::fill(&mut id);
        id
    }

    #[test]
    fn about_the_part_that_is_asked_for_is_traced_and_off_nothing_is() {
        for (ratio, from, to) in [
            (0.0, 0, 0),
            (0.25, 2_200, 2_800),
            (1.0, 10_000, 10_000),
            (f64::NAN, 0, 0),
            (7.0, 10_000, 10_000),
        ] {
            let (tracer, _spans) = tracer(ratio, false);
            let begun = (0..10_000).filter(|_| tracer.begin(id(), || None).is_some());
            let many = begun.count();
            assert!((from..=to).contains(&many), "{ratio}: {many}");
        }
        let off = Tracer::default();
        let unasked = || -> Option<&[u8]> { panic!("off, nobody looks at headers") };
        assert_eq!(off.begin(id(), unasked), None);
    }

    #[test]
    fn a_client_is_believed_only_where_it_is_trusted() {
        let told = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let silent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        let request = id();
        let (trusting, _spans) = tracer(0.0, true);
        let context = trusting.begin(request, || Some(&told[..])).unwrap();
        assert_eq!(context.trace[..2], [0x4b, 0xf9]);
        assert_eq!(
            context.parent,
            [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]
        );
        assert_eq!(trusting.begin(request, || Some(&b"nonsense"[..])), None);
        let (trusting, _spans) = tracer(1.0, true);
        assert_eq!(trusting.begin(request, || Some(&silent[..])), None);
        let (wary, _spans) = tracer(1.0, false);
        let context = wary.begin(request, || Some(&told[..])).unwrap();
        assert_eq!((context.trace, context.parent), (request, [0; 8]));
    }

    #[test]
    fn what_finds_no_place_is_dropped_and_nobody_waits() {
        let (tracer, mut spans) = tracer(1.0, false);
        let context = tracer.begin(id(), || None).unwrap();
        for number in 0..SPANS_MAX as u64 + 10 {
            tracer.post(Span {
                context,
                name: String::new(),
                kind: crate::Kind::Server,
                start_ns: number,
                end_ns: number,
                failed: None,
                attributes: Vec::new(),
            });
        }
        let mut kept = 0;
        while spans.try_recv().is_ok() {
            kept += 1;
        }
        assert_eq!(kept, SPANS_MAX);
    }
}
