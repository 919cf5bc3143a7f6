//! `ModelVersionService`: wire to command, store, wire.

use domain::{
    name::{ModelName, VersionName},
    segment::Slug,
    version,
    violation::Violations,
};
use policy::{id::VersionId, revision::Revision};
use proto::admin::{self, model_version_service_server::ModelVersionService};
use store::{
    id,
    version::{self as rows, New, Row},
};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        moment,
        page::List,
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct ModelVersions {
    desk: Desk,
}

// === impl ModelVersions ===

impl ModelVersions {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl ModelVersionService for ModelVersions {
    async fn create_model_version(
        &self,
        request: Request<admin::CreateModelVersionRequest>,
    ) -> Result<Response<admin::ModelVersion>, Status> {
        let (call, new) = Call::open("CreateModelVersion", request, new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::create(draft.write(), new)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn get_model_version(
        &self,
        request: Request<admin::GetModelVersionRequest>,
    ) -> Result<Response<admin::ModelVersion>, Status> {
        let name = name(&request.get_ref().name)?;
        let row = rows::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire(row, Revision(0))))
    }

    async fn list_model_versions(
        &self,
        request: Request<admin::ListModelVersionsRequest>,
    ) -> Result<Response<admin::ListModelVersionsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListModelVersions",
            parent: &asked.parent,
        };
        let parent = ModelName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = rows::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListModelVersionsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            model_versions: listed
                .rows
                .into_iter()
                .map(|row| wire(row, Revision(0)))
                .collect(),
        }))
    }

    async fn delete_model_version(
        &self,
        request: Request<admin::DeleteModelVersionRequest>,
    ) -> Result<Response<admin::DeleteModelVersionResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteModelVersion", request, |asked| {
            desk::named("name", VersionName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        rows::delete(draft.write(), &name, &etag)
            .await
            .map_err(status::store)?;
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteModelVersionResponse {
                revision: reply(revision),
            })
            .await
    }
}

fn name(text: &str) -> Result<VersionName, Status> {
    desk::readable("name", VersionName::parse(text))
}

fn new(asked: admin::CreateModelVersionRequest) -> Result<New, Violations> {
    let given = desk::required(asked.model_version, "model_version")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", ModelName::parse(&asked.parent));
    let slug = violations.take("model_version_id", Slug::parse(&asked.model_version_id));
    let Some(parent) = parent else {
        return Err(violations);
    };
    let targets = given
        .targets
        .iter()
        .map(|it| (it.provider.as_str(), it.provider_model.as_str()));
    let targets: Vec<_> = targets.collect();
    let entries = given
        .provenance
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let checked = version::check(&parent.organization, &targets, entries);
    let checked = checked.map_err(|others| violations.append(others)).ok();
    let (Some(version), Some(checked)) = (slug, checked) else {
        return Err(violations);
    };
    let name = VersionName {
        organization: parent.organization,
        model: parent.model,
        version,
    };
    let id = VersionId::from_bytes(id::draw());
    Ok(New {
        id,
        name,
        targets: checked.targets,
        provenance: checked.provenance,
    })
}

fn wire(row: Row, written: Revision) -> admin::ModelVersion {
    let target = |target: version::Target| admin::Target {
        provider: target.provider.to_string(),
        provider_model: target.provider_model,
    };
    admin::ModelVersion {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        create_time: Some(moment::to_wire(row.created_at)),
        revision: desk::latest(row.revision, written),
        targets: row.targets.into_iter().map(target).collect(),
        provenance: row.provenance.into_iter().collect(),
    }
}
