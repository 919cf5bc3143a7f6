//! `OpenAI`'s embeddings: there and back, in both forms of vectors, and as they were recorded.

use std::{env, fs, path::Path};

use dialect::{
    Tokens,
    neutral::{
        EmbeddingInput, EmbeddingRequest, Embeddings, Encoding, Extra, Family, Json, Task, Vector,
    },
    openai::embedding,
};
use fastrand::Rng;
use serde_json::{Value, json};

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openai");
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn again(body: &str) -> Value {
    let request = embedding::decode(body).unwrap();
    let encoded = embedding::encode(&request, &request.model).unwrap();
    assert!(encoded.dropped.is_empty());
    json(&encoded.body)
}

/// One input alone is a list of one, and floats are what is given unasked.
fn normal(mut request: Value) -> Value {
    let input = &mut request["input"];
    if input.is_string() || input[0].is_number() {
        *input = json!([input]);
    }
    if request["encoding_format"] == "float" {
        request.as_object_mut().unwrap().remove("encoding_format");
    }
    request
}

fn written(answer: &Embeddings, encoding: Encoding) -> Value {
    json(&embedding::encode_answer(answer, encoding).unwrap())
}

#[test]
fn requests_are_written_as_they_came() {
    for name in ["texts", "one", "tokens", "token-lists"] {
        let body = read(&format!("embed-request-{name}.json"));
        assert_eq!(again(&body), normal(json(body.as_bytes())), "{name}");
    }
}

#[test]
fn a_request_means_what_it_says() {
    let request = embedding::decode(&read("embed-request-texts.json")).unwrap();
    assert_eq!(
        (request.dimensions, request.encoding),
        (Some(4), Encoding::Base64)
    );
    assert_eq!(
        request.inputs[1],
        EmbeddingInput::Text("a \"lake\" 😀".to_owned())
    );
    let tokens = embedding::decode(&read("embed-request-tokens.json")).unwrap();
    assert_eq!(tokens.inputs, [EmbeddingInput::Tokens(vec![102_257, 7])]);
    let lists = embedding::decode(&read("embed-request-token-lists.json")).unwrap();
    assert_eq!(lists.inputs.len(), 3);
}

#[test]
fn answers_are_written_as_they_came_and_in_the_other_form() {
    let [numbers, packed] =
        ["numbers", "packed"].map(|name| read(&format!("embed-answer-{name}.json")));
    for (came, encoding) in [(&numbers, Encoding::Floats), (&packed, Encoding::Base64)] {
        let answer = embedding::decode_answer(came).unwrap();
        assert_eq!(
            answer.tokens,
            Some(Tokens {
                input: 8,
                ..Tokens::default()
            })
        );
        assert_eq!(written(&answer, encoding), json(came.as_bytes()));
        // The digits, too, stay as they were.
        let text = String::from_utf8(embedding::encode_answer(&answer, encoding).unwrap()).unwrap();
        assert!(encoding == Encoding::Base64 || text.contains("4.623822e-05"));
    }
    let answer = embedding::decode_answer(&numbers).unwrap();
    assert_eq!(written(&answer, Encoding::Base64), json(packed.as_bytes()));
    let answer = embedding::decode_answer(&packed).unwrap();
    let floats = written(&answer, Encoding::Floats);
    let expected = json(numbers.as_bytes());
    for at in [0, 1] {
        assert_eq!(
            single(&floats["data"][at]["embedding"]),
            single(&expected["data"][at]["embedding"])
        );
    }
}

#[test]
fn vectors_stand_in_the_order_of_their_inputs() {
    let body = r#"{"data":[{"index":1,"embedding":[1],"x":"b"},{"index":0,"embedding":[0],"x":"a"}],"model":"m"}"#;
    let answer = embedding::decode_answer(body).unwrap();
    let body = written(&answer, Encoding::Floats);
    assert_eq!(
        body["data"],
        json!([
            {"object": "embedding", "index": 0, "embedding": [0], "x": "a"},
            {"object": "embedding", "index": 1, "embedding": [1], "x": "b"}
        ])
    );
    assert_eq!(body.get("usage"), None);
}

#[test]
fn a_usage_that_was_changed_is_written_anew() {
    let mut answer = embedding::decode_answer(&read("embed-answer-numbers.json")).unwrap();
    answer.tokens = Some(Tokens {
        input: 5,
        ..Tokens::default()
    });
    let body = written(&answer, Encoding::Floats);
    assert_eq!(
        body["usage"],
        json!({"prompt_tokens": 5, "total_tokens": 5})
    );
}

#[test]
fn others_are_written_in_openai_s_words() {
    let request = EmbeddingRequest {
        inputs: vec![EmbeddingInput::Text("a".to_owned())],
        task: Some(Task::Query),
        extra: vec![Extra::new(Family::Cohere, "truncate", "\"END\"")],
        ..EmbeddingRequest::default()
    };
    let encoded = embedding::encode(&request, "m").unwrap();
    assert_eq!(json(&encoded.body), json!({"model": "m", "input": ["a"]}));
    assert_eq!(encoded.dropped.paths(), ["input_type", "truncate"]);
    let answer = Embeddings {
        model: "m".to_owned(),
        vectors: vec![Vector::Numbers(Json::of("[1]"))],
        tokens: Some(Tokens {
            input: 3,
            cached_input: 1,
            ..Tokens::default()
        }),
        extra: vec![Extra::new(Family::Cohere, "id", "\"x\"")],
    };
    assert_eq!(
        written(&answer, Encoding::Floats),
        json!({
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [1]}],
            "model": "m",
            "usage": {"prompt_tokens": 4, "total_tokens": 4}
        })
    );
    let odd = Embeddings {
        vectors: vec![Vector::Packed("AAA".to_owned())],
        ..Embeddings::default()
    };
    assert_eq!(embedding::encode_answer(&odd, Encoding::Floats), None);
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    for (body, told) in [
        ("{}", "model is missing"),
        (r#"{"model":"m"}"#, "input is missing"),
        (r#"{"model":"m","input":[]}"#, "input must not be empty"),
        (
            r#"{"model":"m","input":7}"#,
            "input must be a string or an array",
        ),
        (
            r#"{"model":"m","input":[1,"a"]}"#,
            "input[1] must be a token's number",
        ),
        (
            r#"{"model":"m","input":["a",1]}"#,
            "input[1] must be a string or an array of tokens",
        ),
        (
            r#"{"model":"m","input":[[1,2.5]]}"#,
            "input[0][1] must be a token's number",
        ),
        (
            r#"{"model":"m","input":"a","dimensions":-1}"#,
            "dimensions must be a number of at least 0",
        ),
        (
            r#"{"model":"m","input":"a","encoding_format":"hex"}"#,
            "encoding_format must be float or base64",
        ),
    ] {
        assert_eq!(
            embedding::decode(body).unwrap_err().to_string(),
            told,
            "{body}"
        );
    }
    for (body, told) in [
        ("{}", "data is missing"),
        (r#"{"data":[{"index":0}]}"#, "data[0].embedding is missing"),
        (
            r#"{"data":[{"index":0,"embedding":1}]}"#,
            "data[0].embedding must be an array or a string",
        ),
        (
            r#"{"data":[{"index":1,"embedding":[]}]}"#,
            "data must have one vector for each input",
        ),
        (
            r#"{"data":[{"index":0,"embedding":[]},{"index":0,"embedding":[]}]}"#,
            "data must have one vector for each input",
        ),
    ] {
        assert_eq!(
            embedding::decode_answer(body).unwrap_err().to_string(),
            told,
            "{body}"
        );
    }
}

#[test]
fn random_vectors_are_the_same_in_both_forms() {
    for seed in 0..200 {
        let mut rng = Rng::with_seed(seed);
        let vectors: Vec<Vec<f32>> = (0..rng.usize(1..4))
            .map(|_| {
                (0..rng.usize(..50))
                    .map(|_| (rng.f32() - 0.5) * 10_f32.powi(rng.i32(-20..20)))
                    .collect()
            })
            .collect();
        let data: Vec<Value> = vectors
            .iter()
            .map(|vector| json!({"embedding": vector}))
            .collect();
        let answer = embedding::decode_answer(&json!({"data": data}).to_string()).unwrap();
        let packed = written(&answer, Encoding::Base64);
        let again = embedding::decode_answer(&packed.to_string()).unwrap();
        let numbers = written(&again, Encoding::Floats);
        for (at, vector) in vectors.iter().enumerate() {
            assert_eq!(
                single(&numbers["data"][at]["embedding"]),
                *vector,
                "seed {seed}"
            );
        }
        assert_eq!(written(&again, Encoding::Base64), packed);
    }
}

#[test]
fn recordings_go_there_and_back() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let (mut requests, mut vectors) = (0, 0);
    for family in ["openai", "azure", "gemini", "cohere"] {
        for file in fs::read_dir(Path::new(&folder).join(family)).unwrap() {
            let recording = json(&fs::read(file.unwrap().path()).unwrap());
            for interaction in recording["interactions"].as_array().into_iter().flatten() {
                let url = interaction["url"].as_str().unwrap();
                if url.contains("/embeddings") {
                    check_request(interaction);
                    requests += 1;
                }
                vectors += check_vectors(&interaction["response_body"]);
            }
        }
    }
    println!("{requests} requests, {vectors} vectors");
    assert!(requests > 0 && vectors > 0, "{folder} holds too little");
}

fn check_request(interaction: &Value) {
    let body = &interaction["request_body"];
    match embedding::decode(&body.to_string()) {
        Ok(_) => assert_eq!(again(&body.to_string()), normal(body.clone())),
        // What the provider refused may be refused here.
        Err(misfit) => assert_eq!(interaction["status"], 400, "{misfit}"),
    }
    if interaction["status"] == 200 {
        let body = &interaction["response_body"];
        let answer = embedding::decode_answer(&body.to_string()).unwrap();
        let packed = matches!(answer.vectors.first(), Some(Vector::Packed(_)));
        let encoding = if packed {
            Encoding::Base64
        } else {
            Encoding::Floats
        };
        assert_eq!(written(&answer, encoding), *body);
    }
}

/// Vectors of any family, packed and unpacked.
fn check_vectors(body: &Value) -> u32 {
    let mut checked = 0;
    for embedding in body["embeddings"].as_array().into_iter().flatten() {
        let values = &embedding["values"];
        let vectors = vec![Vector::Numbers(Json::of(&values.to_string()))];
        let answer = Embeddings {
            vectors,
            ..Embeddings::default()
        };
        let packed = written(&answer, Encoding::Base64);
        let again = embedding::decode_answer(&packed.to_string()).unwrap();
        let numbers = written(&again, Encoding::Floats);
        assert_eq!(single(&numbers["data"][0]["embedding"]), single(values));
        checked += 1;
    }
    checked
}

/// The numbers of an array, each in the precision of vectors.
fn single(array: &Value) -> Vec<f32> {
    let each = array.as_array().unwrap().iter();
    each.map(|number| number.to_string().parse().unwrap())
        .collect()
}
