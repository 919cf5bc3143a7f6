//! Puts an edge together, starts it, and sees it out.
//!
//! The only place that knows every part, and the only one that starts threads and tasks. Serving has a thread and
//! a runtime for each core; the feed runs beside them, and what blocks on the disk has threads of its own.

pub mod cannot_start;
pub mod given;

use std::{
    convert::Infallible, io, net::SocketAddr, num::NonZeroUsize, sync::Arc, thread, time::Duration,
};

use counters::Upkeep;
use lifecycle::{
    PrometheusHandle, announce, build, clock::Clock, drain::Drain, exposition, listen, ops,
    ready::Readiness,
};
use shaping::Lanes;
use telemetry::Telling;
use tls::{door::Door, reload::Reload};
use tokio::{
    net::TcpListener,
    runtime,
    sync::{mpsc, oneshot, watch},
    task::{JoinSet, LocalSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    accept, access_log, call,
    config::{self, Config},
    explain::Beside,
    feed::{
        self,
        dial::Dialer,
        disk::{Directory, keeper::Keeper},
        question::{QUESTIONS_MAX, Question},
    },
    in_force::{self, InForce},
    opaque::Places,
    orphans::{BATCHES_MAX, Orphaned},
    pipeline::{Ingredients, Pipeline},
    recall::Source,
    record::{RECORDS_MAX, Record, content::Outlet},
    report::{Reporter, courier::Courier, decisions::Decisions},
    series::Watched,
    serve,
    shadow::seats::Seats,
    signers::Signers,
    trail::{self, Trail},
    worker::cannot_start::CannotStart,
};

/// How long the last spans and lines may take on their way.
const WATCHING_LAST: Duration = Duration::from_secs(2);

/// An edge that runs.
pub struct Running {
    /// Where it serves.
    pub inference: SocketAddr,
    /// Where it is probed.
    pub ops: SocketAddr,
    /// What keeps it from being ready, to be asked or waited for.
    pub readiness: Readiness,
    serving: Vec<oneshot::Receiver<()>>,
    reporting: oneshot::Receiver<()>,
    watching: Vec<oneshot::Receiver<()>>,
    keeping: Option<oneshot::Receiver<()>>,
    stop: CancellationToken,
    following: JoinSet<()>,
    background: JoinSet<()>,
}

/// A part ended that should not have; the log says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// What all cores share.
struct Shared {
    in_force: InForce,
    live_edges: watch::Receiver<u32>,
    records: mpsc::Sender<Record>,
    beside: Beside,
    remembered: Source,
    outlets: (Outlet, Trail),
    door: given::Entrance,
    drain: Drain,
    watched: Watched,
}

/// Starts an edge on the caller's runtime and its own threads. Comes back when it listens; whether it has policy
/// yet is for [`Running::readiness`]. `drain` sees it out.
pub async fn start(config: Config, drain: Drain) -> Result<Running, CannotStart> {
    // Refused when it is there already, as it is when both planes share a process.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let metrics = describe(config.ops.metrics);
    let readiness = Readiness::new();
    let listening = readiness.block("the listeners");
    let directory = given::directory(&config.state)?;
    let edge_id = given::edge_id(&config.edge, directory.as_ref())?;
    let (dialer, proof) = given::dialer(&config.control_plane, directory.as_ref(), &edge_id)?;
    let renewal = proof.map(|proof| feed::renewal::run(proof, dialer.clone()));
    let stop = CancellationToken::new();
    let (watched, watching) = watched(&config, &edge_id, (&metrics, &stop))?;
    let (door, reloading) = given::door(&config)?;
    let listeners = accept::listeners(&config.inference, config.inference.cores())?;
    let inference = listeners[0].local_addr()?;
    let (probes, ops) = probes(&config.ops)?;

    let (writer, in_force) = in_force::new();
    let (live_edges, live_edges_seen) = watch::channel(given::live_edges(directory.as_ref()));
    // Full: see RECORDS_MAX.
    let (records, recorded) = mpsc::channel(RECORDS_MAX);
    let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
    let parts = feed::Parts {
        writer,
        directory: directory.clone(),
        dialer: dialer.clone(),
        edge_id: edge_id.clone(),
        in_flight: in_flight(&records),
        live_edges,
        region: given::region(directory.as_ref()),
        questions,
        snapshot_bytes_max: config.control_plane.snapshot_bytes_max,
    };
    let (feed, keeper) = feed::open(parts, &readiness);
    let to = Source::new(&dialer, &edge_id);
    let (brought, outlets) = brought(&config, directory.as_ref(), &to);
    let (beside, orphaned) = beside(&config, asked, (&dialer, &edge_id))?;
    let reporter = Reporter::new(&config.usage, directory.as_ref(), dialer, edge_id);
    let mut following = JoinSet::new();
    // The cores get the only sender, so that the queue closes with the last of them.
    let shared = Shared {
        in_force,
        live_edges: live_edges_seen,
        records,
        beside,
        remembered: to,
        outlets,
        door,
        drain: drain.clone(),
        watched,
    };
    let serving = cores(&config, listeners, shared)?;
    let reporting = reported((reporter, recorded, orphaned), brought, drain.clone())?;
    let keeping = kept(keeper)?;
    following.spawn(feed.run(stop.clone()));
    let mut background = observed(probes, &readiness, metrics, drain);
    keep(&mut background, renewal);
    keep(&mut background, reloading.map(Reload::run));
    let bound = [("inference", inference), ("ops", ops)];
    announce::listening(config.ops.ports_file.as_deref(), &bound)?;
    drop(listening);
    Ok(Running {
        inference,
        ops,
        readiness,
        serving,
        reporting,
        watching,
        keeping,
        stop,
        following,
        background,
    })
}

/// What brings to the control plane what was said, and what was decided for the audit trail; and where those go.
fn brought(
    config: &Config,
    directory: Option<&Directory>,
    to: &Source,
) -> ((Courier, Decisions), (Outlet, Trail)) {
    let (trail, accesses, lost) = trail::open();
    let coming = (accesses, lost);
    let decisions = Decisions::open(&config.audit, directory, to.clone(), coming);
    let (contents, courier) = Courier::open(to.clone());
    ((courier, decisions), (contents, trail))
}

/// What is done beside requests, and what is left of those whose edge is gone.
fn beside(
    config: &Config,
    questions: mpsc::Receiver<Question>,
    (dialer, edge_id): (&Dialer, &str),
) -> Result<(Beside, mpsc::Receiver<Orphaned>), CannotStart> {
    let (orphans, orphaned) = mpsc::channel(BATCHES_MAX);
    let beside = Beside {
        questions,
        dialer: dialer.clone(),
        ledger_every: config.limits.ledger_every()?,
        orphans,
        edge_id: edge_id.to_owned(),
    };
    Ok((beside, orphaned))
}

/// Has records, contents and decisions brought away, on a thread of their own.
fn reported(
    (reporter, recorded, orphaned): (Reporter, mpsc::Receiver<Record>, mpsc::Receiver<Orphaned>),
    (courier, decisions): (Courier, Decisions),
    drain: Drain,
) -> io::Result<oneshot::Receiver<()>> {
    on_a_thread("records", move |runtime| {
        let brought = courier.run(drain.clone());
        let told = decisions.run(drain.clone());
        let records = reporter.run((recorded, orphaned), drain);
        runtime.block_on(async { tokio::join!(records, brought, told) });
    })
}

/// Has policy kept on the disk, on a thread of its own, where there is one.
fn kept(keeper: Option<Keeper>) -> io::Result<Option<oneshot::Receiver<()>>> {
    let keeping = keeper.map(|keeper| on_a_thread("state", move |_| keeper.run()));
    keeping.transpose()
}

/// Where others look at this process.
fn probes(config: &config::Ops) -> Result<(TcpListener, SocketAddr), CannotStart> {
    let probes = listen::bind(config.address, config.plaintext_beyond_loopback)?;
    let probes = TcpListener::from_std(probes)?;
    let address = probes.local_addr()?;
    Ok((probes, address))
}

/// Says what is measured, if anything is, and gives what renders it.
fn describe(measured: bool) -> PrometheusHandle {
    if !measured {
        return exposition::unheard();
    }
    let metrics = exposition::install();
    build::describe();
    serve::describe();
    counters::describe();
    telemetry::telling::describe();
    trail::describe();
    tls::door::describe();
    metrics
}

/// What is watched of requests, and the threads that bring away what is seen; they end with the last core or when stopped.
fn watched(
    config: &Config,
    edge_id: &str,
    (metrics, stop): (&PrometheusHandle, &CancellationToken),
) -> Result<(Watched, Vec<oneshot::Receiver<()>>), CannotStart> {
    let (tracer, export) = spans::export::open(&config.traces, edge_id)?;
    let (access_log, lines) =
        access_log::open(&config.access_log).map_err(CannotStart::AccessLog)?;
    let mut bringing = Vec::new();
    if let Some(export) = export {
        let run = move |runtime: &runtime::Runtime| runtime.block_on(export.run());
        bringing.push(on_a_thread("spans", run)?);
    }
    if let Some(telling) = Telling::open(&config.telemetry, "sluice-edge", edge_id)? {
        let run = telling.run(metrics.clone(), stop.clone());
        bringing.push(on_a_thread("telemetry", move |it| it.block_on(run))?);
    }
    if let Some(lines) = lines {
        bringing.push(on_a_thread("access-log", move |_| lines.run())?);
    }
    let watched = Watched {
        tracer,
        access_log,
        ..Watched::default()
    };
    Ok((watched, bringing))
}

/// Lets others look at this process.
fn observed(
    probes: TcpListener,
    readiness: &Readiness,
    metrics: PrometheusHandle,
    drain: Drain,
) -> JoinSet<()> {
    let mut background = JoinSet::new();
    let answering = ops::serve(probes, readiness.clone(), metrics.clone(), drain.clone());
    background.spawn(answering);
    background.spawn(exposition::upkeep(metrics, drain));
    background
}

/// Runs what never ends by itself, if there is such a thing.
fn keep(
    background: &mut JoinSet<()>,
    run: Option<impl Future<Output = Infallible> + Send + 'static>,
) {
    if let Some(run) = run {
        background.spawn(async move { match run.await {} });
    }
}

/// The keys of issuers of tokens, of which none is known yet, and who is asked about tokens.
fn issuers(config: &Config) -> Result<(Signers, Places), CannotStart> {
    Ok((Signers::default(), Places::read(&config.introspection)?))
}

/// Starts a thread for each listener.
fn cores(
    config: &Config,
    listeners: Vec<std::net::TcpListener>,
    shared: Shared,
) -> Result<Vec<oneshot::Receiver<()>>, CannotStart> {
    let Shared {
        in_force,
        live_edges,
        records,
        beside,
        remembered,
        outlets: (contents, trail),
        door: (door, certified),
        drain,
        watched,
    } = shared;
    // One core answers; a question costs little and there are few.
    let mut beside = Some(beside);
    let clock = Clock::system();
    let threads = NonZeroUsize::new(listeners.len()).unwrap_or(NonZeroUsize::MIN);
    let limits = config.limits.counters();
    let counters = counters::open_each(&limits, &clock, &live_edges, threads)?;
    let tls = call::dial::tls()?;
    let lanes = Arc::new(Lanes::new(config.shaping()));
    let (issuers, copies) = (issuers(config)?, Seats::default());
    let mut cores = Vec::with_capacity(listeners.len());
    for (listener, (counters, upkeep)) in listeners.into_iter().zip(counters) {
        let ingredients = Ingredients {
            in_force: in_force.clone(),
            clock: clock.clone(),
            counters,
            records: records.clone(),
            keeps_records: config.usage.keep,
            drain: drain.clone(),
            tls: Arc::clone(&tls),
            inference: config.inference.clone(),
            upstream: config.upstream.clone(),
            lanes: Arc::clone(&lanes),
            guesses: config.limits.guesses(),
            issuers: issuers.clone(),
            certified: certified.clone(),
            watched: watched.clone(),
            beside: beside.take(),
            remembered: Some(remembered.clone()),
            contents: Some(contents.clone()),
            copies: copies.clone(),
            trail: trail.clone(),
        };
        cores.push(core((listener, door.clone()), ingredients, upkeep)?);
    }
    Ok(cores)
}

// === impl Running ===

impl Running {
    /// Waits until the drain has seen the edge out: clients first, then what they left to settle, to report and to
    /// keep. Comes back early when a part ends that should not have.
    pub async fn join(mut self) -> Result<(), Stopped> {
        let reported = async {
            all(self.serving).await?;
            Ok(all([self.reporting]).await)
        };
        let reported = tokio::select! {
            reported = reported => reported?,
            Some(result) = self.following.join_next() => {
                tracing::error!(panicked = result.is_err(), "the feed ended");
                return Err(Stopped);
            }
        };
        // Only now, because until the last request a revocation may still matter, and because the control plane takes
        // the end of the stream for the end of this edge.
        self.stop.cancel();
        while self.following.join_next().await.is_some() {}
        let kept = all(self.keeping).await;
        // A collector that does not answer does not keep the process.
        let _ = timeout(WATCHING_LAST, all(self.watching)).await;
        self.background.shutdown().await;
        reported.and(kept)
    }
}

/// Waits for threads; one that panicked has dropped its end.
async fn all(threads: impl IntoIterator<Item = oneshot::Receiver<()>>) -> Result<(), Stopped> {
    let ends = threads
        .into_iter()
        .map(|end| async { end.await.map_err(|_| Stopped) });
    futures_util::future::try_join_all(ends).await.map(drop)
}

/// One core: its listener, its pipeline, its counters, on a thread with a runtime of its own.
fn core(
    (listener, door): (std::net::TcpListener, Option<Door>),
    ingredients: Ingredients,
    upkeep: Upkeep,
) -> io::Result<oneshot::Receiver<()>> {
    on_a_thread("serve", move |runtime| {
        let (clock, drain) = (ingredients.clock.clone(), ingredients.drain.clone());
        let clock = (clock, ingredients.watched.clone());
        LocalSet::new().block_on(runtime, async {
            let listener = match TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(why) => return tracing::error!(%why, "a listener cannot be served"),
            };
            let pipeline = Pipeline::new(ingredients);
            // The pipeline goes with `serve`, and with it the last of this core's counters, which ends upkeep.
            let serving = serve::serve((listener, door), pipeline, clock, drain.clone());
            tokio::join!(serving, upkeep.run(drain));
        });
    })
}

/// Runs `work` on a thread; the receiver hears when it has ended well.
fn on_a_thread(
    name: &str,
    work: impl FnOnce(&runtime::Runtime) + Send + 'static,
) -> io::Result<oneshot::Receiver<()>> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (ended, end) = oneshot::channel();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            work(&runtime);
            // Nobody may listen any more, when another part has failed.
            let _ = ended.send(());
        })?;
    Ok(end)
}

/// Each request in flight holds a place in the queue of records.
fn in_flight(records: &mpsc::Sender<Record>) -> feed::session::InFlight {
    // Weak, because the queue must close when the cores are gone.
    let records = records.downgrade();
    Arc::new(move || {
        let Some(records) = records.upgrade() else {
            return 0;
        };
        u32::try_from(records.max_capacity() - records.capacity()).unwrap_or(u32::MAX)
    })
}
