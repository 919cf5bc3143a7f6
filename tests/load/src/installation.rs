//! What is measured: an edge with everything on, a bare proxy, and the one provider behind both.
//!
//! Every part is a process of its own. The limits are so large that they deny nothing, and refill so slowly
//! that what is missing from them afterwards is exactly what was charged.

use std::net::SocketAddr;

use harness::{
    admin::Admin,
    binaries, client,
    process::Process,
    site::{Plan as SitePlan, Site},
    tenant::{CREDENTIAL, Tenant},
};
use proto::admin::{ExplainLimitsRequest, LimitUnit, LimitWindow, ProviderKind};
use sqlx::PgConnection;

use crate::{
    agreement::Counts,
    mock::COUNTS_PATH,
    plan::Plan,
    procfs::Watched,
    saturated::Question,
    script::{self, Events, Kind},
};

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The provider itself.
    Direct,
    /// The bare proxy.
    Bare,
    /// An edge with everything on.
    Sluice,
    /// An edge that keeps no records and measures nothing.
    Off,
}

/// Everything that runs. Dropping it stops it.
#[derive(Debug)]
pub struct Installation {
    bare: (Process, SocketAddr),
    mock: (Process, SocketAddr),
    key: String,
    key_name: String,
    model_name: String,
    admin: Admin,
    ledger: PgConnection,
    events: Events,
    site: Site,
}

/// What an edge leaves off that is neither accounted nor watched.
const OFF: [&str; 2] = ["SLUICE_USAGE__KEEP", "SLUICE_OPS__METRICS"];

/// How much may be used at once from rest: the most that a limit takes.
const ROOM: i64 = 1_000_000_000;
/// What comes back in an hour: nothing, within a run.
const REFILL: i64 = 1;

// === impl Target ===

impl Target {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Direct, Self::Bare, Self::Sluice, Self::Off];
    /// Those whose answers are waited for.
    pub const WAITED: [Self; 3] = [Self::Direct, Self::Bare, Self::Sluice];
    /// Those that stand between.
    pub const PROXIES: [Self; 2] = [Self::Bare, Self::Sluice];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Bare => "bare",
            Self::Sluice => "sluice",
            Self::Off => "sluice, unaccounted",
        }
    }
}

// === impl Installation ===

impl Installation {
    /// Starts everything and waits until it serves.
    pub async fn start(plan: &Plan) -> Self {
        let cores = plan.cores.to_string();
        let settings = vec![("SLUICE_INFERENCE__THREADS", cores.clone())];
        let mut site = Site::start(SitePlan {
            edge_settings: settings,
            ..SitePlan::default()
        })
        .await;
        let arguments = ["--cores", &cores, "--credential", CREDENTIAL];
        let off = OFF.map(|name| (name, "false".to_owned()));
        let token = site.join_token("here").await;
        site.add_edge_with(&token, &off).await;
        site.ready(1).await;
        let mock = start(&site, "mock-provider", &arguments).await;
        let provider = mock.1.to_string();
        let bare = start(
            &site,
            "bare-proxy",
            &["--cores", &cores, "--provider", &provider],
        )
        .await;
        let admin = site.admin();
        let tenant = Tenant::make(&admin, "load", &format!("http://{provider}/v1")).await;
        let base_url = format!("http://{provider}/v1");
        tenant
            .provider_of(ProviderKind::Anthropic, "other", &base_url)
            .await;
        tenant
            .model(script::MODEL_ACROSS, "other", script::PROVIDER_MODEL)
            .await;
        let (name, key) = tenant.key().await;
        let rate = (REFILL, LimitWindow::Hour, ROOM);
        tenant
            .limit("requests", &name, LimitUnit::Requests, rate)
            .await;
        tenant
            .limit("tokens", &tenant.project, LimitUnit::Tokens, rate)
            .await;
        site.propagated().await;
        let ledger = site.database.connect().await;
        Self {
            bare,
            mock,
            key,
            key_name: name,
            model_name: format!("{}/models/{}", tenant.organization, script::MODEL),
            admin,
            ledger,
            events: Events::default(),
            site,
        }
    }

    /// A question for `target`, and its answer.
    pub fn question(&self, target: Target, kind: Kind, bytes: usize) -> Question {
        let address = self.address(target);
        let body = script::question(kind, bytes);
        // The provider itself and the bare proxy are asked as Sluice's client asks; the key means nothing there.
        let request = script::request(&address.to_string(), &self.key, &body);
        let expected = match kind {
            Kind::Whole => script::whole_answer(),
            Kind::Stream(chunks, _) => self.events.whole(chunks),
            Kind::Across(chunks, _) => self.events.whole_across(chunks),
            Kind::Silent => self.events.chunk(0),
        };
        Question {
            address,
            request,
            expected,
        }
    }

    /// The processes that a measurement of `target` looks at.
    pub fn watched(&self, target: Target) -> Watched {
        let mock = self.mock.0.pid();
        let mut ours = vec![std::process::id(), mock];
        let measured = match target {
            Target::Direct => None,
            Target::Bare => Some(self.bare.0.pid()),
            Target::Sluice => Some(self.edge(0)),
            Target::Off => Some(self.edge(1)),
        };
        // Those that are not asked now are idle, and are ours all the same.
        ours.extend(
            [self.bare.0.pid(), self.edge(0), self.edge(1)]
                .into_iter()
                .filter(|it| Some(*it) != measured),
        );
        let postgres = self.site.database.pid();
        let ledger = self
            .site
            .control_planes
            .iter()
            .map(|it| it.process.pid())
            .chain(postgres);
        Watched {
            target: measured,
            redis: self.site.redis.pid(),
            ledger: ledger.collect(),
            ours,
        }
    }

    /// The process number of a proxy; of the provider when nothing stands between.
    pub fn pid(&self, target: Target) -> u32 {
        match target {
            Target::Direct => self.mock.0.pid(),
            Target::Bare => self.bare.0.pid(),
            Target::Sluice => self.edge(0),
            Target::Off => self.edge(1),
        }
    }

    /// What everybody has counted so far, but the client, who knows that himself.
    pub async fn counts(&mut self) -> Counts {
        let url = format!("http://{}", self.mock.1);
        let said = client::get(&url, "", COUNTS_PATH).await.json().await;
        let count = |name: &str| said[name].as_u64().unwrap_or(u64::MAX);
        let (ledger, ledger_tokens) = self.ledger().await;
        let [redis, redis_tokens] = self.used().await;
        Counts {
            provider: count("with_credential"),
            provider_bare: count("without"),
            refused: count("refused"),
            redis,
            redis_tokens,
            ledger,
            ledger_tokens,
            ..Counts::default()
        }
    }

    /// What the limits on requests and on tokens were charged for, as Redis has it: what is missing from full ones.
    async fn used(&self) -> [u64; 2] {
        let request = ExplainLimitsRequest {
            key: self.key_name.clone(),
            model: self.model_name.clone(),
            ..ExplainLimitsRequest::default()
        };
        let told = self.admin.limits().explain_limits(request).await;
        let told = told.expect("an edge tells its limits").into_inner();
        let limits = told.regions.into_iter().flat_map(|it| it.limits);
        let limits: Vec<_> = limits.collect();
        [LimitUnit::Requests, LimitUnit::Tokens].map(|unit| {
            let mut of_unit = limits.iter().filter(|it| it.unit() == unit);
            let left = of_unit.next().and_then(|it| it.remaining);
            left.map_or(u64::MAX, |left| {
                u64::try_from(ROOM - left).unwrap_or(u64::MAX)
            })
        })
    }

    async fn ledger(&mut self) -> (u64, u64) {
        let sums = sqlx::query_as::<_, (i64, i64)>(
            "SELECT count(*), coalesce(sum(input_tokens + cached_input_tokens + output_tokens \
             + reasoning_tokens), 0)::bigint FROM usage_record",
        );
        let (rows, tokens) = sums
            .fetch_one(&mut self.ledger)
            .await
            .expect("Postgres answers");
        (rows.unsigned_abs(), tokens.unsigned_abs())
    }

    fn address(&self, target: Target) -> SocketAddr {
        match target {
            Target::Direct => self.mock.1,
            Target::Bare => self.bare.1,
            Target::Sluice => self.site.edges[0].inference,
            Target::Off => self.site.edges[1].inference,
        }
    }

    fn edge(&self, at: usize) -> u32 {
        self.site.edges[at].process.pid()
    }
}

async fn start(site: &Site, name: &str, arguments: &[&str]) -> (Process, SocketAddr) {
    let file = site.folder().join(format!("{name}-ports.json"));
    let shown = file.display().to_string();
    let arguments = [arguments, &["--ports-file", &shown]].concat();
    let mut process = Process::start(site.folder(), name, &binaries::path(name), &arguments, &[]);
    let address = process.ports(&file).await["http"];
    (process, address)
}
