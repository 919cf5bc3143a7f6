//! What is said where no target of a model can serve a request: in the words of the client's own API, so that what its SDKs and frameworks
//! look for is there.
//!
//! Knows how each API names what was asked for; decides nothing.

use dialect::{neutral::Family, request::Endpoint};
use policy::capability::Ability;

use crate::{
    respond::errors,
    route::able::{Lack, Unable},
};

/// Which error, a sentence, and what of the request it is about.
pub(super) fn of_unable(it: &Unable) -> (errors::Documented, String, &'static str) {
    let Unable {
        endpoint,
        asked,
        most,
        ..
    } = *it;
    match it.lack {
        Lack::Context => (
            errors::CONTEXT_LENGTH,
            too_long(endpoint, asked, most),
            conversation(endpoint),
        ),
        Lack::Output => (
            errors::UNSUPPORTED_VALUE,
            too_much(endpoint, asked, most),
            ceiling(endpoint),
        ),
        Lack::Ability(ability) => {
            let (error, what, param) = lacking(endpoint, ability);
            let advice = "leave it out, or ask a model that can";
            let message = format!("This model {what}: {advice}.");
            (error, message, param)
        }
    }
}

fn too_long(endpoint: Endpoint, asked: u32, most: u32) -> String {
    match endpoint.family() {
        Some(Family::Messages) => {
            format!("prompt is too long: at least {asked} tokens > {most} maximum")
        }
        Some(Family::Gemini) => format!(
            "The input token count (at least {asked}) exceeds the maximum number of tokens allowed ({most})."
        ),
        _ => format!(
            "This model's maximum context length is {most} tokens. However, your input has at least {asked} tokens. Please reduce its length."
        ),
    }
}

fn too_much(endpoint: Endpoint, asked: u32, most: u32) -> String {
    let name = ceiling(endpoint);
    match endpoint.family() {
        Some(Family::Messages) => format!(
            "{name}: {asked} > {most}, which is the maximum allowed number of output tokens for this model"
        ),
        _ => format!(
            "{name} is too large: {asked}. This model supports at most {most} completion tokens, whereas you provided {asked}."
        ),
    }
}

/// Where the conversation stands.
fn conversation(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Completions => "prompt",
        Endpoint::Embeddings => "input",
        _ => match endpoint.family() {
            Some(Family::Responses) => "input",
            Some(Family::Gemini) => "contents",
            _ => "messages",
        },
    }
}

/// What bounds the answer.
fn ceiling(endpoint: Endpoint) -> &'static str {
    match endpoint.family() {
        Some(Family::Responses) => "max_output_tokens",
        Some(Family::Gemini) => "generationConfig.maxOutputTokens",
        _ => "max_tokens",
    }
}

/// What is lacked, and where the request asks for it.
fn lacking(
    endpoint: Endpoint,
    ability: Ability,
) -> (errors::Documented, &'static str, &'static str) {
    let family = endpoint.family();
    let (parameter, value) = (errors::UNSUPPORTED_PARAMETER, errors::UNSUPPORTED_VALUE);
    let parts = conversation(endpoint);
    let format = match family {
        Some(Family::Responses) => "text.format",
        Some(Family::Messages) => "output_config",
        Some(Family::Gemini) => "generationConfig",
        _ => "response_format",
    };
    let modalities = match family {
        Some(Family::Gemini) => "generationConfig.responseModalities",
        _ => "modalities",
    };
    match ability {
        Ability::ImageInput => (value, "reads no images", parts),
        Ability::AudioInput => (value, "takes no audio", parts),
        Ability::FileInput => (value, "reads no files", parts),
        Ability::VideoInput => (value, "takes no video", parts),
        Ability::Tools => (parameter, "calls no tools", "tools"),
        Ability::ParallelTools => (
            parameter,
            "calls no tools in parallel",
            "parallel_tool_calls",
        ),
        Ability::JsonSchema => (value, "keeps to no JSON schema", format),
        Ability::JsonMode => (value, "has no JSON mode", format),
        Ability::Reasoning => match family {
            Some(Family::Messages) => (parameter, "does not think first", "thinking"),
            Some(Family::Responses) => (parameter, "does not reason", "reasoning"),
            _ => (parameter, "does not reason", "reasoning_effort"),
        },
        Ability::Streaming => (value, "does not stream", "stream"),
        Ability::Embeddings => (value, "does not embed", "model"),
        Ability::TextOutput => (value, "generates no text", "model"),
        Ability::ImageOutput => (value, "generates no images", modalities),
        Ability::AudioOutput => (value, "generates no audio", modalities),
    }
}
