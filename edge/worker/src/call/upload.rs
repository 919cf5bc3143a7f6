//! The body of a request that is passed on as it comes: no more of it is held than one read gives.
//!
//! Knows bytes, a bound and a clock; knows nothing of what they say. Asks its client for more only when the provider
//! takes what there was, and remembers why it stopped.

use std::{
    cell::Cell,
    fmt,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::request::budget::Share;

/// A body of a request.
pub enum Upload {
    /// One that had to be whole before it was sent, and what it holds of its core's budget.
    Whole(Full<Bytes>, Option<Share>, Rc<Pulse>),
    /// One that comes.
    Coming(Box<Coming>),
}

/// What a body is held to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The longest, in bytes.
    pub bytes_max: u64,
    /// How long a client may send nothing in the middle of it.
    pub idle_max: Duration,
}

/// A body that comes.
pub struct Coming {
    body: Incoming,
    bounds: Bounds,
    pulse: Rc<Pulse>,
    // Made at the first wait.
    sleep: Option<Pin<Box<Sleep>>>,
}

/// How far a body is, for whoever waits for the answer.
#[derive(Debug)]
pub struct Pulse {
    bytes: Cell<u64>,
    moved: Cell<Instant>,
    done: Cell<bool>,
    stopped: Cell<Option<Stopped>>,
}

/// Why a body did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It is longer than so many bytes.
    TooLarge(u64),
    /// The client sent nothing for too long.
    Slow,
    /// It broke off, or its framing is broken.
    Broken,
}

// === impl Upload ===

impl Upload {
    /// A body that is there.
    pub fn whole(body: Bytes, share: Option<Share>) -> Self {
        let pulse = Pulse::new();
        pulse.bytes.set(body.len() as u64);
        pulse.done.set(true);
        Self::Whole(Full::new(body), share, Rc::new(pulse))
    }

    /// A body that comes, within these bounds.
    pub fn coming(body: Incoming, bounds: Bounds) -> Self {
        let pulse = Pulse::new();
        pulse.done.set(body.is_end_stream());
        Self::Coming(Box::new(Coming {
            body,
            bounds,
            pulse: Rc::new(pulse),
            sleep: None,
        }))
    }

    /// How far it is.
    pub fn pulse(&self) -> Rc<Pulse> {
        match self {
            Self::Whole(_, _, pulse) => Rc::clone(pulse),
            Self::Coming(coming) => Rc::clone(&coming.pulse),
        }
    }

    /// All of it, where it is there.
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Whole(body, ..) => body.clone().into_inner().unwrap_or_default(),
            Self::Coming(_) => Bytes::new(),
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Stopped;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Stopped>>> {
        match self.get_mut() {
            Self::Whole(body, ..) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Coming(coming) => coming.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body, ..) => body.is_end_stream(),
            Self::Coming(coming) => coming.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body, ..) => body.size_hint(),
            Self::Coming(coming) => coming.body.size_hint(),
        }
    }
}

// === impl Coming ===

impl Coming {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Stopped>>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are left out: what they may say is not known before they come.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let bytes = self.pulse.bytes.get() + data.len() as u64;
                    self.pulse.moved.set(Instant::now());
                    // Full: the request is cut off, and its provider sees an upload that broke off.
                    if bytes > self.bounds.bytes_max {
                        return self.stop(Stopped::TooLarge(self.bounds.bytes_max));
                    }
                    self.pulse.bytes.set(bytes);
                    // A body of known length is not asked whether there is more.
                    self.pulse.done.set(self.body.is_end_stream());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(Some(Err(_))) => return self.stop(Stopped::Broken),
                Poll::Ready(None) => {
                    self.pulse.moved.set(Instant::now());
                    self.pulse.done.set(true);
                    return Poll::Ready(None);
                }
                Poll::Pending if self.poll_stalled(cx).is_pending() => return Poll::Pending,
                Poll::Pending => return self.stop(Stopped::Slow),
            }
        }
    }

    fn stop(&self, why: Stopped) -> Poll<Option<Result<Frame<Bytes>, Stopped>>> {
        self.pulse.stopped.set(Some(why));
        Poll::Ready(Some(Err(why)))
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let due = self.pulse.moved.get() + self.bounds.idle_max;
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}

// === impl Pulse ===

impl Pulse {
    fn new() -> Self {
        Self {
            bytes: Cell::new(0),
            moved: Cell::new(Instant::now()),
            done: Cell::new(false),
            stopped: Cell::new(None),
        }
    }

    /// How many bytes the provider was given.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// When the last of them went.
    pub fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Whether all have gone.
    pub fn is_done(&self) -> bool {
        self.done.get()
    }

    /// Why they did not.
    pub fn stopped(&self) -> Option<Stopped> {
        self.stopped.get()
    }
}

// === impl Stopped ===

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(bytes) => write!(f, "the body is longer than {bytes} bytes"),
            Self::Slow => f.write_str("the body did not come in time"),
            Self::Broken => f.write_str("the body broke off"),
        }
    }
}

impl std::error::Error for Stopped {}
