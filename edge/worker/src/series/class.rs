//! The classes of statuses, as labels.
//!
//! A closed set; knows numbers and words.

/// The classes, `gone` being a client that left before the head of its answer.
pub const CLASSES: [&str; 4] = ["2xx", "4xx", "5xx", "gone"];

/// The place of `gone` in [`CLASSES`].
pub const GONE: usize = 3;

/// The class of a status, as a place in [`CLASSES`]; zero is no status.
pub const fn class(status: u16) -> usize {
    match status {
        0 => GONE,
        1..400 => 0,
        400..500 => 1,
        _ => 2,
    }
}
