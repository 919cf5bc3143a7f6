//! A provider that speaks the Realtime API, from events of our own making.

use std::net::SocketAddr;

use dialect::websocket::{
    close,
    frame::{Kind, Reader, Sender},
    handshake,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// What it says to each question.
pub const WORDS: &str = "Hello there.";
/// Tokens that it counts for each question.
pub const INPUT_TOKENS: u64 = 12;
/// Tokens that it counts for each answer.
pub const OUTPUT_TOKENS: u64 = 5;

/// A running provider. Dropping it stops it and breaks every socket.
#[derive(Debug)]
pub struct Realtime {
    address: SocketAddr,
    task: JoinHandle<()>,
}

// === impl Realtime ===

impl Realtime {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let task = tokio::spawn(async move {
            let mut sockets = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                sockets.spawn(converse(stream));
            }
        });
        Self { address, task }
    }

    /// The base URL that an operator would configure.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for Realtime {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One socket: greets, and answers every question until the other end closes it. `None` when that one is gone.
async fn converse(mut stream: TcpStream) -> Option<()> {
    let head = head(&mut stream).await?;
    let line = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(it, value)| it.eq_ignore_ascii_case(name).then(|| value.to_owned()))
    };
    assert!(head.starts_with("GET /v1/realtime?model=provider-chat "));
    let credential = format!("Bearer {}", harness::tenant::CREDENTIAL);
    assert_eq!(line("authorization"), Some(credential));
    let accept = handshake::accept(&line("sec-websocket-key")?);
    let agreed = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(agreed.as_bytes()).await.ok()?;
    say(
        &mut stream,
        &json!({"type": "session.created", "event_id": "e"}),
    )
    .await?;
    let mut reader = Reader::new(Sender::Client, 1 << 20);
    let mut buffer = [0; 4_096];
    loop {
        let count = stream
            .read(&mut buffer)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        let (mut message, mut messages, mut closed) = (Vec::new(), Vec::new(), false);
        let read = reader.push(&buffer[..count], |piece| {
            closed |= piece.kind == Kind::Close;
            piece.append_to(&mut message, usize::MAX);
            if piece.last {
                messages.push(std::mem::take(&mut message));
            }
        });
        read.expect("what comes is frames");
        for message in messages {
            if message.windows(15).any(|part| part == b"response.create") {
                answer(&mut stream).await?;
            }
        }
        if closed {
            let bye = close::write(Sender::Server, [0; 4], 1_000, "");
            return stream.write_all(&bye).await.ok();
        }
    }
}

async fn answer(stream: &mut TcpStream) -> Option<()> {
    let usage = json!({
        "input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    });
    for event in [
        json!({"type": "response.created", "event_id": "e", "response": {"object": "realtime.response"}}),
        json!({
            "type": "response.output_text.delta", "event_id": "e", "response_id": "r", "item_id": "i",
            "output_index": 0, "content_index": 0, "delta": WORDS,
        }),
        json!({"type": "response.done", "event_id": "e", "response": {"usage": usage}}),
    ] {
        say(stream, &event).await?;
    }
    Some(())
}

async fn say(stream: &mut TcpStream, event: &serde_json::Value) -> Option<()> {
    let text = event.to_string();
    let length = u16::try_from(text.len()).expect("events are short");
    let mut frame = vec![0x81, 126];
    if length < 126 {
        frame = vec![0x81, length.to_be_bytes()[1]];
    } else {
        frame.extend(length.to_be_bytes());
    }
    frame.extend(text.as_bytes());
    stream.write_all(&frame).await.ok()
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
