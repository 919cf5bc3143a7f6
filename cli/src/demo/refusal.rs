//! Refusals in OpenAI's shape. The numbers of this file are the provider's, not the gateway's.

use serde_json::{Value, json};

/// Why a request is declined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What a program reads.
    pub code: Option<&'static str>,
    /// Which parameter is meant.
    pub param: Option<String>,
    /// What a person reads.
    pub message: String,
}

// === impl Refusal ===

impl Refusal {
    /// A parameter is not as it must be.
    pub fn invalid(code: &'static str, param: &str, message: String) -> Self {
        Self {
            status: 400,
            code: Some(code),
            param: Some(param.to_owned()),
            message,
        }
    }

    /// A parameter is not there.
    pub fn missing(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self::invalid("missing_required_parameter", param, message)
    }

    /// A parameter is of the wrong type.
    pub fn wrong_type(param: &str, expected: &str, got: &Value) -> Self {
        let got = match got {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(number) if number.is_f64() => "a decimal number",
            Value::Number(_) => "an integer",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        let message =
            format!("Invalid type for '{param}': expected {expected}, but got {got} instead.");
        Self::invalid("invalid_type", param, message)
    }

    /// The body is not a JSON object.
    pub fn not_json() -> Self {
        let message = "We could not parse the JSON body of your request.".to_owned();
        Self {
            status: 400,
            code: None,
            param: None,
            message,
        }
    }

    /// The body is longer than anyone needs here.
    pub fn too_long() -> Self {
        let message = "The request body is too large.".to_owned();
        Self {
            status: 413,
            code: None,
            param: None,
            message,
        }
    }

    /// There is no such model, or not for this.
    pub fn no_model(model: &str) -> Self {
        let message =
            format!("The model `{model}` does not exist or you do not have access to it.");
        Self {
            status: 404,
            code: Some("model_not_found"),
            param: None,
            message,
        }
    }

    /// No key.
    pub fn no_key() -> Self {
        let message = "You didn't provide an API key. You need to provide your API key in an \
                       Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            .to_owned();
        Self {
            status: 401,
            code: None,
            param: None,
            message,
        }
    }

    /// Another key.
    pub fn wrong_key() -> Self {
        let message = "Incorrect API key provided.".to_owned();
        Self {
            status: 401,
            code: Some("invalid_api_key"),
            param: None,
            message,
        }
    }

    /// Nothing stands at this path.
    pub fn no_path(method: &str, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        Self {
            status: 404,
            code: None,
            param: None,
            message,
        }
    }

    /// The path takes another method.
    pub fn wrong_method(method: &str, path: &str) -> Self {
        let message = format!("Not allowed to {method} on {path}.");
        Self {
            status: 405,
            code: Some("method_not_supported"),
            param: None,
            message,
        }
    }

    /// The body of the answer.
    pub fn body(&self) -> Value {
        json!({"error": {
            "message": self.message,
            "type": "invalid_request_error",
            "param": self.param,
            "code": self.code,
        }})
    }
}
