//! A new key, where a service draws none: it is here from when it is drawn until it is wrapped.

use seal::SealingKey;
use zeroize::Zeroizing;

use credential::signing::base64;

/// 32 random bytes, in base64 for URLs.
pub(crate) fn drawn() -> Zeroizing<String> {
    let text = SealingKey::generate_text();
    let digit = |byte: &u8| char::from(*byte).to_digit(16).unwrap_or(0);
    let pair = |pair: &[u8]| pair.iter().map(digit).fold(0, |high, low| high << 4 | low);
    let bytes = text.as_bytes().chunks(2).map(pair);
    let bytes: Zeroizing<Vec<u8>> =
        Zeroizing::new(bytes.filter_map(|it| u8::try_from(it).ok()).collect());
    Zeroizing::new(base64(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_a_sealing_key_and_never_the_same() {
        let (one, other) = (drawn(), drawn());
        assert!(SealingKey::parse(&one).is_ok() && one.len() == 43);
        assert_ne!(*one, *other);
    }
}
