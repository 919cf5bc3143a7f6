//! The events of the Realtime API, as far as they say what was used.
//!
//! Changes nothing and refuses nothing. A response tells its usage when it is done; until then, and of a provider that
//! never tells, bytes are counted. Holds one event of the provider at most, up to `EVENT_BYTES_MAX`.

use memchr::memmem;
use payload::object::Object;

use crate::{
    Tokens, estimate,
    websocket::frame::{Kind, Piece},
};

/// How much of one event is kept to be read.
// Full: the rest is counted and not read, and what the event says of usage is not known.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// How much of an event says which one it is.
const HEAD_BYTES: usize = 256;

/// Bytes of sound in base64 that a provider counts as one input token: a tenth of a second, of 24,000 samples of two
/// bytes each second.
const SOUND_IN_BYTES: u64 = 6_400;

/// The same for one output token, which is a twentieth of a second.
const SOUND_OUT_BYTES: u64 = 3_200;

/// What the events of this API are called, up to their first dot.
const FAMILIES: [&str; 9] = [
    "session",
    "transcription_session",
    "conversation",
    "input_audio_buffer",
    "output_audio_buffer",
    "response",
    "rate_limits",
    "mcp_list_tools",
    "error",
];

/// Reads both directions of one socket.
#[derive(Debug, Default)]
pub struct Meter {
    asked: Event,
    answered: Event,
    asked_tokens: u64,
    answered_tokens: u64,
    generating: bool,
    heard: bool,
}

/// A message that comes in pieces.
#[derive(Debug, Default)]
struct Event {
    kept: Vec<u8>,
    bytes: u64,
}

// === impl Meter ===

impl Meter {
    /// Looks at what the client says.
    pub fn asked(&mut self, piece: &Piece<'_>) {
        if !self.asked.take(piece, HEAD_BYTES) {
            return;
        }
        let sound =
            piece.kind == Kind::Binary || self.asked.kind() == Some("input_audio_buffer.append");
        let bytes = if sound {
            self.asked.bytes.div_ceil(SOUND_IN_BYTES / 3) / 3
        } else {
            estimate::output_tokens(self.asked.bytes)
        };
        self.asked_tokens = self.asked_tokens.saturating_add(bytes.max(1));
        self.asked.clear();
    }

    /// Looks at what the provider says. Gives what was used when an event tells it.
    pub fn answered(&mut self, piece: &Piece<'_>) -> Option<Tokens> {
        self.heard = true;
        if !self.answered.take(piece, EVENT_BYTES_MAX) {
            return None;
        }
        let used = self.event(piece.kind);
        self.answered.clear();
        used
    }

    /// What was used since the provider last told it, by our own count: in and out.
    pub const fn untold(&self) -> (u64, u64) {
        (self.asked_tokens, self.answered_tokens)
    }

    /// Whether the provider has said nothing yet.
    pub const fn is_silent(&self) -> bool {
        !self.heard
    }

    /// Whether an answer has begun of which the provider has not told the usage.
    pub const fn is_generating(&self) -> bool {
        self.generating
    }

    fn event(&mut self, kind: Kind) -> Option<Tokens> {
        let bytes = self.answered.bytes;
        let name = self.answered.kind().unwrap_or_default();
        let known = FAMILIES.contains(&name.split('.').next().unwrap_or_default());
        if known && (name == "response.done" || name.ends_with("_transcription.completed")) {
            let told = usage(name, &self.answered.kept);
            if name == "response.done" {
                self.generating = false;
                if told.is_some() {
                    (self.asked_tokens, self.answered_tokens) = (0, 0);
                }
            }
            return told;
        }
        self.generating |= name == "response.created";
        let tokens = if kind == Kind::Binary || name.ends_with("audio.delta") {
            bytes.div_ceil(SOUND_OUT_BYTES)
        } else if known && name.rsplit('.').next() != Some("delta") {
            0
        } else {
            estimate::output_tokens(bytes)
        };
        self.answered_tokens = self.answered_tokens.saturating_add(tokens);
        None
    }
}

// === impl Event ===

impl Event {
    /// Takes a piece of a message, and says whether the message is whole. Control frames are none.
    fn take(&mut self, piece: &Piece<'_>, bytes_max: usize) -> bool {
        if !matches!(piece.kind, Kind::Text | Kind::Binary) {
            return false;
        }
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        if piece.kind == Kind::Text {
            let room = bytes_max.saturating_sub(self.kept.len());
            piece.append_to(&mut self.kept, room);
        }
        piece.last
    }

    /// What the event is called, if its beginning says so.
    fn kind(&self) -> Option<&str> {
        let head = &self.kept[..self.kept.len().min(HEAD_BYTES)];
        let rest = head.get(memmem::find(head, b"\"type\"")? + 6..)?;
        let rest = rest.trim_ascii_start().strip_prefix(b":")?;
        let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        str::from_utf8(&rest[..end]).ok()
    }

    fn clear(&mut self) {
        self.kept.clear();
        // One large event must not hold its memory for as long as the socket is open.
        self.kept.shrink_to(HEAD_BYTES);
        self.bytes = 0;
    }
}

/// The usage in a whole event of this name.
fn usage(name: &str, event: &[u8]) -> Option<Tokens> {
    let mut event = Object::parse(str::from_utf8(event).ok()?).ok()?;
    let mut holder = if name == "response.done" {
        event.object("response").ok()??
    } else {
        event
    };
    counts(&mut holder.object("usage").ok()??)
}

fn part<'a>(of: &mut Object<'a>, name: &str) -> Object<'a> {
    of.object(name).ok().flatten().unwrap_or_default()
}

/// Counts as this API gives them: details are parts of what they stand under.
fn counts(usage: &mut Object<'_>) -> Option<Tokens> {
    let count = |of: &mut Object<'_>, name: &str| of.count(name).ok().flatten();
    let (input, output) = (count(usage, "input_tokens"), count(usage, "output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let mut details = part(usage, "input_token_details");
    let cached = count(&mut details, "cached_tokens").unwrap_or(0).min(input);
    let cached_sound = count(
        &mut part(&mut details, "cached_tokens_details"),
        "audio_tokens",
    );
    let sound = count(&mut details, "audio_tokens").unwrap_or(0);
    let sound = sound
        .saturating_sub(cached_sound.unwrap_or(0))
        .min(input - cached);
    let mut details = part(usage, "output_token_details");
    let spoken = count(&mut details, "audio_tokens").unwrap_or(0).min(output);
    Some(Tokens {
        input: input - cached - sound,
        cached_input: cached,
        audio_input: sound,
        output: output - spoken,
        audio_output: spoken,
        ..Tokens::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::frame::{Reader, Sender};

    fn frame(text: &str) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap();
        let mut frame = vec![0x81];
        if length < 126 {
            frame.push(u8::try_from(length).unwrap());
        } else {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
        frame.extend(text.as_bytes());
        frame
    }

    fn said(meter: &mut Meter, text: &str) -> Option<Tokens> {
        let mut told = None;
        Reader::new(Sender::Server, 1 << 20)
            .push(&frame(text), |piece| told = meter.answered(&piece))
            .unwrap();
        told
    }

    #[test]
    fn a_response_that_is_done_tells_its_usage_in_disjoint_counts() {
        let mut meter = Meter::default();
        assert_eq!(said(&mut meter, r#"{"type":"response.created"}"#), None);
        assert!(meter.is_generating());
        let delta = r#"{"type":"response.output_text.delta","delta":"Hello"}"#;
        assert_eq!(said(&mut meter, delta), None);
        assert_eq!(meter.untold(), (0, (delta.len() as u64).div_ceil(3)));
        let done = r#"{"type":"response.done","response":{"usage":{"total_tokens":275,"input_tokens":127,
            "output_tokens":148,"input_token_details":{"cached_tokens":64,"text_tokens":79,"audio_tokens":48,
            "cached_tokens_details":{"text_tokens":40,"audio_tokens":24}},
            "output_token_details":{"text_tokens":36,"audio_tokens":112}}}}"#;
        let expected = Tokens {
            input: 39,
            cached_input: 64,
            audio_input: 24,
            output: 36,
            audio_output: 112,
            ..Tokens::default()
        };
        assert_eq!(said(&mut meter, done), Some(expected));
        assert_eq!(expected.total(), 275);
        assert_eq!((meter.untold(), meter.is_generating()), ((0, 0), false));
    }

    #[test]
    fn a_transcription_tells_its_own_and_silence_is_counted() {
        let mut meter = Meter::default();
        let heard = r#"{"type":"conversation.item.input_audio_transcription.completed","usage":{"type":"tokens",
            "total_tokens":22,"input_tokens":13,"output_tokens":9,"input_token_details":{"audio_tokens":13}}}"#;
        let told = said(&mut meter, heard).unwrap();
        assert_eq!((told.audio_input, told.output), (13, 9));
        assert_eq!(said(&mut meter, r#"{"type":"session.created"}"#), None);
        assert_eq!(meter.untold(), (0, 0));
        assert_eq!(
            said(&mut meter, r#"{"type":"response.done","response":{}}"#),
            None
        );
        assert_eq!(said(&mut meter, r#"{"some":"other protocol"}"#), None);
        assert_eq!(meter.untold(), (0, 9));
        let sound = format!(
            r#"{{"type":"response.output_audio.delta","delta":"{}"}}"#,
            "A".repeat(6_400)
        );
        said(&mut meter, &sound);
        assert_eq!(meter.untold(), (0, 12));
    }
}
