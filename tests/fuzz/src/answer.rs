//! Whole answers of providers: an error, or JSON for every client.

use dialect::{crossing::watch, neutral::Family};

use crate::pair::{CLIENTS, back, is_object};

/// An answer of a family, for every client.
pub fn check(family: Family, how: u8, body: &[u8]) {
    let passed = watch::tokens_of_answer(family, body);
    for client in CLIENTS {
        let Some(back) = back(client, family, how) else {
            continue;
        };
        match back.whole(body, true) {
            Ok(whole) => {
                let said = String::from_utf8_lossy(&whole.body);
                assert!(is_object(&whole.body), "{family} to {client}: {said}");
                assert_eq!(whole.tokens, passed, "{family} to {client}");
            }
            Err(why) => assert!(!why.message.is_empty()),
        }
    }
}
