//! The section `[issuers]`: how issuers of operators' tokens are met.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};

/// The section `[issuers]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `SLUICE_ISSUERS__PRIVATE_RANGES`: ranges beyond the public internet that issuers may stand in, such as `10.0.0.0/8`.
    /// Default none. The addresses of cloud metadata services stay closed.
    #[serde(deserialize_with = "ranges")]
    pub private_ranges: Vec<IpNet>,
}

fn ranges<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let parse = |text: String| {
        text.parse()
            .map_err(|_| D::Error::custom(format!("`{text}` is not a range like 10.0.0.0/8")))
    };
    texts.into_iter().map(parse).collect()
}
