//! What was logged, as OTLP says it.
//!
//! Knows events of ours and the messages of OTLP; knows nothing of connections.

use lifecycle::tap::{Event, Level, Value};
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, any_value},
    logs::v1::{LogRecord, SeverityNumber},
};

use crate::wire::attribute;

/// A record of an event.
pub(crate) fn record(event: Event) -> LogRecord {
    let fields = event.fields.into_iter();
    let mut attributes: Vec<_> = fields
        .map(|(key, value)| attribute(key, said(value)))
        .collect();
    let target = any_value::Value::StringValue(event.target.to_owned());
    attributes.push(attribute("target", target));
    let (number, text) = severity(event.level);
    LogRecord {
        time_unix_nano: event.at_ns,
        observed_time_unix_nano: event.at_ns,
        severity_number: number.into(),
        severity_text: text.to_owned(),
        body: Some(AnyValue {
            value: Some(any_value::Value::StringValue(event.message)),
        }),
        attributes,
        ..LogRecord::default()
    }
}

fn said(value: Value) -> any_value::Value {
    match value {
        Value::Text(text) => any_value::Value::StringValue(text),
        Value::Whole(number) => any_value::Value::IntValue(number),
        Value::Number(number) => any_value::Value::DoubleValue(number),
        Value::Flag(flag) => any_value::Value::BoolValue(flag),
    }
}

const fn severity(level: Level) -> (SeverityNumber, &'static str) {
    match level {
        Level::Trace => (SeverityNumber::Trace, "TRACE"),
        Level::Debug => (SeverityNumber::Debug, "DEBUG"),
        Level::Info => (SeverityNumber::Info, "INFO"),
        Level::Warn => (SeverityNumber::Warn, "WARN"),
        Level::Error => (SeverityNumber::Error, "ERROR"),
    }
}
