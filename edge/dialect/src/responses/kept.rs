//! What the last event of a client's stream repeats: the items that are whole, as they were written.
//!
//! Owns how much of an answer is kept for it. Must never know what an item says.

use payload::writer::Writer;

/// How long an answer may be, as it is written, in bytes: some millions of tokens. Full: the stream fails and its last
/// event repeats nothing, because a client could not trust an end that repeats a part.
pub(crate) const OUTPUT_BYTES_MAX: usize = 16 << 20;

/// The items so far.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// They stand here once, commas between them.
    items: Vec<u8>,
    count: u64,
    /// How much the item that is open will add, about.
    open_bytes: usize,
}

// === impl Kept ===

impl Kept {
    /// How many items there are, which is the number of the next one.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The item that is open goes on by `text`.
    pub(crate) fn goes_on(&mut self, text: &str) {
        let written = |byte: u8| match byte {
            b'"' | b'\\' => 2,
            0..0x20 => 6,
            _ => 1,
        };
        self.open_bytes += text.bytes().map(written).sum::<usize>();
    }

    /// Keeps what `write` writes, one item, and gives it as it was written.
    pub(crate) fn keep(&mut self, write: impl FnOnce(&mut Writer)) -> &str {
        if !self.items.is_empty() {
            self.items.push(b',');
        }
        let (start, mut writer) = (self.items.len(), Writer::default());
        write(&mut writer);
        self.items.append(&mut writer.into_bytes());
        self.count += 1;
        self.open_bytes = 0;
        text(self.items.get(start..))
    }

    /// All items, commas between them.
    pub(crate) fn items(&self) -> &str {
        text(Some(&self.items))
    }

    /// Whether there is more than [`OUTPUT_BYTES_MAX`].
    pub(crate) const fn is_full(&self) -> bool {
        self.items.len() + self.open_bytes > OUTPUT_BYTES_MAX
    }

    /// Lets go of everything.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn text(written: Option<&[u8]>) -> &str {
    str::from_utf8(written.unwrap_or_default()).unwrap_or_default()
}
