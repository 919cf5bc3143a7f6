//! Words that a text holds as values of certain members, at any depth: noted in passing, while the text is read.
//!
//! Knows names and words; must never know what they mean. What is written with escapes is not noted.

/// Which words, under which names.
#[derive(Debug, Clone, Copy)]
pub struct Sought {
    /// The names of the members.
    pub names: &'static [&'static str],
    /// The words, of which the first is the lowest bit. One that ends with `*` stands for all that begin so.
    // Full: what is behind the 32nd is never found.
    pub words: &'static [&'static str],
}

// === impl Sought ===

impl Sought {
    /// Nothing.
    pub const NOTHING: Self = Self {
        names: &[],
        words: &[],
    };

    /// Whether the value of a member of this name, its quotes cut off, is looked at.
    pub(crate) fn is_under(&self, name: &[u8]) -> bool {
        self.names.iter().any(|it| it.as_bytes() == name)
    }

    /// The bits of the words that a string is, its quotes cut off.
    pub(crate) fn bits(&self, string: &[u8]) -> u32 {
        let is = |word: &str| match word.strip_suffix('*') {
            Some(start) => string.starts_with(start.as_bytes()),
            None => string == word.as_bytes(),
        };
        let words = (0..u32::BITS).zip(self.words);
        words.fold(0, |bits, (at, word)| bits | u32::from(is(word)) << at)
    }
}
