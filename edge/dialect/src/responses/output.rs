//! The items of an answer as they are written: whole, each with its id and how far it came.
//!
//! Owns their members, for an answer and for the events of a stream alike. Must never know which comes next.

use payload::writer::Writer;

use crate::{
    neutral::{Extra, Seed},
    responses::{content::MESSAGE, item, own},
};

/// One part of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    /// What is said.
    pub(crate) text: &'a str,
    /// Whether it declines.
    pub(crate) refusal: bool,
    /// What else is said of it.
    pub(crate) extra: &'a [Extra],
}

/// A call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    /// What it is called with; the input of a custom call is taken out of it.
    pub(crate) arguments: &'a str,
    /// Whether the tool takes any text.
    pub(crate) custom: bool,
}

/// The id of the item number `index` of this answer.
pub(crate) fn item_id(prefix: &str, seed: &Seed, index: u64) -> String {
    let letters = seed.request_id.chars().filter(char::is_ascii_alphanumeric);
    format!("{prefix}_{}{index:04}", letters.collect::<String>())
}

/// Writes one part of a message.
pub(crate) fn write_words(writer: &mut Writer, words: &Words<'_>) {
    writer.open().key("type");
    let extra = words.extra;
    if words.refusal {
        writer.text("refusal").key("refusal").text(words.text);
    } else {
        let kind = own::find(extra, "type").unwrap_or("\"output_text\"");
        writer.raw(kind).key("text").text(words.text);
        for name in ["annotations", "logprobs"] {
            let raw = own::find(extra, name).unwrap_or("[]");
            writer.key(name).raw(raw);
        }
    }
    let written = [MESSAGE, "type", "annotations", "logprobs"];
    own::write_except(writer, extra, "", &written);
    writer.close();
}

/// Opens a message, up to its parts, which follow; [`end_message`] comes behind them.
pub(crate) fn begin_message(writer: &mut Writer, id: &str, status: &str, extra: &[Extra]) {
    writer.open().key("id");
    let own = |name: &str| own::find(extra, &format!("{MESSAGE}{name}"));
    match own("id") {
        Some(raw) => writer.raw(raw),
        None => writer.text(id),
    };
    writer.key("type").text("message").key("status");
    match own("status") {
        Some(raw) => writer.raw(raw),
        None => writer.text(status),
    };
    writer
        .key("role")
        .text("assistant")
        .key("content")
        .open_array();
}

/// Ends a message.
pub(crate) fn end_message(writer: &mut Writer, extra: &[Extra]) {
    writer.close_array();
    let written = ["id", "status", "content"].map(|name| format!("{MESSAGE}{name}"));
    own::write_except(
        writer,
        extra,
        MESSAGE,
        &written.each_ref().map(String::as_str),
    );
    writer.close();
}

/// Writes a call.
pub(crate) fn write_call(
    writer: &mut Writer,
    call: &Call<'_>,
    id: &str,
    status: &str,
    extra: &[Extra],
) {
    write_own(writer.open(), "id", id, extra);
    if call.custom {
        writer.key("type").text("custom_tool_call");
    } else {
        writer.key("type").text("function_call");
    }
    write_own(writer, "status", status, extra);
    writer
        .key("call_id")
        .text(call.id)
        .key("name")
        .text(call.name);
    if call.custom {
        let input = item::unwrapped(call.arguments);
        writer.key("input").text(&input);
    } else {
        writer.key("arguments").text(call.arguments);
    }
    own::write_except(writer, extra, "", &["id", "status", "type"]);
    writer.close();
}

/// Writes what was thought.
pub(crate) fn write_reasoning(
    writer: &mut Writer,
    id: &str,
    text: &str,
    sealed: Option<&str>,
    extra: &[Extra],
) {
    write_own(writer.open(), "id", id, extra);
    writer.key("type").text("reasoning").key("summary");
    if let Some(raw) = own::find(extra, "summary") {
        writer.raw(raw);
    } else {
        writer.open_array();
        if !text.is_empty() {
            write_summary(writer, text);
        }
        writer.close_array();
    }
    if let Some(sealed) = sealed {
        writer.key("encrypted_content").text(sealed);
    }
    own::write_except(writer, extra, "", &["id", "summary"]);
    writer.close();
}

/// Writes the one part of a summary.
pub(crate) fn write_summary(writer: &mut Writer, text: &str) {
    let writer = writer.open().key("type").text("summary_text");
    writer.key("text").text(text).close();
}

/// A member that the item may have said itself.
fn write_own(writer: &mut Writer, name: &str, default: &str, extra: &[Extra]) {
    writer.key(name);
    match own::find(extra, name) {
        Some(raw) => writer.raw(raw),
        None => writer.text(default),
    };
}
