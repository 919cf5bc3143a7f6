//! Server-sent events: where events end in a stream of bytes, and what one event says.
//!
//! Owns framing with LF, CRLF and CR. Must never know what the data means, and keeps no bytes: a caller that
//! needs an event whole keeps it. The cuts of a stream do not depend on how it was split.

use std::borrow::Cow;

use memchr::memchr2;

/// Finds where events end. Its state is where the stream stands, a few bits.
#[derive(Debug)]
pub struct Framer {
    place: Place,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_return: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between events, at the start of a line.
    Between,
    /// In a comment between events.
    Comment,
    /// In an event, at the start of a line.
    LineStart,
    /// In an event, in a line.
    Line,
}

/// The first part of some bytes, as long as it is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// How many bytes it has, at least one.
    pub len: usize,
    /// Its kind.
    pub kind: Kind,
}

/// What a cut is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An event, or the rest of one, ends with this cut.
    Event,
    /// An event begins or goes on, and its end is not among the bytes.
    Open,
    /// A blank line or a comment between events, or a part of it: complete as it is.
    Loose,
    /// The line feed that belongs to the carriage return at the end of the cut before.
    Trailing,
}

/// What one event says.
#[derive(Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field.
    pub name: Option<&'a [u8]>,
    /// The `data` fields, joined with line feeds. Borrowed when there is one.
    pub data: Cow<'a, [u8]>,
}

/// Reads one event. Lines that are neither `event` nor `data` are left out.
pub fn read(event: &[u8]) -> Event<'_> {
    let mut name = None;
    let mut data: Option<Cow<'_, [u8]>> = None;
    let mut rest = event;
    while !rest.is_empty() {
        let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        if let Some(value) = field(line, b"data") {
            match &mut data {
                None => data = Some(Cow::Borrowed(value)),
                Some(data) => {
                    let data = data.to_mut();
                    data.push(b'\n');
                    data.extend(value);
                }
            }
        } else if let Some(value) = field(line, b"event") {
            name = Some(value);
        }
    }
    Event {
        name,
        data: data.unwrap_or_default(),
    }
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = line.strip_prefix(name)?.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

// === impl Framer ===

impl Default for Framer {
    fn default() -> Self {
        Self {
            place: Place::Between,
            after_return: false,
        }
    }
}

impl Framer {
    /// The first cut of `bytes`, which come right behind those of the last call and are not empty.
    pub fn next(&mut self, bytes: &[u8]) -> Cut {
        let paired = std::mem::take(&mut self.after_return) && bytes.first() == Some(&b'\n');
        match (self.place, bytes.first()) {
            (Place::LineStart | Place::Line, _) => self.event(bytes, usize::from(paired)),
            _ if paired => Cut {
                len: 1,
                kind: Kind::Trailing,
            },
            (Place::Between, Some(b'\n' | b'\r')) => Cut {
                len: self.line_end(bytes, 0),
                kind: Kind::Loose,
            },
            (Place::Comment, _) | (Place::Between, Some(b':')) => self.comment(bytes),
            (Place::Between, _) => {
                self.place = Place::Line;
                self.event(bytes, 0)
            }
        }
    }

    fn comment(&mut self, bytes: &[u8]) -> Cut {
        self.place = Place::Comment;
        let mut len = bytes.len();
        if let Some(end) = memchr2(b'\n', b'\r', bytes) {
            self.place = Place::Between;
            len = self.line_end(bytes, end);
        }
        Cut {
            len,
            kind: Kind::Loose,
        }
    }

    fn event(&mut self, bytes: &[u8], mut at: usize) -> Cut {
        loop {
            if self.place == Place::LineStart {
                match bytes.get(at) {
                    None => {
                        return Cut {
                            len: at,
                            kind: Kind::Open,
                        };
                    }
                    Some(b'\n' | b'\r') => {
                        self.place = Place::Between;
                        return Cut {
                            len: self.line_end(bytes, at),
                            kind: Kind::Event,
                        };
                    }
                    Some(_) => self.place = Place::Line,
                }
            }
            let Some(len) = memchr2(b'\n', b'\r', &bytes[at..]) else {
                return Cut {
                    len: bytes.len(),
                    kind: Kind::Open,
                };
            };
            at = self.line_end(bytes, at + len);
            self.place = Place::LineStart;
        }
    }

    /// Where the line ends whose first ending byte is at `at`.
    fn line_end(&mut self, bytes: &[u8], at: usize) -> usize {
        if bytes[at] == b'\n' {
            return at + 1;
        }
        match bytes.get(at + 1) {
            Some(b'\n') => at + 2,
            Some(_) => at + 1,
            None => {
                self.after_return = true;
                at + 1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(pieces: &[&str]) -> Vec<(Kind, String)> {
        let mut framer = Framer::default();
        let mut cuts = Vec::new();
        for piece in pieces {
            let mut rest = piece.as_bytes();
            while !rest.is_empty() {
                let Cut { len, kind } = framer.next(rest);
                cuts.push((kind, String::from_utf8_lossy(&rest[..len]).into_owned()));
                rest = &rest[len..];
            }
        }
        cuts
    }

    #[test]
    fn events_end_at_their_blank_line_whatever_ends_the_lines() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!(": hello{end}data: 1{end}id: x{end}{end}data: 2{end}{end}{end}");
            assert_eq!(
                cuts(&[&text]),
                [
                    (Kind::Loose, format!(": hello{end}")),
                    (Kind::Event, format!("data: 1{end}id: x{end}{end}")),
                    (Kind::Event, format!("data: 2{end}{end}")),
                    (Kind::Loose, end.to_owned()),
                ],
                "{end:?}"
            );
        }
    }

    #[test]
    fn a_pair_that_is_torn_apart_is_one_line_end() {
        assert_eq!(
            cuts(&["data: 1\r", "\n\r", "\ndata: 2", "\n", "\n"]),
            [
                (Kind::Open, "data: 1\r".to_owned()),
                (Kind::Event, "\n\r".to_owned()),
                (Kind::Trailing, "\n".to_owned()),
                (Kind::Open, "data: 2".to_owned()),
                (Kind::Open, "\n".to_owned()),
                (Kind::Event, "\n".to_owned()),
            ]
        );
    }

    #[test]
    fn a_comment_is_loose_from_its_first_byte() {
        assert_eq!(
            cuts(&[": wor", ":king\r", "\ndata: x\n: in\n\n"]),
            [
                (Kind::Loose, ": wor".to_owned()),
                (Kind::Loose, ":king\r".to_owned()),
                (Kind::Trailing, "\n".to_owned()),
                (Kind::Event, "data: x\n: in\n\n".to_owned()),
            ]
        );
    }

    #[test]
    fn data_lines_are_joined_and_one_space_is_cut() {
        let event = read(b"event: error\r\ndata:  a\r\nid: 7\r\ndata:b\r\n\r\n");
        assert_eq!(event.name, Some(&b"error"[..]));
        assert_eq!(event.data.as_ref(), b" a\nb");
        assert!(matches!(read(b"data: {}\n\n").data, Cow::Borrowed(b"{}")));
        assert_eq!(
            read(b"retry: 5\n\n"),
            Event {
                name: None,
                data: Cow::Borrowed(b"")
            }
        );
    }
}
