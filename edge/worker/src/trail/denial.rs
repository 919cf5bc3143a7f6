//! By which rule somebody was denied, in a word: the code that the client gets, save that a model which there is, and which the key may
//! not use, is told apart from one that there is not.
//!
//! Knows refusals. What nobody was denied by, such as a limit that is full or a model that cannot serve, has no word here.

use crate::{authorize, identify, route};

/// The word for a model that there is, and which the key may not use. Clients are not told the difference.
pub const MODEL_FORBIDDEN: &str = "model_forbidden";

/// The word for what may not be passed through.
pub const CLOSED: &str = "passthrough_not_allowed";

/// Why a key that was proved opens nothing.
pub const fn of_key(why: identify::Refusal) -> Option<&'static str> {
    match why {
        identify::Refusal::Disabled => Some("api_key_disabled"),
        identify::Refusal::Expired => Some("api_key_expired"),
        identify::Refusal::Replaced => Some("api_key_rotated"),
        identify::Refusal::TooOld => Some("api_key_too_old"),
        // It is not known whose it is; or policy is not all here yet.
        identify::Refusal::NoKey
        | identify::Refusal::NoCertificate
        | identify::Refusal::Certificate(_)
        | identify::Refusal::Unknown
        | identify::Refusal::Revoked
        | identify::Refusal::Token(_)
        | identify::Refusal::Dangling(_) => None,
    }
}

/// Why a caller may not; `exists` says whether there is a model of this name.
pub fn of_caller(
    why: &authorize::Refusal,
    exists: impl FnOnce(&str) -> bool,
) -> Option<&'static str> {
    match why {
        authorize::Refusal::Model(name) if exists(name) => Some(MODEL_FORBIDDEN),
        authorize::Refusal::Model(_) => Some("model_not_found"),
        authorize::Refusal::Endpoint => Some("api_key_endpoint_forbidden"),
        authorize::Refusal::Address => Some("api_key_address_forbidden"),
        authorize::Refusal::Provider => Some("api_key_provider_forbidden"),
        authorize::Refusal::Preference(_) => Some("preference_forbidden"),
        authorize::Refusal::TooLarge { .. } => Some("request_too_many_tokens"),
        // So it is for everybody.
        authorize::Refusal::Retired { .. } => None,
    }
}

/// Why there is nowhere to go that the caller may go.
pub const fn of_way(why: &route::Refusal) -> Option<&'static str> {
    match why {
        route::Refusal::Forbidden => Some("api_key_provider_forbidden"),
        route::Refusal::DataPolicy => Some("data_policy_unmet"),
        route::Refusal::Missing(_) | route::Refusal::Unmet | route::Refusal::Unable(_) => None,
    }
}
