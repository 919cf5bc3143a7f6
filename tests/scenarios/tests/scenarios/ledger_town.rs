//! The installation of the ledger: two edges that reach Redis through relays, providers that count what they serve, a key for each
//! outcome, and the reading of everybody's books.
//!
//! Knows where each count stands; judges none.

use std::collections::BTreeMap;

use harness::{
    provider::Provider,
    relay::Relay,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateDiscountRequest, CreateModelVersionRequest, CreatePriceRequest, Discount,
    ExplainLimitsRequest, Limit, LimitMember, LimitMode, LimitUnit, LimitWindow, ModelVersion,
    Price, PriceRate, ProviderKind, QueryUsageRequest, Target, UsageCounter, UsageDimension,
};
use scenarios::ledger::{
    books::{Book, Settled},
    counts::Counts,
    kind::{Kind, OFF, OWN, REFUSED_AFTER},
    script,
    till::Till,
};
use sqlx::Row;

use crate::ledger_traffic::Traffic;

/// More than anything here uses.
const PLENTY: i64 = 1_000_000_000_000;

/// The installation.
pub(crate) struct Town {
    pub(crate) site: Site,
    pub(crate) relays: Vec<Relay>,
    pub(crate) till: Till,
    tenant: Tenant,
    /// Of each kind in its place: the key's name and its text.
    keys: Vec<(String, String)>,
    providers: [Provider; 2],
}

// === impl Town ===

impl Town {
    pub(crate) async fn build() -> Self {
        let till = Till::default();
        let (serves, fails) = (till.clone(), till.clone());
        let providers = [
            Provider::forgetful(move |asked| script::serving(&serves, asked)).await,
            Provider::forgetful(move |asked| script::failing(&fails, asked)).await,
        ];
        let plan = Plan {
            edges: vec!["here"; 2],
            // One that breaks off is asked first for as long as it does.
            edge_settings: vec![("SLUICE_SHAPING__ASIDE_MS", "0".to_owned())],
            ..Plan::default()
        };
        let mut site = Site::start(plan).await;
        let mut relays = Vec::new();
        for edge in 0..2 {
            let relay = Relay::start(site.redis.address()).await;
            let url = format!("redis://{}/", relay.address());
            site.set_edge(edge, "SLUICE_LIMITS__REDIS_URL", &url);
            site.restart_edge(edge).await;
            relays.push(relay);
        }
        let tenant = Tenant::make(&site.admin(), "acme", &providers[0].base_url()).await;
        let mut keys = Vec::new();
        for _ in Kind::ALL {
            keys.push(tenant.key().await);
        }
        let town = Self {
            site,
            relays,
            till,
            tenant,
            keys,
            providers,
        };
        town.serve().await;
        town.price().await;
        town.limit().await;
        for edge in 0..2 {
            town.site.ready(edge).await;
        }
        town.site.propagated().await;
        town
    }

    /// The texts of the keys.
    pub(crate) fn key_texts(&self) -> Vec<String> {
        self.keys.iter().map(|(_, text)| text.clone()).collect()
    }

    async fn serve(&self) {
        let [serves, fails] = self.providers.each_ref().map(Provider::base_url);
        let openai = ProviderKind::Openai;
        let of = &self.tenant;
        of.provider_of(openai, "openai", &serves).await;
        of.provider_of(openai, "first", &fails).await;
        of.provider_of(ProviderKind::Anthropic, "anthropic", &serves)
            .await;
        of.model("fine", "openai", "gpt-4o").await;
        of.model("odd", "openai", "odd-1").await;
        of.model("claude", "anthropic", "claude-sonnet-4-5").await;
        of.model("unlucky", "first", "gpt-4o-2024-08-06").await;
        of.model("backed", "first", "gpt-4o").await;
        let target = |provider: &str| Target {
            provider: format!("{}/providers/{provider}", of.organization),
            provider_model: "gpt-4o".to_owned(),
            ..Target::default()
        };
        let request = CreateModelVersionRequest {
            parent: format!("{}/models/backed", of.organization),
            model_version_id: "v2".to_owned(),
            model_version: Some(ModelVersion {
                targets: vec![target("first"), target("openai")],
                ..ModelVersion::default()
            }),
            ..CreateModelVersionRequest::default()
        };
        let admin = self.site.admin();
        let made = admin.versions().create_model_version(request).await;
        made.expect("a version is made");
        of.serve("backed", "v2").await;
    }

    async fn price(&self) {
        let rate = |counter: UsageCounter, nano_dollars| PriceRate {
            counter: counter.into(),
            nano_dollars,
        };
        let request = CreatePriceRequest {
            parent: self.tenant.organization.clone(),
            price_id: "own".to_owned(),
            price: Some(Price {
                provider: format!("{}/providers/openai", self.tenant.organization),
                provider_model: "odd-*".to_owned(),
                rates: vec![
                    rate(UsageCounter::Input, OWN.input),
                    rate(UsageCounter::Output, OWN.output),
                ],
                ..Price::default()
            }),
            ..CreatePriceRequest::default()
        };
        let made = self.site.admin().prices().create_price(request).await;
        made.expect("a price is made");
        let request = CreateDiscountRequest {
            parent: self.tenant.organization.clone(),
            discount_id: "anthropic".to_owned(),
            discount: Some(Discount {
                provider_kind: ProviderKind::Anthropic.into(),
                provider_model: "*".to_owned(),
                basis_points: i32::try_from(OFF).expect("few"),
                ..Discount::default()
            }),
            ..CreateDiscountRequest::default()
        };
        let made = self.site.admin().discounts().create_discount(request).await;
        made.expect("a discount is made");
    }

    async fn limit(&self) {
        let lifetime = |unit: LimitUnit, amount| Limit {
            unit: unit.into(),
            amount,
            window: LimitWindow::Lifetime.into(),
            ..Limit::default()
        };
        let each = |unit| Limit {
            each: vec![LimitMember::Key.into()],
            ..lifetime(unit, PLENTY)
        };
        let of = |kind: Kind, limit| Limit {
            scope: self.keys[kind.place()].0.clone(),
            ..limit
        };
        let strict = Limit {
            mode: LimitMode::Strict.into(),
            ..lifetime(LimitUnit::OutputTokens, PLENTY)
        };
        let few = lifetime(LimitUnit::Requests, REFUSED_AFTER);
        for (name, limit) in [
            ("requests", each(LimitUnit::Requests)),
            ("tokens", each(LimitUnit::Tokens)),
            ("money", each(LimitUnit::MicroDollars)),
            ("ceiling", of(Kind::Ceiling, strict)),
            ("few", of(Kind::Refused, few)),
        ] {
            self.tenant.limit_like(name, limit).await;
        }
    }

    /// Waits until every edge asks Redis and not itself.
    pub(crate) async fn all_ask_redis(&self) {
        let asks = async || {
            for edge in 0..2 {
                let alone = self.site.count(edge, "sluice_limits_local_mode", "");
                if alone.await > 0 {
                    return None;
                }
            }
            Some(())
        };
        wait::until("every edge asks Redis again", asks).await;
    }

    /// How many reservations and loans the edges saw charged in full.
    pub(crate) async fn expired(&self) -> i64 {
        let mut sum = 0;
        for edge in 0..2 {
            let name = "sluice_limits_reservation_expired_total";
            sum += self.site.count(edge, name, "").await.cast_signed();
        }
        sum
    }

    /// What everybody has counted of these kinds up to now.
    pub(crate) async fn books(&self, traffic: &Traffic, kinds: &[Kind]) -> Vec<Book> {
        let recorded = self.recorded("outcome <> 6").await;
        let partial = self.recorded("outcome = 6").await;
        let summed = self.summed().await;
        let mut books = Vec::new();
        for &kind in kinds {
            let name = &self.keys[kind.place()].0;
            let id = name.rsplit('/').next().unwrap_or_default();
            let (recorded, reached) = recorded.get(id).copied().unwrap_or_default();
            let partial = partial.get(id).copied().unwrap_or_default().0;
            let summed = summed.get(name).copied().unwrap_or_default();
            books.push(Book {
                kind,
                served: self.till.drawer(kind).counts(),
                recorded,
                partial,
                reached,
                // Sums are in nano-dollars.
                summed: Counts {
                    micro: recorded.micro + partial.micro,
                    ..summed
                },
                settled: self.settled(name).await,
                asked: traffic.asked(kind),
                killed: traffic.kills(),
                expired: traffic.charged_in_full(),
            });
        }
        books
    }

    /// By the ids of keys, what stands in these records, and how many of them reached a provider.
    async fn recorded(&self, which: &str) -> BTreeMap<String, (Counts, i64)> {
        let mut database = self.site.database.connect().await;
        let query = format!(
            "select key_id, count(*) as requests, count(provider) as reached,
                    sum(input_tokens)::bigint as input, sum(cached_input_tokens)::bigint as cached,
                    sum(output_tokens + reasoning_tokens)::bigint as output,
                    sum(cost_nano)::bigint as nano, sum((cost_nano + 999) / 1000)::bigint as micro
             from usage_record where {which} group by key_id",
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(query));
        let rows = rows
            .fetch_all(&mut database)
            .await
            .expect("Postgres answers");
        let read = |row: sqlx::postgres::PgRow| {
            let counts = Counts {
                requests: row.get("requests"),
                input: row.get("input"),
                cached: row.get("cached"),
                output: row.get("output"),
                nano: row.get("nano"),
                micro: row.get("micro"),
            };
            (row.get("key_id"), (counts, row.get("reached")))
        };
        rows.into_iter().map(read).collect()
    }

    /// By the names of keys, what the sums say.
    async fn summed(&self) -> BTreeMap<String, Counts> {
        let request = QueryUsageRequest {
            parent: self.tenant.organization.clone(),
            group_by: vec![UsageDimension::Key.into()],
            include_unreached: true,
            ..QueryUsageRequest::default()
        };
        let reply = self.site.admin().usage().query_usage(request).await;
        let rows = reply.expect("the control plane answers").into_inner().rows;
        let read = |row: proto::admin::UsageRow| {
            let counts = Counts {
                requests: row.requests,
                input: row.input_tokens,
                cached: row.cached_input_tokens,
                output: row.output_tokens + row.reasoning_tokens,
                nano: row.cost_nano,
                micro: 0,
            };
            (row.key, counts)
        };
        rows.into_iter().map(read).collect()
    }

    /// What the limits that count each key were charged for, as Redis has it: what is missing from them.
    async fn settled(&self, key: &str) -> Settled {
        let request = ExplainLimitsRequest {
            key: key.to_owned(),
            model: format!("{}/models/fine", self.tenant.organization),
            ..ExplainLimitsRequest::default()
        };
        let told = self.site.admin().limits().explain_limits(request).await;
        let regions = told
            .map(|it| it.into_inner().regions)
            .expect("an edge tells");
        let limits = regions.iter().flat_map(|it| &it.limits);
        let used = |name: &str| {
            let mut named = limits.clone().filter(|it| it.limit.ends_with(name));
            let left = named.next().and_then(|it| it.remaining);
            left.map_or(0, |left| PLENTY - left)
        };
        Settled {
            requests: used("/limits/requests"),
            tokens: used("/limits/tokens"),
            micro: used("/limits/money"),
        }
    }
}
