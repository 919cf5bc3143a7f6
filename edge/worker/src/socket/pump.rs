//! One direction of a socket: bytes go from one end to the other as they come, and are looked at on the way.
//!
//! Knows where frames begin and end, on both sides of what it holds: in what was read, so that nothing goes on that is
//! no frame, and in what was written, so that a frame of ours can be put behind a whole one. Every step waits once, and
//! can be given up at any time without losing a byte.

use dialect::websocket::frame::{Fault, Piece, Reader, Sender};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How much is read at once.
// Full: nothing more is read before it is written, so that the pace is that of the slower end.
const BUFFER_BYTES: usize = 16 << 10;

/// One direction.
pub struct Pump<R, W> {
    from: R,
    to: W,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    read: Reader,
    written: Reader,
    flushed: bool,
    over: bool,
    bytes: u64,
}

/// What a step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bytes have come.
    Came,
    /// Bytes have gone.
    Went,
    /// The sender sends no more.
    Ended,
}

/// Why there is no further step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The receiver takes nothing.
    Unwritable,
    /// What came is no frame, and did not go on.
    Fault(Fault),
}

// === impl Pump ===

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Pump<R, W> {
    /// From `from`, which is this end of the two, to `to`, in messages of at most so many bytes.
    pub fn new(from: R, to: W, sender: Sender, message_bytes_max: u64) -> Self {
        Self {
            from,
            to,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            read: Reader::new(sender, message_bytes_max),
            written: Reader::new(sender, message_bytes_max),
            flushed: true,
            over: false,
            bytes: 0,
        }
    }

    /// Does one thing: writes what there is, flushes it, or reads more and shows it to `each`.
    pub async fn step(&mut self, each: impl FnMut(Piece<'_>)) -> Result<Step, Stop> {
        if self.start < self.end {
            let wrote = self.to.write(&self.buffer[self.start..self.end]).await;
            let count = wrote.ok().filter(|count| *count > 0);
            let count = count.ok_or(Stop::Unwritable)?;
            let piece = &self.buffer[self.start..self.start + count];
            // It was read before without a fault.
            let _ = self.written.push(piece, |_| ());
            self.start += count;
            self.flushed = false;
            return Ok(Step::Went);
        }
        if !self.flushed {
            self.to.flush().await.map_err(|_| Stop::Unwritable)?;
            self.flushed = true;
            return Ok(Step::Went);
        }
        let count = self.from.read(&mut self.buffer).await.unwrap_or(0);
        if count == 0 {
            self.over = true;
            return Ok(Step::Ended);
        }
        let came = &self.buffer[..count];
        self.read.push(came, each).map_err(Stop::Fault)?;
        (self.start, self.end) = (0, count);
        self.bytes += count as u64;
        Ok(Step::Came)
    }

    /// Whether the sender sends no more, and all it sent has gone.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether all that came has gone.
    pub const fn is_drained(&self) -> bool {
        self.start == self.end && self.flushed
    }

    /// Whether a close frame has gone.
    pub const fn has_closed(&self) -> bool {
        self.written.is_closed()
    }

    /// How many bytes have come.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Puts a last frame behind what has gone, if a whole frame has gone or the rest of it still comes.
    pub async fn part(&mut self, frame: &[u8]) -> Result<(), Stop> {
        if self.written.is_closed() {
            return Ok(());
        }
        while !self.written.is_between_frames() {
            if self.step(|_| ()).await? == Step::Ended {
                return Err(Stop::Unwritable);
            }
        }
        let sent = async {
            self.to.write_all(frame).await?;
            self.to.flush().await
        };
        sent.await.map_err(|_| Stop::Unwritable)
    }

    /// Says to the receiver that no more comes, and reads what the sender still sends until it stops.
    pub async fn linger(&mut self) {
        // Whatever is not read when a connection is closed takes with it what was written last.
        while matches!(self.from.read(&mut self.buffer).await, Ok(1..)) {}
    }

    /// Closes this direction.
    pub async fn shut(&mut self) {
        // Whoever is gone need not hear of it.
        let _ = self.to.shutdown().await;
    }
}
