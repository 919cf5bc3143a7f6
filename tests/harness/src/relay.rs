//! A relay of TCP that can be made to misbehave while it runs: for each direction it delays, hesitates now and then, stalls or
//! half-closes; and it resets what is connected, or refuses what would connect.
//!
//! Knows bytes and nothing of what they mean. What stands between an edge and its Redis in tests of what goes wrong there.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// How much is read at a time in one direction.
// Full: the rest waits in the kernel, as on any slow way.
const PIECE: usize = 65_536;

/// How one direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// As fast as it goes.
    #[default]
    Open,
    /// Everything comes so much later.
    Late(Duration),
    /// Of so many pieces one comes so much later, as where a packet was lost and is sent again.
    Lossy(u32, Duration),
    /// Nothing comes, and nothing is lost: it comes when this is over.
    Stalled,
    /// Half of each connection is closed in this direction, for good.
    Closed,
}

/// Whether there are connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// They are made; those of an earlier number are reset.
    Open(u64),
    /// They are reset, all of them.
    Shut,
}

/// A relay. Dropping it ends it, and all connections through it.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    there: watch::Sender<Way>,
    back: watch::Sender<Way>,
    door: watch::Sender<Door>,
    task: JoinHandle<()>,
}

/// What each connection listens to.
#[derive(Clone)]
struct Ways {
    there: watch::Receiver<Way>,
    back: watch::Receiver<Way>,
    door: watch::Receiver<Door>,
}

// === impl Relay ===

impl Relay {
    /// Relays what connects to it to `target`.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (there, back) = (watch::Sender::default(), watch::Sender::default());
        let door = watch::Sender::new(Door::Open(0));
        let ways = Ways {
            there: there.subscribe(),
            back: back.subscribe(),
            door: door.subscribe(),
        };
        let task = tokio::spawn(accept(listener, target, ways));
        Self {
            address,
            there,
            back,
            door,
            task,
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes the direction of what is sent so, from the next piece on.
    pub fn there(&self, way: Way) {
        self.there.send_replace(way);
    }

    /// Makes the direction of what is answered so, from the next piece on.
    pub fn back(&self, way: Way) {
        self.back.send_replace(way);
    }

    /// Resets every connection. The next is made as ever.
    pub fn reset(&self) {
        self.door.send_modify(|door| {
            *door = match *door {
                Door::Open(number) => Door::Open(number + 1),
                Door::Shut => Door::Shut,
            };
        });
    }

    /// Resets every connection, and each that is made, until it is opened again.
    pub fn shut(&self, is_shut: bool) {
        let door = if is_shut { Door::Shut } else { Door::Open(0) };
        self.door.send_replace(door);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, ways: Ways) {
    // Aborted with this task.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(relay(client, target, ways.clone()));
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn relay(client: TcpStream, target: SocketAddr, mut ways: Ways) {
    let _reset = client.set_zero_linger();
    let number = *ways.door.borrow_and_update();
    if number == Door::Shut {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let _set = (
        server.set_zero_linger(),
        server.set_nodelay(true),
        client.set_nodelay(true),
    );
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let both = async {
        tokio::join!(
            pump(from_client, to_server, ways.there),
            pump(from_server, to_client, ways.back)
        )
    };
    tokio::select! {
        _ends = both => {}
        _reset = ways.door.wait_for(|door| *door != number) => {}
    }
}

/// One direction of one connection, until it ends. What was to be written is given back, so that it stays half open.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    let (mut piece, mut pieces) = (vec![0; PIECE], 0_u32);
    let closed = |way: &Way| *way == Way::Closed;
    loop {
        let read = tokio::select! {
            read = from.read(&mut piece) => read.unwrap_or(0),
            _closed = async { way.clone().wait_for(closed).await.is_ok() } => 0,
        };
        if read == 0 || !passes(&mut way, &mut pieces).await {
            let _closed = to.shutdown().await;
            return (from, to);
        }
        let Some(bytes) = piece.get(..read) else {
            return (from, to);
        };
        if to.write_all(bytes).await.is_err() {
            return (from, to);
        }
    }
}

/// Waits as long as a piece has to; false where it never passes.
async fn passes(way: &mut watch::Receiver<Way>, pieces: &mut u32) -> bool {
    *pieces = pieces.wrapping_add(1);
    let now = way.wait_for(|way| *way != Way::Stalled).await;
    let Ok(now) = now.map(|now| *now) else {
        return false;
    };
    match now {
        Way::Open => true,
        Way::Late(by) => {
            sleep(by).await;
            true
        }
        Way::Lossy(of, by) => {
            if pieces.is_multiple_of(of.max(1)) {
                sleep(by).await;
            }
            true
        }
        Way::Stalled | Way::Closed => false,
    }
}
