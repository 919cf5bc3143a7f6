//! The vectors that providers of other families than OpenAI's make of texts, each in its own shape.

use harness::provider::Asked;
use proto::admin::ProviderKind;
use serde_json::{Value, json};

/// The vector of any text; floats of 32 bits say these exactly.
pub const VECTOR: [f64; 3] = [0.5, -0.25, 2.0];

/// A vector for each text, of the numbers that [`VECTOR`] says.
pub(crate) fn answer(kind: ProviderKind, asked: &Asked, tokens: u64) -> Value {
    let question: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let each = |texts: &Value| {
        let count = texts.as_array().map_or(1, Vec::len);
        vec![json!(VECTOR); count]
    };
    match kind {
        ProviderKind::Gemini if asked.path.contains("batch") => {
            let vectors = each(&question["requests"]);
            let vectors: Vec<Value> = vectors.iter().map(|it| json!({"values": it})).collect();
            json!({"embeddings": vectors})
        }
        ProviderKind::Vertex => {
            let vectors = each(&question["instances"]);
            let one = |it| json!({"embeddings": {"values": it, "statistics": {"token_count": 1}}});
            json!({"predictions": vectors.into_iter().map(one).collect::<Vec<_>>()})
        }
        ProviderKind::Gemini => json!({"embedding": {"values": VECTOR}}),
        _ => {
            let vectors = each(&question["texts"]);
            let billed = json!({"billed_units": {"input_tokens": tokens}});
            json!({"id": "e-1", "embeddings": {"float": vectors}, "texts": question["texts"], "meta": billed})
        }
    }
}
