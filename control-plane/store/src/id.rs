//! Ids: `UUIDv7`s drawn here, so that rows of one time lie together.

use uuid::Uuid;

/// A new id, never drawn before.
pub fn draw() -> [u8; 16] {
    Uuid::now_v7().into_bytes()
}

/// When it was drawn, milliseconds since 1970: the first 48 bits of a `UUIDv7`.
pub(crate) fn drawn_ms(id: [u8; 16]) -> u64 {
    id.iter().take(6).fold(0, |ms, it| ms << 8 | u64::from(*it))
}

/// As the database has it.
pub(crate) const fn uuid(id: [u8; 16]) -> Uuid {
    Uuid::from_bytes(id)
}
