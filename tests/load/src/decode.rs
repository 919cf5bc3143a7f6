//! Takes one HTTP/1.1 answer apart: its status, and the pieces of its body.
//!
//! Only as much of HTTP as answers to our own questions need. Knows bytes; knows nothing of sockets. What it
//! does not understand is an error, never a guess.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use memchr::{memchr, memmem};

/// The longest head of an answer, in bytes.
// Full: the answer is not one that we expect.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// What has come and has not been read, and where in the answer we are.
#[derive(Debug, Default)]
pub struct Decoder {
    unread: BytesMut,
    at: Place,
}

/// The next thing in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The head, with this status.
    Head(u16),
    /// The next piece of the body.
    Part(Bytes),
    /// The answer is over.
    End,
}

/// What came is not an answer that we understand; says what was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotHttp(&'static str);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a head.
    #[default]
    Head,
    /// In a body of which so much is left.
    Sized(u64),
    /// Before the line with a chunk's size.
    Size,
    /// In a chunk of which so much is left.
    Chunk(u64),
    /// Before the line end after a chunk.
    ChunkEnd,
    /// Before the line end after the last chunk.
    LastEnd,
}

// === impl Decoder ===

impl Decoder {
    /// Where what comes is to be put.
    pub fn unread(&mut self) -> &mut BytesMut {
        &mut self.unread
    }

    /// Whether nothing of an answer has come that was not read.
    pub fn is_between_answers(&self) -> bool {
        self.at == Place::Head && self.unread.is_empty()
    }

    /// The next thing; `None` means that more has to come first.
    pub fn found(&mut self) -> Result<Option<Found>, NotHttp> {
        loop {
            match self.at {
                Place::Head => return self.head(),
                Place::Sized(0) => return Ok(Some(self.end())),
                Place::Sized(left) => {
                    return Ok(self.part(left).map(|(part, left)| {
                        self.at = Place::Sized(left);
                        Found::Part(part)
                    }));
                }
                Place::Size => match self.line()? {
                    Some(line) => self.at = after_size(&line)?,
                    None => return Ok(None),
                },
                Place::Chunk(0) => self.at = Place::ChunkEnd,
                Place::Chunk(left) => {
                    return Ok(self.part(left).map(|(part, left)| {
                        self.at = Place::Chunk(left);
                        Found::Part(part)
                    }));
                }
                Place::ChunkEnd | Place::LastEnd => match self.line()? {
                    Some(line) if !line.is_empty() => return Err(NotHttp("a trailer")),
                    Some(_) if self.at == Place::LastEnd => return Ok(Some(self.end())),
                    Some(_) => self.at = Place::Size,
                    None => return Ok(None),
                },
            }
        }
    }

    fn head(&mut self) -> Result<Option<Found>, NotHttp> {
        let Some(end) = memmem::find(&self.unread, b"\r\n\r\n") else {
            let long = self.unread.len() > HEAD_BYTES_MAX;
            return if long {
                Err(NotHttp("a head without an end"))
            } else {
                Ok(None)
            };
        };
        let head = self.unread.split_to(end + 4);
        let mut lines = head[..end]
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii_end);
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix(b"HTTP/1.1 "));
        let status = status.and_then(|rest| number(rest.get(..3)?, 10));
        let status = status
            .and_then(|it| u16::try_from(it).ok())
            .ok_or(NotHttp("no status"))?;
        self.at = Place::Head;
        for line in lines {
            let Some(colon) = memchr(b':', line) else {
                return Err(NotHttp("a header"));
            };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                self.at = Place::Sized(number(value, 10).ok_or(NotHttp("a length"))?);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                self.at = Place::Size;
            }
        }
        let framed = self.at != Place::Head;
        if framed {
            Ok(Some(Found::Head(status)))
        } else {
            Err(NotHttp("a body without a length"))
        }
    }

    fn part(&mut self, left: u64) -> Option<(Bytes, u64)> {
        let length = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(self.unread.len());
        let part = (length > 0).then(|| self.unread.split_to(length).freeze())?;
        Some((part, left - length as u64))
    }

    fn line(&mut self) -> Result<Option<Bytes>, NotHttp> {
        let Some(end) = memchr(b'\n', &self.unread) else {
            return Ok(None);
        };
        let line = self.unread.split_to(end).freeze();
        self.unread.advance(1);
        line.strip_suffix(b"\r")
            .map(|line_| Some(line.slice_ref(line_)))
            .ok_or(NotHttp("a line"))
    }

    fn end(&mut self) -> Found {
        self.at = Place::Head;
        Found::End
    }
}

fn after_size(line: &[u8]) -> Result<Place, NotHttp> {
    match number(line, 16) {
        Some(0) => Ok(Place::LastEnd),
        Some(size) => Ok(Place::Chunk(size)),
        None => Err(NotHttp("a chunk's size")),
    }
}

fn number(text: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(text).ok()?, radix).ok()
}

// === impl NotHttp ===

impl fmt::Display for NotHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the answer has {}, which is not what was expected",
            self.0
        )
    }
}

impl std::error::Error for NotHttp {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything found when `text` comes in pieces of `size`.
    fn all(text: &[u8], size: usize) -> (Vec<u16>, Vec<u8>, usize) {
        let (mut decoder, mut found) = (Decoder::default(), (Vec::new(), Vec::new(), 0));
        for piece in text.chunks(size) {
            decoder.unread().extend_from_slice(piece);
            while let Some(it) = decoder.found().unwrap() {
                match it {
                    Found::Head(status) => found.0.push(status),
                    Found::Part(part) => found.1.extend_from_slice(&part),
                    Found::End => found.2 += 1,
                }
            }
        }
        assert!(decoder.is_between_answers());
        found
    }

    #[test]
    fn an_answer_is_the_same_however_it_was_cut() {
        let text =
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: y\r\n\r\nhelloHTTP/1.1 429 Too Many\r\n\
                     transfer-encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n";
        for size in 1..=text.len() {
            let (statuses, body, ends) = all(text, size);
            assert_eq!((statuses, ends), (vec![200, 429], 2));
            assert_eq!(body, b"helloabc0123456789");
        }
    }

    #[test]
    fn what_is_not_an_answer_is_an_error() {
        let broken: [&[u8]; 5] = [
            b"HTTP/1.0 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nq\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        ];
        for text in broken {
            let mut decoder = Decoder::default();
            decoder.unread().extend_from_slice(text);
            let mut found = decoder.found();
            while let Ok(Some(Found::Head(_) | Found::Part(_))) = found {
                found = decoder.found();
            }
            assert!(found.is_err(), "{}", String::from_utf8_lossy(text));
        }
    }
}
