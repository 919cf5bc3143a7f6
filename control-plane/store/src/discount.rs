//! What organizations have negotiated. Discounts are made and deleted, and never change.

use std::sync::Arc;

use domain::{
    etag::etag,
    name::{DiscountName, OrganizationName},
    page::Page,
    price::For,
    segment::Slug,
};
use policy::{
    glob::Glob,
    id::{DiscountId, OrganizationId},
    object::{Kind, Object},
    price::{BasisPoints, DISCOUNTS_MAX, Discount},
    price_book::PriceBook,
    region::Audience,
    revision::Revision,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    list::{self, Listed},
    named, price,
    price_for::{self, ForColumns},
    store::Store,
    write::Write,
};

/// What a discount says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What people call it.
    pub display_name: String,
    /// Whom it is for.
    pub whom: For,
    /// The provider's names of the models that it is for.
    pub model: Glob,
    /// What is off.
    pub off: BasisPoints,
    /// From when on, milliseconds since 1970.
    pub valid_from_ms: u64,
}

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: DiscountId,
    /// Its name.
    pub name: DiscountName,
    /// What it says.
    pub terms: Terms,
}

/// A discount as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: DiscountId,
    /// Its name.
    pub name: DiscountName,
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
    basis_points: i32,
    valid_from: OffsetDateTime,
    created_at: OffsetDateTime,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &DiscountName) -> Result<Row, StoreError> {
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
    Ok(list::cut(rows, page, |row| row.name.discount.as_str()))
}

/// All prices and discounts of an organization, as they stand.
pub async fn book(store: &Store, parent: &OrganizationName) -> Result<PriceBook, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::organization(&mut connection, parent).await?;
    let mut book = PriceBook::default();
    let prices = price::all(&mut connection, parent, organization).await?;
    for it in &prices {
        book.put(it);
    }
    let most = i64::try_from(DISCOUNTS_MAX).unwrap_or(i64::MAX);
    for row in rows(&mut connection, parent, organization, ("", most)).await? {
        book.put_discount(Arc::new(row.policy()?));
    }
    Ok(book)
}

async fn rows(
    connection: &mut PgConnection,
    parent: &OrganizationName,
    organization: Uuid,
    (after, most): (&str, i64),
) -> Result<Vec<Row>, StoreError> {
    // Kind 11 is `policy::object::Kind::Discount`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.provider,
                  provider.name AS "provider_name?", it.provider_kind, it.provider_model,
                  it.basis_points, it.valid_from, it.created_at,
                  coalesce(o.revision, 0) AS "revision!"
           FROM discount it
           LEFT JOIN provider ON provider.id = it.provider
           LEFT JOIN object o ON o.kind = 11 AND o.key = uuid_send(it.id)
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
    let whom = ForColumns::of(write.connection(), &terms.whom, "discount.provider").await?;
    price_for::lock(write.connection(), organization).await?;
    let stand = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM discount WHERE organization = $1"#,
        organization
    )
    .fetch_one(write.connection())
    .await?;
    if usize::try_from(stand).unwrap_or(usize::MAX) >= DISCOUNTS_MAX {
        return Err(conflict::blocked(&parent, Obstacle::HasManyDiscounts));
    }
    sqlx::query!(
        r#"INSERT INTO discount (id, organization, name, display_name, provider, provider_kind,
                                 provider_model, basis_points, valid_from)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"#,
        uuid(*new.id.as_bytes()),
        organization,
        new.name.discount.as_str(),
        terms.display_name,
        whom.provider,
        whom.provider_kind,
        terms.model.as_str(),
        i32::from(terms.off.points()),
        column::moment(terms.valid_from_ms)?,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    let row = read(write.connection(), &new.name).await?;
    write.put(Object::Discount(row.policy()?), Audience::everywhere());
    Ok(row)
}

/// Deletes one, and tells what stood.
pub async fn delete(write: &mut Write, name: &DiscountName, etag: &str) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    let id = uuid(*row.id.as_bytes());
    let gone = sqlx::query!("DELETE FROM discount WHERE id = $1", id)
        .execute(write.connection())
        .await?;
    if gone.rows_affected() == 0 {
        return Err(conflict::missing(name));
    }
    write.forget(Kind::Discount, row.id.as_bytes());
    Ok(row)
}

async fn read(connection: &mut PgConnection, name: &DiscountName) -> Result<Row, StoreError> {
    // Kind 11 is `policy::object::Kind::Discount`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.organization, it.name, it.display_name, it.provider,
                  provider.name AS "provider_name?", it.provider_kind, it.provider_model,
                  it.basis_points, it.valid_from, it.created_at,
                  coalesce(o.revision, 0) AS "revision!"
           FROM discount it
           JOIN organization ON organization.id = it.organization
           LEFT JOIN provider ON provider.id = it.provider
           LEFT JOIN object o ON o.kind = 11 AND o.key = uuid_send(it.id)
           WHERE organization.name = $1 AND it.name = $2"#,
        name.organization.as_str(),
        name.discount.as_str(),
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

    fn policy(&self) -> Result<Discount, StoreError> {
        let terms = &self.terms;
        Ok(Discount {
            id: self.id,
            organization: self.organization,
            name: self.name.discount.to_string(),
            of: self.whom.policy()?,
            model: terms.model.clone(),
            off: terms.off,
            valid_from_ms: terms.valid_from_ms,
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
        let points = u16::try_from(self.basis_points).ok();
        let off = points.and_then(BasisPoints::new);
        let model = Glob::parse(&self.provider_model);
        Ok(Row {
            id: DiscountId::from_bytes(self.id.into_bytes()),
            name: DiscountName {
                organization: parent.organization.clone(),
                discount: column::read(Slug::parse(&self.name), "discount.name")?,
            },
            terms: Terms {
                display_name: self.display_name,
                whom: whom.name(parent, self.provider_name.as_deref())?,
                model: column::read(model, "discount.provider_model")?,
                off: column::known(off, "discount.basis_points")?,
                valid_from_ms: column::milliseconds(self.valid_from),
            },
            created_at: self.created_at,
            revision: column::revision(self.revision),
            organization: OrganizationId::from_bytes(self.organization.into_bytes()),
            whom,
        })
    }
}
