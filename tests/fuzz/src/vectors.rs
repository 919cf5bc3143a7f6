//! Requests for vectors, and what comes back.

use dialect::{
    crossing::{self, VectorMaker},
    gemini,
};

use crate::{
    cuts,
    pair::{is_object, seed},
};

const QUESTION: &str = r#"{"model":"m","input":["a","b"],"encoding_format":"base64"}"#;

/// A request of `OpenAI`'s for every maker, and the same bytes as an answer of each.
pub fn check(input: &[u8]) {
    let (how, bytes) = cuts::first(input);
    let target = if how & 1 == 0 {
        gemini::Target::new("gemini-embedding-001")
    } else {
        gemini::Target::new("text-embedding-005").on_vertex()
    };
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    for maker in [
        VectorMaker::Gemini(target),
        VectorMaker::Cohere("embed-v4.0"),
    ] {
        if let Ok(crossed) = crossing::cross_vectors(text, &maker, seed()) {
            assert!(is_object(&crossed.body), "{maker:?}");
        }
        let Ok(asked) = crossing::cross_vectors(QUESTION, &maker, seed()) else {
            continue;
        };
        if let Ok(whole) = asked.back.whole(bytes, false) {
            assert!(is_object(&whole.body), "{maker:?}");
        }
    }
}
