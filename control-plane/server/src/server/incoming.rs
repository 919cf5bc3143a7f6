//! The connections of a listener as they come, encrypted where it has a door, each in a place of its own.
//!
//! Knows sockets and handshakes; knows nothing of what is said. A handshake that dawdles holds up no other connection.

use std::{io, sync::Arc};

use futures_util::{
    FutureExt, Stream, StreamExt,
    future::{BoxFuture, Either, select},
    stream::{self, FuturesUnordered},
};
use tls::{door::Door, wire::Wire};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tracing::debug;

use crate::server::counted::Counted;

/// A listener and what it is doing.
struct Incoming {
    listener: TcpListener,
    places: Arc<Semaphore>,
    door: Option<Door>,
    /// Full: never more than there are places, each of which is one of these or a connection.
    shaking: FuturesUnordered<BoxFuture<'static, Option<Counted>>>,
}

/// The connections as they come, never more than `max` at once, behind `door` if there is one.
pub(crate) fn incoming(
    listener: TcpListener,
    door: Option<Door>,
    max: usize,
) -> impl Stream<Item = io::Result<Counted>> + Send + 'static {
    let incoming = Incoming {
        listener,
        places: Arc::new(Semaphore::new(max)),
        door,
        shaking: FuturesUnordered::new(),
    };
    stream::unfold(incoming, |mut incoming| async move {
        let next = incoming.next().await?;
        Some((next, incoming))
    })
}

// === impl Incoming ===

impl Incoming {
    async fn next(&mut self) -> Option<io::Result<Counted>> {
        loop {
            let places = Arc::clone(&self.places);
            let accepted = async {
                // Full: nothing is accepted, and who connects waits in the queue of the system. Nobody closes the
                // semaphore.
                let place = places.acquire_owned().await.ok()?;
                Some((self.listener.accept().await, place))
            };
            let accepted = if self.shaking.is_empty() {
                accepted.await
            } else {
                // Those who wait go before those who come.
                match select(self.shaking.next(), accepted.boxed()).await {
                    Either::Left((Some(Some(shaken)), _)) => return Some(Ok(shaken)),
                    Either::Left(_) => continue,
                    Either::Right((accepted, _)) => accepted,
                }
            };
            let (stream, place) = match accepted? {
                (Ok((stream, _)), place) => (stream, place),
                (Err(why), _) => return Some(Err(why)),
            };
            // A connection that sends in larger pieces is slower, and still works.
            let _ = stream.set_nodelay(true);
            match &self.door {
                None => return Some(Ok(Counted::new(Wire::Tcp(stream), place))),
                Some(door) => self
                    .shaking
                    .push(shake(door.clone(), stream, place).boxed()),
            }
        }
    }
}

async fn shake(door: Door, stream: TcpStream, place: OwnedSemaphorePermit) -> Option<Counted> {
    match door.accept(stream).await {
        Ok(stream) => Some(Counted::new(Wire::Tls(Box::new(stream.into())), place)),
        Err(why) => {
            debug!(listener = door.listener(), %why, "a connection was hung up on");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_too_many_is_taken_when_another_has_ended() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut incoming = Box::pin(incoming(listener, None, 2));
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let first = incoming.next().await.unwrap().unwrap();
        let _second = incoming.next().await.unwrap().unwrap();
        assert!(incoming.next().now_or_never().is_none());
        drop(first);
        assert!(incoming.next().await.unwrap().is_ok());
    }
}
