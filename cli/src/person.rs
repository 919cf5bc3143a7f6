//! How a person proves to their issuer that they are there, and what comes of it: an ID token.
//!
//! By a code that they enter on any device (RFC 8628), or by a browser on this machine that comes back to a port of its own
//! (RFC 8252), with a proof of the key that only this process has (RFC 7636). Knows what an issuer says; knows nothing of who
//! takes the token.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until, timeout, timeout_at},
};
use zeroize::Zeroizing;

use crate::{
    failure::{Exit, Failure},
    output,
    web::{Answer, Web, form, may_ask},
};

/// How long a person may take where the issuer does not say.
const WITHIN: Duration = Duration::from_mins(10);

/// The longest that anybody is waited for, whatever an issuer says.
const WITHIN_MAX: Duration = Duration::from_mins(30);

/// The time between two questions where the issuer does not say, and by how much it grows when it asks for that.
const EVERY: Duration = Duration::from_secs(5);

/// How often an issuer that does not answer is asked again before that counts.
// Full: the login fails.
const MISSED_MAX: u32 = 5;

/// The longest request of a browser that is read, in bytes.
// Full: it is not the one that is waited for.
const REQUEST_BYTES_MAX: usize = 16 << 10;

/// How long one browser's connection may take.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// An issuer at which people prove that they are there.
pub struct Issuer<'a> {
    web: &'a Web,
    /// As whom it knows us.
    client_id: &'a str,
    /// What is asked for, with spaces between.
    scope: String,
    document: Answer,
}

/// Where a device flow stands.
enum Polled {
    Token(Zeroizing<String>),
    Pending,
    Slower,
}

// === impl Issuer ===

impl<'a> Issuer<'a> {
    /// Asks the issuer where it is asked what.
    pub async fn discover(
        web: &'a Web,
        issuer_url: &str,
        client_id: &'a str,
        scopes: &[String],
    ) -> Result<Self, Failure> {
        let base = issuer_url.strip_suffix('/').unwrap_or(issuer_url);
        let url = format!("{base}/.well-known/openid-configuration");
        let document = web.get(&url, None).await?;
        if document.text("issuer") != issuer_url {
            let sentence = format!("{issuer_url} does not say how it is asked");
            return Err(Failure::new(Exit::Failed, sentence));
        }
        let mut scope = "openid".to_owned();
        for more in scopes.iter().filter(|it| *it != "openid") {
            scope.push(' ');
            scope.push_str(more);
        }
        Ok(Self {
            web,
            client_id,
            scope,
            document,
        })
    }

    /// Shows a code, and waits until somebody has entered it.
    pub async fn by_device(&self) -> Result<Zeroizing<String>, Failure> {
        let url = self
            .endpoint("device_authorization_endpoint")
            .map_err(|why| why.with_advice("this issuer has no logins by code: take --browser"))?;
        let fields = [("client_id", self.client_id), ("scope", &self.scope)];
        let given = self.web.post(url, &fields).await?;
        let code = given.text("device_code");
        let at = given.text("verification_uri");
        if !given.status.is_success() || code.is_empty() || !may_ask(at) {
            return Err(refused("the login was not begun", &given));
        }
        output::remark(format_args!(
            "open {}\nand enter the code {}",
            plain(at),
            plain(given.text("user_code"))
        ));
        let whole = given.text("verification_uri_complete");
        if may_ask(whole) {
            output::remark(format_args!("or open {}", plain(whole)));
        }
        let seconds = |name: &str| given.said.get(name).and_then(serde_json::Value::as_u64);
        let within = seconds("expires_in").map_or(WITHIN, Duration::from_secs);
        let every = seconds("interval").map_or(EVERY, Duration::from_secs);
        let times = (
            within.min(WITHIN_MAX),
            every.clamp(Duration::from_secs(1), WITHIN),
        );
        self.polled(code, times).await
    }

    async fn polled(
        &self,
        code: &str,
        (within, mut every): (Duration, Duration),
    ) -> Result<Zeroizing<String>, Failure> {
        let end = Instant::now() + within;
        let mut missed = 0;
        loop {
            let next = Instant::now() + every;
            if next >= end {
                return Err(Failure::new(
                    Exit::Behind,
                    "nobody entered the code in time",
                ));
            }
            sleep_until(next).await;
            match self.poll(code).await {
                Ok(Polled::Token(token)) => return Ok(token),
                Ok(Polled::Pending) => missed = 0,
                Ok(Polled::Slower) => every += EVERY,
                // An issuer that is away for a moment is asked again, less often.
                Err(why) if why.exit() == Exit::Unavailable && missed < MISSED_MAX => {
                    missed += 1;
                    every += EVERY;
                }
                Err(why) => return Err(why),
            }
        }
    }

    async fn poll(&self, code: &str) -> Result<Polled, Failure> {
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", code),
            ("client_id", self.client_id),
        ];
        let answer = self
            .web
            .post(self.endpoint("token_endpoint")?, &fields)
            .await?;
        match answer.text("error") {
            "authorization_pending" => Ok(Polled::Pending),
            "slow_down" => Ok(Polled::Slower),
            _ => id_token(&answer).map(Polled::Token),
        }
    }

    /// Shows an address for a browser on this machine, and waits until it comes back.
    pub async fn by_browser(&self) -> Result<Zeroizing<String>, Failure> {
        let at = self.endpoint("authorization_endpoint")?;
        let refused = |error| Failure::system("listen for the browser", &error);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(refused)?;
        let port = listener.local_addr().map_err(refused)?.port();
        let redirect = format!("http://127.0.0.1:{port}/");
        let (state, verifier) = (drawn(), drawn());
        let challenge = encoded(&Sha256::digest(verifier.as_bytes()));
        let query = form(&[
            ("response_type", "code"),
            ("client_id", self.client_id),
            ("redirect_uri", &redirect),
            ("scope", &self.scope),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if at.contains('?') { '&' } else { '?' };
        output::remark(format_args!("open {}{joint}{query}", plain(at)));
        let came = timeout(WITHIN, came_back(&listener, &state)).await;
        let late = |_| Failure::new(Exit::Behind, "no browser came back in time");
        let code = came.map_err(late)??;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &redirect),
            ("client_id", self.client_id),
            ("code_verifier", &verifier),
        ];
        let answer = self
            .web
            .post(self.endpoint("token_endpoint")?, &fields)
            .await?;
        id_token(&answer)
    }

    fn endpoint(&self, name: &str) -> Result<&str, Failure> {
        let url = self.document.text(name);
        if may_ask(url) {
            return Ok(url);
        }
        Err(Failure::new(
            Exit::Refused,
            format!("the issuer has no {name} that may be asked"),
        ))
    }
}

/// Waits for the browser that brings our state, and tells whoever else comes that this is nothing.
async fn came_back(listener: &TcpListener, state: &str) -> Result<String, Failure> {
    loop {
        let accepted = listener.accept().await;
        let (mut stream, _) =
            accepted.map_err(|error| Failure::system("listen for the browser", &error))?;
        let target = timeout(REQUEST_MAX, target(&mut stream)).await;
        let Some(target) = target.unwrap_or_default() else {
            continue;
        };
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|it| it.split_once('='));
            pairs
                .find(|(it, _)| *it == name)
                .map(|(_, value)| decoded(value))
        };
        // What does not bring our state was sent by somebody else.
        if parameter("state").as_deref() != Some(state) {
            tell(&mut stream, "404 Not Found", "This is nothing.").await;
            continue;
        }
        if let Some(code) = parameter("code") {
            tell(
                &mut stream,
                "200 OK",
                "You are logged in. You can close this page.",
            )
            .await;
            return Ok(code);
        }
        tell(
            &mut stream,
            "200 OK",
            "The login was refused. You can close this page.",
        )
        .await;
        let why = parameter("error").unwrap_or_default();
        let sentence = format!("the login was refused: {}", plain(&why));
        return Err(Failure::new(Exit::Denied, sentence));
    }
}

/// The target of a GET, read to the end of its head.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut piece = [0; 1_024];
    while !head.windows(4).any(|it| it == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await.ok().filter(|it| *it > 0)?;
        head.extend_from_slice(piece.get(..read)?);
        if head.len() > REQUEST_BYTES_MAX {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.strip_prefix("GET ")?.split(' ').next()?;
    Some(target.to_owned())
}

async fn tell(stream: &mut TcpStream, status: &str, sentence: &str) {
    let length = sentence.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n{sentence}"
    );
    let by = Instant::now() + REQUEST_MAX;
    // A browser that does not listen to this has brought what was wanted all the same.
    let _ = timeout_at(by, stream.write_all(answer.as_bytes())).await;
    let _ = timeout_at(by, stream.shutdown()).await;
}

fn id_token(answer: &Answer) -> Result<Zeroizing<String>, Failure> {
    match answer.text("id_token") {
        "" => Err(refused("the issuer gave no token", answer)),
        token => Ok(Zeroizing::new(token.to_owned())),
    }
}

/// What the issuer says went wrong, by its word alone.
fn refused(what: &str, answer: &Answer) -> Failure {
    let exit = match answer.status.as_u16() {
        429 | 500.. => Exit::Unavailable,
        _ => Exit::Denied,
    };
    let word = match answer.text("error") {
        "" => format!("status {}", answer.status.as_u16()),
        "access_denied" => "it was denied".to_owned(),
        "expired_token" => "nobody entered the code in time".to_owned(),
        word => plain(word),
    };
    Failure::new(exit, format!("{what}: {word}"))
}

/// Text of somebody else's as a terminal may show it, and no longer than a line.
fn plain(text: &str) -> String {
    let shown = text.chars().filter(|it| !it.is_control());
    shown.take(2_048).collect()
}

/// What nobody can guess, as text: the hash of 256 random bits, drawn as those of a key are.
fn drawn() -> String {
    encoded(&keys::mint(keys::Family::Operator).secret_sha256)
}

/// Base64 for URLs, without padding.
fn encoded(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let number = three
            .iter()
            .fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
        let number = number << (8 * (3 - three.len()));
        for at in 0..=three.len() {
            let letter = number >> (18 - 6 * at) & 63;
            let letter = LETTERS.get(letter as usize).copied().unwrap_or(b'-');
            out.push(char::from(letter));
        }
    }
    out
}

/// A value of a query as it was meant; what is no escape stays.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let escaped = escaped.and_then(|two| u8::from_str_radix(two, 16).ok());
        if let (b'%', Some(byte)) = (first, escaped) {
            out.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            out.push(if *first == b'+' { b' ' } else { *first });
            rest = after;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_as_its_rfc_says() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = encoded(&Sha256::digest(verifier.as_bytes()));
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
