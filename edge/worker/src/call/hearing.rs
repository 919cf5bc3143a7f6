//! What comes of an answer whose head is here: it passes, or is read until it is sure that it is one, or is an error.
//!
//! Knows what a provider's bytes mean; knows nothing of other targets. Must never let a client hear of an answer that
//! may still fail without it.

use std::{future::poll_fn, pin::Pin, time::Duration};

use bytes::Bytes;
use dialect::{
    crossing::read_error,
    estimate, messages,
    neutral::{Dropped, Family},
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    call::{
        account::Account,
        answer::{Answer, Content},
        client::{Body, Unfinished},
        failure::{Failure, Reported},
        gauge::Gauge,
        opening::{Early, Opening},
        patience::Timer,
        retry_after::retry_after_ms,
    },
    record::Tally,
    translate::Way,
};

/// The longest answer that is read whole to be translated, in bytes.
// Full: the provider has failed.
const WHOLE_BYTES_MAX: usize = 32 << 20;

/// The longest error that is read, in bytes, and how long it may take.
// Full: the error is told by its status alone.
const ERROR_BYTES_MAX: usize = 1 << 20;
const ERROR_TIME_MAX: Duration = Duration::from_secs(10);

/// Where Bedrock says which error it is.
const ERROR_NAME: &str = "x-amzn-errortype";

/// An answer of which the head is here.
pub struct Heard {
    /// It.
    pub answer: Response<Body>,
    /// What becomes of it.
    pub way: Way,
    /// What of the request was left out.
    pub dropped: Dropped,
    /// How long it is waited for.
    pub times: Times,
}

/// How long an answer is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// For the next bytes.
    pub idle_max: Duration,
    /// For the first that is generated of a stream.
    pub first_by: Instant,
    /// For how long a stream is held whose provider only says that it is alive.
    pub hold_until: Instant,
    /// For all of it.
    pub whole_by: Instant,
    /// Now, in milliseconds since 1970, for a provider that names a date.
    pub now_ms: u64,
}

/// What an answer is, or how to find out.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart at once, and a box would cost every plain request an allocation"
)]
pub enum Next<'a> {
    /// It passes as it comes.
    Passes(Answer),
    /// More must be read. Boxed: this is large beside the future of a request whose answer only passes.
    Waits(Waits<'a>),
}

type Waits<'a> = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + 'a>>;

// === impl Heard ===

impl Heard {
    /// Looks at the head.
    pub fn next<A: Account>(self, account: &mut A) -> Next<'_> {
        let Self {
            answer,
            way,
            dropped,
            times,
        } = self;
        let (parts, body) = answer.into_parts();
        let (status, mut headers) = (parts.status, parts.headers);
        if !status.is_success() {
            return Next::Waits(Box::pin(async move {
                let failure = refused(status, headers, body, way, times.now_ms).await;
                Err(failure.with_dropped(dropped))
            }));
        }
        if let Some(media_type) = way.media_type() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        let tells_finish = account.tells_finish();
        let gauge = Gauge::of(&headers, &way, tells_finish);
        let answer = move |content| Answer {
            status,
            headers,
            content,
            dropped,
        };
        if !way.passes() {
            return Next::Waits(Box::pin(async move {
                let content = remade(body, way, tells_finish, times.whole_by);
                Ok(answer(content.await?))
            }));
        }
        if !gauge.is_stream() {
            return Next::Passes(answer(Content::Coming(body, gauge)));
        }
        let timer = Timer::new(times.idle_max, times.first_by);
        let opening = Box::new(Opening::new(body, gauge, timer, times.hold_until));
        Next::Waits(Box::pin(async move {
            let content = begun(opening, account).await?;
            Ok(answer(content))
        }))
    }
}

/// Holds a stream until it has begun.
async fn begun<A: Account>(mut opening: Box<Opening>, account: &mut A) -> Result<Content, Failure> {
    let begun = poll_fn(|cx| {
        let begun = opening.poll_begun(cx);
        // Whether it waits or has failed: what was used until now is known to whoever closes the account.
        account.seen(opening.tally());
        begun
    });
    begun.await?;
    Ok(Content::Begun(opening))
}

/// Reads an answer whole and makes the client's of it; why it ended is told if somebody asks.
async fn remade(
    mut body: Body,
    way: Way,
    tells_finish: bool,
    by: Instant,
) -> Result<Content, Failure> {
    let whole = timeout_at(by, body.whole(WHOLE_BYTES_MAX)).await;
    let whole = whole.map_err(|_| Failure::Slow)?;
    let whole = whole.map_err(|why| match why {
        Unfinished::Broken => Failure::Broken,
        Unfinished::TooLong => Failure::Unreadable,
    })?;
    let (said, tally) = match way {
        Way::Same { .. } | Way::Hosted { .. } => (whole, Tally::default()),
        Way::Across { back, .. } => {
            let answer = back.whole(&whole, tells_finish);
            let answer = answer.map_err(Early::of_answer)?;
            let tally = Tally {
                tokens: answer.tokens,
                output_tokens: estimate::output_tokens(answer.generated_bytes),
                finish: answer.finish,
            };
            (answer.body, tally)
        }
        Way::Mapped(mapped) => {
            let answer = mapped.answer(whole.into(), tells_finish).await;
            answer.map_err(|why| Failure::Unmapped(Box::new(why)))?
        }
    };
    Ok(Content::Whole(said.into(), tally))
}

/// What a provider says went wrong, by its status, its headers and its body.
async fn refused(
    status: StatusCode,
    headers: HeaderMap,
    mut body: Body,
    way: Way,
    now_ms: u64,
) -> Failure {
    if status.is_informational() || status.is_redirection() {
        return Failure::Unexpected(status);
    }
    let whole = timeout(ERROR_TIME_MAX, body.whole(ERROR_BYTES_MAX)).await;
    let whole = whole.ok().and_then(Result::ok).map(Bytes::from);
    let name = headers.get(ERROR_NAME).and_then(|name| name.to_str().ok());
    let said = whole.as_deref().unwrap_or_default();
    let read = |family| read_error(family, status.as_u16(), name, said);
    let (error, same) = match way {
        Way::Same { endpoint, .. } => (read(endpoint.family().unwrap_or(Family::Chat)), true),
        // A host says some errors itself, and passes on what the model's maker said of others.
        Way::Hosted { .. } => (read(Family::Messages), messages::hosted::is_own_error(said)),
        Way::Across { back, .. } => (read(back.provider()), false),
        Way::Mapped(mapped) => {
            let whole = whole.clone().unwrap_or_default();
            let error = mapped.error(status.as_u16(), whole).await;
            (error, mapped.tells_errors())
        }
    };
    let about_us = matches!(status.as_u16(), 401 | 403 | 407);
    if error.class.is_our_credentials() || about_us && !error.class.is_the_requests() {
        return Failure::CredentialRefused(status);
    }
    let retry_after_ms = retry_after_ms(&headers, now_ms).max(error.retry_after_ms);
    Failure::Reported(Box::new(Reported {
        error,
        status: Some(status),
        verbatim: whole.filter(|_| same && !about_us),
        headers,
        retry_after_ms,
        dropped: Dropped::default(),
    }))
}
