//! Errors as Amazon's services report them: a name, a status or both, and a message; as a body or as a frame.
//!
//! Owns which name is which kind of error. Must never choose a status.

use std::borrow::Cow;

use payload::{object::Object, scalar, writer::Writer};

use crate::{
    aws::event_stream::{self, Frame, Value},
    neutral::{Class, Error, Extra, Family},
};

/// The longest message that goes on. Full: it is cut, because a proxy may answer with a page.
pub const MESSAGE_CHARS_MAX: usize = 2_000;

/// How many members of an error's body are kept besides what is understood. Full: the rest is left out.
const EXTRA_MAX: usize = 16;

/// Parts of names, without `Exception` and in lower case, and what they mean.
const NAMES: [(&str, Class); 21] = [
    ("validation", Class::InvalidRequest),
    ("serialization", Class::InvalidRequest),
    ("conflict", Class::InvalidRequest),
    ("accessdenied", Class::Permission),
    ("unrecognizedclient", Class::Authentication),
    ("expiredtoken", Class::Authentication),
    ("invalidsignature", Class::Authentication),
    ("signaturedoesnotmatch", Class::Authentication),
    ("incompletesignature", Class::Authentication),
    ("invalidclienttokenid", Class::Authentication),
    ("missingauthenticationtoken", Class::Authentication),
    ("resourcenotfound", Class::NotFound),
    ("throttling", Class::RateLimited),
    ("toomanyrequests", Class::RateLimited),
    ("servicequotaexceeded", Class::QuotaExhausted),
    ("modelnotready", Class::Overloaded),
    ("serviceunavailable", Class::Overloaded),
    ("modeltimeout", Class::Timeout),
    ("requesttimeout", Class::Timeout),
    ("modelstreamerror", Class::Provider),
    ("internalserver", Class::Provider),
];

/// What an error's body says.
#[derive(Debug, Default)]
struct Said {
    message: Option<String>,
    name: Option<String>,
    original_status: Option<u64>,
    extra: Vec<Extra>,
}

/// An error by the name that stands beside its body (the header `x-amzn-errortype`), the status and the body, as far
/// as they are there.
pub fn error(name: Option<&str>, status: Option<u16>, body: &[u8]) -> Error {
    let said = str::from_utf8(body).ok().map(Said::read);
    let said = said.unwrap_or_default();
    let name = name
        .or(said.name.as_deref())
        .map(bare)
        .filter(|name| !name.is_empty());
    let message = match (said.message, status) {
        (Some(message), _) => message,
        (None, Some(status)) => format!("the provider answered {status} and did not say why"),
        (None, None) => "the provider reported an error and did not say why".to_owned(),
    };
    let by_name = name.and_then(|name| named(name, said.original_status));
    let class = by_name
        .or_else(|| status.map(|status| by_status(status, &message)))
        .unwrap_or(Class::Provider);
    let mut error = Error::new(refined(class, &message), message);
    error.code = name.map(str::to_owned);
    error.extra = said.extra;
    error
}

/// The error that a frame reports, if it reports one.
pub fn of_frame(frame: &Frame<'_>) -> Option<Error> {
    match frame.text(":message-type")? {
        "exception" => Some(error(frame.text(":exception-type"), None, frame.payload)),
        "error" => {
            let mut error = error(frame.text(":error-code"), None, frame.payload);
            let message = frame.text(":error-message");
            if let Some(message) = message.filter(|it| !it.trim().is_empty()) {
                error.message = cut(message);
                error.class = refined(error.class, message);
            }
            Some(error)
        }
        _ => None,
    }
}

/// The name that a client of these services knows such an error by.
pub fn name(error: &Error) -> String {
    let own = error
        .code
        .as_deref()
        .filter(|code| code.ends_with("Exception"));
    let by_class = match error.class {
        Class::InvalidRequest
        | Class::ContextTooLong
        | Class::TooLarge
        | Class::ContentFiltered => "ValidationException",
        Class::Authentication => "UnrecognizedClientException",
        Class::Permission => "AccessDeniedException",
        Class::NotFound => "ResourceNotFoundException",
        Class::RateLimited => "ThrottlingException",
        Class::QuotaExhausted => "ServiceQuotaExceededException",
        Class::Overloaded => "ServiceUnavailableException",
        Class::Timeout => "ModelTimeoutException",
        Class::Provider => "InternalServerException",
    };
    first_letter(own.unwrap_or(by_class), u8::to_ascii_uppercase)
}

/// The frame that ends a stream with an error.
pub fn frame(error: &Error) -> Vec<u8> {
    let name = first_letter(&name(error), u8::to_ascii_lowercase);
    let headers = [
        (":exception-type", Value::Text(&name)),
        (":content-type", Value::Text("application/json")),
        (":message-type", Value::Text("exception")),
    ];
    let mut payload = Writer::default();
    payload.open().key("message").text(&cut(&error.message));
    for extra in &error.extra {
        if extra.family == Family::Converse {
            payload.key(&extra.name).raw(extra.value.as_str());
        }
    }
    payload.close();
    let mut out = Vec::new();
    // A name that was read fits into a frame, and the message was cut: nothing is too long.
    let _ = event_stream::write(&mut out, &headers, &payload.into_bytes());
    out
}

fn first_letter(name: &str, change: impl Fn(&u8) -> u8) -> String {
    let mut bytes = name.bytes();
    let first = bytes.next().map(|letter| char::from(change(&letter)));
    first.into_iter().chain(bytes.map(char::from)).collect()
}

/// `ValidationException` of `com.amazon.coral#ValidationException` and of `ValidationException:http://…`.
fn bare(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or(name);
    let name = name.rsplit('#').next().unwrap_or(name).trim();
    let is_name = name.len() <= 128 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_name { name } else { "" }
}

fn named(name: &str, original_status: Option<u64>) -> Option<Class> {
    let name = name.to_ascii_lowercase();
    let name = name.trim_end_matches("exception");
    // The model's own answer, passed on.
    if name.starts_with("modelstreamerror") || name == "modelerror" {
        return Some(match original_status {
            Some(429) => Class::RateLimited,
            Some(503 | 529) => Class::Overloaded,
            Some(408 | 504) => Class::Timeout,
            _ => Class::Provider,
        });
    }
    let found = NAMES.iter().find(|(known, _)| name.starts_with(known));
    found.map(|(_, class)| *class)
}

fn by_status(status: u16, message: &str) -> Class {
    let message = message.to_ascii_lowercase();
    match status {
        401 => Class::Authentication,
        402 => Class::QuotaExhausted,
        403 => {
            let words = [
                "security token",
                "signature",
                "credential",
                "api key",
                "expired",
            ];
            if words.iter().any(|word| message.contains(word)) {
                Class::Authentication
            } else {
                Class::Permission
            }
        }
        404 => Class::NotFound,
        408 | 504 => Class::Timeout,
        413 => Class::TooLarge,
        429 => Class::RateLimited,
        503 | 529 => Class::Overloaded,
        424 => Class::Provider,
        400..=499 => Class::InvalidRequest,
        _ => Class::Provider,
    }
}

/// One name covers several kinds of wrong requests: the message tells them apart.
fn refined(class: Class, message: &str) -> Class {
    if class != Class::InvalidRequest {
        return class;
    }
    let message = message.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let long = any(&[
        "input is too long",
        "prompt is too long",
        "input tokens exceeded",
    ]) || any(&["context length", "context window", "context limit"])
        || any(&["too many input tokens", "input token count"]);
    if long {
        Class::ContextTooLong
    } else if any(&["content filter"]) {
        Class::ContentFiltered
    } else {
        Class::InvalidRequest
    }
}

fn cut(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}

// === impl Said ===

impl Said {
    fn read(body: &str) -> Self {
        let Ok(object) = Object::parse(body) else {
            // A page says nothing to whoever called an API.
            let text = body.trim();
            let plain = !text.is_empty() && !text.starts_with(['<', '{', '[']);
            return Self {
                message: plain.then(|| cut(text)),
                ..Self::default()
            };
        };
        let mut said = Self::default();
        for (name, raw) in object.rest() {
            let text = || scalar::string(raw).filter(|text| !text.is_empty());
            match &*name {
                "message" | "Message" => said.message = text().map(|text| cut(&text)),
                "__type" | "code" => said.name = text().map(Cow::into_owned),
                "p" => {}
                other => {
                    if other == "originalStatusCode" {
                        said.original_status = scalar::whole_number(raw);
                    }
                    if said.extra.len() < EXTRA_MAX {
                        said.extra.push(Extra::new(Family::Converse, other, raw));
                    }
                }
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_all_their_spellings() {
        let cases = [
            (
                "ThrottlingException:http://internal.amazon.com/coral/",
                Class::RateLimited,
            ),
            ("throttlingException", Class::RateLimited),
            (
                "com.amazon.coral.service#UnrecognizedClientException",
                Class::Authentication,
            ),
            ("ModelNotReadyException", Class::Overloaded),
            ("ServiceQuotaExceededException", Class::QuotaExhausted),
            ("InternalFailure", Class::Provider),
            ("", Class::Provider),
        ];
        for (name, class) in cases {
            assert_eq!(error(Some(name), None, b"{}").class, class, "{name}");
        }
    }

    #[test]
    fn the_message_tells_wrong_requests_apart() {
        let class = |message: &str| {
            let body = format!("{{\"message\":\"{message}\"}}");
            error(Some("ValidationException"), Some(400), body.as_bytes()).class
        };
        assert_eq!(class("Input Tokens Exceeded: 9"), Class::ContextTooLong);
        assert_eq!(
            class("Input is too long for requested model."),
            Class::ContextTooLong
        );
        assert_eq!(
            class("blocked by our content filters"),
            Class::ContentFiltered
        );
        assert_eq!(class("messages: must not be empty"), Class::InvalidRequest);
    }

    #[test]
    fn a_model_error_says_what_the_model_answered() {
        let body = br#"{"message":"x","originalStatusCode":429,"originalMessage":"slow down"}"#;
        let read = error(Some("modelStreamErrorException"), None, body);
        assert_eq!(read.class, Class::RateLimited);
        let frame = frame(&read);
        let again = of_frame(&Frame::read(&frame).unwrap()).unwrap();
        assert_eq!(again.extra, read.extra);
        assert_eq!(again.class, read.class);
        assert_eq!(again.message, "x");
    }

    #[test]
    fn pages_and_nothing_are_errors_too() {
        let page = error(None, Some(502), b"<html>secret</html>");
        assert_eq!(page.class, Class::Provider);
        assert_eq!(
            page.message,
            "the provider answered 502 and did not say why"
        );
        assert_eq!(error(None, Some(503), b"").class, Class::Overloaded);
        assert_eq!(
            error(None, Some(400), b"\xff\xfe").class,
            Class::InvalidRequest
        );
        assert_eq!(error(None, Some(413), b"too big").message, "too big");
        let long = "é".repeat(MESSAGE_CHARS_MAX + 1);
        assert_eq!(
            error(None, None, long.as_bytes()).message.chars().count(),
            MESSAGE_CHARS_MAX
        );
    }
}
