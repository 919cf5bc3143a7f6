//! A second look at a request that a guess of its input would refuse: its text is counted, where all that may serve it count alike.
//!
//! Knows bodies and names of models; knows nothing of limits. Most requests never come here: to count costs more than all the rest of
//! what an edge does for one.

use tokenizer::{Counter, Family};
use tokio::task::spawn_blocking;

use crate::{request::Request, route::Plan};

const COUNTED: &str = "sluice_limits_counted_total";

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
    // Nothing can be told of what a body holds that is no text, and its place is not known.
    if request.scanned().embedded.count > 0 {
        return None;
    }
    let mut families = Vec::new();
    for candidate in plan.candidates() {
        let family = Family::of(&candidate.target().provider_model)?;
        if !families.contains(&family) {
            families.push(family);
        }
    }
    if !Counter::shared().is_free(&families) {
        return None;
    }
    let body = request.body().clone();
    let count = move || Counter::shared().most(&body, &families);
    let count = spawn_blocking(count).await.ok().flatten()?;
    (count < request.input_tokens_estimate()).then_some(count)
}

/// What came of a second look.
pub fn note(admitted: bool) {
    let outcome = if admitted { "admitted" } else { "refused" };
    metrics::counter!(COUNTED, "outcome" => outcome).increment(1);
}
