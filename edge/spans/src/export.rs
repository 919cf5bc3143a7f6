//! Brings spans to a collector, in batches.
//!
//! Knows one address and how long to wait; knows nothing of what spans tell. While the collector is away a batch is tried
//! a few times and then dropped and counted; the queue fills meanwhile, and what finds no place in it is dropped, too.

use std::{fmt, time::Duration};

use opentelemetry_proto::tonic::{
    collector::trace::v1::trace_service_client::TraceServiceClient, resource::v1::Resource,
};
use telemetry::collector::{Collector, EXPORT_MAX};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tonic::transport::Channel;
use tracing::warn;

use crate::{config::Config, span::Span, tracer::Tracer, wire};

/// How many spans go in one export.
const BATCH_MAX: usize = 512; // Full: the next ones go in the next one.

/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// How often an export is tried, and how long is waited in between.
const TRIES: u32 = 3;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The way to a collector.
pub struct Export {
    collector: Collector,
    resource: Resource,
    spans: mpsc::Receiver<Span>,
}

/// Why `[traces]` cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// The collector cannot be asked.
    Collector(telemetry::Unusable),
    /// The ratio is no part.
    Ratio(f64),
}

/// A tracer and the way of its spans, where the settings name a collector. `instance` tells this process from others.
pub fn open(config: &Config, instance: &str) -> Result<(Tracer, Option<Export>), Unusable> {
    if !(0.0..=1.0).contains(&config.ratio) {
        return Err(Unusable::Ratio(config.ratio));
    }
    if config.endpoint.is_empty() {
        return Ok((Tracer::default(), None));
    }
    let collector = config.address().open().map_err(Unusable::Collector)?;
    let (tracer, spans) = Tracer::new(config);
    let export = Export {
        collector,
        resource: telemetry::wire::resource("sluice-edge", instance),
        spans,
    };
    Ok((tracer, Some(export)))
}

// === impl Export ===

impl Export {
    /// Works until every tracer is gone and what is left is sent or dropped.
    pub async fn run(mut self) {
        // Connects when it is used, and again when it is used after a failure.
        let mut client = TraceServiceClient::new(self.collector.channel());
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while self.spans.recv_many(&mut batch, BATCH_MAX).await > 0 {
            self.gather(&mut batch).await;
            self.send(&mut client, std::mem::take(&mut batch)).await;
        }
    }

    /// Waits a while for more.
    async fn gather(&mut self, batch: &mut Vec<Span>) {
        let more = async {
            while batch.len() < BATCH_MAX {
                let room = BATCH_MAX - batch.len();
                if self.spans.recv_many(batch, room).await == 0 {
                    return;
                }
            }
        };
        // What has come by then goes.
        let _in_time = timeout(GATHER, more).await.is_ok();
    }

    async fn send(&self, client: &mut TraceServiceClient<Channel>, batch: Vec<Span>) {
        let count = batch.len() as u64;
        let message = wire::request(self.resource.clone(), batch);
        for tried in 1..=TRIES {
            let request = self.collector.request(message.clone());
            match timeout(EXPORT_MAX, client.export(request)).await {
                Ok(Ok(answer)) => {
                    let partial = answer.into_inner().partial_success;
                    let rejected = partial.map_or(0, |it| it.rejected_spans);
                    let rejected = u64::try_from(rejected).unwrap_or(0).min(count);
                    dropped("rejected", rejected);
                    metrics::counter!("sluice_span_exported_total").increment(count - rejected);
                    return;
                }
                Ok(Err(status)) => {
                    warn!(code = ?status.code(), tried, "the collector takes no spans");
                }
                Err(_) => warn!(tried, "the collector is silent"),
            }
            if tried < TRIES {
                sleep(AGAIN_AFTER * tried).await;
            }
        }
        dropped("collector_away", count);
    }
}

fn dropped(why: &'static str, count: u64) {
    if count > 0 {
        metrics::counter!("sluice_span_dropped_total", "why" => why).increment(count);
    }
}

// === impl Unusable ===

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Collector(why) => why.fmt(f),
            Self::Ratio(ratio) => {
                write!(f, "traces.ratio: {ratio} is not from 0 to 1, such as 0.05")
            }
        }
    }
}

impl std::error::Error for Unusable {}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(change: impl FnOnce(&mut Config)) -> Result<bool, String> {
        let mut config = Config::default();
        change(&mut config);
        let opened = open(&config, "edge");
        opened
            .map(|(_, export)| export.is_some())
            .map_err(|why| why.to_string())
    }

    #[tokio::test]
    async fn spans_leave_the_machine_in_plaintext_only_when_told_and_by_default_not_at_all() {
        assert_eq!(opened(|_| {}), Ok(false));
        let near = |it: &mut Config| "http://127.0.0.1:4317".clone_into(&mut it.endpoint);
        assert_eq!(opened(near), Ok(true));
        let far = |it: &mut Config| "http://collector:4317".clone_into(&mut it.endpoint);
        assert!(opened(far).unwrap_err().contains("plaintext"));
        let told = |it: &mut Config| {
            far(it);
            it.plaintext_beyond_loopback = true;
        };
        assert_eq!(opened(told), Ok(true));
        for (endpoint, ratio) in [
            ("nonsense", 1.0),
            ("ftp://x", 1.0),
            ("", 1.5),
            ("", f64::NAN),
        ] {
            let refused = opened(|it| {
                endpoint.clone_into(&mut it.endpoint);
                it.ratio = ratio;
            });
            assert!(refused.is_err(), "{endpoint} {ratio}");
        }
    }

    #[test]
    fn the_settings_print_without_what_authorizes() {
        let config = Config {
            authorization: Some("Bearer hunter2".to_owned().into()),
            ..Config::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
