//! One frame, taken apart.
//!
//! Knows the layout: total length, length of the headers, checksum of both; headers; payload; checksum of all before.
//! Numbers are big-endian, checksums are CRC-32 as IEEE has it.

use std::fmt;

/// The longest frame that is read, all counted. Full: the stream is given up, because what cannot be read cannot be
/// translated.
pub const FRAME_BYTES_MAX: usize = 16 << 20;

/// The longest headers of one frame, as the format has it. Full: the stream is given up.
pub const HEADERS_BYTES_MAX: usize = 128 << 10;

/// Both lengths and their checksum.
pub(crate) const PRELUDE_BYTES: usize = 12;

/// What stands around headers and payload.
pub(crate) const FRAMING_BYTES: usize = PRELUDE_BYTES + 4;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its headers, in their order.
    pub headers: Vec<(&'a str, Value<'a>)>,
    /// What it carries.
    pub payload: &'a [u8],
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Yes or no.
    Flag(bool),
    /// 8 bits.
    Byte(i8),
    /// 16 bits.
    Short(i16),
    /// 32 bits.
    Int(i32),
    /// 64 bits.
    Long(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text: the only kind that Bedrock sends.
    Text(&'a str),
    /// Milliseconds since 1970.
    Timestamp(i64),
    /// An id.
    Uuid([u8; 16]),
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is longer than [`FRAME_BYTES_MAX`], or its headers than [`HEADERS_BYTES_MAX`].
    TooLong,
    /// Its lengths contradict each other.
    Lengths,
    /// The checksum of the lengths is another.
    PreludeChecksum,
    /// The checksum of the frame is another.
    Checksum,
    /// A header is none.
    Header,
    /// The bytes end before the frame does.
    Cut,
}

/// How long the frame is that begins with these bytes; `None` while they are too few to say. Checked before anything
/// is kept, so that bytes of another format are found out at once.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let Some(prelude) = bytes.get(..PRELUDE_BYTES) else {
        return Ok(None);
    };
    let mut rest = Reader(prelude);
    let (total, headers, checksum) = (rest.u32()?, rest.u32()?, rest.u32()?);
    if crc32fast::hash(prelude.get(..8).unwrap_or_default()) != checksum {
        return Err(Fault::PreludeChecksum);
    }
    let total = usize::try_from(total).map_err(|_| Fault::TooLong)?;
    let headers = usize::try_from(headers).map_err(|_| Fault::TooLong)?;
    if total > FRAME_BYTES_MAX || headers > HEADERS_BYTES_MAX {
        return Err(Fault::TooLong);
    }
    if headers + FRAMING_BYTES > total {
        return Err(Fault::Lengths);
    }
    Ok(Some(total))
}

struct Reader<'a>(&'a [u8]);

// === impl Frame ===

impl<'a> Frame<'a> {
    /// Reads one frame, which is all of `bytes`.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let total = length(bytes)?.ok_or(Fault::Cut)?;
        if total > bytes.len() {
            return Err(Fault::Cut);
        }
        let (checked, checksum) = bytes.split_last_chunk::<4>().ok_or(Fault::Cut)?;
        if total < bytes.len() {
            return Err(Fault::Lengths);
        }
        if crc32fast::hash(checked) != u32::from_be_bytes(*checksum) {
            return Err(Fault::Checksum);
        }
        let mut rest = Reader(checked);
        rest.u32()?;
        let headers_bytes = usize::try_from(rest.u32()?).map_err(|_| Fault::TooLong)?;
        rest.u32()?;
        let mut raw = Reader(rest.take(headers_bytes)?);
        let mut headers = Vec::new();
        while !raw.0.is_empty() {
            headers.push(raw.header()?);
        }
        Ok(Self {
            headers,
            payload: rest.0,
        })
    }

    /// What a header says, if it is text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find_map(|(key, value)| match value {
            Value::Text(text) if *key == name => Some(*text),
            _ => None,
        })
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Fault::Header)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Fault::Header)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Fault> {
        self.array().map(u8::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    fn text(&mut self, len: usize) -> Result<&'a str, Fault> {
        str::from_utf8(self.take(len)?).map_err(|_| Fault::Header)
    }

    fn header(&mut self) -> Result<(&'a str, Value<'a>), Fault> {
        let len = usize::from(self.u8()?);
        if len == 0 {
            return Err(Fault::Header);
        }
        let name = self.text(len)?;
        let value = match self.u8()? {
            0 => Value::Flag(true),
            1 => Value::Flag(false),
            2 => Value::Byte(i8::from_be_bytes(self.array()?)),
            3 => Value::Short(i16::from_be_bytes(self.array()?)),
            4 => Value::Int(i32::from_be_bytes(self.array()?)),
            5 => Value::Long(i64::from_be_bytes(self.array()?)),
            6 => {
                let len = u16::from_be_bytes(self.array()?);
                Value::Bytes(self.take(usize::from(len))?)
            }
            7 => {
                let len = u16::from_be_bytes(self.array()?);
                Value::Text(self.text(usize::from(len))?)
            }
            8 => Value::Timestamp(i64::from_be_bytes(self.array()?)),
            9 => Value::Uuid(self.array()?),
            _ => return Err(Fault::Header),
        };
        Ok((name, value))
    }
}

// === impl Fault ===

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "a frame is too long",
            Self::Lengths => "the lengths of a frame contradict each other",
            Self::PreludeChecksum => {
                "the bytes are no frame: the checksum of the lengths is another"
            }
            Self::Checksum => "the checksum of a frame is another",
            Self::Header => "a header of a frame is malformed",
            Self::Cut => "the bytes end within a frame",
        })
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with these headers and good checksums.
    fn frame(headers: &[u8]) -> Vec<u8> {
        let length = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
        let mut bytes = Vec::new();
        bytes.extend(length(headers.len() + FRAMING_BYTES));
        bytes.extend(length(headers.len()));
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes.extend(headers);
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes
    }

    #[test]
    fn headers_are_checked_under_good_checksums_too() {
        let good = frame(b"\x01a\x07\x00\x01x\x01b\x00");
        let read = Frame::read(&good).unwrap();
        assert_eq!(read.text("a"), Some("x"));
        assert_eq!((read.text("b"), read.text("c")), (None, None));
        let broken: [&[u8]; 8] = [
            b"\x00\x00",
            b"\x01",
            b"\x05a\x00",
            b"\x01a",
            b"\x01a\x0a",
            b"\x01a\x07\x00\x02x",
            b"\x01a\x07\x00\x01\xff",
            b"\x01a\x04\x00\x00",
        ];
        for headers in broken {
            assert_eq!(
                Frame::read(&frame(headers)),
                Err(Fault::Header),
                "{headers:?}"
            );
        }
    }
}
