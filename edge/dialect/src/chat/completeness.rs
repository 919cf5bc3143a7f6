//! Whether the arguments of a call that come in pieces are whole.
//!
//! Counts brackets and keeps no bytes. Must never be asked whether they are right: only whether they may have ended.

/// Follows one JSON text that begins with a bracket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Completeness {
    depth: u32,
    in_string: bool,
    escaped: bool,
    whole: bool,
}

// === impl Completeness ===

impl Completeness {
    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// Whether the bracket that came first has been closed.
    pub(crate) const fn is_whole(self) -> bool {
        self.whole
    }
}
