//! The models of the demo provider.

use serde_json::{Map, Value, json};

use crate::demo::{refusal::Refusal, rule};

/// The one that speaks.
pub const CHAT: &str = "demo";

/// The one that makes vectors.
pub const EMBEDDING: &str = "demo-embed";

/// When both were made: the first hour of 2026, in seconds since 1970.
const CREATED: u64 = 1_767_225_600;

/// The list of models.
pub fn list() -> Value {
    json!({"object": "list", "data": [object(CHAT), object(EMBEDDING)]})
}

/// One model.
pub fn one(id: &str) -> Result<Value, Refusal> {
    if [CHAT, EMBEDDING].contains(&id) {
        Ok(object(id))
    } else {
        Err(Refusal::no_model(id))
    }
}

/// The model that a request asks for, which must be `own` for this endpoint.
pub fn asked(body: &Map<String, Value>, own: &str) -> Result<(), Refusal> {
    match rule::required(body, "model") {
        Ok(Value::String(model)) if model == own => Ok(()),
        Ok(Value::String(model)) if one(model).is_ok() => {
            let message = format!("The model `{model}` does not work with this endpoint.");
            Err(Refusal::invalid("unsupported_model", "model", message))
        }
        Ok(Value::String(model)) => Err(Refusal::no_model(model)),
        Ok(other) => Err(Refusal::wrong_type("model", "a string", other)),
        Err(_) => {
            let message = "you must provide a model parameter".to_owned();
            Err(Refusal {
                status: 400,
                code: None,
                param: None,
                message,
            })
        }
    }
}

fn object(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": CREATED, "owned_by": "sluice-demo"})
}
