//! What may be written as a provider's credential: a key alone, or a form that its kind exchanges for tokens.
//!
//! Sees it in clear and keeps nothing; what it says of it repeats nothing.

use std::fmt;

use credential::Invalid;
use policy::provider::ProviderKind;

use crate::text::{self, InvalidText};

/// What is wrong with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidCredential {
    /// It is a key and does not fit.
    Text(InvalidText),
    /// It is a form and does not fit.
    Form(Invalid),
}

/// Whether a credential is a form, which is judged by its provider's kind.
pub fn is_form(text: &str) -> bool {
    credential::is_exchanged(text.as_bytes())
}

/// Checks a credential that is no form.
pub fn check_key(text: &str) -> Result<(), InvalidCredential> {
    text::credential(text).map_err(InvalidCredential::Text)
}

/// Checks a form for a provider of this kind whose operator lets it go to these origins.
pub fn check_form(
    kind: ProviderKind,
    text: &str,
    exchange_origins: &[String],
) -> Result<(), InvalidCredential> {
    let read = credential::read(kind, text, exchange_origins);
    read.map(drop).map_err(InvalidCredential::Form)
}

impl fmt::Display for InvalidCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(why) => why.fmt(f),
            Self::Form(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for InvalidCredential {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_judged_as_a_key_and_a_form_by_its_kind() {
        assert!(!is_form("sk-1") && check_key("sk-1").is_ok());
        let form = r#"{"type": "metadata_server"}"#;
        assert!(is_form(form));
        assert_eq!(check_form(ProviderKind::Vertex, form, &[]), Ok(()));
        let why = check_form(ProviderKind::OpenAi, form, &[]).unwrap_err();
        assert_eq!(why, InvalidCredential::Form(Invalid::NotExchanged));
        assert!(check_key("two words").is_err());
    }
}
