//! One stream with one control plane, from `Hello` to its end.
//!
//! Knows the connection; what is said is the follower's. Everything runs in one task: a message, a chunk of a
//! snapshot and news of the disk are taken one at a time, and none waits for another's I/O. The edge ends the stream
//! cleanly only when it leaves for good; every other end is a reset, so that the two can be told apart.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use policy::object::Lane;
use proto::sync::{
    self as wire, sync_request::Message as Say, sync_response::Message as Heard,
    sync_service_client::SyncServiceClient,
};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_stream::{StreamMap, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming, transport::Channel};

use crate::feed::{
    dial::Dialer,
    follower::{Fetch, Follower, Next},
    lane,
    parting::{Farewell, Parting},
    question::{Question, Questions},
};

/// The version of the protocol.
const PROTOCOL: u32 = 1;
/// The largest message, in bytes: a chunk or a batch is at most 1 MiB.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// How many messages to the control plane may wait.
// Full: the other end does not read, so the session is over.
const SAYS_MAX: usize = 256;
/// Without a word for this long the other end is gone; a head comes every second.
const SILENCE: Duration = Duration::from_secs(15);
/// How long the first word may take: a replica that is behind may make an edge wait five seconds.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// How long the other end may take to hear that this edge leaves.
const FAREWELL: Duration = Duration::from_secs(1);
const BEAT: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_secs(1);

/// Who the edge is, as it tells.
#[derive(Clone)]
pub struct Identity {
    /// What it calls itself.
    pub edge_id: String,
    /// Drawn at its start.
    pub boot_id: Vec<u8>,
    /// Where its state came from at start.
    pub boot: wire::Boot,
    /// How many requests are in flight.
    pub in_flight: InFlight,
    /// Where what it is asked goes.
    pub questions: mpsc::Sender<Question>,
}

/// Tells how many requests are in flight.
pub type InFlight = Arc<dyn Fn() -> u32 + Send + Sync>;

/// Why a session ended.
#[derive(Debug)]
pub enum Ended {
    /// This edge is leaving.
    Goodbye,
    /// The replica is leaving.
    Leaving,
    /// It closed the stream.
    Closed,
    /// It was silent, or did not read.
    Silent,
    /// A fault of ours ended it.
    Panicked,
    /// It or the connection failed.
    Failed(Box<Status>),
}

type Chunks =
    Pin<Box<dyn Stream<Item = Option<Result<wire::FetchSnapshotResponse, Status>>> + Send>>;

struct Session<'a> {
    follower: &'a mut Follower,
    dialer: &'a Dialer,
    client: SyncServiceClient<Channel>,
    says: mpsc::Sender<wire::SyncRequest>,
    farewell: Farewell,
    fetches: StreamMap<Lane, Chunks>,
    questions: Questions,
}

/// Follows over this channel until it ends, or until told to stop. `works` is called once the control plane has
/// spoken.
pub async fn run(
    follower: &mut Follower,
    (dialer, channel): (&Dialer, Channel),
    identity: &Identity,
    works: impl FnOnce(),
    stop: &CancellationToken,
) -> Ended {
    let (parting, farewell) = Parting::new(channel.clone());
    let client = SyncServiceClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let mut speaking = SyncServiceClient::new(parting)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    follower.begin(Instant::now());
    let (says, said) = mpsc::channel(SAYS_MAX);
    let hello = wire::Hello {
        protocol: PROTOCOL,
        build: lifecycle::build::VERSION.to_owned(),
        edge_id: identity.edge_id.clone(),
        boot_id: identity.boot_id.clone(),
        cursors: follower.cursors(),
        boot: identity.boot as i32,
    };
    let fetches = StreamMap::new();
    let mut session = Session {
        follower,
        dialer,
        client,
        says,
        farewell,
        fetches,
        questions: Questions::new(identity.questions.clone()),
    };
    // Before the call, because the other end may answer only once it has heard it.
    if let Err(ended) = session.say(Say::Hello(hello)) {
        return ended;
    }
    let opened = async {
        let request = dialer.request(ReceiverStream::new(said));
        let mut stream = speaking.sync(request).await?.into_inner();
        let first = timeout(FIRST_WORD, stream.next()).await;
        Ok((stream, first))
    };
    let mut opened = pin!(timeout(2 * FIRST_WORD, opened));
    let (stream, first) = tokio::select! {
        opened = &mut opened => match opened {
            Ok(Ok((stream, Ok(first)))) => (stream, first),
            Ok(Ok((_, Err(_)))) | Err(_) => return Ended::Silent,
            Ok(Err(status)) => return Ended::Failed(Box::new(status)),
        },
        () = stop.cancelled() => {
            // It may have been heard already, and then wants a farewell.
            if let Ok(Ok(Ok((stream, _)))) = timeout(FAREWELL, opened).await {
                return session.leave(stream).await;
            }
            return Ended::Goodbye;
        }
    };
    if let Err(ended) = session.hear(first) {
        return ended;
    }
    works();
    session.follow(stream, &identity.in_flight, stop).await
}

// === impl Session ===

impl Session<'_> {
    async fn follow(
        mut self,
        mut heard: Streaming<wire::SyncResponse>,
        in_flight: &InFlight,
        stop: &CancellationToken,
    ) -> Ended {
        let (mut beat, mut tick) = (every(BEAT), every(TICK));
        let mut last_word = Instant::now();
        loop {
            let due = lane::next_fetch(&self.follower.lanes);
            let due = due.unwrap_or_else(|| Instant::now() + SILENCE);
            let event = tokio::select! {
                // In this order: a revocation must not wait for the chunks of a snapshot.
                biased;
                word = heard.next() => { last_word = Instant::now(); self.hear(word) }
                () = self.follower.keeping.changed() => { self.follower.kept(); self.flush() }
                _ = tick.tick() => self.tick(last_word).and_then(|()| self.ask(in_flight)),
                _ = beat.tick() => {
                    self.say(Say::Beat(wire::Beat { in_flight: in_flight(), ..Default::default() }))
                }
                () = sleep_until(due.into()) => { self.fetch(); Ok(()) }
                () = stop.cancelled() => return self.leave(heard).await,
                Some((lane, chunk)) = self.fetches.next() => self.chunk(lane, chunk),
                explained = self.questions.answer() => self.say(Say::Explained(explained)),
            };
            if let Err(ended) = event {
                return ended;
            }
        }
    }

    /// Ends the stream cleanly, and waits a moment for the other end to have heard it.
    async fn leave(self, mut heard: Streaming<wire::SyncResponse>) -> Ended {
        self.farewell.say();
        drop(self.says);
        let heard = async { while let Some(Ok(_)) = heard.next().await {} };
        // Either way it was said; what is not read within this time will not be read.
        let _ = timeout(FAREWELL, heard).await;
        Ended::Goodbye
    }

    fn hear(&mut self, word: Option<Result<wire::SyncResponse, Status>>) -> Result<(), Ended> {
        let word = match word {
            Some(Ok(word)) => word,
            Some(Err(status)) => return Err(Ended::Failed(Box::new(status))),
            None => return Err(Ended::Closed),
        };
        // A message of a later protocol has none that this build knows, and is passed over.
        let Some(message) = word.message else {
            return Ok(());
        };
        if let Heard::Explain(asked) = message {
            self.questions.ask(asked);
            return Ok(());
        }
        match self.follower.hear(message, Instant::now()) {
            Next::Stay => self.flush(),
            Next::Leave => Err(Ended::Leaving),
        }
    }

    fn chunk(
        &mut self,
        lane: Lane,
        chunk: Option<Result<wire::FetchSnapshotResponse, Status>>,
    ) -> Result<(), Ended> {
        let now = Instant::now();
        let fetch = match chunk {
            Some(Ok(chunk)) => self.follower.chunk(lane, chunk, now),
            Some(Err(status)) => {
                let (lane_word, code) = (lane.word(), status.code());
                tracing::warn!(
                    lane = lane_word,
                    ?code,
                    why = status.message(),
                    "the snapshot stopped"
                );
                self.follower
                    .stopped(lane, status.code() == tonic::Code::NotFound, now);
                Fetch::Over
            }
            None => {
                self.follower.stopped(lane, false, now);
                Fetch::Over
            }
        };
        if fetch == Fetch::Over {
            self.fetches.remove(&lane);
        }
        self.flush()
    }

    fn tick(&mut self, last_word: Instant) -> Result<(), Ended> {
        let now = Instant::now();
        self.follower.tick(now);
        if now.duration_since(last_word) > SILENCE {
            Err(Ended::Silent)
        } else {
            Ok(())
        }
    }

    /// Asks for shares, where there are limits that regions hold together.
    fn ask(&mut self, in_flight: &InFlight) -> Result<(), Ended> {
        match self.follower.asking() {
            Some(asking) => self.say(Say::Beat(wire::Beat {
                in_flight: in_flight(),
                ..asking
            })),
            None => Ok(()),
        }
    }

    fn fetch(&mut self) {
        for (lane, request) in lane::fetches(&mut self.follower.lanes, Instant::now()) {
            let request = self.dialer.request(request);
            let mut client = self.client.clone();
            let chunks = stream::once(async move { client.fetch_snapshot(request).await });
            let chunks = chunks.map_ok(tonic::Response::into_inner).try_flatten();
            // The end is said, because the map of streams drops an ended one without a word.
            let end = stream::once(std::future::ready(None));
            let chunks = until_silent(chunks, SILENCE).chain(end);
            self.fetches.insert(lane, Box::pin(chunks));
        }
    }

    fn flush(&mut self) -> Result<(), Ended> {
        let says = std::mem::take(&mut self.follower.says);
        says.into_iter().try_for_each(|say| self.say(say))
    }

    fn say(&self, say: Say) -> Result<(), Ended> {
        let request = wire::SyncRequest { message: Some(say) };
        self.says.try_send(request).map_err(|_| Ended::Silent)
    }
}

/// The items; and `None` where the next has not come for this long, as at an end.
fn until_silent<T>(
    items: impl Stream<Item = T>,
    longest: Duration,
) -> impl Stream<Item = Option<T>> {
    tokio_stream::StreamExt::timeout(items, longest).map(Result::ok)
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Goodbye => f.write_str("this edge is leaving"),
            Self::Leaving => f.write_str("the control plane is leaving"),
            Self::Closed => f.write_str("the control plane closed the stream"),
            Self::Silent => f.write_str("the control plane fell silent"),
            Self::Panicked => f.write_str("following the control plane panicked, trying again"),
            Self::Failed(status) => write!(f, "{:?}: {}", status.code(), status.message()),
        }
    }
}

impl std::error::Error for Ended {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_snapshot_that_falls_silent_ends() {
        let chunks = stream::iter([1, 2]).chain(stream::pending());
        let chunks = until_silent(chunks, Duration::from_millis(20)).take(3);
        let heard: Vec<_> = timeout(Duration::from_secs(5), chunks.collect())
            .await
            .unwrap();
        assert_eq!(heard, [Some(1), Some(2), None]);
    }
}
