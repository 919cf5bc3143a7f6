//! One core of an edge, on a thread of its own, with policy put in force by hand.

use std::{
    net::SocketAddr,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use keys::{Family, Minted};
use lifecycle::{
    clock::{Clock, Hand},
    drain::{self, Trigger},
};
use policy::{
    audit_access::AuditAccess,
    calendar::Zone,
    change::Edit,
    id::{LimitId, ModelId, OrganizationId, ProjectId, ProviderId, VersionId},
    key::Key,
    limit::{Allowance, Limit, Of, Rate, Scope, Terms, Unit},
    mapping::Mapping,
    model::{Model, Target, Version},
    object::Object,
    organization::Organization,
    project::Project,
    provider::{Provider, ProviderKind},
    revision::Revision,
    routing::Routing,
    rules::Rules,
    traffic::Traffic,
};
use rustls::ClientConfig;
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::{mpsc, watch},
    time::timeout,
};
use worker::{
    accept, admit, call,
    in_force::{self, Credential, InForce, Secrets, Writer},
    pipeline::{Ingredients, Pipeline},
    record::Record,
    serve,
    trail::{self, Access, Trail},
};
use zeroize::Zeroizing;

use crate::client::{Client, PATIENCE};

pub const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
pub const PROJECT: ProjectId = ProjectId::from_bytes([2; 16]);
pub const MODEL: ModelId = ModelId::from_bytes([3; 16]);
pub const VERSION: VersionId = VersionId::from_bytes([4; 16]);
pub const CREDENTIAL: &str = "sk-canary-credential";
const PEPPER: [u8; 32] = [7; 32];

/// What a test may change before the edge starts.
pub struct Setup {
    pub inference: accept::Config,
    pub upstream: call::Config,
    pub shaping: shaping::Config,
    pub grace: Duration,
    pub deadline: Duration,
    pub stream_options: bool,
    pub records_max: usize,
    /// Whether requests leave records.
    pub keeps_records: bool,
    pub tls: Arc<ClientConfig>,
    pub limits: Vec<Limit>,
    /// What kinds the providers are of, in order; those that are not named speak `OpenAI`'s API.
    pub kinds: Vec<ProviderKind>,
    /// The weights of the targets, in order; those that are not named have none.
    pub weights: Vec<u16>,
    /// How the targets are chosen.
    pub routing: Routing,
    /// How the targets have done for five minutes, where weights follow that.
    pub lately: Vec<shaping::Recently>,
    /// What the providers call the model.
    pub provider_model: &'static str,
    /// What each of its targets is said to be able to do.
    pub capabilities: Vec<policy::capability::Capabilities>,
    /// How custom providers are asked.
    pub mapping: Option<Mapping>,
    /// Which decisions are told to the audit trail.
    pub audit_access: AuditAccess,
}

/// A running edge.
pub struct Edge {
    pub address: SocketAddr,
    pub key: Minted,
    pub writer: Writer,
    pub rules: Rules,
    pub records: mpsc::Receiver<Record>,
    pub accesses: mpsc::Receiver<Access>,
    pub trigger: Option<Trigger>,
    pub hand: Hand,
    thread: Option<JoinHandle<()>>,
}

impl Default for Setup {
    fn default() -> Self {
        let loopback = vec!["127.0.0.0/8".parse().unwrap()];
        Self {
            inference: accept::Config {
                address: ([127, 0, 0, 1], 0).into(),
                threads: 1,
                ..accept::Config::default()
            },
            upstream: call::Config {
                private_ranges: loopback,
                ..call::Config::default()
            },
            // What most tests are about is not to hang on what a provider said in the one before.
            shaping: shaping::Config {
                park_ms_max: 0,
                aside_ms: 0,
                ..shaping::Config::default()
            },
            grace: Duration::ZERO,
            deadline: Duration::from_millis(500),
            stream_options: true,
            records_max: 100,
            keeps_records: true,
            tls: call::dial::tls().unwrap(),
            limits: Vec::new(),
            kinds: Vec::new(),
            weights: Vec::new(),
            routing: Routing::default(),
            lately: Vec::new(),
            provider_model: "provider-model",
            capabilities: Vec::new(),
            mapping: None,
            audit_access: AuditAccess::None,
        }
    }
}

pub fn provider_id(number: u8) -> ProviderId {
    ProviderId::from_bytes([100 + number; 16])
}

pub fn limit(unit: Unit, amount: u64, burst: u64) -> Limit {
    Limit {
        id: LimitId::from_bytes([unit as u8; 16]),
        organization: ORGANIZATION,
        name: "limit".to_owned(),
        scope: Scope::all(Of::Project(PROJECT)),
        unit,
        allowance: Allowance::Rate(Rate::new(amount, 60_000, burst).unwrap()),
        terms: Terms::default(),
        counted_from_ms: 0,
    }
}

impl Setup {
    /// Starts an edge whose model `chat` has these providers as targets, in order.
    pub fn start(self, base_urls: &[String]) -> Edge {
        let (mut writer, in_force) = in_force::new();
        let key = keys::mint(Family::Live);
        let rules = rules(base_urls, &self);
        writer.publish_rules(rules.clone());
        let mut secrets = Secrets::default();
        secrets.peppers.insert(1, Zeroizing::new(PEPPER));
        writer.publish_secrets(secrets);
        writer.put_key(key_of(&key));
        let (trigger, drain) = drain::channel(self.grace, self.deadline);
        let (queue, records) = mpsc::channel(self.records_max);
        let (trail, accesses, _) = trail::open();
        let listener = accept::listeners(&self.inference, 1).unwrap().remove(0);
        let address = listener.local_addr().unwrap();
        let (clock, hand) = Clock::by_hand(1_700_000_000_000);
        let thread = std::thread::spawn(move || {
            self.run(listener, in_force, (queue, trail), (clock, drain));
        });
        Edge {
            address,
            key,
            writer,
            rules,
            records,
            accesses,
            trigger: Some(trigger),
            hand,
            thread: Some(thread),
        }
    }

    fn capable(&self, number: u8) -> policy::catalogue::Capable {
        let said = self.capabilities.get(usize::from(number));
        said.copied().unwrap_or_default().into()
    }

    fn lanes(&self) -> shaping::Lanes {
        let (lanes, now) = (shaping::Lanes::new(self.shaping), Instant::now());
        if let Some(adapt) = self.routing.adapt {
            for second in 0..300 {
                let at = now + Duration::from_secs(second);
                let told = || self.lately.clone();
                lanes.scales().of(*VERSION.as_bytes(), adapt, at, told);
            }
        }
        lanes
    }

    fn run(
        self,
        listener: std::net::TcpListener,
        in_force: InForce,
        (records, trail): (mpsc::Sender<Record>, Trail),
        (clock, drain): (Clock, drain::Drain),
    ) {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        runtime.unwrap().block_on(async move {
            let config = counters::Config {
                store: counters::config::Store::Process,
                ..counters::Config::default()
            };
            let (_sender, live_edges) = watch::channel(1);
            let (counters, _upkeep) = counters::open(&config, clock.clone(), live_edges).unwrap();
            let watched = worker::series::Watched::default();
            let lanes = Arc::new(self.lanes());
            let pipeline = Pipeline::new(Ingredients {
                in_force,
                clock: clock.clone(),
                counters,
                records,
                keeps_records: self.keeps_records,
                drain: drain.clone(),
                tls: self.tls,
                inference: self.inference,
                upstream: self.upstream,
                lanes,
                guesses: admit::Config::default(),
                issuers: Default::default(),
                certified: Default::default(),
                watched: watched.clone(),
                beside: None,
                remembered: None,
                contents: None,
                copies: worker::shadow::seats::Seats::default(),
                trail,
            });
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let clock = (clock, watched);
            serve::serve((listener, None), pipeline, clock, drain).await;
        });
    }
}

fn rules(base_urls: &[String], setup: &Setup) -> Rules {
    let mut rules = Rules::default();
    rules.set_revision(Revision(9));
    let mut targets = Vec::new();
    let mut objects = vec![
        Object::Organization(Organization {
            id: ORGANIZATION,
            name: "acme".to_owned(),
            zone: Zone::UTC,
            audit_access: setup.audit_access,
        }),
        Object::Project(Project {
            id: PROJECT,
            organization: ORGANIZATION,
            name: "p".to_owned(),
            traffic: Traffic::default(),
            key_age_max_ms: None,
            pins: None,
            keeping: policy::keeping::Keeping::None,
            guard: None,
        }),
        model("chat", MODEL, Some(VERSION)),
        model("unoffered", ModelId::from_bytes([5; 16]), None),
    ];
    for (number, base_url) in (0_u8..).zip(base_urls) {
        let provider = provider_id(number);
        targets.push(Target {
            provider,
            provider_model: setup.provider_model.to_owned(),
            weight: setup.weights.get(usize::from(number)).copied().unwrap_or(0),
            capable: setup.capable(number),
        });
        objects.push(Object::Provider(Provider {
            id: provider,
            organization: ORGANIZATION,
            name: format!("provider-{number}"),
            kind: setup
                .kinds
                .get(usize::from(number))
                .copied()
                .unwrap_or(ProviderKind::OpenAiCompatible),
            base_url: base_url.clone(),
            stream_options: setup.stream_options,
            credential_required: false,
            mapping: setup.mapping.clone().map(Box::new),
            passthrough: true,
            handling: policy::handling::Handling::default(),
        }));
    }
    objects.push(Object::Version(Version {
        id: VERSION,
        model: MODEL,
        name: "v1".to_owned(),
        targets,
        recipe: None,
        routing: setup.routing,
    }));
    objects.extend(
        setup
            .limits
            .iter()
            .cloned()
            .map(|it| Object::Limit(Box::new(it))),
    );
    for object in objects {
        rules.apply(Edit::Upsert(object));
    }
    rules
}

pub fn model(name: &str, id: ModelId, stable: Option<VersionId>) -> Object {
    Object::Model(Model {
        id,
        organization: ORGANIZATION,
        name: name.to_owned(),
        stable,
        created_seconds: 1_700_000_000,
        endings: None,
        aliases: Vec::new(),
        alias: None,
        split: None,
        shadow: None,
        rules: Vec::new(),
    })
}

pub fn key_of(minted: &Minted) -> Key {
    Key {
        key_id: minted.key_id.clone(),
        organization: ORGANIZATION,
        project: PROJECT,
        tag: keys::tag(&PEPPER, &minted.key_id, &minted.secret_sha256),
        pepper_version: 1,
        secret_created_at_ms: 0,
        previous: None,
        disabled: false,
        scope: None,
        labels: None,
        models: Vec::new(),
        expires_at_ms: None,
        config_revision: Revision(1),
    }
}

impl Edge {
    pub async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// A new connection on which this chat request was sent.
    pub async fn chat(&self, body: &str) -> Client {
        let mut client = self.connect().await;
        client
            .post("/v1/chat/completions", &self.key.text, body)
            .await;
        client
    }

    /// A new connection on which this was asked at `path`.
    pub async fn ask(&self, path: &str, body: &str) -> Client {
        let mut client = self.connect().await;
        client.post(path, &self.key.text, body).await;
        client
    }

    /// The next record.
    pub async fn record(&mut self) -> Record {
        timeout(PATIENCE, self.records.recv())
            .await
            .expect("no record came")
            .unwrap()
    }

    pub fn edit_rules(&mut self, edit: Edit) {
        self.rules.apply(edit);
        self.writer.publish_rules(self.rules.clone());
    }

    /// Gives provider 0 a credential for this origin.
    pub fn put_credential(&mut self, allowed_origin: &str) {
        let mut secrets = Secrets::default();
        secrets.peppers.insert(1, Zeroizing::new(PEPPER));
        let credential = Credential {
            provider: provider_id(0),
            secret: Zeroizing::new(CREDENTIAL.as_bytes().to_vec()),
            allowed_origin: allowed_origin.to_owned(),
            exchange_origins: Vec::new(),
        };
        secrets
            .credentials
            .insert(provider_id(0), Arc::new(credential));
        self.writer.publish_secrets(secrets);
    }

    pub fn leave(&mut self) {
        self.trigger.take().unwrap().start();
    }

    /// Waits until the edge has ended by itself.
    pub async fn ended(&mut self) {
        let thread = self.thread.take().unwrap();
        let joined = tokio::task::spawn_blocking(|| thread.join());
        timeout(PATIENCE, joined)
            .await
            .expect("the edge did not end")
            .unwrap()
            .unwrap();
    }
}
