//! A plain HTTP client, for what the SDKs hide: exact bytes, chunk by chunk, and hanging up.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

/// One connection to one server. Dropping it hangs up.
#[derive(Debug)]
pub struct Client {
    send: SendRequest<Full<Bytes>>,
    authority: String,
    key: String,
    connection: JoinHandle<()>,
}

/// An answer, whose body is read as the test likes.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
    /// The connection, where nobody else holds it.
    client: Option<Client>,
}

// === impl Client ===

impl Client {
    /// Connects to the server of `base_url` and presents `key` with every request.
    pub async fn connect(base_url: &str, key: &str) -> Result<Self, std::io::Error> {
        let uri: Uri = base_url.parse().expect("a base URL is one");
        let authority = uri
            .authority()
            .expect("a base URL has an authority")
            .to_string();
        let stream = TcpStream::connect(&authority).await?;
        stream.set_nodelay(true)?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (send, connection) = handshake.map_err(std::io::Error::other)?;
        let connection = tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            send,
            authority,
            key: key.to_owned(),
            connection,
        })
    }

    /// Posts JSON.
    pub async fn post(
        &mut self,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Reply, hyper::Error> {
        self.request("POST", path, &[("content-type", "application/json")], body)
            .await
    }

    /// Gets.
    pub async fn get(&mut self, path: &str) -> Result<Reply, hyper::Error> {
        self.request("GET", path, &[], Bytes::new()).await
    }

    /// Sends any request.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Reply, hyper::Error> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", &self.authority);
        if !self.key.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.key));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body.into()))
            .expect("a test's request is one");
        self.send.ready().await?;
        let (head, body) = self.send.send_request(request).await?.into_parts();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body,
            client: None,
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

// === impl Reply ===

impl Reply {
    fn holding(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// The next piece of the body; `None` at its end.
    pub async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Some(Ok(bytes));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The rest of the body.
    pub async fn bytes(self) -> Result<Bytes, hyper::Error> {
        let bytes = self.body.collect().await?.to_bytes();
        drop(self.client);
        Ok(bytes)
    }

    /// The rest of the body as JSON.
    pub async fn json(self) -> serde_json::Value {
        let bytes = self.bytes().await.expect("the body arrives");
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| serde_json::Value::String(String::from_utf8_lossy(&bytes).into()))
    }

    /// The error code of an answer in OpenAI's error shape.
    pub async fn error_code(self) -> String {
        self.json().await["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// One request on a connection of its own.
pub async fn post(base_url: &str, key: &str, path: &str, body: impl Into<Bytes>) -> Reply {
    let mut client = Client::connect(base_url, key)
        .await
        .expect("the server accepts");
    client
        .post(path, body)
        .await
        .expect("the server answers")
        .holding(client)
}

/// One GET on a connection of its own.
pub async fn get(base_url: &str, key: &str, path: &str) -> Reply {
    let mut client = Client::connect(base_url, key)
        .await
        .expect("the server accepts");
    client
        .get(path)
        .await
        .expect("the server answers")
        .holding(client)
}
