//! Moments as HTTP writes them in headers: the one form of RFC 9110, section 5.6.7, that is still made.
//!
//! Knows notation; knows nothing of which header says what.

use time::{
    OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem,
    macros::format_description,
};

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
const FORM: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// The moment that is written here.
pub fn read(text: &str) -> Option<OffsetDateTime> {
    let date = PrimitiveDateTime::parse(text, FORM).ok()?;
    Some(date.assume_utc())
}

/// A moment in seconds since 1970. None beyond the year 9999 can be written so.
pub fn written(seconds: u64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?);
    at.ok()?.format(FORM).ok()
}
