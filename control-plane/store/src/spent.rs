//! What the ledger says was used of a quota in a region: the sums of its period, and of the quarter of an hour in which it began to
//! count the records themselves.
//!
//! Owns which sums are those of a limit. Knows no counters and no edges. What it tells is what had arrived when it was read.

use domain::grain::{Bucketing, Grain, Shifts};
use policy::{
    applying::Whose,
    calendar::{Period, Zone},
    id::LimitId,
    limit::{Member, Members, Unit},
    money,
    region::Region,
};
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    id::uuid,
    store::Store,
    usage_label,
    usage_region::{self, Regions},
};

/// One count of a quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The limit.
    pub limit: LimitId,
    /// The first moment of its period, milliseconds since 1970; zero where that never ends.
    pub period_from_ms: u64,
    /// Whose count it is, where the limit has many.
    pub whose: Option<Whose>,
}

/// A quota, as far as what was used of it goes.
struct Quota {
    organization: Uuid,
    unit: Unit,
    time_zone: String,
    period: Period,
    counted_from_ms: u64,
    only: Only,
    each: Members,
}

/// Whose use is counted; `None` means: everybody's.
#[derive(Debug, Clone, Default)]
struct Only {
    project: Option<Uuid>,
    key_id: Option<String>,
    model: Option<Uuid>,
    provider: Option<Uuid>,
    /// Empty: of requests that named none.
    end_user: Option<String>,
}

/// Sums that are added or, with a sign of -1, taken away: a facet, and which label of it.
type Part = (String, Option<String>, i64);

/// What was used, of everything that can be counted.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    requests: i64,
    input: i64,
    output: i64,
    cost_nano: i64,
}

/// Every region that has reported usage, in the order of their names.
pub async fn regions(store: &Store) -> Result<Vec<Region>, StoreError> {
    let regions = Regions::known(&mut *store.connection().await?).await?;
    let all = regions.others.into_iter().chain(regions.first);
    let mut all: Vec<Region> = all
        .map(|it| column::read(Region::try_from(it.as_str()), "usage_region.region"))
        .collect::<Result<_, _>>()?;
    all.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    Ok(all)
}

// === impl Store ===

impl Store {
    /// What was used of this count in this region until now, in the limit's unit, as far as its records have arrived; `None` where
    /// that cannot be told: the limit is gone or no quota, or the end user or the token is not told apart.
    pub async fn spent(
        &self,
        region: &Region,
        counted: &Counted,
        now_ms: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut tx = self.transaction().await?;
        let Some(quota) = quota(&mut tx, counted).await? else {
            return Ok(None);
        };
        let from_ms = counted.period_from_ms.max(quota.counted_from_ms);
        // A little ahead, because edges' clocks are off.
        let to_ms = Grain::Quarter.next_start(quota.ends_ms(counted).min(now_ms + AHEAD_MS));
        if quota.is_other(&mut tx, (from_ms, to_ms)).await? {
            return Ok(None);
        }
        let first_ms = Grain::Quarter.next_start(from_ms);
        let begun = quota.records(&mut tx, region, (from_ms, first_ms)).await?;
        let sums = quota.sums(&mut tx, region, (first_ms, to_ms)).await?;
        tx.rollback().await?;
        Ok(Some(begun.plus(sums).of(quota.unit)))
    }
}

/// How far ahead of this clock an edge's may be.
const AHEAD_MS: u64 = 60_000;

async fn quota(
    connection: &mut PgConnection,
    counted: &Counted,
) -> Result<Option<Quota>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT it.organization, it.scope_project, key.key_id AS "key_id?", it.scope_model,
                  it.scope_provider, it.scope_end_user, it.scope_each, it.unit, it.period,
                  it.counted_from, organization.time_zone
           FROM rate_limit it JOIN organization ON organization.id = it.organization
           LEFT JOIN key ON key.id = it.scope_key
           WHERE it.id = $1 AND it.period > 0"#,
        uuid(*counted.limit.as_bytes()),
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let number = |it: i32| u32::try_from(it).ok();
    let each = number(row.scope_each).and_then(Members::from_bits);
    let unit = number(row.unit).and_then(Unit::from_number);
    let period = number(row.period).and_then(Period::from_number);
    let mut quota = Quota {
        organization: row.organization,
        unit: column::known(unit, "rate_limit.unit")?,
        time_zone: row.time_zone,
        period: column::known(period, "rate_limit.period")?,
        counted_from_ms: column::milliseconds(row.counted_from),
        each: column::known(each, "rate_limit.scope_each")?,
        only: Only {
            project: row.scope_project,
            key_id: row.key_id,
            model: row.scope_model,
            provider: row.scope_provider,
            end_user: Some(row.scope_end_user).filter(|it| !it.is_empty()),
        },
    };
    match &counted.whose {
        Some(whose) => quota.narrow(whose),
        None if !quota.each.is_empty() => return Ok(None),
        None => {}
    }
    Ok(Some(quota))
}

// === impl Quota ===

impl Quota {
    fn narrow(&mut self, whose: &Whose) {
        let only = &mut self.only;
        for member in self.each.iter() {
            match member {
                Member::Project => only.project = Some(uuid(*whose.project.as_bytes())),
                Member::Key => only.key_id = Some(whose.key_id.clone()),
                Member::EndUser => only.end_user = Some(whose.end_user.clone()),
                Member::Model => {
                    only.model = Some(whose.model.map_or(Uuid::nil(), |it| uuid(*it.as_bytes())));
                }
                Member::Provider => {
                    only.provider = whose.provider.map(|it| uuid(*it.as_bytes()));
                }
            }
        }
    }

    fn ends_ms(&self, counted: &Counted) -> u64 {
        let zone = Zone::parse(&self.time_zone).unwrap_or(Zone::UTC);
        self.period.span(&zone, counted.period_from_ms).to_ms
    }

    /// Whether what is asked for is among what sums do not tell apart, in some month.
    async fn is_other(
        &self,
        connection: &mut PgConnection,
        (from_ms, to_ms): (u64, u64),
    ) -> Result<bool, StoreError> {
        let user = self.only.end_user.as_ref().filter(|it| !it.is_empty());
        let token = self.only.key_id.as_ref().filter(|it| it.contains(':'));
        let user = user.map(|it| (usage_label::USER, it, usage_label::USERS_MAX));
        let token = token.map(|it| (usage_label::TOKEN, it, usage_label::TOKENS_MAX));
        let month = |ms: u64| -> Result<Date, StoreError> {
            let day = column::moment(ms)?.date();
            Ok(Date::from_calendar_date(day.year(), day.month(), 1).unwrap_or(day))
        };
        for (facet, label, most) in user.into_iter().chain(token) {
            let other = sqlx::query_scalar!(
                r#"SELECT EXISTS (
                       SELECT FROM usage_label
                       WHERE organization = $1 AND facet = $2 AND month BETWEEN $3 AND $4
                       GROUP BY month HAVING count(*) >= $5 AND NOT bool_or(label = $6)
                   ) AS "other!""#,
                self.organization,
                facet,
                month(from_ms)?,
                month(to_ms)?,
                i64::try_from(most).unwrap_or(i64::MAX),
                label,
            );
            if other.fetch_one(&mut *connection).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The sums of this region: those of a region that is told apart, or else what is left of all.
    fn parts(&self, region: &Region, regions: &Regions) -> Vec<Part> {
        let region = region.as_str();
        let (all, users, others) = if regions.are_apart(region) {
            let users = usage_region::user_facet(region);
            (usage_region::facet(region), users, Vec::new())
        } else {
            let others = regions.others.iter();
            let others = others.map(|it| (usage_region::facet(it), usage_region::user_facet(it)));
            let (all, users) = (usage_label::ALL.to_owned(), usage_label::USER.to_owned());
            (all, users, others.collect())
        };
        let mut parts = Vec::new();
        let mut part =
            |(all, users): (String, String), sign: i64| match self.only.end_user.as_deref() {
                None => parts.push((all, None, sign)),
                Some("") => parts.extend([(all, None, sign), (users, None, -sign)]),
                Some(user) => parts.push((users, Some(user.to_owned()), sign)),
            };
        part((all, users), 1);
        for other in others {
            part(other, -1);
        }
        parts
    }

    async fn sums(
        &self,
        connection: &mut PgConnection,
        region: &Region,
        range: (u64, u64),
    ) -> Result<Used, StoreError> {
        let regions = Regions::known(connection).await?;
        let parts = self.parts(region, &regions);
        // One bucket is never too many.
        let pieces = Bucketing::Whole
            .pieces(range, &Shifts::new())
            .unwrap_or_default();
        let (mut grains, mut froms, mut tos) = (Vec::new(), Vec::new(), Vec::new());
        for it in pieces {
            grains.push(it.grain.number());
            froms.push(column::moment(it.from_ms)?);
            tos.push(column::moment(it.to_ms)?);
        }
        let facets: Vec<String> = parts.iter().map(|it| it.0.clone()).collect();
        let labels: Vec<Option<String>> = parts.iter().map(|it| it.1.clone()).collect();
        let signs: Vec<i64> = parts.iter().map(|it| it.2).collect();
        let only = &self.only;
        let used = sqlx::query_file_as!(
            Used,
            "src/spent.sql",
            &grains,
            &froms,
            &tos,
            &facets,
            &labels as &[Option<String>],
            &signs,
            self.organization,
            only.project,
            only.key_id,
            only.model,
            only.provider,
        );
        Ok(used.fetch_one(connection).await?)
    }

    /// What the records of part of a quarter of an hour say.
    async fn records(
        &self,
        connection: &mut PgConnection,
        region: &Region,
        (from_ms, to_ms): (u64, u64),
    ) -> Result<Used, StoreError> {
        if from_ms >= to_ms {
            return Ok(Used::default());
        }
        let (from, to): (OffsetDateTime, _) = (column::moment(from_ms)?, column::moment(to_ms)?);
        let only = &self.only;
        let used = sqlx::query_as!(
            Used,
            r#"SELECT count(*) AS "requests!", coalesce(sum(cost_nano), 0)::bigint AS "cost_nano!",
                      coalesce(sum(input_tokens + cached_input_tokens), 0)::bigint AS "input!",
                      coalesce(sum(output_tokens + reasoning_tokens), 0)::bigint AS "output!"
               FROM usage_record
               WHERE organization = $1 AND at >= $2 AND at < $3 AND batch IS NOT NULL
                 AND day BETWEEN ($2 AT TIME ZONE 'UTC')::date AND ($3 AT TIME ZONE 'UTC')::date
                 AND region = $4
                 AND ($5::uuid IS NULL OR project = $5) AND ($6::text IS NULL OR key_id = $6)
                 AND ($7::uuid IS NULL OR model = $7) AND ($8::uuid IS NULL OR provider = $8)
                 AND ($9::text IS NULL OR end_user = $9)"#,
            self.organization,
            from,
            to,
            region.as_str(),
            only.project,
            only.key_id,
            only.model,
            only.provider,
            only.end_user,
        );
        Ok(used.fetch_one(connection).await?)
    }
}

// === impl Used ===

impl Used {
    const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cost_nano: self.cost_nano.saturating_add(other.cost_nano),
        }
    }

    /// As a limit in this unit counts it.
    fn of(self, unit: Unit) -> u64 {
        match unit {
            Unit::Requests | Unit::ConcurrentRequests => column::count(self.requests),
            Unit::Tokens => column::count(self.input.saturating_add(self.output)),
            Unit::InputTokens => column::count(self.input),
            Unit::OutputTokens => column::count(self.output),
            Unit::MicroDollars => money::micro_up(column::count(self.cost_nano)),
        }
    }
}
