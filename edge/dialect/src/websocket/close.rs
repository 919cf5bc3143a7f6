//! The frame that ends a socket: why, in a number and a few words.
//!
//! Knows how it is written and read; which number means what stands with whoever sends it.

use crate::websocket::frame::Sender;

/// The longest reason, in bytes.
// Full: it is cut off, between characters.
const REASON_BYTES_MAX: usize = 123;

/// A whole close frame. A client's is masked with these bytes.
pub fn write(sender: Sender, mask: [u8; 4], code: u16, reason: &str) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    // At most 125, so it fits.
    let length = u8::try_from(2 + reason.len()).unwrap_or(2);
    let mut frame = vec![0x88];
    let payload = code.to_be_bytes().into_iter().chain(reason.bytes());
    match sender {
        Sender::Server => {
            frame.push(length);
            frame.extend(payload);
        }
        Sender::Client => {
            frame.push(length | 0x80);
            frame.extend(mask);
            frame.extend(payload.zip(mask.into_iter().cycle()).map(|(a, b)| a ^ b));
        }
    }
    frame
}

/// The number in a close frame's payload; 1005, which nobody sends, where there is none.
pub fn code(payload: &[u8]) -> u16 {
    match payload {
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 1_005,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::frame::{Kind, Reader};

    #[test]
    fn what_is_written_is_read() {
        for sender in [Sender::Client, Sender::Server] {
            let long = "ü".repeat(200);
            let frame = write(sender, [1, 2, 3, 4], 1_012, &long);
            let (mut reader, mut payload) = (Reader::new(sender, 0), Vec::new());
            reader
                .push(&frame, |piece| {
                    assert_eq!((piece.kind, piece.last), (Kind::Close, true));
                    piece.append_to(&mut payload, usize::MAX);
                })
                .unwrap();
            assert!(reader.is_closed());
            assert_eq!(code(&payload), 1_012);
            assert_eq!(str::from_utf8(&payload[2..]), Ok("ü".repeat(61).as_str()));
        }
        assert_eq!(code(b""), 1_005);
    }
}
