//! The wall where a record, or a decision, becomes a message of `sluice.usage.v1`.
//!
//! Keeps texts and numbers within what the control plane stores: a record that it refuses is lost, and one that is
//! a little off is not. Knows nothing of how records travel.

use policy::{
    cost::{self, Line},
    id::OrganizationId,
};
use proto::{message, usage};

use crate::{
    assign::Chooser,
    bequest::Left,
    record::{Attempt, Record, Shadowed, content::Content},
    route::{
        decision::{Decided, Decision},
        notes::Why,
    },
    tariff::Billed,
    trail::{Access, What},
};

/// The longest text that the control plane stores, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// The longest name of an end user that the control plane stores, in bytes.
// Full: it is cut.
const END_USER_BYTES_MAX: usize = 128;

/// The largest number that the control plane stores. Providers name counts, so any number can come.
const NUMBER_MAX: u64 = 1 << 53;

/// The most limits of one record that the control plane stores.
// Full: the others are not told.
const OVER_LIMITS_MAX: usize = 32;

/// The most charges of one record that the control plane stores.
// Full: the first ones are told; the cost is that of all.
const CHARGES_MAX: usize = 32;

/// How many nano-dollars a millionth of a dollar is.
const NANO_A_MICRO: u64 = 1_000;

/// What a request and its answer said, as it is sent.
pub fn deposit(it: &Content) -> usage::Deposit {
    usage::Deposit {
        record_id: it.id.to_vec(),
        organization_id: it.organization.as_bytes().to_vec(),
        project_id: it.project.as_bytes().to_vec(),
        end_user: end_user(it.end_user.clone()),
        content: Some(usage::Content {
            request: it.request.to_vec(),
            request_truncated: it.request_truncated,
            answer: it.answer.clone(),
            answer_truncated: it.answer_truncated,
        }),
    }
}

/// A decision as it is sent.
pub fn access(it: Access) -> usage::Access {
    let (model, provider) = match it.what {
        What::Unread => (String::new(), String::new()),
        What::Model(name) => (text(name.into()), String::new()),
        What::Provider(name) => (String::new(), text(name.into())),
    };
    usage::Access {
        id: it.id.as_bytes().to_vec(),
        request_id: it.request.as_bytes().to_vec(),
        at: Some(message::timestamp(it.at_ms)),
        organization_id: it.key.organization.as_bytes().to_vec(),
        project_id: it.key.project.as_bytes().to_vec(),
        key_id: text(it.key.key_id.clone()),
        model,
        provider,
        endpoint: it.endpoint.to_owned(),
        reason: it.denied.unwrap_or_default().to_owned(),
        source: it.client.map_or_else(String::new, |it| it.to_string()),
        lost_before: it.lost_before.min(NUMBER_MAX),
    }
}

fn end_user(name: Option<Box<str>>) -> String {
    cut(name.map(Into::into).unwrap_or_default(), END_USER_BYTES_MAX)
}

/// The record as it is sent.
pub fn record(record: Record) -> usage::Record {
    let tokens = record.tokens;
    let charges = charges(&record);
    let (shadow_id, copy_of) = shadow(record.shadow);
    usage::Record {
        id: record.id.to_vec(),
        at: Some(message::timestamp(record.at_ms)),
        organization_id: record.organization.as_bytes().to_vec(),
        project_id: record.project.as_bytes().to_vec(),
        key_id: text(record.key_id),
        model_id: record.model.as_bytes().to_vec(),
        version_id: record.version.as_bytes().to_vec(),
        provider_id: record
            .provider
            .map(|id| id.as_bytes().to_vec())
            .unwrap_or_default(),
        provider_model: text(record.provider_model),
        endpoint: record.endpoint.to_owned(),
        outcome: record.outcome as i32,
        status: u32::from(record.status),
        streamed: record.streamed,
        usage_source: record.usage_source as i32,
        // What the contract has no counters for yet, writes to a cache and sound, is not lost: it is input and output.
        input_tokens: tokens
            .input_total()
            .saturating_sub(tokens.cached_input)
            .min(NUMBER_MAX),
        cached_input_tokens: tokens.cached_input.min(NUMBER_MAX),
        output_tokens: tokens
            .output_total()
            .saturating_sub(tokens.reasoning)
            .min(NUMBER_MAX),
        reasoning_tokens: tokens.reasoning.min(NUMBER_MAX),
        revision: record.revision.0.min(NUMBER_MAX),
        duration_us: record.duration_us.min(NUMBER_MAX),
        first_byte_us: record.first_byte_us.min(NUMBER_MAX),
        overhead_us: record.overhead_us.min(NUMBER_MAX),
        queue_us: record.queue_us.min(NUMBER_MAX),
        trace_id: record.trace_id.map(|id| id.to_vec()).unwrap_or_default(),
        previous_secret: record.previous_secret,
        over_limit_ids: record
            .over_limits
            .iter()
            .take(OVER_LIMITS_MAX)
            .map(|id| id.as_bytes().to_vec())
            .collect(),
        attempts: record.attempts.into_iter().map(attempt).collect(),
        decision: record.decision.as_ref().map(decision),
        request_bytes: record.request_bytes.min(NUMBER_MAX),
        answer_bytes: record.answer_bytes.min(NUMBER_MAX),
        charges,
        cost_nano: record.cost.nano().unwrap_or(0),
        cost_known: record.cost.nano().is_some(),
        tags: record
            .tags
            .iter()
            .flat_map(|tags| tags.iter())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        end_user: end_user(record.end_user),
        rollout_id: record
            .rollout
            .map(|it| it.rollout.as_bytes().to_vec())
            .unwrap_or_default(),
        finish: record.finish as i32,
        rollout_client: record.rollout.map_or(0, |it| it.client),
        shadow_id,
        copy_of,
    }
}

/// Which shadow has to do with it, and of which request it is a copy; empty where none is.
fn shadow(of: Option<Shadowed>) -> (Vec<u8>, Vec<u8>) {
    let shadow = of.map(|it| it.shadow.as_bytes().to_vec());
    let copy_of = of.and_then(|it| it.copy_of).map(|id| id.to_vec());
    (shadow.unwrap_or_default(), copy_of.unwrap_or_default())
}

/// The record of a request whose edge is gone, as it is sent: it says what limits were charged, and nothing that nobody knows.
pub fn orphan(organization: OrganizationId, left: Left) -> usage::Record {
    let nano = left.charged.micro_dollars.map(|it| it * NANO_A_MICRO);
    usage::Record {
        id: left.id.to_vec(),
        at: Some(message::timestamp(left.at_ms)),
        organization_id: organization.as_bytes().to_vec(),
        project_id: left.project.as_bytes().to_vec(),
        key_id: text(left.key_id),
        previous_secret: left.previous_secret,
        model_id: left.model.as_bytes().to_vec(),
        version_id: left.version.as_bytes().to_vec(),
        provider_id: left
            .provider
            .map(|id| id.as_bytes().to_vec())
            .unwrap_or_default(),
        endpoint: text(left.endpoint),
        outcome: usage::Outcome::Partial as i32,
        streamed: left.streamed,
        usage_source: usage::UsageSource::Estimated as i32,
        input_tokens: left.charged.input,
        output_tokens: left.charged.output,
        revision: left.revision.0.min(NUMBER_MAX),
        cost_nano: nano.unwrap_or(0),
        cost_known: nano.is_some(),
        ..usage::Record::default()
    }
}

/// What each attempt was billed, with the lines of its cost.
fn charges(record: &Record) -> Vec<usage::Charge> {
    let missed = record.missed.iter().map(|(model, it)| (model.as_str(), it));
    let served = record.served.iter();
    let served = served.map(|it| (record.provider_model.as_str(), it));
    let billed: Vec<_> = missed.chain(served).collect();
    let (_, lines) = cost::lines(billed.iter().map(|(_, it)| &it.charge));
    let all = billed.iter().take(CHARGES_MAX).enumerate();
    all.map(|(at, (model, it))| {
        let lines = lines.iter().filter(|line| line.charge == at);
        charge(model, it, lines)
    })
    .collect()
}

fn charge<'a>(
    model: &str,
    billed: &Billed,
    lines: impl Iterator<Item = &'a Line>,
) -> usage::Charge {
    let charge = &billed.charge;
    let priced = charge.priced.as_ref();
    let line = |line: &Line| usage::CostLine {
        counter: line.counter as u32,
        nano_a_million: line.rate,
        nano: line.nano,
    };
    usage::Charge {
        provider_id: billed.provider.as_bytes().to_vec(),
        provider_kind: billed.kind as u32,
        provider_model: text(model.to_owned()),
        region: text(billed.region.as_deref().unwrap_or("").to_owned()),
        tier: billed.tier as u32,
        counts: charge.usage.counts().to_vec(),
        price: priced.map_or_else(String::new, |it| it.row.reference.clone()),
        discount_basis_points: charge.off().into(),
        lines: lines.map(line).collect(),
    }
}

fn attempt(attempt: Attempt) -> usage::Attempt {
    usage::Attempt {
        provider_id: attempt.provider.as_bytes().to_vec(),
        provider_model: text(attempt.provider_model),
        code: attempt.code.to_owned(),
        status: u32::from(attempt.status),
        tokens: attempt.tokens.total().min(NUMBER_MAX),
    }
}

/// Why it went where it went. Of the only target that nothing kept from its place, which served or stands among the attempts,
/// nothing is told.
fn decision(of: &Decision) -> usage::Decision {
    let (chooser, rule) = match of.chooser() {
        Chooser::Release => (usage::Chooser::Release, 0),
        Chooser::Rollout(_) => (usage::Chooser::Rollout, 0),
        Chooser::Rule(number) => (usage::Chooser::Rule, number),
        Chooser::Client => (usage::Chooser::Client, 0),
        Chooser::Alias => (usage::Chooser::Alias, 0),
    };
    let mut told = usage::Decision {
        chooser: chooser.into(),
        rule: rule.into(),
        ..usage::Decision::default()
    };
    if of.tells_targets() {
        told.balance = of.version().routing.balance as u32 + 1;
        told.targets = of.targets().map(|it| decided(&it)).collect();
        told.more_targets = u32::try_from(of.more()).unwrap_or(u32::MAX);
    }
    told
}

fn decided(it: &Decided<'_>) -> usage::DecidedTarget {
    let note = |why: Why| usage::DecidedNote {
        rule: why.number(),
        for_ms: why.lasts().map(|left| {
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            left.min(NUMBER_MAX)
        }),
    };
    usage::DecidedTarget {
        provider_id: it.target.provider.as_bytes().to_vec(),
        provider_model: text(it.target.provider_model.clone()),
        place: u32::try_from(it.place).unwrap_or(u32::MAX),
        reached: it.reached,
        notes: it.notes().map(note).collect(),
    }
}

fn text(text: String) -> String {
    cut(text, TEXT_BYTES_MAX)
}

/// Cut between characters, and without NUL, which the database's texts do not take.
fn cut(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text.retain(|character| character != '\0');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(text("gpt".to_owned()), "gpt");
        assert_eq!(text("a\0b".to_owned()), "ab");
        let long = text("模".repeat(256));
        assert_eq!((long.len(), long.chars().count()), (510, 170));
    }
}
