//! Embeddings in Google's three shapes.

use dialect::{
    gemini::{
        Target,
        embedding::{self, Call},
    },
    neutral::{EmbeddingInput, EmbeddingRequest, Encoding, Task},
};

use super::{fixture, json};

#[test]
fn requests_come_back_in_their_shape() {
    let target = Target::new("gemini-embedding-001");
    for (name, target, call) in [
        ("embed-batch.json", target, Call::Batch),
        ("embed-predict.json", target.on_vertex(), Call::Predict),
    ] {
        let body = fixture(name);
        let request = embedding::decode(&body, "gemini-embedding-001").unwrap();
        assert_eq!(embedding::call(&request, &target), call);
        let encoded = embedding::encode(&request, &target).unwrap();
        assert_eq!(json(&encoded.body), json(body.as_bytes()), "{name}");
        assert_eq!(request.dimensions, Some(4));
    }
    let one =
        r#"{"model":"models/e","content":{"parts":[{"text":"x"}]},"taskType":"FACT_VERIFICATION"}"#;
    let request = embedding::decode(one, "e").unwrap();
    assert_eq!(request.task, Some(Task::Claim));
    let encoded = embedding::encode(&request, &Target::new("e")).unwrap();
    assert_eq!(json(&encoded.body), json(one.as_bytes()));
}

#[test]
fn answers_come_back_in_their_shape() {
    for (body, call, tokens) in [
        (r#"{"embedding":{"values":[0.10,-2]}}"#, Call::One, None),
        (
            r#"{"embeddings":[{"values":[1e-3]},{"values":[],"shape":[0]}]}"#,
            Call::Batch,
            None,
        ),
        (
            r#"{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}"#,
            Call::One,
            Some(7),
        ),
        (
            r#"{"predictions":[{"embeddings":{"values":[1],"statistics":{"truncated":false,"token_count":3.0}}},{"embeddings":{"values":[2],"statistics":{"token_count":2}}}],"metadata":{"billableCharacterCount":9}}"#,
            Call::Predict,
            Some(5),
        ),
    ] {
        let answer = embedding::decode_answer(body).unwrap();
        assert_eq!(answer.tokens.map(|tokens| tokens.input), tokens, "{body}");
        let encoded = embedding::encode_answer(&answer, call).unwrap();
        assert_eq!(String::from_utf8(encoded).unwrap(), body);
    }
}

#[test]
fn what_cannot_be_asked_is_said() {
    let mut request = EmbeddingRequest {
        inputs: vec![
            EmbeddingInput::Text("a".to_owned()),
            EmbeddingInput::Tokens(vec![1]),
        ],
        encoding: Encoding::Base64,
        ..EmbeddingRequest::default()
    };
    let target = Target::new("e");
    assert_eq!(
        embedding::encode(&request, &target).unwrap_err().at,
        "input[1]"
    );
    request.inputs.pop();
    assert_eq!(
        String::from_utf8(embedding::encode(&request, &target).unwrap().body).unwrap(),
        r#"{"model":"models/e","content":{"parts":[{"text":"a"}]}}"#
    );
    let mixed = r#"{"requests":[{"content":{"parts":[]},"outputDimensionality":1},{"content":{"parts":[]}}]}"#;
    assert_eq!(embedding::decode(mixed, "e").unwrap_err().at, "requests[1]");
    let image = r#"{"content":{"parts":[{"inlineData":{}}]}}"#;
    assert_eq!(
        embedding::decode(image, "e").unwrap_err().at,
        "content.parts[0]"
    );
    for broken in ["{}", "[]", r#"{"embeddings":[{"values":3}]}"#] {
        assert!(embedding::decode_answer(broken).is_err(), "{broken}");
    }
}
