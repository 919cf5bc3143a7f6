//! Errors between the families: read as a provider says them, and said as a client's API does.
//!
//! Knows which codec reads and which writes. Chooses no status.

use crate::{
    aws::exception,
    chat, cohere, converse, gemini, messages,
    neutral::{Error, Family},
    responses,
};

/// An error of ours, as the body that a client of this family reads.
pub fn error_body(client: Family, error: &Error) -> Vec<u8> {
    match client {
        Family::Chat => chat::error::encode(error),
        Family::Responses => responses::error::encode(error),
        Family::Messages => messages::error::encode(error),
        Family::Gemini => gemini::error::encode(error),
        Family::Converse => converse::error::encode(error),
        Family::Cohere => cohere::error::encode(error),
    }
}

/// An error of ours, as the event that ends a stream of this family.
pub fn error_event(client: Family, error: &Error) -> Vec<u8> {
    match client {
        Family::Chat => chat::error::event(error),
        Family::Responses => responses::error::event(error),
        Family::Messages => messages::error::event(error),
        Family::Gemini => gemini::error::event(error),
        Family::Converse => converse::error::event(error),
        Family::Cohere => cohere::error::event(error),
    }
}

/// What a provider's error says. `name` is what stands beside its body: Bedrock's header `x-amzn-errortype`. Bedrock and
/// Vertex pass on what the maker of a model said, in the maker's words, or say it in their own.
pub fn read_error(provider: Family, status: u16, name: Option<&str>, body: &[u8]) -> Error {
    match provider {
        Family::Chat => chat::error::decode(status, body),
        Family::Responses => responses::error::decode(status, body),
        Family::Messages => match name {
            Some(_) if !messages::hosted::is_own_error(body) => {
                exception::error(name, Some(status), body)
            }
            _ => messages::error::decode(status, body),
        },
        Family::Gemini => gemini::error::decode(status, body),
        Family::Converse => match name {
            Some(name) => converse::error::decode_named(name, status, body),
            None => converse::error::decode(status, body),
        },
        Family::Cohere => cohere::error::decode(status, body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neutral::Class;

    #[test]
    fn a_host_s_error_is_read_whether_it_or_the_model_s_maker_said_it() {
        let read = |name, status, body: &str| {
            let error = read_error(Family::Messages, status, name, body.as_bytes());
            (error.class, error.message)
        };
        let own = r#"{"type":"error","error":{"type":"overloaded_error","message":"x"} }"#;
        let google = r#"{"error":{"code":429,"message":"Quota.","status":"RESOURCE_EXHAUSTED"}}"#;
        let amazon = r#"{"message":"Slow down."}"#;
        let name = Some("ThrottlingException:http://x/");
        let said = [
            (None, 529, own, Class::Overloaded, "x"),
            (name, 529, own, Class::Overloaded, "x"),
            (None, 429, google, Class::RateLimited, "Quota."),
            (name, 400, amazon, Class::RateLimited, "Slow down."),
        ];
        for (name, status, body, class, message) in said {
            assert_eq!(read(name, status, body), (class, message.to_owned()));
        }
    }
}
