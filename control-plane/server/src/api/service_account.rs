//! `ServiceAccountService`: wire to command, store, wire.

use domain::name::{ProjectName, ServiceAccountName};
use policy::revision::Revision;
use proto::admin::{self, service_account_service_server::ServiceAccountService};
use store::service_account as rows;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        page::List,
        service_account_wire::{self, Change, wire},
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct ServiceAccounts {
    desk: Desk,
}

// === impl ServiceAccounts ===

impl ServiceAccounts {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl ServiceAccountService for ServiceAccounts {
    async fn create_service_account(
        &self,
        request: Request<admin::CreateServiceAccountRequest>,
    ) -> Result<Response<admin::ServiceAccount>, Status> {
        let (call, new) = Call::open("CreateServiceAccount", request, service_account_wire::new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::create(draft.write(), new).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn get_service_account(
        &self,
        request: Request<admin::GetServiceAccountRequest>,
    ) -> Result<Response<admin::ServiceAccount>, Status> {
        let name = ServiceAccountName::parse(&request.get_ref().name);
        let name = desk::readable("name", name)?;
        let row = rows::get(self.desk.store(), &name).await;
        let row = row.map_err(status::store)?;
        Ok(Response::new(wire(row, Revision(0))))
    }

    async fn list_service_accounts(
        &self,
        request: Request<admin::ListServiceAccountsRequest>,
    ) -> Result<Response<admin::ListServiceAccountsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListServiceAccounts",
            parent: &asked.parent,
        };
        let parent = ProjectName::parse(&asked.parent);
        let size = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, size, parent)?;
        let listed = rows::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        let wire = |row| wire(row, Revision(0));
        Ok(Response::new(admin::ListServiceAccountsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            service_accounts: listed.rows.into_iter().map(wire).collect(),
        }))
    }

    async fn update_service_account(
        &self,
        request: Request<admin::UpdateServiceAccountRequest>,
    ) -> Result<Response<admin::ServiceAccount>, Status> {
        let (call, change) = Call::open("UpdateServiceAccount", request, Change::read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &change.name, &change.etag).await;
        let mut row = row.map_err(status::store)?;
        draft.before("ServiceAccount", &wire(row.clone(), Revision(0)));
        let switched = change.apply(&mut row);
        let row = rows::update(draft.write(), &row, switched).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn delete_service_account(
        &self,
        request: Request<admin::DeleteServiceAccountRequest>,
    ) -> Result<Response<admin::DeleteServiceAccountResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteServiceAccount", request, |asked| {
            let name = desk::named("name", ServiceAccountName::parse(&asked.name));
            name.map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &name, &etag).await;
        let row = row.map_err(status::store)?;
        draft.before("ServiceAccount", &wire(row.clone(), Revision(0)));
        let deleted = rows::delete(draft.write(), &row).await;
        deleted.map_err(status::store)?;
        draft
            .finish(|_| admin::DeleteServiceAccountResponse {})
            .await
    }
}
