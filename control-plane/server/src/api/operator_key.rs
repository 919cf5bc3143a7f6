//! `OperatorKeyService`: who may call the admin API, and what each may do.
//!
//! The text of a key passes once, from the mint into the reply that makes it. Nobody gives or takes a role that holds
//! more than they hold in the same place.

use domain::{key, name::OperatorKeyName, segment::KeyId};
use keys::{Family, Minted};
use lifecycle::clock::Clock;
use proto::admin::{self, operator_key_service_server::OperatorKeyService};
use store::operator_key as rows;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        giving::{actor, look_up, may_give},
        operator_key_wire::{self, Change, EXPIRE_TIME},
        page::List,
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct OperatorKeys {
    desk: Desk,
    clock: Clock,
}

// === impl OperatorKeys ===

impl OperatorKeys {
    /// The service before this desk, with expiry told by this clock.
    pub(crate) fn new(desk: Desk, clock: Clock) -> Self {
        Self { desk, clock }
    }
}

#[tonic::async_trait]
impl OperatorKeyService for OperatorKeys {
    async fn create_operator_key(
        &self,
        request: Request<admin::CreateOperatorKeyRequest>,
    ) -> Result<Response<admin::CreateOperatorKeyResponse>, Status> {
        let actor = actor(&request)?;
        let (call, mut wanted) =
            Call::open("CreateOperatorKey", request, operator_key_wire::wanted)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let bindings = wanted.bindings.0.iter_mut();
        look_up(&mut draft, "operator_key.bindings", bindings).await?;
        may_give(&actor, &wanted.bindings)?;
        if let Some(at) = wanted.expires_ms {
            let ahead = key::expire(at, self.clock.now_ms());
            desk::readable(EXPIRE_TIME, ahead)?;
        }
        let Minted {
            text,
            key_id,
            secret_sha256,
        } = keys::mint(Family::Operator);
        let key_id = KeyId::parse(&key_id)
            .map_err(|why| status::broken("a minted key id is not a key id", &why))?;
        let new = wanted.into_new(key_id, secret_sha256);
        let row = rows::create(draft.write(), new).await;
        let row = row.map_err(status::store)?;
        let text = if draft.validate_only() {
            ""
        } else {
            text.as_str()
        };
        draft
            .finish(|_| admin::CreateOperatorKeyResponse {
                operator_key: Some(operator_key_wire::wire(row)),
                text: text.to_owned(),
            })
            .await
    }

    async fn get_operator_key(
        &self,
        request: Request<admin::GetOperatorKeyRequest>,
    ) -> Result<Response<admin::OperatorKey>, Status> {
        let name = OperatorKeyName::parse(&request.get_ref().name);
        let name = desk::readable("name", name)?;
        let row = rows::get(self.desk.store(), &name).await;
        Ok(Response::new(operator_key_wire::wire(
            row.map_err(status::store)?,
        )))
    }

    async fn list_operator_keys(
        &self,
        request: Request<admin::ListOperatorKeysRequest>,
    ) -> Result<Response<admin::ListOperatorKeysResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListOperatorKeys",
            parent: &asked.parent,
        };
        let parent = desk::keeper(&asked.parent);
        let size = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, size, parent)?;
        let listed = rows::list(self.desk.store(), parent.as_ref(), &page).await;
        let listed = listed.map_err(status::store)?;
        let wire = operator_key_wire::wire;
        Ok(Response::new(admin::ListOperatorKeysResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            operator_keys: listed.rows.into_iter().map(wire).collect(),
        }))
    }

    async fn update_operator_key(
        &self,
        request: Request<admin::UpdateOperatorKeyRequest>,
    ) -> Result<Response<admin::OperatorKey>, Status> {
        let actor = actor(&request)?;
        let (call, change) = Call::open("UpdateOperatorKey", request, Change::read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &change.name).await;
        let mut row = row.map_err(status::store)?;
        draft.before("OperatorKey", &operator_key_wire::wire(row.clone()));
        may_give(&actor, &row.bindings)?;
        change
            .apply(&mut row, self.clock.now_ms())
            .map_err(status::invalid)?;
        let bindings = row.bindings.0.iter_mut();
        look_up(&mut draft, "operator_key.bindings", bindings).await?;
        may_give(&actor, &row.bindings)?;
        let row = rows::update(draft.write(), &row).await;
        let row = row.map_err(status::store)?;
        draft.finish(|_| operator_key_wire::wire(row)).await
    }

    async fn revoke_operator_key(
        &self,
        request: Request<admin::RevokeOperatorKeyRequest>,
    ) -> Result<Response<admin::RevokeOperatorKeyResponse>, Status> {
        let actor = actor(&request)?;
        let (call, name) = Call::open("RevokeOperatorKey", request, |asked| {
            desk::named("name", OperatorKeyName::parse(&asked.name))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &name).await;
        let row = row.map_err(status::store)?;
        may_give(&actor, &row.bindings)?;
        draft.before("OperatorKey", &operator_key_wire::wire(row));
        let row = rows::revoke(draft.write(), &name).await;
        let row = row.map_err(status::store)?;
        draft
            .finish(|_| admin::RevokeOperatorKeyResponse {
                operator_key: Some(operator_key_wire::wire(row)),
            })
            .await
    }
}
