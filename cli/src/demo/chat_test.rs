//! What the demo provider's chat refuses, and what it says.

use super::*;

fn ask(changes: &Value) -> Result<Value, (u16, String, String)> {
    let mut body =
        json!({"model": "demo", "messages": [{"role": "user", "content": "Hello there."}]});
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    match answer(body.as_object().unwrap(), 0) {
        Ok(generation) => Ok(generation.whole()),
        Err(refusal) => {
            let error = refusal.body()["error"].clone();
            assert_eq!(error["type"], "invalid_request_error");
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            Err((refusal.status, text("code"), text("param")))
        }
    }
}

#[test]
fn it_says_back_what_it_hears() {
    let answer = ask(&json!({})).unwrap();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.ends_with("Hello there."), "{text}");
    let usage = &answer["usage"];
    assert_eq!(usage["prompt_tokens"], 5);
    assert_eq!(usage["completion_tokens"], tokens(text));
    let parts = json!({"messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "content": null, "tool_calls": []},
    ]});
    let answer = ask(&parts).unwrap();
    assert!(
        answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .ends_with("Look:")
    );
    let answer = ask(&json!({"response_format": {"type": "json_object"}, "n": 2})).unwrap();
    let text = answer["choices"][1]["message"]["content"].as_str().unwrap();
    let said: Value = serde_json::from_str(text).unwrap();
    assert_eq!(said["you_said"], "Hello there.");
}

#[test]
fn parameters_that_are_null_are_absent() {
    ask(&json!({"temperature": null, "stop": null, "stream_options": null, "max_tokens": null}))
        .unwrap();
}

/// What is changed about a request that would be answered; then the status, code and parameter of the refusal.
const MISTAKES: [(&str, u16, &str, &str); 30] = [
    (r#"{"model": null}"#, 400, "", ""),
    (r#"{"model": 7}"#, 400, "invalid_type", "model"),
    (r#"{"model": "gpt-4o"}"#, 404, "model_not_found", ""),
    (
        r#"{"model": "demo-embed"}"#,
        400,
        "unsupported_model",
        "model",
    ),
    (
        r#"{"messages": null}"#,
        400,
        "missing_required_parameter",
        "messages",
    ),
    (r#"{"messages": "hello"}"#, 400, "invalid_type", "messages"),
    (r#"{"messages": []}"#, 400, "empty_array", "messages"),
    (
        r#"{"messages": ["hello"]}"#,
        400,
        "invalid_type",
        "messages[0]",
    ),
    (
        r#"{"messages": [{"content": "x"}]}"#,
        400,
        "missing_required_parameter",
        "messages[0].role",
    ),
    (
        r#"{"messages": [{"role": "wizard", "content": "x"}]}"#,
        400,
        "invalid_value",
        "messages[0].role",
    ),
    (
        r#"{"messages": [{"role": "user"}]}"#,
        400,
        "missing_required_parameter",
        "messages[0].content",
    ),
    (
        r#"{"messages": [{"role": "user", "content": 5}]}"#,
        400,
        "invalid_type",
        "messages[0].content",
    ),
    (
        r#"{"messages": [{"role": "user", "content": [{"type": "poem"}]}]}"#,
        400,
        "invalid_value",
        "messages[0].content[0].type",
    ),
    (
        r#"{"temperature": 2.5}"#,
        400,
        "decimal_above_max_value",
        "temperature",
    ),
    (
        r#"{"temperature": -0.1}"#,
        400,
        "decimal_below_min_value",
        "temperature",
    ),
    (
        r#"{"temperature": "hot"}"#,
        400,
        "invalid_type",
        "temperature",
    ),
    (r#"{"top_p": 1.1}"#, 400, "decimal_above_max_value", "top_p"),
    (
        r#"{"presence_penalty": 3}"#,
        400,
        "decimal_above_max_value",
        "presence_penalty",
    ),
    (r#"{"n": 0}"#, 400, "integer_below_min_value", "n"),
    (r#"{"n": 1.5}"#, 400, "invalid_type", "n"),
    (
        r#"{"max_tokens": 0}"#,
        400,
        "integer_below_min_value",
        "max_tokens",
    ),
    (
        r#"{"max_tokens": "many"}"#,
        400,
        "invalid_type",
        "max_tokens",
    ),
    (
        r#"{"stop": ["a", "b", "c", "d", "e"]}"#,
        400,
        "array_above_max_length",
        "stop",
    ),
    (r#"{"stop": [1]}"#, 400, "invalid_type", "stop"),
    (r#"{"stream": "yes"}"#, 400, "invalid_type", "stream"),
    (
        r#"{"stream_options": {"include_usage": true}}"#,
        400,
        "invalid_value",
        "stream_options",
    ),
    (
        r#"{"stream": true, "stream_options": {"include_usage": 1}}"#,
        400,
        "invalid_type",
        "include_usage",
    ),
    (
        r#"{"response_format": {"type": "poem"}}"#,
        400,
        "invalid_value",
        "response_format.type",
    ),
    (r#"{"tools": [1]}"#, 400, "invalid_type", "tools"),
    (
        r#"{"temprature": 1}"#,
        400,
        "unknown_parameter",
        "temprature",
    ),
];

#[test]
fn every_mistake_has_the_code_and_parameter_that_the_real_one_gives() {
    for (changes, status, code, param) in MISTAKES {
        let found = ask(&serde_json::from_str(changes).unwrap()).unwrap_err();
        assert_eq!(
            found,
            (status, code.to_owned(), param.to_owned()),
            "{changes}"
        );
    }
}
