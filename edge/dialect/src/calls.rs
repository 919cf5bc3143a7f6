//! Whether calls of tools can be made: their arguments are one JSON object, whatever the tool wants in it.
//!
//! Follows arguments that come in pieces and keeps no bytes of them. Must never be asked what they say.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use payload::object::Object;

/// How deep an object may be nested.
// Full: it is not judged, and counts as well formed.
const DEPTH_MAX: u8 = 64;

/// How many calls of one answer are followed.
// Full: those behind them are not judged.
const CALLS_MAX: usize = 64;

/// Made once: this is looked for in every chunk of a stream whose calls are followed.
static KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"tool_calls\""));

/// The calls of one answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Vec<Call>);

#[derive(Debug, Clone)]
struct Call {
    choice: u64,
    part: u64,
    arguments: Arguments,
}

/// One JSON object that comes in pieces.
#[derive(Debug, Clone, Copy)]
struct Arguments {
    state: State,
    depth: u8,
    /// Of each level, the innermost last, whether it is an object.
    objects: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has come.
    Start,
    /// A name may come, and the object's end where it is `empty`.
    Name { empty: bool },
    /// Within a string.
    Text { is_name: bool },
    /// Behind a backslash.
    Escape { is_name: bool },
    /// So many digits of a character's number are left.
    Hex { is_name: bool, left: u8 },
    /// The colon behind a name.
    Colon,
    /// A value, or the array's end where it is `empty`.
    Value { empty: bool },
    /// Within a number.
    Number(Digits),
    /// Within a word; what is left of it.
    Word(&'static [u8]),
    /// Behind a value.
    Behind,
    /// It is whole.
    Whole,
    /// It is none.
    Broken,
    /// Too deep to be followed.
    Deep,
}

/// What of a number has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Sign,
    Zero,
    Whole,
    Point,
    Fraction,
    Power,
    PowerSign,
    Exponent,
}

/// Whether these are the arguments of a call: an object, or nothing.
pub(crate) fn are_arguments(text: &str) -> bool {
    text.trim().is_empty() || {
        let mut arguments = Arguments::new();
        arguments.push(text);
        arguments.are_whole()
    }
}

// === impl Calls ===

impl Calls {
    /// Arguments of a call go on: of the choice and the part of it that these numbers name.
    pub(crate) fn push(&mut self, (choice, part): (u64, u64), piece: &str) {
        let at = self
            .0
            .iter()
            .rposition(|it| (it.choice, it.part) == (choice, part));
        let call = match at {
            Some(at) => self.0.get_mut(at),
            None if self.0.len() < CALLS_MAX => {
                self.0.push(Call {
                    choice,
                    part,
                    arguments: Arguments::new(),
                });
                self.0.last_mut()
            }
            None => None,
        };
        if let Some(call) = call {
            call.arguments.push(piece);
        }
    }

    /// Takes the calls in a chunk of a chat's stream, of which most have none.
    pub(crate) fn read(&mut self, chunk: &str) {
        if KEY.find(chunk.as_bytes()).is_none() {
            return;
        }
        let choices = Object::parse(chunk).and_then(|mut it| it.array("choices"));
        for (at, choice) in choices.ok().flatten().into_iter().flatten().enumerate() {
            // What cannot be read says nothing of calls; whoever reads the stream for its client judges that.
            let _ = self.read_choice(at as u64, choice);
        }
    }

    fn read_choice(&mut self, at: u64, choice: &str) -> Result<(), payload::object::Misfit> {
        let mut choice = Object::parse(choice)?;
        let index = choice.count("index")?.unwrap_or(at);
        let Some(mut delta) = choice.object("delta")? else {
            return Ok(());
        };
        let calls = delta.array("tool_calls")?.unwrap_or_default();
        for (at, call) in calls.into_iter().enumerate() {
            let mut call = Object::parse(call)?;
            let part = call.count("index")?.unwrap_or(at as u64);
            let Some(mut function) = call.object("function")? else {
                continue;
            };
            match function.raw("arguments")? {
                // Some servers give an object.
                Some(raw) if raw.starts_with('{') => self.push((index, part), raw),
                Some(raw) if raw.starts_with('"') => {
                    self.push((index, part), &payload::object::text(raw)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether any of them cannot be made. Ask when the answer is whole.
    pub(crate) fn are_broken(&self) -> bool {
        self.0.iter().any(|it| !it.arguments.are_whole())
    }
}

// === impl Arguments ===

impl Arguments {
    const fn new() -> Self {
        Self {
            state: State::Start,
            depth: 0,
            objects: 0,
        }
    }

    /// Whether this was one object, or nothing.
    const fn are_whole(self) -> bool {
        matches!(self.state, State::Start | State::Whole | State::Deep)
    }

    fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            self.state = self.next(byte);
        }
    }

    fn next(&mut self, byte: u8) -> State {
        let is_space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match self.state {
            State::Text { is_name } => in_text(is_name, byte),
            State::Escape { is_name } => match byte {
                b'u' => State::Hex { is_name, left: 4 },
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => State::Text { is_name },
                _ => State::Broken,
            },
            State::Hex { is_name, left } if byte.is_ascii_hexdigit() => match left {
                1 => State::Text { is_name },
                _ => State::Hex {
                    is_name,
                    left: left - 1,
                },
            },
            State::Word(left) => match left.split_first() {
                Some((first, [])) if *first == byte => State::Behind,
                Some((first, rest)) if *first == byte => State::Word(rest),
                _ => State::Broken,
            },
            State::Number(digits) => match digits.next(byte) {
                Some(digits) => State::Number(digits),
                None if digits.may_end() && is_space => State::Behind,
                None if digits.may_end() => self.behind(byte),
                None => State::Broken,
            },
            state if is_space && !matches!(state, State::Hex { .. }) => state,
            State::Start if byte == b'{' => self.open(true),
            State::Name { .. } if byte == b'"' => State::Text { is_name: true },
            State::Name { empty: true } if byte == b'}' => self.close(),
            State::Colon if byte == b':' => State::Value { empty: false },
            State::Value { empty: true } if byte == b']' => self.close(),
            State::Value { .. } => self.value(byte),
            State::Behind => self.behind(byte),
            State::Deep => State::Deep,
            _ => State::Broken,
        }
    }

    fn value(&mut self, byte: u8) -> State {
        match byte {
            b'"' => State::Text { is_name: false },
            b'{' => self.open(true),
            b'[' => self.open(false),
            b't' => State::Word(b"rue"),
            b'f' => State::Word(b"alse"),
            b'n' => State::Word(b"ull"),
            b'-' => State::Number(Digits::Sign),
            b'0' => State::Number(Digits::Zero),
            b'1'..=b'9' => State::Number(Digits::Whole),
            _ => State::Broken,
        }
    }

    fn behind(&mut self, byte: u8) -> State {
        let is_object = self.objects & 1 == 1;
        match byte {
            b',' if is_object => State::Name { empty: false },
            b',' => State::Value { empty: false },
            b'}' if is_object => self.close(),
            b']' if !is_object => self.close(),
            _ => State::Broken,
        }
    }

    fn open(&mut self, is_object: bool) -> State {
        if self.depth == DEPTH_MAX {
            return State::Deep;
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u64::from(is_object);
        if is_object {
            State::Name { empty: true }
        } else {
            State::Value { empty: true }
        }
    }

    const fn close(&mut self) -> State {
        self.depth -= 1;
        self.objects >>= 1;
        match self.depth {
            0 => State::Whole,
            _ => State::Behind,
        }
    }
}

const fn in_text(is_name: bool, byte: u8) -> State {
    match byte {
        b'"' if is_name => State::Colon,
        b'"' => State::Behind,
        b'\\' => State::Escape { is_name },
        0..0x20 => State::Broken,
        _ => State::Text { is_name },
    }
}

// === impl Digits ===

impl Digits {
    const fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Sign, b'0') => Some(Self::Zero),
            (Self::Sign, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Some(Self::Whole),
            (Self::Zero | Self::Whole, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Some(Self::Power),
            (Self::Power, b'+' | b'-') => Some(Self::PowerSign),
            (Self::Power | Self::PowerSign | Self::Exponent, b'0'..=b'9') => Some(Self::Exponent),
            _ => None,
        }
    }

    const fn may_end(self) -> bool {
        matches!(
            self,
            Self::Zero | Self::Whole | Self::Fraction | Self::Exponent
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [&str; 9] = [
        "{}",
        "",
        " \n",
        r#" { "a" : [ ] , "b" : { } } "#,
        r#"{"a":"\"\\\u00e4 {","b":[1,-0,0.5,2e9,-3.25E-7,true,false,null]}"#,
        r#"{"a":{"b":{"c":[[{"d":[]}]]}}}"#,
        r#"{"n":12}"#,
        r#"{"n":[1 ,2 ]}"#,
        "{\"ä\":\"ö\"}",
    ];

    const BROKEN: [&str; 22] = [
        "{",
        r#"{"a""#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1}}"#,
        r#"{"a":1} x"#,
        r#"{"a":1"#,
        r#"{"a":"x}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[1}"#,
        r"{a:1}",
        r"{'a':1}",
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":+1}"#,
        r#"{"a":tru}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12g4"}"#,
        "{\"a\":\"\n\"}",
        "[]",
        "\"{}\"",
        "null",
    ];

    #[test]
    fn arguments_are_an_object_however_they_are_cut() {
        for (text, is_whole) in WHOLE
            .iter()
            .map(|it| (it, true))
            .chain(BROKEN.iter().map(|it| (it, false)))
        {
            assert_eq!(are_arguments(text), is_whole, "{text}");
            let mut calls = Calls::default();
            for at in text.chars() {
                calls.push((0, 1), at.encode_utf8(&mut [0; 4]));
            }
            assert_eq!(!calls.are_broken(), is_whole, "{text}");
        }
        let deep = format!("{}1{}", r#"{"a":"#.repeat(65), "}".repeat(65));
        assert!(are_arguments(&deep), "what is not followed is not judged");
    }

    #[test]
    fn calls_of_a_chat_s_chunks_are_put_together_by_their_numbers() {
        let chunk = |index: u64, arguments: &str| {
            let arguments = arguments.replace('"', "\\\"");
            format!(
                r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{index},"function":{{"name":"f","arguments":"{arguments}"}}}}]}}}}]}}"#
            )
        };
        let mut calls = Calls::default();
        for (index, piece) in [(0, "{\"a\""), (1, "{"), (0, ":1}"), (1, "}")] {
            assert!(calls.0.is_empty() || calls.are_broken());
            calls.read(&chunk(index, piece));
        }
        assert!(!calls.are_broken());
        calls.read(&chunk(2, "{\"a\":"));
        assert!(calls.are_broken());
        let mut whole = Calls::default();
        whole
            .read(r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":{"a":1}}}]}}]}"#);
        assert!(!whole.are_broken() && whole.0.len() == 1);
        whole.read("no chunk");
        assert!(!whole.are_broken());
    }
}
