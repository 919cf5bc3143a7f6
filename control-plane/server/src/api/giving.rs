//! Who asks for roles to be held, and whether they may: nobody gives or takes what they do not hold in the same place.
//!
//! Knows roles and where they are bound; knows nothing of what holds them.

use domain::access::{Binding, Bindings};
use store::role;
use tonic::{Request, Status};

use crate::{
    api::desk::Draft,
    authn::{Actor, NotAuthenticated},
    status,
};

/// Who asks.
pub(crate) fn actor<T>(request: &Request<T>) -> Result<Actor, Status> {
    let actor = request.extensions().get::<Actor>().cloned();
    actor.ok_or_else(|| status::not_authenticated(NotAuthenticated::Nothing))
}

/// Looks up what roles that are about to be bound hold, and keeps them so until the write ends.
pub(crate) async fn look_up(
    draft: &mut Draft,
    field: &str,
    bindings: impl Iterator<Item = &mut Binding> + Send,
) -> Result<(), Status> {
    for (at, binding) in bindings.enumerate() {
        let field = format!("{field}[{at}].role");
        let known = role::look_up(draft.write(), &field, binding).await;
        known.map_err(status::store)?;
    }
    Ok(())
}

/// Whether the actor may bind all of this.
pub(crate) fn may_give(actor: &Actor, bindings: &Bindings) -> Result<(), Status> {
    let mut refused = bindings.0.iter().filter(|it| !actor.bindings.may_give(it));
    match refused.next() {
        Some(it) => Err(status::cannot_give(&it.role.name(), &it.at)),
        None => Ok(()),
    }
}
