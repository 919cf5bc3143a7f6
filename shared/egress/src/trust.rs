//! Whose certificates are believed where a service of others is dialled: those of the public authorities, or of a file's.

use std::{fs, io, path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// The largest file of authorities, in bytes. Full: it is refused.
const CA_BYTES_MAX: u64 = 1 << 20;

/// TLS that believes the authorities in a file of PEM, or else the public ones. An error says what is wrong with the file.
pub fn trust(ca_file: Option<&Path>) -> io::Result<ClientConfig> {
    let Some(path) = ca_file else {
        return trust_pem(None);
    };
    if fs::metadata(path)?.len() > CA_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    trust_pem(Some(&fs::read(path)?))
}

/// TLS that believes these authorities of PEM, or else the public ones. An error says what is wrong with them.
pub fn trust_pem(pem: Option<&[u8]>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match pem {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(io::Error::other)?;
                roots.add(certificate).map_err(io::Error::other)?;
            }
            if roots.is_empty() {
                return Err(io::Error::other("it holds no certificate"));
            }
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
