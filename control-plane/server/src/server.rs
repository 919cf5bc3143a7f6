//! Puts the parts of the control plane together, starts them, and sees them out.
//!
//! The only place that names every part, and the only one that spawns. A part that ends before its time ends the
//! process: half a control plane is worse than none, because nothing but a restart would mend it.

pub mod first_key;
pub mod encrypted;
pub mod cannot_start;
pub(crate) mod sealing;
mod measured;
mod prepared;
mod counted;
mod incoming;
mod strangers;
mod outlets;
mod listeners;
mod ended;

use std::{
    convert::Infallible, future::Future, net::SocketAddr, num::NonZero, path::Path, sync::Arc,
    time::Duration,
};

use courier::Courier;
use lifecycle::{
    PrometheusHandle,
    clock::Clock,
    drain::{Drain, Phase},
    exposition, ops,
    ready::Readiness,
};
use proto::unknown::Contract;
use registries::Asker;
use seal::Ring;
use store::{Store, id};
use telemetry::Telling;
use tls::reload::Reload;
use tokio::{net::TcpListener, sync::Notify, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    api::{self, Proofs},
    asking::Asking,
    attest::{self, Attested},
    config::{self, Config},
    custody::Custody,
    denials::{self, Denials},
    fold,
    follow::Follower,
    ingest::Ingest,
    inquiry::Inquiry,
    publish::{
        door::DoorLayer,
        edges::Edges,
        enrol::Enrolment,
        join::Tokens,
        ledger::Ledger,
        lessor::Lessor,
        session::Parts,
        snapshot::Snapshots,
        sync::Sync,
        tail::{self, Bells, Tail},
    },
    reconcile::Reconciler,
    repepper::Repepperer,
    reseal::Resealer,
    server::{
        cannot_start::{CannotStart, Stopped},
        encrypted::Encrypted,
        ended::Ended,
        listeners::Listeners,
        prepared::{Prepared, prepare},
    },
    sweep,
    tell::Teller,
    watch::Watcher,
};

/// How long the last words to the database may take.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// A control plane that listens.
pub struct Running {
    /// Where the admin API listens.
    pub admin: SocketAddr,
    /// Where edges are listened for.
    pub edges: SocketAddr,
    /// Where probes are answered.
    pub ops: SocketAddr,
    /// The first operator key, when this start made it. Show it, or nobody will ever operate this control plane;
    /// where `admin.operator_key_file` is set, it is there already.
    pub operator_key: Option<Zeroizing<String>>,
    tasks: Tasks,
    bells: Bells,
}

struct Tasks {
    /// What finishes when the process drains.
    serving: JoinSet<Ended>,
    /// What goes on until all of that has finished.
    behind: JoinSet<Ended>,
    /// What tells a collector, until it is stopped and has said its last.
    telling: JoinSet<()>,
    stop: CancellationToken,
    known_edges: Arc<Edges>,
    store: Store,
    drain: Drain,
}

/// Applies the migrations that the database lacks.
pub async fn migrate(config: &Config) -> Result<(), CannotStart> {
    Ok(Store::migrate(&config.database).await?)
}

/// Has the service that keeps sealing keys draw one, and gives it wrapped.
pub async fn seal_key(config: &Config) -> Result<String, CannotStart> {
    sealing::draw(&config.seal, &Clock::system()).await
}

/// Makes another operator key in the database, for whoever has lost theirs, and writes it to `file` if one is named.
pub async fn operator_key(
    config: &Config,
    file: Option<&Path>,
) -> Result<Zeroizing<String>, CannotStart> {
    // It writes no policy, so there is nothing to encode.
    let store = Store::open(&config.database, Arc::new(|_| Vec::new())).await?;
    store
        .check_migrations()
        .await
        .map_err(CannotStart::NotMigrated)?;
    let made = first_key::another(&store, file).await;
    made.map_err(CannotStart::NoFirstKey)
}

/// Starts a control plane. It serves until `drain` says otherwise; see [`Running::join`].
pub async fn start(config: Config, drain: Drain) -> Result<Running, CannotStart> {
    let metrics = measured::describe();
    let contract = Contract::load().ok_or(CannotStart::Broken("its descriptors cannot be read"))?;
    let (admin_door, reloading) = listeners::admin_door(&config)?;
    let listeners = Listeners::bind(&config)?;
    let clock = Clock::system();
    let Prepared {
        store,
        sealing: (sealing, custody),
        values,
        hub,
        tail,
    } = prepare(&config, &clock).await?;

    let kept = (&store, &sealing);
    let encrypted = encrypted::open(&config.edges, listeners.addresses[1], kept, &clock).await?;
    let (bells, edges, replica) = (Bells::default(), Arc::<Edges>::default(), id::draw());
    let tokens = Arc::new(Tokens::new(store.clone(), clock.clone()));
    let mut tasks = Tasks::new(store.clone(), Arc::clone(&edges), drain.clone());
    tasks.follow(tail, &tokens, &bells);
    tasks.fold_usage(&config.usage);
    tasks.observe(listeners.ops, metrics, reloading);

    let (denials, attested) = tasks.audit((&config, &sealing), &replica);
    tasks.tell(&config, &replica)?;
    tasks.reconcile((&config, &sealing), &contract, (&bells, replica));
    tasks.rotate((&sealing, &contract), replica, custody);
    tasks.forward(&config, replica)?;
    let courier = tasks.alert(&config, (&sealing, &clock), replica)?;
    let (asking, inquiry) = tasks.inquire(&bells, replica);
    let admin = api::Parts {
        store,
        sealing: sealing.clone(),
        clock: clock.clone(),
        bells: bells.edges.subscribe(),
        contract,
        denials,
        authority: encrypted.as_ref().map(|it| it.authority.fingerprint()),
        inquiry,
        courier,
        proofs: tasks.prove(&config, (&sealing, &clock))?,
    };
    let parts = Parts {
        hub,
        tokens,
        edges,
        asking,
        lessor: tasks.divide_limits(&clock, replica),
        attested,
        values,
        clock,
        drain: drain.clone(),
        replica,
    };
    tasks.serve(
        "the admin listener",
        listeners::admin((listeners.admin, admin_door), admin, drain.clone())?,
    );
    let encrypted = encrypted.zip(Some(config.edges.certificate_life()));
    tasks.meet_edges((listeners.edges, sealing), parts, encrypted);
    let [admin, edges, ops] = listeners.addresses;
    // After all else that can fail, so that a key which is made is also shown.
    let operator_key = first_key(&tasks.store, &config).await?;
    listeners::announce(&config, [admin, edges, ops])?;
    Ok(Running {
        admin,
        edges,
        ops,
        operator_key,
        tasks,
        bells,
    })
}

/// The first operator key, where there was none.
async fn first_key(
    store: &Store,
    config: &Config,
) -> Result<Option<Zeroizing<String>>, CannotStart> {
    let file = config.admin.operator_key_file.as_deref();
    let made = first_key::ensure(store, file).await;
    made.map_err(CannotStart::NoFirstKey)
}

// === impl Running ===

impl Running {
    /// Comes back when everything has ended: after the drain, or early and with an error when a part has failed.
    pub async fn join(self) -> Result<(), Stopped> {
        let ended = self.tasks.join().await;
        // Whoever waits for a bell waits for as long as there is a control plane.
        drop(self.bells);
        ended
    }
}

// === impl Tasks ===

impl Tasks {
    fn new(store: Store, known_edges: Arc<Edges>, drain: Drain) -> Self {
        let (serving, behind) = (JoinSet::new(), JoinSet::new());
        Self {
            serving,
            behind,
            telling: JoinSet::new(),
            stop: CancellationToken::new(),
            known_edges,
            store,
            drain,
        }
    }

    /// Runs what keeps up with the database.
    fn follow(&mut self, tail: Tail, tokens: &Arc<Tokens>, bells: &Bells) {
        let (store, edges) = (self.store.clone(), Arc::clone(&self.known_edges));
        self.keep("the doorbell", tail::listen(store.clone(), bells.clone()));
        self.keep("the sweep of the change log", sweep::run(store.clone()));
        self.keep(
            "the tail of the change log",
            tail.run(bells.revision.subscribe()),
        );
        self.keep(
            "the check of join tokens",
            Arc::clone(tokens).run(bells.edges.subscribe()),
        );
        self.keep(
            "the record of edges",
            Arc::clone(&edges).write(store.clone()),
        );
        self.keep(
            "the count of edges",
            edges.count(store, bells.edges.subscribe()),
        );
    }

    /// Runs what adds up usage, and drops what is kept no longer.
    fn fold_usage(&mut self, config: &config::Usage) {
        let days = config.records_days.map(NonZero::get);
        self.keep("the fold of usage", fold::run(self.store.clone(), days));
    }

    /// Runs what sends records, and the audit trail, to sinks.
    fn forward(&mut self, config: &Config, replica: [u8; 16]) -> Result<(), CannotStart> {
        for it in outlets::records(&self.store, config, replica)? {
            self.keep("the way of records to a sink", it.run());
        }
        for it in outlets::trails(&self.store, config, replica)? {
            self.keep("the way of the audit trail to a sink", it.run());
        }
        Ok(())
    }

    /// Runs what watches for people and what brings them notices, and gives who brings them.
    fn alert(
        &mut self,
        config: &Config,
        (sealing, clock): (&Ring, &Clock),
        replica: [u8; 16],
    ) -> Result<Courier, CannotStart> {
        let courier = Courier::open(&config.alerts).map_err(CannotStart::Courier)?;
        let (store, bell) = (self.store.clone(), Arc::<Notify>::default());
        let how = (replica, config.alerts.every());
        let watcher = Watcher::new(store.clone(), clock.clone(), how, Arc::clone(&bell));
        self.keep("the watch for alerts", watcher.run());
        let teller = Teller::new(
            store,
            (sealing.clone(), clock.clone()),
            courier.clone(),
            bell,
        );
        self.keep("the way of notices", teller.run());
        Ok(courier)
    }

    /// Runs what writes denials into the audit trail and what signs it; gives where those are told, and where heads are.
    fn audit(&mut self, of: (&Config, &Ring), replica: &[u8; 16]) -> (Denials, Attested) {
        let (denials, denied) = denials::queue(replica);
        self.keep("the audit of denials", denied.run(self.store.clone()));
        let every = of.0.audit.checkpoint_every();
        let (signing, attested) = attest::open(&self.store, of.1, every);
        self.keep("the signing of the audit trail", signing.run());
        (denials, attested)
    }

    /// Runs what tells a collector.
    fn tell(&mut self, config: &Config, replica: &[u8; 16]) -> Result<(), CannotStart> {
        let instance = Uuid::from_bytes(*replica).to_string();
        let telling = Telling::open(&config.telemetry, "sluice-control-plane", &instance);
        if let Some(telling) = telling.map_err(CannotStart::Telemetry)? {
            let run = telling.run(exposition::install(), self.stop.clone());
            self.telling.spawn(run);
        }
        Ok(())
    }

    /// Runs what asks issuers for their keys, and gives what proves those who have no key yet.
    fn prove(&mut self, config: &Config, with: (&Ring, &Clock)) -> Result<Proofs, CannotStart> {
        let (proofs, signers) = strangers::proofs(&self.store, config, with)?;
        self.keep("the keys of issuers", signers.run());
        Ok(proofs)
    }

    /// Runs what divides limits among regions.
    fn divide_limits(&mut self, clock: &Clock, replica: [u8; 16]) -> Arc<Lessor> {
        let lessor = Lessor::new(self.store.clone(), clock.clone(), replica);
        let lessor = Arc::new(lessor);
        self.keep("the division of limits", Arc::clone(&lessor).run());
        lessor
    }

    /// Runs what puts questions of other replicas to edges, and gives what asks edges here and everywhere.
    fn inquire(&mut self, bells: &Bells, replica: [u8; 16]) -> (Arc<Asking>, Inquiry) {
        let asking = Arc::<Asking>::default();
        let bell = bells.questions.subscribe();
        let inquiry = Inquiry::new(Arc::clone(&asking), self.store.clone(), replica, bell);
        self.keep("questions of other replicas", inquiry.clone().run());
        (asking, inquiry)
    }

    /// Runs what moves rollouts on, and what asks registries that versions come from.
    fn reconcile(
        &mut self,
        (config, sealing): (&Config, &Ring),
        contract: &Contract,
        (bells, replica): (&Bells, [u8; 16]),
    ) {
        let reconciler = Reconciler::new(self.store.clone(), contract.clone());
        self.keep("the reconciler of rollouts", reconciler.run(bells.clone()));
        let (asker, whose) = (
            Asker::open(&config.sources),
            (sealing.clone(), contract.clone()),
        );
        let follower = Follower::new(self.store.clone(), asker, whose, replica);
        self.keep("the look at sources of versions", follower.run());
    }

    /// Runs what brings secrets under another sealing key, and key tags under another pepper, and what looks after keys that a
    /// service keeps.
    fn rotate(
        &mut self,
        (sealing, contract): (&Ring, &Contract),
        replica: [u8; 16],
        custody: Option<Custody>,
    ) {
        if let Some(custody) = custody {
            self.keep("the look after the wrapped sealing key", custody.run());
        }
        let whose = (sealing.clone(), contract.clone());
        let resealer = Resealer::new(self.store.clone(), whose.clone(), replica);
        self.keep("the rotation of the sealing key", resealer.run());
        let repepperer = Repepperer::new(self.store.clone(), whose, replica);
        self.keep("the rotation of the pepper", repepperer.run());
    }

    /// Runs what lets others look at this process, and what looks at its certificates.
    fn observe(
        &mut self,
        listener: TcpListener,
        metrics: PrometheusHandle,
        reloading: Option<Reload>,
    ) {
        let drain = self.drain.clone();
        let ops = ops::serve(listener, Readiness::new(), metrics.clone(), drain.clone());
        self.attend("the ops listener", ops);
        self.attend("the upkeep of metrics", exposition::upkeep(metrics, drain));
        if let Some(reloading) = reloading {
            self.keep("the look at certificates", reloading.run());
        }
    }

    /// Runs what edges ask; with an authority that certifies them, each time for so long.
    fn meet_edges(
        &mut self,
        (listener, sealing): (TcpListener, Ring),
        parts: Parts,
        encrypted: Option<(Encrypted, Duration)>,
    ) {
        let usage = Ingest::new(self.store.clone(), parts.clock.clone(), sealing);
        let door = DoorLayer::new(Arc::clone(&parts.tokens), encrypted.is_some());
        let clock = parts.clock.clone();
        let snapshots = Snapshots::new(Arc::clone(&parts.hub), parts.values.clone());
        let hub = Arc::clone(&parts.hub);
        let ledger = Ledger::new(self.store.clone(), hub, clock.clone());
        let sync = Sync::new(Arc::new(parts), Arc::new(snapshots), ledger);
        let mut certified = None;
        if let Some((encrypted, life)) = encrypted {
            let (store, authority) = (self.store.clone(), Arc::clone(&encrypted.authority));
            let enrolment = Enrolment::new(store, authority, clock, life);
            certified = Some((encrypted.door.clone(), enrolment));
            self.keep("the certificate for edges", encrypted.renew());
        }
        let run = listeners::edges(listener, (door, sync, usage), certified, self.drain.clone());
        self.serve("the listener for edges", run);
    }

    /// Runs what answers others, and finishes in the drain.
    fn serve<E: std::fmt::Display>(
        &mut self,
        part: &'static str,
        run: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let run = async move {
            Ended {
                part,
                why: run.await.map_err(|why| why.to_string()),
            }
        };
        self.serving.spawn(run);
    }

    /// Runs what ends with the drain.
    fn attend(&mut self, part: &'static str, run: impl Future<Output = ()> + Send + 'static) {
        self.behind.spawn(async move {
            run.await;
            Ended { part, why: Ok(()) }
        });
    }

    /// Runs what never ends by itself.
    fn keep(&mut self, part: &'static str, run: impl Future<Output = Infallible> + Send + 'static) {
        self.attend(part, async move { match run.await {} });
    }

    async fn join(mut self) -> Result<(), Stopped> {
        let ended = self.first_end().await;
        // What is unfinished is cut; who was connected is written down as gone.
        self.serving.shutdown().await;
        let goodbye = async {
            self.known_edges.flush(&self.store).await;
            self.behind.shutdown().await;
            self.store.close().await;
            self.stop.cancel();
            while self.telling.join_next().await.is_some() {}
        };
        // A database that does not answer does not keep the process.
        let _ = timeout(GOODBYE_MAX, goodbye).await;
        ended
    }

    /// Until all that serves has finished, time is up, or something ended that must not.
    async fn first_end(&mut self) -> Result<(), Stopped> {
        while !self.serving.is_empty() {
            let ended = tokio::select! {
                biased;
                () = self.drain.over() => return Ok(()),
                Some(ended) = self.serving.join_next() => Ended::of(ended),
                Some(ended) = self.behind.join_next() => {
                    let Ended { part, why } = Ended::of(ended);
                    Ended { part, why: why.and(Err("before its time".to_owned())) }
                }
            };
            let early = self.drain.phase() < Phase::Draining;
            match ended.why {
                Ok(()) if early => return Err(ended.stopped("before its time")),
                Ok(()) => {}
                Err(ref why) => return Err(ended.stopped(&why.clone())),
            }
        }
        Ok(())
    }
}
