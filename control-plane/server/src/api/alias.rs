//! `ModelAliasService`: wire to command, store, wire.

use domain::name::{ModelAliasName, OrganizationName};
use policy::revision::Revision;
use proto::admin::{self, model_alias_service_server::ModelAliasService};
use store::alias as rows;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        alias_wire::{self, wire},
        desk::{self, Begun, Call, Desk},
        page::List,
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Aliases {
    desk: Desk,
}

// === impl Aliases ===

impl Aliases {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl ModelAliasService for Aliases {
    async fn create_model_alias(
        &self,
        request: Request<admin::CreateModelAliasRequest>,
    ) -> Result<Response<admin::ModelAlias>, Status> {
        let (call, new) = Call::open("CreateModelAlias", request, alias_wire::new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::create(draft.write(), new).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }

    async fn get_model_alias(
        &self,
        request: Request<admin::GetModelAliasRequest>,
    ) -> Result<Response<admin::ModelAlias>, Status> {
        let name = ModelAliasName::parse(&request.get_ref().name);
        let name = desk::readable("name", name)?;
        let row = rows::get(self.desk.store(), &name).await;
        let row = row.map_err(status::store)?;
        Ok(Response::new(wire(&row, Revision(0))))
    }

    async fn list_model_aliases(
        &self,
        request: Request<admin::ListModelAliasesRequest>,
    ) -> Result<Response<admin::ListModelAliasesResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListModelAliases",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let size = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, size, parent)?;
        let listed = rows::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        let rows = listed.rows.iter();
        Ok(Response::new(admin::ListModelAliasesResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            model_aliases: rows.map(|row| wire(row, Revision(0))).collect(),
        }))
    }

    async fn update_model_alias(
        &self,
        request: Request<admin::UpdateModelAliasRequest>,
    ) -> Result<Response<admin::ModelAlias>, Status> {
        let (call, change) = Call::open("UpdateModelAlias", request, alias_wire::change)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &change.name, &change.etag).await;
        let row = row.map_err(status::store)?;
        draft.before("ModelAlias", &wire(&row, Revision(0)));
        let model = change.model.or(row.model.clone());
        let follows = change.follows.or(row.follows.clone());
        let row = rows::update(draft.write(), &row, (&model, &follows)).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }

    async fn delete_model_alias(
        &self,
        request: Request<admin::DeleteModelAliasRequest>,
    ) -> Result<Response<admin::DeleteModelAliasResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteModelAlias", request, |asked| {
            let name = desk::named("name", ModelAliasName::parse(&asked.name));
            name.map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &name, &etag).await;
        let row = row.map_err(status::store)?;
        draft.before("ModelAlias", &wire(&row, Revision(0)));
        let gone = rows::delete(draft.write(), &row).await;
        gone.map_err(status::store)?;
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteModelAliasResponse {
                revision: reply(revision),
            })
            .await
    }
}
