//! Frames as a property: however bytes are cut the same is read, and no bytes make the reader panic or keep memory.

use dialect::websocket::frame::{Fault, Kind, Reader, Sender};
use fastrand::Rng;

use crate::generated;

type Message = (Kind, Vec<u8>);

const SENDERS: [Sender; 2] = [Sender::Client, Sender::Server];

#[test]
fn how_frames_are_cut_makes_no_difference() {
    for seed in 0..generated::ROUNDS {
        let mut rng = Rng::with_seed(seed);
        for sender in SENDERS {
            let (bytes, messages) = conversation(&mut rng, sender);
            for pieces in [1, rng.usize(1..30), bytes.len()] {
                let mut cuts: Vec<_> = (0..pieces).map(|_| rng.usize(..=bytes.len())).collect();
                cuts.push(bytes.len());
                cuts.sort_unstable();
                let mut reader = Reader::new(sender, 1 << 20);
                let read = read(&mut reader, &bytes, &cuts).unwrap();
                assert_eq!(read, messages, "seed {seed}, {sender:?}");
                assert!(reader.is_between_frames());
            }
        }
    }
}

#[test]
fn any_bytes_are_read_or_refused_for_good() {
    for seed in 0..generated::ROUNDS * 2 {
        let mut rng = Rng::with_seed(seed);
        for sender in SENDERS {
            let (mut bytes, _) = conversation(&mut rng, sender);
            for _ in 0..rng.usize(1..6) {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }
            let mut reader = Reader::new(sender, 4_096);
            let cut = rng.usize(..=bytes.len());
            let mut passed = 0;
            let mut count = |reader: &mut Reader, bytes: &[u8]| {
                reader.push(bytes, |piece| passed += piece.len())
            };
            let first = count(&mut reader, &bytes[..cut]);
            let second = count(&mut reader, &bytes[cut..]);
            assert!(first.is_ok() || first == second, "a fault is final");
            assert!(passed <= bytes.len());
        }
    }
}

#[test]
fn what_is_no_frame_is_told_apart() {
    let cases: [(&[u8], Fault); 12] = [
        (&[0xc1, 0], Fault::Reserved),
        (&[0x83, 0], Fault::Opcode),
        (&[0x8b, 0], Fault::Opcode),
        (&[0x81, 0x80, 0, 0, 0, 0], Fault::Masking),
        (&[0x80, 0], Fault::Order),
        (&[0x01, 0, 0x81, 0], Fault::Order),
        (&[0x09, 0], Fault::Control),
        (&[0x89, 126, 0, 126], Fault::Control),
        (&[0x88, 1], Fault::Control),
        (&[0x81, 126, 0, 125], Fault::Length),
        (&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Fault::Length),
        (&[0x88, 0, 0x81, 0], Fault::AfterClose),
    ];
    for (bytes, fault) in cases {
        let mut reader = Reader::new(Sender::Server, 1 << 20);
        assert_eq!(reader.push(bytes, |_| ()), Err(fault), "{bytes:?}");
    }
    let mut reader = Reader::new(Sender::Client, 1 << 20);
    assert_eq!(reader.push(&[0x81, 0], |_| ()), Err(Fault::Masking));
    // Five exabytes are refused before any of them has come.
    let mut reader = Reader::new(Sender::Server, 1 << 20);
    let hostile = [0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(reader.push(&hostile, |_| ()), Err(Fault::TooLong));
    // So is a message of many small frames.
    let mut reader = Reader::new(Sender::Server, 3);
    assert_eq!(reader.push(&[0x01, 2, 1, 2, 0, 1, 3], |_| ()), Ok(()));
    assert_eq!(reader.push(&[0x80, 1, 4], |_| ()), Err(Fault::TooLong));
}

fn read(reader: &mut Reader, bytes: &[u8], cuts: &[usize]) -> Result<Vec<Message>, Fault> {
    let (mut messages, mut open, mut control, mut from) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for to in cuts {
        reader.push(&bytes[from..*to], |piece| {
            let data = matches!(piece.kind, Kind::Text | Kind::Binary);
            let into: &mut Vec<u8> = if data { &mut open } else { &mut control };
            piece.append_to(into, usize::MAX);
            if piece.last {
                messages.push((piece.kind, std::mem::take(into)));
            }
        })?;
        from = *to;
    }
    Ok(messages)
}

/// Messages in frames, with control frames between them, and what a reader must see, in the order of their ends.
fn conversation(rng: &mut Rng, sender: Sender) -> (Vec<u8>, Vec<Message>) {
    let (mut bytes, mut messages) = (Vec::new(), Vec::new());
    for _ in 0..rng.usize(1..6) {
        let kind = [Kind::Text, Kind::Binary][rng.usize(..2)];
        let frames = rng.usize(1..4);
        let mut whole = Vec::new();
        for at in 0..frames {
            let sizes = [0, 1, 125, 126, 300, 70_000];
            let large = rng.u8(..) == 0;
            let length = sizes[rng.usize(..if large { 6 } else { 5 })];
            let payload: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
            let opcode = match (at, kind) {
                (1.., _) => 0,
                (_, Kind::Text) => 1,
                _ => 2,
            };
            frame(
                rng,
                sender,
                (opcode, at + 1 == frames),
                &payload,
                &mut bytes,
            );
            whole.extend(payload);
            if at + 1 < frames && rng.bool() {
                let ping: Vec<u8> = (0..rng.usize(..126)).map(|_| rng.u8(..)).collect();
                let (opcode, kind) = [(9, Kind::Ping), (10, Kind::Pong)][rng.usize(..2)];
                frame(rng, sender, (opcode, true), &ping, &mut bytes);
                messages.push((kind, ping));
            }
        }
        messages.push((kind, whole));
    }
    (bytes, messages)
}

fn frame(rng: &mut Rng, sender: Sender, of: (u8, bool), payload: &[u8], out: &mut Vec<u8>) {
    let (opcode, last) = of;
    out.push(opcode | if last { 0x80 } else { 0 });
    let bit = if sender == Sender::Client { 0x80 } else { 0 };
    match payload.len() {
        length @ ..126 => out.push(u8::try_from(length).unwrap() | bit),
        length @ ..65_536 => {
            out.push(0x7e | bit);
            out.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            out.push(0x7f | bit);
            out.extend((length as u64).to_be_bytes());
        }
    }
    if sender == Sender::Server {
        out.extend(payload);
        return;
    }
    let mask: [u8; 4] = std::array::from_fn(|_| rng.u8(..));
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
}
