//! Why there is no token, as the log and the responder need to know it.
//!
//! Holds nothing that an issuer said, save its status and a word out of a list of ours.

use std::{fmt, rc::Rc};

use http::StatusCode;

use crate::call::dial::CannotDial;

/// Why there is no token.
#[derive(Debug, Clone)]
pub enum NoToken {
    /// The credential has no form that this build knows.
    Unknown,
    /// The file of the proof stands in no folder that the edge's settings open.
    FileClosed,
    /// The file of the proof cannot be read, or holds no proof.
    File,
    /// The machine's own identity may not be presented to this provider.
    MachineClosed,
    /// The key does not sign, or what it signed cannot be sent.
    Unsigned,
    /// No connection to the issuer.
    Unreachable(Rc<CannotDial>),
    /// The issuer broke off.
    Broken,
    /// The issuer did not answer in time.
    Slow,
    /// The issuer refused, with this status and perhaps this word.
    Refused(StatusCode, Option<&'static str>),
    /// The issuer failed, with this status.
    Failed(StatusCode),
    /// What the issuer said is no token.
    Unreadable,
}

/// What issuers call their refusals. A word that is none of these is not told.
const WORDS: [&str; 16] = [
    "invalid_grant",
    "invalid_client",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
    "unsupported_grant_type",
    "access_denied",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "NOT_FOUND",
    "AccessDenied",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidIdentityToken",
];

// === impl NoToken ===

impl NoToken {
    /// An answer that is no success.
    pub fn of_answer(status: StatusCode, body: &[u8]) -> Self {
        // Too slow, too often: it may be another time.
        let passes = matches!(status.as_u16(), 408 | 429) || !status.is_client_error();
        if passes {
            return Self::Failed(status);
        }
        let text = String::from_utf8_lossy(body);
        // Between quotes in JSON, between tags in XML.
        let said = |word: &&str| {
            text.contains(&format!("\"{word}\"")) || text.contains(&format!(">{word}"))
        };
        Self::Refused(status, WORDS.iter().find(|word| said(word)).copied())
    }

    /// Whether the issuer has judged, and will judge the same way again.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(..))
    }

    /// Whether it is the operator of the edge or of the provider who must do something first.
    pub const fn is_misconfigured(&self) -> bool {
        matches!(
            self,
            Self::Unknown | Self::FileClosed | Self::File | Self::MachineClosed | Self::Unsigned
        )
    }

    /// Whether the issuer's address is one that may not be dialled.
    pub fn is_forbidden_address(&self) -> bool {
        matches!(self, Self::Unreachable(why) if matches!(**why, CannotDial::Forbidden))
    }
}

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(
                "the provider's credential has no form that this edge knows: write it anew, or update the edge",
            ),
            Self::FileClosed => f.write_str(
                "the credential names a file in no folder of upstream.token_folders: add the folder if it may be read",
            ),
            Self::File => {
                f.write_str("the file that the credential names cannot be read, or holds no token")
            }
            Self::MachineClosed => f.write_str(
                "this machine's identity may not be presented there: add the provider's origin to \
                 upstream.metadata_origins if it may",
            ),
            Self::Unsigned => f.write_str("the credential's key does not sign"),
            Self::Unreachable(why) => write!(f, "the issuer of tokens: {why}"),
            Self::Broken => f.write_str("the issuer of tokens broke off"),
            Self::Slow => f.write_str("the issuer of tokens did not answer in time"),
            Self::Refused(status, word) => write!(
                f,
                "the issuer of tokens refused the credential ({}{}{}): replace it",
                status.as_u16(),
                if word.is_some() { ", " } else { "" },
                word.unwrap_or_default()
            ),
            Self::Failed(status) => {
                write!(f, "the issuer of tokens answered with status {}", status.as_u16())
            }
            Self::Unreadable => f.write_str("what the issuer of tokens said is no token"),
        }
    }
}

impl std::error::Error for NoToken {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_a_word_of_ours_and_nothing_else_of_it() {
        let body = br#"{"error":"invalid_client","error_description":"hush"}"#;
        let why = NoToken::of_answer(StatusCode::UNAUTHORIZED, body);
        assert_eq!(
            why.to_string(),
            "the issuer of tokens refused the credential (401, invalid_client): replace it"
        );
        let body = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>hush</Message>";
        let why = NoToken::of_answer(StatusCode::FORBIDDEN, body);
        assert!(why.is_refusal() && why.to_string().contains("AccessDenied"));
        let why = NoToken::of_answer(StatusCode::BAD_REQUEST, b"{\"error\":\"hush\"}");
        assert!(!why.to_string().contains("hush"));
        for status in [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::FOUND,
        ] {
            assert!(!NoToken::of_answer(status, b"").is_refusal(), "{status}");
        }
    }
}
