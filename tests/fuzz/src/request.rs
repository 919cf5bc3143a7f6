//! Requests of clients: refused by name, or written for every family as JSON.

use dialect::{
    crossing::{self, Refused},
    neutral::Family,
};

use crate::pair::{asked, is_object, seed, target};

/// A request of a family, for every other and for its own.
pub fn check(family: Family, how: u8, text: &str) {
    let asked = asked(family, how);
    for provider in Family::ALL {
        match crossing::cross(&asked, text, &target(provider, how), seed()) {
            Ok(crossed) => {
                let said = String::from_utf8_lossy(&crossed.body);
                assert!(is_object(&crossed.body), "{family} to {provider}: {said}");
                let asked = crossing::Asked {
                    family: provider,
                    ..asked
                };
                let again = crossing::read(&asked, &said).err();
                assert_eq!(again, None, "{family} to {provider}: {said}");
            }
            Err(Refused::Unsupported(why)) => assert!(!why.at.is_empty(), "{why}"),
            Err(Refused::Misfit(why)) => assert!(!why.wants.is_empty()),
        }
        // Whoever can count is asked, too.
        let _ = crossing::cross_count(&asked, text, &target(provider, how), seed());
    }
}
