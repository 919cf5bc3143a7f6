//! Collects a request's body, within a length and a time.
//!
//! Knows nothing of what the body says. A body that came in one piece is not copied.

use std::{pin::pin, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::request::budget::Share;

/// The largest buffer made on the client's word alone, before its bytes have come.
const TRUSTED_BYTES: usize = 256 << 10;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoBody {
    /// It is longer than allowed.
    TooLarge,
    /// It did not come in time.
    Slow,
    /// It broke off, or its framing is broken.
    Broken,
    /// All bodies together are too long.
    Full,
}

/// The whole body of at most `bytes_max`, if it comes within `time_max`. `announced` is its `content-length`; `share`
/// grows by what has come.
pub async fn collect(
    body: Incoming,
    announced: Option<u64>,
    bytes_max: usize,
    time_max: Duration,
    share: &mut Share,
) -> Result<Bytes, NoBody> {
    let announced = announced
        .map_or(Ok(0), usize::try_from)
        .map_err(|_| NoBody::TooLarge)?;
    // Full: refused, before a byte is read where the client has said how long the body is.
    if announced > bytes_max {
        return Err(NoBody::TooLarge);
    }
    timeout(time_max, gather(body, announced, bytes_max, share))
        .await
        .unwrap_or(Err(NoBody::Slow))
}

async fn gather(
    body: Incoming,
    announced: usize,
    bytes_max: usize,
    share: &mut Share,
) -> Result<Bytes, NoBody> {
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| NoBody::Broken)?.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > bytes_max {
            return Err(NoBody::TooLarge);
        }
        share.grow(data.len()).map_err(|_| NoBody::Full)?;
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            let so_far = first.len() + data.len();
            rest.reserve(announced.min(TRUSTED_BYTES).max(so_far));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}
