//! Counts the records of a report, and the decisions, before any of them is made.
//!
//! Two bytes on the wire can become a record of hundreds in memory, so the bytes alone bound nothing. Knows the shape of
//! a report and none of its values.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use prost::encoding::{DecodeContext, decode_key, skip_field};
use tokio::{sync::Semaphore, time::timeout};
use tonic::Status;
use tower::{Layer, Service};

use crate::{status, strict};

/// The most records in one report, decisions among them.
pub const RECORDS_MAX: usize = 1_000; // Full: the report is refused whole; an edge never sends more.

/// The longest report, in bytes: a thousand records whose every text is as long as it may be.
pub const REPORT_BYTES_MAX: usize = 1 << 20; // Full: as above.

/// The most reports that are read and stored at once.
const REPORTS_MAX: usize = 16; // Full: the next one stays on its connection until one of these is done.

/// How long the body of a report may take.
const BODY_MAX: Duration = Duration::from_secs(5);

/// The requests that are counted.
const REPORT: &str = "/sluice.usage.v1.UsageService/Report";

/// The numbers of the fields that hold records and decisions.
const RECORDS_FIELDS: [u32; 2] = [2, 3];

/// Puts a [`Tally`] before a service.
#[derive(Clone)]
pub struct TallyLayer {
    turns: Arc<Semaphore>,
}

/// A service that sees no report with too many records.
#[derive(Clone)]
pub struct Tally<S> {
    inner: S,
    turns: Arc<Semaphore>,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

// === impl TallyLayer ===

impl TallyLayer {
    /// With every turn free.
    pub fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(REPORTS_MAX)),
        }
    }
}

impl Default for TallyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for TallyLayer {
    type Service = Tally<S>;

    fn layer(&self, inner: S) -> Tally<S> {
        Tally {
            inner,
            turns: Arc::clone(&self.turns),
        }
    }
}

// === impl Tally ===

impl<S, B, R> Service<Request<B>> for Tally<S>
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
        if request.uri().path() != REPORT {
            return Box::pin(inner.call(request));
        }
        let turns = Arc::clone(&self.turns);
        Box::pin(async move {
            let _turn = turns.acquire().await;
            let (head, body) = request.into_parts();
            match counted(body).await {
                Ok(bytes) => inner.call(Request::from_parts(head, B::from(bytes))).await,
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

/// The body, read whole and found to hold few enough records.
async fn counted<B>(body: B) -> Result<Bytes, Status>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let limited = Limited::new(body, REPORT_BYTES_MAX + strict::FRAME_HEAD_BYTES);
    let read = timeout(BODY_MAX, limited.collect()).await;
    let collected = read.map_err(|_| status::edge_silent())?;
    // Whether it was too long or broke off: an edge that is still there learns that this report is lost.
    let refused = |_| status::edge_nonsense(&"a report is one message of at most 1 MiB");
    let bytes = collected.map_err(refused)?.to_bytes();
    let records = records(strict::unframed(&bytes)?);
    match records {
        Some(0..=RECORDS_MAX) => Ok(bytes),
        Some(_) => Err(status::edge_nonsense(
            &"a report holds at most 1000 records",
        )),
        None => Err(status::request_malformed()),
    }
}

/// How many records a message holds; `None` when it is no message.
fn records(mut message: &[u8]) -> Option<usize> {
    let mut count = 0;
    while message.has_remaining() {
        let (field, wire) = decode_key(&mut message).ok()?;
        count += usize::from(RECORDS_FIELDS.contains(&field));
        skip_field(wire, field, &mut message, DecodeContext::default()).ok()?;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use prost::Message;
    use proto::usage::{Access, Record, ReportRequest};
    use tonic::Code;

    use super::*;

    fn framed(message: &[u8]) -> Full<Bytes> {
        let mut body = vec![0];
        body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend(message);
        Full::from(body)
    }

    fn report(records: usize, record: &Record) -> Vec<u8> {
        let (edge_id, records) = ("one".to_owned(), vec![record.clone(); records]);
        let accesses = Vec::new();
        let report = ReportRequest {
            edge_id,
            records,
            accesses,
        };
        report.encode_to_vec()
    }

    #[tokio::test]
    async fn a_report_of_a_thousand_of_the_longest_records_passes() {
        let long = "x".repeat(256);
        let record = Record {
            id: vec![1; 16],
            key_id: "k".repeat(12),
            provider_model: long.clone(),
            endpoint: long,
            input_tokens: 1 << 53,
            output_tokens: 1 << 53,
            ..Record::default()
        };
        let message = report(RECORDS_MAX, &record);
        assert!(counted(framed(&message)).await.is_ok());
    }

    #[tokio::test]
    async fn a_report_is_refused_for_its_records_before_they_are_made() {
        let many = report(RECORDS_MAX + 1, &Record::default());
        let decisions = ReportRequest {
            records: vec![Record::default()],
            accesses: vec![Access::default(); RECORDS_MAX],
            ..ReportRequest::default()
        };
        // A second message in the same body would be made too.
        let twice = [report(1, &Record::default()), report(1, &Record::default())].map(|it| {
            let body = [
                &[0, 0, 0, 0, u8::try_from(it.len()).unwrap()],
                it.as_slice(),
            ];
            body.concat()
        });
        let long = vec![0x12; REPORT_BYTES_MAX + 1];
        for body in [
            framed(&many),
            framed(&decisions.encode_to_vec()),
            Full::from(twice.concat()),
            framed(&long),
            framed(&[0x12]),
        ] {
            assert_eq!(
                counted(body).await.unwrap_err().code(),
                Code::InvalidArgument
            );
        }
    }
}
