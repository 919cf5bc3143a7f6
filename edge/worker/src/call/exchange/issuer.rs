//! The way to those who issue tokens, and to what proves who we are: servers, and files on this machine.
//!
//! Knows HTTP and folders; knows nothing of what is asked. Only folders that the edge's settings name are read. The
//! metadata server of Google's machines is reached by a client of its own, which reaches nothing else.

use std::{path::PathBuf, rc::Rc, task::Context, time::Duration};

use bytes::Bytes;
use credential::{endpoint::Endpoint, google::METADATA_ORIGIN};
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::Full;
use hyper::Request;
use tokio::{fs, io::AsyncReadExt, time::Instant};
use zeroize::Zeroizing;

use crate::call::{
    client::{Client, NoAnswer},
    exchange::no_token::NoToken,
    origin::Origin,
};

/// The longest answer of an issuer, and the longest proof, in bytes.
// Full: there is no token.
const SAID_BYTES_MAX: usize = 64 << 10;

/// How long the head of an answer is waited for. Whoever exchanges mostly waits for less, from first to last.
const HEAD_TIME_MAX: Duration = Duration::from_mins(1);

/// The type of a form's fields.
const FIELDS: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// How issuers are reached.
pub struct Issuer {
    client: Rc<Client>,
    metadata: Client,
    token_folders: Vec<PathBuf>,
    metadata_origins: Vec<String>,
}

/// What of this machine may be used.
#[derive(Debug, Clone, Default)]
pub struct Opened {
    /// The folders whose files may be read.
    pub token_folders: Vec<PathBuf>,
    /// The origins to which the machine's own identity may be presented.
    pub metadata_origins: Vec<String>,
}

/// What an issuer said.
pub(super) struct Said {
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Fields of a form, as a body or a query holds them.
pub(super) fn encoded(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    for (name, value) in fields {
        if !out.is_empty() {
            out.push(b'&');
        }
        escape(name, &mut out);
        out.push(b'=');
        escape(value, &mut out);
    }
    out
}

fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

/// A request with the fields of a form.
pub(super) fn posted(
    to: &Endpoint,
    fields: &[(&str, &str)],
) -> Result<Request<Full<Bytes>>, NoToken> {
    let mut request = request(Method::POST, to, encoded(fields))?;
    request.headers_mut().insert(header::CONTENT_TYPE, FIELDS);
    Ok(request)
}

/// A request with any body.
pub(super) fn request(
    method: Method,
    to: &Endpoint,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, NoToken> {
    let origin = Origin::parse(to.origin()).map_err(|_| NoToken::Unknown)?;
    let request = origin.request((method, to.target()), body.into());
    let mut request = request.map_err(|_| NoToken::Unknown)?;
    let any = HeaderValue::from_static("*/*");
    request.headers_mut().insert(header::ACCEPT, any);
    Ok(request)
}

// === impl Issuer ===

impl Issuer {
    /// By `client`, and by `metadata` to Google's metadata server alone.
    pub fn new(client: Rc<Client>, metadata: Client, opened: Opened) -> Self {
        Self {
            client,
            metadata,
            token_folders: opened.token_folders,
            metadata_origins: opened.metadata_origins,
        }
    }

    /// Closes connections that have rested too long and that nobody else closes.
    pub(super) fn sweep(&self, cx: &mut Context<'_>) {
        self.metadata.sweep(cx);
    }

    /// Whether the machine's own identity may be presented at this origin.
    pub(super) fn may_present_machine(&self, origin: &str) -> bool {
        self.metadata_origins.iter().any(|it| it == origin)
    }

    /// Asks, and gives what was said if it is a success.
    pub(super) async fn ask(
        &self,
        to: &Endpoint,
        request: Request<Full<Bytes>>,
    ) -> Result<Said, NoToken> {
        let client = if to.origin() == METADATA_ORIGIN {
            &self.metadata
        } else {
            &*self.client
        };
        let origin = Origin::parse(to.origin()).map_err(|_| NoToken::Unknown)?;
        let by = Instant::now() + HEAD_TIME_MAX;
        let answer = client.ask(origin, request, by).await?;
        let (parts, mut body) = answer.into_parts();
        let body = body.whole(SAID_BYTES_MAX).await;
        let body = Zeroizing::new(body.map_err(|_| NoToken::Broken)?);
        if !parts.status.is_success() {
            return Err(NoToken::of_answer(parts.status, &body));
        }
        Ok(Said {
            headers: parts.headers,
            body,
        })
    }

    /// What stands in a file, without white space around it.
    pub(super) async fn file(&self, path: &str) -> Result<Zeroizing<String>, NoToken> {
        let path = PathBuf::from(path);
        let mut folder = None;
        for opened in self.token_folders.iter().filter(|it| path.starts_with(it)) {
            folder = fs::canonicalize(opened).await.ok();
        }
        let folder = folder.ok_or(NoToken::FileClosed)?;
        // A link must not lead out of the folder.
        let path = fs::canonicalize(path).await.map_err(|_| NoToken::File)?;
        if !path.starts_with(folder) {
            return Err(NoToken::FileClosed);
        }
        let file = fs::File::open(path).await.map_err(|_| NoToken::File)?;
        let mut text = Zeroizing::new(String::new());
        let mut file = file.take(SAID_BYTES_MAX as u64);
        let read = file.read_to_string(&mut text).await;
        read.map_err(|_| NoToken::File)?;
        match text.trim() {
            "" => Err(NoToken::File),
            text => Ok(Zeroizing::new(text.to_owned())),
        }
    }
}

impl From<NoAnswer> for NoToken {
    fn from(none: NoAnswer) -> Self {
        match none {
            NoAnswer::Unreachable(why) => Self::Unreachable(Rc::new(why)),
            NoAnswer::Broken => Self::Broken,
            NoAnswer::Slow => Self::Slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use egress::Guard;

    use crate::call::{client::Terms, dial};

    use super::*;

    fn client(guard: Guard) -> Client {
        let terms = Terms {
            guard,
            connect_max: Duration::from_secs(1),
            rest_max: Duration::from_secs(1),
            resting_max: 1,
        };
        Client::new(terms, Arc::clone(&dial::tls().unwrap()))
    }

    fn issuer(folders: &[&std::path::Path]) -> Issuer {
        let opened = Opened {
            token_folders: folders.iter().map(|it| it.to_path_buf()).collect(),
            ..Opened::default()
        };
        let metadata = client(Guard::google_metadata());
        Issuer::new(Rc::new(client(Guard::new(Vec::new()))), metadata, opened)
    }

    #[test]
    fn fields_are_escaped() {
        let fields = [("a", "x y&=+/ä"), ("b_", "1-2.3~")];
        assert_eq!(encoded(&fields), b"a=x%20y%26%3D%2B%2F%C3%A4&b_=1-2.3~");
    }

    #[tokio::test]
    async fn a_file_is_read_in_an_opened_folder_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let (open, shut) = (folder.path().join("open"), folder.path().join("shut"));
        for (at, text) in [(&open, " token\n"), (&shut, "secret")] {
            std::fs::create_dir(at).unwrap();
            std::fs::write(at.join("t"), text).unwrap();
        }
        std::os::unix::fs::symlink(open.join("t"), open.join("inside")).unwrap();
        std::os::unix::fs::symlink(shut.join("t"), open.join("outside")).unwrap();
        std::fs::write(open.join("empty"), "\n").unwrap();
        let issuer = issuer(&[&open]);
        let read = async |path: PathBuf| issuer.file(path.to_str().unwrap()).await;
        assert_eq!(*read(open.join("t")).await.unwrap(), "token");
        assert_eq!(*read(open.join("inside")).await.unwrap(), "token");
        for closed in [shut.join("t"), open.join("outside"), open.join("../shut/t")] {
            assert!(matches!(read(closed).await, Err(NoToken::FileClosed)));
        }
        for none in [open.join("none"), open.join("empty")] {
            assert!(matches!(read(none).await, Err(NoToken::File)));
        }
    }
}
