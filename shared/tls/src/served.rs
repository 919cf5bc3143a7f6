//! From files to what a listener serves: every certificate with its key, chosen by the name that a client asks for.
//!
//! Knows PEM and certificates; reads no file. A key that is not its certificate's is refused here, before anybody connects.

use std::{fmt, sync::Arc};

use rustls::{
    ServerConfig,
    client::verify_server_name,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{
        ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert,
        danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    clients::Clients,
    files::{Contents, Held, Unusable, unusable},
    provider::provider,
};

/// The protocols that a listener offers, the preferred first.
pub type Alpn = &'static [&'static [u8]];

/// What a listener serves.
pub struct Served {
    /// For handshakes.
    pub config: Arc<ServerConfig>,
    /// By whom clients' certificates must be issued, where they are asked for any.
    pub clients: Option<Arc<Clients>>,
    /// When the first of its certificates ends.
    pub ends_at: OffsetDateTime,
}

/// Chooses among certificates; the first is for whoever asks for no name, or for one that none has.
struct ByName {
    keys: Vec<Arc<CertifiedKey>>,
}

/// Makes what is served of what the files hold.
pub fn served(contents: &Contents, alpn: Alpn) -> Result<Served, Unusable> {
    let mut keys = Vec::with_capacity(contents.pairs.len());
    let mut ends_at = None::<OffsetDateTime>;
    for held in &contents.pairs {
        let key = certified(held)?;
        let ends = key
            .cert
            .first()
            .and_then(ends)
            .ok_or_else(|| unusable(&held.cert_file, "its first certificate cannot be read"))?;
        ends_at = Some(ends_at.map_or(ends, |first| first.min(ends)));
        keys.push(Arc::new(key));
    }
    let clients = Clients::of(contents)?.map(Arc::new);
    let asks = clients.clone().map(|it| it as Arc<dyn ClientCertVerifier>);
    let config = config(Arc::new(ByName { keys }), asks, alpn);
    let first = contents.pairs.first().map(|it| it.cert_file.clone());
    let first = first.unwrap_or_default();
    Ok(Served {
        config: config.map_err(|why| unusable(&first, why))?,
        clients,
        ends_at: ends_at.ok_or_else(|| unusable(&first, "there is no certificate"))?,
    })
}

/// A listener's configuration. One that knows its clients by certificates resumes no session, because what a certificate
/// proves must be looked at anew.
pub(crate) fn config(
    keys: Arc<dyn ResolvesServerCert>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    alpn: Alpn,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let knows = clients.is_some();
    let mut config = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    }
    .with_cert_resolver(keys);
    if knows {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    config.alpn_protocols = alpn.iter().map(|it| it.to_vec()).collect();
    Ok(Arc::new(config))
}

/// When a certificate ends; `None` when it cannot be read.
pub(crate) fn ends(certificate: &CertificateDer<'_>) -> Option<OffsetDateTime> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.validity().not_after.to_datetime())
}

fn certified(held: &Held) -> Result<CertifiedKey, Unusable> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&held.cert).collect();
    let chain = chain.map_err(|why| unusable(&held.cert_file, format!("is not PEM: {why}")))?;
    if chain.is_empty() {
        return Err(unusable(&held.cert_file, "holds no certificate"));
    }
    // The library's own error could say what stands there.
    let key = PrivateKeyDer::from_pem_slice(&held.key)
        .map_err(|_| unusable(&held.key_file, "holds no private key as PEM"))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|why| match why {
        rustls::Error::InconsistentKeys(_) => unusable(
            &held.key_file,
            "is not the key of the certificate beside it",
        ),
        why => unusable(&held.cert_file, why),
    })
}

// === impl ByName ===

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let first = self.keys.first()?;
        let asked = hello
            .server_name()
            .map(|name| ServerName::try_from(name.to_owned()));
        let (Some(Ok(name)), true) = (asked, self.keys.len() > 1) else {
            return Some(Arc::clone(first));
        };
        let fits = |key: &&Arc<CertifiedKey>| {
            let parsed = key.cert.first().map(ParsedCertificate::try_from);
            matches!(parsed, Some(Ok(it)) if verify_server_name(&it, &name).is_ok())
        };
        Some(Arc::clone(self.keys.iter().find(fits).unwrap_or(first)))
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} certificates", self.keys.len())
    }
}
