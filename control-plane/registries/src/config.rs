//! The section `[sources]`: how registries that versions come from are met.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The section `[sources]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `SLUICE_SOURCES__PRIVATE_RANGES`: ranges beyond the public internet that registries may stand in, such as `10.0.0.0/8`.
    /// Default none. The addresses of cloud metadata services stay closed.
    #[serde(deserialize_with = "ranges")]
    pub private_ranges: Vec<IpNet>,
    /// `SLUICE_SOURCES__PLAINTEXT_BEYOND_LOOPBACK`: whether credentials may go to registries unencrypted over a network. Default
    /// `false`.
    pub plaintext_beyond_loopback: bool,
}

fn ranges<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let parse = |text: String| {
        text.parse()
            .map_err(|_| D::Error::custom(format!("`{text}` is not a range like 10.0.0.0/8")))
    };
    texts.into_iter().map(parse).collect()
}
