//! Usage, up: takes settled records from edges and hands them to the store.
//!
//! Knows nothing of policy or of how records are kept. A record that can never be stored is refused and counted, so
//! that one bad record does not hold up the others for ever; what is stored already is passed over.

pub mod tally;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use domain::segment::EdgeSlug;
use lifecycle::clock::Clock;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use payload::writer::Writer;
use policy::{
    id::{LimitId, RolloutId},
    usage::Counter,
};
use prost::Message;
use proto::usage::{
    Attempt, Attempts, Charge, Charges, DepositRequest, DepositResponse, Finish, Outcome,
    RecallRequest, RecallResponse, RecallSpendingRequest, RecallSpendingResponse, Record,
    ReportRequest, ReportResponse, UsageSource, usage_service_server::UsageService,
};
use seal::SealingKey;
use store::{
    Store, key_use::Use, rollout_outcome::Noted, usage::UsageRecord, usage_partial::PARTIAL,
};
use tonic::{Request, Response, Status};
use tracing::warn;

use crate::{deposit::Deposits, publish::door, recall::Recall, status, vector};

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

/// The longest name of an end user, in bytes.
const END_USER_BYTES_MAX: usize = 128;

/// How long the id of a trace is.
const TRACE_BYTES: usize = 16;

/// The most limits that one record names.
const OVER_LIMITS_MAX: usize = 32;

/// The service.
pub struct Ingest {
    store: Store,
    clock: Clock,
    recall: Recall,
    deposits: Deposits,
}

/// Why a record can never be stored: the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed(&'static str);

/// Registers what is measured here.
pub fn describe() {
    describe_counter!(
        "sluice_ingest_record_total",
        "Usage records taken, by what became of them"
    );
    describe_counter!(
        "sluice_ingest_content_total",
        "Contents of requests taken from edges, by what became of them"
    );
    describe_histogram!(
        "sluice_ingest_lag_seconds",
        Unit::Seconds,
        "From the end of the oldest request of a report to its being stored"
    );
}

// === impl Ingest ===

impl Ingest {
    /// Stores into `store` what edges report, and tells by `clock` how late it comes. Content is sealed under `sealing`.
    pub const fn new(store: Store, clock: Clock, sealing: SealingKey) -> Self {
        Self {
            store,
            clock,
            recall: Recall::new(),
            deposits: Deposits::new(sealing),
        }
    }

    /// Notes how long ago the oldest of what is stored now has ended, by the edge's clock and ours.
    fn note_lag(&self, records: &[UsageRecord]) {
        // Nobody knows when those ended that are partial.
        let known = records.iter().filter(|it| it.outcome != PARTIAL);
        let ended = known.map(|it| it.at_ms + it.duration_us / 1_000);
        if let Some(oldest) = ended.min() {
            let lag = Duration::from_millis(self.clock.now_ms().saturating_sub(oldest));
            histogram!("sluice_ingest_lag_seconds").record(lag);
        }
    }
}

#[tonic::async_trait]
impl UsageService for Ingest {
    async fn report(
        &self,
        request: Request<ReportRequest>,
    ) -> Result<Response<ReportResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        let ReportRequest { edge_id, records } = request.into_inner();
        if EdgeSlug::parse(&edge_id).is_err() {
            return Err(status::edge_nonsense(&"edge_id is not the id of an edge"));
        }
        door::calls_itself(&badge, &edge_id)?;
        let (mut good, mut refused) = (Vec::with_capacity(records.len()), 0);
        let mut uses = Vec::with_capacity(records.len());
        let mut outcomes = Vec::new();
        for record in records {
            let previous = record.previous_secret;
            let part = (record.rollout_id.clone(), record.rollout_client);
            let finish = record.finish();
            match read(record) {
                Ok(record) => {
                    outcomes.extend(outcome(&part, finish, &record));
                    // What a token stands for has a colon in it, and is no key that could be unused.
                    if !record.key_id.contains(':') {
                        uses.push(Use {
                            key_id: record.key_id.clone(),
                            at_ms: record.at_ms,
                            previous,
                        });
                    }
                    good.push(record);
                }
                Err(Malformed(field)) => {
                    refused += 1;
                    warn!(
                        edge.id = edge_id,
                        field, "A usage record of edge {edge_id} is refused"
                    );
                }
            }
        }
        let stored = self
            .store
            .insert_usage(&edge_id, &badge.region, &good)
            .await;
        let stored = stored.map_err(status::store)?;
        // Sent again when this fails, and then the records are passed over.
        let noted = self.store.note_key_uses(uses).await;
        noted.map_err(status::store)?;
        let noted = self.store.note_rollout_outcomes(&outcomes).await;
        noted.map_err(status::store)?;
        self.note_lag(&good);
        if stored.too_old > 0 {
            let (count, edge) = (stored.too_old, &edge_id);
            warn!(
                edge.id = edge,
                count,
                "Usage records of edge {edge} are of days that were dropped, and are not stored"
            );
        }
        for (what, many) in [
            ("stored", stored.stored),
            ("duplicate", stored.duplicates),
            ("too_old", stored.too_old),
            ("refused", refused),
        ] {
            counter!("sluice_ingest_record_total", "result" => what).increment(many.into());
        }
        let refused = refused + stored.too_old;
        let (stored, duplicates) = (stored.stored, stored.duplicates);
        Ok(Response::new(ReportResponse {
            stored,
            duplicates,
            refused,
        }))
    }

    async fn deposit(
        &self,
        request: Request<DepositRequest>,
    ) -> Result<Response<DepositResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        door::calls_itself(&badge, &request.get_ref().edge_id)?;
        let taken = self
            .deposits
            .take(&self.store, request.into_inner())
            .await?;
        Ok(Response::new(taken))
    }

    async fn recall(
        &self,
        request: Request<RecallRequest>,
    ) -> Result<Response<RecallResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        door::calls_itself(&badge, &request.get_ref().edge_id)?;
        let told = self.recall.record(&self.store, request.get_ref()).await?;
        Ok(Response::new(told))
    }

    async fn recall_spending(
        &self,
        request: Request<RecallSpendingRequest>,
    ) -> Result<Response<RecallSpendingResponse>, Status> {
        let badge = door::shown(request.extensions())?;
        door::calls_itself(&badge, &request.get_ref().edge_id)?;
        let of = (&self.store, &self.clock);
        let told = self.recall.spending(of, request.get_ref()).await?;
        Ok(Response::new(told))
    }
}

/// How a request ended that a rollout assigned. An id that is none belongs to no rollout.
fn outcome(
    (rollout, client): &(Vec<u8>, u32),
    finish: Finish,
    record: &UsageRecord,
) -> Option<Noted> {
    Some(Noted {
        rollout: RolloutId::try_from(rollout.as_slice()).ok()?,
        client: *client,
        id: record.id,
        at_ms: record.at_ms,
        version: record.version,
        revision: record.revision,
        outcome: record.outcome,
        finish: finish as u8,
        duration_us: record.duration_us,
        first_byte_us: record.first_byte_us,
        cost_nano: record.cost_nano,
    })
}

fn read(record: Record) -> Result<UsageRecord, Malformed> {
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

fn id<'a, T: TryFrom<&'a [u8]>>(bytes: &'a [u8], field: &'static str) -> Result<T, Malformed> {
    T::try_from(bytes).map_err(|_| Malformed(field))
}

/// Postgres keeps no NUL in a text.
fn text(text: String, field: &'static str) -> Result<String, Malformed> {
    let fits = text.len() <= TEXT_BYTES_MAX && !text.contains('\0');
    if fits {
        Ok(text)
    } else {
        Err(Malformed(field))
    }
}

/// The database's numbers are signed, and a thousand records must add up.
fn number(number: u64, field: &'static str) -> Result<u64, Malformed> {
    if number <= 1 << 53 {
        Ok(number)
    } else {
        Err(Malformed(field))
    }
}

/// Milliseconds since 1970, of a time from then until the year 10000.
fn at_ms(at: Option<&prost_types::Timestamp>) -> Option<u64> {
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
        let cases: [(&str, Spoil); 15] = [
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
