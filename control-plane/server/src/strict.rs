//! Refuses admin requests that carry fields which the contract does not know.
//!
//! Owns the bytes of a unary request before the generated code drops what it does not know. Knows nothing of
//! what a request means, nor of who sent it. No admin handler runs on bytes that were not checked whole.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use domain::methods::{self, Need};
use http::{Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use proto::unknown::{Contract, Finding};
use tokio::time::timeout;
use tonic::Status;
use tower::{Layer, Service};

use crate::status;

/// The longest admin request, in bytes.
// Full: the request is refused with RESOURCE_EXHAUSTED and its connection goes on.
pub const REQUEST_BYTES_MAX: usize = 4 << 20;

/// The longest request that needs no key, in bytes: a token and a name.
// Full: as above.
const STRANGER_BYTES_MAX: usize = 16 << 10;

/// How long such a request may take to come.
const STRANGER_WITHIN: Duration = Duration::from_secs(5);

/// The requests that are checked; others pass untouched, streaming ones included.
const CHECKED_PREFIX: &str = "/sluice.admin.v1.";

/// One byte of flags and four of length stand before a message.
pub(crate) const FRAME_HEAD_BYTES: usize = 5;

/// Puts [`Strict`] around a service.
#[derive(Clone)]
pub struct StrictLayer {
    contract: Arc<Contract>,
}

/// A service that sees only requests whose every field the contract knows.
#[derive(Clone)]
pub struct Strict<S> {
    inner: S,
    contract: Arc<Contract>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

// === impl StrictLayer ===

impl StrictLayer {
    /// Checks against this contract.
    pub fn new(contract: Contract) -> Self {
        Self {
            contract: Arc::new(contract),
        }
    }
}

impl<S> Layer<S> for StrictLayer {
    type Service = Strict<S>;

    fn layer(&self, inner: S) -> Strict<S> {
        Strict {
            inner,
            contract: Arc::clone(&self.contract),
        }
    }
}

// === impl Strict ===

impl<S, B, R> Service<Request<B>> for Strict<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + From<Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
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
        if !request.uri().path().starts_with(CHECKED_PREFIX) {
            return Box::pin(inner.call(request));
        }
        let contract = Arc::clone(&self.contract);
        Box::pin(async move {
            match checked(&contract, request).await {
                Ok(request) => inner.call(request).await,
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

/// The same request, its body read whole and checked.
async fn checked<B>(contract: &Contract, request: Request<B>) -> Result<Request<B>, Status>
where
    B: http_body::Body<Data = Bytes> + From<Bytes>,
    B::Error: Into<BoxError>,
{
    let Some(message) = contract.request_of(request.uri().path()) else {
        // No such method: the routes say so, and read nothing.
        return Ok(request);
    };
    let is_stranger = methods::need(request.uri().path()) == Some(Need::Nothing);
    let (head, body) = request.into_parts();
    let collected = if is_stranger {
        let limited = Limited::new(body, STRANGER_BYTES_MAX + FRAME_HEAD_BYTES);
        let collected = timeout(STRANGER_WITHIN, limited.collect()).await;
        collected.map_err(|_| status::request_broken_off())?
    } else {
        let limited = Limited::new(body, REQUEST_BYTES_MAX + FRAME_HEAD_BYTES);
        limited.collect().await
    };
    let bytes = match collected {
        Ok(collected) => collected.to_bytes(),
        Err(why) if why.is::<LengthLimitError>() => return Err(status::request_too_long()),
        Err(_) => return Err(status::request_broken_off()),
    };
    contract
        .check(message, unframed(&bytes)?)
        .map_err(|finding| match finding {
            Finding::Malformed => status::request_malformed(),
            Finding::UnknownField { path, number } => status::unknown_field(&path, number),
        })?;
    Ok(Request::from_parts(head, B::from(bytes)))
}

/// The one message that the body of a unary request holds.
pub(crate) fn unframed(bytes: &[u8]) -> Result<&[u8], Status> {
    let Some((head, message)) = bytes.split_first_chunk::<FRAME_HEAD_BYTES>() else {
        return Err(status::request_malformed());
    };
    let [flags, length @ ..] = *head;
    if flags != 0 {
        return Err(status::request_compressed());
    }
    if usize::try_from(u32::from_be_bytes(length)) != Ok(message.len()) {
        return Err(status::request_malformed());
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::Full;
    use prost::Message;
    use proto::admin;
    use tonic::Code;
    use tonic_types::StatusExt;
    use tower::ServiceExt;

    use super::*;

    const CREATE: &str = "/sluice.admin.v1.OrganizationService/CreateOrganization";

    /// Sends `body` to `path`; the service behind echoes what reaches it.
    async fn send(path: &str, body: Vec<u8>) -> Result<Bytes, Status> {
        let echo = tower::service_fn(|request: Request<Full<Bytes>>| async {
            let bytes = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(bytes)))
        });
        let strict = StrictLayer::new(Contract::load().unwrap()).layer(echo);
        let request = Request::post(path).body(Full::from(body)).unwrap();
        let response = strict.oneshot(request).await.unwrap();
        match Status::from_header_map(response.headers()) {
            Some(status) => Err(status),
            None => Ok(response.into_body().collect().await.unwrap().to_bytes()),
        }
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut body = vec![0];
        body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend(message);
        body
    }

    fn known() -> Vec<u8> {
        let organization = admin::Organization {
            display_name: "Acme".into(),
            ..Default::default()
        };
        admin::CreateOrganizationRequest {
            organization_id: "acme".into(),
            organization: Some(organization),
            ..Default::default()
        }
        .encode_to_vec()
    }

    #[tokio::test]
    async fn what_the_contract_knows_arrives_byte_for_byte() {
        assert_eq!(
            send(CREATE, framed(&known())).await.unwrap(),
            framed(&known())
        );
        assert_eq!(send(CREATE, framed(&[])).await.unwrap(), framed(&[]));
    }

    #[tokio::test]
    async fn an_unknown_field_is_refused_by_path_and_number() {
        let top = [known(), vec![0xf8, 0x07, 0x01]].concat(); // field 127, varint 1
        let nested = vec![0x0a, 0x01, b'a', 0x12, 0x03, 0xf8, 0x07, 0x01];
        for (message, field) in [(top, "127"), (nested, "organization.127")] {
            let refused = send(CREATE, framed(&message)).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
            let violation = &refused.get_details_bad_request().unwrap().field_violations[0];
            assert_eq!(violation.field, field);
        }
    }

    #[tokio::test]
    async fn a_body_that_is_not_one_plain_message_is_refused() {
        let mut compressed = framed(&known());
        compressed[0] = 1;
        let two = [framed(&known()), framed(&known())].concat();
        let cases = [
            (vec![], Code::InvalidArgument),
            (framed(&[0xff]), Code::InvalidArgument),
            (framed(&known())[..9].to_vec(), Code::InvalidArgument),
            (two, Code::InvalidArgument),
            (compressed, Code::Unimplemented),
            (
                framed(&vec![0; REQUEST_BYTES_MAX + 1]),
                Code::ResourceExhausted,
            ),
        ];
        for (body, code) in cases {
            assert_eq!(send(CREATE, body).await.unwrap_err().code(), code);
        }
    }

    #[tokio::test]
    async fn other_packages_pass_untouched() {
        let body = framed(&[0xf8, 0x07, 0x01]);
        for path in [
            "/grpc.health.v1.Health/Check",
            "/sluice.admin.v1.NoService/NoMethod",
        ] {
            assert_eq!(send(path, body.clone()).await.unwrap(), body);
        }
    }

    #[tokio::test]
    async fn who_has_no_key_yet_sends_no_more_than_a_token_and_a_name() {
        let path = "/sluice.admin.v1.LoginService/ExchangeToken";
        let asked = |length| {
            let token = "x".repeat(length);
            let asked = admin::ExchangeTokenRequest {
                token,
                ..Default::default()
            };
            framed(&asked.encode_to_vec())
        };
        assert!(send(path, asked(8 << 10)).await.is_ok());
        let refused = send(path, asked(17 << 10)).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
    }
}
