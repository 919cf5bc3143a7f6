//! `IssuerService`: wire to command, store, wire.

use domain::name::{IssuerName, OrganizationName};
use policy::revision::Revision;
use proto::admin::{self, issuer_service_server::IssuerService};
use store::issuer;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        issuer_wire::{self, Change, wire},
        page::List,
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Issuers {
    desk: Desk,
}

// === impl Issuers ===

impl Issuers {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl IssuerService for Issuers {
    async fn create_issuer(
        &self,
        request: Request<admin::CreateIssuerRequest>,
    ) -> Result<Response<admin::Issuer>, Status> {
        let (call, new) = Call::open("CreateIssuer", request, issuer_wire::new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = issuer::create(draft.write(), new)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn get_issuer(
        &self,
        request: Request<admin::GetIssuerRequest>,
    ) -> Result<Response<admin::Issuer>, Status> {
        let name = name(&request.get_ref().name)?;
        let row = issuer::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire(row, Revision(0))))
    }

    async fn list_issuers(
        &self,
        request: Request<admin::ListIssuersRequest>,
    ) -> Result<Response<admin::ListIssuersResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListIssuers",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = issuer::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListIssuersResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            issuers: listed
                .rows
                .into_iter()
                .map(|row| wire(row, Revision(0)))
                .collect(),
        }))
    }

    async fn update_issuer(
        &self,
        request: Request<admin::UpdateIssuerRequest>,
    ) -> Result<Response<admin::Issuer>, Status> {
        let (call, change) = Call::open("UpdateIssuer", request, Change::read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let locked = issuer::lock(draft.write(), &change.name, &change.etag).await;
        let mut row = locked.map_err(status::store)?;
        draft.before("Issuer", &wire(row.clone(), Revision(0)));
        change.apply(&mut row)?;
        let row = issuer::update(draft.write(), &row)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn delete_issuer(
        &self,
        request: Request<admin::DeleteIssuerRequest>,
    ) -> Result<Response<admin::DeleteIssuerResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteIssuer", request, |asked| {
            desk::named("name", IssuerName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = issuer::lock(draft.write(), &name, &etag).await;
        let stood = wire(stood.map_err(status::store)?, Revision(0));
        draft.before("Issuer", &stood);
        issuer::delete(draft.write(), &name, &etag)
            .await
            .map_err(status::store)?;
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteIssuerResponse {
                revision: reply(revision),
            })
            .await
    }
}

fn name(text: &str) -> Result<IssuerName, Status> {
    desk::readable("name", IssuerName::parse(text))
}
