//! `UsageService`: sums of settled usage, single requests, all of them, and their pricing anew.

use std::pin::Pin;

use domain::{name::OrganizationName, page, violation::Violations};
use futures_util::{Stream, stream};
use lifecycle::clock::Clock;
use prost::Message;
use proto::{
    admin::{self, UsageBucket, usage_service_server::UsageService},
    usage::Content,
};
use sha2::{Digest, Sha256};
use store::{
    Reach, Store, StoreError, experiment, feedback, usage_content, usage_erase,
    usage_query::{self, NoAnswer, Whose},
    usage_read,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    api::{
        desk::{Begun, Call, Desk},
        moment,
        page::List,
        reprice, usage_asked,
        usage_asked::Asked,
        usage_decided, usage_feedback,
        usage_wire::{self, Providers},
    },
    sealed, status,
};

/// The end of what has no end: in the year 9999.
const NEVER_MS: u64 = 253_402_300_799_000;

/// The longest name of an end user, in bytes.
const END_USER_BYTES_MAX: usize = 128;

/// The service.
#[derive(Clone)]
pub(crate) struct Usages {
    desk: Desk,
    clock: Clock,
}

/// An export under way.
struct Export {
    store: Store,
    whose: Whose,
    range: (u64, u64),
    /// The number of the last batch that was sent.
    after: i64,
    /// How many records stand behind it.
    remaining: i64,
    providers: Providers,
}

type Chunks = Pin<Box<dyn Stream<Item = Result<admin::ExportUsageResponse, Status>> + Send>>;

// === impl Usages ===

impl Usages {
    /// The service before this desk; `clock` tells until when, where the caller does not.
    pub(crate) fn new(desk: Desk, clock: Clock) -> Self {
        Self { desk, clock }
    }

    /// Where the page begins; a later one has the range of the first.
    fn place(&self, list: List<'_>, token: &str, asked: &mut Asked) -> Result<usize, Status> {
        let after = self.desk.root_page(list, (0, token))?.after;
        let mut numbers = after.split('-').map(str::parse::<u64>);
        if let (Some(Ok(from)), Some(Ok(start_ms)), Some(Ok(end_ms))) =
            (numbers.next(), numbers.next(), numbers.next())
        {
            asked.query.range = (start_ms, end_ms);
            return Ok(usize::try_from(from).unwrap_or(usize::MAX));
        }
        Ok(0)
    }
}

#[tonic::async_trait]
impl UsageService for Usages {
    async fn query_usage(
        &self,
        request: Request<admin::QueryUsageRequest>,
    ) -> Result<Response<admin::QueryUsageResponse>, Status> {
        let wire = request.get_ref();
        let mut asked = Asked::read(wire, self.clock.now_ms()).map_err(status::invalid)?;
        let digest = digest(wire);
        let list = List {
            method: "QueryUsage",
            parent: &digest,
        };
        let from = self.place(list, &wire.page_token, &mut asked)?;
        let answer = usage_query::query(self.desk.store(), &asked.query).await;
        let answer = answer.map_err(refused)?;
        let (start_ms, end_ms) = asked.query.range;
        let to = from.saturating_add(asked.size);
        let next = if answer.rows.len() > to {
            page::token(&format!("{to}-{start_ms}-{end_ms}"))
        } else {
            String::new()
        };
        let bucket = wire.bucket != i32::from(UsageBucket::Unspecified);
        let rows = answer.rows.into_iter().skip(from).take(asked.size);
        Ok(Response::new(admin::QueryUsageResponse {
            rows: rows
                .map(|it| usage_wire::row(it, asked.day, bucket))
                .collect(),
            truncated: answer.truncated,
            next_page_token: self.desk.next(list, &next),
            start_time: usage_wire::time(start_ms),
            end_time: usage_wire::time(end_ms),
        }))
    }

    async fn get_usage_record(
        &self,
        request: Request<admin::GetUsageRecordRequest>,
    ) -> Result<Response<admin::UsageRecord>, Status> {
        let wire = request.get_ref();
        let mut violations = Violations::new();
        let asked = asked_record(&wire.parent, &wire.record_id, &mut violations);
        let Some((whose, id)) = asked else {
            return Err(status::invalid(violations));
        };
        let store = self.desk.store();
        let kept = usage_read::get(store, &whose, id.into_bytes()).await;
        let kept = kept.map_err(status::store)?;
        let providers = providers(store, &whose).await.map_err(status::store)?;
        let given = feedback::of_request(store, id.into_bytes()).await;
        let given = given.map_err(status::store)?.into_iter();
        let at_ms = kept.at_ms;
        let record = usage_wire::record(kept, &providers);
        let shared = record.decision.as_ref();
        let experiment = match organization(&whose) {
            Some(name) if shared.is_some_and(|it| it.chosen_by == usage_decided::SHARED) => {
                let of = (id.into_bytes(), at_ms);
                let found = experiment::of_request(store, &name, of).await;
                found.map_err(status::store)?
            }
            _ => None,
        };
        Ok(Response::new(admin::UsageRecord {
            feedback: given.map(usage_feedback::given).collect(),
            experiment: experiment.map(|it| it.to_string()).unwrap_or_default(),
            ..record
        }))
    }

    async fn sum_feedback(
        &self,
        request: Request<admin::SumFeedbackRequest>,
    ) -> Result<Response<admin::SumFeedbackResponse>, Status> {
        let asked = usage_feedback::asked(request.get_ref(), self.clock.now_ms());
        let (parent, days) = asked.map_err(status::invalid)?;
        let sums = feedback::sums(self.desk.store(), &parent, days).await;
        let sums = sums.map_err(status::store)?.into_iter();
        Ok(Response::new(admin::SumFeedbackResponse {
            rows: sums.map(usage_feedback::sum).collect(),
        }))
    }

    async fn get_usage_content(
        &self,
        request: Request<admin::GetUsageContentRequest>,
    ) -> Result<Response<admin::UsageContent>, Status> {
        let read = |it: admin::GetUsageContentRequest| {
            let mut violations = Violations::new();
            let asked = asked_record(&it.parent, &it.record_id, &mut violations);
            asked.ok_or(violations)
        };
        let (call, (whose, id)) = Call::open("GetUsageContent", request, read)?;
        let mut draft = match self.desk.begin::<admin::UsageContent>(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let found = usage_content::find(draft.write(), &whose, id.into_bytes()).await;
        let found = found.map_err(status::store)?;
        let found = found.ok_or_else(|| status::not_found(&format!("the content of {id}")))?;
        let of = (found.organization, found.project, id.as_bytes());
        let sealed = found.sealed.ok_or_else(|| status::content_erased(&id))?;
        let opened = sealed::open_content(self.desk.sealing(), of, &sealed);
        let opened = opened.map_err(|why| status::broken("content does not open", &why))?;
        let content = Content::decode(opened.as_slice());
        let content = content.map_err(|why| status::broken("content does not decode", &why))?;
        // What the audit trail is told has none of it.
        let told = admin::UsageContent {
            record_id: id.to_string(),
            request_truncated: content.request_truncated,
            answer_truncated: content.answer_truncated,
            kept_until: found.until.to_string(),
            ..admin::UsageContent::default()
        };
        let mut reply = draft.finish(|_| told).await?;
        let said = reply.get_mut();
        (said.request, said.answer) = (content.request, content.answer);
        Ok(reply)
    }

    type ExportUsageStream = Chunks;

    async fn export_usage(
        &self,
        request: Request<admin::ExportUsageRequest>,
    ) -> Result<Response<Chunks>, Status> {
        let (whose, range, after) = export(request.get_ref()).map_err(status::invalid)?;
        let store = self.desk.store().clone();
        let remaining = usage_read::remaining(&store, &whose, after).await;
        let export = Export {
            remaining: remaining.map_err(status::store)?,
            providers: providers(&store, &whose).await.map_err(status::store)?,
            store,
            whose,
            range,
            after,
        };
        // What is read later is read in another task.
        let reach = Reach::of_request().map_err(status::store)?;
        let chunks = stream::try_unfold(export, move |mut export| {
            let reach = reach.clone();
            async move {
                let chunk = reach.hold(export.next()).await.map_err(status::store)?;
                Ok(chunk.map(|chunk| (chunk, export)))
            }
        });
        Ok(Response::new(Box::pin(chunks)))
    }

    async fn erase_usage(
        &self,
        request: Request<admin::EraseUsageRequest>,
    ) -> Result<Response<admin::EraseUsageResponse>, Status> {
        let (call, (parent, end_user)) = Call::open("EraseUsage", request, erased)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let erased = usage_erase::erase(draft.write(), &parent, &end_user).await;
        let erased = erased.map_err(status::store)?;
        let number = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
        let reply = admin::EraseUsageResponse {
            contents: number(erased.contents),
            records: number(erased.records),
            sums: number(erased.sums),
            more: erased.more,
        };
        draft.finish(|_| reply).await
    }

    async fn reprice_usage(
        &self,
        request: Request<admin::RepriceUsageRequest>,
    ) -> Result<Response<admin::RepriceUsageResponse>, Status> {
        let now_ms = self.clock.now_ms();
        let read = |it: admin::RepriceUsageRequest| reprice::Asked::read(&it, now_ms);
        let (call, asked) = Call::open("RepriceUsage", request, read)?;
        let draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        // Page by page and beside the draft, so that ingest never waits for all of it.
        let said = asked.run(self.desk.store()).await;
        let said = said.map_err(status::store)?;
        draft.finish(|_| said).await
    }
}

/// Which record, and whose.
fn asked_record(parent: &str, id: &str, violations: &mut Violations) -> Option<(Whose, Uuid)> {
    let whose = usage_asked::whose(parent, false, violations);
    let id = Uuid::try_parse(id);
    let id = id.map_err(|_| "must be the id that x-sluice-request-id told, a UUID");
    whose.zip(violations.take("record_id", id))
}

/// Whose end user is to be forgotten.
fn erased(asked: admin::EraseUsageRequest) -> Result<(OrganizationName, String), Violations> {
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let name = &asked.end_user;
    let fits = (1..=END_USER_BYTES_MAX).contains(&name.len()) && !name.contains('\0');
    if !fits || name == usage_erase::ERASED {
        violations.add(
            "end_user",
            "must be a name of at most 128 bytes, as records tell it",
        );
    }
    match (parent, violations.is_empty()) {
        (Some(parent), true) => Ok((parent, asked.end_user)),
        _ => Err(violations),
    }
}

/// What tells one question from another; a page of the same one has the same.
fn digest(asked: &admin::QueryUsageRequest) -> String {
    let asked = admin::QueryUsageRequest {
        page_size: 0,
        page_token: String::new(),
        ..asked.clone()
    };
    let digest: [u8; 32] = Sha256::digest(asked.encode_to_vec()).into();
    let half = u128::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
    format!("{half:032x}")
}

fn refused(why: NoAnswer) -> Status {
    match why {
        NoAnswer::Store(why) => status::store(why),
        NoAnswer::Buckets(why) => status::invalid_field("bucket", &why.to_string()),
        NoAnswer::Sketches => status::invalid_field(
            "percentiles",
            "would be made of more than 100,000 sums: narrow the range, or take longer buckets",
        ),
        NoAnswer::NotSummed => status::invalid_field(
            "tag_key",
            "is not summed for all of this range, because 16 other keys of tags came before it: narrow the range, or \
             export the records",
        ),
        NoAnswer::NotPaired => status::invalid_field(
            "second_tag_key",
            "is not summed together with `tag_key`: name both as one of the organization's `tag_pairs`, or export the records",
        ),
        NoAnswer::Pairing(records) => status::sums_being_made(records),
        NoAnswer::PairedSince(day) => status::invalid_field(
            "start_time",
            &format!(
                "must not be before {day}: records of before had been dropped when these two tags were named as a pair"
            ),
        ),
    }
}

/// The one organization whose records are asked for.
fn organization(whose: &Whose) -> Option<OrganizationName> {
    match whose {
        Whose::Everybody => None,
        Whose::Organization(name) => Some(name.clone()),
        Whose::Project(name) => Some(OrganizationName {
            organization: name.organization.clone(),
        }),
    }
}

async fn providers(store: &Store, whose: &Whose) -> Result<Providers, StoreError> {
    let Some(organization) = organization(whose) else {
        return Ok(Providers::new());
    };
    let names = usage_read::provider_names(store, &organization).await?;
    Ok(names.into_iter().collect())
}

type Wanted = (Whose, (u64, u64), i64);

fn export(asked: &admin::ExportUsageRequest) -> Result<Wanted, Violations> {
    let mut violations = Violations::new();
    let whose = usage_asked::whose(&asked.parent, false, &mut violations);
    let start = asked.start_time.as_ref().map_or(Ok(0), moment::millis);
    let start = violations.take("start_time", start);
    let end = asked.end_time.as_ref().map_or(Ok(NEVER_MS), moment::millis);
    let end = violations.take("end_time", end);
    let range = start.zip(end);
    if range.is_some_and(|(start, end)| start >= end) {
        violations.add("start_time", "must be before `end_time`");
    }
    let after = match asked.cursor.as_str() {
        "" => Some(0),
        cursor => cursor.parse().ok().filter(|it| *it >= 0),
    };
    if after.is_none() {
        violations.add("cursor", "is not one that an export told");
    }
    match (whose, range, after, violations.is_empty()) {
        (Some(whose), Some(range), Some(after), true) => Ok((whose, range, after)),
        _ => Err(violations),
    }
}

// === impl Export ===

impl Export {
    async fn next(&mut self) -> Result<Option<admin::ExportUsageResponse>, StoreError> {
        let chunk = usage_read::export(&self.store, &self.whose, self.range, self.after).await?;
        let Some(chunk) = chunk else {
            return Ok(None);
        };
        self.after = chunk.number;
        self.remaining = self.remaining.saturating_sub(chunk.looked_at).max(0);
        let wire = |it| usage_wire::record(it, &self.providers);
        Ok(Some(admin::ExportUsageResponse {
            records: chunk.records.into_iter().map(wire).collect(),
            cursor: self.after.to_string(),
            remaining: self.remaining,
        }))
    }
}
