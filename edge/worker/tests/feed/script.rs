//! A control plane that says exactly what a test tells it to say.

use std::{net::SocketAddr, pin::Pin, time::Duration};

use policy::object::Lane;
use proto::sync::{
    self as wire,
    sync_request::Message as Say,
    sync_response::Message as Heard,
    sync_service_server::{SyncService, SyncServiceServer},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle, time::timeout};
use tokio_stream::{
    Stream, StreamExt,
    wrappers::{ReceiverStream, TcpListenerStream},
};
use tonic::{Request, Response, Status, Streaming, transport::Server};

use crate::plane::Plane;

type Out<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The server; dropping it cuts every connection.
pub(crate) struct Script {
    pub(crate) address: SocketAddr,
    sessions: mpsc::Receiver<Session>,
    fetches: mpsc::Receiver<Fetch>,
    server: JoinHandle<()>,
}

/// One stream of one edge.
pub(crate) struct Session {
    pub(crate) hello: wire::Hello,
    said: Streaming<wire::SyncRequest>,
    says: mpsc::Sender<Result<wire::SyncResponse, Status>>,
}

/// One fetch of a snapshot.
pub(crate) struct Fetch {
    pub(crate) request: wire::FetchSnapshotRequest,
    pub(crate) chunks: mpsc::Sender<Result<wire::FetchSnapshotResponse, Status>>,
}

struct Service {
    sessions: mpsc::Sender<Session>,
    fetches: mpsc::Sender<Fetch>,
}

/// What must happen soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future)
        .await
        .unwrap_or_else(|_| panic!("not soon: {what}"))
}

impl Script {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (session_sender, sessions) = mpsc::channel(8);
        let (fetch_sender, fetches) = mpsc::channel(8);
        let service = Service {
            sessions: session_sender,
            fetches: fetch_sender,
        };
        let serving = Server::builder()
            .add_service(SyncServiceServer::new(service))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = tokio::spawn(async move { serving.await.unwrap() });
        Self {
            address,
            sessions,
            fetches,
            server,
        }
    }

    /// The next session, welcomed.
    pub(crate) async fn session(&mut self) -> Session {
        let session = soon("a session", self.sessions.recv()).await.unwrap();
        session.say(Heard::Welcome(wire::Welcome::default())).await;
        session
    }

    pub(crate) async fn fetch(&mut self) -> Fetch {
        soon("a fetch", self.fetches.recv()).await.unwrap()
    }

    /// Answers the next fetches, one for each of these.
    pub(crate) async fn serve(&mut self, planes: &[&Plane]) {
        for _ in planes {
            let fetch = self.fetch().await;
            let plane = planes
                .iter()
                .find(|plane| plane.lane as i32 == fetch.request.lane);
            fetch
                .serve(plane.expect("a lane that is to be fetched"))
                .await;
        }
    }

    /// Whether nobody wants a snapshot.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.fetches.try_recv().is_err()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Session {
    pub(crate) async fn say(&self, message: Heard) {
        let response = wire::SyncResponse {
            message: Some(message),
        };
        soon("the edge to read", self.says.send(Ok(response)))
            .await
            .unwrap();
    }

    pub(crate) async fn batch(&self, batch: wire::Batch) {
        self.say(Heard::Batch(batch)).await;
    }

    /// Waits for the first message of which `pick` makes something.
    pub(crate) async fn wait<T>(&mut self, what: &str, pick: impl Fn(Say) -> Option<T>) -> T {
        soon(what, async {
            loop {
                let request = self.said.next().await.expect("the edge to stay").unwrap();
                if let Some(found) = request.message.and_then(&pick) {
                    return found;
                }
            }
        })
        .await
    }

    /// Waits for the end of what the edge says. `true`: it took its leave, and was not cut off.
    pub(crate) async fn is_left(&mut self) -> bool {
        soon("the edge to leave", async {
            loop {
                match self.said.next().await {
                    None => return true,
                    Some(Ok(_)) => {}
                    Some(Err(_)) => return false,
                }
            }
        })
        .await
    }

    /// Waits until a lane is in force at a revision.
    pub(crate) async fn acked(&mut self, lane: Lane, revision: u64) -> wire::Ack {
        let what = format!("an ack of {} at {revision}", lane.word());
        self.wait(&what, |say| match say {
            Say::Ack(ack) if ack.lane == lane as i32 && ack.applied_revision == revision => {
                Some(ack)
            }
            _ => None,
        })
        .await
    }

    /// Waits until a restart would find a lane at a revision.
    pub(crate) async fn durable(&mut self, lane: Lane, revision: u64) {
        let what = format!("{} to be durable at {revision}", lane.word());
        self.wait(&what, |say| match say {
            Say::Ack(ack) if ack.lane == lane as i32 && ack.durable_revision == revision => {
                Some(())
            }
            _ => None,
        })
        .await;
    }

    pub(crate) async fn nacked(&mut self) -> wire::Nack {
        self.wait("a nack", |say| {
            if let Say::Nack(nack) = say {
                Some(nack)
            } else {
                None
            }
        })
        .await
    }
}

impl Fetch {
    pub(crate) async fn serve(&self, plane: &Plane) {
        for chunk in plane.snapshot() {
            self.chunks.send(Ok(chunk)).await.unwrap();
        }
    }
}

#[tonic::async_trait]
impl SyncService for Service {
    type SyncStream = Out<wire::SyncResponse>;
    type FetchSnapshotStream = Out<wire::FetchSnapshotResponse>;

    async fn sync(
        &self,
        request: Request<Streaming<wire::SyncRequest>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        assert_eq!(
            request.metadata().get("authorization").unwrap(),
            "Bearer slj_test"
        );
        let mut said = request.into_inner();
        let first = said.next().await.expect("a first message")?;
        let Some(Say::Hello(hello)) = first.message else {
            panic!("not a hello")
        };
        let (says, heard) = mpsc::channel(64);
        self.sessions
            .send(Session { hello, said, says })
            .await
            .unwrap();
        Ok(Response::new(Box::pin(ReceiverStream::new(heard))))
    }

    async fn fetch_snapshot(
        &self,
        request: Request<wire::FetchSnapshotRequest>,
    ) -> Result<Response<Self::FetchSnapshotStream>, Status> {
        assert_eq!(
            request.metadata().get("authorization").unwrap(),
            "Bearer slj_test"
        );
        let (chunks, fetched) = mpsc::channel(64);
        self.fetches
            .send(Fetch {
                request: request.into_inner(),
                chunks,
            })
            .await
            .unwrap();
        Ok(Response::new(Box::pin(ReceiverStream::new(fetched))))
    }

    async fn read_ledger(
        &self,
        _: Request<wire::ReadLedgerRequest>,
    ) -> Result<Response<wire::ReadLedgerResponse>, Status> {
        Err(Status::unimplemented("no edge here has quotas"))
    }
}
