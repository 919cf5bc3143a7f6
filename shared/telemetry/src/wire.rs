//! What OTLP says alike of spans, metrics and logs.
//!
//! Knows its messages; knows nothing of connections.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
};

/// Who we say that we are: the name of the program, its build, and what tells this process from others.
pub fn resource(service: &str, instance: &str) -> Resource {
    let attributes = [
        ("service.name", service),
        ("service.version", lifecycle::build::VERSION),
        ("service.instance.id", instance),
    ];
    Resource {
        attributes: attributes
            .map(|(key, text)| attribute(key, any_value::Value::StringValue(text.to_owned())))
            .to_vec(),
        ..Resource::default()
    }
}

/// What tells it.
pub fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "sluice".to_owned(),
        version: lifecycle::build::VERSION.to_owned(),
        ..InstrumentationScope::default()
    }
}

/// A key and its value.
pub fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
