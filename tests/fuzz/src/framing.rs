//! Where events end: server-sent events, and the frames of AWS. However bytes are cut, the same events come.

use dialect::{
    aws::{
        event_stream::{self, Decoder, Frame},
        invoke::Unwrapper,
    },
    events::Assembler,
    sse::{self, Framer},
};

use crate::cuts;

/// Server-sent events. The first byte says where to cut.
pub fn server_sent(input: &[u8]) {
    let (seed, bytes) = cuts::first(input);
    let whole = assembled(&[bytes]);
    assert_eq!(assembled(&cuts::cut(bytes, seed)), whole);
    let mut framer = Framer::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let cut = framer.next(rest);
        assert!(cut.len > 0 && cut.len <= rest.len(), "{cut:?}");
        rest = &rest[cut.len..];
    }
}

/// All that events say: their names and their data.
fn assembled(pieces: &[&[u8]]) -> Vec<(Option<Vec<u8>>, Vec<u8>)> {
    let (mut assembler, mut events) = (Assembler::default(), Vec::new());
    let mut each = |event: &[u8]| {
        let event = sse::read(event);
        events.push((event.name.map(<[u8]>::to_vec), event.data.into_owned()));
    };
    for piece in pieces {
        if assembler.push(piece, &mut each).is_err() {
            return events;
        }
    }
    assembler.finish(&mut each);
    events
}

/// Frames as they are, mostly broken ones. The first byte says where to cut.
pub fn frames(input: &[u8]) {
    let (seed, bytes) = cuts::first(input);
    let whole = framed(&[bytes]);
    assert_eq!(framed(&cuts::cut(bytes, seed)), whole);
    let mut unwrapper = Unwrapper::default();
    unwrapper.push(bytes, drop);
    unwrapper.finish(drop);
}

/// The frames written anew, and how it ended.
fn framed(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, String) {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    let mut each = |frame: &Frame<'_>| {
        let mut again = Vec::new();
        let written = event_stream::write(&mut again, &frame.headers, frame.payload);
        assert_eq!(written, Ok(()), "{frame:?}");
        assert_eq!(Frame::read(&again).as_ref(), Ok(frame));
        frames.push(again);
    };
    let mut end = Ok(());
    for piece in pieces {
        end = end.and_then(|()| decoder.push(piece, &mut each));
    }
    let end = end.and_then(|()| decoder.finish());
    (frames, format!("{end:?}"))
}
