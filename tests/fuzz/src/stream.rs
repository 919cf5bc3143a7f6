//! Streams of providers: the grammar of events holds, wherever the bytes are cut, for us and for every client.

use dialect::{
    aws::event_stream::{self, Value},
    crossing::{Decoder, stream::Aside},
    neutral::{Event, Family},
};

use crate::{
    cuts, grammar,
    pair::{CLIENTS, back, seed},
};

/// A stream of a family, for every client. `cut` says where it comes apart.
pub fn check(family: Family, how: u8, cut: u8, bytes: &[u8]) {
    let pieces = cuts::cut(bytes, cut);
    let events = decoded(family, &[bytes]);
    grammar::check(&events);
    assert_eq!(decoded(family, &pieces), events, "cut by {cut}");
    let mut aside = Aside::new(Decoder::new(family, &seed(), false));
    aside.check_calls();
    for piece in &pieces {
        aside.push(piece);
    }
    aside.finish();
    for client in CLIENTS {
        let Some(back) = back(client, family, how) else {
            continue;
        };
        let translated = |pieces: &[&[u8]]| {
            let (mut stream, mut out) = (back.stream(), Vec::new());
            stream.check_calls();
            for piece in pieces {
                stream.push(piece, &mut out);
            }
            stream.finish(&mut out);
            assert_eq!(stream.watch().tokens(), aside.watch().tokens());
            out
        };
        let out = translated(&[bytes]);
        let said = String::from_utf8_lossy(&out);
        assert_eq!(
            translated(&pieces),
            out,
            "{family} to {client}, cut by {cut}"
        );
        let heard = decoded(client, &[&out]);
        grammar::check(&heard);
        // What broke off is never told as if it were whole. Only two APIs have more than one answer to tell of.
        let first_alone = !matches!(client, Family::Chat | Family::Gemini);
        if grammar::failed(&events, first_alone) {
            assert!(
                grammar::failed(&heard, false),
                "{family} to {client}: {said}"
            );
        }
    }
}

fn decoded(family: Family, pieces: &[&[u8]]) -> Vec<Event> {
    let (mut decoder, mut events) = (Decoder::new(family, &seed(), false), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut events);
    }
    decoder.finish(&mut events);
    events
}

/// Frames under good checksums, of lines such as `contentBlockStop {"contentBlockIndex":0}`; a line that begins with `!` is an
/// exception. A fuzzer finds no checksum by chance.
pub fn framed(text: &str) -> Vec<u8> {
    let mut frames = Vec::new();
    for line in text.lines() {
        let (name, payload) = line.split_once(' ').unwrap_or((line, ""));
        let (kind, name) = match name.strip_prefix('!') {
            Some(name) => ("exception", name),
            None => ("event", name),
        };
        let of_kind = format!(":{kind}-type");
        let headers = [
            (&*of_kind, Value::Text(name)),
            (":message-type", Value::Text(kind)),
        ];
        // Full: a line that fits no frame is left out.
        let _ = event_stream::write(&mut frames, &headers, payload.as_bytes());
    }
    frames
}
