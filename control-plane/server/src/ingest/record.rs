//! A record of the wire as the store takes it, or the field for which it can never be stored.
//!
//! Holds every text, list and number to its bound. Knows nothing of where records come from.

use std::collections::{BTreeMap, HashMap};

use payload::writer::Writer;
use policy::{id::LimitId, usage::Counter};
use prost::Message;
use proto::usage::{Attempt, Attempts, Charge, Charges, Decision, Outcome, Record, UsageSource};
use store::{usage::UsageRecord, usage_partial::PARTIAL};

use crate::vector;

/// The longest text in a record, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// The most attempts that one record bills.
const CHARGES_MAX: usize = 32;

/// The most tags of one record.
const TAGS_MAX: usize = 8;

/// The longest key and the longest value of a tag, in bytes.
const TAG_BYTES_MAX: (usize, usize) = (32, 64);

/// The most attempts of one record that gave no answer.
const ATTEMPTS_MAX: usize = 16;

/// The most targets of one decision, and the most notes of one of them.
const TARGETS_MAX: usize = 16;
const NOTES_MAX: usize = 8;

/// The longest name of an end user, in bytes.
const END_USER_BYTES_MAX: usize = 128;

/// How long the id of a trace is.
const TRACE_BYTES: usize = 16;

/// How long the id of a provider is.
const PROVIDER_BYTES: usize = 16;

/// The most limits that one record names.
const OVER_LIMITS_MAX: usize = 32;

/// Why a record can never be stored: the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// The record.
pub(super) fn read(record: Record) -> Result<UsageRecord, Malformed> {
    let outcome = match record.outcome() {
        Outcome::Unspecified => return Err(Malformed("outcome")),
        outcome => outcome as u8,
    };
    let usage_source = match record.usage_source() {
        UsageSource::Unspecified => return Err(Malformed("usage_source")),
        source => source as u8,
    };
    let finish = record.finish() as u8;
    let provider = match record.provider_id.as_slice() {
        [] => None,
        bytes => Some(id(bytes, "provider_id")?),
    };
    let cost_nano = cost(&record)?;
    let coarse = [
        number(record.input_tokens, "input_tokens")?,
        number(record.cached_input_tokens, "cached_input_tokens")?,
        number(record.output_tokens, "output_tokens")?,
        number(record.reasoning_tokens, "reasoning_tokens")?,
    ];
    let usage = vector::of(&record.charges, coarse);
    let [
        input_tokens,
        cached_input_tokens,
        output_tokens,
        reasoning_tokens,
    ] = coarse;
    Ok(UsageRecord {
        id: record
            .id
            .as_slice()
            .try_into()
            .map_err(|_| Malformed("id"))?,
        at_ms: at_ms(record.at.as_ref()).ok_or(Malformed("at"))?,
        organization: id(&record.organization_id, "organization_id")?,
        project: id(&record.project_id, "project_id")?,
        key_id: text(record.key_id, "key_id")?,
        model: id(&record.model_id, "model_id")?,
        version: id(&record.version_id, "version_id")?,
        provider,
        provider_model: text(record.provider_model, "provider_model")?,
        endpoint: text(record.endpoint, "endpoint")?,
        outcome,
        status: u16::try_from(record.status).map_err(|_| Malformed("status"))?,
        streamed: record.streamed,
        usage_source,
        input_tokens,
        cached_input_tokens,
        output_tokens,
        reasoning_tokens,
        revision: number(record.revision, "revision")?,
        duration_us: number(record.duration_us, "duration_us")?,
        first_byte_us: number(record.first_byte_us, "first_byte_us")?,
        overhead_us: number(record.overhead_us, "overhead_us")?,
        queue_us: number(record.queue_us, "queue_us")?,
        trace_id: trace_id(record.trace_id)?,
        finish,
        request_bytes: number(record.request_bytes, "request_bytes")?,
        answer_bytes: number(record.answer_bytes, "answer_bytes")?,
        over_limits: limits(&record.over_limit_ids)?,
        cost_nano,
        tags: tags(record.tags)?,
        charges: charges(record.charges, outcome)?,
        end_user: end_user(record.end_user)?,
        attempts: attempts(record.attempts)?,
        decision: decision(record.decision)?,
        usage,
    })
}

/// As it is kept: nothing where there is none.
fn trace_id(id: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    let fits = id.is_empty() || id.len() == TRACE_BYTES;
    fits.then_some(id).ok_or(Malformed("trace_id"))
}

fn end_user(name: String) -> Result<String, Malformed> {
    let fits = name.len() <= END_USER_BYTES_MAX && !name.contains('\0');
    fits.then_some(name).ok_or(Malformed("end_user"))
}

/// As they are kept: nothing where there are none.
fn attempts(attempts: Vec<Attempt>) -> Result<Vec<u8>, Malformed> {
    let fits = |it: &Attempt| {
        let texts = [&it.provider_model, &it.code];
        texts.iter().all(|it| it.len() <= TEXT_BYTES_MAX)
    };
    if attempts.len() > ATTEMPTS_MAX || !attempts.iter().all(fits) {
        return Err(Malformed("attempts"));
    }
    Ok(Attempts { attempts }.encode_to_vec())
}

/// As it is kept: nothing where none is told.
fn decision(decision: Option<Decision>) -> Result<Vec<u8>, Malformed> {
    let Some(decision) = decision else {
        return Ok(Vec::new());
    };
    let fits = decision.targets.iter().all(|it| {
        it.provider_model.len() <= TEXT_BYTES_MAX
            && it.provider_id.len() == PROVIDER_BYTES
            && it.notes.len() <= NOTES_MAX
    });
    let fits = fits && decision.targets.len() <= TARGETS_MAX;
    let kept = fits.then(|| decision.encode_to_vec());
    kept.ok_or(Malformed("decision"))
}

fn cost(record: &Record) -> Result<Option<u64>, Malformed> {
    let cost = record.cost_known.then_some(record.cost_nano);
    cost.map(|nano| number(nano, "cost_nano")).transpose()
}

/// As they are kept: nothing where nothing was billed, as of what is partial, whose counts must tell all that it adds.
fn charges(charges: Vec<Charge>, outcome: u8) -> Result<Vec<u8>, Malformed> {
    let fits = |it: &Charge| {
        let texts = [&it.provider_model, &it.region, &it.price];
        let texts = texts.iter().all(|it| it.len() <= TEXT_BYTES_MAX);
        texts && it.counts.len() == Counter::ALL.len() && it.lines.len() <= Counter::ALL.len()
    };
    let most = if outcome == PARTIAL { 0 } else { CHARGES_MAX };
    if charges.len() > most || !charges.iter().all(fits) {
        return Err(Malformed("charges"));
    }
    Ok(Charges { charges }.encode_to_vec())
}

/// As they are kept: a JSON object, or nothing where there are none.
fn tags(tags: HashMap<String, String>) -> Result<String, Malformed> {
    let (key_max, value_max) = TAG_BYTES_MAX;
    let fits = |(key, value): (&String, &String)| {
        let lengths = (1..=key_max).contains(&key.len()) && value.len() <= value_max;
        lengths && !key.contains('\0') && !value.contains('\0')
    };
    if tags.len() > TAGS_MAX || !tags.iter().all(fits) {
        return Err(Malformed("tags"));
    }
    if tags.is_empty() {
        return Ok(String::new());
    }
    let sorted: BTreeMap<_, _> = tags.into_iter().collect();
    let mut writer = Writer::default();
    writer.open();
    for (key, value) in &sorted {
        writer.key(key).text(value);
    }
    writer.close();
    String::from_utf8(writer.into_bytes()).map_err(|_| Malformed("tags"))
}

fn limits(ids: &[Vec<u8>]) -> Result<Vec<LimitId>, Malformed> {
    if ids.len() > OVER_LIMITS_MAX {
        return Err(Malformed("over_limit_ids"));
    }
    ids.iter()
        .map(|bytes| id(bytes, "over_limit_ids"))
        .collect()
}

pub(super) fn id<'a, T: TryFrom<&'a [u8]>>(
    bytes: &'a [u8],
    field: &'static str,
) -> Result<T, Malformed> {
    T::try_from(bytes).map_err(|_| Malformed(field))
}

/// Postgres keeps no NUL in a text.
pub(super) fn text<T: AsRef<str>>(text: T, field: &'static str) -> Result<T, Malformed> {
    let said = text.as_ref();
    if said.len() <= TEXT_BYTES_MAX && !said.contains('\0') {
        Ok(text)
    } else {
        Err(Malformed(field))
    }
}

/// The database's numbers are signed, and a thousand records must add up.
pub(super) fn number(number: u64, field: &'static str) -> Result<u64, Malformed> {
    if number <= 1 << 53 {
        Ok(number)
    } else {
        Err(Malformed(field))
    }
}

/// Milliseconds since 1970, of a time from then until the year 10000.
pub(super) fn at_ms(at: Option<&prost_types::Timestamp>) -> Option<u64> {
    let at = at?;
    let seconds = u64::try_from(at.seconds)
        .ok()
        .filter(|it| (1..253_402_300_800).contains(it))?;
    let nanos = u64::try_from(at.nanos)
        .ok()
        .filter(|it| *it < 1_000_000_000)?;
    Some(seconds * 1_000 + nanos / 1_000_000)
}

#[cfg(test)]
mod tests {
    use proto::usage::DecidedTarget;

    use super::*;

    type Spoil = fn(&mut Record);

    fn record() -> Record {
        Record {
            id: vec![1; 16],
            at: Some(prost_types::Timestamp {
                seconds: 1_800_000_000,
                nanos: 5_000_000,
            }),
            organization_id: vec![2; 16],
            project_id: vec![3; 16],
            key_id: "key".to_owned(),
            model_id: vec![4; 16],
            version_id: vec![5; 16],
            outcome: Outcome::Completed as i32,
            usage_source: UsageSource::Provider as i32,
            status: 200,
            ..Record::default()
        }
    }

    #[test]
    fn a_record_without_a_provider_is_whole() {
        let read = read(record()).unwrap();
        assert_eq!((read.at_ms, read.provider), (1_800_000_000_005, None));
    }

    #[test]
    fn what_can_never_be_stored_is_refused_by_the_name_of_its_field() {
        let cases: [(&str, Spoil); 16] = [
            ("id", |it| it.id.truncate(15)),
            ("at", |it| it.at = None),
            ("organization_id", |it| it.organization_id.clear()),
            ("provider_id", |it| it.provider_id = vec![1]),
            ("outcome", |it| it.outcome = 99),
            ("input_tokens", |it| it.input_tokens = u64::MAX),
            ("key_id", |it| it.key_id = "\0".to_owned()),
            ("cost_nano", |it| {
                it.cost_known = true;
                it.cost_nano = u64::MAX;
            }),
            ("charges", |it| it.charges = vec![Charge::default()]),
            ("charges", |it| {
                it.outcome = Outcome::Partial as i32;
                it.charges = vec![Charge {
                    counts: vec![0; Counter::ALL.len()],
                    ..Charge::default()
                }];
            }),
            ("attempts", |it| it.attempts = vec![Attempt::default(); 17]),
            ("decision", |it| {
                let target = DecidedTarget::default();
                it.decision = Some(Decision {
                    targets: vec![target],
                    ..Decision::default()
                });
            }),
            ("trace_id", |it| it.trace_id = vec![1; 8]),
            ("end_user", |it| it.end_user = "u".repeat(129)),
            ("tags", |it| {
                it.tags.insert("k".repeat(33), String::new());
            }),
            ("tags", |it| {
                it.tags = (0..9).map(|n| (n.to_string(), String::new())).collect();
            }),
        ];
        for (field, spoil) in cases {
            let mut record = record();
            spoil(&mut record);
            assert_eq!(read(record).err(), Some(Malformed(field)));
        }
    }
}
