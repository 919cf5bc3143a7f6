//! Spans as OTLP says them.
//!
//! Knows the messages of the protocol; knows nothing of connections.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span as Wire, Status, span::SpanKind, status::StatusCode as Said,
    },
};

use telemetry::wire;

use crate::span::{Kind, Span, Value};

/// The flag of a trace that is recorded, as `traceparent` has it.
const SAMPLED: u32 = 1;

/// One export of these spans.
pub(crate) fn request(resource: Resource, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = ScopeSpans {
        scope: Some(wire::scope()),
        spans: spans.into_iter().map(span).collect(),
        schema_url: String::new(),
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![scope_spans],
            schema_url: String::new(),
        }],
    }
}

fn span(span: Span) -> Wire {
    let kind = match span.kind {
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
    };
    let status = span.failed.map(|why| Status {
        message: why.to_owned(),
        code: Said::Error.into(),
    });
    let parent = if span.context.parent == [0; 8] {
        Vec::new()
    } else {
        span.context.parent.to_vec()
    };
    let attributes = span.attributes.into_iter();
    Wire {
        trace_id: span.context.trace.to_vec(),
        span_id: span.context.span.to_vec(),
        parent_span_id: parent,
        flags: SAMPLED,
        name: span.name,
        kind: kind.into(),
        start_time_unix_nano: span.start_ns,
        end_time_unix_nano: span.end_ns.max(span.start_ns),
        attributes: attributes
            .map(|(key, value)| attribute(key, value))
            .collect(),
        status,
        ..Wire::default()
    }
}

fn attribute(key: &'static str, value: Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text.into_owned()),
        Value::Whole(number) => any_value::Value::IntValue(number),
        Value::Number(number) => any_value::Value::DoubleValue(number),
        Value::Flag(flag) => any_value::Value::BoolValue(flag),
    };
    wire::attribute(key, value)
}
