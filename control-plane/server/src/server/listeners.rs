//! The three listeners: bound first, so that a taken port is told before anything is written anywhere.
//!
//! Knows addresses and which services stand behind which; knows nothing of what they do.

use std::{future::Future, net::SocketAddr, time::Duration};

use lifecycle::{announce, drain::Drain, listen};
use proto::{
    sync::{
        enrolment_service_server::EnrolmentServiceServer, sync_service_server::SyncServiceServer,
    },
    usage::usage_service_server::UsageServiceServer,
};
use tls::{
    door::Door,
    reload::{self, Reload},
};
use tokio::net::TcpListener;
use tonic::{service::Routes, transport::Server};
use tonic_health::ServingStatus;
use tonic_web::GrpcWebLayer;

use crate::{
    api,
    config::Config,
    ingest::{
        Ingest,
        tally::{REPORT_BYTES_MAX, TallyLayer},
    },
    publish::{
        door::DoorLayer,
        enrol::{self, Enrolment},
        sync::{self, Sync},
    },
    server::{cannot_start::CannotStart, incoming::incoming},
};

/// How often a silent connection is asked whether it lives.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// How long it may take to answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The most calls at once on one connection of an operator.
const CALLS_MAX: u32 = 256; // Full: the client waits until one of its calls has ended.

/// The most calls at once on one connection of an edge, which makes five.
const EDGE_CALLS_MAX: u32 = 16; // Full: as above.

/// The most connections of operators.
const CONNECTIONS_MAX: usize = 1_024; // Full: the next one waits in the queue of the system until one has ended.

/// The most connections of edges, each of which has two.
const EDGE_CONNECTIONS_MAX: usize = 16_384; // Full: as above.

/// Three listeners.
pub(crate) struct Listeners {
    /// For operators.
    pub(crate) admin: TcpListener,
    /// For edges.
    pub(crate) edges: TcpListener,
    /// For probes.
    pub(crate) ops: TcpListener,
    /// Where they listen, in the same order.
    pub(crate) addresses: [SocketAddr; 3],
}

/// What operators speak behind TLS: gRPC-web comes over HTTP/1.1 too.
const ADMIN_ALPN: tls::served::Alpn = &[b"h2", b"http/1.1"];

/// Serves the admin API until the drain.
pub(crate) fn admin(
    (listener, door): (TcpListener, Option<Door>),
    parts: api::Parts,
    drain: Drain,
) -> Result<impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static, CannotStart>
{
    let (reporter, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|_| CannotStart::Broken("its descriptors cannot be shown"))?;
    let open = Routes::new(health).add_service(reflection);
    let router = builder(CALLS_MAX)
        // gRPC-web comes over HTTP/1.1 too.
        .accept_http1(true)
        .layer(GrpcWebLayer::new())
        .add_routes(api::routes(parts, open));
    Ok(async move {
        let leaving = drain.clone();
        let step_back = async move {
            leaving.leaving().await;
            reporter
                .set_service_status("", ServingStatus::NotServing)
                .await;
        };
        let draining = async move { drain.draining().await };
        let serve = router
            .serve_with_incoming_shutdown(incoming(listener, door, CONNECTIONS_MAX), draining);
        futures_util::future::join(serve, step_back).await.0
    })
}

/// Serves edges until the drain.
pub(crate) fn edges(
    listener: TcpListener,
    (door, sync, usage): (DoorLayer, Sync, Ingest),
    certified: Option<(Door, Enrolment)>,
    drain: Drain,
) -> impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static {
    let sync = SyncServiceServer::new(sync).max_decoding_message_size(sync::REQUEST_BYTES_MAX);
    let usage = UsageServiceServer::new(usage).max_decoding_message_size(REPORT_BYTES_MAX);
    // The layer that is added last is met first: no byte of a body is read for nobody.
    let services = Routes::new(sync).add_service(usage).into_axum_router();
    let mut services = Routes::from(services.layer(TallyLayer::new()).layer(door));
    let (encrypted, enrolment) = certified.unzip();
    if let Some(enrolment) = enrolment {
        // Beside the door: who comes here has nothing to show at it yet, or what has ended.
        let enrolment = EnrolmentServiceServer::new(enrolment);
        services =
            services.add_service(enrolment.max_decoding_message_size(enrol::REQUEST_BYTES_MAX));
    }
    let router = builder(EDGE_CALLS_MAX).add_routes(services);
    let draining = async move { drain.draining().await };
    router.serve_with_incoming_shutdown(
        incoming(listener, encrypted, EDGE_CONNECTIONS_MAX),
        draining,
    )
}

fn builder(calls_max: u32) -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(Some(calls_max))
}

// === impl Listeners ===

impl Listeners {
    /// Binds all three.
    pub(crate) fn bind(config: &Config) -> Result<Self, CannotStart> {
        let (admin, edges, ops) = (&config.admin, &config.edges, &config.ops);
        let admin = bind(
            "admin",
            admin.address,
            admin.plaintext_beyond_loopback || admin.tls.is_some(),
        )?;
        let edges = bind(
            "edges",
            edges.address,
            edges.plaintext_beyond_loopback || edges.tls,
        )?;
        let ops = bind("ops", ops.address, ops.plaintext_beyond_loopback)?;
        let addresses = [admin.1, edges.1, ops.1];
        Ok(Self {
            admin: admin.0,
            edges: edges.0,
            ops: ops.0,
            addresses,
        })
    }
}

/// The door of the admin listener where it has certificates, and what keeps it in step with them.
pub(crate) fn admin_door(config: &Config) -> Result<(Option<Door>, Option<Reload>), CannotStart> {
    let opened = config.admin.tls.clone();
    let opened = opened.map(|it| reload::open("admin", it, Vec::new(), ADMIN_ALPN));
    let opened = opened.transpose();
    Ok(opened.map_err(CannotStart::Certificates)?.unzip())
}

/// Says where a control plane listens: in the log, and in `ops.ports_file` where that is set.
pub(crate) fn announce(config: &Config, addresses: [SocketAddr; 3]) -> Result<(), CannotStart> {
    let [admin, edges, ops] = addresses;
    let listeners = [("admin", admin), ("edges", edges), ("ops", ops)];
    announce::listening(config.ops.ports_file.as_deref(), &listeners).map_err(CannotStart::Announce)
}

fn bind(
    section: &'static str,
    address: SocketAddr,
    beyond_loopback: bool,
) -> Result<(TcpListener, SocketAddr), CannotStart> {
    let bound = listen::bind(address, beyond_loopback)
        .map_err(|error| CannotStart::Listen(section, error))?;
    let refused =
        |error| CannotStart::Listen(section, listen::CannotListen::Refused(address, error));
    let listener = TcpListener::from_std(bound).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}
