//! How providers are met: the section `[upstream]`.
//!
//! Knows what each setting means and what it is unless somebody says; knows nothing of how a provider is asked.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::call::origin::Origin;

/// The section `[upstream]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Ranges beyond the public internet that providers may stand in, such as `10.0.0.0/8`. Default none. The
    /// addresses of cloud metadata services stay closed.
    #[serde(deserialize_with = "ranges")]
    pub private_ranges: Vec<IpNet>,
    /// From resolving a provider's name to the end of the TLS handshake, in milliseconds. Default 5,000.
    pub connect_timeout_ms: u64,
    /// From sending a request to the head of its answer, and to the first that is generated of one that is streamed, in
    /// milliseconds. Default 600,000: an answer that is not streamed may take as long as its generation.
    pub first_byte_timeout_ms: u64,
    /// How long a stream is held in which the provider only says that it is alive, in milliseconds from sending the
    /// request. What comes after that goes to the client, and the request to no other target any more. Default 30,000.
    pub hold_timeout_ms: u64,
    /// How long a provider may say nothing in the middle of an answer, in milliseconds. Default 300,000.
    pub idle_timeout_ms: u64,
    /// How long a request may take from its arrival, in milliseconds. Default 3,600,000.
    pub total_timeout_ms: u64,
    /// How many connections to each origin each core keeps at rest. Default 64.
    pub idle_connections_max: usize,
    /// How long the exchange of a credential for a token may take, in milliseconds. Default 10,000.
    pub token_timeout_ms: u64,
    /// Folders whose files may be read where a provider's credential names one that proves who this edge is, such as
    /// `/var/run/secrets/tokens`. Default none.
    pub token_folders: Vec<PathBuf>,
    /// The origins of providers to which this machine's own identity may be presented, which Google's metadata server
    /// gives, such as `https://us-central1-aiplatform.googleapis.com`. Default none.
    #[serde(deserialize_with = "origins")]
    pub metadata_origins: Vec<String>,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            private_ranges: Vec::new(),
            connect_timeout_ms: 5_000,
            first_byte_timeout_ms: 600_000,
            hold_timeout_ms: 30_000,
            idle_timeout_ms: 300_000,
            total_timeout_ms: 3_600_000,
            idle_connections_max: 64,
            token_timeout_ms: 10_000,
            token_folders: Vec::new(),
            metadata_origins: Vec::new(),
        }
    }
}

fn ranges<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let parse = |text: String| {
        text.parse()
            .map_err(|_| D::Error::custom(format!("`{text}` is not a range like 10.0.0.0/8")))
    };
    texts.into_iter().map(parse).collect()
}

fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let parse = |text: String| {
        let origin = Origin::parse(&text).map(|origin| origin.text().to_owned());
        origin.map_err(|_| D::Error::custom(format!("`{text}` is not an origin like https://a.b")))
    };
    let texts = Vec::<String>::deserialize(from)?;
    texts.into_iter().map(parse).collect()
}
