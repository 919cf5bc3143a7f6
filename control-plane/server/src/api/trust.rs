//! `TrustService`: whose tokens let somebody in as an operator.
//!
//! Nobody grants or takes a role that holds more than they hold in the same place.

use domain::name::TrustName;
use proto::admin::{self, trust_service_server::TrustService};
use store::trust as rows;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        giving::{actor, look_up, may_give},
        page::List,
        trust_wire::{self, wire},
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Trusts {
    desk: Desk,
}

// === impl Trusts ===

impl Trusts {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl TrustService for Trusts {
    async fn create_trust(
        &self,
        request: Request<admin::CreateTrustRequest>,
    ) -> Result<Response<admin::Trust>, Status> {
        let actor = actor(&request)?;
        let (call, mut wanted) = Call::open("CreateTrust", request, trust_wire::wanted)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let bindings = wanted.checked.grants.iter_mut().map(|it| &mut it.binding);
        look_up(&mut draft, "trust.grants", bindings).await?;
        may_give(&actor, &wanted.checked.bindings())?;
        let row = rows::create(draft.write(), &wanted.name, &wanted.checked).await;
        let row = row.map_err(status::store)?;
        draft.finish(|_| wire(row)).await
    }

    async fn get_trust(
        &self,
        request: Request<admin::GetTrustRequest>,
    ) -> Result<Response<admin::Trust>, Status> {
        let name = desk::readable("name", TrustName::parse(&request.get_ref().name))?;
        let row = rows::get(self.desk.store(), &name).await;
        Ok(Response::new(wire(row.map_err(status::store)?)))
    }

    async fn list_trusts(
        &self,
        request: Request<admin::ListTrustsRequest>,
    ) -> Result<Response<admin::ListTrustsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListTrusts",
            parent: &asked.parent,
        };
        let parent = desk::keeper(&asked.parent);
        let size = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, size, parent)?;
        let listed = rows::list(self.desk.store(), parent.as_ref(), &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListTrustsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            trusts: listed.rows.into_iter().map(wire).collect(),
        }))
    }

    async fn delete_trust(
        &self,
        request: Request<admin::DeleteTrustRequest>,
    ) -> Result<Response<admin::DeleteTrustResponse>, Status> {
        let actor = actor(&request)?;
        let (call, name) = Call::open("DeleteTrust", request, |asked| {
            desk::named("name", TrustName::parse(&asked.name))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &name).await;
        let row = row.map_err(status::store)?;
        may_give(&actor, &row.checked.bindings())?;
        draft.before("Trust", &wire(row.clone()));
        let revoked = rows::delete(draft.write(), &row).await;
        let revoked = revoked.map_err(status::store)?;
        let revoked = i32::try_from(revoked).unwrap_or(i32::MAX);
        draft
            .finish(|_| admin::DeleteTrustResponse { revoked })
            .await
    }
}
