//! Asks the edge what a client would ask first, until it answers as it should.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{
    demo::model,
    failure::{Exit, Failure},
};

/// How long the edge may take to know the key.
const WITHIN: Duration = Duration::from_secs(20);

const EVERY: Duration = Duration::from_millis(10);

/// Waits until `key` lists the demo models at the edge.
pub async fn models(edge: SocketAddr, key: &str) -> Result<(), Failure> {
    let since = Instant::now();
    while since.elapsed() < WITHIN {
        let answer = tokio::time::timeout(WITHIN, ask(edge, key)).await;
        if answer.is_ok_and(|answer| answer.is_ok_and(|text| names_both(&text))) {
            return Ok(());
        }
        tokio::time::sleep(EVERY).await;
    }
    Err(Failure::new(
        Exit::Behind,
        "the edge does not know the demo key and models yet",
    )
    .with_advice("--verbose shows what holds it up"))
}

fn names_both(text: &str) -> bool {
    [model::CHAT, model::EMBEDDING]
        .iter()
        .all(|name| text.contains(&format!("\"{name}\"")))
}

async fn ask(edge: SocketAddr, key: &str) -> io::Result<String> {
    let stream = TcpStream::connect(edge).await?;
    let handshake = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await;
    let (mut send, connection) = handshake.map_err(io::Error::other)?;
    let request = Request::get("/v1/models")
        .header(header::HOST, edge.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .body(Empty::new())
        .map_err(io::Error::other)?;
    let answer = async {
        let answer = send.send_request(request).await?;
        Ok::<_, hyper::Error>(answer.into_body().collect().await?.to_bytes())
    };
    // The connection carries the answer while it is awaited, and ends with it.
    let bytes = tokio::select! {
        answer = answer => answer.map_err(io::Error::other)?,
        ended = connection => {
            let why = ended.err().map_or_else(|| io::ErrorKind::UnexpectedEof.into(), io::Error::other);
            return Err(why);
        }
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
