//! A provider that does what a test tells it, one connection and one request at a time.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::client::PATIENCE;

pub struct Provider {
    listener: TcpListener,
}

/// One connection from the edge.
pub struct Peer<S = TcpStream> {
    pub stream: S,
    buffer: Vec<u8>,
}

/// A request as the provider got it.
pub struct Received {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Provider {
    pub async fn start() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address())
    }

    pub async fn accept(&self) -> Peer {
        let accepted = timeout(PATIENCE, self.listener.accept()).await;
        let (stream, _) = accepted.expect("the edge did not connect").unwrap();
        stream.set_nodelay(true).unwrap();
        Peer::new(stream)
    }

    /// Takes a connection, whenever it comes.
    pub async fn accept_late(&self) -> Peer {
        let (stream, _) = self.listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer::new(stream)
    }

    /// Takes a connection and one request, and answers it.
    pub async fn answer(&self, response: impl AsRef<[u8]>) -> (Peer, Received) {
        let mut peer = self.accept().await;
        let received = peer.request().await;
        peer.write(response).await;
        (peer, received)
    }

    /// Whether nobody has connected.
    pub async fn is_unvisited(&self) -> bool {
        let soon = std::time::Duration::from_millis(50);
        timeout(soon, self.listener.accept()).await.is_err()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub async fn request(&mut self) -> Received {
        let mut received = self.head().await;
        let length: usize = received.header("content-length").unwrap().parse().unwrap();
        received.body = self.take(length).await;
        received
    }

    /// The next request, whenever it comes, by its length or its chunks; `None` when the edge closes before it is whole.
    pub async fn next_whole_request(&mut self) -> Option<Received> {
        self.more_than(0).await?;
        let mut received = self.head().await;
        if received.header("transfer-encoding").is_none() {
            let length: usize = received
                .header("content-length")
                .map_or(0, |it| it.parse().unwrap());
            if let Some(all_but_one) = length.checked_sub(1) {
                self.more_than(all_but_one).await?;
            }
            received.body = self.buffer.drain(..length).collect();
            return Some(received);
        }
        loop {
            while !self.holds(b"\r\n") {
                self.more_than(self.buffer.len()).await?;
            }
            let line = self
                .buffer
                .windows(2)
                .position(|two| two == b"\r\n")
                .unwrap();
            let size = std::str::from_utf8(&self.buffer[..line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            self.more_than(line + 2 + size + 1).await?;
            received.body.extend(&self.buffer[line + 2..][..size]);
            assert_eq!(&self.buffer[line + 2 + size..][..2], b"\r\n");
            self.buffer.drain(..line + 2 + size + 2);
            if size == 0 {
                return Some(received);
            }
        }
    }

    /// Waits until there are more bytes than so many; `None` when the edge closes before.
    async fn more_than(&mut self, length: usize) -> Option<()> {
        while self.buffer.len() <= length {
            if !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..)) {
                return None;
            }
        }
        Some(())
    }

    /// The head of a request alone.
    pub async fn head(&mut self) -> Received {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.fill().await, "the edge closed before it asked");
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Received {
            line,
            headers: lines.map(header).collect(),
            body: Vec::new(),
        }
    }

    /// So many bytes of what comes.
    pub async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(
                self.fill().await,
                "the edge closed in the middle of its request"
            );
        }
        self.buffer.drain(..length).collect()
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// One chunk of a chunked body.
    pub async fn chunk(&mut self, data: impl AsRef<[u8]>) {
        let data = data.as_ref();
        let size = format!("{:x}\r\n", data.len());
        self.write([size.as_bytes(), data, b"\r\n"].concat()).await;
    }

    /// Whether these bytes are among what came last.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        self.buffer.windows(bytes.len()).any(|part| part == bytes)
    }

    /// Waits until the edge has closed the connection.
    pub async fn closed(&mut self) {
        while self.fill().await {}
    }

    async fn fill(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.buffer);
        matches!(
            timeout(PATIENCE, read).await.expect("the edge did nothing"),
            Ok(1..)
        )
    }
}

/// A response of known length.
pub fn json(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

/// The head of a stream of events.
pub const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// A chunk of a chat's stream that says something.
pub const DELTA: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n";

/// The end of a chunked body.
pub const END: &str = "0\r\n\r\n";
