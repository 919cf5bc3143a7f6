//! Tells a collector what is measured and logged, for as long as the process lives.
//!
//! Owns how often, and what becomes of what does not arrive: a reading is dropped, because the next one tells the same and
//! more; lines are tried a few times and then dropped. Both are counted, and nobody waits.

use std::{future, time::Duration};

use lifecycle::{
    PrometheusHandle,
    clock::Clock,
    tap::{self, Event, Tapped},
};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{ExportLogsServiceRequest, logs_service_client::LogsServiceClient},
        metrics::v1::{ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient},
    },
    logs::v1::{ResourceLogs, ScopeLogs},
    metrics::v1::{Metric, ResourceMetrics, ScopeMetrics},
    resource::v1::Resource,
};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tracing::warn;

use crate::{
    collector::{Collector, EXPORT_MAX, Unusable},
    config::Config,
    reading, said, wire,
};

/// How many lines go in one export.
const LINES_MAX: usize = 512; // Full: the next ones go in the next one.

/// How long the first line of an export waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// How often lines are tried, and how long is waited in between.
const TRIES: u32 = 3;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What tells.
pub struct Telling {
    collector: Collector,
    resource: Resource,
    clock: Clock,
    every: Option<Duration>,
    lines: Option<Tapped>,
}

/// Registers what is measured here.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_telemetry_exported_total",
        "Readings of metrics and log lines that a collector took, by signal"
    );
    metrics::describe_counter!(
        "sluice_telemetry_dropped_total",
        "Readings of metrics and log lines that no collector got, by signal and why"
    );
}

// === impl Telling ===

impl Telling {
    /// One to the collector that the settings name, if they do. `service` is the program, `instance` tells this process from
    /// others.
    pub fn open(config: &Config, service: &str, instance: &str) -> Result<Option<Self>, Unusable> {
        if config.endpoint.is_empty() {
            return Ok(None);
        }
        let lines = config.logs.then(tap::taken).flatten();
        Ok(Some(Self {
            collector: config.address().open()?,
            resource: wire::resource(service, instance),
            clock: Clock::system(),
            every: config.metrics.then(|| config.every()),
            lines,
        }))
    }

    /// Tells until `stop`, and then once more what is left.
    pub async fn run(self, shown: PrometheusHandle, stop: CancellationToken) {
        let Self {
            collector,
            resource,
            clock,
            every,
            lines,
        } = self;
        let measured = Measured {
            client: MetricsServiceClient::new(collector.channel()),
            started_ns: now_ns(&clock),
            clock,
            collector: collector.clone(),
            resource: resource.clone(),
            shown,
        };
        let logged = Logged {
            client: LogsServiceClient::new(collector.channel()),
            collector,
            resource,
        };
        let measuring = async {
            if let Some(every) = every {
                measured.run(every, &stop).await;
            }
        };
        let logging = async {
            if let Some(lines) = lines {
                logged.run(lines, &stop).await;
            }
        };
        tokio::join!(measuring, logging);
        // Whoever runs this waits for `stop`, also where there is nothing to tell.
        stop.cancelled().await;
    }
}

/// What is measured.
struct Measured {
    client: MetricsServiceClient<Channel>,
    collector: Collector,
    resource: Resource,
    clock: Clock,
    started_ns: u64,
    shown: PrometheusHandle,
}

// === impl Measured ===

impl Measured {
    async fn run(mut self, every: Duration, stop: &CancellationToken) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.tell().await;
        }
        self.tell().await;
    }

    async fn tell(&mut self) {
        let text = self.shown.render();
        let times = (self.started_ns, now_ns(&self.clock));
        for metrics in reading::read(&text, times) {
            let request = self.collector.request(self.message(metrics));
            match timeout(EXPORT_MAX, self.client.export(request)).await {
                Ok(Ok(_)) => exported("metrics", 1),
                Ok(Err(status)) => {
                    warn!(code = ?status.code(), "the collector takes no metrics");
                    return dropped("metrics", "collector_away", 1);
                }
                Err(_) => {
                    warn!("the collector is silent");
                    return dropped("metrics", "collector_away", 1);
                }
            }
        }
    }

    fn message(&self, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(wire::scope()),
                    metrics,
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        }
    }
}

/// What is logged.
struct Logged {
    client: LogsServiceClient<Channel>,
    collector: Collector,
    resource: Resource,
}

// === impl Logged ===

impl Logged {
    async fn run(mut self, mut lines: Tapped, stop: &CancellationToken) {
        let mut batch = Vec::with_capacity(LINES_MAX);
        loop {
            let come = stop.run_until_cancelled(lines.recv_many(&mut batch, LINES_MAX));
            match come.await {
                // The tap is the process's own, and ends with it.
                Some(0) => return future::pending().await,
                Some(_) => {
                    let more = gather(&mut lines, &mut batch);
                    let _in_time = stop.run_until_cancelled(timeout(GATHER, more)).await;
                }
                None => break,
            }
            self.send(std::mem::take(&mut batch), stop).await;
        }
        while let Ok(line) = lines.try_recv() {
            batch.push(line);
            if batch.len() >= LINES_MAX {
                self.send(std::mem::take(&mut batch), stop).await;
            }
        }
        if !batch.is_empty() {
            self.send(batch, stop).await;
        }
    }

    async fn send(&mut self, batch: Vec<Event>, stop: &CancellationToken) {
        let count = batch.len() as u64;
        let message = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resource.clone()),
                scope_logs: vec![ScopeLogs {
                    scope: Some(wire::scope()),
                    log_records: batch.into_iter().map(said::record).collect(),
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        };
        for tried in 1..=TRIES {
            let request = self.collector.request(message.clone());
            match timeout(EXPORT_MAX, self.client.export(request)).await {
                Ok(Ok(answer)) => {
                    let partial = answer.into_inner().partial_success;
                    let rejected = partial.map_or(0, |it| it.rejected_log_records);
                    let rejected = u64::try_from(rejected).unwrap_or(0).min(count);
                    dropped("logs", "rejected", rejected);
                    return exported("logs", count - rejected);
                }
                Ok(Err(status)) => {
                    warn!(code = ?status.code(), tried, "the collector takes no logs");
                }
                Err(_) => warn!(tried, "the collector is silent"),
            }
            if tried < TRIES {
                let rest = sleep(AGAIN_AFTER * tried);
                let _waited = stop.run_until_cancelled(rest).await;
            }
        }
        dropped("logs", "collector_away", count);
    }
}

/// Waits for more lines until the batch is full.
async fn gather(lines: &mut Tapped, batch: &mut Vec<Event>) {
    while batch.len() < LINES_MAX {
        let room = LINES_MAX - batch.len();
        if lines.recv_many(batch, room).await == 0 {
            return;
        }
    }
}

fn exported(signal: &'static str, count: u64) {
    metrics::counter!("sluice_telemetry_exported_total", "signal" => signal).increment(count);
}

fn dropped(signal: &'static str, why: &'static str, count: u64) {
    if count > 0 {
        let labels = [("signal", signal), ("why", why)];
        metrics::counter!("sluice_telemetry_dropped_total", &labels).increment(count);
    }
}

fn now_ns(clock: &Clock) -> u64 {
    clock.now_ms().saturating_mul(1_000_000)
}
