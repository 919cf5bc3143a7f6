//! WebSocket, as much of it as whoever stands between two ends must know: RFC 6455 without extensions.
//!
//! Bytes in, facts out. Nothing is rewritten, because what one end sends is what the other end gets.

pub mod handshake;
pub mod frame;
pub mod close;
