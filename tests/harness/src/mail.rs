//! A scripted server of mail on loopback: it takes every message in plaintext and remembers it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// A message that came.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// What was said before its text, line by line.
    pub said: Vec<String>,
    /// Its head and text, line by line.
    pub text: Vec<String>,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Mail {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Message>>>,
    task: JoinHandle<()>,
}

// === impl Mail ===

impl Mail {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let got = Arc::<Mutex<Vec<Message>>>::default();
        let memory = Arc::clone(&got);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let memory = Arc::clone(&memory);
                connections.spawn(async move {
                    // Whoever hangs up early has sent nothing.
                    if let Ok(message) = converse(stream).await {
                        let mut memory = memory.lock().expect("nobody panicked with it");
                        memory.push(message);
                    }
                });
            }
        });
        Self { address, got, task }
    }

    /// Host and port.
    pub fn server(&self) -> String {
        self.address.to_string()
    }

    /// Every message that came so far.
    pub fn messages(&self) -> Vec<Message> {
        self.got.lock().expect("nobody panicked with it").clone()
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream) -> std::io::Result<Message> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut message = Message::default();
    write.write_all(b"220 here\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let word = line.split(' ').next().unwrap_or("").to_uppercase();
        message.said.push(line);
        match word.as_str() {
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    message.text.push(line);
                }
                write.write_all(b"250 taken\r\n").await?;
                return Ok(message);
            }
            "EHLO" => write.write_all(b"250-here\r\n250 AUTH PLAIN\r\n").await?,
            "AUTH" => write.write_all(b"235 welcome\r\n").await?,
            _ => write.write_all(b"250 well\r\n").await?,
        }
    }
    Err(std::io::ErrorKind::UnexpectedEof.into())
}
