//! A request: read from this dialect, and written in it for one model.

mod read;
mod messages;
mod write;

pub use self::{read::decode, write::encode};
pub use crate::converse::target::Target;
