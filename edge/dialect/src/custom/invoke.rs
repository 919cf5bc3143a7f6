//! A request to `/models/{model}:invoke`: any JSON value.
//!
//! Reads nothing of it but that it is one. What it means is the program's that maps it.

use payload::json::{self, Fault};

use crate::request::{Refused, Scanned};

/// White space, as JSON knows it.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// The facts of a body for a model that stands in the path. Every byte of it is checked to be JSON.
pub fn scan(model: &str, body: &[u8]) -> Result<Scanned, Refused> {
    let mut scanned = Scanned::unread(model);
    let text = str::from_utf8(body).map_err(|error| Fault::Malformed {
        at: error.valid_up_to(),
    });
    let text = text.map_err(Refused::NotJsonValue)?;
    if text.trim_start_matches(SPACE).starts_with('{') {
        let walked = json::members_and_embedded(text, |_, _| Ok::<_, Fault>(()));
        (_, scanned.embedded) = walked.map_err(Refused::NotJsonValue)?;
        return Ok(scanned);
    }
    let place = json::value(text, 0).map_err(Refused::NotJsonValue)?;
    match text.get(place.end..).map(|rest| rest.trim_matches(SPACE)) {
        Some("") => Ok(scanned),
        _ => Err(Refused::NotJsonValue(Fault::Malformed { at: place.end })),
    }
}
