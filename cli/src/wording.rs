//! The values of a message in words, for tables.
//!
//! Knows the contract's descriptors: enums lose the name of their type, times and ages are written as people
//! write them. Knows nothing of which fields matter.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};

use policy::money;

use crate::moment;

/// Every field of the message that holds something, by name, in the order of the contract. A noun inside
/// another message is shown as if it were the message.
pub fn fields(message: &DynamicMessage) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for field in message
        .descriptor()
        .fields()
        .filter(|field| message.has_field(field))
    {
        let value = message.get_field(&field);
        match value.as_message() {
            Some(inner) if inner.descriptor().package_name() == "sluice.admin.v1" => {
                lines.extend(fields(inner));
            }
            _ => lines.push((field.name().to_owned(), worded(&field, &value))),
        }
    }
    lines
}

/// One field, by name; empty when there is none or it holds nothing.
pub fn field(message: &DynamicMessage, name: &str) -> String {
    let Some(field) = message.descriptor().get_field_by_name(name) else {
        return String::new();
    };
    if field.supports_presence() && !message.has_field(&field) {
        return String::new();
    }
    worded(&field, &message.get_field(&field))
}

fn worded(field: &FieldDescriptor, value: &Value) -> String {
    match value {
        Value::List(items) => items
            .iter()
            .map(|it| one(&field.kind(), it))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| match key {
                    MapKey::String(key) => format!("{key}={}", value.as_str().unwrap_or_default()),
                    _ => String::new(),
                })
                .collect();
            entries.sort();
            entries.join(", ")
        }
        value => one(&field.kind(), value),
    }
}

fn one(kind: &Kind, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::EnumNumber(number) => enumerated(kind, *number),
        Value::Message(message) => nested(message),
        _ => String::new(),
    }
}

fn enumerated(kind: &Kind, number: i32) -> String {
    let Kind::Enum(of) = kind else {
        return String::new();
    };
    let Some(value) = of.get_value(number) else {
        return number.to_string();
    };
    if value.name().ends_with("_UNSPECIFIED") {
        // There is none, such as the window of what has no window.
        return String::new();
    }
    // `KEY_STATE_UNSPECIFIED` begins as every value of its enum does.
    let zero = of
        .get_value(0)
        .map(|zero| zero.name().to_owned())
        .unwrap_or_default();
    let prefix = zero.trim_end_matches("UNSPECIFIED");
    value
        .name()
        .trim_start_matches(prefix)
        .to_lowercase()
        .replace('_', "-")
}

fn nested(message: &DynamicMessage) -> String {
    let number = |name: &str| match message.get_field_by_name(name).as_deref() {
        Some(Value::I64(number)) => *number,
        _ => 0,
    };
    match message.descriptor().full_name() {
        "google.protobuf.Timestamp" => moment::written(number("seconds")),
        "google.protobuf.Duration" => lasting(message, number("seconds")),
        // As they are given to `--target`.
        "sluice.admin.v1.Target" => {
            let weight = match field(message, "weight").as_str() {
                "0" | "" => String::new(),
                weight => format!("{weight}*"),
            };
            format!(
                "{weight}{}={}",
                field(message, "provider"),
                field(message, "provider_model")
            )
        }
        "sluice.admin.v1.PriceRate" => {
            let amount = money::dollars(u64::try_from(number("nano_dollars")).unwrap_or(0));
            format!("{} {amount}", field(message, "counter"))
        }
        // As they are given to `--role`.
        "sluice.admin.v1.RoleBinding" => {
            let scope = field(message, "scope");
            let scope = if scope.is_empty() {
                "everything"
            } else {
                &scope
            };
            format!("{}@{scope}", field(message, "role"))
        }
        "sluice.admin.v1.ClaimPattern" => {
            format!("{}={}", field(message, "claim"), field(message, "pattern"))
        }
        "sluice.admin.v1.TrustGrant" => {
            let scope = match field(message, "scope") {
                empty if empty.is_empty() => "everything".to_owned(),
                scope => scope,
            };
            let claims = match field(message, "claims") {
                empty if empty.is_empty() => empty,
                claims => format!(",{}", claims.replace(", ", ",")),
            };
            format!("{}@{scope}{claims}", field(message, "role"))
        }
        // The kind says what the rest is.
        "sluice.admin.v1.TransformRule" | "sluice.admin.v1.HeaderRule" => {
            let descriptor = message.descriptor();
            let parts = descriptor.fields().filter(|it| message.has_field(it));
            let parts =
                parts.map(|it| format!("{} {}", it.name(), worded(&it, &message.get_field(&it))));
            parts.collect::<Vec<_>>().join(" ")
        }
        "sluice.admin.v1.LaneProgress" => {
            format!("{} {}", field(message, "lane"), number("applied_revision"))
        }
        _ => {
            let fields = fields(message).into_iter();
            fields
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" ")
        }
    }
}

/// A length of time; one that is over within a second in full.
fn lasting(message: &DynamicMessage, seconds: i64) -> String {
    match (seconds, message.get_field_by_name("nanos").as_deref()) {
        (0, Some(Value::I32(nanos @ 1_000_000..))) => format!("{}ms", nanos / 1_000_000),
        _ => moment::roughly(seconds),
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;
    use proto::admin::{self, transform_rule};

    use super::*;

    fn dynamic(name: &str, typed: &impl prost::Message) -> DynamicMessage {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let descriptor = pool
            .get_message_by_name(&format!("sluice.admin.v1.{name}"))
            .unwrap();
        let mut message = DynamicMessage::new(descriptor);
        message.transcode_from(typed).unwrap();
        message
    }

    #[test]
    fn a_key_reads_as_people_write() {
        let key = admin::Key {
            name: "organizations/acme/projects/web/keys/k".to_owned(),
            environment: admin::KeyEnvironment::Live.into(),
            state: admin::KeyState::Revoked.into(),
            models: vec!["a".to_owned(), "b".to_owned()],
            create_time: Some(prost_types::Timestamp {
                seconds: 1_795_348_800,
                nanos: 5,
            }),
            revision: 7,
            ..Default::default()
        };
        let key = dynamic("Key", &key);
        assert_eq!(field(&key, "state"), "revoked");
        assert_eq!(
            field(&key, "expire_time"),
            "",
            "an absent time is not the year 1970"
        );
        assert_eq!(field(&key, "no_such_field"), "");
        let lines = fields(&key);
        let names: Vec<_> = lines.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "name",
                "create_time",
                "revision",
                "environment",
                "models",
                "state"
            ]
        );
        assert_eq!(lines[1].1, "2026-11-22T12:00:00Z");
        assert_eq!(lines[4].1, "a, b");
    }

    #[test]
    fn targets_lanes_and_maps_are_short() {
        let target = admin::Target {
            provider: "p".to_owned(),
            provider_model: "m".to_owned(),
            weight: 0,
            capabilities: None,
        };
        let version = admin::ModelVersion {
            targets: vec![target],
            provenance: [("git_sha", "abc"), ("ci_run", "9")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Default::default()
        };
        let rule = |rule, dialects| admin::TransformRule {
            rule: Some(rule),
            dialects,
        };
        let set = admin::SetRule {
            path: "temperature".to_owned(),
            value: "0.2".to_owned(),
        };
        let clamp = admin::ClampRule {
            path: "max_tokens".to_owned(),
            min: None,
            max: Some(512.0),
        };
        let version = admin::ModelVersion {
            transform_rules: vec![
                rule(transform_rule::Rule::Set(set), Vec::new()),
                rule(
                    transform_rule::Rule::Clamp(clamp),
                    vec![admin::ClientDialect::Chat.into()],
                ),
            ],
            ..version
        };
        let version = dynamic("ModelVersion", &version);
        assert_eq!(
            field(&version, "transform_rules"),
            "set path=temperature value=0.2, clamp path=max_tokens max=512 dialects chat"
        );
        assert_eq!(field(&version, "targets"), "p=m");
        assert_eq!(field(&version, "provenance"), "ci_run=9, git_sha=abc");
        let lanes = ["config", "keys"].map(|lane| admin::LaneProgress {
            lane: lane.to_owned(),
            applied_revision: 12,
            durable_revision: 0,
        });
        let edge = admin::Edge {
            connected: false,
            lanes: lanes.to_vec(),
            ..Default::default()
        };
        let edge = dynamic("Edge", &edge);
        assert_eq!(field(&edge, "lanes"), "config 12, keys 12");
        assert_eq!(field(&edge, "connected"), "no");
    }
}
