//! A second look at a request that a guess of its input would refuse: its text is counted, where all that may serve it count alike.
//!
//! Knows bodies and names of models; knows nothing of limits. Most requests never come here: to count costs more than all the rest of
//! what an edge does for one.

use dialect::request::Endpoint;
use memchr::memmem;
use tokenizer::{Counter, Family, TEXT_BYTES_MAX};
use tokio::task::spawn_blocking;

use crate::{request::Request, route::Plan};

const COUNTED: &str = "sluice_limits_counted_total";

/// Members, in any of the APIs, that stand for something whose tokens are not the body's: pictures, sound and files, and what was said
/// before and is kept by the provider. Where one is meant otherwise, the guess stands, and nothing is lost.
const STAND_FOR_OTHERS: [&[u8]; 14] = [
    b"\"image_url\"",
    b"\"input_image\"",
    b"\"input_audio\"",
    b"\"input_file\"",
    b"\"file\"",
    b"\"file_id\"",
    b"\"file_url\"",
    b"\"source\"",
    b"\"fileData\"",
    b"\"file_data\"",
    b"\"inlineData\"",
    b"\"inline_data\"",
    b"\"previous_response_id\"",
    b"\"conversation\"",
];

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        COUNTED,
        "Requests whose text was counted because there was no room for the guess of it"
    );
}

/// How many input tokens the request is in the tokenizers of all that may serve it, where that is less than the guess. What is asked
/// of a provider beside the text, around messages for one, is less than the JSON around them, which is counted, too.
pub async fn counted(plan: &Plan, request: &Request) -> Option<u64> {
    let mut families = Vec::new();
    for candidate in plan.candidates() {
        let family = Family::of(&candidate.target().provider_model)?;
        if !families.contains(&family) {
            families.push(family);
        }
    }
    let body = request.body();
    if body.len() > TEXT_BYTES_MAX || !Counter::shared().is_free(&families) {
        return None;
    }
    // Nothing can be told of what is no text, or is not here. Looked for last, because a flood of refusals comes by.
    if request.scanned().embedded.count > 0 || stands_for_others(request.endpoint(), body) {
        return None;
    }
    let body = body.clone();
    let count = move || Counter::shared().most(&body, &families);
    let count = spawn_blocking(count).await.ok().flatten()?;
    (count < request.input_tokens_estimate()).then_some(count)
}

/// What came of a second look.
pub fn note(admitted: bool) {
    let outcome = if admitted { "admitted" } else { "refused" };
    metrics::counter!(COUNTED, "outcome" => outcome).increment(1);
}

/// Whether a body names what goes in and is not in it. Blocks no longer than a scan of the body does.
fn stands_for_others(endpoint: Endpoint, body: &[u8]) -> bool {
    let names = |member: &[u8]| memmem::find(body, member).is_some();
    // Elsewhere a prompt is a text.
    let kept = endpoint == Endpoint::Responses && names(b"\"prompt\"");
    kept || STAND_FOR_OTHERS.into_iter().any(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_body_is_not_counted() {
        let stands = |body: &str| stands_for_others(Endpoint::ChatCompletions, body.as_bytes());
        assert!(stands(
            r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://a.test/b.png"}}]}]}"#
        ));
        assert!(stands(r#"{"previous_response_id":"resp_1"}"#));
        assert!(!stands(r#"{"prompt":"Say \"image_url\" twice"}"#));
        assert!(stands_for_others(
            Endpoint::Responses,
            br#"{"prompt":{"id":"pmpt_1"}}"#
        ));
    }
}
