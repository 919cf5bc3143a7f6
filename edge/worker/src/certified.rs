//! Whose certificates identify clients: which authorities are which issuer's, as the edge's settings say it.
//!
//! Knows settings and names; reads no file and no certificate. That it is the settings and not policy is on purpose: an authority
//! is trusted for every handshake of this edge, whoever's organization the client means.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use serde::Deserialize;
use tls::files::Known;

/// `[client_certificates.NAME]`: clients of one issuer that are known by certificates. In variables,
/// `SLUICE_CLIENT_CERTIFICATES__NAME__ISSUER` and so on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whose they are: `organizations/acme/issuers/corp`, which says what they open. Required.
    pub issuer: String,
    /// The authorities that sign them, as PEM. Read anew when it changes. Required.
    pub ca_file: PathBuf,
    /// What those have revoked: their lists (CRL), as PEM, one of each authority that a chain may hold. Read anew when it changes.
    /// Default: nothing is.
    pub revoked_file: Option<PathBuf>,
}

/// Settings of all.
pub type Configs = BTreeMap<String, Config>;

/// An issuer whose clients are known by certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The last segment of the organization's name.
    pub organization: String,
    /// The last segment of the issuer's.
    pub issuer: String,
}

/// Those of an edge, by the names of their sections. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Places(Arc<BTreeMap<String, Place>>);

/// `[client_certificates.NAME]` cannot be used: why.
#[derive(Debug)]
pub struct Unusable {
    name: String,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Issuer,
    Missing,
    NoTls,
}

// === impl Places ===

impl Places {
    /// Those of the settings, of a listener that speaks TLS or does not.
    pub fn read(configs: &Configs, is_encrypted: bool) -> Result<Self, Unusable> {
        let places = configs.iter().map(|(name, config)| {
            let unusable = |why| Unusable {
                name: name.clone(),
                why,
            };
            let issuer = config.issuer.strip_prefix("organizations/");
            let issuer = issuer.and_then(|it| it.split_once("/issuers/"));
            let (organization, issuer) = issuer.ok_or_else(|| unusable(Why::Issuer))?;
            if config.ca_file.as_os_str().is_empty() {
                return Err(unusable(Why::Missing));
            }
            if !is_encrypted {
                return Err(unusable(Why::NoTls));
            }
            let place = Place {
                organization: organization.to_owned(),
                issuer: issuer.to_owned(),
            };
            Ok((name.clone(), place))
        });
        Ok(Self(Arc::new(places.collect::<Result<_, _>>()?)))
    }

    /// Whether no client is known by a certificate.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose the clients are that authorities of this name have signed for.
    pub fn get(&self, name: &str) -> Option<&Place> {
        self.0.get(name)
    }
}

/// The files that the listener reads for these.
pub fn known(configs: &Configs) -> Vec<Known> {
    let known = configs.iter().map(|(name, config)| Known {
        name: name.clone(),
        ca_file: config.ca_file.clone(),
        revoked_file: config.revoked_file.clone(),
    });
    known.collect()
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client_certificates.{}", self.name)?;
        f.write_str(match self.why {
            Why::Issuer => ".issuer is not such as `organizations/acme/issuers/corp`",
            Why::Missing => ".ca_file is missing: name the authorities that sign the certificates",
            Why::NoTls => {
                ": clients show certificates only where the edge speaks TLS; set inference.tls"
            }
        })
    }
}

impl std::error::Error for Unusable {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(issuer: &str, ca_file: &str, is_encrypted: bool) -> Result<Places, String> {
        let config = Config {
            issuer: issuer.to_owned(),
            ca_file: ca_file.into(),
            revoked_file: None,
        };
        Places::read(&[("corp".to_owned(), config)].into(), is_encrypted)
            .map_err(|why| why.to_string())
    }

    #[test]
    fn settings_name_an_issuer_and_its_authorities_and_want_tls() {
        let name = "organizations/acme/issuers/corp";
        let places = read(name, "ca.pem", true).unwrap();
        let place = Place {
            organization: "acme".to_owned(),
            issuer: "corp".to_owned(),
        };
        assert_eq!(places.get("corp"), Some(&place));
        assert_eq!(places.get("other"), None);
        for (issuer, ca_file, is_encrypted, word) in [
            ("acme/corp", "ca.pem", true, ".issuer"),
            (name, "", true, ".ca_file"),
            (name, "ca.pem", false, "set inference.tls"),
        ] {
            let why = read(issuer, ca_file, is_encrypted).unwrap_err();
            let names = why.starts_with("client_certificates.corp");
            assert!(names && why.contains(word), "{why}");
        }
    }
}
