//! What two readers of HTTP could take for different requests: refused, or read as exactly one, by the table beside this file.
//!
//! The provider is strict: it reads a head, the length that it names and nothing else, and keeps all that it saw.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};
use worker::accept;

use crate::{
    client::PATIENCE,
    edge::{Edge, Setup},
    provider::{Provider, Received, json},
};

const TABLE: &str = include_str!("smuggling.txt");

const BODY: &str = r#"{"model":"chat"}"#;

/// What may not be in a request to a provider: what frames it otherwise, and what is for one hop or names another host.
const NEVER: [&str; 16] = [
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "connection",
    "proxy-connection",
    "keep-alive",
    "expect",
    "http2-settings",
    "max-forwards",
    "x-evil",
    "x-trailer",
    "forwarded",
    "x-forwarded-host",
    "x-original-url",
    "x-rewrite-url",
];

/// A row of the table.
struct Case {
    name: &'static str,
    answers: &'static str,
    seen: &'static str,
    bytes: Vec<u8>,
}

const CHAT: &str = r"POST /v1/chat/completions HTTP/1.1\r\n";
const PASSED: &str = r"POST /passthrough/provider-0/x HTTP/1.1\r\n";

type Seen = Arc<Mutex<Vec<Received>>>;

/// The table, with this in the place of a chat's request line.
fn cases(key: &str, post: &str) -> Vec<Case> {
    let rows = TABLE.lines();
    let rows = rows.filter(|row| !row.is_empty() && !row.starts_with('#'));
    rows.map(|row| {
        let columns: Vec<&str> = row.splitn(4, " | ").collect();
        let [name, answers, seen, bytes] = columns[..] else {
            panic!("not four columns: {row}");
        };
        let bytes = spelled(&filled(bytes, key, post));
        Case {
            name,
            answers,
            seen,
            bytes,
        }
    })
    .collect()
}

/// The text with its words filled in.
fn filled(text: &str, key: &str, post: &str) -> String {
    let who =
        "Host: edge\\r\\nAuthorization: Bearer {key}\\r\\nContent-Type: application/json\\r\\n";
    let evil = r"{post}Host: edge\r\nAuthorization: Bearer {key}\r\nX-Evil: 1\r\nContent-Length: 16\r\n\r\n{body}";
    let mut text = text.to_owned();
    for (word, is) in [
        ("{evil}", evil),
        ("{post}", post),
        ("{who}", who),
        ("{chunk}", r"10\r\n{body}\r\n"),
        ("{end}", r"0\r\n\r\n"),
        ("{body}", BODY),
        ("{key}", key),
    ] {
        text = text.replace(word, is);
    }
    while let Some((range, is)) = repeated(&text) {
        text.replace_range(range, &is);
    }
    text
}

/// The first `{x*N}`, and what it stands for.
fn repeated(text: &str) -> Option<(std::ops::Range<usize>, String)> {
    text.match_indices('{').find_map(|(start, _)| {
        let inside = text[start + 1..].split('}').next()?;
        let (what, times) = inside.rsplit_once('*')?;
        let times: usize = times.parse().ok()?;
        let end = start + inside.len() + 2;
        Some((start..end, what.repeat(times)))
    })
}

/// The bytes that a text spells with `\r`, `\n`, `\t`, `\\` and `\xNN`.
fn spelled(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.as_bytes());
        let (byte, length) = match after.as_bytes()[0] {
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            b't' => (b'\t', 1),
            b'x' => (u8::from_str_radix(&after[1..3], 16).unwrap(), 3),
            other => (other, 1),
        };
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes.extend(rest.as_bytes());
    bytes
}

/// Answers every request that comes, and keeps it. What follows a request before it is answered is kept as one, too.
async fn serve(provider: Provider, seen: Seen) {
    loop {
        let mut peer = provider.accept_late().await;
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Some(received) = peer.next_whole_request().await {
                seen.lock().unwrap().push(received);
                peer.write(json("200 OK", "", r#"{"said":"chat"}"#)).await;
            }
        });
    }
}

/// Sends the bytes and a request that is known by its answer, and reads until the edge closes.
async fn said(edge: &Edge, bytes: &[u8]) -> Vec<u8> {
    let probe = format!(
        "GET /v1/models HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        *edge.key.text
    );
    let stream = TcpStream::connect(edge.address).await.unwrap();
    let (mut reads, mut writes) = stream.into_split();
    let sent = [bytes, probe.as_bytes()].concat();
    // An edge that has closed takes no more, and what it has said is still to be read.
    let write = async { writes.write_all(&sent).await.ok() };
    let read = async {
        let mut said = Vec::new();
        while let Ok(1..) = reads.read_buf(&mut said).await {}
        said
    };
    let (_, said) = timeout(PATIENCE, async { tokio::join!(write, read) })
        .await
        .expect("the edge closes");
    said
}

/// The answers in what the edge has said, as the table names them.
fn answers(said: &[u8]) -> String {
    let (mut names, mut rest) = (Vec::new(), said);
    while let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&rest[..end]).to_ascii_lowercase();
        rest = &rest[end + 4..];
        let status = head.split(' ').nth(1).unwrap_or("?").to_owned();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|it| it.split('\r').next()?.parse::<usize>().ok());
        let body = match length {
            Some(length) => &rest[..length.min(rest.len())],
            None if head.contains("chunked") => {
                let end = rest.windows(5).position(|five| five == b"0\r\n\r\n");
                &rest[..end.map_or(rest.len(), |at| at + 5)]
            }
            None => &[],
        };
        rest = &rest[body.len()..];
        let listed = String::from_utf8_lossy(body).contains(r#""object":"list""#);
        names.push(if listed { "ok".to_owned() } else { status });
    }
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(rest));
    if names.is_empty() {
        return "-".to_owned();
    }
    names.join(" ")
}

/// What is wrong with a request that a provider got.
fn wrong_with(received: &Received) -> Option<String> {
    let names = |name: &str| received.headers.iter().filter(|it| it.0 == name).count();
    if received.line != "POST /v1/chat/completions HTTP/1.1" {
        return Some(received.line.clone());
    }
    if let Some(name) = NEVER.iter().find(|name| names(name) > 0) {
        return Some(format!("it has {name}"));
    }
    if names("content-length") != 1 || names("host") != 1 {
        return Some("it has not one length and one host".to_owned());
    }
    let expected = br#"{"model":"provider-model"}"#;
    (received.body != expected).then(|| format!("{:?}", String::from_utf8_lossy(&received.body)))
}

/// An edge that is told soon of what does not come, and all that its provider sees.
async fn edge_and_seen() -> (Edge, Seen) {
    let provider = Provider::start().await;
    let edge = Setup {
        inference: accept::Config {
            head_timeout_ms: 150,
            body_timeout_ms: 150,
            ..Setup::default().inference
        },
        records_max: 10_000,
        ..Setup::default()
    }
    .start(&[provider.base_url()]);
    let seen = Seen::default();
    tokio::spawn(serve(provider, Arc::clone(&seen)));
    (edge, seen)
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_or_read_as_one_request() {
    let begun = Instant::now();
    let (edge, seen) = edge_and_seen().await;
    let cases = cases(&edge.key.text, CHAT);
    assert!(cases.len() >= 200, "{} cases", cases.len());
    let mut broken = Vec::new();
    for case in &cases {
        let said = said(&edge, &case.bytes).await;
        let found = answers(&said);
        let got = std::mem::take(&mut *seen.lock().unwrap());
        let count = got.len().to_string();
        if found != case.answers || count != case.seen {
            broken.push(format!("{} | {found} | {count}", case.name));
        }
        let wrong = got.iter().filter_map(wrong_with);
        broken.extend(wrong.map(|why| format!("{}: the provider sees {why}", case.name)));
    }
    println!("{} cases in {:.1?}", cases.len(), begun.elapsed());
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// The same where bodies are not read but passed on: what is refused above arrives nowhere, and what arrives is framed anew.
#[tokio::test]
async fn nothing_of_it_is_passed_through_either() {
    let (edge, seen) = edge_and_seen().await;
    let mut broken = Vec::new();
    let passed = |case: &Case| case.bytes.starts_with(b"POST /passthrough/");
    for case in cases(&edge.key.text, PASSED).into_iter().filter(passed) {
        said(&edge, &case.bytes).await;
        let got = std::mem::take(&mut *seen.lock().unwrap());
        // One answer that refuses, and then no other: the framing is what was refused.
        let refused = case.seen == "0" && !case.answers.contains(' ');
        // Its chunks are an empty body, which is no chat and may be passed on.
        let refused = refused && case.name != "cl.te/length hides a request";
        let most = if refused { 0 } else { 3 };
        if got.len() > most {
            broken.push(format!("{}: the provider sees {}", case.name, got.len()));
        }
        for received in got {
            let framed = received.headers.iter().filter(|it| {
                (it.0 == "transfer-encoding" && it.1 == "chunked") || it.0 == "content-length"
            });
            let framed = framed.count();
            let odd = NEVER[1..]
                .iter()
                .find(|name| received.header(name).is_some());
            // A length of one more takes a byte of what comes behind.
            let is_ours = format!("{BODY}G").starts_with(received.text());
            let is_ours = is_ours && received.line == "POST /v1/x HTTP/1.1";
            let is_framed = framed == 1 || (framed == 0 && received.body.is_empty());
            if !is_framed || odd.is_some() || !is_ours {
                broken.push(format!(
                    "{}: {} with {:?} and {:?}",
                    case.name, received.line, received.headers, received.body
                ));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}
