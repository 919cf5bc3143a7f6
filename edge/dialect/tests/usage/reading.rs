//! Every way in which the edge learns what was used: passing through, and on the way to another family.

use bytes::Bytes;
use dialect::{
    Tokens,
    crossing::{self, Asked, Decoder, Target, stream::Aside, watch},
    neutral::{Family, Seed},
    openai::{answer, stream::Meter},
    request::Endpoint,
};

/// What each way makes of it.
pub(crate) type Read = Vec<(String, Option<Tokens>)>;

/// A whole answer, as it passes and as it is translated.
pub(crate) fn of_answer(family: Family, text: &str) -> Read {
    let body = text.as_bytes();
    let mut read = vec![("passed".to_owned(), watch::tokens_of_answer(family, body))];
    if family == Family::Chat {
        let metered = answer::tokens(Endpoint::ChatCompletions, body);
        read.push(("metered".to_owned(), metered));
    }
    for client in clients(family) {
        // Some answers cannot cross; what they used is told all the same, by the way above.
        if let Ok(whole) = back(client, family).whole(body, false) {
            read.push((format!("translated to {client}"), whole.tokens));
        }
    }
    read
}

/// A stream, as it passes and as it is translated, whole and byte by byte.
pub(crate) fn of_stream(family: Family, bytes: &[u8]) -> Read {
    let mut read = Vec::new();
    for pieces in [bytes.len().max(1), 1, 7] {
        let mut aside = Aside::new(Decoder::new(family, &seed(), false));
        bytes.chunks(pieces).for_each(|piece| aside.push(piece));
        aside.finish();
        let way = format!("passed in pieces of {pieces}");
        read.push((way, aside.watch().tokens()));
        if family == Family::Chat {
            let (mut meter, mut out) = (Meter::new(true), Vec::new());
            for piece in bytes.chunks(pieces) {
                meter.push(Bytes::copy_from_slice(piece), &mut out);
            }
            meter.finish(&mut out);
            read.push((format!("metered in pieces of {pieces}"), meter.tokens()));
        }
        for client in clients(family) {
            let (mut stream, mut out) = (back(client, family).stream(), Vec::new());
            for piece in bytes.chunks(pieces) {
                stream.push(piece, &mut out);
            }
            stream.finish(&mut out);
            let way = format!("translated to {client} in pieces of {pieces}");
            read.push((way, stream.watch().tokens()));
        }
    }
    read
}

fn clients(provider: Family) -> impl Iterator<Item = Family> {
    [
        Family::Chat,
        Family::Responses,
        Family::Messages,
        Family::Gemini,
    ]
    .into_iter()
    .filter(move |client| *client != provider)
}

fn seed() -> Seed {
    Seed {
        request_id: "0192-usage".to_owned(),
        now_seconds: 1_790_000_000,
    }
}

/// The way back of a greeting.
fn back(client: Family, provider: Family) -> crossing::Back {
    let body = match client {
        Family::Responses => r#"{"model":"m","input":"hi"}"#,
        Family::Gemini => r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        Family::Messages => {
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#
        }
        _ => r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
    };
    let asked = Asked {
        family: client,
        model: "m",
        stream: true,
        events: true,
        input_tokens_estimate: 5,
        ceiling: None,
    };
    crossing::cross(&asked, body, &target(provider), seed())
        .expect("a greeting crosses")
        .back
}

fn target(family: Family) -> Target<'static> {
    match family {
        Family::Chat => Target::Chat(dialect::chat::target::Target::new("m")),
        Family::Responses => Target::Responses(dialect::responses::Target {
            crossing: true,
            ..dialect::responses::Target::new("m")
        }),
        Family::Messages => Target::Messages(dialect::messages::target::Target {
            output_tokens_default: Some(4_096),
            ..dialect::messages::target::Target::new("m")
        }),
        Family::Gemini => Target::Gemini(dialect::gemini::Target::new("gemini-3-pro")),
        Family::Converse => {
            Target::Converse(dialect::converse::target::Target::new("anthropic.claude-m"))
        }
        Family::Cohere => Target::Cohere(dialect::cohere::Target::new("m")),
    }
}
