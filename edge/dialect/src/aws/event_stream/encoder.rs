//! Writes frames.

use crate::aws::event_stream::frame::{
    FRAME_BYTES_MAX, FRAMING_BYTES, Fault, HEADERS_BYTES_MAX, Value,
};

/// Writes one frame. What a reader would refuse as too long is refused, and then nothing is written.
pub fn write(
    out: &mut Vec<u8>,
    headers: &[(&str, Value<'_>)],
    payload: &[u8],
) -> Result<(), Fault> {
    let mut raw = Vec::with_capacity(96);
    for (name, value) in headers {
        header(&mut raw, name, value)?;
    }
    let total = FRAMING_BYTES + raw.len() + payload.len();
    if raw.len() > HEADERS_BYTES_MAX || total > FRAME_BYTES_MAX {
        return Err(Fault::TooLong);
    }
    let length = |bytes: usize| u32::try_from(bytes).map_err(|_| Fault::TooLong);
    let (total, headers) = (length(total)?, length(raw.len())?);
    let mut prelude = [0; 8];
    let (first, second) = prelude.split_at_mut(4);
    first.copy_from_slice(&total.to_be_bytes());
    second.copy_from_slice(&headers.to_be_bytes());

    let mut checksum = crc32fast::Hasher::new();
    let mut put = |piece: &[u8]| {
        out.extend_from_slice(piece);
        checksum.update(piece);
    };
    put(&prelude);
    put(&crc32fast::hash(&prelude).to_be_bytes());
    put(&raw);
    put(payload);
    out.extend_from_slice(&checksum.finalize().to_be_bytes());
    Ok(())
}

fn header(out: &mut Vec<u8>, name: &str, value: &Value<'_>) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(Fault::Header);
    }
    out.push(u8::try_from(name.len()).map_err(|_| Fault::TooLong)?);
    out.extend_from_slice(name.as_bytes());
    match value {
        Value::Flag(flag) => out.push(u8::from(!flag)),
        Value::Byte(number) => plain(out, 2, &number.to_be_bytes()),
        Value::Short(number) => plain(out, 3, &number.to_be_bytes()),
        Value::Int(number) => plain(out, 4, &number.to_be_bytes()),
        Value::Long(number) => plain(out, 5, &number.to_be_bytes()),
        Value::Bytes(bytes) => measured(out, 6, bytes)?,
        Value::Text(text) => measured(out, 7, text.as_bytes())?,
        Value::Timestamp(number) => plain(out, 8, &number.to_be_bytes()),
        Value::Uuid(id) => plain(out, 9, id),
    }
    Ok(())
}

fn plain(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend_from_slice(bytes);
}

fn measured(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) -> Result<(), Fault> {
    let len = u16::try_from(bytes.len()).map_err(|_| Fault::TooLong)?;
    out.push(kind);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::event_stream::Frame;

    #[test]
    fn every_kind_of_header_reads_back() {
        let headers = [
            ("yes", Value::Flag(true)),
            ("no", Value::Flag(false)),
            ("byte", Value::Byte(-1)),
            ("short", Value::Short(500)),
            ("int", Value::Int(i32::MIN)),
            ("long", Value::Long(i64::MAX)),
            ("bytes", Value::Bytes(&[0, 255])),
            ("text", Value::Text("é")),
            ("time", Value::Timestamp(5_000_000)),
            ("id", Value::Uuid([7; 16])),
        ];
        let mut bytes = Vec::new();
        write(&mut bytes, &headers, b"payload").unwrap();
        let frame = Frame::read(&bytes).unwrap();
        assert_eq!(frame.headers, headers);
        assert_eq!(frame.payload, b"payload");
        assert_eq!(Frame::read(&bytes[..bytes.len() - 1]), Err(Fault::Cut));
    }

    #[test]
    fn what_no_reader_takes_is_not_written() {
        let mut out = Vec::new();
        let long = "n".repeat(256);
        assert_eq!(
            write(&mut out, &[(&long, Value::Byte(0))], b""),
            Err(Fault::TooLong)
        );
        let text = "t".repeat(1 << 16);
        assert_eq!(
            write(&mut out, &[("n", Value::Text(&text))], b""),
            Err(Fault::TooLong)
        );
        let payload = vec![0; FRAME_BYTES_MAX];
        assert_eq!(write(&mut out, &[], &payload), Err(Fault::TooLong));
        assert!(out.is_empty());
    }
}
