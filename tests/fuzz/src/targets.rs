//! All entries, by name. `targets/Cargo.toml` lists the same names for the fuzzer.

use dialect::neutral::Family;

use crate::{family, framing, json, meter, rules, signed, vectors};

/// One entry.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// What it does with an input.
    pub run: fn(&[u8]),
}

/// All of them.
pub const ALL: [Target; 17] = [
    of("json", json::scan),
    of("splice", json::splice),
    of("sse", framing::server_sent),
    of("event_stream", framing::frames),
    of("meter", meter::passing),
    of("chat", |input| family::check(Family::Chat, input)),
    of("responses", |input| family::check(Family::Responses, input)),
    of("messages", |input| family::check(Family::Messages, input)),
    of("gemini", |input| family::check(Family::Gemini, input)),
    of("converse", |input| family::check(Family::Converse, input)),
    of("cohere", |input| family::check(Family::Cohere, input)),
    of("vectors", vectors::check),
    of("transform", rules::transform),
    of("jq", rules::program),
    of("token", signed::token),
    of("keys", signed::keys),
    of("expression", signed::expression),
];

const fn of(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// The entry of this name.
pub fn named(name: &str) -> Option<Target> {
    ALL.into_iter().find(|it| it.name == name)
}
