//! What Google reads alike, made the same, so that a text can be compared with what came back of it.
//!
//! Written anew, with another JSON reader. Leaves arguments, responses and schemas as they are.

use serde_json::{Map, Value, json};

/// A request as it is compared.
pub(super) fn request(mut request: Value) -> Value {
    let it = object(&mut request);
    spell(it);
    it.remove("model");
    if let Some(instruction) = it.get_mut("systemInstruction") {
        content(instruction, false);
    }
    if let Some(contents) = it.get_mut("contents") {
        for it in list(contents) {
            content(it, true);
        }
    }
    if let Some(tools) = it.get_mut("tools") {
        *tools = together(tools);
    }
    for name in ["toolConfig", "generationConfig"] {
        if let Some(config) = it.get_mut(name) {
            spell(object(config));
        }
    }
    if let Some(calling) = it
        .get_mut("toolConfig")
        .and_then(|it| it.get_mut("functionCallingConfig"))
    {
        spell(object(calling));
    }
    if let Some(config) = it.get_mut("generationConfig") {
        let config = object(config);
        if let Some(thinking) = config.get_mut("thinkingConfig") {
            spell(object(thinking));
        }
        if let Some(Value::String(count)) = config.get("maxOutputTokens") {
            let count: u64 = count.parse().unwrap();
            config.insert("maxOutputTokens".to_owned(), json!(count));
        }
        if config.is_empty() {
            it.remove("generationConfig");
        }
    }
    request
}

/// An answer as it is compared.
pub(super) fn answer(mut answer: Value) -> Value {
    let it = object(&mut answer);
    spell(it);
    for candidate in it.get_mut("candidates").map(list).into_iter().flatten() {
        let candidate = object(candidate);
        if candidate.get("index") == Some(&json!(0)) {
            candidate.remove("index");
        }
        let said = candidate.entry("content").or_insert(json!({}));
        content(said, false);
        object(said).insert("role".to_owned(), json!("model"));
        if said["parts"] == json!([]) {
            object(said).remove("parts");
        }
    }
    answer
}

fn content(content: &mut Value, of_user: bool) {
    let content = object(content);
    spell(content);
    if of_user {
        content.entry("role").or_insert(json!("user"));
    }
    let parts = content.entry("parts").or_insert(json!([]));
    let mut kept: Vec<Value> = Vec::new();
    for mut it in list(parts).drain(..) {
        part(&mut it);
        let thought = it["thought"] == true;
        let empty = it["text"] == "" && it["thoughtSignature"].is_null();
        match kept.last_mut() {
            Some(last)
                if thought && last["thought"] == true && last["thoughtSignature"].is_null() =>
            {
                let text = format!(
                    "{}{}",
                    last["text"].as_str().unwrap(),
                    it["text"].as_str().unwrap()
                );
                *last = it;
                last["text"] = json!(text);
            }
            _ if empty => {}
            _ => kept.push(it),
        }
    }
    *parts = Value::Array(kept);
}

fn part(part: &mut Value) {
    let part = object(part);
    spell(part);
    if part.get("thought") == Some(&json!(false)) {
        part.remove("thought");
    }
    if let Some(call) = part.get_mut("functionCall") {
        spell(object(call));
        object(call).entry("args").or_insert(json!({}));
    }
    if let Some(response) = part.get_mut("functionResponse") {
        spell(object(response));
    }
    for name in ["inlineData", "fileData"] {
        if let Some(media) = part.get_mut(name) {
            let media = object(media);
            spell(media);
            if let Some(Value::String(data)) = media.get_mut("data") {
                *data = data.replace('-', "+").replace('_', "/");
            }
        }
    }
}

/// Tools in one element, those of Google's own behind it.
fn together(tools: &mut Value) -> Value {
    let (mut declared, mut others) = (Vec::new(), Vec::new());
    for tool in list(tools) {
        let tool = object(tool);
        spell(tool);
        for (name, value) in std::mem::take(tool) {
            if name == "functionDeclarations" {
                declared.extend(value.as_array().unwrap().clone());
            } else {
                others.push(json!({name: value}));
            }
        }
    }
    for declaration in &mut declared {
        spell(object(declaration));
    }
    let mut all = Vec::new();
    if !declared.is_empty() {
        all.push(json!({"functionDeclarations": declared}));
    }
    all.extend(others);
    Value::Array(all)
}

/// Names in camel case, and no nulls.
fn spell(it: &mut Map<String, Value>) {
    for (name, value) in std::mem::take(it) {
        if value.is_null() {
            continue;
        }
        let mut camel = String::new();
        let mut up = false;
        for letter in name.chars() {
            if letter == '_' {
                up = true;
            } else if std::mem::take(&mut up) {
                camel.push(letter.to_ascii_uppercase());
            } else {
                camel.push(letter);
            }
        }
        it.insert(camel, value);
    }
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().expect("an object")
}

fn list(value: &mut Value) -> &mut Vec<Value> {
    if value.is_object() {
        *value = json!([value.take()]);
    }
    value.as_array_mut().expect("an array")
}
