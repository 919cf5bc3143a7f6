//! Whom a price or a discount is for: between names and the columns that hold it, and how many there may be.

use domain::{
    name::{OrganizationName, ProviderName},
    price::For,
    segment::Slug,
};
use policy::{id::ProviderId, price::Of, provider::ProviderKind};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{column, conflict, error::StoreError, id::uuid, named};

/// The two columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForColumns {
    pub(crate) provider: Option<Uuid>,
    pub(crate) provider_kind: i32,
}

// === impl ForColumns ===

impl ForColumns {
    /// Those of a name; `field` is what names it.
    pub(crate) async fn of(
        connection: &mut PgConnection,
        whom: &For,
        field: &str,
    ) -> Result<Self, StoreError> {
        let (provider, kind) = match whom {
            For::Any => (None, 0),
            For::Kind(kind) => (None, *kind as u32),
            For::Provider(name) => {
                let id = named::provider(connection, name).await?;
                let id = id.ok_or_else(|| conflict::dangling(field, name))?;
                (Some(uuid(*id.as_bytes())), 0)
            }
        };
        let provider_kind = column::read(i32::try_from(kind), "provider_kind")?;
        Ok(Self {
            provider,
            provider_kind,
        })
    }

    /// As policy has it.
    pub(crate) fn policy(self) -> Result<Of, StoreError> {
        if let Some(id) = self.provider {
            return Ok(Of::Provider(ProviderId::from_bytes(id.into_bytes())));
        }
        Ok(self.kind()?.map_or(Of::Any, Of::Kind))
    }

    /// As names have it; `provider` is the last segment of the provider's.
    pub(crate) fn name(
        self,
        parent: &OrganizationName,
        provider: Option<&str>,
    ) -> Result<For, StoreError> {
        match provider {
            Some(text) => Ok(For::Provider(ProviderName {
                organization: parent.organization.clone(),
                provider: column::read(Slug::parse(text), "provider.name")?,
            })),
            None => Ok(self.kind()?.map_or(For::Any, For::Kind)),
        }
    }

    fn kind(self) -> Result<Option<ProviderKind>, StoreError> {
        match u32::try_from(self.provider_kind) {
            Ok(0) => Ok(None),
            Ok(number) => {
                let kind = ProviderKind::from_number(number);
                column::known(kind, "provider_kind").map(Some)
            }
            Err(_) => Err(StoreError::broken("provider_kind is negative")),
        }
    }
}

/// Keeps others from adding to the organization until this write ends, so that what is counted stays so.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    organization: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT id FROM organization WHERE id = $1 FOR NO KEY UPDATE",
        organization
    )
    .fetch_optional(connection)
    .await?;
    Ok(())
}
