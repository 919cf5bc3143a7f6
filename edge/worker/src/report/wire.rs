//! The wall where a record becomes a message of `sluice.usage.v1`.

use proto::{message, usage};

use crate::record::Record;

/// The record as it is sent.
pub fn record(record: Record) -> usage::Record {
    usage::Record {
        id: record.id.to_vec(),
        at: Some(message::timestamp(record.at_ms)),
        organization_id: record.organization.as_bytes().to_vec(),
        project_id: record.project.as_bytes().to_vec(),
        key_id: record.key_id,
        model_id: record.model.as_bytes().to_vec(),
        version_id: record.version.as_bytes().to_vec(),
        provider_id: record
            .provider
            .map(|id| id.as_bytes().to_vec())
            .unwrap_or_default(),
        provider_model: record.provider_model,
        endpoint: record.endpoint.to_owned(),
        outcome: record.outcome as i32,
        status: u32::from(record.status),
        streamed: record.streamed,
        usage_source: record.usage_source as i32,
        input_tokens: record.tokens.input,
        cached_input_tokens: record.tokens.cached_input,
        output_tokens: record.tokens.output,
        reasoning_tokens: record.tokens.reasoning,
        revision: record.revision.0,
        duration_us: record.duration_us,
        first_byte_us: record.first_byte_us,
    }
}
