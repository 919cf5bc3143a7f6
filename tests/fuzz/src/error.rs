//! Errors of providers: always one that can be said, to every client.

use dialect::{crossing, neutral::Family};

use crate::pair::{CLIENTS, is_object};

/// An error of a family, for every client.
pub fn check(family: Family, status: u16, body: &[u8]) {
    let error = crossing::read_error(family, status, body);
    assert!(!error.message.is_empty(), "an error without words");
    for client in CLIENTS {
        let said = crossing::error_body(client, &error);
        let text = String::from_utf8_lossy(&said);
        assert!(is_object(&said), "{family} to {client}: {text}");
        let event = crossing::error_event(client, &error);
        assert!(!event.is_empty(), "{family} to {client}");
    }
}
