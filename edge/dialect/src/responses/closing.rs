//! The events with which a part of a client's stream ends. Each tells all of the part again.
//!
//! Owns which events those are. Must never know what comes next, or keep what it tells.

use payload::writer::Writer;

use crate::responses::{
    item,
    open::{Body, Called, Open, Said},
    output,
    teller::{At, Teller},
};

/// What tells of one item that is open.
pub(crate) struct Closing<'a> {
    teller: &'a mut Teller,
    at: At<'a>,
    out: &'a mut Vec<u8>,
}

/// Tells that the part of `open` that was open is whole. `output_index` is the number of its item.
pub(crate) fn tell(open: &Open, output_index: u64, teller: &mut Teller, out: &mut Vec<u8>) {
    let at = open.at(output_index);
    let mut closing = Closing { teller, at, out };
    match &open.body {
        Body::Message(parts) => {
            if let Some(part) = parts.last() {
                closing.words(part);
            }
        }
        Body::Thoughts(thoughts) if thoughts.told => closing.summary(&thoughts.text),
        Body::Thoughts(_) => {}
        Body::Call(call) => closing.call(call),
    }
}

// === impl Closing ===

impl Closing<'_> {
    fn tell(&mut self, kind: &str, write: impl FnOnce(&mut Writer)) {
        self.teller.tell_at(kind, self.at, self.out, write);
    }

    fn words(&mut self, part: &Said) {
        if part.refusal {
            self.tell("response.refusal.done", |writer| {
                writer.key("refusal").text(&part.text);
            });
        } else {
            self.tell("response.output_text.done", |writer| {
                writer.key("text").text(&part.text);
                writer.key("logprobs").open_array().close_array();
            });
        }
        self.tell("response.content_part.done", |writer| {
            writer.key("part");
            output::write_words(writer, &part.words());
        });
    }

    fn summary(&mut self, text: &str) {
        self.tell("response.reasoning_summary_text.done", |writer| {
            writer.key("summary_index").number(0).key("text").text(text);
        });
        self.tell("response.reasoning_summary_part.done", |writer| {
            writer.key("summary_index").number(0).key("part");
            output::write_summary(writer, text);
        });
    }

    /// A call with nothing in it is called with an empty object, of which the client has heard nothing yet.
    fn call(&mut self, call: &Called) {
        let missing = call.arguments.trim().is_empty();
        let arguments = if missing { "{}" } else { &call.arguments };
        if call.custom {
            let input = item::unwrapped(arguments);
            if !input.is_empty() {
                self.tell("response.custom_tool_call_input.delta", |writer| {
                    writer.key("delta").text(&input);
                });
            }
            self.tell("response.custom_tool_call_input.done", |writer| {
                writer.key("input").text(&input);
            });
            return;
        }
        if missing {
            self.tell("response.function_call_arguments.delta", |writer| {
                writer.key("delta").text(arguments);
            });
        }
        self.tell("response.function_call_arguments.done", |writer| {
            writer.key("arguments").text(arguments);
        });
    }
}
