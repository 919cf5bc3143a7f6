//! Frames against the vectors that their makers publish, from the folder that `SLUICE_RECORDINGS` names. Our own are
//! beside the code.

use std::{env, fs, path::PathBuf};

use dialect::aws::event_stream::{Decoder, Fault, Frame, Value, write};

fn vectors(name: &str) -> Option<PathBuf> {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return None;
    };
    Some(PathBuf::from(folder).join("vectors").join(name))
}

#[test]
fn frames_are_taken_or_refused_as_the_vectors_say() {
    let Some(folder) = vectors("eventstream") else {
        return;
    };
    let mut seen = [0, 0];
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(&file).unwrap();
        let read = Frame::read(&bytes);
        println!("{name}: {read:?}");
        let expected = match name.as_str() {
            "invalid_prelude_checksum" => Some(Fault::PreludeChecksum),
            "invalid_message_checksum" => Some(Fault::Checksum),
            _ => None,
        };
        if name.starts_with("valid") {
            let frame = read.unwrap();
            let mut again = Vec::new();
            write(&mut again, &frame.headers, frame.payload).unwrap();
            assert_eq!(again, bytes, "{name}");
            seen[0] += 1;
        } else {
            let fault = read.unwrap_err();
            assert!(expected.is_none_or(|expected| expected == fault), "{name}");
            let refused = bytes
                .chunks(3)
                .try_fold(Decoder::default(), |mut decoder, piece| {
                    decoder.push(piece, |_| {}).map(|()| decoder)
                });
            let refused = refused.and_then(|decoder| decoder.finish());
            assert!(refused.is_err(), "{name}");
            seen[1] += 1;
        }
    }
    println!("{seen:?}");
    assert!(seen[0] >= 3 && seen[1] >= 8, "{seen:?}");
}

#[test]
fn all_headers_of_a_vector_are_read() {
    let Some(folder) = vectors("eventstream") else {
        return;
    };
    let bytes = fs::read(folder.join("valid_with_all_headers_and_payload")).unwrap();
    let frame = Frame::read(&bytes).unwrap();
    assert_eq!(frame.text("str"), Some("some str"));
    assert_eq!(frame.payload, b"some payload");
    assert_eq!(frame.headers[0], ("true", Value::Flag(true)));
    assert_eq!(frame.headers.len(), 10);
}
