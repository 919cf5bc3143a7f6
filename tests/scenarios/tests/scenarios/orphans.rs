//! Requests whose edge is gone: limits are charged for them in full, and records say the same, to the token and the nano-dollar. What was
//! only frozen tells itself in the end, and then that holds.

use std::sync::Arc;

use harness::{
    client::{self, Client},
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use nix::sys::signal::Signal;
use proto::admin::{
    ExplainLimitsRequest, Limit, LimitUnit, LimitWindow, ProviderKind, QueryUsageRequest,
};
use scenarios::openai;
use sqlx::Row;
use tokio::sync::Semaphore;

const PATH: &str = "/v1/chat/completions";

const BODY: &str = r#"{"model":"priced","stream":true,"max_tokens":1000,"messages":[]}"#;

/// What each limit allows in a month, which nobody uses up.
const PLENTY: i64 = 1_000_000_000;

/// What the output of a request is reserved at, in nano-dollars.
const OUTPUT_NANO: i64 = 1_000 * 10_000;

/// What was counted of requests: tokens and nano-dollars, by limits in whole millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    tokens: i64,
    micro: i64,
}

struct World {
    site: Site,
    tenant: Tenant,
    name: String,
    key: String,
}

impl World {
    /// Two edges that ask Redis for each request, whose leases are short, and limits on tokens and on money.
    async fn start(provider: &Provider) -> Self {
        let edge_settings = vec![
            ("SLUICE_LIMITS__LEASE_MS", "1000".to_owned()),
            ("SLUICE_LIMITS__AHEAD_MS", "0".to_owned()),
            ("SLUICE_LIMITS__TIMEOUT_MS", "5000".to_owned()),
        ];
        let site = Site::start(Plan {
            edges: vec!["here"; 2],
            edge_settings,
            ..Plan::default()
        })
        .await;
        let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        let (kind, base_url) = (ProviderKind::Openai, provider.base_url());
        tenant.provider_of(kind, "openai", &base_url).await;
        tenant.model("priced", "openai", "gpt-4o").await;
        for (id, unit) in [
            ("tokens", LimitUnit::Tokens),
            ("money", LimitUnit::MicroDollars),
        ] {
            let limit = Limit {
                unit: unit.into(),
                amount: PLENTY,
                window: LimitWindow::Month.into(),
                ..Limit::default()
            };
            tenant.limit_like(id, limit).await;
        }
        let (name, key) = tenant.key().await;
        site.propagated().await;
        Self {
            site,
            tenant,
            name,
            key,
        }
    }

    /// A request that is under way at an edge.
    async fn begin(&self, edge: usize) -> (Client, client::Reply) {
        let client = Client::connect(&self.site.url(edge), &self.key).await;
        let mut client = client.expect("the edge accepts");
        let reply = client.post(PATH, BODY).await.expect("the edge answers");
        (client, reply)
    }

    /// Asks the second edge, which so looks after what has ended, until records say that so many requests lost their edge.
    async fn recorded_in_part(&self, count: i64) {
        wait::until("what was charged is recorded", async || {
            drop(client::post(&self.site.url(1), &self.key, PATH, BODY).await);
            (self.partial().await.0 == count).then_some(())
        })
        .await;
    }

    /// How many records are partial, and what they say that their output cost at least.
    async fn partial(&self) -> (i64, i64) {
        let mut database = self.site.database.connect().await;
        let query = "select count(*) as partial, coalesce(min(cost_nano), 0)::bigint as nano
                     from usage_record where outcome = 6";
        let row = sqlx::query(query).fetch_one(&mut database).await;
        let row = row.expect("Postgres answers");
        (row.get("partial"), row.get("nano"))
    }

    /// How many records are of whole answers, and of how many tokens those were.
    async fn whole(&self) -> (i64, i64) {
        let mut database = self.site.database.connect().await;
        let query =
            "select count(*) as whole, sum(output_tokens + reasoning_tokens)::bigint as output
                     from usage_record where outcome = 1";
        let row = sqlx::query(query).fetch_one(&mut database).await;
        let row = row.expect("Postgres answers");
        (row.get("whole"), row.get("output"))
    }

    /// What records say, and what sums do, which must be the same.
    async fn recorded(&self) -> Counted {
        let mut database = self.site.database.connect().await;
        let query = "select sum(input_tokens + cached_input_tokens + output_tokens + reasoning_tokens)::bigint as tokens,
                            sum(cost_nano)::bigint as nano, sum((cost_nano + 999) / 1000)::bigint as micro
                     from usage_record";
        let row = sqlx::query(query).fetch_one(&mut database).await;
        let row = row.expect("Postgres answers");
        let (tokens, nano) = (row.get::<i64, _>("tokens"), row.get::<i64, _>("nano"));
        let request = QueryUsageRequest {
            parent: self.tenant.organization.clone(),
            ..QueryUsageRequest::default()
        };
        let reply = self.site.admin().usage().query_usage(request).await;
        let rows = reply.expect("the control plane answers").into_inner().rows;
        let summed = rows.iter().map(|it| {
            let tokens = it.input_tokens + it.cached_input_tokens;
            (
                tokens + it.output_tokens + it.reasoning_tokens,
                it.cost_nano,
            )
        });
        let summed = summed.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        // A record that came in between stands in the sums alone; then whoever compares asks again.
        let micro = if summed == (tokens, nano) {
            row.get("micro")
        } else {
            -1
        };
        Counted { tokens, micro }
    }

    /// What limits were charged.
    async fn charged(&self) -> Counted {
        let request = ExplainLimitsRequest {
            key: self.name.clone(),
            model: format!("{}/models/priced", self.tenant.organization),
            ..ExplainLimitsRequest::default()
        };
        let said = self.site.admin().limits().explain_limits(request).await;
        let said = said.expect("an edge is asked").into_inner();
        let used = |name: &str| {
            let mut limits = said.regions.iter().flat_map(|it| &it.limits);
            let limit = limits.find(|it| it.limit.ends_with(name));
            PLENTY
                - limit
                    .and_then(|it| it.remaining)
                    .expect("what is left is told")
        };
        Counted {
            tokens: used("/limits/tokens"),
            micro: used("/limits/money"),
        }
    }

    async fn agree(&self) -> Counted {
        let agreed = wait::until("records say what limits were charged", async || {
            let (recorded, charged) = (self.recorded().await, self.charged().await);
            (recorded == charged).then_some(charged)
        });
        agreed.await.0
    }
}

#[tokio::test]
async fn what_a_killed_edge_had_under_way_is_recorded_as_it_is_charged() {
    let provider = Provider::start(|_| {
        let begun = openai::events(false).into_iter().take(2).map(Step::Send);
        Answer::events(begun.chain([Step::Never]).collect())
    })
    .await;
    let mut world = World::start(&provider).await;
    let dead = 3 * scenarios::scale();
    let mut in_flight = Vec::new();
    for _ in 0..dead {
        in_flight.push(world.begin(0).await);
    }
    world.site.edges[0].process.kill();
    let dead = i64::try_from(dead).expect("few");
    world.recorded_in_part(dead).await;
    let charged = world.agree().await;
    let (partial, nano) = world.partial().await;
    println!(
        "{dead} requests died with their edge: {partial} partial records; records and limits say {charged:?}"
    );
    assert_eq!(partial, dead);
    assert!(nano >= OUTPUT_NANO, "{nano} of {OUTPUT_NANO} were recorded");
    assert!(charged.tokens >= dead * 1_000 && charged.micro >= dead * OUTPUT_NANO / 1_000);
}

#[tokio::test]
async fn the_record_of_an_edge_that_was_only_frozen_takes_the_place_of_the_partial_one() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let provider = Provider::start(move |_| {
        let mut steps: Vec<Step> = openai::events(true).into_iter().map(Step::Send).collect();
        steps.insert(2, Step::Wait(Arc::clone(&held)));
        Answer::events(steps)
    })
    .await;
    let world = World::start(&provider).await;
    let (_client, reply) = world.begin(0).await;
    let frozen = &world.site.edges[0].process;
    frozen.signal(Signal::SIGSTOP);
    world.recorded_in_part(1).await;
    frozen.signal(Signal::SIGCONT);
    gate.add_permits(1_000);
    let bytes = reply.bytes().await.expect("the answer arrives");
    assert!(bytes.ends_with(b"[DONE]\n\n"), "the answer is whole");
    wait::until("the request's own record is there", async || {
        (world.partial().await.0 == 0).then_some(())
    })
    .await;
    let charged = world.agree().await;
    println!("one edge was frozen and came back: records and limits say {charged:?}");
    // It used less than was reserved, and what limits were charged is what records say: the rest was given back.
    assert_eq!(
        world.whole().await,
        (1, openai::COMPLETION_TOKENS.cast_signed())
    );
}
