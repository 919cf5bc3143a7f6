//! `ProviderService`: wire to command, store, wire.
//!
//! A credential passes through once, inward: sealed for the provider's row, and in clear for the lane that
//! takes it to edges. No reply holds one.

use domain::name::{OrganizationName, ProviderName};
use policy::revision::Revision;
use proto::admin::{self, provider_service_server::ProviderService};
use store::provider;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        page::List,
        provider_wire::{self, Change, wire},
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Providers {
    desk: Desk,
}

// === impl Providers ===

impl Providers {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl ProviderService for Providers {
    async fn create_provider(
        &self,
        request: Request<admin::CreateProviderRequest>,
    ) -> Result<Response<admin::Provider>, Status> {
        let (call, wanted) = Call::open("CreateProvider", request, provider_wire::wanted)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let (new, clear) = wanted.into_new(self.desk.sealing());
        let clear = clear.as_ref().map(|it| it.as_bytes());
        let row = provider::create(draft.write(), new, clear)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn get_provider(
        &self,
        request: Request<admin::GetProviderRequest>,
    ) -> Result<Response<admin::Provider>, Status> {
        let name = name(&request.get_ref().name)?;
        let row = provider::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire(row, Revision(0))))
    }

    async fn list_providers(
        &self,
        request: Request<admin::ListProvidersRequest>,
    ) -> Result<Response<admin::ListProvidersResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListProviders",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = provider::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListProvidersResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            providers: listed
                .rows
                .into_iter()
                .map(|row| wire(row, Revision(0)))
                .collect(),
        }))
    }

    async fn update_provider(
        &self,
        request: Request<admin::UpdateProviderRequest>,
    ) -> Result<Response<admin::Provider>, Status> {
        let (call, change) = Call::open("UpdateProvider", request, Change::read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let locked = provider::lock(draft.write(), &change.name, &change.etag).await;
        let mut row = locked.map_err(status::store)?;
        draft.before("Provider", &wire(row.clone(), Revision(0)));
        let clear = change.apply(&mut row, self.desk.sealing())?;
        let clear = clear.as_ref().map(|it| it.as_slice());
        let row = provider::update(draft.write(), &row, clear)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn delete_provider(
        &self,
        request: Request<admin::DeleteProviderRequest>,
    ) -> Result<Response<admin::DeleteProviderResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteProvider", request, |asked| {
            desk::named("name", ProviderName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = provider::lock(draft.write(), &name, &etag).await;
        let stood = wire(stood.map_err(status::store)?, Revision(0));
        draft.before("Provider", &stood);
        provider::delete(draft.write(), &name, &etag)
            .await
            .map_err(status::store)?;
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteProviderResponse {
                revision: reply(revision),
            })
            .await
    }
}

fn name(text: &str) -> Result<ProviderName, Status> {
    desk::readable("name", ProviderName::parse(text))
}
