//! `POST /v1/completions`: what may be asked, and what is answered.

use serde_json::{Map, Value};

use crate::demo::{
    chat,
    generation::{Form, Generation, Wanted, tokens},
    model,
    refusal::Refusal,
    rule::{self, Rule, Shape, rule},
};

/// What the real one gives when nobody says how much is wanted.
const TOKENS_DEFAULT: u64 = 16;

const RULES: [Rule; 18] = [
    rule("model", Shape::Any),
    rule("prompt", Shape::Any),
    rule("best_of", Shape::Integer(0, 20)),
    rule("echo", Shape::Boolean),
    rule("frequency_penalty", Shape::Number(-2.0, 2.0)),
    rule("logit_bias", Shape::Object),
    rule("logprobs", Shape::Integer(0, 5)),
    rule("max_tokens", Shape::Integer(0, 1_000_000)),
    rule("n", Shape::Integer(1, 128)),
    rule("presence_penalty", Shape::Number(-2.0, 2.0)),
    rule("seed", Shape::Integer(i64::MIN, i64::MAX)),
    rule("stop", Shape::Texts(4)),
    rule("stream", Shape::Boolean),
    rule("stream_options", Shape::Object),
    rule("suffix", Shape::Text),
    rule("temperature", Shape::Number(0.0, 2.0)),
    rule("top_p", Shape::Number(0.0, 1.0)),
    rule("user", Shape::Text),
];

/// Answers.
pub fn answer(body: &Map<String, Value>, now_seconds: u64) -> Result<Generation, Refusal> {
    model::asked(body, model::CHAT)?;
    let prompt = prompt(rule::required(body, "prompt")?)?;
    rule::check(body, &RULES)?;
    let wanted = Wanted {
        form: Form::Plain,
        choices: body.get("n").and_then(Value::as_u64).unwrap_or(1),
        tokens_max: Some(
            body.get("max_tokens")
                .and_then(Value::as_u64)
                .unwrap_or(TOKENS_DEFAULT),
        ),
        stops: rule::texts(body.get("stop")),
        prompt_tokens: tokens(&prompt),
        stream: chat::stream(body)?,
    };
    let text = match body.get("echo") {
        Some(Value::Bool(true)) => format!("{prompt} … and so it goes on."),
        _ => format!("… and so it goes on after: {prompt}"),
    };
    Ok(Generation::new(&text, wanted, now_seconds))
}

/// One prompt: of several, the first; of tokens, their number in words.
fn prompt(value: &Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(items) => match items.first() {
            Some(Value::String(text)) if items.iter().all(Value::is_string) => Ok(text.clone()),
            Some(Value::Number(_)) if items.iter().all(Value::is_u64) => {
                Ok("token ".repeat(items.len()))
            }
            _ => Err(Refusal::wrong_type(
                "prompt",
                "a string or an array of strings",
                value,
            )),
        },
        other => Err(Refusal::wrong_type(
            "prompt",
            "a string or an array of strings",
            other,
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_prompt_is_gone_on_with() {
        let body =
            json!({"model": "demo", "prompt": "Once upon a time", "echo": true, "max_tokens": 4});
        let answer = answer(body.as_object().unwrap(), 0).unwrap().whole();
        assert_eq!(answer["choices"][0]["text"], "Once upon a time ");
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
        assert_eq!(answer["object"], "text_completion");
        assert_eq!(answer["usage"]["prompt_tokens"], 4);
    }

    #[test]
    fn a_prompt_must_be_one() {
        for prompt in [json!(null), json!(7), json!([]), json!(["a", 1]), json!({})] {
            let body = json!({"model": "demo", "prompt": prompt});
            let refusal = answer(body.as_object().unwrap(), 0).unwrap_err();
            assert_eq!(
                (refusal.status, refusal.param.as_deref()),
                (400, Some("prompt")),
                "{prompt}"
            );
        }
    }
}
