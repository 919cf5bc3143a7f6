//! Tells a client what its answer cost, in the answer's usage: only for a client that asks.
//!
//! Knows answers of chat as clients get them, whoever served; knows nothing of prices, which the account has.

use std::{mem, pin::Pin};

use bytes::{Bytes, BytesMut};
use dialect::{
    cost::{told, told_in_event},
    sse::{Framer, Kind},
};
use http::{HeaderName, HeaderValue};
use policy::{cost::Cost, money};
use tokio::time::{Instant, timeout_at};

use crate::{
    call::{
        answer::{Answer, Content},
        client::Unfinished,
        failure::Failure,
    },
    record::{Entry, Tally},
};

/// Says the cost of an answer in one piece.
pub const HEADER: HeaderName = HeaderName::from_static("x-sluice-cost");

/// The longest answer that is read whole, in bytes.
// Full: the provider has failed.
const WHOLE_BYTES_MAX: usize = 32 << 20;

/// The longest event that is held to be looked into, in bytes.
// Full: what is held of it goes on, and the rest of it unread.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Tells it within a stream.
#[derive(Debug, Default)]
pub struct Telling {
    framer: Framer,
    partial: BytesMut,
    oversized: bool,
}

/// An answer, and how much it cost if it is in one piece.
pub type Told = (Answer, Option<HeaderValue>);

/// Reads an answer in one piece whole, and tells what it cost; what is streamed is left as it is. The value is for
/// [`HEADER`]. Boxed with the answer in it: rare, and large beside the future of a request whose client does not ask.
pub fn whole(
    answer: Answer,
    entry: &Entry,
    by: Instant,
) -> Pin<Box<dyn Future<Output = Result<Told, Failure>> + '_>> {
    Box::pin(tell_whole(answer, entry, by))
}

async fn tell_whole(mut answer: Answer, entry: &Entry, by: Instant) -> Result<Told, Failure> {
    let nothing = Content::Whole(Bytes::new(), Tally::default());
    let content = mem::replace(&mut answer.content, nothing);
    let (body, tally) = match content {
        Content::Coming(mut body, mut gauge) if !gauge.is_stream() => {
            let whole = timeout_at(by, body.whole(WHOLE_BYTES_MAX)).await;
            let whole = whole.map_err(|_| Failure::Slow)?;
            let whole = Bytes::from(whole.map_err(|why| match why {
                Unfinished::Broken => Failure::Broken,
                Unfinished::TooLong => Failure::Unreadable,
            })?);
            gauge.push(whole.clone(), &mut Vec::new());
            gauge.finish(&mut Vec::new());
            (whole, gauge.last_tally(entry.tells_finish()))
        }
        Content::Whole(body, tally) => (body, tally),
        streamed => {
            answer.content = streamed;
            return Ok((answer, None));
        }
    };
    let cost = entry.cost_with(tally);
    let object = str::from_utf8(&body).ok();
    let object = object.and_then(|object| told(object, &in_json(cost)));
    answer.content = Content::Whole(object.map_or(body, Bytes::from), tally);
    let said = match cost {
        Cost::Known(nano) => money::dollars(nano),
        Cost::Unknown => "unknown".to_owned(),
    };
    Ok((answer, HeaderValue::try_from(said).ok()))
}

/// Dollars, or null where nobody knows.
fn in_json(cost: Cost) -> String {
    cost.nano()
        .map_or_else(|| "null".to_owned(), money::dollars)
}

// === impl Telling ===

impl Telling {
    /// What goes on of what came, in place of it. `cost` is asked only for an event that tells usage.
    pub fn pass(&mut self, ready: &mut Vec<Bytes>, cost: impl Fn() -> Cost) {
        let mut out = BytesMut::new();
        for bytes in mem::take(ready) {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let cut = self.framer.next(rest);
                let (piece, behind) = rest.split_at(cut.len.min(rest.len()));
                rest = behind;
                self.take(piece, cut.kind, &cost, &mut out);
            }
        }
        if !out.is_empty() {
            ready.push(out.freeze());
        }
    }

    /// What is held of an event without its end.
    pub fn rest(&mut self, ready: &mut Vec<Bytes>) {
        if !self.partial.is_empty() {
            ready.push(self.partial.split().freeze());
        }
    }

    fn take(&mut self, piece: &[u8], kind: Kind, cost: &impl Fn() -> Cost, out: &mut BytesMut) {
        match kind {
            Kind::Loose | Kind::Trailing => out.extend_from_slice(piece),
            Kind::Open | Kind::Event if self.oversized => {
                out.extend_from_slice(piece);
                self.oversized = kind == Kind::Open;
            }
            Kind::Open => {
                self.partial.extend_from_slice(piece);
                if self.partial.len() > EVENT_BYTES_MAX {
                    self.oversized = true;
                    out.extend_from_slice(&self.partial.split());
                }
            }
            Kind::Event => {
                self.partial.extend_from_slice(piece);
                let event = self.partial.split();
                let usage = memchr::memmem::find(&event, b"\"usage\"").is_some();
                let with = usage.then(|| told_in_event(&event, &in_json(cost())));
                out.extend_from_slice(with.flatten().as_deref().unwrap_or(&event));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_usage_tells_the_cost_however_the_stream_is_cut() {
        let stream = "data: {\"choices\":[{}]}\n\n: alive\n\ndata: {\"choices\":[],\"usage\":{\"a\":1}}\n\ndata: [DONE]\n\n";
        let expected = stream.replace("\"a\":1}", "\"a\":1,\"cost\":0.0000975}");
        for size in 1..stream.len() {
            let mut telling = Telling::default();
            let mut all = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                let mut ready = vec![Bytes::copy_from_slice(piece)];
                telling.pass(&mut ready, || Cost::Known(97_500));
                all.extend(ready);
            }
            telling.rest(&mut all);
            assert_eq!(String::from_utf8(all.concat()).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn what_has_no_price_is_told_as_null_and_what_has_no_end_goes_on() {
        let mut telling = Telling::default();
        let mut ready = vec![Bytes::from_static(
            b"data: {\"usage\":{\"a\":1}}\n\ndata: {\"x",
        )];
        telling.pass(&mut ready, || Cost::Unknown);
        telling.rest(&mut ready);
        let all = b"data: {\"usage\":{\"a\":1,\"cost\":null}}\n\ndata: {\"x";
        assert_eq!(ready.concat(), all);
    }
}
