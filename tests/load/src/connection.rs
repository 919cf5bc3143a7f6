//! One keep-alive connection of a plain client: it writes a question, and reads exactly what must come.
//!
//! Sets no `TCP_QUICKACK`: it acknowledges as the kernel likes, as most clients do, so that a server which
//! writes an answer in two parts with Nagle's algorithm on is seen to stall.

use std::{fmt, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    decode::{Decoder, Found, NotHttp},
    script::ANY_DIGIT,
};

/// How much is read at once at least.
const READ_BYTES: usize = 16 << 10;

/// How long an answer that differs is read on, to say what it was.
const SAY: Duration = Duration::from_secs(1);

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    decoder: Decoder,
}

/// Why an answer is not the one that was expected.
#[derive(Debug)]
pub enum Broken {
    /// The connection failed.
    Io(io::Error),
    /// It was closed in the middle of an answer.
    Closed,
    /// It is not HTTP.
    NotHttp(NotHttp),
    /// The status is not 200; and the beginning of the body.
    Status(u16, String),
    /// The body differs from the expected one, first at this byte.
    Differs(usize),
}

// === impl Connection ===

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self, Broken> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            decoder: Decoder::default(),
        })
    }

    /// Asks, and reads the whole answer, which must be `expected`.
    pub async fn exchange(&mut self, request: &[u8], expected: &[u8]) -> Result<(), Broken> {
        self.ask(request).await?;
        let mut at = 0;
        while let Some(part) = self.part().await? {
            at = agrees(expected, at, &part)?;
        }
        self.ended(expected, at)
    }

    /// Asks, and reads the head of the answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(request).await?;
        match self.found().await? {
            Found::Head(200) => Ok(()),
            Found::Head(status) => Err(Broken::Status(status, self.words().await)),
            Found::Part(_) | Found::End => Err(Broken::Differs(0)),
        }
    }

    /// The next piece of the body; `None` at its end.
    pub async fn part(&mut self) -> Result<Option<Bytes>, Broken> {
        match self.found().await? {
            Found::Part(part) => Ok(Some(part)),
            Found::End => Ok(None),
            Found::Head(_) => Err(Broken::Closed),
        }
    }

    /// Whether `at` bytes are all of `expected`, and nothing came after them.
    pub fn ended(&self, expected: &[u8], at: usize) -> Result<(), Broken> {
        let whole = at == expected.len() && self.decoder.is_between_answers();
        if whole {
            Ok(())
        } else {
            Err(Broken::Differs(at))
        }
    }

    async fn found(&mut self) -> Result<Found, Broken> {
        loop {
            if let Some(found) = self.decoder.found().map_err(Broken::NotHttp)? {
                return Ok(found);
            }
            let unread = self.decoder.unread();
            unread.reserve(READ_BYTES);
            if self.stream.read_buf(unread).await? == 0 {
                return Err(Broken::Closed);
            }
        }
    }

    /// What a refusal says, as far as it comes at once.
    async fn words(&mut self) -> String {
        let part = tokio::time::timeout(SAY, self.part()).await;
        let part = part.ok().and_then(Result::ok).flatten().unwrap_or_default();
        String::from_utf8_lossy(&part[..part.len().min(300)]).into_owned()
    }
}

/// How far the answer has come when `part` follows `at` bytes of it; an error when it differs.
pub fn agrees(expected: &[u8], at: usize, part: &[u8]) -> Result<usize, Broken> {
    let rest = &expected[at..];
    if rest.starts_with(part) {
        return Ok(at + part.len());
    }
    let same = rest
        .iter()
        .zip(part)
        .take_while(|(one, other)| one == other || **one == ANY_DIGIT && other.is_ascii_digit())
        .count();
    if same == part.len() {
        Ok(at + same)
    } else {
        Err(Broken::Differs(at + same))
    }
}

// === impl Broken ===

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the connection failed: {error}"),
            Self::Closed => f.write_str("the connection was closed in the middle of an answer"),
            Self::NotHttp(why) => why.fmt(f),
            Self::Status(status, body) => write!(f, "status {status} instead of 200: {body}"),
            Self::Differs(at) => write!(f, "the body differs from the expected one at byte {at}"),
        }
    }
}

impl std::error::Error for Broken {}
