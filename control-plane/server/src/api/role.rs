//! `RoleService`: roles of organizations' own.
//!
//! Nobody makes or changes a role that holds, before or after, more than they hold in its organization: so it does not matter
//! where it is bound, and whoever binds it is asked in turn.

use domain::{
    access::{Binding, Bindings, Bound, OwnRole, Permission, Permissions, Place},
    name::{OrganizationName, RoleName},
};
use proto::admin::{self, role_service_server::RoleService};
use store::role as rows;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        giving::{actor, may_give},
        page::List,
        role_wire::{self, Change, wire},
    },
    authn::Actor,
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Roles {
    desk: Desk,
}

// === impl Roles ===

impl Roles {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl RoleService for Roles {
    async fn create_role(
        &self,
        request: Request<admin::CreateRoleRequest>,
    ) -> Result<Response<admin::Role>, Status> {
        let actor = actor(&request)?;
        let (call, new) = Call::open("CreateRole", request, role_wire::new)?;
        may_write(&actor, &new.name, &new.permissions)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::create(draft.write(), new).await;
        let row = row.map_err(status::store)?;
        draft.finish(|_| wire(row)).await
    }

    async fn get_role(
        &self,
        request: Request<admin::GetRoleRequest>,
    ) -> Result<Response<admin::Role>, Status> {
        let name = desk::readable("name", RoleName::parse(&request.get_ref().name))?;
        let row = rows::get(self.desk.store(), &name).await;
        Ok(Response::new(wire(row.map_err(status::store)?)))
    }

    async fn list_roles(
        &self,
        request: Request<admin::ListRolesRequest>,
    ) -> Result<Response<admin::ListRolesResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListRoles",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let size = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, size, parent)?;
        let listed = rows::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListRolesResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            roles: listed.rows.into_iter().map(wire).collect(),
        }))
    }

    async fn update_role(
        &self,
        request: Request<admin::UpdateRoleRequest>,
    ) -> Result<Response<admin::Role>, Status> {
        let actor = actor(&request)?;
        let (call, change) = Call::open("UpdateRole", request, Change::read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &change.name, &change.etag).await;
        let mut row = row.map_err(status::store)?;
        draft.before("Role", &wire(row.clone()));
        may_write(&actor, &row.name, &row.permissions)?;
        change.apply(&mut row);
        may_write(&actor, &row.name, &row.permissions)?;
        let row = rows::update(draft.write(), &row).await;
        let row = row.map_err(status::store)?;
        draft.finish(|_| wire(row)).await
    }

    async fn delete_role(
        &self,
        request: Request<admin::DeleteRoleRequest>,
    ) -> Result<Response<admin::DeleteRoleResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteRole", request, |asked| {
            desk::named("name", RoleName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &name, &etag).await;
        let row = row.map_err(status::store)?;
        draft.before("Role", &wire(row.clone()));
        let deleted = rows::delete(draft.write(), &row).await;
        deleted.map_err(status::store)?;
        draft.finish(|_| admin::DeleteRoleResponse {}).await
    }

    async fn list_permissions(
        &self,
        _: Request<admin::ListPermissionsRequest>,
    ) -> Result<Response<admin::ListPermissionsResponse>, Status> {
        let all = Permission::ALL.iter().copied();
        Ok(Response::new(admin::ListPermissionsResponse {
            permissions: all.map(role_wire::permission).collect(),
        }))
    }
}

/// Whether the actor holds all of this in the organization of the role.
fn may_write(actor: &Actor, name: &RoleName, permissions: &Permissions) -> Result<(), Status> {
    let role = Bound::Own(OwnRole {
        name: name.clone(),
        permissions: permissions.clone(),
    });
    let at = Place::Organization(name.parent());
    may_give(actor, &Bindings(vec![Binding { role, at }]))
}
