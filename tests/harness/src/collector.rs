//! A collector of spans on loopback, by the messages and services of OpenTelemetry's own crate.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
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

#[derive(Debug, Clone, Default)]
struct Got {
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
        let service = TraceServiceServer::new(got.clone());
        let serving = Server::builder()
            .add_service(service)
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

// === impl Span ===

impl Span {
    /// What it says under a key, as text; empty where it says nothing.
    pub fn says(&self, key: &str) -> String {
        text(&self.wire.attributes, key)
    }
}

fn text(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|it| it.key == key);
    let value = found.and_then(|it| it.value.as_ref()?.value.as_ref());
    match value {
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
