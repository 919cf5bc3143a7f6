//! Errors of providers: always one that can be said, to every client.

use dialect::{
    crossing,
    neutral::{Error, Family},
};

use crate::pair::{CLIENTS, is_object};

/// An error of a family, for every client: its body alone, and with its first line as the name that stands beside it.
pub fn check(family: Family, status: u16, body: &[u8]) {
    let name = str::from_utf8(body)
        .ok()
        .and_then(|text| text.lines().next());
    for name in [None, name] {
        said_to_all(family, &crossing::read_error(family, status, name, body));
    }
}

fn said_to_all(family: Family, error: &Error) {
    assert!(!error.message.is_empty(), "an error without words");
    for client in CLIENTS {
        let said = crossing::error_body(client, error);
        let text = String::from_utf8_lossy(&said);
        assert!(is_object(&said), "{family} to {client}: {text}");
        let event = crossing::error_event(client, error);
        assert!(!event.is_empty(), "{family} to {client}");
    }
}
