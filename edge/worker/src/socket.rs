//! A WebSocket between a client and a provider: both directions, at the pace of the slower end, until one of many ends.
//!
//! Knows frames, clocks and accounts; changes no byte of what passes. What its events say of usage is charged as they
//! come, and room is asked for again before more is used. However it ends, the entry is closed once, and both ends are
//! told why where they can still hear it.

pub mod account;
pub mod pump;

use std::{cell::RefCell, pin::pin, time::Duration};

use dialect::websocket::{
    close,
    frame::{Fault, Kind, Piece, Sender},
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use lifecycle::drain::Drain;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    select,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::{
    call::switch::Wired,
    record::Outcome,
    socket::{
        account::{Account, Ask, Standing},
        pump::{Pump, Step, Stop},
    },
};

/// How often it is looked whether the key still stands and somebody still speaks.
const LOOK: Duration = Duration::from_millis(500);

/// How long the other end may take to answer a close frame, and each end to take our own.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// How long a client may take to become a socket's end after its handshake was answered.
const UPGRADE_MAX: Duration = Duration::from_secs(10);

/// A socket whose handshakes are done.
pub struct Socket {
    /// Becomes the client's end.
    pub client: OnUpgrade,
    /// The provider's end.
    pub provider: Box<Wired>,
    /// What it is held to.
    pub terms: Terms,
    /// Its account.
    pub account: Account,
    /// Where there is room for more.
    pub ask: Ask,
    /// Says when to leave.
    pub drain: Drain,
}

/// What a socket is held to.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The longest message, in bytes.
    pub message_bytes_max: u64,
    /// How long nobody may say anything.
    pub idle_max: Duration,
    /// When it is over.
    pub end: Instant,
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// An end closed it with this number.
    Closed(Sender, u16),
    /// An end was gone without a word.
    Gone(Sender),
    /// An end sent what is no frame.
    Faulty(Sender, Fault),
    /// Nobody said anything for too long.
    Idle,
    /// It was open for as long as it may be.
    TimeOver,
    /// This edge leaves.
    Leaving,
    /// The key no longer stands.
    KeyOver,
    /// The key is held to something else now.
    KeyHeld,
    /// A limit is used up.
    UsedUp,
}

/// What each end is told: a number and a few words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Farewell {
    /// The client.
    pub client: (u16, &'static str),
    /// The provider.
    pub provider: (u16, &'static str),
}

/// What came of one turn of the loop.
enum Turn {
    Up(Result<Step, Stop>),
    Down(Result<Step, Stop>),
    Look,
    Leave,
}

/// What is seen in passing.
struct Seen {
    account: Account,
    closed: Option<(Sender, u16)>,
    payload: Vec<u8>,
}

// === impl Socket ===

impl Socket {
    /// Carries everything in both directions until it ends. `farewell` says what the ends are told.
    pub async fn run(self, farewell: fn(End) -> Farewell) {
        let Self {
            client,
            provider,
            terms,
            account,
            ask,
            drain,
        } = self;
        // An account that is dropped closes itself: nobody has used anything yet.
        let Ok(Ok(client)) = timeout(UPGRADE_MAX, client).await else {
            return;
        };
        let (client_from, client_to) = tokio::io::split(TokioIo::new(client));
        let (provider_from, provider_to) = tokio::io::split(*provider);
        let bytes_max = terms.message_bytes_max;
        let mut up = Pump::new(client_from, provider_to, Sender::Client, bytes_max);
        let mut down = Pump::new(provider_from, client_to, Sender::Server, bytes_max);
        let seen = RefCell::new(Seen {
            account,
            closed: None,
            payload: Vec::new(),
        });
        let end = carry(&mut up, &mut down, &seen, (terms, &ask, &drain)).await;
        let mut account = seen.into_inner().account;
        account.carried(up.bytes(), down.bytes());
        account.close(end.outcome());
        part(&mut up, &mut down, farewell(end)).await;
    }
}

/// Both directions, until one of them or something else ends it.
async fn carry<R, W, S, T>(
    up: &mut Pump<R, W>,
    down: &mut Pump<S, T>,
    seen: &RefCell<Seen>,
    (terms, ask, drain): (Terms, &Ask, &Drain),
) -> End
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    S: AsyncRead + Unpin,
    T: AsyncWrite + Unpin,
{
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut leave = pin!(drain.draining());
    let (mut moved, mut closing) = (Instant::now(), None);
    let mut used_up = false;
    loop {
        if used_up && down.is_drained() {
            return End::UsedUp;
        }
        let turn = select! {
            step = up.step(|piece| seen.borrow_mut().asked(&piece)), if !up.is_over() => Turn::Up(step),
            step = down.step(|piece| seen.borrow_mut().answered(&piece)), if !down.is_over() => {
                Turn::Down(step)
            }
            _ = look.tick() => Turn::Look,
            () = &mut leave => Turn::Leave,
        };
        let step = match turn {
            Turn::Leave => return End::Leaving,
            Turn::Look if ask.standing() == Standing::Over => return End::KeyOver,
            Turn::Look if ask.standing() == Standing::Forbidden => return End::KeyHeld,
            Turn::Look if Instant::now() >= terms.end => return End::TimeOver,
            Turn::Look if moved.elapsed() >= terms.idle_max => return End::Idle,
            Turn::Look => None,
            Turn::Up(step) => Some((Sender::Client, step)),
            Turn::Down(step) => Some((Sender::Server, step)),
        };
        if let Some((sender, step)) = step {
            match step {
                Ok(Step::Came | Step::Went) => moved = Instant::now(),
                Ok(Step::Ended) if seen.borrow().closed.is_none() => return End::Gone(sender),
                Ok(Step::Ended) => {}
                Err(Stop::Unwritable) => {
                    let (sender, code) = seen.borrow().closed.unwrap_or((sender.other(), 0));
                    return match code {
                        0 => End::Gone(sender),
                        code => End::Closed(sender, code),
                    };
                }
                Err(Stop::Fault(fault)) => return End::Faulty(sender, fault),
            }
        }
        if let Some((sender, code)) = seen.borrow().closed {
            let since = *closing.get_or_insert_with(Instant::now);
            let both = up.has_closed() && down.has_closed() && up.is_drained() && down.is_drained();
            if both || up.is_over() && down.is_over() || since.elapsed() >= CLOSING_MAX {
                return End::Closed(sender, code);
            }
        }
        let told = seen.borrow_mut().account.told();
        if let Some(tokens) = told {
            let cost = seen.borrow().account.cost_of(&tokens);
            match ask.more(tokens, cost).await {
                Ok(hold) => seen.borrow_mut().account.charge(tokens, hold),
                Err(_) => used_up = true,
            }
        }
    }
}

/// Tells both ends why, and lets go of them when they have heard it.
async fn part<R, W, S, T>(up: &mut Pump<R, W>, down: &mut Pump<S, T>, farewell: Farewell)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    S: AsyncRead + Unpin,
    T: AsyncWrite + Unpin,
{
    let mut mask = [0; 4];
    fastrand::fill(&mut mask);
    let (code, reason) = farewell.provider;
    let to_provider = close::write(Sender::Client, mask, code, reason);
    let (code, reason) = farewell.client;
    let to_client = close::write(Sender::Server, mask, code, reason);
    // Who takes nothing in time is let go without a word.
    let up_parts = async {
        let _ = timeout(CLOSING_MAX, up.part(&to_provider)).await;
        let _ = timeout(CLOSING_MAX, up.shut()).await;
    };
    let down_parts = async {
        let _ = timeout(CLOSING_MAX, down.part(&to_client)).await;
        let _ = timeout(CLOSING_MAX, down.shut()).await;
    };
    tokio::join!(up_parts, down_parts);
    let _ = timeout(CLOSING_MAX, up.linger()).await;
}

// === impl Seen ===

impl Seen {
    fn asked(&mut self, piece: &Piece<'_>) {
        self.look(Sender::Client, piece);
        self.account.asked(piece);
    }

    fn answered(&mut self, piece: &Piece<'_>) {
        self.look(Sender::Server, piece);
        self.account.answered(piece);
    }

    fn look(&mut self, sender: Sender, piece: &Piece<'_>) {
        if piece.kind != Kind::Close || self.closed.is_some() {
            return;
        }
        piece.append_to(&mut self.payload, 2);
        if piece.last {
            self.closed = Some((sender, close::code(&self.payload)));
        }
    }
}

// === impl End ===

impl End {
    /// How the record says it.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Closed(Sender::Client, _)
            | Self::Closed(Sender::Server, 1_000 | 1_001 | 1_005) => Outcome::Completed,
            Self::Closed(Sender::Server, _)
            | Self::Gone(Sender::Server)
            | Self::Faulty(Sender::Server, _) => Outcome::ProviderFailed,
            Self::Gone(Sender::Client) => Outcome::ClientGone,
            Self::Faulty(Sender::Client, _)
            | Self::Idle
            | Self::TimeOver
            | Self::Leaving
            | Self::KeyOver
            | Self::KeyHeld
            | Self::UsedUp => Outcome::Cut,
        }
    }
}
