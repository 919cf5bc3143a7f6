//! Ids: `UUIDv7`s drawn here, so that rows of one time lie together.

use uuid::Uuid;

/// A new id, never drawn before.
pub fn draw() -> [u8; 16] {
    Uuid::now_v7().into_bytes()
}

/// As the database has it.
pub(crate) const fn uuid(id: [u8; 16]) -> Uuid {
    Uuid::from_bytes(id)
}
