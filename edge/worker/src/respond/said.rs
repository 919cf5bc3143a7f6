//! What is said about a refusal: which documented error it is, a sentence, and what of the request it is about.
//!
//! Knows every stage's refusals and failures. No message holds what the client sent, save the model's name, nor anything
//! that a provider said.

use std::borrow::Cow;

use claims::check;
use dialect::{crossing, request::Refused};
use payload::jq::Fault;

use crate::{
    admit::hold,
    authorize,
    call::failure::Failure,
    identify, own,
    pipeline::Refusal,
    request,
    respond::{
        errors,
        unable::of_unable,
        unmodelled::{of_passing, of_upload},
    },
    route, transform, translate,
};

/// The longest model name that is repeated in a message, in bytes.
// Full: the message does without it.
const MODEL_BYTES_SHOWN: usize = 128;

/// An error, and what is said about this one.
pub struct Said {
    /// Which of the documented ones.
    pub error: errors::Documented,
    /// A sentence for people.
    pub message: String,
    /// What of the request it is about.
    pub param: Option<Cow<'static, str>>,
}

/// What is said about a refusal.
pub fn say(refusal: &Refusal) -> Said {
    match refusal {
        Refusal::Request(refusal) => {
            let (error, param) = of_request(refusal);
            Said {
                error,
                message: sentence(refusal),
                param: param.map(Cow::Borrowed),
            }
        }
        Refusal::Identify(refusal) => Said {
            error: of_identify(*refusal),
            message: sentence(refusal),
            param: None,
        },
        Refusal::Authorize(refusal) => of_authorize(refusal),
        Refusal::Own(refusal) => {
            let (error, param) = of_own(refusal);
            Said {
                error,
                message: sentence(refusal),
                param: param.map(Cow::Borrowed),
            }
        }
        Refusal::Closed(closed) => Said {
            error: errors::PASSTHROUGH_CLOSED,
            message: sentence(closed),
            param: None,
        },
        Refusal::Route(route::Refusal::Unable(unable)) => {
            let (error, message, param) = of_unable(unable);
            Said {
                error,
                message,
                param: Some(Cow::Borrowed(param)),
            }
        }
        Refusal::Route(refusal) => Said {
            error: match refusal {
                route::Refusal::Missing(_) => errors::DANGLING,
                route::Refusal::Forbidden => errors::KEY_PROVIDER,
                route::Refusal::DataPolicy => errors::DATA_POLICY,
                route::Refusal::Unmet | route::Refusal::Unable(_) => errors::PREFERENCES_UNMET,
            },
            message: sentence(refusal),
            param: None,
        },
        Refusal::Transform(refusal) => of_transform(refusal),
        Refusal::Version => Said {
            error: errors::VERSION_NOT_SERVED,
            message: "This version does not serve now; leave it out of the path.".to_owned(),
            param: None,
        },
        Refusal::Admit(refusal) => of_admit(refusal),
        Refusal::Call(unanswered) => match &unanswered.failure {
            Failure::NoRoom(refusal) => of_admit(refusal),
            Failure::Untranslatable(refusal) => of_translate(refusal),
            failure => {
                let (error, message) = of_call(failure);
                Said {
                    error,
                    message: message.to_owned(),
                    param: None,
                }
            }
        },
    }
}

const fn of_request(refusal: &request::Refusal) -> (errors::Documented, Option<&'static str>) {
    use request::Refusal::{
        Body, Broken, Encoded, Full, KeyInQuery, NoRealtime, NotJson, Page, Passing, Preferences,
        Priority, Slow, Tags, Tensors, TooLarge, TransferCoding, UnknownPath, WrongMethod,
    };
    let error = match refusal {
        UnknownPath => errors::UNKNOWN_PATH,
        NoRealtime => errors::UNSUPPORTED_ENDPOINT,
        Tags => return (errors::INVALID_TAGS, Some("x-sluice-tags")),
        Preferences(unclear) => return (errors::INVALID_PREFERENCES, Some(unclear.member)),
        Page(name) => return (errors::INVALID_QUERY, Some(*name)),
        Passing(refused) => return of_passing(*refused),
        WrongMethod(_) => errors::METHOD_NOT_ALLOWED,
        KeyInQuery => errors::KEY_IN_QUERY,
        TransferCoding => errors::TRANSFER_CODING,
        Encoded => errors::CONTENT_ENCODING,
        NotJson => errors::CONTENT_TYPE,
        TooLarge(_) => errors::BODY_TOO_LARGE,
        Slow => errors::BODY_TIMEOUT,
        Broken => errors::BODY_BROKEN,
        Full => errors::OVERLOADED,
        Priority => return (errors::INVALID_PRIORITY, Some("x-sluice-priority")),
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

const fn of_identify(refusal: identify::Refusal) -> errors::Documented {
    match refusal {
        identify::Refusal::NoKey | identify::Refusal::NoCertificate => errors::MISSING_KEY,
        identify::Refusal::Unknown => errors::INVALID_KEY,
        identify::Refusal::Revoked => errors::REVOKED_KEY,
        identify::Refusal::Expired => errors::EXPIRED_KEY,
        identify::Refusal::Disabled => errors::DISABLED_KEY,
        identify::Refusal::Replaced => errors::ROTATED_KEY,
        identify::Refusal::TooOld => errors::TOO_OLD_KEY,
        identify::Refusal::Dangling(_) => errors::DANGLING,
        identify::Refusal::Token(refusal) => of_token(refusal),
        identify::Refusal::Certificate(refusal) => of_certificate(refusal),
    }
}

const fn of_certificate(refusal: identify::certificate::Refusal) -> errors::Documented {
    use identify::certificate::Refusal::{
        Expired, Nameless, Revoked, Stranger, Unmapped, Unusable,
    };
    match refusal {
        Stranger => errors::CERTIFICATE_STRANGER,
        Expired => errors::CERTIFICATE_EXPIRED,
        Revoked => errors::CERTIFICATE_REVOKED,
        Nameless => errors::CERTIFICATE_NAMELESS,
        Unmapped(_) => errors::CERTIFICATE_NOT_MAPPED,
        Unusable => errors::TOKEN_UNCHECKED,
    }
}

const fn of_token(refusal: identify::token::Refusal) -> errors::Documented {
    use identify::token::Refusal::{
        Away, Issuer, Malformed, NoKeys, Unasked, UnknownKey, Unmapped, Unproved, Unshown, Unusable,
    };
    match refusal {
        Issuer => errors::TOKEN_ISSUER,
        NoKeys(_) | Unasked | Away | Unusable => errors::TOKEN_UNCHECKED,
        UnknownKey(_) | Unproved(check::Unproved::UnknownKey) => errors::TOKEN_KEY,
        Unproved(check::Unproved::Inactive) => errors::TOKEN_INACTIVE,
        Unproved(check::Unproved::Audience) => errors::TOKEN_AUDIENCE,
        Unproved(check::Unproved::Expired) => errors::TOKEN_EXPIRED,
        Unproved(check::Unproved::NotYet) => errors::TOKEN_NOT_YET,
        Unshown => errors::TOKEN_CERTIFICATE,
        Malformed | Unproved(_) => errors::INVALID_TOKEN,
        Unmapped(_) => errors::TOKEN_NOT_MAPPED,
    }
}

fn of_own(refusal: &own::Refusal) -> (errors::Documented, Option<&'static str>) {
    let error = match refusal {
        own::Refusal::Body(why) => return of_request(why),
        own::Refusal::Unfit(why) => {
            let member = Some(why.member).filter(|it| !it.is_empty());
            return (errors::INVALID_FEEDBACK, member);
        }
        own::Refusal::Stands => return (errors::FEEDBACK_STANDS, Some("score")),
        own::Refusal::Full => return (errors::FEEDBACK_FULL, Some("name")),
        own::Refusal::Identify(why) => of_identify(*why),
        own::Refusal::Address => errors::KEY_ADDRESS,
        own::Refusal::Unknown => errors::REQUEST_UNKNOWN,
        own::Refusal::NotYet => errors::REQUEST_NOT_YET,
        own::Refusal::Away => errors::USAGE_UNAVAILABLE,
        own::Refusal::Busy => errors::OVERLOADED,
    };
    (error, None)
}

/// What the caller may not is told without what others may; of a model its own word for it is repeated.
fn of_authorize(refusal: &authorize::Refusal) -> Said {
    use authorize::Refusal::{Address, Endpoint, Model, Preference, Provider, Retired, TooLarge};
    let (error, param) = match refusal {
        Model(_) => (errors::MODEL_NOT_FOUND, Some(Cow::Borrowed("model"))),
        Retired { .. } => (errors::MODEL_RETIRED, Some(Cow::Borrowed("model"))),
        Endpoint => (errors::KEY_ENDPOINT, None),
        Address => (errors::KEY_ADDRESS, None),
        Provider => (errors::KEY_PROVIDER, None),
        Preference(name) => (errors::PREFERENCE_FORBIDDEN, Some(Cow::Borrowed(*name))),
        TooLarge { .. } => (errors::KEY_TOKENS, None),
    };
    let message = match refusal {
        Model(name) if name.len() <= MODEL_BYTES_SHOWN => {
            format!("The model `{name}` does not exist, or the key may not use it.")
        }
        refusal => sentence(refusal),
    };
    Said {
        error,
        message,
        param,
    }
}

/// What is used up is waited for; what nobody can tell is not the client's doing.
fn of_admit(refusal: &hold::Refusal) -> Said {
    Said {
        error: match refusal.why {
            hold::Why::UsedUp if refusal.is_of_slots() => errors::TOO_MANY_AT_ONCE,
            hold::Why::UsedUp if refusal.is_of_money() => errors::BUDGET_USED_UP,
            hold::Why::UsedUp => errors::RATE_LIMITED,
            hold::Why::Unknown => errors::LIMIT_UNKNOWN,
            hold::Why::Unpriced => errors::PRICE_UNKNOWN,
            hold::Why::Unbounded => errors::OUTPUT_UNBOUNDED,
            hold::Why::Elsewhere => errors::LIMIT_ELSEWHERE,
        },
        message: sentence(refusal),
        param: None,
    }
}

/// What the rules of a version could not take is the client's to mend, and it is told where; the rest is ours.
fn of_transform(refusal: &transform::Refusal) -> Said {
    let (error, param) = match refusal {
        transform::Refusal::Misfit(misfit) => (errors::INVALID_BODY, misfit.at.clone()),
        transform::Refusal::TooLong => (errors::BODY_TOO_LARGE, String::new()),
        transform::Refusal::Full => (errors::OVERLOADED, String::new()),
        transform::Refusal::Failed => (errors::TRANSFORM_FAILED, String::new()),
    };
    Said {
        error,
        message: sentence(refusal),
        param: (!param.is_empty()).then_some(Cow::Owned(param)),
    }
}

/// What cannot be said to a provider is the client's to mend, and it is told where.
fn of_translate(refusal: &translate::Refusal) -> Said {
    let (error, param) = match refusal {
        translate::Refusal::Endpoint => (errors::UNSUPPORTED_ENDPOINT, None),
        // These three are about the body, all others about the program.
        translate::Refusal::Program(Fault::Raised(_) | Fault::NotJson(_) | Fault::InputTooLong) => {
            (errors::UNMAPPABLE, None)
        }
        translate::Refusal::Program(_) => (errors::MAPPING_FAILED, None),
        translate::Refusal::Parameters(dropped) => {
            (errors::UNSUPPORTED, dropped.paths().first().cloned())
        }
        translate::Refusal::Crossing(crossing::Refused::Misfit(misfit)) => {
            (errors::INVALID_BODY, Some(misfit.at.clone()))
        }
        translate::Refusal::Crossing(crossing::Refused::Unsupported(unsupported)) => {
            (errors::UNSUPPORTED, Some(unsupported.at.clone()))
        }
    };
    Said {
        error,
        message: sentence(refusal),
        param: param.filter(|at| !at.is_empty()).map(Cow::Owned),
    }
}

/// What a client hears of a provider's failure: never a name, an address or what the provider said. The
/// operator finds those in the log.
fn of_call(failure: &Failure) -> (errors::Documented, &'static str) {
    if failure.is_forbidden_address() {
        return (
            errors::ADDRESS_FORBIDDEN,
            "The provider's address may not be called from here.",
        );
    }
    match failure {
        Failure::NoToken(why) if why.is_refusal() => (
            errors::IDENTITY_REFUSED,
            "The issuer of the gateway's token refused the gateway's credential, not your key.",
        ),
        Failure::NoToken(why) if !why.is_misconfigured() => (
            errors::IDENTITY_UNAVAILABLE,
            "The issuer of the gateway's token for this provider gives none now.",
        ),
        Failure::Misconfigured(_) | Failure::NoToken(_) => (
            errors::MISCONFIGURED,
            "The provider of this model is not set up completely.",
        ),
        Failure::Unreachable(_) => (errors::UNREACHABLE, "The provider cannot be reached."),
        Failure::Unreadable | Failure::Untranslatable(_) | Failure::NoRoom(_) => {
            (errors::UNREADABLE, "The provider's answer cannot be read.")
        }
        Failure::Busy(_) => (
            errors::PROVIDER_BUSY,
            "The provider of this model takes no more requests now; come back later.",
        ),
        Failure::Unmapped(_) => (
            errors::MAPPING_FAILED,
            "The programs of this model make no answer of what its provider answered.",
        ),
        Failure::Broken => (errors::BROKEN, "The provider broke off before it answered."),
        Failure::Slow => (errors::TIMEOUT, "The provider did not answer in time."),
        // A provider's error that is not about our credential was answered before.
        Failure::CredentialRefused(_) | Failure::Reported(_) => (
            errors::AUTH_FAILED,
            "The provider refused the gateway's credential, not your key.",
        ),
        Failure::Upload(why) => of_upload(*why),
        Failure::Unexpected(_) => (
            errors::UNEXPECTED,
            "The provider answered with a status that is no answer.",
        ),
    }
}

/// An error's text as a sentence for people.
fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text.push('.');
    text
}
