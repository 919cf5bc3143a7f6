//! Frames out of bytes that come in any pieces: where each begins and ends, and what stands in it.
//!
//! Holds a frame's head, of 14 bytes at most, and never its payload, so that no length that somebody claims costs
//! memory. What is no frame is a fault, and a fault is final: behind it nobody knows where a frame begins.

use std::fmt;

/// The longest head: two bytes, eight of length, four of mask.
const HEAD_BYTES_MAX: usize = 14;

/// The longest payload of a control frame.
const CONTROL_BYTES_MAX: u64 = 125;

/// Which end sends. Clients mask what they send, and servers do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The end that asked for the socket.
    Client,
    /// The end that was asked.
    Server,
}

/// What a piece belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message of text.
    Text,
    /// A message of bytes.
    Binary,
    /// The end.
    Close,
    /// A question whether somebody is there.
    Ping,
    /// The answer to it.
    Pong,
}

/// A part of one frame's payload, as long as came at once.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// What it belongs to; of a message in several frames, that of the first.
    pub kind: Kind,
    /// Whether a message or a control frame ends with it.
    pub last: bool,
    masked: &'a [u8],
    mask: [u8; 4],
    at: usize,
}

/// Why bytes are no frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A bit is set that an extension would have to explain, and none was agreed on.
    Reserved,
    /// There is no such kind of frame.
    Opcode,
    /// A client does not mask, or a server does.
    Masking,
    /// A message goes on that has not begun, or begins while another is open.
    Order,
    /// A control frame is longer than 125 bytes or in several frames, or a close frame has one byte.
    Control,
    /// A length is not said the shortest way.
    Length,
    /// A message is longer than it may be.
    TooLong,
    /// Something comes behind a close frame.
    AfterClose,
}

/// Reads the frames of one direction.
#[derive(Debug, Clone)]
pub struct Reader {
    sender: Sender,
    message_bytes_max: u64,
    head: [u8; HEAD_BYTES_MAX],
    have: usize,
    open: Option<Open>,
    message: Option<Kind>,
    message_bytes: u64,
    closed: bool,
    failed: Option<Fault>,
}

/// A frame whose payload has not all come.
#[derive(Debug, Clone, Copy)]
struct Open {
    kind: Kind,
    last: bool,
    mask: [u8; 4],
    at: usize,
    left: u64,
}

// === impl Sender ===

impl Sender {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

// === impl Piece ===

impl Piece<'_> {
    /// How many bytes.
    pub const fn len(&self) -> usize {
        self.masked.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.masked.is_empty()
    }

    /// Appends what stands there, without its mask, up to so many bytes.
    pub fn append_to(&self, out: &mut Vec<u8>, bytes_max: usize) {
        let bytes = self.masked.iter().enumerate().take(bytes_max);
        out.extend(bytes.map(|(at, byte)| byte ^ self.mask[(self.at + at) % 4]));
    }
}

// === impl Reader ===

impl Reader {
    /// Reads what `sender` sends, in messages of at most so many bytes.
    pub const fn new(sender: Sender, message_bytes_max: u64) -> Self {
        Self {
            sender,
            message_bytes_max,
            head: [0; HEAD_BYTES_MAX],
            have: 0,
            open: None,
            message: None,
            message_bytes: 0,
            closed: false,
            failed: None,
        }
    }

    /// Whether the bytes so far end with a whole frame.
    pub const fn is_between_frames(&self) -> bool {
        self.have == 0 && self.open.is_none() && self.failed.is_none()
    }

    /// Whether a whole close frame has come.
    pub const fn is_closed(&self) -> bool {
        self.closed && self.is_between_frames()
    }

    /// Takes what came, and gives every piece of payload to `each`.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Piece<'_>)) -> Result<(), Fault> {
        if let Some(fault) = self.failed {
            return Err(fault);
        }
        let pushed = self.take(bytes, &mut each);
        self.failed = pushed.err();
        pushed
    }

    fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(Piece<'_>)) -> Result<(), Fault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Some(mut open) = self.open {
                let came = usize::try_from(open.left).unwrap_or(usize::MAX);
                let (masked, behind) = rest.split_at(came.min(rest.len()));
                rest = behind;
                self.give(&mut open, masked, each);
                continue;
            }
            if self.closed {
                return Err(Fault::AfterClose);
            }
            let missing = self.head_bytes() - self.have;
            let (piece, behind) = rest.split_at(missing.min(rest.len()));
            self.head[self.have..self.have + piece.len()].copy_from_slice(piece);
            self.have += piece.len();
            rest = behind;
            if self.have == self.head_bytes() {
                let mut open = self.begin()?;
                self.have = 0;
                if open.left == 0 {
                    self.give(&mut open, &[], each);
                } else {
                    self.open = Some(open);
                }
            }
        }
        Ok(())
    }

    fn give(&mut self, open: &mut Open, masked: &[u8], each: &mut impl FnMut(Piece<'_>)) {
        let at = open.at;
        open.left -= masked.len() as u64;
        open.at = (at + masked.len()) % 4;
        let ends = open.left == 0;
        each(Piece {
            kind: open.kind,
            last: ends && open.last,
            masked,
            mask: open.mask,
            at,
        });
        self.open = (!ends).then_some(*open);
    }

    /// How long the head is, as far as what came of it says.
    fn head_bytes(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let [_, second, ..] = self.head;
        let length = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + if second & 0x80 == 0 { 0 } else { 4 }
    }

    /// Reads a whole head.
    fn begin(&mut self) -> Result<Open, Fault> {
        let [first, second, ..] = self.head;
        if first & 0x70 != 0 {
            return Err(Fault::Reserved);
        }
        let masked = second & 0x80 != 0;
        if masked != (self.sender == Sender::Client) {
            return Err(Fault::Masking);
        }
        let (left, behind) = self.length(second & 0x7f)?;
        let mut mask = [0; 4];
        if masked {
            mask.copy_from_slice(&self.head[behind..behind + 4]);
        }
        let last = first & 0x80 != 0;
        let kind = match first & 0x0f {
            opcode @ 0..=2 => self.data(opcode, last, left)?,
            opcode @ 8..=10 => self.control(opcode, last, left)?,
            _ => return Err(Fault::Opcode),
        };
        Ok(Open {
            kind,
            last,
            mask,
            at: 0,
            left,
        })
    }

    /// The length of the payload, and where in the head what follows it stands.
    fn length(&self, short: u8) -> Result<(u64, usize), Fault> {
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        match short {
            126 => Some((number(&self.head[2..4]), 4)).filter(|(length, _)| *length > 125),
            127 => Some((number(&self.head[2..10]), 10))
                .filter(|(length, _)| (1 << 16..1 << 63).contains(length)),
            _ => Some((u64::from(short), 2)),
        }
        .ok_or(Fault::Length)
    }

    fn data(&mut self, opcode: u8, last: bool, length: u64) -> Result<Kind, Fault> {
        let kind = match (opcode, self.message) {
            (0, Some(kind)) => kind,
            (1, None) => Kind::Text,
            (2, None) => Kind::Binary,
            _ => return Err(Fault::Order),
        };
        let so_far = self.message.map_or(0, |_| self.message_bytes);
        self.message_bytes = so_far.saturating_add(length);
        if self.message_bytes > self.message_bytes_max {
            return Err(Fault::TooLong);
        }
        self.message = (!last).then_some(kind);
        Ok(kind)
    }

    fn control(&mut self, opcode: u8, last: bool, length: u64) -> Result<Kind, Fault> {
        if !last || length > CONTROL_BYTES_MAX || opcode == 8 && length == 1 {
            return Err(Fault::Control);
        }
        Ok(match opcode {
            8 => {
                self.closed = true;
                Kind::Close
            }
            9 => Kind::Ping,
            _ => Kind::Pong,
        })
    }
}

// === impl Fault ===

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reserved => "a reserved bit is set and no extension was agreed on",
            Self::Opcode => "there is no such kind of frame",
            Self::Masking => "a client's frame is not masked, or a server's is",
            Self::Order => "the frames of two messages are mixed",
            Self::Control => "a control frame is too long or in pieces",
            Self::Length => "a length is not said the shortest way",
            Self::TooLong => "a message is longer than it may be",
            Self::AfterClose => "something follows a close frame",
        })
    }
}

impl std::error::Error for Fault {}
