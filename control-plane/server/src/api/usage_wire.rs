//! Rows and records of usage as the wire has them.
//!
//! Knows both shapes and nothing of where they come from. A charge that cannot be read is left out.

use std::collections::HashMap;

use domain::sketch::Sketch;
use payload::object::{self, Object};
use policy::{
    price::Tier,
    usage::{Counter, Usage},
};
use prost::Message;
use proto::{
    admin::{self, UsageAttempt, UsageCharge, UsageCount, UsagePercentiles},
    usage::{self as kept, Finish, Outcome, UsageSource},
};
use store::{usage_query::Sum, usage_read::Kept};
use uuid::Uuid;

use crate::api::{moment, usage_decided};

/// The names of providers by their ids.
pub(crate) type Providers = HashMap<[u8; 16], String>;

/// A moment of the wire.
pub(crate) fn time(at_ms: u64) -> Option<prost_types::Timestamp> {
    moment::from_millis(at_ms).ok().map(moment::to_wire)
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A row. It is called by its day, or by its bucket.
pub(crate) fn row(sum: Sum, day: bool, bucket: bool) -> admin::UsageRow {
    let used = |counters: &[Counter]| {
        let counts = counters.iter().map(|it| sum.usage.of(*it));
        number(counts.fold(0, u64::saturating_add))
    };
    let date = moment::from_millis(sum.bucket_ms).map(|at| at.date().to_string());
    admin::UsageRow {
        // ISO 8601, which is how a date prints.
        day: date.ok().filter(|_| day).unwrap_or_default(),
        bucket_time: time(sum.bucket_ms).filter(|_| bucket),
        input_tokens: used(&[
            Counter::Input,
            Counter::CacheWrite,
            Counter::CacheWriteHour,
            Counter::AudioInput,
        ]),
        cached_input_tokens: used(&[Counter::CachedInput]),
        output_tokens: used(&[Counter::Output, Counter::AudioOutput]),
        reasoning_tokens: used(&[Counter::Reasoning]),
        cache_write_tokens: used(&[Counter::CacheWrite]),
        cache_write_hour_tokens: used(&[Counter::CacheWriteHour]),
        audio_input_tokens: used(&[Counter::AudioInput]),
        audio_output_tokens: used(&[Counter::AudioOutput]),
        images: used(&[Counter::Images]),
        billed_requests: used(&[Counter::Requests]),
        units: used(&[Counter::Units]),
        organization: sum.organization.unwrap_or_default(),
        project: sum.project.unwrap_or_default(),
        key: sum.key.unwrap_or_default(),
        model: sum.model.unwrap_or_default(),
        version: sum.version.unwrap_or_default(),
        provider: sum.provider.unwrap_or_default(),
        status: sum.status.unwrap_or_default(),
        requests: sum.requests,
        estimated_requests: sum.estimated_requests,
        cost_nano: sum.cost_nano,
        unpriced_requests: sum.unpriced_requests,
        other: sum.other,
        duration: percentiles(&sum.duration),
        first_byte: percentiles(&sum.first_byte),
        overhead: percentiles(&sum.overhead),
        tag: sum.tag.unwrap_or_default(),
        second_tag: sum.second_tag.unwrap_or_default(),
        end_user: sum.end_user.unwrap_or_default(),
    }
}

fn percentiles(sketch: &Sketch) -> Option<UsagePercentiles> {
    let of = |hundredths| sketch.percentile(hundredths).map(number);
    Some(UsagePercentiles {
        count: number(sketch.len()),
        p50_us: of(50)?,
        p90_us: of(90)?,
        p95_us: of(95)?,
        p99_us: of(99)?,
    })
}

/// A record.
pub(crate) fn record(it: Kept, providers: &Providers) -> admin::UsageRecord {
    let output_token_us = output_token_us(&it);
    let organization = format!("organizations/{}", it.organization);
    let project = format!("{organization}/projects/{}", it.project);
    let version = it.model.as_ref().zip(it.version);
    let version = version.map(|(model, it)| format!("{organization}/models/{model}/versions/{it}"));
    let named = |id: &[u8]| named(&organization, id, providers);
    let attempts = kept::Attempts::decode(it.attempts.as_slice()).unwrap_or_default();
    let decision = usage_decided::decision(&it.decision, named);
    let charges = kept::Charges::decode(it.charges.as_slice()).unwrap_or_default();
    admin::UsageRecord {
        id: Uuid::from_bytes(it.id).to_string(),
        time: time(it.at_ms),
        key: format!("{project}/keys/{}", it.key_id),
        project,
        model: it.model.unwrap_or_default(),
        version: version.unwrap_or_default(),
        provider: it
            .provider
            .map(|it| format!("{organization}/providers/{it}"))
            .unwrap_or_default(),
        provider_model: it.provider_model,
        endpoint: it.endpoint,
        outcome: outcome(it.outcome).to_owned(),
        status: it.status,
        streamed: it.streamed,
        usage_source: source(it.usage_source).to_owned(),
        input_tokens: it.input_tokens,
        cached_input_tokens: it.cached_input_tokens,
        output_tokens: it.output_tokens,
        reasoning_tokens: it.reasoning_tokens,
        cost_nano: it.cost_nano.unwrap_or_default(),
        cost_known: it.cost_nano.is_some(),
        duration_us: it.duration_us,
        first_byte_us: it.first_byte_us,
        overhead_us: it.overhead_us,
        queue_us: it.queue_us,
        output_token_us,
        trace_id: hex(&it.trace_id),
        finish: finish(it.finish).to_owned(),
        end_user: it.end_user,
        tags: tags(&it.tags),
        edge: it.edge,
        region: it.region,
        revision: it.revision,
        request_bytes: it.request_bytes,
        answer_bytes: it.answer_bytes,
        decision,
        feedback: Vec::new(),
        experiment: String::new(),
        attempts: attempts
            .attempts
            .into_iter()
            .map(|it| UsageAttempt {
                provider: named(&it.provider_id),
                provider_model: it.provider_model,
                code: it.code,
                status: i32::try_from(it.status).unwrap_or_default(),
                tokens: number(it.tokens),
            })
            .collect(),
        charges: charges
            .charges
            .into_iter()
            .filter_map(|it| charge(named(&it.provider_id), it))
            .collect(),
    }
}

fn named(organization: &str, id: &[u8], providers: &Providers) -> String {
    let Ok(id) = <[u8; 16]>::try_from(id) else {
        return String::new();
    };
    let name = providers.get(&id).cloned();
    let name = name.unwrap_or_else(|| Uuid::from_bytes(id).simple().to_string());
    format!("{organization}/providers/{name}")
}

fn charge(provider: String, it: kept::Charge) -> Option<UsageCharge> {
    let counts = <[u64; Counter::ALL.len()]>::try_from(it.counts.as_slice()).ok()?;
    let line = |counter: Counter| it.lines.iter().find(|line| line.counter == counter as u32);
    let tier = u8::try_from(it.tier).ok().and_then(Tier::from_number);
    let usage = Usage::new(counts);
    let counts = usage.used().map(|(counter, count)| {
        let line = line(counter);
        UsageCount {
            counter: counter.word().to_owned(),
            count: number(count),
            nano_dollars: line.map_or(0, |it| number(it.nano_a_million)),
            cost_nano: line.map_or(0, |it| number(it.nano)),
        }
    });
    Some(UsageCharge {
        provider,
        counts: counts.collect(),
        tier: tier.map_or("other", tier_word).to_owned(),
        provider_model: it.provider_model,
        provider_region: it.region,
        price: it.price,
        discount_basis_points: i32::try_from(it.discount_basis_points).unwrap_or_default(),
    })
}

const fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Standard => "standard",
        Tier::Priority => "priority",
        Tier::Flex => "flex",
        Tier::Batch => "batch",
        Tier::Other => "other",
    }
}

// The store calls it by its number.
const _: () = assert!(Outcome::Partial as u8 == store::usage_partial::PARTIAL);

fn outcome(number: u8) -> &'static str {
    match Outcome::try_from(i32::from(number)) {
        Ok(Outcome::Completed) => "completed",
        Ok(Outcome::ClientGone) => "client_gone",
        Ok(Outcome::ProviderFailed) => "provider_failed",
        Ok(Outcome::Cut) => "cut",
        Ok(Outcome::Ceiling) => "ceiling",
        Ok(Outcome::Partial) => "partial",
        Ok(Outcome::Unspecified) | Err(_) => "",
    }
}

/// What each output token took behind the first, of a stream that went to its end.
fn output_token_us(it: &Kept) -> i64 {
    let after = it.output_tokens.saturating_add(it.reasoning_tokens) - 1;
    let whole = it.outcome == Outcome::Completed as u8;
    if !(whole && it.streamed && it.first_byte_us > 0 && after > 0) {
        return 0;
    }
    (it.duration_us.saturating_sub(it.first_byte_us) / after).max(0)
}

fn hex(bytes: &[u8]) -> String {
    let id = <[u8; 16]>::try_from(bytes).ok();
    id.map_or_else(String::new, |id| Uuid::from_bytes(id).simple().to_string())
}

fn finish(number: u8) -> &'static str {
    match Finish::try_from(i32::from(number)) {
        Ok(Finish::Whole) => "whole",
        Ok(Finish::Truncated) => "truncated",
        Ok(Finish::Refused) => "refused",
        Ok(Finish::Miscalled) => "miscalled",
        Ok(Finish::Unspecified) | Err(_) => "",
    }
}

fn source(number: u8) -> &'static str {
    match UsageSource::try_from(i32::from(number)) {
        Ok(UsageSource::Provider) => "provider",
        Ok(UsageSource::Estimated) => "estimated",
        Ok(UsageSource::Partial) => "partial",
        Ok(UsageSource::Unspecified) | Err(_) => "",
    }
}

fn tags(text: &str) -> HashMap<String, String> {
    let Ok(object) = Object::parse(text) else {
        return HashMap::new();
    };
    let tag = |(key, raw): (std::borrow::Cow<'_, str>, &str)| {
        Some((key.into_owned(), object::text(raw).ok()?.into_owned()))
    };
    object.rest().filter_map(tag).collect()
}
