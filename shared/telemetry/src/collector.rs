//! Where a collector is, whom we trust there and what authorizes us.
//!
//! Knows one address and how long to wait; knows nothing of what is sent.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use egress::{Unfit, Way};
use lifecycle::settings::{self, InvalidSettings, Secret};
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

/// How long an export may take.
pub const EXPORT_MAX: Duration = Duration::from_secs(10);

/// How long the connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// The largest file of authorities, in bytes. Full: it is refused.
const CA_BYTES_MAX: u64 = 1 << 20;

/// What the settings of a section say of a collector.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// The section.
    pub section: &'static str,
    /// Such as `http://127.0.0.1:4317`.
    pub endpoint: &'a str,
    /// Whether it may be asked unencrypted though it is another machine.
    pub plaintext_beyond_loopback: bool,
    /// Authorities in place of the public ones.
    pub ca_file: Option<&'a Path>,
    /// What authorizes us.
    pub authorization: &'a Option<Secret>,
    /// A file that holds the same.
    pub authorization_file: &'a Option<PathBuf>,
}

/// A collector.
#[derive(Clone)]
pub struct Collector {
    endpoint: Endpoint,
    authorization: Option<MetadataValue<Ascii>>,
}

/// Why the settings of a collector cannot be used.
#[derive(Debug)]
pub struct Unusable {
    section: &'static str,
    why: Why,
}

#[derive(Debug)]
enum Why {
    /// The endpoint is not one.
    Endpoint(String),
    /// It would be sent to in plaintext beyond this machine.
    Plaintext(String),
    /// The file of authorities cannot be read.
    Authorities(io::Error),
    /// What authorizes us cannot stand in a header.
    Authorization,
    /// A secret cannot be read.
    Secret(InvalidSettings),
}

// === impl Address ===

impl Address<'_> {
    /// The collector; it is connected to when it is first sent something.
    pub fn open(&self) -> Result<Collector, Unusable> {
        let unusable = |why| Unusable {
            section: self.section,
            why,
        };
        let endpoint = self.endpoint().map_err(unusable)?;
        let name = format!("{}.authorization", self.section);
        let secret = settings::secret(self.authorization, self.authorization_file, &name);
        let secret = secret.map_err(|why| unusable(Why::Secret(why)))?;
        let authorization = secret.map(|text| {
            let parsed = text.expose().parse::<MetadataValue<Ascii>>();
            parsed.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        let authorization = authorization.transpose();
        Ok(Collector {
            endpoint,
            authorization: authorization.map_err(|_| unusable(Why::Authorization))?,
        })
    }

    fn endpoint(&self) -> Result<Endpoint, Why> {
        let text = self.endpoint;
        let invalid = || Why::Endpoint(text.to_owned());
        let endpoint = Endpoint::from_shared(text.to_owned()).map_err(|_| invalid())?;
        let endpoint = match egress::way(endpoint.uri(), self.plaintext_beyond_loopback) {
            Ok(Way::Encrypted) => endpoint
                .tls_config(trust(self.ca_file)?)
                .map_err(|_| invalid())?,
            Ok(Way::Plain) => endpoint,
            Err(Unfit::Plaintext) => return Err(Why::Plaintext(text.to_owned())),
            Err(Unfit::NotAnAddress) => return Err(invalid()),
        };
        Ok(endpoint
            .connect_timeout(CONNECT_MAX)
            .timeout(EXPORT_MAX)
            .tcp_nodelay(true))
    }
}

fn trust(ca_file: Option<&Path>) -> Result<ClientTlsConfig, Why> {
    let Some(path) = ca_file else {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        return Ok(ClientTlsConfig::new().trust_anchors(roots));
    };
    let length = fs::metadata(path).map_err(Why::Authorities)?.len();
    if length > CA_BYTES_MAX {
        return Err(Why::Authorities(io::ErrorKind::FileTooLarge.into()));
    }
    let pem = fs::read(path).map_err(Why::Authorities)?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}

// === impl Collector ===

impl Collector {
    /// The way to it; it connects when it is used, and again when it is used after a failure. Only within a runtime.
    pub fn channel(&self) -> Channel {
        self.endpoint.connect_lazy()
    }

    /// A message with what authorizes us.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            let metadata = request.metadata_mut();
            metadata.insert("authorization", authorization.clone());
        }
        request
    }
}

// === impl Unusable ===

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let section = self.section;
        match &self.why {
            Why::Endpoint(text) => write!(
                f,
                "{section}.endpoint: `{text}` is not such as `http://127.0.0.1:4317`"
            ),
            Why::Plaintext(text) => write!(
                f,
                "{section}.endpoint: `{text}` would be sent to in plaintext beyond this machine; use https, or set \
                 {section}.plaintext_beyond_loopback where the network itself is private"
            ),
            Why::Authorities(why) => write!(f, "{section}.ca_file: it cannot be read: {why}"),
            Why::Authorization => write!(
                f,
                "{section}.authorization: it is not one line of visible characters"
            ),
            Why::Secret(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for Unusable {}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(endpoint: &str, is_told: bool) -> Result<(), String> {
        let address = Address {
            section: "telemetry",
            endpoint,
            plaintext_beyond_loopback: is_told,
            ca_file: None,
            authorization: &None,
            authorization_file: &None,
        };
        address.open().map(drop).map_err(|why| why.to_string())
    }

    #[tokio::test]
    async fn nothing_leaves_the_machine_in_plaintext_unless_told() {
        assert_eq!(opened("http://127.0.0.1:4317", false), Ok(()));
        assert_eq!(opened("https://collector:4317", false), Ok(()));
        let refused = opened("http://collector:4317", false).unwrap_err();
        assert!(refused.starts_with("telemetry.endpoint: ") && refused.contains("plaintext"));
        assert_eq!(opened("http://collector:4317", true), Ok(()));
        for endpoint in ["nonsense", "ftp://x", ""] {
            assert!(opened(endpoint, true).is_err(), "{endpoint}");
        }
    }
}
