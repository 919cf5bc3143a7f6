//! `POST /v1/embeddings`: vectors in which texts that share words stand near each other.

use serde_json::{Map, Value, json};

use crate::demo::{
    generation::tokens,
    model,
    refusal::Refusal,
    rule::{self, Rule, Shape, rule},
};

const DIMENSIONS_DEFAULT: usize = 256;
const DIMENSIONS_MAX: i64 = 1_536;

/// The most inputs of one request; the real one's own bound.
const INPUTS_MAX: usize = 2_048;

const RULES: [Rule; 5] = [
    rule("model", Shape::Any),
    rule("input", Shape::Any),
    rule("dimensions", Shape::Integer(1, DIMENSIONS_MAX)),
    rule("encoding_format", Shape::OneOf(&["float", "base64"])),
    rule("user", Shape::Text),
];

/// Answers.
pub fn answer(body: &Map<String, Value>) -> Result<Value, Refusal> {
    model::asked(body, model::EMBEDDING)?;
    let inputs = inputs(rule::required(body, "input")?)?;
    rule::check(body, &RULES)?;
    let dimensions = body.get("dimensions").and_then(Value::as_u64);
    let dimensions = dimensions
        .and_then(|it| usize::try_from(it).ok())
        .unwrap_or(DIMENSIONS_DEFAULT);
    let packed = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let embedding = |(index, text): (usize, &String)| {
        let vector = vector(text, dimensions);
        let vector = if packed {
            json!(pack(&vector))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": vector})
    };
    let used: u64 = inputs.iter().map(|text| tokens(text)).sum();
    Ok(json!({
        "object": "list",
        "data": inputs.iter().enumerate().map(embedding).collect::<Vec<_>>(),
        "model": model::EMBEDDING,
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }))
}

/// The texts; tokens stand for a word each.
fn inputs(value: &Value) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::wrong_type("input", "a string or an array of strings", value);
    let word = |token: &Value| token.as_u64().map(|it| it.to_string());
    let words = |items: &[Value]| items.iter().map(word).collect::<Option<Vec<_>>>();
    let inputs = match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if items.first().is_some_and(Value::is_number) => {
            vec![words(items).ok_or_else(wrong)?.join(" ")]
        }
        Value::Array(items) => {
            let input = |item: &Value| match item {
                Value::String(text) => Some(text.clone()),
                Value::Array(tokens) => words(tokens).map(|words| words.join(" ")),
                _ => None,
            };
            items
                .iter()
                .map(input)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    if inputs.is_empty() || inputs.len() > INPUTS_MAX || inputs.iter().any(String::is_empty) {
        let message =
            format!("Invalid 'input': expected 1 to {INPUTS_MAX} inputs, none of them empty.");
        return Err(Refusal::invalid("invalid_value", "input", message));
    }
    Ok(inputs)
}

/// The sum of one direction for each word, of length one.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; dimensions];
    for word in text.split_whitespace() {
        let word = word
            .trim_matches(|letter: char| !letter.is_alphanumeric())
            .to_lowercase();
        // FNV-1a: the same word has the same direction in every build.
        let seed = word
            .bytes()
            .fold(14_695_981_039_346_656_037_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211)
            });
        let mut random = fastrand::Rng::with_seed(seed);
        for value in &mut sum {
            *value += random.f32() - 0.5;
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        for value in &mut sum {
            *value /= length;
        }
    }
    sum
}

/// Base64 of the little-endian numbers, as the SDKs ask for it.
fn pack(vector: &[f32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(group);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= three.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: &Value) -> Result<Value, Refusal> {
        answer(body.as_object().unwrap())
    }

    #[test]
    fn texts_that_share_words_are_near_each_other() {
        let near = |one: &str, other: &str| -> f32 {
            let (one, other) = (vector(one, 256), vector(other, 256));
            one.iter().zip(&other).map(|(one, other)| one * other).sum()
        };
        assert!((near("a red fox", "a red fox") - 1.0).abs() < 1e-5);
        assert!(near("a red fox", "A red fox!") > 0.99);
        assert!(near("a red fox", "a red hen") > near("a red fox", "two blue whales"));
    }

    #[test]
    fn numbers_come_as_they_are_or_packed() {
        assert_eq!(pack(&[1.0, 2.0, 3.0]), "AACAPwAAAEAAAEBA");
        assert_eq!(pack(&[1.0]), "AACAPw==");
        let body = |format: &str| json!({"model": "demo-embed", "input": ["a", "b"], "dimensions": 8, "encoding_format": format});
        let plain = ask(&body("float")).unwrap();
        assert_eq!(plain["data"][1]["embedding"].as_array().unwrap().len(), 8);
        assert_eq!(plain["usage"]["total_tokens"], 2);
        let packed = ask(&body("base64")).unwrap();
        assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), 44);
    }

    #[test]
    fn inputs_must_be_texts_or_tokens() {
        for input in [
            json!("a"),
            json!(["a", "b"]),
            json!([1, 2]),
            json!([[1], [2, 3]]),
        ] {
            ask(&json!({"model": "demo-embed", "input": input})).unwrap();
        }
        for input in [
            json!(null),
            json!(""),
            json!([]),
            json!([""]),
            json!([1, "a"]),
            json!({}),
            json!(1.5),
        ] {
            let refusal = ask(&json!({"model": "demo-embed", "input": input})).unwrap_err();
            assert_eq!(
                (refusal.status, refusal.param.as_deref()),
                (400, Some("input")),
                "{input}"
            );
        }
        for (name, value) in [
            ("dimensions", json!(0)),
            ("encoding_format", json!("hex")),
            ("x", json!(1)),
        ] {
            let refusal =
                ask(&json!({"model": "demo-embed", "input": "a", name: value})).unwrap_err();
            assert_eq!(refusal.param.as_deref(), Some(name));
        }
    }
}
