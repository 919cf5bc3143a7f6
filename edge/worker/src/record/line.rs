//! The line of the access log for one request, as JSON.
//!
//! Knows facts that are accounted; never content, keys' texts or clients' addresses.

use payload::writer::Writer;
use policy::cost::Cost;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    record::finished::Record,
    route::decision::Decision,
    series::pair::{KINDS, by_kind},
};

/// How long a line mostly is.
const BYTES: usize = 1_024;

/// The line of a finished request.
pub(super) fn line(record: &Record, model: &str) -> Vec<u8> {
    let mut writer = Writer::with_capacity(BYTES);
    writer.open();
    let id = uuid::Uuid::from_bytes(record.id).to_string();
    writer.key("time").text(&moment(record.at_ms));
    writer.key("request_id").text(&id);
    let organization = record.organization.to_string();
    writer.key("organization_id").text(&organization);
    writer.key("project_id").text(&record.project.to_string());
    writer.key("key_id").text(&record.key_id);
    writer.key("model").text(model);
    let decision = record.decision.as_ref();
    if let Some(alias) = decision.and_then(Decision::alias) {
        writer.key("alias").text(alias);
    }
    writer.key("provider_id");
    match record.provider {
        Some(provider) => writer.text(&provider.to_string()),
        None => writer.null(),
    };
    writer.key("provider_model").text(&record.provider_model);
    writer.key("endpoint").text(record.endpoint);
    writer.key("status").number(record.status.into());
    writer.key("outcome").text(record.outcome.word());
    writer.key("streamed").flag(record.streamed);
    writer.key("duration_us").number(record.duration_us);
    writer.key("first_byte_us").number(record.first_byte_us);
    writer.key("overhead_us").number(record.overhead_us);
    writer.key("queue_us").number(record.queue_us);
    writer.key("tokens").open();
    for (kind, count) in KINDS.into_iter().zip(by_kind(&record.tokens)) {
        if count > 0 {
            writer.key(kind).number(count);
        }
    }
    writer.close();
    writer.key("cost_nanodollars");
    match record.cost {
        Cost::Known(nano) => writer.number(nano),
        Cost::Unknown => writer.null(),
    };
    writer.key("failed_attempts").open_array();
    for attempt in &record.attempts {
        writer.text(attempt.code);
    }
    writer.close_array();
    writer.key("revision").number(record.revision.0);
    writer.close();
    let mut line = writer.into_bytes();
    line.push(b'\n');
    line
}

/// A moment as RFC 3339 says it; empty where there is none such.
pub(crate) fn moment(at_ms: u64) -> String {
    let nanos = i128::from(at_ms) * 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
    moment
        .and_then(|it| it.format(&Rfc3339).ok())
        .unwrap_or_default()
}
