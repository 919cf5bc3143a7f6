//! Two families: who asks, and who answers.

use dialect::{
    chat, cohere, converse,
    crossing::{self, Asked, Back, Target},
    gemini, messages,
    neutral::{Family, Seed},
    responses,
};
use payload::object::Object;
use serde_json::value::RawValue;

/// Those that have clients.
pub const CLIENTS: [Family; 4] = [
    Family::Chat,
    Family::Responses,
    Family::Messages,
    Family::Gemini,
];

/// What ids and times are made of.
pub fn seed() -> Seed {
    Seed {
        request_id: "0192-fuzz".to_owned(),
        now_seconds: 1_790_000_000,
    }
}

/// How a client asks; `how` holds its switches.
pub const fn asked(family: Family, how: u8) -> Asked<'static> {
    Asked {
        family,
        model: "m",
        stream: how & 1 == 0,
        events: how & 2 == 0,
        input_tokens_estimate: 5,
        ceiling: None,
    }
}

/// A model of a family; `how` picks one of those that are told apart.
pub fn target(family: Family, how: u8) -> Target<'static> {
    let other = how & 4 != 0;
    match family {
        Family::Chat if other => Target::Chat(chat::target::Target::mistral("m")),
        Family::Chat => Target::Chat(chat::target::Target::new("m")),
        Family::Responses => Target::Responses(responses::Target {
            crossing: !other,
            ..responses::Target::new("m")
        }),
        Family::Messages => Target::Messages(messages::target::Target {
            output_tokens_default: Some(4_096),
            ..messages::target::Target::new("m")
        }),
        Family::Gemini if other => {
            Target::Gemini(gemini::Target::new("gemini-2.5-pro").on_vertex())
        }
        Family::Gemini => Target::Gemini(gemini::Target::new("gemini-3-pro")),
        Family::Converse => Target::Converse(converse::target::Target::new(if other {
            "amazon.nova-2-lite"
        } else {
            "anthropic.claude-m"
        })),
        Family::Cohere => Target::Cohere(cohere::Target::new("m")),
    }
}

/// The way back of a greeting.
pub fn back(client: Family, provider: Family, how: u8) -> Option<Back> {
    let body = match client {
        Family::Responses => r#"{"model":"m","input":"hi"}"#,
        Family::Gemini => r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        Family::Messages => {
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#
        }
        _ => {
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"#
        }
    };
    let crossed = crossing::cross(&asked(client, how), body, &target(provider, how), seed());
    Some(crossed.ok()?.back)
}

/// Whether this is one JSON object, to us and to another reader.
pub fn is_object(bytes: &[u8]) -> bool {
    let ours = str::from_utf8(bytes).is_ok_and(|text| Object::parse(text).is_ok());
    ours && serde_json::from_slice::<&RawValue>(bytes).is_ok()
}
