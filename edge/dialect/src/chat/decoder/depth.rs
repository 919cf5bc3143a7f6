//! Whether a text of JSON that comes in pieces is whole.
//!
//! Knows brackets and strings alone, a few bytes. Must never keep the text.

/// Where a text stands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Depth {
    open: u32,
    begun: bool,
    string: bool,
    escaped: bool,
}

// === impl Depth ===

impl Depth {
    /// Takes a piece.
    pub(crate) fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if self.string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => {
                    self.begun = true;
                    self.open = self.open.saturating_add(1);
                }
                b'}' | b']' => self.open = self.open.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether all that was opened is closed.
    pub(crate) const fn is_whole(self) -> bool {
        self.begun && self.open == 0 && !self.string
    }
}
