//! Token counts guessed from sizes: what to reserve before a request, and what to settle when a provider is silent.
//!
//! Knows nothing of tokenizers or wire formats. A guess is never zero for text that is not empty, because
//! missing usage must never be free.

use payload::json::Embedded;

/// What one image, sound or file counts that stands in a body as a `data:` URL: about what providers make of a
/// picture of a megapixel. Its bytes say nothing: the same picture has a hundred thousand of them or a million.
pub const EMBEDDED_TOKENS: u64 = 1_000;

/// Input tokens of a request body of this many bytes, in which `embedded` stands that is no text.
pub const fn request_tokens(body_bytes: usize, embedded: Embedded) -> u64 {
    input_tokens(body_bytes.saturating_sub(embedded.bytes))
        .saturating_add(embedded.count.saturating_mul(EMBEDDED_TOKENS))
}

/// The input tokens that a request body of this many bytes has at the very least in practice: one for six bytes of its text, and none for
/// what is embedded.
pub const fn request_tokens_least(body_bytes: usize, embedded: Embedded) -> u64 {
    (body_bytes.saturating_sub(embedded.bytes) as u64) / 6
}

/// Input tokens of this many bytes of text: a third of them, and 15 % more, rounded up. Prose has
/// about four bytes to a token, code and scripts beyond Latin fewer.
pub const fn input_tokens(body_bytes: usize) -> u64 {
    (body_bytes as u64).saturating_mul(115).div_ceil(300)
}

/// Output tokens of this many bytes of generated text: a third of them, rounded up.
pub const fn output_tokens(text_bytes: u64) -> u64 {
    text_bytes.div_ceil(3)
}

/// The most bytes of generated text that are guessed to be so many tokens.
pub const fn output_bytes_most(tokens: u64) -> u64 {
    tokens.saturating_mul(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_rounds_up_and_only_nothing_is_free() {
        assert_eq!(
            [input_tokens(0), input_tokens(1), input_tokens(3)],
            [0, 1, 2]
        );
        assert_eq!(input_tokens(3_000), 1_150);
        assert_eq!(
            [output_tokens(0), output_tokens(1), output_tokens(3)],
            [0, 1, 1]
        );
        assert!(input_tokens(usize::MAX) > 0);
        let most = output_bytes_most(7);
        assert_eq!([output_tokens(most), output_tokens(most + 1)], [7, 8]);
    }
}
