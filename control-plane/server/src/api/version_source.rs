//! `VersionSourceService`: wire to command, store, wire.

use domain::name::{OrganizationName, VersionSourceName};
use proto::admin::{self, version_source_service_server::VersionSourceService};
use store::version_source as rows;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        page::List,
        version_source_wire::{wanted, wire},
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct VersionSources {
    desk: Desk,
}

// === impl VersionSources ===

impl VersionSources {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl VersionSourceService for VersionSources {
    async fn create_version_source(
        &self,
        request: Request<admin::CreateVersionSourceRequest>,
    ) -> Result<Response<admin::VersionSource>, Status> {
        let (call, wanted) = Call::open("CreateVersionSource", request, wanted)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let new = wanted.into_new(self.desk.sealing());
        let row = rows::create(draft.write(), new).await;
        let row = row.map_err(status::store)?;
        draft.finish(|_| wire(&row)).await
    }

    async fn get_version_source(
        &self,
        request: Request<admin::GetVersionSourceRequest>,
    ) -> Result<Response<admin::VersionSource>, Status> {
        let name = VersionSourceName::parse(&request.get_ref().name);
        let name = desk::readable("name", name)?;
        let row = rows::get(self.desk.store(), &name).await;
        Ok(Response::new(wire(&row.map_err(status::store)?)))
    }

    async fn list_version_sources(
        &self,
        request: Request<admin::ListVersionSourcesRequest>,
    ) -> Result<Response<admin::ListVersionSourcesResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListVersionSources",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let size = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, size, parent)?;
        let listed = rows::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListVersionSourcesResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            version_sources: listed.rows.iter().map(wire).collect(),
        }))
    }

    async fn delete_version_source(
        &self,
        request: Request<admin::DeleteVersionSourceRequest>,
    ) -> Result<Response<admin::DeleteVersionSourceResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteVersionSource", request, |asked| {
            let name = desk::named("name", VersionSourceName::parse(&asked.name));
            name.map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::delete(draft.write(), &name, &etag).await;
        draft.before("VersionSource", &wire(&row.map_err(status::store)?));
        draft
            .finish(|_| admin::DeleteVersionSourceResponse {})
            .await
    }
}
