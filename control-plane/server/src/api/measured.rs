//! Counts the calls of the admin port, by method and gRPC code, those that are refused at the gate included.
//!
//! Knows paths and codes; knows nothing of who calls. A path that the contract does not know is `other`, so that no
//! caller can make labels.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use http::{HeaderMap, Request, Response};
use metrics::Unit;
use proto::unknown::Contract;
use tower::{Layer, Service};

/// The codes of gRPC by their numbers, as labels.
const CODES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// Puts a [`Measured`] before a service.
#[derive(Clone)]
pub(crate) struct MeasuredLayer {
    contract: Contract,
}

/// A service whose calls are counted.
#[derive(Clone)]
pub(crate) struct Measured<S> {
    inner: S,
    contract: Contract,
}

/// Registers what is measured here.
pub(crate) fn describe() {
    metrics::describe_counter!(
        "sluice_admin_call_total",
        "Calls of the admin API, by method and gRPC code"
    );
    metrics::describe_histogram!(
        "sluice_admin_duration_seconds",
        Unit::Seconds,
        "How long calls of the admin API take, those that wait for edges included"
    );
}

/// The label of a call: `Service/Method`.
fn method(contract: &Contract, path: &str) -> String {
    let known = contract.request_of(path).is_some();
    // Ours are told by their own names; those of others, such as health, are few and stand under one.
    let name = path.strip_prefix("/sluice.admin.v1.").filter(|_| known);
    name.unwrap_or("other").to_owned()
}

/// The label of what came of it. An error is told in the head; what succeeds says so at its end.
fn code(headers: &HeaderMap) -> &'static str {
    let told = headers.get("grpc-status").map(|it| it.to_str().ok());
    let number = told.map_or(Some(0), |it| it?.parse::<usize>().ok());
    number
        .and_then(|number| CODES.get(number))
        .unwrap_or(&"unknown")
}

// === impl MeasuredLayer ===

impl MeasuredLayer {
    /// Names the methods of this contract.
    pub(crate) const fn new(contract: Contract) -> Self {
        Self { contract }
    }
}

impl<S> Layer<S> for MeasuredLayer {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured {
            inner,
            contract: self.contract.clone(),
        }
    }
}

// === impl Measured ===

impl<S, B, R> Service<Request<B>> for Measured<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = method(&self.contract, request.uri().path());
        let since = Instant::now();
        let answering = self.inner.call(request);
        Box::pin(async move {
            let answer = answering.await;
            let code = answer.as_ref().map_or("unknown", |it| code(it.headers()));
            metrics::histogram!("sluice_admin_duration_seconds").record(since.elapsed());
            metrics::counter!("sluice_admin_call_total", "method" => method, "code" => code)
                .increment(1);
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_methods_of_the_contract_are_told_by_name() {
        let contract = Contract::load().unwrap();
        let method = |path| method(&contract, path);
        assert_eq!(
            method("/sluice.admin.v1.KeyService/CreateKey"),
            "KeyService/CreateKey"
        );
        for path in [
            "/sluice.admin.v1.KeyService/Hostile",
            "/grpc.health.v1.Health/Check",
            "/",
            "",
        ] {
            assert_eq!(method(path), "other", "{path}");
        }
    }

    #[test]
    fn a_code_is_told_by_its_name_and_nonsense_is_unknown() {
        let told = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static(text));
            code(&headers)
        };
        assert_eq!(code(&HeaderMap::new()), "ok");
        assert_eq!((told("0"), told("16")), ("ok", "unauthenticated"));
        assert_eq!((told("17"), told("x")), ("unknown", "unknown"));
    }
}
