//! One provider to which something is passed through: the message for it, and how long to wait for its answer.
//!
//! Knows targets and clocks; knows nothing of credentials.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use policy::provider::{Provider, ProviderKind};
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::{
    admit::{attempts::Attempts, hold::Hold},
    call::{
        client::{Body, NoAnswer},
        failure::Failure,
        message::USER_AGENT,
        origin::Origin,
        upload::{Pulse, Upload},
    },
    record::Missed,
    request::query,
    route::Candidate,
};

/// An answer to what was passed through.
pub type Sent = Response<Body<Upload>>;

/// What an attempt is called that a provider answered with an error: as [`Failure::code`] names it.
const REFUSED: &str = "upstream_error";

/// Where a request goes.
pub struct Hop {
    /// To whom.
    pub provider: Arc<Provider>,
    /// Below its base URL, with the query.
    pub target: String,
    /// Its name for the model; empty where there is none.
    pub model: String,
}

/// How long to wait for the head of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// From the end of the request's body.
    pub first_byte_max: Duration,
    /// While the provider takes nothing of the body.
    pub idle_max: Duration,
    /// In all.
    pub end: Instant,
}

/// Waits for the head of an answer: while the body still goes, for its next bytes, and then for the provider.
pub async fn patient(
    answer: impl Future<Output = Result<Sent, NoAnswer>>,
    pulse: &Pulse,
    waits: Waits,
) -> Result<Sent, Failure> {
    let due = || {
        let wait = if pulse.is_done() {
            waits.first_byte_max
        } else {
            waits.idle_max
        };
        (pulse.moved() + wait).min(waits.end)
    };
    let (mut answer, mut sleep) = (pin!(answer), pin!(sleep_until(due())));
    let answered = poll_fn(|cx| {
        loop {
            if let Poll::Ready(answered) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(answered));
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let due = due();
            if Instant::now() >= due {
                return Poll::Ready(None);
            }
            sleep.as_mut().reset(due);
        }
    });
    let answered = answered.await.unwrap_or(Err(NoAnswer::Slow));
    answered.map_err(|none| match pulse.stopped() {
        Some(why) => Failure::Upload(why),
        None => none.into(),
    })
}

/// Why a provider's answer with this status is none for a client. All others go on as they came; a client may have
/// asked whether something was changed.
pub fn no_answer(status: StatusCode) -> Option<Failure> {
    match status.as_u16() {
        304 => None,
        401 | 403 | 407 => Some(Failure::CredentialRefused(status)),
        100..=199 | 300..=399 => Some(Failure::Unexpected(status)),
        _ => None,
    }
}

/// What the answer to a handshake says.
pub fn agreed(accept: HeaderValue, chosen: Option<HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(chosen) = chosen {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    headers
}

// === impl Hop ===

impl Hop {
    /// Where a model's realtime API stands, if its provider speaks it.
    pub fn realtime(candidate: &Candidate, rest: &str) -> Option<Self> {
        let provider = candidate.provider();
        let speaks = matches!(
            provider.kind,
            ProviderKind::OpenAi
                | ProviderKind::AzureOpenAi
                | ProviderKind::OpenAiCompatible
                | ProviderKind::Vllm
                | ProviderKind::Xai
        );
        let model = &candidate.target().provider_model;
        let more = if rest.is_empty() { "" } else { "&" };
        speaks.then(|| Self {
            provider: Arc::clone(provider),
            target: format!("/realtime?model={}{more}{rest}", query::encoded(model)),
            model: model.clone(),
        })
    }

    /// What its account hears of an answer that is an error, which goes on to the client.
    pub fn refused(&self, status: StatusCode) -> Missed<'_> {
        Missed {
            provider: &self.provider,
            provider_model: &self.model,
            code: REFUSED,
            status: status.as_u16(),
            sent: true,
            refused: true,
            theirs: status.is_server_error(),
        }
    }

    /// Tells whoever watches providers that this one gave no answer. What the client did wrong is not its fault.
    pub fn note(&self, failure: &Failure) {
        if failure.is_the_providers() {
            warn!(provider = %self.provider.name, %failure, "a provider did not answer");
            metrics::counter!("sluice_attempt_failed_total", "code" => failure.code()).increment(1);
        }
    }

    /// What its account hears where there was no answer.
    pub fn missed(&self, failure: &Failure) -> Missed<'_> {
        Missed {
            provider: &self.provider,
            provider_model: &self.model,
            code: failure.code(),
            status: failure.status(),
            sent: failure.was_sent(),
            refused: failure.was_refused(),
            theirs: failure.is_the_providers(),
        }
    }

    /// Room at its provider, where a limit asks for it. Where nothing is sent it is dropped, and given back.
    pub async fn room(&self, attempts: Option<&Attempts>) -> Result<Option<Box<Hold>>, Failure> {
        match attempts {
            // Boxed: rare beside the requests that carry this future's size.
            Some(attempts) => Ok(Box::pin(attempts.permit(self.provider.id)).await?),
            None => Ok(None),
        }
    }

    /// The request, without a credential.
    pub fn message<B>(
        &self,
        origin: &Origin,
        method: Method,
        forwarded: &HeaderMap,
        body: B,
    ) -> Result<Request<B>, Failure> {
        let uri = origin.path(&self.target);
        let mut message = Request::new(body);
        *message.method_mut() = method;
        *message.uri_mut() = uri.map_err(|_| Failure::Misconfigured("base URL"))?;
        let headers = message.headers_mut();
        headers.insert(header::HOST, origin.host_header().clone());
        headers.extend(
            forwarded
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        headers.insert(header::USER_AGENT, USER_AGENT);
        // What is compressed could not be read for its usage.
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        Ok(message)
    }
}
