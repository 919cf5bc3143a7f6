//! Records, and decisions for the audit trail, on their way to a scripted control plane, there and away.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use dialect::Tokens;
use lifecycle::drain::{self, Drain, Trigger};
use policy::{
    cost::Cost,
    id::{ModelId, OrganizationId, ProjectId, VersionId},
    key::Key,
    revision::Revision,
};
use proto::usage::{
    self as wire,
    usage_service_server::{UsageService, UsageServiceServer},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};
use worker::{
    feed::{dial::Dialer, disk::Directory},
    recall::Source,
    record::{Outcome, Record, UsageSource},
    report::{
        Config, Reporter,
        decisions::{self, Decisions},
    },
    trail::{Access, Lost, What},
};

struct Store(
    mpsc::UnboundedSender<wire::ReportRequest>,
    watch::Receiver<bool>,
    /// How many more reports it takes without knowing of decisions.
    AtomicU32,
);

#[tonic::async_trait]
impl UsageService for Store {
    async fn report(
        &self,
        request: Request<wire::ReportRequest>,
    ) -> Result<Response<wire::ReportResponse>, Status> {
        assert_eq!(
            request.metadata().get("authorization").unwrap(),
            "Bearer slj_test"
        );
        let decisions = request.get_ref().accesses.len();
        self.0.send(request.into_inner()).unwrap();
        let mut open = self.1.clone();
        open.wait_for(|open| *open).await.unwrap();
        let deaf = |left: u32| left.checked_sub(1);
        let order = Ordering::Relaxed;
        let stored = match self.2.fetch_update(order, order, deaf) {
            Ok(_) => 0,
            Err(_) => u32::try_from(decisions).unwrap(),
        };
        Ok(Response::new(wire::ReportResponse {
            stored,
            ..wire::ReportResponse::default()
        }))
    }

    async fn deposit(
        &self,
        _: Request<wire::DepositRequest>,
    ) -> Result<Response<wire::DepositResponse>, Status> {
        Err(Status::unimplemented("no reporter brings content"))
    }

    async fn recall(
        &self,
        _: Request<wire::RecallRequest>,
    ) -> Result<Response<wire::RecallResponse>, Status> {
        Err(Status::unimplemented("no reporter asks"))
    }

    async fn recall_spending(
        &self,
        _: Request<wire::RecallSpendingRequest>,
    ) -> Result<Response<wire::RecallSpendingResponse>, Status> {
        Err(Status::unimplemented("no reporter asks"))
    }

    async fn give_feedback(
        &self,
        _: Request<wire::GiveFeedbackRequest>,
    ) -> Result<Response<wire::GiveFeedbackResponse>, Status> {
        Err(Status::unimplemented("no reporter asks"))
    }
}

async fn store(address: SocketAddr) -> (SocketAddr, mpsc::UnboundedReceiver<wire::ReportRequest>) {
    deaf_store(address, 0).await
}

/// One that says nothing of decisions in so many reports, as one of an earlier build does.
async fn deaf_store(
    address: SocketAddr,
    deaf: u32,
) -> (SocketAddr, mpsc::UnboundedReceiver<wire::ReportRequest>) {
    let (opens, open) = watch::channel(true);
    // Kept, so that it stays as it is.
    tokio::spawn(async move { opens.closed().await });
    scripted(address, open, deaf).await
}

/// One that answers only while `open` says so.
async fn slow_store(
    address: SocketAddr,
    open: watch::Receiver<bool>,
) -> (SocketAddr, mpsc::UnboundedReceiver<wire::ReportRequest>) {
    scripted(address, open, 0).await
}

async fn scripted(
    address: SocketAddr,
    open: watch::Receiver<bool>,
    deaf: u32,
) -> (SocketAddr, mpsc::UnboundedReceiver<wire::ReportRequest>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, stored) = mpsc::unbounded_channel();
    let serving = Server::builder()
        .add_service(UsageServiceServer::new(Store(sender, open, deaf.into())))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(serving);
    (address, stored)
}

fn nowhere() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn record(number: u8) -> Record {
    Record {
        id: [number; 16],
        at_ms: 1_700_000_000_123,
        organization: OrganizationId::from_bytes([1; 16]),
        project: ProjectId::from_bytes([2; 16]),
        key_id: "key".to_owned(),
        previous_secret: false,
        model: ModelId::from_bytes([3; 16]),
        rollout: None,
        shadow: None,
        finish: dialect::Finish::Unseen,
        version: VersionId::from_bytes([4; 16]),
        provider: None,
        provider_model: String::new(),
        endpoint: "/v1/embeddings",
        outcome: Outcome::Completed,
        status: 200,
        streamed: false,
        usage_source: UsageSource::Provider,
        tokens: Tokens {
            input: 5,
            ..Default::default()
        },
        revision: Revision(6),
        duration_us: 7,
        attempts: Vec::new(),
        decision: None,
        first_byte_us: 8,
        overhead_us: 3,
        queue_us: 2,
        trace_id: Some([9; 16]),
        over_limits: Vec::new(),
        request_bytes: 9,
        answer_bytes: 10,
        missed: Vec::new(),
        served: None,
        cost: Cost::Known(0),
        tags: None,
        end_user: Some("u".repeat(200).into()),
    }
}

fn directory(path: &Path) -> Directory {
    Directory::open(path, seal::SealingKey::parse(&"7".repeat(64)).unwrap()).unwrap()
}

fn drain() -> (Trigger, Drain) {
    drain::channel(Duration::ZERO, Duration::from_secs(5))
}

fn run(
    address: SocketAddr,
    directory: Option<&Directory>,
    drain: Drain,
) -> (mpsc::Sender<Record>, JoinHandle<()>) {
    let dialer = Dialer::new(&[format!("http://{address}")], "slj_test", false).unwrap();
    let reporter = Reporter::new(&Config::default(), directory, dialer, "edge".to_owned());
    let (records, queue) = mpsc::channel(64);
    let (_, orphaned) = mpsc::channel(1);
    let running = reporter.run((queue, orphaned), drain);
    (records, tokio::spawn(running))
}

async fn next(stored: &mut mpsc::UnboundedReceiver<wire::ReportRequest>) -> Vec<u8> {
    let batch = timeout(Duration::from_secs(10), stored.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(batch.edge_id, "edge");
    batch.records.iter().map(|record| record.id[0]).collect()
}

#[tokio::test]
async fn records_are_brought_together() {
    let (address, mut stored) = store(any()).await;
    let (_trigger, drain) = drain();
    let (records, running) = run(address, None, drain);
    for number in 1..=3 {
        records.send(record(number)).await.unwrap();
    }
    assert_eq!(next(&mut stored).await, [1, 2, 3]);
    records.send(record(4)).await.unwrap();
    drop(records);
    running.await.unwrap();
    assert_eq!(next(&mut stored).await, [4]);
}

#[tokio::test]
async fn records_wait_on_disk_for_a_control_plane_and_another_process() {
    let path = tempfile::tempdir().unwrap();
    let (_trigger, drain) = drain();
    let address = nowhere();
    let (records, running) = run(address, Some(&directory(path.path())), drain.clone());
    records.send(record(1)).await.unwrap();
    records.send(record(2)).await.unwrap();
    drop(records);
    timeout(Duration::from_secs(4), running)
        .await
        .expect("no waiting for who is away")
        .unwrap();

    let (address, mut stored) = store(address).await;
    let (records, running) = run(address, Some(&directory(path.path())), drain.clone());
    assert_eq!(next(&mut stored).await, [1, 2]);
    drop(records);
    running.await.unwrap();

    // What was taken is not sent again.
    let (records, running) = run(address, Some(&directory(path.path())), drain);
    records.send(record(3)).await.unwrap();
    drop(records);
    running.await.unwrap();
    assert_eq!(next(&mut stored).await, [3]);
    assert!(stored.try_recv().is_err());
}

#[tokio::test]
async fn without_a_disk_records_wait_in_memory() {
    let address = nowhere();
    let (_trigger, drain) = drain();
    let (records, running) = run(address, None, drain);
    records.send(record(1)).await.unwrap();
    drop(records);
    let (_, mut stored) = store(address).await;
    assert_eq!(next(&mut stored).await, [1]);
    running.await.unwrap();
}

#[tokio::test]
async fn a_drain_that_is_over_does_not_wait_for_who_is_away() {
    let (trigger, drain) = drain::channel(Duration::ZERO, Duration::ZERO);
    let (records, running) = run(nowhere(), None, drain);
    records.send(record(1)).await.unwrap();
    drop(records);
    trigger.start();
    timeout(Duration::from_secs(4), running)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn records_go_to_disk_while_a_control_plane_takes_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let directory = directory(folder.path());
    let (open, opened) = watch::channel(false);
    let (address, mut stored) = slow_store(any(), opened).await;
    let (_trigger, drain) = drain();
    let (records, _work) = run(address, Some(&directory), drain);
    records.send(record(0)).await.unwrap();
    assert_eq!(next(&mut stored).await, [0]);
    // The first is not answered yet, and a try may take five seconds. The queue has room for 64.
    let most = async {
        for number in 1..=u8::MAX {
            records.send(record(number)).await.unwrap();
        }
    };
    let sent = timeout(Duration::from_secs(3), most).await;
    sent.expect("there is room for all, though nobody takes any");
    open.send(true).unwrap();
    let mut missing: Vec<_> = (1..=u8::MAX).collect();
    while !missing.is_empty() {
        let came = next(&mut stored).await;
        missing.retain(|it| !came.contains(it));
    }
}

fn decision(number: u8) -> Access {
    let key = Key {
        key_id: "key".to_owned(),
        organization: OrganizationId::from_bytes([1; 16]),
        project: ProjectId::from_bytes([2; 16]),
        tag: [3; 32],
        pepper_version: 1,
        secret_created_at_ms: 0,
        previous: None,
        disabled: false,
        scope: None,
        labels: None,
        models: Vec::new(),
        expires_at_ms: None,
        config_revision: Revision(0),
    };
    Access {
        id: uuid::Uuid::from_bytes([number; 16]),
        request: uuid::Uuid::from_bytes([9; 16]),
        at_ms: 1_700_000_000_123,
        key: Arc::new(key),
        client: Some(IpAddr::from([192, 0, 2, 1])),
        endpoint: "/v1/embeddings",
        what: What::model(&"m\0".repeat(512)),
        denied: Some("model_forbidden"),
        lost_before: 0,
    }
}

fn told(
    address: SocketAddr,
    directory: &Directory,
    (config, lost): (&decisions::Config, &Lost),
    drain: Drain,
) -> (mpsc::Sender<Access>, JoinHandle<()>) {
    let dialer = Dialer::new(&[format!("http://{address}")], "slj_test", false).unwrap();
    let to = Source::new(&dialer, "edge");
    let (accesses, queue) = mpsc::channel(64);
    let coming = (queue, lost.clone());
    let decisions = Decisions::open(config, Some(directory), to, coming);
    (accesses, tokio::spawn(decisions.run(drain)))
}

async fn next_told(stored: &mut mpsc::UnboundedReceiver<wire::ReportRequest>) -> Vec<wire::Access> {
    let batch = timeout(Duration::from_secs(10), stored.recv()).await;
    let batch = batch.unwrap().unwrap();
    assert_eq!(batch.edge_id, "edge");
    batch.accesses
}

fn ids(accesses: &[wire::Access]) -> Vec<u8> {
    accesses.iter().map(|access| access.id[0]).collect()
}

#[tokio::test]
async fn decisions_are_brought_in_order_until_somebody_knows_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let directory = directory(folder.path());
    let (_trigger, drain) = drain();
    let usual = (&decisions::Config::default(), &Lost::default());
    // Nobody is there, and the process ends.
    let address = nowhere();
    let (accesses, running) = told(address, &directory, usual, drain.clone());
    accesses.send(decision(1)).await.unwrap();
    accesses.send(decision(2)).await.unwrap();
    drop(accesses);
    let gone = timeout(Duration::from_secs(4), running).await;
    gone.expect("no waiting for who is away").unwrap();

    // Then somebody who knows only of records, twice.
    let (address, mut stored) = deaf_store(address, 2).await;
    let (accesses, running) = told(address, &directory, usual, drain.clone());
    for _ in 0..3 {
        let came = next_told(&mut stored).await;
        assert_eq!(ids(&came), [1, 2]);
        let first = &came[0];
        assert_eq!(
            (first.key_id.as_str(), first.source.as_str()),
            ("key", "192.0.2.1")
        );
        assert_eq!(
            (first.model.len(), first.reason.as_str()),
            (256, "model_forbidden")
        );
    }
    accesses.send(decision(3)).await.unwrap();
    assert_eq!(ids(&next_told(&mut stored).await), [3]);
    drop(accesses);
    running.await.unwrap();

    // What was taken is not brought again.
    let (accesses, running) = told(address, &directory, usual, drain);
    accesses.send(decision(4)).await.unwrap();
    drop(accesses);
    running.await.unwrap();
    assert_eq!(ids(&next_told(&mut stored).await), [4]);
    assert!(stored.try_recv().is_err());
}

#[tokio::test]
async fn decisions_that_find_no_room_on_the_disk_are_counted_for_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let directory = directory(folder.path());
    let (_trigger, drain) = drain();
    let config = decisions::Config {
        spool_bytes_max: 64,
    };
    let lost = Lost::default();
    let (accesses, running) = told(nowhere(), &directory, (&config, &lost), drain);
    let mut second = decision(2);
    second.lost_before = 5;
    accesses.send(decision(1)).await.unwrap();
    accesses.send(second).await.unwrap();
    drop(accesses);
    running.await.unwrap();
    // Two that are lost now, and what the second had to tell.
    assert_eq!(lost.take(), 7);
}
