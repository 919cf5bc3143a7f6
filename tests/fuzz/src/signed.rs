//! Signed tokens, the keys that check them, and expressions over what they claim. An input for expressions is one, a line end,
//! and claims.

use claims::{
    document,
    expression::{Expression, Subject},
    key_set::{KEYS_MAX, KeySet},
    token::{BYTES_MAX, Token},
};
use policy::issuer::Algorithm;

/// A token.
pub fn token(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if let Ok(token) = Token::read(text) {
        assert!(text.len() <= BYTES_MAX, "too long a token was read");
        assert_eq!(text.matches('.').count(), 2, "{text}");
        let _ = (token.issuer(), token.key_id(), token.kind());
        assert!(!token.is_for(&[]), "a token for nobody is for somebody");
    }
}

/// A set of keys.
pub fn keys(input: &[u8]) {
    let Ok(keys) = KeySet::read(input) else {
        return;
    };
    assert!(keys.len() <= KEYS_MAX, "more keys than there may be");
    for algorithm in Algorithm::ALL {
        if let Some(key) = keys.find(None, algorithm) {
            assert!(key.fits(algorithm), "a key that does not fit");
            let proved = key.verify(algorithm, b"signed", b"not a signature");
            assert!(proved.is_err(), "anything is signed");
        }
    }
}

/// An expression on claims.
pub fn expression(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == b'\n');
    let Some((text, claims)) = at.and_then(|at| input.split_at_checked(at)) else {
        return;
    };
    let (Ok(text), Ok(claims)) = (str::from_utf8(text), document::read(claims)) else {
        return;
    };
    let (Ok(expression), Ok(subject)) = (Expression::compile(text), Subject::of(&claims)) else {
        return;
    };
    let _ = expression.is_true(&subject);
    let _ = expression.text(&subject);
    let _ = expression.texts(&subject);
    let _ = expression.number(&subject);
}
