//! Which error a client gets of what was to be passed through and was not.
//!
//! Knows refusals; knows nothing of how they are written.

use crate::{call::upload::Stopped, request::passing, respond::errors};

/// What is wrong with a request that is to be passed through, and with which part of it.
pub const fn of_passing(refused: passing::Refused) -> (errors::Documented, Option<&'static str>) {
    use passing::Refused::{
        Handshake, KeyInQuery, Method, Model, Path, Preferences, Tags, Unsafe, UpgradeRequired,
    };
    let error = match refused {
        Path => errors::UNKNOWN_PATH,
        Unsafe => errors::UNSAFE_PATH,
        Method(_) => errors::METHOD_NOT_ALLOWED,
        KeyInQuery => errors::KEY_IN_QUERY,
        Model => return (errors::INVALID_MODEL, Some("model")),
        Tags => return (errors::INVALID_TAGS, Some("x-sluice-tags")),
        Preferences => {
            return (errors::INVALID_PREFERENCES, Some("x-sluice-preferences"));
        }
        UpgradeRequired => errors::UPGRADE_REQUIRED,
        Handshake(_) => errors::INVALID_HANDSHAKE,
    };
    (error, None)
}

/// Why a body was not passed on to its end.
pub const fn of_upload(why: Stopped) -> (errors::Documented, &'static str) {
    match why {
        Stopped::TooLarge(_) => (
            errors::BODY_TOO_LARGE,
            "The body is longer than what may be passed through.",
        ),
        Stopped::Slow => (errors::BODY_TIMEOUT, "The body did not come in time."),
        Stopped::Broken => (errors::BODY_BROKEN, "The body broke off."),
    }
}
