//! For whom a client says it asks, as each dialect writes it.
//!
//! A second pass over the body, for those who count end users; a plain request has no need of it. Knows nothing of what
//! follows from the name. A member that stands there twice is refused, because the provider could read the other one.

use std::borrow::Cow;

use payload::{json, scalar};

use crate::request::{Endpoint, Refused};

/// The end user that a body names. Of `safety_identifier` and `user` the first one speaks, since it is what
/// `OpenAI` has put in the place of the other.
pub fn of(endpoint: Endpoint, body: &[u8]) -> Result<Option<Cow<'_, str>>, Refused> {
    let Ok(text) = str::from_utf8(body) else {
        return Ok(None);
    };
    match endpoint {
        Endpoint::ChatCompletions
        | Endpoint::Completions
        | Endpoint::Embeddings
        | Endpoint::Responses => match member(text, "safety_identifier")? {
            Some(named) => Ok(scalar::string(named)),
            None => Ok(member(text, "user")?.and_then(scalar::string)),
        },
        Endpoint::Messages | Endpoint::CountMessages => {
            let metadata = member(text, "metadata")?.filter(|raw| raw.starts_with('{'));
            let Some(metadata) = metadata else {
                return Ok(None);
            };
            Ok(member(metadata, "user_id")?.and_then(scalar::string))
        }
        Endpoint::Generate
        | Endpoint::GenerateStream
        | Endpoint::CountGenerate
        | Endpoint::Infer
        | Endpoint::InferMetadata
        | Endpoint::Invoke => Ok(None),
    }
}

/// The raw value of a member; null is as good as absent.
fn member<'a>(text: &'a str, name: &'static str) -> Result<Option<&'a str>, Refused> {
    let mut found = None;
    json::members::<Refused>(text, |key, place| {
        if scalar::string(key).is_some_and(|key| key == name) {
            let before = found.replace(&text[place]);
            if before.is_some() {
                return Err(Refused::Duplicate(name));
            }
        }
        Ok(())
    })?;
    Ok(found.filter(|raw| *raw != "null"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(endpoint: Endpoint, body: &str) -> Option<String> {
        of(endpoint, body.as_bytes()).unwrap().map(Cow::into_owned)
    }

    #[test]
    fn each_dialect_names_an_end_user_in_its_own_place() {
        use Endpoint::{ChatCompletions, Generate, Messages, Responses};
        for (endpoint, body, expected) in [
            (ChatCompletions, r#"{"user":"ann"}"#, Some("ann")),
            (
                ChatCompletions,
                r#"{"user":"ann","safety_identifier":"bob"}"#,
                Some("bob"),
            ),
            (
                ChatCompletions,
                r#"{"user":"ann","safety_identifier":null}"#,
                Some("ann"),
            ),
            (ChatCompletions, r#"{"\u0075ser":"\u0061nn"}"#, Some("ann")),
            (ChatCompletions, r#"{"user":7}"#, None),
            (ChatCompletions, r#"{"messages":[{"user":"ann"}]}"#, None),
            (Responses, r#"{"user":"ann"}"#, Some("ann")),
            (
                Messages,
                r#"{"metadata":{"user_id":"ann"},"user":"bob"}"#,
                Some("ann"),
            ),
            (Messages, r#"{"metadata":"ann"}"#, None),
            (Generate, r#"{"user":"ann"}"#, None),
        ] {
            assert_eq!(named(endpoint, body).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn a_name_that_stands_there_twice_is_refused() {
        let body = br#"{"user":"ann","user":"bob"}"#;
        let refused = of(Endpoint::ChatCompletions, body).unwrap_err();
        assert_eq!(refused, Refused::Duplicate("user"));
        let body = br#"{"metadata":{"user_id":"ann","user_id":"bob"}}"#;
        let refused = of(Endpoint::Messages, body).unwrap_err();
        assert_eq!(refused, Refused::Duplicate("user_id"));
    }
}
