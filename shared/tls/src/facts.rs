//! What a client's certificate says of whoever has it, as texts and lists of texts.
//!
//! Knows X.509, and names as RFC 4514 writes them, so that no name's text can pass for two names; knows nothing of what any of it
//! opens. What a certificate says that is not here is not read. Only what an authority has signed is worth reading.

use std::fmt::Write;

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::{
    extensions::GeneralName,
    prelude::{AttributeTypeAndValue, FromDer, X509Certificate, X509Name},
};

/// The most names of one certificate: parts of its subject and of its issuer, and alternatives.
// Full: nothing is known of it.
pub const NAMES_MAX: usize = 64;

/// Kinds of names that are written by a word, of RFC 4514; others by their numbers.
const WORDS: [(&str, &str); 9] = [
    ("2.5.4.3", CN),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", O),
    ("2.5.4.11", OU),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

const CN: &str = "CN";
const O: &str = "O";
const OU: &str = "OU";

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its subject, the last name first: `CN=batch,O=Acme`. May be empty.
    pub subject: String,
    /// Who issued it, the same way.
    pub issuer: String,
    /// The common names of its subject, as they stand there.
    pub common_names: Vec<String>,
    /// Its organizations.
    pub organizations: Vec<String>,
    /// Their units.
    pub units: Vec<String>,
    /// Its alternative names that are URIs, as SPIFFE's are.
    pub uris: Vec<String>,
    /// Those that are of hosts.
    pub hosts: Vec<String>,
    /// Those that are addresses of mail.
    pub mails: Vec<String>,
    /// Its number, as hex.
    pub serial: String,
    /// SHA-256 of it, as hex.
    pub fingerprint: String,
    /// The first second at which it is good, since 1970.
    pub begins_at: u64,
    /// The last.
    pub ends_at: u64,
}

/// It cannot be read, or says too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

// === impl Facts ===

impl Facts {
    /// What this certificate says.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, Unreadable> {
        let (rest, parsed) = X509Certificate::from_der(certificate).map_err(|_| Unreadable)?;
        if !rest.is_empty() {
            return Err(Unreadable);
        }
        let alternatives = parsed.subject_alternative_name().map_err(|_| Unreadable)?;
        let alternatives = alternatives.map_or(&[][..], |it| it.value.general_names.as_slice());
        let many = |name: &X509Name<'_>| name.iter_attributes().count();
        let (subject, issuer) = (parsed.subject(), parsed.issuer());
        if many(subject) + many(issuer) + alternatives.len() > NAMES_MAX {
            return Err(Unreadable);
        }
        let mut facts = Self {
            subject: written(subject),
            issuer: written(issuer),
            common_names: of_kind(subject, CN),
            organizations: of_kind(subject, O),
            units: of_kind(subject, OU),
            uris: Vec::new(),
            hosts: Vec::new(),
            mails: Vec::new(),
            serial: hex(parsed.raw_serial()),
            fingerprint: hex(&Sha256::digest(certificate)),
            begins_at: seconds(parsed.validity().not_before.timestamp())?,
            ends_at: seconds(parsed.validity().not_after.timestamp())?,
        };
        for name in alternatives {
            match name {
                GeneralName::URI(it) => facts.uris.push((*it).to_owned()),
                GeneralName::DNSName(it) => facts.hosts.push((*it).to_owned()),
                GeneralName::RFC822Name(it) => facts.mails.push((*it).to_owned()),
                _ => {}
            }
        }
        Ok(facts)
    }
}

fn seconds(at: i64) -> Result<u64, Unreadable> {
    u64::try_from(at).map_err(|_| Unreadable)
}

/// The word for a kind of names, where it has one.
fn word(part: &AttributeTypeAndValue<'_>) -> Option<&'static str> {
    let id = part.attr_type().to_id_string();
    let found = WORDS.iter().find(|(number, _)| *number == id);
    found.map(|(_, word)| *word)
}

/// The texts of a name's parts of one kind. One that is no text says nothing.
fn of_kind(name: &X509Name<'_>, kind: &str) -> Vec<String> {
    let parts = name.iter_attributes();
    let texts = parts.filter(|it| word(it) == Some(kind));
    let texts = texts.filter_map(|it| it.as_str().ok());
    texts.map(str::to_owned).collect()
}

/// A name as RFC 4514 writes it: the last part first, and what could be read as more than one part escaped.
fn written(name: &X509Name<'_>) -> String {
    let levels: Vec<_> = name.iter_rdn().collect();
    let levels = levels.into_iter().rev().map(|level| {
        let parts: Vec<String> = level.iter().map(part).collect();
        parts.join("+")
    });
    levels.collect::<Vec<_>>().join(",")
}

fn part(part: &AttributeTypeAndValue<'_>) -> String {
    if let (Some(word), Ok(text)) = (word(part), part.as_str()) {
        return format!("{word}={}", escaped(text));
    }
    // What is no text, or of a kind that has no word, stands as its bytes do.
    let id = part.attr_type().to_id_string();
    format!("{id}=#{}", hex(part.as_slice()))
}

/// RFC 4514, 2.4.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (at, letter) in text.chars().enumerate() {
        let at_an_end = (at == 0 && matches!(letter, ' ' | '#')) || (at == last && letter == ' ');
        match letter {
            '\0' => out.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => out.extend(['\\', letter]),
            _ if at_an_end => out.extend(['\\', letter]),
            _ => out.push(letter),
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
#[path = "facts_test.rs"]
mod tests;
