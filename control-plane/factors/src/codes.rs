//! Codes that change every thirty seconds (TOTP, RFC 6238), as every authenticator computes them: SHA-1, six digits.

use std::fmt;

use aws_lc_rs::rand;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

/// How long a secret is, in bytes: as RFC 4226 recommends.
pub const SECRET_BYTES: usize = 20;

/// Who issues codes, as authenticators show it.
const ISSUER: &str = "Sluice";

/// What computes the codes of one person.
pub struct Codes(Totp);

/// The secret of codes could not be drawn or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSecret;

/// Draws a secret.
pub fn draw() -> Result<Zeroizing<[u8; SECRET_BYTES]>, NoSecret> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    rand::fill(&mut secret[..]).map_err(|_| NoSecret)?;
    Ok(secret)
}

// === impl Codes ===

impl Codes {
    /// Of this secret, for an account that authenticators show under `name`.
    pub fn new(secret: &[u8], name: &str) -> Result<Self, NoSecret> {
        let secret = <[u8; SECRET_BYTES]>::try_from(secret).map_err(|_| NoSecret)?;
        let code = Builder::new()
            .with_secret(Secret::new_stack(secret))
            .with_issuer(Some(ISSUER))
            .with_account_name(name)
            .build();
        code.map(Self).map_err(|_| NoSecret)
    }

    /// Which step a code is of: the one at `now_s` seconds since 1970, the one before or the one after; `None` where it is of none.
    /// A code is to be taken once: the step must be later than that of the code that was taken last.
    pub fn step(&self, code: &str, now_s: u64) -> Option<u64> {
        // Another form of the same digits would be another text for the same code.
        let plain = code.len() == 6 && code.bytes().all(|it| it.is_ascii_digit());
        plain.then(|| self.0.check(code, now_s)).flatten()
    }

    /// What an authenticator reads from a picture: `otpauth://totp/…`. It holds the secret.
    pub fn uri(&self) -> Result<Zeroizing<String>, NoSecret> {
        self.0.to_url().map(Zeroizing::new).map_err(|_| NoSecret)
    }
}

impl fmt::Display for NoSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the secret of a person's codes cannot be drawn or read")
    }
}

impl std::error::Error for NoSecret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        let code = Codes::new(b"12345678901234567890", "ada").unwrap();
        // RFC 6238, appendix B: the last six of its eight digits.
        for (at, text) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            let step = at / 30;
            assert_eq!(code.step(text, at), Some(step));
            assert_eq!(code.step(text, at + 30), Some(step), "one late");
            assert_eq!(code.step(text, at - 30), Some(step), "one early");
            assert_eq!(code.step(text, at + 60), None);
            if let Some(long_before) = at.checked_sub(60) {
                assert_eq!(code.step(text, long_before), None);
            }
        }
        for other in ["", "28708", "2870822", "287 082", "28708a", "287083"] {
            assert_eq!(code.step(other, 59), None, "{other}");
        }
    }

    #[test]
    fn an_authenticator_reads_what_a_uri_says() {
        let code =
            Codes::new(b"12345678901234567890", "organizations/acme/localUsers/ada").unwrap();
        let uri = code.uri().unwrap();
        assert_eq!(
            uri.as_str(),
            "otpauth://totp/Sluice:organizations%2Facme%2FlocalUsers%2Fada?\
             secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Sluice"
        );
        assert!(Codes::new(b"short", "ada").is_err());
        assert_ne!(*draw().unwrap(), *draw().unwrap());
    }
}
