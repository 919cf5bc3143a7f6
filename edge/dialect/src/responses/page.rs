//! What a request is written on: the text that grows, what was left out of it, and for whom it is.

use payload::writer::Writer;

use crate::{
    neutral::{Dropped, Unsupported},
    responses::target::Target,
};

/// A request that is being written.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// The text.
    pub(crate) writer: Writer,
    /// What was left out.
    pub(crate) dropped: Dropped,
    /// For whom.
    pub(crate) target: &'a Target<'a>,
}

/// What this API cannot be asked, and why.
pub(crate) fn unsupported(at: impl Into<String>, why: &str) -> Unsupported {
    Unsupported {
        at: at.into(),
        why: why.to_owned(),
    }
}
