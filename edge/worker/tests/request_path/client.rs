//! A client that writes and reads bytes, so that a test sees what is really on the wire.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response as it came.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body came to the end that its framing promised.
    pub whole: bool,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The `code` of an error in `OpenAI`'s shape; all four members must be there.
    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let error = body["error"].as_object().unwrap();
        for member in ["message", "type", "param", "code"] {
            assert!(error.contains_key(member), "{body}");
        }
        error["code"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Posts JSON with a key, in one write.
    pub async fn post(&mut self, path: &str, key: &str, body: &str) {
        let head = post_head(path, key, body.len());
        self.write(format!("{head}{body}")).await;
    }

    pub async fn get(&mut self, path: &str, key: &str) -> Response {
        self.write(format!(
            "GET {path} HTTP/1.1\r\nhost: edge\r\nx-api-key: {key}\r\n\r\n"
        ))
        .await;
        self.response().await
    }

    /// Reads more; `false` at the end.
    async fn fill(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.buffer);
        matches!(
            timeout(PATIENCE, read)
                .await
                .expect("the edge said nothing"),
            Ok(1..)
        )
    }

    /// So many bytes of what comes.
    pub async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(
                self.fill().await,
                "the edge closed: {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
        }
        self.buffer.drain(..length).collect()
    }

    pub async fn head(&mut self) -> (u16, Vec<(String, String)>) {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(
                self.fill().await,
                "the edge closed: {:?}",
                String::from_utf8_lossy(&self.buffer)
            );
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        (status, lines.map(header).collect())
    }

    pub async fn response(&mut self) -> Response {
        let (status, headers) = self.head().await;
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
            whole: true,
        };
        if response.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                if chunk.is_empty() {
                    return response;
                }
                response.body.extend(chunk);
            }
            response.whole = false;
        } else {
            let length = response
                .header("content-length")
                .map_or(0, |text| text.parse().unwrap());
            while self.buffer.len() < length && response.whole {
                response.whole = self.fill().await;
            }
            response.body = self.buffer.drain(..length.min(self.buffer.len())).collect();
        }
        response
    }

    /// The next chunk of a chunked body, empty at its end; `None` when the edge closed before.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(line) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let size = std::str::from_utf8(&self.buffer[..line]).unwrap();
                let size = usize::from_str_radix(size, 16).unwrap();
                if self.buffer.len() >= line + 2 + size + 2 {
                    let chunk = self.buffer[line + 2..][..size].to_vec();
                    self.buffer.drain(..line + 2 + size + 2);
                    return Some(chunk);
                }
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Waits until the edge closes.
    pub async fn closed(&mut self) {
        while self.fill().await {}
    }
}

pub fn post_head(path: &str, key: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}
