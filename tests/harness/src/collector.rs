//! A collector of spans, metrics and logs on loopback, by the messages and services of OpenTelemetry's own crate.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, any_value::Value},
    logs::v1::LogRecord,
    metrics::v1::Metric,
    trace::v1::Span as Wire,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// A running collector. Dropping it stops it.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    got: Got,
    task: JoinHandle<()>,
}

/// A span that came.
#[derive(Debug, Clone)]
pub struct Span {
    /// As it came.
    pub wire: Wire,
    /// Of whom, by `service.name`.
    pub service: String,
}

/// A log line that came.
#[derive(Debug, Clone)]
pub struct Line {
    /// As it came.
    pub wire: LogRecord,
    /// Of whom, by `service.name`.
    pub service: String,
}

/// The last reading of a program, metric by metric.
pub type Readings = HashMap<String, HashMap<String, Metric>>;

#[derive(Debug, Clone, Default)]
struct Got {
    metrics: Arc<Mutex<Readings>>,
    lines: Arc<Mutex<Vec<Line>>>,
    spans: Arc<Mutex<Vec<Span>>>,
    refuses: Arc<AtomicBool>,
}

// === impl Collector ===

impl Collector {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let got = Got::default();
        let serving = Server::builder()
            .add_service(TraceServiceServer::new(got.clone()))
            .add_service(MetricsServiceServer::new(got.clone()))
            .add_service(LogsServiceServer::new(got.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        let task = tokio::spawn(async move { drop(serving.await) });
        Self { address, got, task }
    }

    /// Where it is, as a setting.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that came so far.
    pub fn spans(&self) -> Vec<Span> {
        let spans = self.got.spans.lock();
        spans.expect("nobody panicked with it").clone()
    }

    /// The last reading of each program, by `service.name`.
    pub fn metrics(&self) -> Readings {
        let metrics = self.got.metrics.lock();
        metrics.expect("nobody panicked with it").clone()
    }

    /// Every line that came so far.
    pub fn lines(&self) -> Vec<Line> {
        let lines = self.got.lines.lock();
        lines.expect("nobody panicked with it").clone()
    }

    /// Takes nothing from here on, as one does that is away.
    pub fn leave(&self) {
        self.got.refuses.store(true, Ordering::SeqCst);
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// === impl Line ===

impl Line {
    /// Its words.
    pub fn words(&self) -> String {
        shown(self.wire.body.as_ref())
    }

    /// What it says under a key, as text; empty where it says nothing.
    pub fn says(&self, key: &str) -> String {
        text(&self.wire.attributes, key)
    }
}

// === impl Span ===

impl Span {
    /// What it says under a key, as text; empty where it says nothing.
    pub fn says(&self, key: &str) -> String {
        text(&self.wire.attributes, key)
    }
}

fn text(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|it| it.key == key);
    shown(found.and_then(|it| it.value.as_ref()))
}

fn shown(value: Option<&AnyValue>) -> String {
    match value.and_then(|it| it.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

// === impl Got ===

#[tonic::async_trait]
impl TraceService for Got {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let mut all = self.spans.lock().expect("nobody panicked with it");
        for of_resource in request.into_inner().resource_spans {
            let resource = of_resource.resource.unwrap_or_default();
            let service = text(&resource.attributes, "service.name");
            let spans = of_resource.scope_spans.into_iter().flat_map(|it| it.spans);
            all.extend(spans.map(|wire| Span {
                wire,
                service: service.clone(),
            }));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Got {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let mut all = self.metrics.lock().expect("nobody panicked with it");
        for of_resource in request.into_inner().resource_metrics {
            let resource = of_resource.resource.unwrap_or_default();
            let service = text(&resource.attributes, "service.name");
            let metrics = of_resource.scope_metrics.into_iter();
            let metrics = metrics.flat_map(|it| it.metrics);
            let known = all.entry(service).or_default();
            known.extend(metrics.map(|it| (it.name.clone(), it)));
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Got {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let mut all = self.lines.lock().expect("nobody panicked with it");
        for of_resource in request.into_inner().resource_logs {
            let resource = of_resource.resource.unwrap_or_default();
            let service = text(&resource.attributes, "service.name");
            let lines = of_resource.scope_logs.into_iter();
            let lines = lines.flat_map(|it| it.log_records);
            all.extend(lines.map(|wire| Line {
                wire,
                service: service.clone(),
            }));
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
