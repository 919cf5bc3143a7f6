//! Texts that become vectors: there and back, and for others.

use dialect::{
    Tokens,
    cohere::embedding::{self, Target},
    neutral::{
        EmbeddingInput, EmbeddingRequest, Embeddings, Encoding, Extra, Family, Json, Task, Vector,
    },
};
use serde_json::{Value, json};

use super::fixture;

fn answer(name: &str) -> (Embeddings, Value) {
    let body = fixture::read(name);
    let answer = embedding::decode_answer(&body).unwrap();
    (answer, fixture::json(body.as_bytes()))
}

fn written(answer: &Embeddings, encoding: Encoding) -> Value {
    fixture::json(&embedding::encode_answer(answer, encoding, &fixture::seed()).unwrap())
}

#[test]
fn requests_are_written_as_they_came() {
    for name in fixture::names("embed-request-") {
        let body = fixture::read(&name);
        let request = embedding::decode(&body).unwrap();
        let encoded = embedding::encode(&request, &Target::new(&request.model)).unwrap();
        assert_eq!(
            fixture::json(&encoded.body),
            fixture::json(body.as_bytes()),
            "{name}"
        );
        assert!(encoded.dropped.is_empty());
    }
}

#[test]
fn answers_are_written_as_they_came() {
    for name in fixture::names("embed-answer-") {
        let (answer, came) = answer(&name);
        let packed = matches!(answer.vectors.first(), Some(Vector::Packed(_)));
        let encoding = if packed {
            Encoding::Base64
        } else {
            Encoding::Floats
        };
        assert_eq!(written(&answer, encoding), came, "{name}");
    }
}

#[test]
fn floats_are_the_vectors_where_there_are_several_types() {
    let (answer, _) = answer("embed-answer-types.json");
    let numbers = |vector: &Vector| matches!(vector, Vector::Numbers(_));
    assert_eq!(answer.vectors.len(), 2);
    assert!(answer.vectors.iter().all(numbers));
}

#[test]
fn answers_say_what_was_used() {
    let used = |name: &str| answer(name).0.tokens;
    let six = Tokens {
        input: 6,
        ..Tokens::default()
    };
    assert_eq!(used("embed-answer-numbers.json"), Some(six));
    assert_eq!(used("embed-answer-types.json"), Some(six));
    assert_eq!(used("embed-answer-bytes.json"), None);
}

#[test]
fn vectors_are_given_in_the_form_that_was_asked_for() {
    let (answer, _) = answer("embed-answer-packed.json");
    let body = written(&answer, Encoding::Floats);
    assert_eq!(body["embeddings"], json!({"float": [[0.5, -2, 0.001, 0]]}));
    let (answer, _) = self::answer("embed-answer-numbers.json");
    let body = written(&answer, Encoding::Base64);
    assert_eq!(body["embeddings"]["base64"][0], "AAAAPwAAAMBvEoM6AAAAAA==");
    assert_eq!(body["embeddings"].get("float"), None);
}

#[test]
fn requests_of_others_are_told_what_they_are_for() {
    let text = || EmbeddingInput::Text("a".to_owned());
    let mut request = EmbeddingRequest {
        inputs: vec![text()],
        encoding: Encoding::Base64,
        extra: vec![Extra::new(Family::Chat, "user", "\"u\"")],
        ..EmbeddingRequest::default()
    };
    let target = Target {
        input_type: "classification",
        ..Target::new("embed")
    };
    let encoded = embedding::encode(&request, &target).unwrap();
    assert_eq!(
        fixture::json(&encoded.body),
        json!({"model": "embed", "texts": ["a"], "input_type": "classification", "embedding_types": ["base64"]})
    );
    assert_eq!(encoded.dropped.paths(), ["user"]);
    for (task, word) in [
        (Task::Query, "search_query"),
        (Task::Document, "search_document"),
        (Task::Similarity, "clustering"),
        (Task::Classification, "classification"),
        (Task::Clustering, "clustering"),
        (Task::Question, "search_query"),
        (Task::Claim, "search_query"),
        (Task::CodeQuery, "search_query"),
    ] {
        request.task = Some(task);
        let encoded = embedding::encode(&request, &target).unwrap();
        assert_eq!(fixture::json(&encoded.body)["input_type"], word);
    }
    request.inputs = vec![text(), EmbeddingInput::Tokens(vec![1])];
    assert_eq!(
        embedding::encode(&request, &target).unwrap_err().at,
        "input[1]"
    );
}

#[test]
fn answers_of_others_get_an_id_and_a_shape() {
    let answer = Embeddings {
        vectors: vec![Vector::Numbers(Json::of("[1]"))],
        tokens: Some(Tokens {
            input: 2,
            ..Tokens::default()
        }),
        ..Embeddings::default()
    };
    let body = written(&answer, Encoding::Floats);
    assert_eq!(body["id"], "0190-ab");
    assert_eq!(body["embeddings"], json!({"float": [[1]]}));
    assert_eq!(body["response_type"], "embeddings_by_type");
    assert_eq!(body["meta"]["billed_units"]["input_tokens"], 2);
    let none = Vector::Numbers(Json::of("[null]"));
    let answer = Embeddings {
        vectors: vec![none],
        ..Embeddings::default()
    };
    assert_eq!(
        embedding::encode_answer(&answer, Encoding::Base64, &fixture::seed()),
        None
    );
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    for (body, told) in [
        ("{}", "model is missing"),
        (r#"{"model":"m"}"#, "texts is missing"),
        (
            r#"{"model":"m","texts":["a",1]}"#,
            "texts[1] must be a string",
        ),
        (
            r#"{"model":"m","images":["x"]}"#,
            "images is not taken here: send texts",
        ),
        (
            r#"{"model":"m","inputs":[]}"#,
            "inputs is not taken here: send texts",
        ),
        (
            r#"{"model":"m","texts":[],"embedding_types":"float"}"#,
            "embedding_types must be an array",
        ),
    ] {
        assert_eq!(embedding::decode(body).unwrap_err().to_string(), told);
    }
    for (body, told) in [
        ("{}", "embeddings is missing"),
        (
            r#"{"embeddings":{"float":[1]}}"#,
            "embeddings.float[0] must be an array or a string",
        ),
        (r#"{"embeddings":1}"#, "embeddings must be an object"),
    ] {
        assert_eq!(
            embedding::decode_answer(body).unwrap_err().to_string(),
            told
        );
    }
}
