//! Which documented error a refusal of the first stages is.
//!
//! Knows refusals and errors; knows nothing of the wire.

use dialect::request::Refused;

use crate::{
    identify,
    request::{self, passing},
    respond::errors,
};

/// What is wrong with a request, and the parameter that it is about.
pub const fn of_request(refusal: &request::Refusal) -> (errors::Documented, Option<&'static str>) {
    use request::Refusal::{
        Body, Broken, Encoded, Full, KeyInQuery, NoRealtime, NotJson, Page, Passing, Slow, Tensors,
        TooLarge, UnknownPath, WrongMethod,
    };
    let error = match refusal {
        UnknownPath => errors::UNKNOWN_PATH,
        NoRealtime => errors::UNSUPPORTED_ENDPOINT,
        Page(name) => return (errors::INVALID_QUERY, Some(*name)),
        Passing(refused) => return of_passing(*refused),
        WrongMethod(_) => errors::METHOD_NOT_ALLOWED,
        KeyInQuery => errors::KEY_IN_QUERY,
        Encoded => errors::CONTENT_ENCODING,
        NotJson => errors::CONTENT_TYPE,
        TooLarge(_) => errors::BODY_TOO_LARGE,
        Slow => errors::BODY_TIMEOUT,
        Broken => errors::BODY_BROKEN,
        Full => errors::OVERLOADED,
        Body(Refused::NotJson(_) | Refused::NotJsonValue(_)) | Tensors(_) => errors::INVALID_BODY,
        Body(Refused::ModelMissing | Refused::ModelNotText) => {
            return (errors::INVALID_MODEL, Some("model"));
        }
        Body(Refused::Duplicate(name) | Refused::Lookalike(name)) => {
            return (errors::AMBIGUOUS_MEMBER, Some(*name));
        }
    };
    (error, None)
}

const fn of_passing(refused: passing::Refused) -> (errors::Documented, Option<&'static str>) {
    use passing::Refused::{Handshake, KeyInQuery, Method, Model, Path, Unsafe, UpgradeRequired};
    let error = match refused {
        Path => errors::UNKNOWN_PATH,
        Unsafe => errors::UNSAFE_PATH,
        Method(_) => errors::METHOD_NOT_ALLOWED,
        KeyInQuery => errors::KEY_IN_QUERY,
        Model => return (errors::INVALID_MODEL, Some("model")),
        UpgradeRequired => errors::UPGRADE_REQUIRED,
        Handshake(_) => errors::INVALID_HANDSHAKE,
    };
    (error, None)
}

/// Why nobody was identified.
pub const fn of_identify(refusal: identify::Refusal) -> errors::Documented {
    match refusal {
        identify::Refusal::NoKey => errors::MISSING_KEY,
        identify::Refusal::Unknown => errors::INVALID_KEY,
        identify::Refusal::Revoked => errors::REVOKED_KEY,
        identify::Refusal::Expired => errors::EXPIRED_KEY,
        identify::Refusal::Dangling(_) => errors::DANGLING,
    }
}
