//! Requests in the neutral form, as other families send them, and what becomes of them.
//!
//! Knows no single case.

use dialect::{
    messages::{request, target::Target},
    neutral::{Effort, Format, Json, Part, Reasoning, Request, Role, Tool, Turn},
};
use serde_json::Value;

pub(crate) fn ask(text: &str) -> Request {
    Request {
        turns: vec![Turn::new(Role::User, vec![Part::text(text)])],
        output_tokens_max: Some(4_000),
        ..Request::default()
    }
}

pub(crate) fn effort(effort: Effort) -> Reasoning {
    Reasoning {
        effort: Some(effort),
        ..Reasoning::default()
    }
}

pub(crate) fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
        extra: Vec::new(),
    }
}

pub(crate) fn schema() -> Format {
    Format::JsonSchema {
        name: Some("person".to_owned()),
        description: None,
        schema: Json::of(r#"{"type":"object","properties":{"name":{"type":"string"}}}"#),
        strict: Some(true),
    }
}

pub(crate) fn write(request: &Request, target: &Target<'_>) -> (Value, Vec<String>) {
    let encoded = request::encode(request, target).unwrap();
    let body = serde_json::from_slice(&encoded.body).unwrap();
    (body, encoded.dropped.paths().to_vec())
}

pub(crate) fn refused(request: &Request, target: &Target<'_>) -> String {
    request::encode(request, target).unwrap_err().at
}
