//! Redacted thoughts: bytes in base64 here, text at their maker. Claude's are text themselves, so that the same
//! conversation can go on by another way to the same model.

use crate::base64;

/// What stands before bytes that are no text. No such text is base64, so none can be mistaken for it.
const BYTES: &str = "bedrock:";

/// The text of what stands in `redactedContent`.
pub(crate) fn unwrap(content: &str) -> String {
    base64::decode(content)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| !text.starts_with(BYTES))
        .unwrap_or_else(|| format!("{BYTES}{content}"))
}

/// What stands in `redactedContent` for a text.
pub(crate) fn wrap(text: &str) -> String {
    match text.strip_prefix(BYTES) {
        Some(content) => content.to_owned(),
        None => base64::encode(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_content_goes_back_as_it_was() {
        let content = "RXRrRUNrZ0lCeA==";
        assert_eq!(unwrap(content), "EtkECkgIBx");
        for content in [content, "//79", "not base64", "", "YmVkcm9jazp4"] {
            assert_eq!(wrap(&unwrap(content)), content);
        }
    }
}
