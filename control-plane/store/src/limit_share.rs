//! Shares of limits that regions hold together: what stands, and the turn in which it changes.
//!
//! One turn at a time over all replicas, under a lock that ends with its transaction; what it wrote is told to nobody before it
//! is committed. Knows no clock but the database's, and that one only to forget what nobody wants any more.

use std::{cmp::Ordering, collections::BTreeMap};

use domain::division::{Back, Standing, Want};
use policy::{
    calendar::Period,
    id::LimitId,
    limit::{Allowance, AtOnce, QUOTA_MAX, Quota, Rate, Unit},
    region::Region,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{column, error::StoreError, id::uuid, store::Store};

/// The lock of whoever divides. A number that nothing else locks.
const LOCK: i64 = 0x736c_7563_6530_3430;

/// The most limits that regions hold together.
// Full: the shares of those that were made last stay what is never lent.
const LIMITS_MAX: i64 = 4_096;

/// What a replica has heard of a limit in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which limit.
    pub limit: LimitId,
    /// In which region.
    pub region: Region,
    /// What.
    pub want: Want,
    /// In which period of a quota.
    pub period: u64,
}

/// A limit that regions hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Which.
    pub limit: LimitId,
    /// Its numbers.
    pub allowance: Allowance,
    /// The name of the time zone in which its periods begin.
    pub time_zone: String,
    /// Whether it has one count with one amount: parts of quotas of others never come back, and slots of others never move.
    pub is_one: bool,
    /// Its regions, in the order of their names.
    pub regions: Vec<Part>,
}

/// One region of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which region.
    pub region: Region,
    /// How it stands; `None` where it never did.
    pub standing: Option<Standing>,
    /// What was heard lately, of the latest period.
    pub want: Want,
    /// Which period of a quota that is.
    pub period: u64,
}

struct Columns {
    id: Uuid,
    unit: i32,
    amount: i64,
    window_ms: i64,
    burst: i64,
    period: i32,
    time_zone: String,
    region: String,
    millionths: Option<i32>,
    held: Option<i32>,
    serial: Option<i64>,
    share_period: Option<i64>,
    given_period: Option<i64>,
    given: Option<i64>,
    back: Option<i32>,
    back_units: Option<i64>,
    back_serial: Option<i64>,
    used: Option<i32>,
    is_one: bool,
    asked: i64,
    needed: i32,
    want_period: i64,
}

/// What stands now, without changing it: committed, and read after this was called.
pub async fn read(store: &Store) -> Result<Vec<Shared>, StoreError> {
    shared(&mut *store.connection().await?).await
}

/// How much more is counted of a quota in a region, in its unit, than was used there: what it gave back in this period; and what
/// it is asked to give back and may have given. `None` where that cannot be told yet, because nobody has divided the limit. Of a
/// period that is over nothing may be used any more, whatever was.
pub async fn given_back(
    store: &Store,
    limit: LimitId,
    region: &Region,
    period: u64,
) -> Result<Option<(u64, u64)>, StoreError> {
    let given = sqlx::query!(
        r#"SELECT share.given AS "given?", share.back_units AS "back_units?",
                  share.period AS "period?", share.given_period AS "given_period?",
                  $2 = ANY (it.regions) AND (
                      SELECT count(*) FROM rate_limit
                      WHERE cardinality(regions) > 0 AND id < it.id
                  ) < $3 AS "is_divided!"
           FROM rate_limit it
           LEFT JOIN limit_share share ON share.rate_limit = it.id AND share.region = $2
           WHERE it.id = $1"#,
        uuid(*limit.as_bytes()),
        region.as_str(),
        LIMITS_MAX,
    );
    let given = given
        .fetch_optional(&mut *store.connection().await?)
        .await?;
    let Some(it) = given else {
        return Ok(Some((0, 0)));
    };
    let Some(now) = it.period else {
        return Ok((!it.is_divided).then_some((0, 0)));
    };
    Ok(Some(match column::count(now).cmp(&period) {
        Ordering::Greater => (QUOTA_MAX, 0),
        // Otherwise it was left by a replica that knows nothing of it.
        Ordering::Equal if it.given_period == it.period => {
            let [given, back] = [it.given, it.back_units].map(|it| it.map_or(0, column::count));
            (given, back)
        }
        Ordering::Equal | Ordering::Less => (0, 0),
    }))
}

/// Notes what `replica` has heard, and lets `divide` change how the limits stand. Gives what stands then. Where another replica
/// has its turn, that is not waited for.
pub async fn turn(
    store: &Store,
    replica: &[u8],
    heard: &[Wanted],
    divide: impl FnOnce(&mut [Shared]) + Send,
) -> Result<Vec<Shared>, StoreError> {
    let mut tx = store.transaction().await?;
    let locked = sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock($1) AS "it!""#, LOCK);
    if !locked.fetch_one(&mut *tx).await? {
        drop(tx);
        return read(store).await;
    }
    note(&mut tx, replica, heard).await?;
    let before = shared(&mut tx).await?;
    let mut after = before.clone();
    divide(&mut after);
    write(&mut tx, &before, &after).await?;
    tx.commit().await?;
    Ok(after)
}

async fn note(
    connection: &mut PgConnection,
    replica: &[u8],
    heard: &[Wanted],
) -> Result<(), StoreError> {
    let each = || heard.iter();
    sqlx::query!(
        r#"INSERT INTO limit_want (rate_limit, region, replica, asked, needed, period, heard_at)
           SELECT it.rate_limit, it.region, $3, it.asked, it.needed, it.period, now()
           FROM unnest($1::uuid[], $2::text[], $4::bigint[], $5::integer[], $6::bigint[])
               AS it (rate_limit, region, asked, needed, period)
           JOIN rate_limit ON rate_limit.id = it.rate_limit AND it.region = ANY (regions)
           ON CONFLICT ON CONSTRAINT limit_want_pkey DO UPDATE
           SET asked = EXCLUDED.asked, needed = EXCLUDED.needed, period = EXCLUDED.period,
               heard_at = EXCLUDED.heard_at"#,
        &each()
            .map(|it| uuid(*it.limit.as_bytes()))
            .collect::<Vec<_>>(),
        &each()
            .map(|it| it.region.as_str().to_owned())
            .collect::<Vec<_>>(),
        replica,
        &each()
            .map(|it| column::number(it.want.asked))
            .collect::<Vec<_>>(),
        &each()
            .map(|it| millionths(it.want.needed))
            .collect::<Vec<_>>(),
        &each()
            .map(|it| column::number(it.period))
            .collect::<Vec<_>>(),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM limit_want WHERE heard_at < now() - interval '1 hour'")
        .execute(connection)
        .await?;
    Ok(())
}

/// At most two thousand times the whole.
fn millionths(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

async fn shared(connection: &mut PgConnection) -> Result<Vec<Shared>, StoreError> {
    let rows = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.unit, it.amount, it.window_ms, it.burst, it.period, organization.time_zone,
                  here.region AS "region!", share.millionths AS "millionths?",
                  share.held AS "held?", share.serial AS "serial?",
                  share.period AS "share_period?", share.given AS "given?", share.back AS "back?",
                  share.given_period AS "given_period?",
                  share.back_units AS "back_units?", share.back_serial AS "back_serial?",
                  share.used AS "used?",
                  it.scope_each = 0 AND NOT EXISTS (
                      SELECT FROM limit_override WHERE rate_limit = it.id
                  ) AS "is_one!",
                  coalesce(want.asked, 0)::bigint AS "asked!",
                  coalesce(want.needed, 0) AS "needed!",
                  coalesce(want.period, 0) AS "want_period!"
           FROM (SELECT * FROM rate_limit WHERE cardinality(regions) > 0
                 ORDER BY id LIMIT $1) it
           JOIN organization ON organization.id = it.organization
           CROSS JOIN LATERAL unnest(it.regions) AS here (region)
           LEFT JOIN limit_share share
               ON share.rate_limit = it.id AND share.region = here.region
           LEFT JOIN LATERAL (
               SELECT sum(asked) AS asked, max(needed) AS needed, period FROM limit_want
               WHERE rate_limit = it.id AND limit_want.region = here.region
                 AND heard_at > now() - interval '15 seconds'
               GROUP BY period ORDER BY period DESC LIMIT 1
           ) want ON true
           ORDER BY it.id, here.region"#,
        LIMITS_MAX,
    )
    .fetch_all(connection)
    .await?;
    let mut found: BTreeMap<Uuid, Shared> = BTreeMap::new();
    for row in rows {
        let part = row.part()?;
        let shared = match found.remove(&row.id) {
            Some(shared) => shared,
            None => row.shared()?,
        };
        let shared = found.entry(row.id).or_insert(shared);
        shared.regions.push(part);
    }
    Ok(found.into_values().collect())
}

async fn write(
    connection: &mut PgConnection,
    before: &[Shared],
    after: &[Shared],
) -> Result<(), StoreError> {
    let parts = |all: &[Shared]| -> Vec<(LimitId, Part)> {
        let of = |it: &Shared| {
            let limit = it.limit;
            it.regions
                .clone()
                .into_iter()
                .map(move |part| (limit, part))
        };
        all.iter().flat_map(of).collect()
    };
    let (before, after) = (parts(before), parts(after));
    let changed: Vec<(LimitId, Region, Standing)> = after
        .into_iter()
        .zip(before)
        .filter(|((_, after), (_, before))| after.standing != before.standing)
        .filter_map(|((limit, part), _)| Some((limit, part.region, part.standing?)))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let each = || changed.iter();
    sqlx::query!(
        r#"INSERT INTO limit_share (rate_limit, region, millionths, held, serial, period,
                                    given, back, back_units, back_serial, used, given_period)
           SELECT it.*, it.period
           FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[],
                                   $5::bigint[], $6::bigint[], $7::bigint[], $8::integer[],
                                   $9::bigint[], $10::bigint[], $11::integer[])
               AS it (rate_limit, region, millionths, held, serial, period,
                      given, back, back_units, back_serial, used)
           JOIN rate_limit ON rate_limit.id = it.rate_limit
           ON CONFLICT ON CONSTRAINT limit_share_pkey DO UPDATE
           SET millionths = EXCLUDED.millionths, held = EXCLUDED.held, serial = EXCLUDED.serial,
               period = EXCLUDED.period, given = EXCLUDED.given, back = EXCLUDED.back,
               back_units = EXCLUDED.back_units, back_serial = EXCLUDED.back_serial,
               used = EXCLUDED.used, given_period = EXCLUDED.given_period"#,
        &each().map(|it| uuid(*it.0.as_bytes())).collect::<Vec<_>>(),
        &each()
            .map(|it| it.1.as_str().to_owned())
            .collect::<Vec<_>>(),
        &each()
            .map(|it| millionths(it.2.millionths))
            .collect::<Vec<_>>(),
        &each().map(|it| millionths(it.2.held)).collect::<Vec<_>>(),
        &each().map(|it| it.2.serial).collect::<Vec<_>>(),
        &each()
            .map(|it| column::number(it.2.period))
            .collect::<Vec<_>>(),
        &each()
            .map(|it| column::number(it.2.given))
            .collect::<Vec<_>>(),
        &each()
            .map(|it| it.2.back.map_or(0, |back| millionths(back.millionths)))
            .collect::<Vec<_>>(),
        &each()
            .map(|it| it.2.back.map_or(0, |back| column::number(back.units)))
            .collect::<Vec<_>>(),
        &each()
            .map(|it| it.2.back.map_or(0, |back| back.serial))
            .collect::<Vec<_>>(),
        &each().map(|it| millionths(it.2.used)).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

// === impl Columns ===

impl Columns {
    fn shared(&self) -> Result<Shared, StoreError> {
        let [amount, window_ms, burst] =
            [self.amount, self.window_ms, self.burst].map(column::count);
        let unit = u32::try_from(self.unit).ok().and_then(Unit::from_number);
        let allowance = if unit == Some(Unit::ConcurrentRequests) {
            Allowance::AtOnce(column::read(AtOnce::new(amount), "rate_limit.amount")?)
        } else if self.period == 0 {
            let rate = Rate::new(amount, window_ms, burst);
            Allowance::Rate(column::read(rate, "rate_limit.amount")?)
        } else {
            let period = u32::try_from(self.period)
                .ok()
                .and_then(Period::from_number);
            let period = column::known(period, "rate_limit.period")?;
            Allowance::Quota(column::read(
                Quota::new(amount, period),
                "rate_limit.amount",
            )?)
        };
        Ok(Shared {
            limit: LimitId::from_bytes(self.id.into_bytes()),
            allowance,
            time_zone: self.time_zone.clone(),
            is_one: self.is_one,
            regions: Vec::new(),
        })
    }

    fn part(&self) -> Result<Part, StoreError> {
        let number = |it: i32, name| column::read(u32::try_from(it), name);
        // Otherwise it was left by a replica that knows nothing of it.
        let is_of_now = self.given_period == self.share_period;
        let given = self.given.filter(|_| is_of_now).unwrap_or(0);
        let used = self.used.filter(|_| is_of_now).unwrap_or(0);
        let standing = match (self.millionths, self.held, self.serial, self.share_period) {
            (Some(millionths), Some(held), Some(serial), Some(period)) => Some(Standing {
                millionths: number(millionths, "limit_share.millionths")?,
                held: number(held, "limit_share.held")?,
                serial,
                period: column::count(period),
                given: column::count(given),
                back: if is_of_now { self.back()? } else { None },
                used: number(used, "limit_share.used")?,
            }),
            _ => None,
        };
        Ok(Part {
            region: column::read(Region::try_from(self.region.as_str()), "rate_limit.regions")?,
            standing,
            want: Want {
                asked: column::count(self.asked),
                needed: number(self.needed, "limit_want.needed")?,
            },
            period: column::count(self.want_period),
        })
    }

    /// What is asked back; of nothing the serial is zero.
    fn back(&self) -> Result<Option<Back>, StoreError> {
        let serial = self.back_serial.filter(|it| *it > 0);
        let millionths = u32::try_from(self.back.unwrap_or(0));
        let millionths = column::read(millionths, "limit_share.back")?;
        Ok(serial.map(|serial| Back {
            millionths,
            units: column::count(self.back_units.unwrap_or(0)),
            serial,
        }))
    }
}
