//! Provider wire formats. Bytes in, bytes out. No I/O.
//!
//! Owns what a provider's request, answer, stream and error look like on the wire, and what may be changed in
//! them. Must never know sockets, policy or time. What it is not asked to change, it gives back byte for byte.

mod tokens;
pub mod scalar;
pub mod json;
pub mod estimate;
pub mod sse;
pub mod openai;

pub use tokens::Tokens;
