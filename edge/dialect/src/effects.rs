//! Whether a request may be asked twice: whether it leaves anything behind at a provider beside its answer.
//!
//! A second pass over the body, for whoever copies requests; a plain request has no need of it. What is not known to leave nothing is
//! taken to leave something. Calls of tools are answers here: it is the client that makes them.

use std::borrow::Cow;

use payload::{
    json::{self, Fault},
    scalar,
};

use crate::request::Endpoint;

/// Tools of Anthropic's API that the client runs, by how their types begin.
const CLIENTS_TOOLS: [&str; 4] = ["bash_", "text_editor_", "computer_", "memory_"];

/// Whether it leaves nothing: no stored answer, no turn of a conversation that is kept, no work in the background, and no tool that the
/// provider itself would run.
pub fn has_none(endpoint: Endpoint, body: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(body) else {
        return false;
    };
    match endpoint {
        Endpoint::Completions | Endpoint::Embeddings => true,
        Endpoint::ChatCompletions => every_member(text, |key, raw| key != "store" || raw != "true"),
        // It stores what it answers unless it is told not to.
        Endpoint::Responses => {
            let mut is_kept = true;
            let plain = every_member(text, |key, raw| match key {
                "store" => {
                    is_kept = raw != "false";
                    !is_kept
                }
                "background" => raw != "true",
                "conversation" | "previous_response_id" => raw == "null",
                "tools" => every_tool(raw, |kind| matches!(kind, Some("function" | "custom"))),
                _ => true,
            });
            plain && !is_kept
        }
        Endpoint::Messages => every_member(text, |key, raw| match key {
            "mcp_servers" | "container" => raw == "null" || raw == "[]",
            "tools" => every_tool(raw, |kind| match kind {
                None | Some("custom") => true,
                Some(kind) => CLIENTS_TOOLS.iter().any(|it| kind.starts_with(it)),
            }),
            _ => true,
        }),
        Endpoint::Generate | Endpoint::GenerateStream => {
            every_member(text, |key, raw| key != "tools" || every_declaration(raw))
        }
        Endpoint::CountMessages
        | Endpoint::CountGenerate
        | Endpoint::Infer
        | Endpoint::InferMetadata
        | Endpoint::Invoke => false,
    }
}

/// Whether every member of an object passes, by its name and its raw value.
fn every_member(text: &str, mut passes: impl FnMut(&str, &str) -> bool) -> bool {
    let mut all = true;
    let read = json::members::<Fault>(text, |key, place| {
        let raw = text.get(place).unwrap_or_default();
        all &= scalar::string(key).is_some_and(|key| passes(&key, raw));
        Ok(())
    });
    read.is_ok() && all
}

/// Whether every element of an array passes; null is as good as none.
fn every_element(text: &str, mut passes: impl FnMut(&str) -> bool) -> bool {
    if text == "null" {
        return true;
    }
    let mut all = true;
    let read = json::elements::<Fault>(text, |place| {
        all &= passes(text.get(place).unwrap_or_default());
        Ok(())
    });
    read.is_ok() && all
}

/// Whether every tool passes, by its type.
fn every_tool(text: &str, passes: impl Fn(Option<&str>) -> bool) -> bool {
    every_element(text, |tool| {
        let mut kind = None;
        let read = every_member(tool, |key, raw| {
            if key == "type" {
                kind = scalar::string(raw).map(Cow::into_owned);
                return kind.is_some();
            }
            true
        });
        read && passes(kind.as_deref())
    })
}

/// Whether every tool of Gemini's API declares functions, which the client calls.
fn every_declaration(text: &str) -> bool {
    every_element(text, |tool| {
        every_member(tool, |key, _| {
            matches!(key, "functionDeclarations" | "function_declarations")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_keeps_or_runs_is_an_effect() {
        use Endpoint::{
            ChatCompletions, Completions, CountMessages, Embeddings, Generate, Infer, Messages,
            Responses,
        };
        for (endpoint, body, expected) in [
            (ChatCompletions, r#"{"model":"m"}"#, true),
            (ChatCompletions, r#"{"store":false}"#, true),
            (ChatCompletions, r#"{"store":true}"#, false),
            (ChatCompletions, r#"{"st\u006fre":true}"#, false),
            (ChatCompletions, r#"{"messages":[{"store":true}]}"#, true),
            (Completions, "{}", true),
            (Embeddings, "{}", true),
            (Responses, "{}", false),
            (Responses, r#"{"store":false}"#, true),
            (Responses, r#"{"store":false,"store":true}"#, false),
            (Responses, r#"{"store":false,"background":true}"#, false),
            (Responses, r#"{"store":false,"conversation":"c"}"#, false),
            (
                Responses,
                r#"{"store":false,"previous_response_id":null,"tools":[{"type":"function"}]}"#,
                true,
            ),
            (
                Responses,
                r#"{"store":false,"tools":[{"type":"mcp"}]}"#,
                false,
            ),
            (
                Messages,
                r#"{"tools":[{"name":"f"},{"type":"bash_20250124"}]}"#,
                true,
            ),
            (
                Messages,
                r#"{"tools":[{"type":"web_search_20250305"}]}"#,
                false,
            ),
            (Messages, r#"{"mcp_servers":[{}]}"#, false),
            (Generate, r#"{"tools":[{"functionDeclarations":[]}]}"#, true),
            (Generate, r#"{"tools":[{"codeExecution":{}}]}"#, false),
            (CountMessages, "{}", false),
            (Infer, "{}", false),
            (ChatCompletions, "[", false),
        ] {
            assert_eq!(has_none(endpoint, body.as_bytes()), expected, "{body}");
        }
    }
}
