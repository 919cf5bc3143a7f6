//! Digits in base 62, and the widths of the parts of a key's text.
//!
//! Knows nothing of families or secrets: numbers in, ASCII letters and digits out. Every width is fixed, so
//! a text has one length per family and a number has one text.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Characters of a key id: 71 bits, so that ten million keys collide with a chance of about one in fifty
/// million.
pub(crate) const KEY_ID_CHARS: usize = 12;
/// Characters of a secret: 62^43 is just above 2^256.
pub(crate) const SECRET_CHARS: usize = 43;
/// Characters of a checksum: 62^6 is above 2^32.
pub(crate) const CHECKSUM_CHARS: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The text of CRC-32 over what stands before it.
pub(crate) fn checksum(before: &str) -> [u8; CHECKSUM_CHARS] {
    let mut rest = crc32fast::hash(before.as_bytes());
    let mut text = [0; CHECKSUM_CHARS];
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    text
}

/// A fresh key id.
pub(crate) fn key_id() -> String {
    // A byte above 247 is drawn again: taking it modulo 62 would favour the first eight digits.
    let mut text = String::with_capacity(KEY_ID_CHARS);
    while text.len() < KEY_ID_CHARS {
        let drawn: [u8; KEY_ID_CHARS] = random();
        let fair = drawn.iter().filter(|byte| **byte < 248);
        text.extend(
            fair.take(KEY_ID_CHARS - text.len())
                .map(|byte| digit(u32::from(*byte % 62))),
        );
    }
    text
}

/// The key id that a number makes: its last digits, all of them as likely when the number is drawn by chance.
pub(crate) fn key_id_of(mut number: u128) -> [u8; KEY_ID_CHARS] {
    let mut text = [0; KEY_ID_CHARS];
    for place in &mut text {
        *place = ALPHABET[usize::try_from(number % 62).unwrap_or(0)];
        number /= 62;
    }
    text
}

/// A fresh secret: 256 random bits, written as a number.
pub(crate) fn secret() -> Zeroizing<[u8; SECRET_CHARS]> {
    written(&Zeroizing::new(random()))
}

/// The number, most significant byte first, as digits.
fn written(number: &[u8; 32]) -> Zeroizing<[u8; SECRET_CHARS]> {
    let mut rest = Zeroizing::new(*number);
    let mut text = Zeroizing::new([0; SECRET_CHARS]);
    for place in text.iter_mut().rev() {
        // Long division by 62: the remainder is the next digit from the right.
        let mut remainder = 0_usize;
        for byte in rest.iter_mut() {
            let dividend = remainder << 8 | usize::from(*byte);
            *byte = (dividend / 62).to_le_bytes()[0];
            remainder = dividend % 62;
        }
        *place = ALPHABET[remainder];
    }
    text
}

fn digit(value: u32) -> char {
    char::from(ALPHABET[value as usize])
}

fn random<const N: usize>() -> [u8; N] {
    let mut drawn = [0; N];
    SystemRandom::new()
        .fill(&mut drawn)
        .expect("the random source aborts rather than fail");
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_and_the_greatest_number_fill_the_width() {
        assert_eq!(&written(&[0; 32])[..], &[b'0'; SECRET_CHARS]);
        let mut one = [0; 32];
        one[31] = 1;
        assert_eq!(written(&one)[SECRET_CHARS - 1], b'1');
        one[31] = 62;
        assert_eq!(&written(&one)[SECRET_CHARS - 2..], b"10");
        // Computed by another program.
        assert_eq!(
            written(&[255; 32])[..],
            *b"yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1"
        );
    }

    #[test]
    fn every_bit_of_the_number_is_in_the_text() {
        let zero = written(&[0; 32]);
        for bit in 0..256 {
            let mut number = [0_u8; 32];
            number[bit / 8] = 1 << (bit % 8);
            let text = written(&number);
            assert_ne!(text[..], zero[..]);
            let read = text.iter().fold([0_u8; 32], |sum, byte| {
                let value = ALPHABET.iter().position(|letter| letter == byte).unwrap();
                times_62_plus(sum, value)
            });
            assert_eq!(read, number);
        }
    }

    #[test]
    fn key_ids_use_the_whole_alphabet() {
        let seen: std::collections::BTreeSet<char> = (0..200)
            .flat_map(|_| key_id().chars().collect::<Vec<_>>())
            .collect();
        assert_eq!(seen.len(), 62);
    }

    fn times_62_plus(number: [u8; 32], value: usize) -> [u8; 32] {
        let mut carry = value;
        let mut product = number;
        for byte in product.iter_mut().rev() {
            let sum = usize::from(*byte) * 62 + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        product
    }
}
