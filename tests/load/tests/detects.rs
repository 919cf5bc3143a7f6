//! The client sees what it is there to see: an answer that differs, one that is refused, one that is cut, and
//! the stall of a server that writes an answer in two parts and leaves Nagle's algorithm on.

use std::{net::SocketAddr, time::Duration};

use load::{
    connection::Broken,
    saturated::{self, Bounds, Question},
    script::{self, Kind},
    verdict::STALL_MAX,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, LocalSet},
};

/// A server that answers every request with these pieces, each in a write of its own.
struct Blunt {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Blunt {
    async fn start(pieces: Vec<Vec<u8>>, nodelay: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                SockRef::from(&stream)
                    .set_tcp_nodelay(nodelay)
                    .expect("a socket takes it");
                tokio::spawn(answer(stream, pieces.clone()));
            }
        });
        Self { address, task }
    }

    fn question(&self) -> Question {
        let body = script::question(Kind::Whole, 200);
        let request = script::request(&self.address.to_string(), "key", &body);
        Question {
            address: self.address,
            request,
            expected: script::whole_answer(),
        }
    }
}

impl Drop for Blunt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, pieces: Vec<Vec<u8>>) {
    // The questions here are shorter than one read.
    let mut question = vec![0; 4_096];
    while stream.read(&mut question).await.is_ok_and(|read| read > 0) {
        for piece in &pieces {
            if stream.write_all(piece).await.is_err() {
                return;
            }
        }
    }
}

fn head(status: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

/// The median that a plain client sees when the answer comes in two writes.
async fn median(nodelay: bool) -> Duration {
    let body = script::whole_answer().to_vec();
    let server = Blunt::start(vec![head("200 OK", body.len()), body], nodelay).await;
    let question = server.question();
    let bounds = Bounds {
        time: Duration::from_secs(10),
        requests_max: 100,
    };
    let asked = async {
        let open = saturated::open(&question, 1)
            .await
            .expect("the answer is right");
        saturated::run(&question, open, bounds)
            .await
            .expect("every answer is right")
    };
    let hundred = LocalSet::new().run_until(asked).await;
    assert_eq!(hundred.answers, 100);
    hundred.latency.at(0.5)
}

#[tokio::test]
async fn an_answer_in_two_writes_with_nagles_algorithm_on_is_seen_to_stall() {
    assert!(median(false).await > STALL_MAX);
    assert!(median(true).await < STALL_MAX);
}

/// What the client says of such an answer.
async fn said_of(pieces: Vec<Vec<u8>>) -> Broken {
    let server = Blunt::start(pieces, true).await;
    saturated::open(&server.question(), 1)
        .await
        .expect_err("the answer is not the expected one")
}

#[tokio::test]
async fn an_answer_that_differs_in_one_byte_fails() {
    let mut body = script::whole_answer().to_vec();
    body[500] ^= 1;
    let broken = said_of(vec![head("200 OK", body.len()), body.clone()]).await;
    assert!(matches!(broken, Broken::Differs(500)), "{broken}");
    let short = body[..500].to_vec();
    let broken = said_of(vec![head("200 OK", short.len()), short]).await;
    assert!(matches!(broken, Broken::Differs(500)), "{broken}");
    let long = [script::whole_answer().to_vec(), b"!".to_vec()].concat();
    let broken = said_of(vec![head("200 OK", long.len()), long]).await;
    assert!(matches!(broken, Broken::Differs(_)), "{broken}");
}

#[tokio::test]
async fn a_refusal_fails_and_is_quoted() {
    let body = b"{\"error\":{\"code\":\"rate_limit_exceeded\"}}".to_vec();
    let broken = said_of(vec![head("429 Too Many Requests", body.len()), body]).await;
    assert!(
        broken.to_string().contains("rate_limit_exceeded"),
        "{broken}"
    );
}
