//! An organization's own prices. They are made and deleted, and never change.

use std::sync::Arc;

use domain::{
    etag::etag,
    name::{OrganizationName, PriceName},
    page::Page,
    price::For,
    segment::Slug,
};
use policy::{
    glob::Glob,
    id::{OrganizationId, PriceId},
    object::{Kind, Object},
    price::{self, PRICES_MAX, Price, Rates, Tier},
    region::Audience,
    revision::Revision,
    usage::Counter,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    list::{self, Listed},
    named,
    price_for::{self, ForColumns},
    store::Store,
    write::Write,
};

/// What a price says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What people call it.
    pub display_name: String,
    /// Whom it is for.
    pub whom: For,
    /// The provider's names of the models that it is for.
    pub model: Glob,
    /// The provider's regions that it is for; `None` means: all.
    pub region: Option<Glob>,
    /// The tier that it is for; `None` means: all.
    pub tier: Option<Tier>,
    /// It is for requests with more input tokens than this.
    pub above_input_tokens: u64,
    /// From when on, milliseconds since 1970.
    pub valid_from_ms: u64,
    /// The rates.
    pub rates: Rates,
}

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: PriceId,
    /// Its name.
    pub name: PriceName,
    /// What it says.
    pub terms: Terms,
}

/// A price as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: PriceId,
    /// Its name.
    pub name: PriceName,
    /// What it says.
    pub terms: Terms,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// The revision that made it; zero when that is not committed yet.
    pub revision: Revision,
    organization: OrganizationId,
    whom: ForColumns,
}

struct Columns {
    id: Uuid,
    organization: Uuid,
    name: String,
    display_name: String,
    provider: Option<Uuid>,
    provider_name: Option<String>,
    provider_kind: i32,
    provider_model: String,
    region: String,
    tier: i32,
    above_input_tokens: i64,
    valid_from: OffsetDateTime,
    counters: Vec<i16>,
    rates: Vec<i64>,
    created_at: OffsetDateTime,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &PriceName) -> Result<Row, StoreError> {
    read(&mut *store.connection().await?, name).await
}

/// Reads a page.
pub async fn list(
    store: &Store,
    parent: &OrganizationName,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::organization(&mut connection, parent).await?;
    let wanted = list::rows_wanted(page);
    let rows = rows(&mut connection, parent, organization, (&page.after, wanted)).await?;
    Ok(list::cut(rows, page, |row| row.name.price.as_str()))
}

/// All of an organization, as policy has them.
pub(crate) async fn all(
    connection: &mut PgConnection,
    parent: &OrganizationName,
    organization: Uuid,
) -> Result<Vec<Price>, StoreError> {
    let most = i64::try_from(PRICES_MAX).unwrap_or(i64::MAX);
    let rows = rows(connection, parent, organization, ("", most)).await?;
    rows.iter().map(Row::policy).collect()
}

async fn rows(
    connection: &mut PgConnection,
    parent: &OrganizationName,
    organization: Uuid,
    (after, most): (&str, i64),
) -> Result<Vec<Row>, StoreError> {
    // Kind 10 is `policy::object::Kind::Price`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.provider,
                  provider.name AS "provider_name?", it.provider_kind, it.provider_model,
                  it.region, it.tier, it.above_input_tokens, it.valid_from, it.counters, it.rates,
                  it.created_at, coalesce(o.revision, 0) AS "revision!"
           FROM price it
           LEFT JOIN provider ON provider.id = it.provider
           LEFT JOIN object o ON o.kind = 10 AND o.key = uuid_send(it.id)
           WHERE it.organization = $1 AND it.name > $2 ORDER BY it.name LIMIT $3"#,
        organization,
        after,
        most,
    )
    .fetch_all(connection)
    .await?;
    columns.into_iter().map(|it| it.row(parent)).collect()
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    let terms = &new.terms;
    let whom = ForColumns::of(write.connection(), &terms.whom, "price.provider").await?;
    price_for::lock(write.connection(), organization).await?;
    let stand = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM price WHERE organization = $1"#,
        organization
    )
    .fetch_one(write.connection())
    .await?;
    if usize::try_from(stand).unwrap_or(usize::MAX) >= PRICES_MAX {
        return Err(conflict::blocked(&parent, Obstacle::HasManyPrices));
    }
    let (counters, rates): (Vec<i16>, Vec<i64>) = terms
        .rates
        .given()
        .map(|(counter, rate)| (i16::from(counter as u8), column::number(rate)))
        .unzip();
    sqlx::query!(
        r#"INSERT INTO price (id, organization, name, display_name, provider, provider_kind,
                              provider_model, region, tier, above_input_tokens, valid_from,
                              counters, rates)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"#,
        uuid(*new.id.as_bytes()),
        organization,
        new.name.price.as_str(),
        terms.display_name,
        whom.provider,
        whom.provider_kind,
        terms.model.as_str(),
        terms.region.as_ref().map_or("", Glob::as_str),
        terms.tier.map_or(0, |it| i32::from(it as u8)),
        column::number(terms.above_input_tokens),
        column::moment(terms.valid_from_ms)?,
        &counters,
        &rates,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    let row = read(write.connection(), &new.name).await?;
    write.put(Object::Price(row.policy()?), Audience::everywhere());
    Ok(row)
}

/// Deletes one, and tells what stood.
pub async fn delete(write: &mut Write, name: &PriceName, etag: &str) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    let gone = sqlx::query!("DELETE FROM price WHERE id = $1", uuid(*row.id.as_bytes()))
        .execute(write.connection())
        .await?;
    if gone.rows_affected() == 0 {
        return Err(conflict::missing(name));
    }
    write.forget(Kind::Price, row.id.as_bytes());
    Ok(row)
}

async fn read(connection: &mut PgConnection, name: &PriceName) -> Result<Row, StoreError> {
    // Kind 10 is `policy::object::Kind::Price`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.provider,
                  provider.name AS "provider_name?", it.provider_kind, it.provider_model,
                  it.region, it.tier, it.above_input_tokens, it.valid_from, it.counters, it.rates,
                  it.created_at, coalesce(o.revision, 0) AS "revision!"
           FROM price it
           JOIN organization ON organization.id = it.organization
           LEFT JOIN provider ON provider.id = it.provider
           LEFT JOIN object o ON o.kind = 10 AND o.key = uuid_send(it.id)
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.price.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    columns
        .ok_or_else(|| conflict::missing(name))?
        .row(&name.parent())
}

// === impl Row ===

impl Row {
    /// Which one this is.
    pub fn etag(&self) -> String {
        etag(self.id.as_bytes(), 1)
    }

    fn policy(&self) -> Result<Price, StoreError> {
        let terms = &self.terms;
        Ok(Price {
            id: self.id,
            organization: self.organization,
            name: self.name.price.to_string(),
            row: Arc::new(price::Row {
                reference: self.id.to_string(),
                own: true,
                of: self.whom.policy()?,
                model: terms.model.clone(),
                region: terms.region.clone(),
                tier: terms.tier,
                above_input_tokens: terms.above_input_tokens,
                valid_from_ms: terms.valid_from_ms,
                rates: terms.rates,
            }),
        })
    }
}

// === impl Columns ===

impl Columns {
    fn row(self, parent: &OrganizationName) -> Result<Row, StoreError> {
        let whom = ForColumns {
            provider: self.provider,
            provider_kind: self.provider_kind,
        };
        let rates = rates(&self.counters, &self.rates)?;
        let region = Some(self.region).filter(|it| !it.is_empty());
        let region = region.map(|it| column::read(Glob::parse(&it), "price.region"));
        let tier = match u8::try_from(self.tier) {
            Ok(0) => None,
            Ok(number) => Some(column::known(Tier::from_number(number), "price.tier")?),
            Err(_) => return Err(StoreError::broken("price.tier is no tier")),
        };
        Ok(Row {
            id: PriceId::from_bytes(self.id.into_bytes()),
            name: PriceName {
                organization: parent.organization.clone(),
                price: column::read(Slug::parse(&self.name), "price.name")?,
            },
            terms: Terms {
                display_name: self.display_name,
                whom: whom.name(parent, self.provider_name.as_deref())?,
                model: column::read(Glob::parse(&self.provider_model), "price.provider_model")?,
                region: region.transpose()?,
                tier,
                above_input_tokens: column::count(self.above_input_tokens),
                valid_from_ms: column::milliseconds(self.valid_from),
                rates,
            },
            created_at: self.created_at,
            revision: column::revision(self.revision),
            organization: OrganizationId::from_bytes(self.organization.into_bytes()),
            whom,
        })
    }
}

fn rates(counters: &[i16], rates: &[i64]) -> Result<Rates, StoreError> {
    counters
        .iter()
        .zip(rates)
        .try_fold(Rates::default(), |sum, (number, rate)| {
            let counter = u8::try_from(*number).ok().and_then(Counter::from_number);
            let counter = column::known(counter, "price.counters")?;
            column::read(sum.with(counter, column::count(*rate)), "price.rates")
        })
}
