//! The way to one control plane's admin API, with the operator's key.
//!
//! Knows the wire: addresses, the key, methods by name, messages as bytes. Knows no noun. The key comes from
//! the environment or a file, never from an argument, which other users of the machine could read; and it
//! crosses no network in clear unless told so.

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use egress::{Unfit, Way};
use http::{Uri, uri::PathAndQuery};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use tonic::{
    Request, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};

/// How long a connection may take to stand.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long an answer may take, unless the call itself is about waiting.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(30);

const PACKAGE: &str = "sluice.admin.v1";

/// How to reach the control plane.
#[derive(Debug, Clone, Args)]
pub struct Access {
    /// The admin address of the control plane
    #[arg(
        long,
        global = true,
        env = "SLUICE_ADDRESS",
        value_name = "URL",
        default_value = "http://127.0.0.1:7070"
    )]
    pub address: String,
    /// A file that holds the operator's key; without it, `SLUICE_OPERATOR_KEY` does
    #[arg(
        long,
        global = true,
        env = "SLUICE_OPERATOR_KEY_FILE",
        value_name = "FILE"
    )]
    pub operator_key_file: Option<PathBuf>,
    /// Certificates, as PEM, by which an https address is trusted besides the public ones
    #[arg(long, global = true, env = "SLUICE_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Let the operator's key cross a network unencrypted
    #[arg(long, global = true)]
    pub plaintext_beyond_loopback: bool,
}

/// A connection, made when it is first used.
pub struct Connection {
    grpc: Grpc<Channel>,
    bearer: Option<MetadataValue<Ascii>>,
    pool: DescriptorPool,
    address: String,
}

/// The longest message that is read.
const MESSAGE_BYTES_MAX: usize = 16 << 20; // Full: the call fails.

/// Messages as the bytes they are.
struct Bytes;

/// An answer that comes in parts.
pub struct Parts {
    stream: Streaming<Vec<u8>>,
    address: String,
    within: Duration,
}

// === impl Access ===

impl Access {
    /// The text of the operator's key that was given, if one was.
    pub fn given_key(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        let text = match &self.operator_key_file {
            Some(path) => fs::read_to_string(path)
                .map_err(|error| Failure::system(format!("read {}", path.display()), &error))?,
            None => std::env::var("SLUICE_OPERATOR_KEY").unwrap_or_default(),
        };
        let text = Zeroizing::new(text);
        let trimmed = text.trim();
        if trimmed.is_empty() {
            // A file that was named and is empty is an error, and not the wish for another key.
            return match &self.operator_key_file {
                None => Ok(None),
                Some(path) => {
                    let sentence = format!("{} holds no operator's key", path.display());
                    Err(Failure::new(Exit::Denied, sentence))
                }
            };
        }
        Ok(Some(Zeroizing::new(trimmed.to_owned())))
    }

    fn endpoint(&self) -> Result<Endpoint, Failure> {
        let wrong = |why: String| Failure::usage(format!("--address {}: {why}", self.address));
        let uri: Uri = self
            .address
            .parse()
            .map_err(|_| wrong("is not a URL".into()))?;
        let endpoint = Endpoint::from(uri.clone())
            .connect_timeout(CONNECT_WITHIN)
            .tcp_nodelay(true);
        match egress::way(&uri, self.plaintext_beyond_loopback) {
            Ok(Way::Plain) => Ok(endpoint),
            Err(Unfit::Plaintext) => Err(wrong(
                "others could read the operator's key on the way: take an https address, or say \
                 --plaintext-beyond-loopback"
                    .into(),
            )),
            Ok(Way::Encrypted) => {
                let mut tls = ClientTlsConfig::new()
                    .trust_anchors(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                if let Some(path) = &self.ca_file {
                    let pem = fs::read(path).map_err(|error| {
                        Failure::system(format!("read {}", path.display()), &error)
                    })?;
                    tls = tls.ca_certificate(Certificate::from_pem(pem));
                }
                endpoint
                    .tls_config(tls)
                    .map_err(|error| wrong(error.to_string()))
            }
            Err(Unfit::NotAnAddress) => {
                Err(wrong("is not such as https://sluice.example:7070".into()))
            }
        }
    }
}

// === impl Connection ===

impl Connection {
    /// A connection with the key `operator_key`, or with none, for what needs none.
    pub fn open(access: &Access, operator_key: Option<&str>) -> Result<Self, Failure> {
        let channel = access.endpoint()?.connect_lazy();
        let bearer = operator_key.map(|it| format!("Bearer {it}").parse());
        let bearer: Option<Result<MetadataValue<Ascii>, _>> = bearer;
        let mut bearer = bearer.transpose().map_err(|_| {
            Failure::new(
                Exit::Denied,
                "the operator's key holds characters that no key has",
            )
        })?;
        if let Some(bearer) = &mut bearer {
            bearer.set_sensitive(true);
        }
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).map_err(Failure::broken)?;
        Ok(Self {
            grpc: Grpc::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX),
            bearer,
            pool,
            address: access.address.clone(),
        })
    }

    /// An empty message of the admin API.
    pub fn message(&self, name: &str) -> Result<DynamicMessage, Failure> {
        let descriptor = self.pool.get_message_by_name(&format!("{PACKAGE}.{name}"));
        let descriptor = descriptor.ok_or_else(|| Failure::broken(format!("no message {name}")))?;
        Ok(DynamicMessage::new(descriptor))
    }

    /// Calls `Service/Method` of the admin API.
    pub async fn call(
        &mut self,
        path: &str,
        request: &impl Message,
        within: Duration,
    ) -> Result<DynamicMessage, Failure> {
        let reply = self.reply_of(path)?;
        let uri = PathAndQuery::try_from(format!("/{PACKAGE}.{path}")).map_err(Failure::broken)?;
        let mut request = Request::new(request.encode_to_vec());
        if let Some(bearer) = &self.bearer {
            let metadata = request.metadata_mut();
            metadata.insert("authorization", bearer.clone());
        }
        request.set_timeout(within);
        let address = &self.address;
        let answered = async {
            self.grpc
                .ready()
                .await
                .map_err(|_| Failure::unreachable(address))?;
            let answered = self.grpc.unary(request, uri, Bytes).await;
            answered.map_err(|status| Failure::from_status(&status, address))
        };
        let answered = tokio::time::timeout(within + CONNECT_WITHIN, answered).await;
        let bytes = answered.map_err(|_| Failure::late(address))??.into_inner();
        DynamicMessage::decode(reply, &bytes[..]).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("the answer is no answer to {path}: {error}"),
            )
        })
    }

    /// Calls, and reads the reply as the message that it is.
    pub async fn call_for<R: Message + Default>(
        &mut self,
        path: &str,
        request: &impl Message,
        within: Duration,
    ) -> Result<R, Failure> {
        let reply = self.call(path, request, within).await?;
        reply.transcode_to().map_err(Failure::broken)
    }

    /// Calls a method whose answer comes in parts, each of which may take so long.
    pub async fn stream(
        &mut self,
        path: &str,
        request: &impl Message,
        within: Duration,
    ) -> Result<Parts, Failure> {
        let uri = PathAndQuery::try_from(format!("/{PACKAGE}.{path}")).map_err(Failure::broken)?;
        let mut request = Request::new(request.encode_to_vec());
        if let Some(bearer) = &self.bearer {
            let metadata = request.metadata_mut();
            metadata.insert("authorization", bearer.clone());
        }
        let address = self.address.clone();
        let answered = async {
            self.grpc
                .ready()
                .await
                .map_err(|_| Failure::unreachable(&address))?;
            let answered = self.grpc.server_streaming(request, uri, Bytes).await;
            answered.map_err(|status| Failure::from_status(&status, &address))
        };
        let answered = tokio::time::timeout(within + CONNECT_WITHIN, answered).await;
        let stream = answered.map_err(|_| Failure::late(&address))??.into_inner();
        Ok(Parts {
            stream,
            address,
            within,
        })
    }

    fn reply_of(&self, path: &str) -> Result<MessageDescriptor, Failure> {
        let found = path.split_once('/').and_then(|(service, method)| {
            let service = self
                .pool
                .get_service_by_name(&format!("{PACKAGE}.{service}"))?;
            service.methods().find(|it| it.name() == method)
        });
        let method = found.ok_or_else(|| Failure::broken(format!("no method {path}")))?;
        Ok(method.output())
    }
}

// === impl Parts ===

impl Parts {
    /// The next part; `None` after the last one.
    pub async fn next<R: Message + Default>(&mut self) -> Result<Option<R>, Failure> {
        let part = tokio::time::timeout(self.within, self.stream.message()).await;
        let part = part.map_err(|_| Failure::late(&self.address))?;
        let part = part.map_err(|status| Failure::from_status(&status, &self.address))?;
        let read = part.map(|bytes| R::decode(bytes.as_slice()));
        read.transpose().map_err(Failure::broken)
    }
}

// === impl Bytes ===

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        bytes::BufMut::put_slice(to, &item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = tonic::Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, tonic::Status> {
        let mut bytes = vec![0; bytes::Buf::remaining(from)];
        bytes::Buf::copy_to_slice(from, &mut bytes);
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(address: &str, plaintext_beyond_loopback: bool) -> Access {
        let address = address.to_owned();
        Access {
            address,
            operator_key_file: None,
            ca_file: None,
            plaintext_beyond_loopback,
        }
    }

    #[test]
    fn the_key_crosses_a_network_in_clear_only_when_told_so() {
        for address in [
            "http://127.0.0.1:7070",
            "http://localhost:7070",
            "http://[::1]:7070",
        ] {
            access(address, false).endpoint().unwrap();
        }
        for address in ["http://10.1.2.3:7070", "http://control-plane:7070"] {
            let failure = access(address, false).endpoint().unwrap_err();
            assert!(
                failure.to_string().contains("--plaintext-beyond-loopback"),
                "{failure}"
            );
            access(address, true).endpoint().unwrap();
        }
        access("https://sluice.example:7070", false)
            .endpoint()
            .unwrap();
        for address in ["", "127.0.0.1:7070", "ftp://127.0.0.1"] {
            assert_eq!(
                access(address, false).endpoint().unwrap_err().exit(),
                Exit::Usage
            );
        }
    }
}
