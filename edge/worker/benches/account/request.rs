//! One request's account as the line of requests drives it, from the permit to the record in the queue: opened, a provider
//! reached, the first byte, closed with the provider's counts and priced; counted in every series.
//!
//! Knows how to drive and measure it; knows nothing of figures that are wanted.

use std::{
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use counters::Counters;
use dialect::Tokens;
use http::HeaderMap;
use lifecycle::{clock::Clock, drain, exposition};
use policy::{
    calendar::Zone,
    change::Edit,
    id::{ModelId, OrganizationId, ProjectId, ProviderId, VersionId},
    key::Key,
    model::{Target, Version},
    object::Object,
    organization::Organization,
    project::Project,
    provider::{Provider, ProviderKind},
    revision::Revision,
    routing::Routing,
    rules::Rules,
    traffic::Traffic,
};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, watch},
};
use worker::{
    admit::{
        self, Admit, Permit,
        guess::{Guess, Surety},
    },
    assign::Chooser,
    bequest::Facts,
    cuts::Cuts,
    identify::{Caller, Identify},
    in_force::{self, Secrets, Writer},
    record::{Opening, Outcome, Record, Recorder, Tally},
    request::{Arrival, key::Proof},
    route::decision::Decision,
    series::{Series, Watched},
    tariff::Tariffs,
};
use zeroize::Zeroizing;

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
const PROJECT: ProjectId = ProjectId::from_bytes([2; 16]);
const PEPPER: [u8; 32] = [7; 32];

/// How many requests are counted, and how many before them.
const COUNTED: u32 = 1_000;
const WARM: u32 = 200;

/// Whether the request is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traced {
    /// As by default.
    No,
    /// Its spans go into the queue.
    Yes,
}

/// All that one core has for it.
pub(crate) struct Bench {
    runtime: Runtime,
    recorder: Recorder,
    records: mpsc::Receiver<Record>,
    watched: Watched,
    spans: mpsc::Receiver<spans::Span>,
    admit: Admit,
    rules: Rules,
    caller: Caller,
    provider: Arc<Provider>,
    version: Arc<Version>,
    clock: Clock,
    _writer: Writer,
}

// === impl Traced ===

impl Traced {
    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::No => "not traced",
            Self::Yes => "traced, two spans made and queued",
        }
    }
}

// === impl Bench ===

impl Bench {
    /// A core whose policy knows one key and one provider.
    pub(crate) fn new(traced: Traced) -> Self {
        // What is measured goes to a real recorder, as in the program.
        drop(exposition::install());
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().expect("a runtime can be had");
        let clock = Clock::system();
        let (mut writer, in_force) = in_force::new();
        let rules = rules();
        writer.publish_rules(rules.clone());
        let mut secrets = Secrets::default();
        secrets.peppers.insert(1, Zeroizing::new(PEPPER));
        writer.publish_secrets(secrets);
        let minted = keys::mint(keys::Family::Live);
        writer.put_key(key(&minted));
        let identify = Identify::new(in_force.clone(), clock.clone(), Default::default());
        let caller = identify.caller(&rules, Proof::key(&minted.text));
        let Ok(caller) = caller else {
            unreachable!("the key is known")
        };
        let (queue, records) = mpsc::channel(COUNTED as usize);
        let (_trigger, drain) = drain::channel(Duration::ZERO, Duration::ZERO);
        let (takes, spans) = spans::Tracer::new(&spans::Config::default());
        let watched = Watched {
            tracer: if traced == Traced::Yes {
                takes
            } else {
                spans::Tracer::default()
            },
            ..Watched::default()
        };
        let tariffs = Rc::<Tariffs>::default();
        let counters = runtime.block_on(async { counters(&clock) });
        let admit = Admit::new(
            (counters, in_force.shares()),
            admit::Config::default(),
            Rc::clone(&tariffs),
        );
        let series = Rc::new(Series::new(watched.clone(), in_force.clone()));
        let cuts = Cuts::new(in_force);
        let provider = rules.provider(ProviderId::from_bytes([100; 16]));
        Self {
            recorder: Recorder::new(queue, drain, cuts, (tariffs, series)),
            provider: Arc::clone(provider.expect("the rules have one")),
            version: version(),
            runtime,
            records,
            watched,
            spans,
            admit,
            rules,
            caller,
            clock,
            _writer: writer,
        }
    }

    /// Allocations for each request, once all is warm.
    pub(crate) fn allocations(&mut self) -> f64 {
        self.run(WARM);
        let prepared = self.prepared(COUNTED);
        let counted = allocation_counter::measure(|| self.play(prepared));
        f64::from(u32::try_from(counted.count_total).expect("a few")) / f64::from(COUNTED)
    }

    /// The least that one request took in several rounds.
    pub(crate) fn time(&mut self, rounds: u32) -> Duration {
        let mut least = Duration::MAX;
        self.run(WARM);
        for _ in 0..rounds {
            let prepared = self.prepared(WARM);
            let began = Instant::now();
            self.play(prepared);
            least = least.min(began.elapsed());
            self.run(0);
        }
        least / WARM
    }

    fn run(&mut self, many: u32) {
        let prepared = self.prepared(many);
        self.play(prepared);
        while self.records.try_recv().is_ok() {}
        while self.spans.try_recv().is_ok() {}
    }

    /// Arrivals with their permits, which are not what is measured.
    fn prepared(&self, many: u32) -> Vec<(Arrival, Permit)> {
        let each = |_| {
            let mut arrival = Arrival::now(&self.clock, IpAddr::V4(Ipv4Addr::LOCALHOST));
            let id = arrival.id.into_bytes();
            arrival.trace = self.watched.tracer.begin(id, || None);
            let key = self.caller.key();
            let whose = (&**key, None, None);
            let none = std::iter::empty();
            let limits = admit::limits_unread(&self.rules, whose, none, arrival.at_ms);
            let guess = Guess {
                input: 10,
                output: 10,
                micro_dollars: None,
                surety: Surety::Guessed,
                top_up: 256,
            };
            let facts = Facts {
                key,
                previous_secret: false,
                model: ModelId::from_bytes([3; 16]),
                version: VersionId::from_bytes([4; 16]),
                provider: self.provider.id,
                endpoint: "/v1/chat/completions",
                streamed: true,
                revision: Revision(1),
            };
            let permit = self.admit.unread(limits, &facts, &arrival, guess);
            let Ok(permit) = self.runtime.block_on(permit) else {
                unreachable!("there is room")
            };
            (arrival, permit)
        };
        (0..many).map(each).collect()
    }

    /// The first of two targets, chosen by the release, as nearly all are.
    fn decision(&self) -> Decision {
        let version = Arc::clone(&self.version);
        Decision::new(Chooser::Release, version, 0..2, Vec::new())
    }

    fn play(&mut self, prepared: Vec<(Arrival, Permit)>) {
        let mut headers = HeaderMap::with_capacity(8);
        for (arrival, permit) in prepared {
            let opening = Opening {
                caller: &self.caller,
                model: ModelId::from_bytes([3; 16]),
                model_name: "chat",
                read_after: Some(Duration::ZERO),
                version: VersionId::from_bytes([4; 16]),
                rollout: None,
                endpoint: "/v1/chat/completions",
                streamed: true,
                revision: Revision(1),
                book: None,
                tags: None,
                decision: Some(self.decision()),
                route: None,
            };
            let mut entry = self.recorder.open_unread(&arrival, permit, opening);
            entry.reaches(0);
            entry.ready((&self.provider, "gpt-4o"), &mut headers);
            entry.reached(&self.provider, "gpt-4o");
            entry.answered(200);
            entry.first_byte();
            let tokens = Tokens {
                input: 11,
                output: 7,
                ..Tokens::default()
            };
            let tally = Tally {
                tokens: Some(tokens),
                output_tokens: 7,
                ..Tally::default()
            };
            entry.close(Outcome::Completed, tally);
        }
    }
}

fn counters(clock: &Clock) -> Counters {
    let config = counters::Config {
        store: counters::config::Store::Process,
        ..counters::Config::default()
    };
    let (_sender, live_edges) = watch::channel(1);
    let opened = counters::open(&config, clock.clone(), live_edges);
    opened.expect("counters open").0
}

fn version() -> Arc<Version> {
    let target = |model: &str| Target {
        provider: ProviderId::from_bytes([100; 16]),
        provider_model: model.to_owned(),
        weight: 0,
        capable: policy::catalogue::Capable::default(),
    };
    Arc::new(Version {
        id: VersionId::from_bytes([4; 16]),
        model: ModelId::from_bytes([3; 16]),
        name: "v1".to_owned(),
        targets: vec![target("gpt-4o"), target("gpt-4o-mini")],
        recipe: None,
        routing: Routing::default(),
    })
}

fn rules() -> Rules {
    let mut rules = Rules::default();
    let objects = [
        Object::Organization(Organization {
            id: ORGANIZATION,
            name: "acme".to_owned(),
            zone: Zone::UTC,
            audit_access: policy::audit_access::AuditAccess::None,
        }),
        Object::Project(Project {
            id: PROJECT,
            organization: ORGANIZATION,
            name: "web".to_owned(),
            traffic: Traffic::default(),
            key_age_max_ms: None,
            pins: None,
            keeping: policy::keeping::Keeping::None,
            guard: None,
        }),
        Object::Provider(Provider {
            id: ProviderId::from_bytes([100; 16]),
            organization: ORGANIZATION,
            name: "openai".to_owned(),
            kind: ProviderKind::OpenAi,
            base_url: "https://api.openai.com/v1".to_owned(),
            stream_options: true,
            credential_required: false,
            mapping: None,
            passthrough: false,
            handling: policy::handling::Handling::default(),
        }),
    ];
    for object in objects {
        rules.apply(Edit::Upsert(object));
    }
    rules
}

fn key(minted: &keys::Minted) -> Key {
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
        config_revision: Revision(0),
    }
}
