//! Every family to every other: what arrives is what was said, and what cannot cross is told.
//!
//! Knows pairs. The table that it makes of our own fixtures is `docs/dialects.md`; with `SLUICE_WRITE_DOCS` set it is
//! written, otherwise compared.

mod fold;
mod material;
mod table;

use dialect::{
    chat, cohere, converse,
    crossing::{self, Asked, Refused, Target, cross},
    gemini, messages,
    neutral::{Event, Family, Seed, Stop},
    responses,
};

use self::{
    fold::Folded,
    material::{Body, Material},
    table::Table,
};

/// Those that have clients.
const CLIENTS: [Family; 4] = [
    Family::Chat,
    Family::Responses,
    Family::Messages,
    Family::Gemini,
];

fn seed() -> Seed {
    Seed {
        request_id: "0192-crossing".to_owned(),
        now_seconds: 1_790_000_000,
    }
}

fn target(family: Family) -> Target<'static> {
    match family {
        Family::Chat => Target::Chat(chat::target::Target::new("m")),
        Family::Responses => Target::Responses(responses::Target {
            crossing: true,
            ..responses::Target::new("m")
        }),
        Family::Messages => Target::Messages(messages::target::Target {
            output_tokens_default: Some(4_096),
            ..messages::target::Target::new("m")
        }),
        Family::Gemini => Target::Gemini(gemini::Target::new("gemini-3-pro")),
        Family::Converse => Target::Converse(converse::target::Target::new("anthropic.claude-m")),
        Family::Cohere => Target::Cohere(cohere::Target::new("m")),
    }
}

fn asked(family: Family) -> Asked<'static> {
    Asked {
        family,
        model: "m",
        stream: false,
        events: true,
        input_tokens_estimate: 5,
        ceiling: None,
    }
}

#[test]
fn every_request_crosses_or_is_refused_by_name_and_the_table_says_which() {
    let mut table = Table::default();
    for material in material::own() {
        let Body::Request(body) = &material.body else {
            continue;
        };
        if !CLIENTS.contains(&material.family) {
            continue;
        }
        for provider in Family::ALL.into_iter().filter(|it| *it != material.family) {
            match cross(&asked(material.family), body, &target(provider), seed()) {
                Ok(crossed) => table.crossed(material.family, provider, crossed.dropped.paths()),
                Err(Refused::Unsupported(refused)) => {
                    assert!(!refused.at.is_empty(), "{}: {refused}", material.name);
                    table.refused(material.family, provider, &refused);
                }
                Err(Refused::Misfit(misfit)) => {
                    // Our own fixtures hold some that are wrong on purpose.
                    assert!(!misfit.wants.is_empty(), "{}", material.name);
                }
            }
        }
    }
    table.check();
}

#[test]
fn every_answer_says_the_same_in_every_other_family() {
    let mut compared = 0;
    for material in all() {
        let Body::Answer(body) = &material.body else {
            continue;
        };
        let Ok(said) = fold::answer(material.family, body, &seed()) else {
            continue;
        };
        for client in CLIENTS.into_iter().filter(|it| *it != material.family) {
            let back = back(client, material.family);
            let Ok(whole) = back.whole(body.as_bytes(), false) else {
                continue;
            };
            let heard = fold::answer(client, &String::from_utf8_lossy(&whole.body), &seed());
            let heard = heard.unwrap_or_else(|why| panic!("{} to {client}: {why}", material.name));
            assert_same(&material, client, &said, &heard);
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared} answers were compared");
}

#[test]
fn every_stream_says_the_same_in_every_other_family_however_it_is_cut() {
    let mut rng = fastrand::Rng::with_seed(11);
    let mut compared = 0;
    for material in all() {
        let Body::Stream(bytes) = &material.body else {
            continue;
        };
        let events = decoded(material.family, bytes);
        let said = fold::events(&events);
        for client in CLIENTS.into_iter().filter(|it| *it != material.family) {
            let back = back(client, material.family);
            let whole = translated(&back, bytes, bytes.len().max(1));
            let pieces = rng.usize(1..40);
            assert_eq!(
                whole,
                translated(&back, bytes, pieces),
                "{} to {client} in pieces of {pieces}",
                material.name
            );
            let heard = decoded(client, &whole);
            // Some report a failure as an end, and others as an error.
            let failed = |events: &[Event]| {
                events.iter().any(|event| {
                    matches!(
                        event,
                        Event::Error(_)
                            | Event::Stop {
                                stop: Stop::Failed(_),
                                ..
                            }
                    )
                })
            };
            assert_eq!(
                failed(&events),
                failed(&heard),
                "{} to {client}",
                material.name
            );
            if !failed(&events) {
                assert_same(&material, client, &said, &fold::events(&heard));
            }
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared} streams were compared");
}

fn all() -> Vec<Material> {
    let mut all = material::own();
    all.extend(material::recorded());
    all
}

/// The way back of an empty conversation.
fn back(client: Family, provider: Family) -> crossing::Back {
    let body = match client {
        Family::Responses => r#"{"model":"m","input":"hi"}"#,
        Family::Gemini => r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        Family::Messages => {
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#
        }
        _ => {
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"#
        }
    };
    let crossed = cross(&asked(client), body, &target(provider), seed());
    crossed.expect("a greeting crosses").back
}

fn translated(back: &crossing::Back, bytes: &[u8], pieces: usize) -> Vec<u8> {
    let (mut stream, mut out) = (back.stream(), Vec::new());
    for piece in bytes.chunks(pieces) {
        stream.push(piece, &mut out);
    }
    stream.finish(&mut out);
    out
}

fn decoded(family: Family, bytes: &[u8]) -> Vec<Event> {
    let mut decoder = crossing::Decoder::new(family, &seed(), false);
    let mut events = Vec::new();
    decoder.push(bytes, &mut events);
    decoder.finish(&mut events);
    events
}

fn assert_same(material: &Material, client: Family, said: &Folded, heard: &Folded) {
    let at = format!("{} to {client}", material.name);
    let told_why = said.why.is_some() && said.text.is_empty();
    if !told_why {
        assert_eq!(said.text, heard.text, "{at}: the text");
    }
    // A call that was cut at the most tokens cannot be said in every dialect.
    if said.whole_calls().len() == said.calls.len() {
        assert_eq!(said.whole_calls(), heard.whole_calls(), "{at}: the calls");
    }
    if let (Some(said), Some(heard)) = (said.tokens, heard.tokens) {
        assert_eq!(said, heard, "{at}: what was used");
    }
}
