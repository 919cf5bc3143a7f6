//! What operators ask edges of one key and one model: read once, whatever is asked of them.
//!
//! Knows names and that they exist; knows nothing of what an edge says of them.

use domain::{
    name::{KeyName, ModelAliasName, ModelName, OrganizationName},
    text,
    violation::Violations,
};
use policy::{id::OrganizationId, region::Region};
use store::{alias, error::StoreError, key, model, organization};
use tonic::Status;

use crate::{api::desk::Desk, status};

/// Whose requests for what are asked about.
#[derive(Debug)]
pub(crate) struct About {
    /// Whose.
    pub(crate) key: KeyName,
    /// For which model, of the same organization, or for what it is called by an alias.
    pub(crate) model: ModelName,
    /// In which region alone.
    pub(crate) region: Option<Region>,
    /// For whom; empty where nobody is named.
    pub(crate) end_user: String,
}

// === impl About ===

impl About {
    /// Reads the fields that have these names in every such request. What is wrong is added to `violations`.
    pub(crate) fn read(
        [key, model, end_user, region]: [&str; 4],
        violations: &mut Violations,
    ) -> Option<Self> {
        let key = violations.take("key", KeyName::parse(key));
        let model = violations.take("model", ModelName::parse(model));
        let end_user = violations.take("end_user", text::end_user(end_user));
        let region = (!region.is_empty()).then(|| Region::try_from(region));
        let region = region.map(|read| violations.take("region", read));
        if let (Some(key), Some(model)) = (&key, &model)
            && key.organization != model.organization
        {
            violations.add("model", "must be of the organization of the key");
        }
        Some(Self {
            key: key?,
            model: model?,
            region: region.flatten(),
            end_user: end_user?,
        })
    }

    /// The organization, of which an edge must know. Refuses what does not exist: an edge knows what is in force; that there is no such
    /// thing at all is known here.
    pub(crate) async fn organization(&self, desk: &Desk) -> Result<OrganizationId, Status> {
        self.exists(desk).await?;
        let organization = OrganizationName {
            organization: self.key.organization.clone(),
        };
        let row = organization::get(desk.store(), &organization).await;
        row.map(|it| it.id).map_err(status::store)
    }

    async fn exists(&self, desk: &Desk) -> Result<(), Status> {
        let store = desk.store();
        let key = key::get(store, &self.key).await;
        key.map_err(status::store)?;
        let missing = match model::get(store, &self.model).await {
            Err(why @ StoreError::NotFound { .. }) => why,
            found => return found.map(drop).map_err(status::store),
        };
        let alias = ModelAliasName {
            organization: self.model.organization.clone(),
            model_alias: self.model.model.clone(),
        };
        match alias::get(store, &alias).await {
            Err(StoreError::NotFound { .. }) => Err(status::store(missing)),
            found => found.map(drop).map_err(status::store),
        }
    }
}

/// So many milliseconds, as the wire has them.
pub(crate) fn duration(ms: u64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(ms / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(ms % 1_000 * 1_000_000).unwrap_or_default(),
    }
}
