//! What the actor may do is asked here, before any method runs, of one table for all of them.
//!
//! Stands behind the gate, which knows who calls, and behind the check of the contract, so that the bytes are a message.
//! A method that is not in the table is allowed to nobody. Knows nothing of what exists: a denial tells nothing of it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use domain::{
    access::{Permission, Place},
    methods::{self, Need},
};
use http::{Request, Response};
use http_body_util::BodyExt;
use proto::unknown::Contract;
use store::Reach;
use tonic::Status;
use tower::{Layer, Service};

use crate::{
    api::gate,
    audit_entry::Deed,
    authn::{Actor, NotAuthenticated},
    denials::Denials,
    status, strict,
};

/// The requests that are asked about; who is known may ask others, which tell what the API is.
const CHECKED_PREFIX: &str = "/sluice.admin.v1.";

/// Puts an [`Access`] before a service.
#[derive(Clone)]
pub(crate) struct AccessLayer {
    contract: Arc<Contract>,
    denials: Denials,
}

/// A service that sees only requests which their actors may make.
#[derive(Clone)]
pub(crate) struct Access<S> {
    inner: S,
    contract: Arc<Contract>,
    denials: Denials,
}

/// Why an actor may not: what they need, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied(pub(crate) Option<(Permission, Place)>);

/// What a request names, for the audit trail: the thing itself, or what it is to stand in. May be empty.
#[derive(Debug, Clone)]
pub(crate) struct Named(pub(crate) String);

fn named(contract: &Contract, path: &str, message: &[u8]) -> String {
    let field = match methods::need(path) {
        Some(Need::In(_, field)) if !field.is_empty() => field,
        _ => "name",
    };
    let request = contract.request_of(path);
    let name = request.and_then(|it| contract.text_at(it, message, field));
    name.unwrap_or_default()
}

/// Whether the actor may call the method at this path with this message, and how far the database is reached then: as far
/// as the place that was judged.
pub(crate) fn allowed(
    contract: &Contract,
    actor: &Actor,
    path: &str,
    message: &[u8],
) -> Result<Reach, Denied> {
    let (permission, field) = match methods::need(path).ok_or(Denied(None))? {
        Need::Operator | Need::Nothing => return Ok(Reach::Everywhere),
        Need::In(permission, field) => (permission, field),
    };
    let place = if field.is_empty() {
        Place::Everywhere
    } else {
        let request = contract.request_of(path).ok_or(Denied(None))?;
        let name = contract.text_at(request, message, field);
        // What names nothing is for those to judge who may do it anywhere.
        let place = Place::of(&name.ok_or(Denied(None))?);
        place.unwrap_or(Place::Everywhere)
    };
    if !actor.bindings.allow(permission, &place) {
        return Err(Denied(Some((permission, place))));
    }
    Ok(match place {
        Place::Everywhere => Reach::Everywhere,
        Place::Organization(name) => Reach::Organization(name),
        Place::Project(name) => Reach::Organization(name.parent()),
    })
}

// === impl Denied ===

impl Denied {
    fn status(&self) -> Status {
        let needs = self.0.as_ref();
        status::denied(needs.map(|(permission, place)| (*permission, place)))
    }

    /// What is told of it in the audit trail.
    fn deed(&self, actor: &Actor, path: &str) -> Deed {
        let place = self.0.as_ref().map(|(_, place)| place.to_string());
        Deed {
            actor: actor.key_id.clone(),
            source: actor.source.to_string(),
            method: gate::method(path),
            object: place.unwrap_or_default(),
        }
    }
}

// === impl AccessLayer ===

impl AccessLayer {
    /// Finds names in requests by this contract, and tells of what it denies.
    pub(crate) fn new(contract: Contract, denials: Denials) -> Self {
        let contract = Arc::new(contract);
        Self { contract, denials }
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Access<S>;

    fn layer(&self, inner: S) -> Access<S> {
        Access {
            inner,
            contract: Arc::clone(&self.contract),
            denials: self.denials.clone(),
        }
    }
}

// === impl Access ===

impl<S, B, R> Service<Request<B>> for Access<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone stays; the one that was asked for readiness is used.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let known = self.contract.request_of(request.uri().path()).is_some();
        if !known || !request.uri().path().starts_with(CHECKED_PREFIX) {
            // No such method: the routes say so.
            return Box::pin(inner.call(request));
        }
        if methods::need(request.uri().path()) == Some(Need::Nothing) {
            return Box::pin(Reach::Everywhere.hold(inner.call(request)));
        }
        let contract = Arc::clone(&self.contract);
        let denials = self.denials.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let Some(actor) = head.extensions.get::<Actor>() else {
                return Ok(status::not_authenticated(NotAuthenticated::Nothing).into_http());
            };
            // Read whole and bounded already, where the contract was checked.
            let Ok(collected) = body.collect().await else {
                return Ok(status::request_broken_off().into_http());
            };
            let bytes = collected.to_bytes();
            let message = match strict::unframed(&bytes) {
                Ok(message) => message,
                Err(status) => return Ok(status.into_http()),
            };
            let reach = match allowed(&contract, actor, head.uri.path(), message) {
                Ok(reach) => reach,
                Err(why) => {
                    let deed = why.deed(actor, head.uri.path());
                    let status = why.status();
                    denials.tell(deed, status.message().to_owned());
                    return Ok(status.into_http());
                }
            };
            let named = Named(named(&contract, head.uri.path(), message));
            head.extensions.insert(named);
            let work = inner.call(Request::from_parts(head, B::from(bytes)));
            reach.hold(work).await
        })
    }
}

#[cfg(test)]
#[path = "access_test.rs"]
mod tests;
