//! Who calls by a certificate: what it says becomes claims, which its issuer's expressions map as a token's.
//!
//! Knows what claims are called; verifies nothing, which the listener does, and knows nothing of how certificates are written.

use std::fmt;

use claims::{
    check::{self, Claims, Unproved},
    mapping,
};
use serde_json::{Map, Value, json};
use tls::{clients::NotTaken, facts::Facts};

/// Why a certificate opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is of no authority by which clients are known here, or not any more; or that one's issuer is not in force.
    Stranger,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// It says too much, or nothing by which anybody could be named.
    Nameless,
    /// What it says means nothing here: the expression that says so.
    Unmapped(&'static str),
    /// Its issuer cannot be used by this build.
    Unusable,
}

/// What a certificate says, as claims.
pub(super) fn claims(facts: Facts, now_ms: u64) -> Result<Claims, Unproved> {
    let subject = [facts.subject.as_str()].into_iter();
    let alternatives = [&facts.uris, &facts.hosts, &facts.mails];
    let alternatives = alternatives.into_iter().flatten().map(String::as_str);
    // Those of SPIFFE have no subject, and one URI.
    let subject = subject.chain(alternatives).find(|it| !it.is_empty());
    let mut said = Map::new();
    said.insert("sub".to_owned(), json!(subject.unwrap_or_default()));
    said.insert("iss".to_owned(), Value::String(facts.issuer));
    said.insert("nbf".to_owned(), json!(facts.begins_at));
    said.insert("exp".to_owned(), json!(facts.ends_at));
    // The most specific part of a name stands last where it stands more than once.
    if let Some(name) = facts.common_names.into_iter().next_back() {
        said.insert("cn".to_owned(), Value::String(name));
    }
    for (name, all) in [
        ("o", facts.organizations),
        ("ou", facts.units),
        ("san_uri", facts.uris),
        ("san_dns", facts.hosts),
        ("san_email", facts.mails),
    ] {
        said.insert(name.to_owned(), json!(all));
    }
    said.insert("serial".to_owned(), Value::String(facts.serial));
    said.insert("fingerprint".to_owned(), Value::String(facts.fingerprint));
    check::certified(said, now_ms)
}

// === impl Refusal ===

impl From<NotTaken> for Refusal {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Time => Self::Expired,
            NotTaken::Revoked => Self::Revoked,
            NotTaken::Stranger => Self::Stranger,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger => f.write_str(
                "nobody here is known by certificates of this authority: send a key, or show a certificate of one that is trusted here",
            ),
            Self::Expired => f.write_str(
                "the client certificate's time is over or has not come: connect anew with another one",
            ),
            Self::Revoked => f.write_str(
                "the client certificate was revoked, or whether it was cannot be told: connect anew with another one",
            ),
            Self::Nameless => f.write_str(
                "the client certificate names nobody: it needs a subject, or an alternative name, of at most 255 bytes, and not more than 64 names",
            ),
            Self::Unmapped(mapping::CONDITION) => f.write_str(
                "the client certificate does not meet the condition that those of its issuer must meet",
            ),
            Self::Unmapped(expression) => write!(
                f,
                "what the client certificate says means nothing here: `{expression}` of its issuer gives nothing that there is"
            ),
            Self::Unusable => f.write_str("the client certificate's issuer is not set up for this edge"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn facts() -> Facts {
        let texts = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
        Facts {
            subject: "CN=batch,OU=ml,OU=eu,O=Acme".to_owned(),
            issuer: "CN=Acme CA".to_owned(),
            common_names: texts(&["batch"]),
            organizations: texts(&["Acme"]),
            units: texts(&["eu", "ml"]),
            uris: texts(&["spiffe://acme/batch"]),
            hosts: texts(&["batch.acme.example"]),
            mails: texts(&["batch@acme.example"]),
            serial: "0a".to_owned(),
            fingerprint: "ff".repeat(32),
            begins_at: NOW - 60,
            ends_at: NOW + 60,
        }
    }

    #[test]
    fn what_a_certificate_says_becomes_claims() {
        let claims = claims(facts(), NOW * 1_000).unwrap();
        let expected = json!({
            "sub": "CN=batch,OU=ml,OU=eu,O=Acme", "iss": "CN=Acme CA", "nbf": NOW - 60, "exp": NOW + 60,
            "cn": "batch", "o": ["Acme"], "ou": ["eu", "ml"], "san_uri": ["spiffe://acme/batch"],
            "san_dns": ["batch.acme.example"], "san_email": ["batch@acme.example"],
            "serial": "0a", "fingerprint": "ff".repeat(32),
        });
        assert_eq!(Value::Object(claims.all().clone()), expected);
        assert_eq!(claims.subject(), "CN=batch,OU=ml,OU=eu,O=Acme");
    }

    #[test]
    fn one_without_a_subject_is_named_by_an_alternative_and_one_without_names_by_nothing() {
        let mut bare = Facts {
            subject: String::new(),
            ..facts()
        };
        let named = |facts: &Facts| claims(facts.clone(), NOW * 1_000);
        assert_eq!(named(&bare).unwrap().subject(), "spiffe://acme/batch");
        bare.uris.clear();
        assert_eq!(named(&bare).unwrap().subject(), "batch.acme.example");
        bare.hosts.clear();
        bare.mails.clear();
        assert_eq!(named(&bare).unwrap_err(), Unproved::Claim("sub"));
    }
}
