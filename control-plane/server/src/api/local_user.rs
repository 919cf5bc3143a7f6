//! `LocalUserService`: who operates by a password and a code that are kept here.
//!
//! An activation code passes once, from the mint into the reply that makes it. Nobody gives or takes a role that holds more than they hold
//! in the same place, nor has somebody choose anew who holds more: whoever brings the code could choose in their place.

use domain::{local_user::ACTIVATION_MS, name::LocalUserName};
use keys::Family;
use lifecycle::clock::Clock;
use proto::admin::{self, local_user_service_server::LocalUserService};
use store::{
    id,
    local_user::{self as rows, Fresh, New, Row},
};
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use crate::{
    api::{
        desk::{self, Begun, Call, Desk, Draft},
        giving::{actor, look_up, may_give},
        local_user_wire::{self, BINDINGS, Change, wire},
        moment,
        page::List,
    },
    authn::Actor,
    sealed, status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct LocalUsers {
    desk: Desk,
    clock: Clock,
}

// === impl LocalUsers ===

impl LocalUsers {
    /// The service before this desk, with the ends of activation codes told by this clock.
    pub(crate) fn new(desk: Desk, clock: Clock) -> Self {
        Self { desk, clock }
    }

    /// What lets somebody with this id choose: the text for them, and what is kept of it.
    fn fresh(&self, id: &[u8; 16]) -> Result<(Zeroizing<String>, Fresh), Status> {
        let minted = keys::mint(Family::Activation);
        let ends_ms = self.clock.now_ms().saturating_add(ACTIVATION_MS);
        let ends_at = moment::from_millis(ends_ms);
        let ends_at =
            ends_at.map_err(|why| status::broken("a code would end at no moment", &why))?;
        let secret = factors::draw();
        let secret = secret.map_err(|why| status::broken("a secret cannot be drawn", &why))?;
        let fresh = Fresh {
            activation_sha256: minted.secret_sha256,
            activation_ends_at: ends_at,
            code_secret: sealed::seal_code_secret(self.desk.sealing(), id, &secret[..]),
        };
        Ok((minted.text, fresh))
    }
}

/// The row of somebody who holds no more than the actor, locked; it is noted as what stood before.
async fn beneath(
    draft: &mut Draft,
    actor: &Actor,
    (name, etag): (&LocalUserName, &str),
) -> Result<Row, Status> {
    let row = rows::lock(draft.write(), name, etag).await;
    let row = row.map_err(status::store)?;
    draft.before("LocalUser", &wire(row.clone()));
    may_give(actor, &row.checked.bindings)?;
    Ok(row)
}

/// A text that is shown once, and not at all where nothing is written.
fn text(draft: &Draft, minted: &Zeroizing<String>) -> String {
    if draft.validate_only() {
        String::new()
    } else {
        minted.as_str().to_owned()
    }
}

#[tonic::async_trait]
impl LocalUserService for LocalUsers {
    async fn create_local_user(
        &self,
        request: Request<admin::CreateLocalUserRequest>,
    ) -> Result<Response<admin::CreateLocalUserResponse>, Status> {
        let actor = actor(&request)?;
        let (call, mut wanted) = Call::open("CreateLocalUser", request, local_user_wire::wanted)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let bindings = wanted.checked.bindings.0.iter_mut();
        look_up(&mut draft, BINDINGS, bindings).await?;
        may_give(&actor, &wanted.checked.bindings)?;
        let id = id::draw();
        let (minted, fresh) = self.fresh(&id)?;
        let new = New {
            id,
            name: wanted.name,
            checked: wanted.checked,
            fresh,
        };
        let row = rows::create(draft.write(), new).await;
        let row = row.map_err(status::store)?;
        let text = text(&draft, &minted);
        draft
            .finish(|_| admin::CreateLocalUserResponse {
                local_user: Some(wire(row)),
                text,
            })
            .await
    }

    async fn get_local_user(
        &self,
        request: Request<admin::GetLocalUserRequest>,
    ) -> Result<Response<admin::LocalUser>, Status> {
        let name = desk::readable("name", LocalUserName::parse(&request.get_ref().name))?;
        let row = rows::get(self.desk.store(), &name).await;
        Ok(Response::new(wire(row.map_err(status::store)?)))
    }

    async fn list_local_users(
        &self,
        request: Request<admin::ListLocalUsersRequest>,
    ) -> Result<Response<admin::ListLocalUsersResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListLocalUsers",
            parent: &asked.parent,
        };
        let parent = desk::keeper(&asked.parent);
        let size = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, size, parent)?;
        let listed = rows::list(self.desk.store(), parent.as_ref(), &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListLocalUsersResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            local_users: listed.rows.into_iter().map(wire).collect(),
        }))
    }

    async fn update_local_user(
        &self,
        request: Request<admin::UpdateLocalUserRequest>,
    ) -> Result<Response<admin::LocalUser>, Status> {
        let actor = actor(&request)?;
        let (call, change) = Call::open("UpdateLocalUser", request, Change::read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let which = (&change.name, change.etag.as_str());
        let mut row = beneath(&mut draft, &actor, which).await?;
        change.apply(&mut row);
        let bindings = row.checked.bindings.0.iter_mut();
        look_up(&mut draft, BINDINGS, bindings).await?;
        may_give(&actor, &row.checked.bindings)?;
        let row = rows::update(draft.write(), &row).await;
        let row = row.map_err(status::store)?;
        draft.finish(|_| wire(row)).await
    }

    async fn reset_local_user(
        &self,
        request: Request<admin::ResetLocalUserRequest>,
    ) -> Result<Response<admin::ResetLocalUserResponse>, Status> {
        let actor = actor(&request)?;
        let (call, (name, etag)) = Call::open("ResetLocalUser", request, |asked| {
            let name = desk::named("name", LocalUserName::parse(&asked.name));
            name.map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = beneath(&mut draft, &actor, (&name, &etag)).await?;
        let (minted, fresh) = self.fresh(&row.id)?;
        let reset = rows::reset(draft.write(), &row, fresh).await;
        let (row, revoked) = reset.map_err(status::store)?;
        let text = text(&draft, &minted);
        draft
            .finish(|_| admin::ResetLocalUserResponse {
                local_user: Some(wire(row)),
                text,
                revoked: i32::try_from(revoked).unwrap_or(i32::MAX),
            })
            .await
    }

    async fn delete_local_user(
        &self,
        request: Request<admin::DeleteLocalUserRequest>,
    ) -> Result<Response<admin::DeleteLocalUserResponse>, Status> {
        let actor = actor(&request)?;
        let (call, (name, etag)) = Call::open("DeleteLocalUser", request, |asked| {
            let name = desk::named("name", LocalUserName::parse(&asked.name));
            name.map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = beneath(&mut draft, &actor, (&name, &etag)).await?;
        let revoked = rows::delete(draft.write(), &row).await;
        let revoked = revoked.map_err(status::store)?;
        let revoked = i32::try_from(revoked).unwrap_or(i32::MAX);
        draft
            .finish(|_| admin::DeleteLocalUserResponse { revoked })
            .await
    }
}
