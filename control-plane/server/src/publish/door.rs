//! The door before every service for edges: no byte of a request is read from who shows no certificate, or, where there is
//! no TLS, no join token.
//!
//! Takes the token out of the request and puts the badge in its place, so that nothing behind it can log the token or
//! forget to ask for it. Knows nothing of what is asked.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, Request, Response, header::AUTHORIZATION};
use policy::id::OrganizationId;
use tonic::Status;
use tower::{Layer, Service};

use crate::{
    publish::{
        enrol,
        join::{Badge, NoBadge, Tokens},
    },
    status,
};

/// Puts a [`Door`] before a service.
#[derive(Clone)]
pub struct DoorLayer {
    tokens: Arc<Tokens>,
    certificates: bool,
}

/// A service that sees only requests of edges that have joined, each with its `Badge` as an extension.
#[derive(Clone)]
pub struct Door<S> {
    inner: S,
    tokens: Arc<Tokens>,
    certificates: bool,
}

/// The badge of a request that came through the door.
pub fn shown(extensions: &Extensions) -> Result<Badge, Status> {
    let badge = extensions.get::<Badge>().cloned();
    badge.ok_or_else(|| status::broken("a request came past the door", &"it has no badge"))
}

/// Refuses an edge that calls itself otherwise than its certificate does.
pub fn calls_itself(badge: &Badge, edge_id: &str) -> Result<(), Status> {
    match &badge.certified {
        Some(it) if it.edge_id != edge_id => Err(status::edge_misnamed(&it.edge_id)),
        _ => Ok(()),
    }
}

/// Refuses an edge of one organization that speaks of another one. What is no id is refused where it is read.
pub fn serves(badge: &Badge, organization: &[u8]) -> Result<(), Status> {
    match OrganizationId::try_from(organization) {
        Ok(it) if !badge.remit.serves_organization(it) => Err(status::edge_strayed()),
        _ => Ok(()),
    }
}

fn refused(why: &NoBadge) -> Status {
    match why {
        NoBadge::Crowded | NoBadge::Busy | NoBadge::Store(_) => status::edge_not_checked(why),
        _ => status::edge_not_joined(why),
    }
}

// === impl DoorLayer ===

impl DoorLayer {
    /// Lets in whom these tokens prove or, with `certificates`, whom certificates prove and nobody else.
    pub const fn new(tokens: Arc<Tokens>, certificates: bool) -> Self {
        Self {
            tokens,
            certificates,
        }
    }
}

impl<S> Layer<S> for DoorLayer {
    type Service = Door<S>;

    fn layer(&self, inner: S) -> Door<S> {
        Door {
            inner,
            tokens: Arc::clone(&self.tokens),
            certificates: self.certificates,
        }
    }
}

// === impl Door ===

impl<S, B, R> Service<Request<B>> for Door<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
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
        let (tokens, certificates) = (Arc::clone(&self.tokens), self.certificates);
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let proven = if certificates {
                match enrol::shown(&head.extensions) {
                    Ok(shown) => tokens.badge_of(shown).await,
                    Err(why) => Err(why),
                }
            } else {
                tokens.badge(&head.headers).await
            };
            match proven {
                Ok(badge) => head.extensions.insert(badge),
                Err(why) => return Ok(refused(&why).into_http()),
            };
            head.headers.remove(AUTHORIZATION);
            inner.call(Request::from_parts(head, body)).await
        })
    }
}
