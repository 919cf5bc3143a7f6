//! Trusts: whose tokens are exchanged for operator keys.
//!
//! A trust is made and deleted, and never changes. What was given for its tokens goes with it.

use domain::{
    name::{OrganizationName, TrustName},
    page::Page,
    pattern::Pattern,
    segment::Slug,
    trust::{Checked, ClaimPattern, Grant},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    bound, column, conflict,
    error::StoreError,
    given_key::{self, Giver},
    id,
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// A trust as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub(crate) id: Uuid,
    /// Its name.
    pub name: TrustName,
    /// All that an operator says of it.
    pub checked: Checked,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

struct Columns {
    id: Uuid,
    name: String,
    display_name: String,
    issuer_url: String,
    keys_url: String,
    audiences: Vec<String>,
    subject: String,
    claims: Vec<String>,
    patterns: Vec<String>,
    lifetime_ms: i64,
    client_id: String,
    scopes: Vec<String>,
    created_at: OffsetDateTime,
}

/// Reads one.
pub async fn get(store: &Store, name: &TrustName) -> Result<Row, StoreError> {
    read(&mut *store.connection().await?, name).await
}

/// Reads a page of those that an organization keeps, or that stand above all.
pub async fn list(
    store: &Store,
    parent: Option<&OrganizationName>,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::keeper(&mut connection, parent).await?;
    let rows = sqlx::query_as!(
        Columns,
        r#"SELECT id, name, display_name, issuer_url, keys_url, audiences, subject, claims, patterns,
                  lifetime_ms, client_id, scopes, created_at
           FROM trust WHERE organization IS NOT DISTINCT FROM $1 AND name > $2 ORDER BY name LIMIT $3"#,
        organization,
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut listed = Vec::with_capacity(rows.len());
    for columns in rows {
        let keeper = parent.map(|it| it.organization.clone());
        listed.push(whole(&mut connection, keeper, columns).await?);
    }
    Ok(list::cut(listed, page, |row| row.name.trust.as_str()))
}

/// Makes one.
pub async fn create(
    write: &mut Write,
    name: &TrustName,
    checked: &Checked,
) -> Result<Row, StoreError> {
    let keeper = name.keeper();
    let organization = named::keeper(write.connection(), keeper.as_ref()).await?;
    let trust = id::uuid(id::draw());
    let (claims, patterns) = texts(&checked.claims);
    sqlx::query!(
        r#"INSERT INTO trust (id, organization, name, display_name, issuer_url, keys_url, audiences,
                              subject, claims, patterns, lifetime_ms, client_id, scopes)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"#,
        trust,
        organization,
        name.trust.as_str(),
        checked.display_name,
        checked.url,
        checked.keys_url,
        &checked.audiences,
        checked.subject.as_ref().map_or("", Pattern::as_str),
        &claims,
        &patterns,
        column::number(checked.lifetime_ms),
        checked.client_id,
        &checked.scopes,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, name, name))?;
    for (at, grant) in checked.grants.iter().enumerate() {
        insert_grant(write.connection(), trust, at, grant).await?;
    }
    read(write.connection(), name).await
}

/// Reads one and keeps others from deleting it, or from being given anything for its tokens, until this write ends.
pub async fn lock(write: &mut Write, name: &TrustName) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    sqlx::query!("SELECT id FROM trust WHERE id = $1 FOR UPDATE", row.id)
        .fetch_optional(write.connection())
        .await?
        .ok_or_else(|| conflict::missing(name))?;
    Ok(row)
}

/// Deletes one that is locked, revokes what was given for its tokens, and says how many of those still worked.
pub async fn delete(write: &mut Write, row: &Row) -> Result<u64, StoreError> {
    let revoked = given_key::revoke(write, Giver::Trust(row.id)).await?;
    sqlx::query!("DELETE FROM trust WHERE id = $1", row.id)
        .execute(write.connection())
        .await?;
    Ok(revoked)
}

async fn insert_grant(
    connection: &mut PgConnection,
    trust: Uuid,
    at: usize,
    grant: &Grant,
) -> Result<(), StoreError> {
    let field = format!("trust.grants[{at}]");
    let scope = format!("{field}.scope");
    let (organization, project) = named::place(connection, &scope, &grant.binding.at).await?;
    let field = format!("{field}.role");
    let (role, own_role) = bound::columns(connection, &field, &grant.binding.role).await?;
    let (claims, patterns) = texts(&grant.claims);
    sqlx::query!(
        r#"INSERT INTO trust_grant (trust, place, role, organization, project, claims, patterns, own_role)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"#,
        trust,
        column::read(i16::try_from(at), "trust_grant.place")?,
        role,
        organization,
        project,
        &claims,
        &patterns,
        own_role,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn read(connection: &mut PgConnection, name: &TrustName) -> Result<Row, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.display_name, it.issuer_url, it.keys_url, it.audiences, it.subject,
                  it.claims, it.patterns, it.lifetime_ms, it.client_id, it.scopes, it.created_at
           FROM trust it LEFT JOIN organization ON organization.id = it.organization
           WHERE it.name = $1 AND organization.name IS NOT DISTINCT FROM $2"#,
        name.trust.as_str(),
        name.organization.as_ref().map(Slug::as_str),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    whole(connection, name.organization.clone(), columns).await
}

async fn whole(
    connection: &mut PgConnection,
    organization: Option<Slug>,
    columns: Columns,
) -> Result<Row, StoreError> {
    let subject = match columns.subject.as_str() {
        "" => None,
        text => Some(pattern(text)?),
    };
    Ok(Row {
        id: columns.id,
        name: TrustName {
            organization,
            trust: column::read(Slug::parse(&columns.name), "trust.name")?,
        },
        checked: Checked {
            display_name: columns.display_name,
            url: columns.issuer_url,
            keys_url: columns.keys_url,
            audiences: columns.audiences,
            subject,
            claims: claims(columns.claims, &columns.patterns)?,
            grants: grants(connection, columns.id).await?,
            lifetime_ms: column::count(columns.lifetime_ms),
            client_id: columns.client_id,
            scopes: columns.scopes,
        },
        created_at: columns.created_at,
    })
}

async fn grants(connection: &mut PgConnection, trust: Uuid) -> Result<Vec<Grant>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT it.role, organization.name AS "organization?", project.name AS "project?",
                  it.claims, it.patterns, role.name AS "own_role?", role.permissions AS "permissions?"
           FROM trust_grant it
           LEFT JOIN organization ON organization.id = it.organization
           LEFT JOIN project ON project.id = it.project
           LEFT JOIN role ON role.id = it.own_role
           WHERE it.trust = $1 ORDER BY it.place"#,
        trust,
    )
    .fetch_all(connection)
    .await?;
    let mut grants = Vec::with_capacity(rows.len());
    for row in rows {
        let columns = bound::Columns {
            role: row.role,
            own: row.own_role.zip(row.permissions),
            organization: row.organization,
            project: row.project,
        };
        if let Some(binding) = columns.binding()? {
            grants.push(Grant {
                binding,
                claims: claims(row.claims, &row.patterns)?,
            });
        }
    }
    Ok(grants)
}

fn claims(claims: Vec<String>, patterns: &[String]) -> Result<Vec<ClaimPattern>, StoreError> {
    // A claim that is left out would open what it is there to close.
    if claims.len() != patterns.len() {
        return Err(StoreError::broken("a trust has claims without patterns"));
    }
    let pairs = claims.into_iter().zip(patterns);
    let pair = |(claim, text): (String, &String)| {
        pattern(text).map(|pattern| ClaimPattern { claim, pattern })
    };
    pairs.map(pair).collect()
}

fn pattern(text: &str) -> Result<Pattern, StoreError> {
    column::read(Pattern::read(text), "a trust's pattern")
}

fn texts(claims: &[ClaimPattern]) -> (Vec<String>, Vec<String>) {
    let pair = |it: &ClaimPattern| (it.claim.clone(), it.pattern.as_str().to_owned());
    claims.iter().map(pair).unzip()
}
