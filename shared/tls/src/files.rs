//! Certificates and keys as files: the settings that name them, and what stands in them now.
//!
//! Knows paths and PEM's bytes, not what they mean. No error quotes a file.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The longest file, in bytes. Full: it is refused; a chain has some thousand.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The most certificates of one listener. Full: the settings are refused.
const PAIRS_MAX: usize = 64;

/// A section `tls` of a listener. It makes the listener speak TLS 1.2 and 1.3, and nothing else.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The certificate and what it was issued by, as PEM, the certificate first. Read anew when it changes.
    pub cert_file: PathBuf,
    /// Its private key, as PEM: PKCS#8, SEC1 or PKCS#1.
    pub key_file: PathBuf,
    /// Further certificates, of which a client gets the first that is for the name which it asks for; the one above when
    /// none is, or it names none. At most 63. Default none.
    #[serde(default)]
    pub more: Vec<Pair>,
    /// The authorities, as PEM, one of which must have issued a certificate that every client shows. Default: clients
    /// need none.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
}

/// Authorities of clients by which something is known of whoever shows a certificate of theirs, and where their files are.
#[derive(Debug, Clone)]
pub struct Known {
    /// What they are called here, all together.
    pub name: String,
    /// Their certificates, as PEM. Read anew when they change.
    pub ca_file: PathBuf,
    /// Their lists of what they have revoked, as PEM, if they publish any. Read anew when they change.
    pub revoked_file: Option<PathBuf>,
}

/// A certificate and its key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// As in [`Config`].
    pub cert_file: PathBuf,
    /// As in [`Config`].
    pub key_file: PathBuf,
}

/// What the files hold.
pub struct Contents {
    /// Each certificate with its key, and the path of the certificate for whoever must be told which it is.
    pub pairs: Vec<Held>,
    /// The authorities of clients.
    pub client_ca: Option<(PathBuf, Vec<u8>)>,
    /// The authorities of clients that are known by them.
    pub known: Vec<Named>,
    /// Differs when any file does.
    pub digest: [u8; 32],
}

/// What the files of one pair hold.
pub struct Held {
    /// Where the certificate is.
    pub cert_file: PathBuf,
    /// Where its key is.
    pub key_file: PathBuf,
    /// The certificate's file.
    pub cert: Vec<u8>,
    /// The key's file.
    pub key: Zeroizing<Vec<u8>>,
}

/// What the files of authorities hold by which clients are known.
pub struct Named {
    /// What they are called.
    pub name: String,
    /// Their certificates.
    pub ca: (PathBuf, Vec<u8>),
    /// Their lists of what they have revoked.
    pub revoked: Option<(PathBuf, Vec<u8>)>,
}

/// Why certificates cannot be served: a sentence that names the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

// === impl Config ===

impl Config {
    /// Reads every file, those of authorities by which clients are known, too. Blocks.
    pub fn read(&self, known: &[Known]) -> Result<Contents, Unusable> {
        if self.more.len() >= PAIRS_MAX {
            return Err(unusable(
                &self.cert_file,
                "a listener has at most 64 certificates",
            ));
        }
        let first = Pair {
            cert_file: self.cert_file.clone(),
            key_file: self.key_file.clone(),
        };
        let mut digest = Sha256::new();
        let mut pairs = Vec::with_capacity(1 + self.more.len());
        for pair in std::iter::once(&first).chain(&self.more) {
            let cert = read(&pair.cert_file)?;
            let key = read(&pair.key_file)?;
            for bytes in [&cert, &key] {
                digest.update((bytes.len() as u64).to_be_bytes());
                digest.update(bytes.as_slice());
            }
            pairs.push(Held {
                cert_file: pair.cert_file.clone(),
                key_file: pair.key_file.clone(),
                cert: cert.to_vec(),
                key,
            });
        }
        let mut client_ca = None;
        if let Some(path) = &self.client_ca_file {
            let bytes = read(path)?;
            digest.update(bytes.as_slice());
            client_ca = Some((path.clone(), bytes.to_vec()));
        }
        let known = known.iter().map(|it| it.read(&mut digest));
        Ok(Contents {
            pairs,
            client_ca,
            known: known.collect::<Result<_, _>>()?,
            digest: digest.finalize().into(),
        })
    }
}

// === impl Known ===

impl Known {
    fn read(&self, digest: &mut Sha256) -> Result<Named, Unusable> {
        let mut held = |path: &Path| {
            let bytes = read(path)?.to_vec();
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(&bytes);
            Ok((path.to_owned(), bytes))
        };
        Ok(Named {
            name: self.name.clone(),
            ca: held(&self.ca_file)?,
            revoked: self.revoked_file.as_deref().map(held).transpose()?,
        })
    }
}

/// An error about a file.
pub(crate) fn unusable(path: &Path, why: impl fmt::Display) -> Unusable {
    Unusable {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// A whole file, wiped when dropped, because it may hold a key.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Unusable> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) if length as u64 <= FILE_BYTES_MAX => Ok(bytes),
        Ok(_) => Err(unusable(path, io::Error::from(io::ErrorKind::FileTooLarge))),
        Err(error) => Err(unusable(path, error)),
    }
}

// === impl Unusable ===

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for Unusable {}
