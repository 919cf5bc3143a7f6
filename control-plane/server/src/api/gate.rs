//! The gate before every service of the admin port: no request passes without an actor.
//!
//! Knows what is open to everybody (health, and methods that need nothing) and that all else is not, what does not exist
//! included. Takes the key out of the request, so that nothing behind it can log it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use domain::methods::{self, Need};
use http::{Extensions, Request, Response, header::AUTHORIZATION};
use store::Store;
use tower::{Layer, Service};

use crate::{
    audit_entry::Deed,
    authn::{self, Actor, NotAuthenticated, Stranger},
    denials::Denials,
    peer::Peer,
    status,
    turns::Turns,
};

/// The one service that needs no key beside methods that need nothing: load balancers ask it.
const OPEN_PREFIX: &str = "/grpc.health.v1.Health/";

/// Puts a [`Gate`] before a service.
#[derive(Clone)]
pub(crate) struct GateLayer {
    store: Store,
    turns: Arc<Turns>,
    denials: Denials,
}

/// A service that sees only requests of authenticated operators, each with its `Actor` as an extension.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    inner: S,
    store: Store,
    turns: Arc<Turns>,
    denials: Denials,
}

/// The name of the method at a path, such as `CreateKey`.
pub(crate) fn method(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The address of whoever called; empty when the listener did not tell.
fn source(extensions: &Extensions) -> String {
    let connected = extensions.get::<Peer>();
    let address = connected.and_then(|it| it.tcp.remote_addr());
    address.map_or_else(String::new, |it| it.ip().to_string())
}

// === impl GateLayer ===

impl GateLayer {
    /// Looks operator keys up in this store, and tells of those that are not known.
    pub(crate) fn new(store: Store, denials: Denials) -> Self {
        let turns = Arc::new(Turns::new());
        Self {
            store,
            turns,
            denials,
        }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate {
            inner,
            store: self.store.clone(),
            turns: Arc::clone(&self.turns),
            denials: self.denials.clone(),
        }
    }
}

// === impl Gate ===

impl<S, B, R> Service<Request<B>> for Gate<S>
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
        if request.uri().path().starts_with(OPEN_PREFIX) {
            return Box::pin(inner.call(request));
        }
        if methods::need(request.uri().path()) == Some(Need::Nothing) {
            let (mut head, body) = request.into_parts();
            let source = Arc::from(source(&head.extensions).as_str());
            head.extensions.insert(Stranger { source });
            head.headers.remove(AUTHORIZATION);
            return Box::pin(inner.call(Request::from_parts(head, body)));
        }
        let (store, turns) = (self.store.clone(), Arc::clone(&self.turns));
        let denials = self.denials.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let source = source(&head.extensions);
            match authn::actor((&store, &turns), &head.headers).await {
                Ok(actor) => {
                    let source = Arc::from(source.as_str());
                    head.extensions.insert(Actor { source, ..actor });
                }
                Err(why) => {
                    if let NotAuthenticated::UnknownKey = why {
                        let (actor, object) = (String::new(), String::new());
                        let method = method(head.uri.path());
                        let deed = Deed {
                            actor,
                            source,
                            method,
                            object,
                        };
                        denials.tell(deed, why.to_string());
                    }
                    return Ok(status::not_authenticated(why).into_http());
                }
            }
            head.headers.remove(AUTHORIZATION);
            inner.call(Request::from_parts(head, body)).await
        })
    }
}
