//! Says it to the client: a [`Reply`] or a [`Refusal`] becomes an HTTP response.
//!
//! The only place of the edge where a status code is chosen. No message of ours holds what the client sent, save the
//! model's name, nor anything that a provider said; a provider's own error of the request goes on as it means.

pub mod errors;
pub mod room_headers;
pub mod ending;
pub mod words;
pub mod reported;
pub mod farewell;
pub mod unmodelled;
mod unable;
pub mod said;

use std::time::Duration;

use bytes::Bytes;
use dialect::{
    neutral::{self, Class, Family},
    openai::error,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};

use crate::{
    admit::{hold, room::Room},
    authorize,
    call::failure::{Failure, Reported, Unanswered},
    label::Label,
    own,
    passage::Through,
    pipeline::{Answered, Refusal, Reply},
    record::{Entry, Outcome},
    relay::{Relay, headers},
    request::{
        self, Arrival,
        endpoint::{Manner, TOKEN_ISSUERS_PATH},
        passing,
    },
    socket::Socket,
};

use self::said::{Said, say};

/// What is sent: bytes of ours, or a provider's answer.
pub type Body = Either<Full<Bytes>, Relay>;

/// When a record that is not there yet may be there, in milliseconds.
const SOON_MS: u64 = 1_000;

/// The longest wait for which an SDK should wait by itself, in milliseconds.
const WORTH_WAITING_MS: u64 = 60_000;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-sluice-request-id");
const MODEL: HeaderName = HeaderName::from_static("x-sluice-model");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// The header that has our code of an error.
pub const CODE: HeaderName = HeaderName::from_static("x-sluice-code");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_refusal_total",
        "Requests refused or failed, by code"
    );
    metrics::describe_counter!(
        "sluice_config_dangling_reference_total",
        "Requests that met a reference to something that is not in force here"
    );
}

/// The response to a request that is answered.
pub fn reply(reply: Reply, arrival: &Arrival) -> Response<Body> {
    let mut response = match reply {
        Reply::Told(body) => json(StatusCode::OK, body),
        Reply::Answer(answered) => {
            let Answered {
                head,
                body,
                label,
                room,
            } = *answered;
            let mut response = Response::new(Either::Right(body));
            *response.status_mut() = head.status;
            *response.headers_mut() = head.headers;
            name(response.headers_mut(), label, &room);
            response
        }
    };
    sign(response.headers_mut(), arrival);
    response
}

/// The response to a request that is passed through, and the socket that follows it.
pub fn through(through: Through, arrival: &Arrival) -> (Response<Body>, Option<Box<Socket>>) {
    let (mut response, socket) = match through {
        Through::Answer {
            head,
            body,
            label,
            room,
        } => {
            let answered = Answered {
                head,
                body: *body,
                label,
                room,
            };
            return (reply(Reply::Answer(Box::new(answered)), arrival), None);
        }
        Through::Socket {
            headers,
            mut socket,
            label,
        } => {
            let status = StatusCode::SWITCHING_PROTOCOLS;
            let mut response = Response::new(Either::Left(Full::default()));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            tell_model(response.headers_mut(), label);
            socket.account.answered_with(status.as_u16());
            (response, Some(socket))
        }
    };
    sign(response.headers_mut(), arrival);
    (response, socket)
}

fn tell_model(headers: &mut HeaderMap, label: Label) {
    if let Some(it) = &label.ending {
        ending::show(headers, it);
    }
    if label.text.is_empty() {
        return;
    }
    if let Ok(label) = HeaderValue::try_from(label.text) {
        headers.insert(MODEL, label);
    }
}

/// The response to a request that is refused, or that no provider answered, in these words.
/// `resource` is where clients reach us, for those who may get a token elsewhere; it may be empty.
pub fn refusal(
    refusal: Refusal,
    arrival: &Arrival,
    (manner, resource): (Manner, &str),
) -> Response<Body> {
    let mut refusal = match refusal {
        Refusal::Call(unanswered) => match *unanswered {
            Unanswered {
                failure: Failure::Reported(said),
                mut entry,
                label,
                room,
            } if !said.error.class.is_our_credentials() => {
                let mut response = reported(*said, manner, &mut entry);
                entry.failed(response.status().as_u16(), Outcome::ProviderFailed);
                name(response.headers_mut(), label, &room);
                sign(response.headers_mut(), arrival);
                return response;
            }
            unanswered => Refusal::Call(Box::new(unanswered)),
        },
        refusal => refusal,
    };
    let said = say(&refusal);
    metrics::counter!("sluice_refusal_total", "code" => said.error.code).increment(1);
    if said.error == errors::DANGLING {
        metrics::counter!("sluice_config_dangling_reference_total").increment(1);
    }
    let status = StatusCode::from_u16(said.error.status).unwrap_or_default();
    let told = body(&said, manner);
    if let Refusal::Call(unanswered) = &mut refusal {
        unanswered.entry.passes(&told);
    }
    let mut response = json(status, told);
    let headers = response.headers_mut();
    headers.insert(CODE, HeaderValue::from_static(said.error.code));
    if status == StatusCode::UNAUTHORIZED {
        challenge(headers, &said, resource);
    }
    match refusal {
        Refusal::Request(
            request::Refusal::WrongMethod(allowed)
            | request::Refusal::Passing(passing::Refused::Method(allowed)),
        ) => {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        Refusal::Authorize(authorize::Refusal::Retired { deprecation, .. }) => {
            ending::show(headers, &deprecation);
        }
        Refusal::Admit(refusal) => come_back(headers, &refusal),
        Refusal::Own(own::Refusal::NotYet) => {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("true"));
            tell_wait(headers, SOON_MS);
        }
        Refusal::Request(request::Refusal::Passing(passing::Refused::UpgradeRequired)) => {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        Refusal::Call(unanswered) => tell_unanswered(headers, *unanswered, said.error.status),
        _ => {}
    }
    tell_retry(headers, &said.error);
    sign(headers, arrival);
    response
}

/// What was asked and when to come back. The entry closes with the status that its client gets.
fn tell_unanswered(headers: &mut HeaderMap, unanswered: Unanswered, status: u16) {
    let Unanswered {
        failure,
        entry,
        label,
        room,
    } = unanswered;
    entry.failed(status, failure.outcome());
    name(headers, label, &room);
    match failure {
        Failure::NoRoom(refusal) => come_back(headers, &refusal),
        Failure::Busy(busy) => tell_wait(headers, millis(busy.retry_after)),
        _ => {}
    }
}

/// Whether to try again where something of ours or of the provider's failed.
fn tell_retry(headers: &mut HeaderMap, error: &errors::Documented) {
    if error.status < 500 {
        return;
    }
    if error.retry {
        headers
            .entry(header::RETRY_AFTER)
            .or_insert(HeaderValue::from_static("1"));
    } else {
        // SDKs try again on any 5xx unless they are told not to.
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
}

/// How to be let in (RFC 6750 and 9728). The words are ours and hold no quotes.
fn challenge(headers: &mut HeaderMap, said: &Said, resource: &str) {
    let quoted = |name: &str, value: &str| {
        let plain = value.replace(['"', '\\'], "'");
        format!("{name}=\"{plain}\"")
    };
    let mut parts = Vec::new();
    if said.error != errors::MISSING_KEY {
        parts.push(quoted("error", "invalid_token"));
        parts.push(quoted("error_description", &said.message));
    }
    if !resource.is_empty() {
        let metadata = format!("{resource}{TOKEN_ISSUERS_PATH}");
        parts.push(quoted("resource_metadata", &metadata));
    }
    let text = format!("Bearer {}", parts.join(", "));
    if let Ok(value) = HeaderValue::from_str(text.trim_end()) {
        headers.insert(header::WWW_AUTHENTICATE, value);
    }
}

/// When to come back, if ever, and what is left.
fn come_back(headers: &mut HeaderMap, refusal: &hold::Refusal) {
    if let Some(wait_ms) = refusal.retry_after_ms {
        tell_wait(headers, wait_ms);
    }
    if refusal
        .retry_after_ms
        .is_none_or(|it| it > WORTH_WAITING_MS)
    {
        // SDKs try again at once where they find the wait too long.
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    room_headers::show(headers, &refusal.room);
}

/// The response to a request whose provider said what went wrong.
fn reported(said: Reported, manner: Manner, entry: &mut Entry) -> Response<Body> {
    let told = reported::told(&said, manner);
    entry.passes(&told.body);
    let mut response = json(
        StatusCode::from_u16(told.status).unwrap_or_default(),
        told.body,
    );
    if told.verbatim {
        *response.headers_mut() = headers::kept(said.headers);
    }
    let headers = response.headers_mut();
    headers::name_dropped(headers, &said.dropped);
    if let Some(retry_after_ms) = told.retry_after_ms {
        tell_wait(headers, retry_after_ms);
    }
    if told.is_final {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    response
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// When to ask again: in whole seconds for all, and finer for those who look.
fn tell_wait(headers: &mut HeaderMap, retry_after_ms: u64) {
    let seconds = retry_after_ms.div_ceil(1_000).max(1);
    headers.insert(header::RETRY_AFTER, seconds.into());
    headers.insert(RETRY_AFTER_MS, retry_after_ms.into());
}

/// Which version was asked, and what is left of the limits.
fn name(headers: &mut HeaderMap, label: Label, room: &Room) {
    room_headers::show(headers, room);
    tell_model(headers, label);
}

/// An error as its client reads it. `OpenAI`'s has a place for our code; the others have it in a header alone.
fn body(said: &Said, manner: Manner) -> Vec<u8> {
    let Said {
        error,
        message,
        param,
    } = said;
    if let Manner::Family(Family::Chat | Family::Responses) = manner {
        return error::body(error.kind, error.code, message, param.as_deref());
    }
    let mut neutral = neutral::Error::new(class(error.status), message);
    neutral.code = Some(error.code.to_owned());
    neutral.param = param.as_deref().map(str::to_owned);
    words::error(manner, &neutral)
}

/// What kind of error a status of ours tells.
const fn class(status: u16) -> Class {
    match status {
        401 => Class::Authentication,
        403 => Class::Permission,
        404 => Class::NotFound,
        408 | 504 => Class::Timeout,
        413 => Class::TooLarge,
        429 => Class::RateLimited,
        503 => Class::Overloaded,
        500.. => Class::Provider,
        _ => Class::InvalidRequest,
    }
}

fn json(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

fn sign(headers: &mut HeaderMap, arrival: &Arrival) {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let text = arrival.id.hyphenated().encode_lower(&mut text);
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(REQUEST_ID, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_the_table_once_and_in_the_document() {
        let document = include_str!("../../../docs/errors.md");
        for (at, error) in errors::ERRORS.iter().enumerate() {
            assert!(
                errors::ERRORS[..at]
                    .iter()
                    .all(|other| other.code != error.code),
                "{}",
                error.code
            );
            let fault = format!("{:?}", error.fault).to_lowercase();
            let retry = if error.retry { "yes" } else { "no" };
            let row = format!(
                "| `{}` | {} | {fault} | {retry} |",
                error.code, error.status
            );
            assert!(document.contains(&row), "docs/errors.md lacks: {row}");
        }
        let rows = document
            .lines()
            .filter(|line| line.starts_with("| `"))
            .count();
        assert_eq!(rows, errors::ERRORS.len());
    }
}
