//! The only file that chooses gRPC codes.
//!
//! Names every way in which an admin call can be declined or fail, and what the caller is told: a sentence,
//! and `google.rpc` details that a program can read. What went wrong inside is logged here, once, under a
//! request id; the caller gets the id and nothing else of it.

use std::{collections::HashMap, time::Duration};

use claims::check::Unproved;
use domain::access::{Permission, Place};
use domain::violation::{Violation, Violations};
use store::{StoreError, id};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tracing::{error, warn};
use uuid::Uuid;

use crate::{
    authn::NotAuthenticated, crowd::Crowded, entrance::NotEntered, exchange::NotExchanged,
};

/// The domain of every `ErrorInfo`.
const DOMAIN: &str = "sluice";

/// When to come back while the database is away.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The most violations that are told by field. A status travels in headers, of which many clients take no more
/// than 8 KiB.
// Full: the rest is told after these are corrected.
const VIOLATIONS_MAX: usize = 24;

/// The most violations that the message itself names.
// Full: it says how many more there are.
const SENTENCES_MAX: usize = 4;

// === what was asked ===

/// Values are refused, each by the name of its field.
pub fn invalid(violations: Violations) -> Status {
    let violations = violations.into_vec();
    let mut details = reason("INVALID_ARGUMENT");
    for Violation { field, description } in violations.iter().take(VIOLATIONS_MAX) {
        details.add_bad_request_violation(field, description);
    }
    let told = violations
        .iter()
        .take(SENTENCES_MAX)
        .map(sentence)
        .collect::<Vec<_>>();
    let more = violations.len().saturating_sub(SENTENCES_MAX);
    let rest = if more == 0 {
        String::new()
    } else {
        format!("; and {more} more")
    };
    answer(Code::InvalidArgument, &(told.join("; ") + &rest), details)
}

/// One value is refused.
pub fn invalid_field(field: &str, description: &str) -> Status {
    let mut violations = Violations::new();
    violations.add(field, description);
    invalid(violations)
}

/// The id of an earlier call came with other content.
pub fn request_id_reused() -> Status {
    let description = "was used by another call with other content; take a new one";
    let mut details = reason("REQUEST_ID_REUSED");
    details.add_bad_request_violation("request_id", description);
    answer(
        Code::InvalidArgument,
        &format!("request_id: {description}"),
        details,
    )
}

/// The request carries a field that the contract does not know.
pub fn unknown_field(path: &str, number: u32) -> Status {
    let dot = if path.is_empty() { "" } else { "." };
    let description = format!("field number {number} is not known; the client may be newer");
    let mut details = reason("UNKNOWN_FIELD");
    details.add_bad_request_violation(format!("{path}{dot}{number}"), &description);
    let place = if path.is_empty() { "the request" } else { path };
    answer(
        Code::InvalidArgument,
        &format!("{place}: {description}"),
        details,
    )
}

/// The body is not one message of the method's request.
pub fn request_malformed() -> Status {
    let message = "the body is not one message of the method's request";
    answer(Code::InvalidArgument, message, reason("MALFORMED_REQUEST"))
}

/// The body is compressed, which is never needed here and hides how long it is.
pub fn request_compressed() -> Status {
    let message = "compressed requests are not taken; send the message uncompressed";
    answer(Code::Unimplemented, message, reason("COMPRESSED_REQUEST"))
}

/// The body is longer than any request is.
pub fn request_too_long() -> Status {
    let message = "the request is longer than 4 MiB, or than 16 KiB where no key is presented";
    answer(Code::ResourceExhausted, message, reason("REQUEST_TOO_LONG"))
}

/// The body ended before its end.
pub fn request_broken_off() -> Status {
    answer(
        Code::Cancelled,
        "the request broke off",
        reason("REQUEST_BROKEN_OFF"),
    )
}

// === who asked ===

/// The request has no actor.
pub fn not_authenticated(why: NotAuthenticated) -> Status {
    let message = why.to_string();
    let word = match why {
        NotAuthenticated::Nothing => "OPERATOR_KEY_MISSING",
        NotAuthenticated::NotAKey => "OPERATOR_KEY_MALFORMED",
        NotAuthenticated::UnknownKey => "OPERATOR_KEY_UNKNOWN",
        NotAuthenticated::Busy => {
            let mut details = reason("OPERATOR_KEY_UNCHECKED");
            details.set_retry_info(Some(RETRY_AFTER));
            return answer(Code::Unavailable, &message, details);
        }
        NotAuthenticated::Store(why) => return store(why),
    };
    answer(Code::Unauthenticated, &message, reason(word))
}

/// The actor is known and may not. Says what is needed and where, and nothing of whether that exists.
pub fn denied(needs: Option<(Permission, &Place)>) -> Status {
    let message = match needs {
        Some((permission, Place::Everywhere)) => format!(
            "this needs a role with `{}` that is bound to everything",
            permission.word()
        ),
        Some((permission, place)) => {
            format!("this needs a role with `{}` in {place}", permission.word())
        }
        None => "nobody may do this".to_owned(),
    };
    answer(
        Code::PermissionDenied,
        &message,
        reason("PERMISSION_DENIED"),
    )
}

/// The actor would give a role that they do not hold themselves.
pub fn cannot_give(role: &str, place: &Place) -> Status {
    let place = match place {
        Place::Everywhere => "everything".to_owned(),
        place => place.to_string(),
    };
    let message =
        format!("`{role}` over {place} is more than you hold there: an owner of it can give it");
    answer(Code::PermissionDenied, &message, reason("CANNOT_GIVE_ROLE"))
}

/// A token gets nothing in exchange.
pub fn not_exchanged(why: NotExchanged) -> Status {
    let message = why.to_string();
    let (code, word) = match why {
        NotExchanged::Crowded(Crowded::TooOften) => (Code::ResourceExhausted, "TOKENS_TOO_OFTEN"),
        NotExchanged::Full => (Code::ResourceExhausted, "TRUST_FULL"),
        NotExchanged::Crowded(Crowded::Busy) => (Code::Unavailable, "TOKEN_UNCHECKED"),
        NotExchanged::NoKeys(_) => (Code::Unavailable, "TOKEN_ISSUER_UNAVAILABLE"),
        NotExchanged::Malformed => (Code::Unauthenticated, "TOKEN_MALFORMED"),
        NotExchanged::NotTrusted => (Code::Unauthenticated, "TOKEN_NOT_TRUSTED"),
        NotExchanged::Unproved(Unproved::Expired) | NotExchanged::EndsLate => {
            (Code::Unauthenticated, "TOKEN_TIME_REFUSED")
        }
        NotExchanged::Unproved(_) => (Code::Unauthenticated, "TOKEN_UNPROVED"),
        NotExchanged::NoLogin => (Code::NotFound, "NO_LOGIN"),
        NotExchanged::Used => (Code::Unauthenticated, "TOKEN_USED"),
        NotExchanged::Unfit => (Code::PermissionDenied, "TOKEN_UNFIT"),
        NotExchanged::Store(why) => return store(why),
    };
    let mut details = reason(word);
    if matches!(code, Code::ResourceExhausted | Code::Unavailable) {
        details.set_retry_info(Some(RETRY_AFTER));
    }
    answer(code, &message, details)
}

/// A local user is not let in.
pub fn not_entered(why: NotEntered) -> Status {
    let message = why.to_string();
    let mut after = RETRY_AFTER;
    let (code, word) = match why {
        NotEntered::Crowded(Crowded::TooOften) => (Code::ResourceExhausted, "LOGINS_TOO_OFTEN"),
        NotEntered::Crowded(Crowded::Busy) => (Code::Unavailable, "LOGIN_UNCHECKED"),
        NotEntered::Paused(left) => {
            after = left;
            (Code::ResourceExhausted, "LOGIN_PAUSED")
        }
        NotEntered::Full => (Code::ResourceExhausted, "LOGIN_FULL"),
        NotEntered::Refused { .. } => (Code::Unauthenticated, "LOGIN_REFUSED"),
        NotEntered::NotActivated => (Code::Unauthenticated, "ACTIVATION_REFUSED"),
        NotEntered::CodeRefused => (Code::Unauthenticated, "CODE_REFUSED"),
        NotEntered::Store(why) => return store(why),
        NotEntered::Broken(what) => return broken(what, &"a local user could not be proved"),
    };
    let mut details = reason(word);
    if matches!(code, Code::ResourceExhausted | Code::Unavailable) {
        details.set_retry_info(Some(after));
    }
    answer(code, &message, details)
}

// === what stands there ===

/// The store declined or failed.
pub fn store(why: StoreError) -> Status {
    match why {
        StoreError::NotFound { name } => not_found(&name),
        StoreError::Exists { name } => {
            let message = format!("{name} exists already");
            let details = about(reason("ALREADY_EXISTS"), &name, &message);
            answer(Code::AlreadyExists, &message, details)
        }
        StoreError::Stale { name } => {
            let message = format!("{name} was changed by somebody else; read it and try again");
            let details = about(reason("ETAG_MISMATCH"), &name, &message);
            answer(Code::Aborted, &message, details)
        }
        StoreError::Blocked { name, by } => {
            let message = format!("{name}: {by}");
            let mut details = about(reason(by.word()), &name, &message);
            details.add_precondition_failure_violation(by.word(), &name, by.to_string());
            answer(Code::FailedPrecondition, &message, details)
        }
        StoreError::Frozen { name, until } => {
            let message = format!(
                "{name}: rollouts are frozen {until}: wait, or have somebody force it who may (`freezes.override`)"
            );
            let mut details = about(reason("FROZEN"), &name, &message);
            details.add_precondition_failure_violation("FROZEN", &name, &until);
            answer(Code::FailedPrecondition, &message, details)
        }
        StoreError::Dangling { field, name } => dangling(&field, &name),
        StoreError::Unavailable(inner) => {
            let id = request_id();
            warn!(request_id = %id, reason = %inner, "The store cannot be reached");
            let mut details = reason("STORE_UNAVAILABLE");
            details
                .set_retry_info(Some(RETRY_AFTER))
                .set_request_info(id, "");
            answer(
                Code::Unavailable,
                "the database cannot be reached now; try again",
                details,
            )
        }
        StoreError::Broken(inner) => broken("the store failed", &inner),
    }
}

/// Something of ours does not hold; `inner` is for the log alone and must hold no secret.
pub fn broken(what: &'static str, inner: &dyn std::fmt::Display) -> Status {
    let id = request_id();
    error!(request_id = %id, reason = %inner, "An admin call failed: {what}");
    let mut details = reason("INTERNAL");
    details.set_request_info(&id, "");
    answer(
        Code::Internal,
        &format!("internal error; the log names it by {id}"),
        details,
    )
}

/// No such thing stands here.
pub fn not_found(name: &str) -> Status {
    let message = format!("{name} does not exist");
    answer(
        Code::NotFound,
        &message,
        about(reason("NOT_FOUND"), name, &message),
    )
}

/// What this request and its answer said was kept, and erased with its end user.
pub fn content_erased(request: &dyn std::fmt::Display) -> Status {
    let message =
        format!("the content of {request} was erased, as its end user was to be forgotten");
    answer(Code::NotFound, &message, reason("CONTENT_ERASED"))
}

/// A field names something that does not exist.
fn dangling(field: &str, name: &str) -> Status {
    let message = format!("{name} does not exist");
    let mut details = about(reason("DANGLING_REFERENCE"), name, &message);
    details.add_bad_request_violation(field, &message);
    details.add_precondition_failure_violation("DANGLING_REFERENCE", name, &message);
    answer(
        Code::FailedPrecondition,
        &format!("{field}: {message}"),
        details,
    )
}

// === edges ===

/// What an edge presented is not a join token that stands; `why` tells it what to do.
pub fn edge_not_joined(why: &dyn std::fmt::Display) -> Status {
    answer(
        Code::Unauthenticated,
        &why.to_string(),
        reason("JOIN_TOKEN_REFUSED"),
    )
}

/// The join token cannot be checked now.
pub fn edge_not_checked(why: &dyn std::fmt::Display) -> Status {
    let mut details = reason("JOIN_TOKEN_UNCHECKED");
    details.set_retry_info(Some(RETRY_AFTER));
    answer(Code::Unavailable, &why.to_string(), details)
}

/// An edge said what no edge says, or too much, or in the wrong order.
pub fn edge_nonsense(why: &dyn std::fmt::Display) -> Status {
    answer(
        Code::InvalidArgument,
        &why.to_string(),
        reason("EDGE_MESSAGE_REFUSED"),
    )
}

/// Another edge that is connected has this id.
pub fn edge_taken(edge_id: &str) -> Status {
    let message = format!(
        "an edge of another region or organization that is connected calls itself {edge_id}; give each edge an id of its own"
    );
    answer(Code::AlreadyExists, &message, reason("EDGE_ID_TAKEN"))
}

/// The edge speaks of an organization that it does not serve.
pub fn edge_strayed() -> Status {
    answer(
        Code::PermissionDenied,
        "this edge serves another organization; invite one for this organization, or for all",
        reason("EDGE_OUT_OF_SCOPE"),
    )
}

/// The edge's certificate gives it another name.
pub fn edge_misnamed(certified: &str) -> Status {
    let message = format!(
        "the certificate of this edge is of {certified}; set edge.id to that, or remove its state directory and invite it anew"
    );
    answer(Code::PermissionDenied, &message, reason("EDGE_MISNAMED"))
}

/// An edge of this name has enrolled.
pub fn edge_enrolled(edge_id: &str) -> Status {
    let message = format!(
        "an edge called {edge_id} has enrolled; give this one an edge.id of its own, or run `sluice edges revoke {edge_id}` if that one is gone"
    );
    answer(Code::AlreadyExists, &message, reason("EDGE_ENROLLED"))
}

/// Enough content is being kept.
pub fn deposits_busy() -> Status {
    let mut details = reason("DEPOSITS_BUSY");
    details.set_retry_info(Some(RETRY_AFTER));
    let message = "enough content is being kept; come back later";
    answer(Code::ResourceExhausted, message, details)
}

/// Sums that are asked for are being made; about so many records are to be added.
pub fn sums_being_made(records: i64) -> Status {
    let mut details = reason("SUMS_BEING_MADE");
    details.set_retry_info(Some(RETRY_AFTER));
    let message = format!(
        "the sums by these two tags are being made, and about {records} records are still to be added; come back later"
    );
    answer(Code::Unavailable, &message, details)
}

/// Enough edges ask for what their clients used.
pub fn recall_busy() -> Status {
    let mut details = reason("RECALL_BUSY");
    details.set_retry_info(Some(RETRY_AFTER));
    let message = "enough edges ask for records; come back later";
    answer(Code::ResourceExhausted, message, details)
}

/// An edge said nothing for too long.
pub fn edge_silent() -> Status {
    let message = "the edge did not greet in time";
    answer(Code::DeadlineExceeded, message, reason("EDGE_SILENT"))
}

/// This replica knows less than the edge; another one may serve it.
pub fn replica_behind() -> Status {
    let message = "this replica is behind the edge; try another one";
    let mut details = reason("REPLICA_BEHIND");
    details.set_retry_info(Some(RETRY_AFTER));
    answer(Code::Unavailable, message, details)
}

/// Enough snapshots are being sent; the edge comes back after `retry_after`.
pub fn snapshots_busy(retry_after: Duration) -> Status {
    let mut details = reason("SNAPSHOTS_BUSY");
    details.set_retry_info(Some(retry_after));
    answer(
        Code::ResourceExhausted,
        "enough snapshots are being sent; come back later",
        details,
    )
}

/// A snapshot took too long to send.
pub fn snapshot_slow() -> Status {
    let message = "the snapshot took too long; go on with the chunk that is missing";
    let mut details = reason("SNAPSHOT_SLOW");
    details.set_retry_info(Some(RETRY_AFTER));
    answer(Code::DeadlineExceeded, message, details)
}

/// The snapshot that an edge wants to go on with is no longer kept, or has no such chunk.
pub fn snapshot_gone() -> Status {
    let message = "this snapshot is no longer kept; start with the newest";
    answer(Code::NotFound, message, reason("SNAPSHOT_GONE"))
}

// === how it is said ===

fn sentence(violation: &Violation) -> String {
    format!("{}: {}", violation.field, violation.description)
}

fn reason(word: &str) -> ErrorDetails {
    ErrorDetails::with_error_info(word, DOMAIN, HashMap::new())
}

fn about(mut details: ErrorDetails, name: &str, description: &str) -> ErrorDetails {
    details.set_resource_info(resource_type(name), name, "", description);
    details
}

fn answer(code: Code, message: &str, details: ErrorDetails) -> Status {
    Status::with_error_details(code, message, details)
}

fn request_id() -> String {
    Uuid::from_bytes(id::draw()).to_string()
}

/// The type of the thing that `name` names, by the last collection in it.
fn resource_type(name: &str) -> &'static str {
    match name.rsplit('/').nth(1) {
        Some("organizations") => "sluice.admin.v1.Organization",
        Some("projects") => "sluice.admin.v1.Project",
        Some("providers") => "sluice.admin.v1.Provider",
        Some("models") => "sluice.admin.v1.Model",
        Some("versions") => "sluice.admin.v1.ModelVersion",
        Some("modelAliases") => "sluice.admin.v1.ModelAlias",
        Some("freezeWindows") => "sluice.admin.v1.FreezeWindow",
        Some("rollouts") => "sluice.admin.v1.Rollout",
        Some("keys") => "sluice.admin.v1.Key",
        Some("limits") => "sluice.admin.v1.Limit",
        Some("prices") => "sluice.admin.v1.Price",
        Some("discounts") => "sluice.admin.v1.Discount",
        Some("edges") => "sluice.admin.v1.Edge",
        Some("operatorKeys") => "sluice.admin.v1.OperatorKey",
        Some("serviceAccounts") => "sluice.admin.v1.ServiceAccount",
        Some("roles") => "sluice.admin.v1.Role",
        Some("trusts") => "sluice.admin.v1.Trust",
        Some("joinTokens") => "sluice.admin.v1.JoinToken",
        _ => "",
    }
}

#[cfg(test)]
#[path = "status_test.rs"]
mod tests;
