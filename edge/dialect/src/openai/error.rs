//! Errors in the shape that `OpenAI`'s clients understand, as a body and as an event in a stream.
//!
//! Knows nothing of status codes, nor of which errors there are: kind, code and message are given. All four
//! members are always there, because clients read them without asking.

use payload::scalar::quote;

/// The body of an answer that is an error.
pub fn body(kind: &str, code: &str, message: &str, param: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + kind.len() + code.len() + message.len());
    write(&mut out, kind, code, message, param);
    out
}

/// An event that ends a stream with an error. No `[DONE]` follows it: the stream did not get done.
pub fn event(kind: &str, code: &str, message: &str, param: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(104 + kind.len() + code.len() + message.len());
    out.extend(b"data: ");
    write(&mut out, kind, code, message, param);
    out.extend(b"\n\n");
    out
}

fn write(out: &mut Vec<u8>, kind: &str, code: &str, message: &str, param: Option<&str>) {
    out.extend(b"{\"error\":{\"message\":");
    quote(out, message);
    out.extend(b",\"type\":");
    quote(out, kind);
    out.extend(b",\"param\":");
    match param {
        Some(param) => quote(out, param),
        None => out.extend(b"null"),
    }
    out.extend(b",\"code\":");
    quote(out, code);
    out.extend(b"}}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_all_four_members_and_its_text_is_escaped() {
        let body = body(
            "invalid_request_error",
            "no_model",
            "no \"model\"\n",
            Some("model"),
        );
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"error":{"message":"no \"model\"\u000a","type":"invalid_request_error","param":"model","code":"no_model"}}"#
        );
    }

    #[test]
    fn an_error_event_is_one_data_line() {
        let event = event("server_error", "cut", "the provider\r\nwent away", None);
        let text = String::from_utf8(event).unwrap();
        let line = text
            .strip_prefix("data: ")
            .and_then(|rest| rest.strip_suffix("\n\n"))
            .unwrap();
        let error: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(error["error"]["message"], "the provider\r\nwent away");
        assert!(error["error"]["param"].is_null());
    }
}
