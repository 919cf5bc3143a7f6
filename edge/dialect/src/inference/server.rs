//! What a server of the protocol says of itself and of what it can be asked.
//!
//! Owns the shape. Must never know which models there are.

use payload::writer::Writer;

/// What takes data behind the JSON.
const BINARY: &str = "binary_tensor_data";

/// Who serves: `{"name":"…","version":"…","extensions":[…]}`.
pub fn metadata(name: &str, version: &str) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open().key("name").text(name);
    writer.key("version").text(version);
    writer.key("extensions").open_array();
    writer.text(BINARY).close_array().close();
    writer.into_bytes()
}

/// The server runs.
pub fn live() -> Vec<u8> {
    said(None, "live")
}

/// The server can be asked.
pub fn ready() -> Vec<u8> {
    said(None, "ready")
}

/// A model can be asked.
pub fn model_ready(name: &str) -> Vec<u8> {
    said(Some(name), "ready")
}

fn said(name: Option<&str>, what: &str) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open();
    if let Some(name) = name {
        writer.key("name").text(name);
    }
    writer.key(what).flag(true).close();
    writer.into_bytes()
}
