//! Asks a provider to speak WebSocket from here on.
//!
//! Knows the handshake; knows nothing of what is said behind it. A connection that was switched is its socket's alone
//! and never rests in the pool.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

use bytes::Bytes;
use dialect::websocket::handshake;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{client::conn::http1, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tls::wire::Wire;

/// The longest head of an answer, in bytes.
// Full: the provider has failed.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// The longest body of an answer that is a refusal, in bytes.
// Full: the provider has failed.
const REFUSAL_BYTES_MAX: usize = 1 << 20;

/// The status of a connection that was switched.
const SWITCHED: u16 = 101;

/// Bytes to and from one end of a socket.
pub type Wired = TokioIo<Upgraded>;

/// What a provider answered.
pub enum Answered {
    /// It speaks WebSocket now, with the subprotocol that it chose.
    Socket(Box<Wired>, Option<HeaderValue>),
    /// It does not, and says why.
    Refused(StatusCode, HeaderMap, Bytes),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSwitched {
    /// The provider broke off, or spoke no HTTP.
    Broken,
    /// It says that it speaks WebSocket, but not as it was asked: it agreed to something that was not offered.
    Odd,
}

/// The request with what a handshake adds. `offered` are the subprotocols.
pub fn request(
    mut request: Request<Empty<Bytes>>,
    offered: Option<&HeaderValue>,
) -> (Request<Empty<Bytes>>, String) {
    let mut random = [0; 16];
    fastrand::fill(&mut random);
    let key = handshake::key(random);
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static("13"),
    );
    if let Ok(key) = HeaderValue::try_from(key.as_str()) {
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    if let Some(offered) = offered {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offered.clone());
    }
    let accept = handshake::accept(&key);
    (request, accept)
}

/// Sends a handshake on a new connection. `accept` is what the provider must prove.
pub async fn switch(
    wire: Wire,
    request: Request<Empty<Bytes>>,
    accept: &str,
) -> Result<Answered, NotSwitched> {
    let offered = request
        .headers()
        .get(header::SEC_WEBSOCKET_PROTOCOL)
        .cloned();
    let mut http = http1::Builder::new();
    http.max_header_size(HEAD_BYTES_MAX);
    let opened = http.handshake(TokioIo::new(wire)).await;
    let (mut sender, connection) = opened.map_err(|_| NotSwitched::Broken)?;
    let mut connection = connection.with_upgrades();
    let mut running = true;
    let mut drive = |cx: &mut std::task::Context<'_>| {
        // One that has ended must not be polled again.
        running = running && Pin::new(&mut connection).poll(cx).is_pending();
    };
    let answer = beside(&mut drive, sender.send_request(request)).await;
    let mut answer = answer.map_err(|_| NotSwitched::Broken)?;
    if answer.status().as_u16() == SWITCHED {
        let Ok(chosen) = agreed(answer.headers(), accept, offered.as_ref()) else {
            return Err(NotSwitched::Odd);
        };
        let upgraded = beside(&mut drive, hyper::upgrade::on(&mut answer)).await;
        let upgraded = upgraded.map_err(|_| NotSwitched::Broken)?;
        return Ok(Answered::Socket(Box::new(TokioIo::new(upgraded)), chosen));
    }
    let (parts, body) = answer.into_parts();
    let body = beside(&mut drive, Limited::new(body, REFUSAL_BYTES_MAX).collect()).await;
    let body = body.map_err(|_| NotSwitched::Broken)?.to_bytes();
    Ok(Answered::Refused(parts.status, parts.headers, body))
}

/// Waits for something that a connection brings, and lets the connection do what it can meanwhile.
async fn beside<F: Future>(
    drive: &mut impl FnMut(&mut std::task::Context<'_>),
    what: F,
) -> F::Output {
    let mut what = pin!(what);
    poll_fn(|cx| {
        drive(cx);
        match what.as_mut().poll(cx) {
            // What the connection has just brought may be what is waited for, and what was asked may be sent now.
            Poll::Pending => {
                drive(cx);
                what.as_mut().poll(cx)
            }
            ready @ Poll::Ready(_) => ready,
        }
    })
    .await
}

/// The answer does not fit what was asked.
struct Misunderstood;

/// The subprotocol that was agreed on, if any.
fn agreed(
    headers: &HeaderMap,
    accept: &str,
    offered: Option<&HeaderValue>,
) -> Result<Option<HeaderValue>, Misunderstood> {
    let is = |name, text: &str| {
        let value = headers.get(name);
        value.is_some_and(|value: &HeaderValue| {
            value.as_bytes().eq_ignore_ascii_case(text.as_bytes())
        })
    };
    let proved = headers.get(header::SEC_WEBSOCKET_ACCEPT);
    let proved = proved.is_some_and(|proved| proved.as_bytes() == accept.as_bytes());
    let fits =
        is(header::UPGRADE, "websocket") && !headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS);
    if !proved || !fits {
        return Err(Misunderstood);
    }
    let Some(chosen) = headers.get(header::SEC_WEBSOCKET_PROTOCOL) else {
        return Ok(None);
    };
    let offered = offered.and_then(|offered| offered.to_str().ok());
    let offered = offered.ok_or(Misunderstood)?;
    let known = offered
        .split(',')
        .any(|name| name.trim().as_bytes() == chosen.as_bytes());
    known.then(|| Some(chosen.clone())).ok_or(Misunderstood)
}
