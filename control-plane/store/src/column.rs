//! Between columns and values: where a row that no code of ours could have written is found out.

use domain::{name::OrganizationName, segment::Slug};
use policy::{
    change::Operation,
    id::OrganizationId,
    object::{Kind, Lane},
    region::{Audience, Region},
    remit::{Owner, Remit},
    revision::Revision,
};
use sqlx::types::Uuid;
use time::OffsetDateTime;

use crate::{error::StoreError, id::uuid};

/// The value, or the news that this column holds something else.
pub(crate) fn read<T, E>(value: Result<T, E>, column: &str) -> Result<T, StoreError> {
    value.map_err(|_| StoreError::Broken(format!("{column} holds what it should not")))
}

/// The value, or the news that this column holds something else.
pub(crate) fn known<T>(value: Option<T>, column: &str) -> Result<T, StoreError> {
    read(value.ok_or(()), column)
}

/// A count, time or revision as the database has it. What does not fit is as good as endless.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count, time or revision from the database, where none is negative.
pub(crate) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A revision from the database.
pub(crate) fn revision(value: i64) -> Revision {
    Revision(count(value))
}

/// A lane from the database.
pub(crate) fn lane(value: i16) -> Result<Lane, StoreError> {
    known(u8::try_from(value).ok().and_then(Lane::from_number), "lane")
}

/// A kind from the database; a newer control plane may have written one that this build does not know.
pub(crate) fn kind(value: i16) -> Result<u8, StoreError> {
    read(u8::try_from(value), "kind")
}

/// An operation from the database.
pub(crate) fn operation(value: i16) -> Result<Operation, StoreError> {
    known(
        u8::try_from(value).ok().and_then(Operation::from_number),
        "operation",
    )
}

/// Regions from the database.
pub(crate) fn regions(texts: &[String]) -> Result<Vec<Region>, StoreError> {
    texts
        .iter()
        .map(|text| read(Region::try_from(text.as_str()), "region"))
        .collect()
}

/// An audience from the database.
pub(crate) fn audience(texts: &[String]) -> Result<Audience, StoreError> {
    regions(texts).map(Audience::only)
}

/// Whose an object of this kind is.
pub(crate) fn owner(kind: u8, organization: Option<Uuid>) -> Owner {
    match organization {
        Some(it) => Owner::Organization(OrganizationId::from_bytes(it.into_bytes())),
        None if kind == Kind::Pepper as u8 => Owner::Installation,
        None => Owner::Unknown,
    }
}

/// A remit from the database.
pub(crate) fn remit(region: &str, organization: Option<Uuid>) -> Result<Remit, StoreError> {
    Ok(Remit {
        region: read(Region::try_from(region), "region")?,
        organization: organization.map(|it| OrganizationId::from_bytes(it.into_bytes())),
    })
}

/// The name of an organization from the database, where there is one.
pub(crate) fn organization_name(
    name: Option<&str>,
) -> Result<Option<OrganizationName>, StoreError> {
    let named = name.map(|it| {
        let organization = read(Slug::parse(it), "organization.name")?;
        Ok(OrganizationName { organization })
    });
    named.transpose()
}

/// The organization of a remit as the database has it.
pub(crate) fn organization(remit: &Remit) -> Option<Uuid> {
    remit.organization.map(|it| uuid(*it.as_bytes()))
}

/// Regions as the database has them.
pub(crate) fn texts(regions: &[Region]) -> Vec<String> {
    regions
        .iter()
        .map(|region| region.as_str().to_owned())
        .collect()
}

/// A moment in milliseconds since 1970; moments before count as 1970.
pub(crate) fn milliseconds(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// The moment at `ms` milliseconds since 1970.
pub(crate) fn moment(ms: u64) -> Result<OffsetDateTime, StoreError> {
    read(
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000),
        "a time",
    )
}
