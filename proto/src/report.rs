//! Usage records, and decisions about access, on their way: a batch as the bytes that travel, written once and sent as often as it takes.
//!
//! Knows how they are framed and by which call they go; knows nothing of what they mean, nor when to try again.

use std::mem;

use prost::{
    Message,
    bytes::{BufMut, Bytes},
};
use tonic::{
    Request, Response, Status,
    client::Grpc,
    codec::{BufferSettings, Codec, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::Channel,
};
use tonic_prost::ProstCodec;

use crate::usage::{Access, Record, ReportRequest, ReportResponse};

/// The bytes of a [`ReportRequest`]. A copy costs no memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    bytes: Bytes,
    records: usize,
}

/// Passes bytes on as the message that they are.
#[derive(Debug, Clone, Copy, Default)]
struct Written;

/// Brings a batch to the control plane at the end of this channel.
pub async fn send(
    channel: Channel,
    batch: Request<Batch>,
) -> Result<Response<ReportResponse>, Status> {
    let mut grpc = Grpc::new(channel);
    let ready = grpc.ready().await;
    ready.map_err(|why| Status::unavailable(why.to_string()))?;
    let call = PathAndQuery::from_static("/sluice.usage.v1.UsageService/Report");
    grpc.unary(batch, call, Written).await
}

// === impl Batch ===

impl Batch {
    /// The batches of these records, of the edge that calls itself so: each of at most so many bytes, where one record is no more.
    pub fn write(
        edge_id: &str,
        records: impl Iterator<Item = Record>,
        bytes_max: usize,
    ) -> Vec<Self> {
        Self::write_each(edge_id, records, bytes_max, |it| &mut it.records)
    }

    /// The same of decisions about access.
    pub fn write_accesses(
        edge_id: &str,
        accesses: impl Iterator<Item = Access>,
        bytes_max: usize,
    ) -> Vec<Self> {
        Self::write_each(edge_id, accesses, bytes_max, |it| &mut it.accesses)
    }

    fn write_each<T>(
        edge_id: &str,
        all: impl Iterator<Item = T>,
        bytes_max: usize,
        place: impl Fn(&mut ReportRequest) -> &mut Vec<T>,
    ) -> Vec<Self> {
        let head = ReportRequest {
            edge_id: edge_id.to_owned(),
            ..ReportRequest::default()
        };
        let head = head.encode_to_vec();
        let (mut batches, mut bytes, mut written) = (Vec::new(), head.clone(), 0);
        let mut one = ReportRequest::default();
        for it in all {
            let before = bytes.len();
            let place = place(&mut one);
            place.clear();
            place.push(it);
            // The bytes of two messages, one after the other, are one message that has the records of both.
            one.encode_raw(&mut bytes);
            if written > 0 && bytes.len() > bytes_max {
                let next = [&*head, &bytes[before..]].concat();
                bytes.truncate(before);
                batches.push(Self::of(mem::replace(&mut bytes, next), written));
                written = 0;
            }
            written += 1;
        }
        if written > 0 {
            batches.push(Self::of(bytes, written));
        }
        batches
    }

    /// What was written before; nothing where the bytes are no batch.
    pub fn read(bytes: Vec<u8>) -> Self {
        let records = ReportRequest::decode(&*bytes);
        let records = records.map(|it| it.records.len() + it.accesses.len());
        records.map_or_else(|_| Self::default(), |records| Self::of(bytes, records))
    }

    fn of(bytes: Vec<u8>, records: usize) -> Self {
        let bytes = bytes.into();
        Self { bytes, records }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many records it has, or decisions.
    pub fn records(&self) -> usize {
        self.records
    }
}

// === impl Written ===

impl Codec for Written {
    type Encode = Batch;
    type Decode = ReportResponse;
    type Encoder = Self;
    type Decoder = <ProstCodec<ReportRequest, ReportResponse> as Codec>::Decoder;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<ReportRequest, ReportResponse>::raw_decoder(BufferSettings::default())
    }
}

impl Encoder for Written {
    type Item = Batch;
    type Error = Status;

    fn encode(&mut self, batch: Batch, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(batch.bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(endpoint: &str) -> Record {
        Record {
            endpoint: endpoint.to_owned(),
            ..Record::default()
        }
    }

    #[test]
    fn what_is_written_record_by_record_is_one_request() {
        let records = || vec![record("one"), record("two")];
        let batches = Batch::write("here", records().into_iter(), 1 << 20);
        let whole = ReportRequest {
            edge_id: "here".to_owned(),
            records: records(),
            accesses: Vec::new(),
        };
        let [batch] = &*batches else {
            panic!("{batches:?}")
        };
        assert_eq!(ReportRequest::decode(batch.bytes()), Ok(whole));
        assert_eq!(batch.records(), 2);
        assert_eq!(Batch::read(batch.bytes().to_vec()), *batch);
        assert_eq!(Batch::read(b"no batch".to_vec()), Batch::default());
        assert!(Batch::write("here", [].into_iter(), 1 << 20).is_empty());
    }

    #[test]
    fn decisions_are_written_as_records_are() {
        let access = |model: &str| Access {
            model: model.to_owned(),
            ..Access::default()
        };
        let accesses = || vec![access("one"), access("two")];
        let batches = Batch::write_accesses("here", accesses().into_iter(), 1 << 20);
        let whole = ReportRequest {
            edge_id: "here".to_owned(),
            records: Vec::new(),
            accesses: accesses(),
        };
        let [batch] = &*batches else {
            panic!("{batches:?}")
        };
        assert_eq!(ReportRequest::decode(batch.bytes()), Ok(whole));
        assert_eq!(batch.records(), 2);
        assert_eq!(Batch::read(batch.bytes().to_vec()), *batch);
    }

    #[test]
    fn what_finds_no_room_goes_in_the_next_one() {
        let names = ["one", "two", "three"];
        let one = Batch::write("here", [record("three")].into_iter(), 0);
        let bytes = one[0].bytes().len();
        for (bytes_max, batches) in [(0, 3), (bytes, 3), (2 * bytes - 8, 2), (3 * bytes, 1)] {
            let written = Batch::write("here", names.into_iter().map(record), bytes_max);
            assert_eq!(written.len(), batches, "{bytes_max}");
            let read = written.iter().map(|it| ReportRequest::decode(it.bytes()));
            let read = read.flat_map(|it| it.unwrap().records);
            assert!(read.map(|it| it.endpoint).eq(names));
        }
    }
}
