//! Whole frames out of bytes that come in any pieces.
//!
//! Keeps what has come of the frame that is open, at most [`FRAME_BYTES_MAX`](crate::aws::event_stream::FRAME_BYTES_MAX)
//! bytes, and no more: a length that a frame claims takes no memory before its bytes are there.

use crate::aws::event_stream::frame::{self, Fault, Frame};

/// Puts frames together.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Vec<u8>,
    failed: Option<Fault>,
}

// === impl Decoder ===

impl Decoder {
    /// Takes what came, and gives every frame that is now whole to `each`. A fault is final: behind it nobody knows
    /// where a frame begins.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&Frame<'_>)) -> Result<(), Fault> {
        if let Some(fault) = self.failed {
            return Err(fault);
        }
        let pushed = self.take(bytes, &mut each);
        if let Err(fault) = pushed {
            self.partial = Vec::new();
            self.failed = Some(fault);
        }
        pushed
    }

    /// No more comes.
    pub fn finish(&self) -> Result<(), Fault> {
        match self.failed {
            Some(fault) => Err(fault),
            None if self.partial.is_empty() => Ok(()),
            None => Err(Fault::Cut),
        }
    }

    fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(&Frame<'_>)) -> Result<(), Fault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.partial.is_empty() {
                // A frame that came whole is read where it stands.
                let whole = frame::length(rest)?.and_then(|len| rest.split_at_checked(len));
                let Some((whole, behind)) = whole else {
                    self.partial.extend_from_slice(rest);
                    return Ok(());
                };
                each(&Frame::read(whole)?);
                rest = behind;
                continue;
            }
            let wanted = frame::length(&self.partial)?.unwrap_or(frame::PRELUDE_BYTES);
            let missing = wanted.saturating_sub(self.partial.len());
            let (piece, behind) = rest.split_at(missing.min(rest.len()));
            self.partial.extend_from_slice(piece);
            rest = behind;
            if frame::length(&self.partial)? == Some(self.partial.len()) {
                each(&Frame::read(&self.partial)?);
                self.partial.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::event_stream::{FRAME_BYTES_MAX, Value, write};

    fn two() -> Vec<u8> {
        let mut bytes = Vec::new();
        let headers = [(":event-type", Value::Text("a")), ("n", Value::Int(-7))];
        write(&mut bytes, &headers, b"{\"x\":1}").unwrap();
        write(&mut bytes, &[], b"").unwrap();
        bytes
    }

    #[test]
    fn frames_are_the_same_however_the_bytes_are_cut() {
        let bytes = two();
        for size in 1..=bytes.len() {
            let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
            for piece in bytes.chunks(size) {
                let each = |frame: &Frame<'_>| {
                    let kind = frame.text(":event-type").map(str::to_owned);
                    seen.push((kind, frame.headers.len(), frame.payload.to_vec()));
                };
                decoder.push(piece, each).unwrap();
            }
            assert_eq!(decoder.finish(), Ok(()));
            let expected = [
                (Some("a".to_owned()), 2, b"{\"x\":1}".to_vec()),
                (None, 0, vec![]),
            ];
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }

    #[test]
    fn every_byte_is_under_a_checksum_and_a_fault_is_final() {
        let bytes = two();
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x10;
            let mut decoder = Decoder::default();
            let fault = decoder.push(&broken, |_| {}).unwrap_err();
            assert_eq!(decoder.push(&bytes, |_| panic!("a frame")), Err(fault));
            assert_eq!(decoder.finish(), Err(fault));
        }
    }

    #[test]
    fn a_cut_frame_is_told_and_a_long_one_refused_by_its_length() {
        let bytes = two();
        let mut decoder = Decoder::default();
        decoder.push(&bytes[..bytes.len() - 1], |_| {}).unwrap();
        assert_eq!(decoder.finish(), Err(Fault::Cut));

        let mut prelude = u32::try_from(FRAME_BYTES_MAX + 1)
            .unwrap()
            .to_be_bytes()
            .to_vec();
        prelude.extend([0; 4]);
        prelude.extend(crc32fast::hash(&prelude).to_be_bytes());
        assert_eq!(
            Decoder::default().push(&prelude, |_| {}),
            Err(Fault::TooLong)
        );
    }
}
