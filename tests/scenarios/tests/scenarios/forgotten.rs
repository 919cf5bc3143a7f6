//! The ledger is the truth of budgets: what Redis forgets is read back from it, and while that cannot be, each limit's own word
//! holds.

use harness::{
    client,
    provider::Provider,
    redis::Redis,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    ExplainLimitsRequest, Limit, LimitOnStoreLoss as OnStoreLoss, LimitUnit, LimitWindow,
    ProviderKind, QueryUsageRequest,
};
use scenarios::openai;

const PATH: &str = "/v1/chat/completions";

/// What a request to gpt-4o costs, in millionths of a dollar: 11 tokens at 2.50 and 7 at 10 dollars a million, rounded up.
const MICRO: i64 = 98;

/// The same as the ledger has it, in billionths.
const NANO: i64 = 97_500;

/// The budget, in millionths of a dollar: half a cent.
const BUDGET: i64 = 5_000;

/// The most that is left after so many requests: the ledger rounds up once, counts round up each.
const fn left_most(requests: i64) -> i64 {
    BUDGET - requests * NANO / 1_000
}

/// Whether so much may be left after so many requests.
fn is_left(left: i64, requests: i64) -> bool {
    (BUDGET - requests * MICRO..=left_most(requests)).contains(&left)
}

/// More than is reserved for a request, in millionths of a dollar.
const RESERVED_MAX: i64 = 250;

/// A budget on what this key uses, with this word for when nobody knows what is left.
fn budget(key: &str, on_store_loss: OnStoreLoss) -> Limit {
    Limit {
        scope: key.to_owned(),
        unit: LimitUnit::MicroDollars.into(),
        amount: BUDGET,
        window: LimitWindow::Month.into(),
        on_store_loss: on_store_loss.into(),
        ..Limit::default()
    }
}

/// A site of an edge that asks Redis for each request and the ledger each second, with a model of a published price.
async fn site(provider: &Provider, edges: usize) -> (Site, Tenant) {
    let plan = Plan {
        edges: vec!["here"; edges],
        edge_settings: vec![
            ("SLUICE_LIMITS__AHEAD_MS", "0".to_owned()),
            ("SLUICE_LIMITS__LEDGER_EVERY_MS", "1000".to_owned()),
        ],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let base_url = provider.base_url();
    tenant
        .provider_of(ProviderKind::Openai, "openai", &base_url)
        .await;
    tenant.model("priced", "openai", "gpt-4o").await;
    (site, tenant)
}

/// The status of an answer, and its code where it is a refusal.
async fn ask(url: &str, key: &str) -> (u16, String) {
    let body = r#"{"model":"priced","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}"#;
    let reply = client::post(url, key, PATH, body.to_owned()).await;
    let status = reply.status.as_u16();
    let code = reply.headers.get("x-sluice-code").cloned();
    let code = code.map_or_else(String::new, |it| it.to_str().unwrap_or("").to_owned());
    reply.bytes().await.expect("the answer arrives");
    (status, code)
}

/// So many requests, all of which are served.
async fn spend(url: &str, key: &str, requests: i64) {
    for _ in 0..requests {
        assert_eq!(ask(url, key).await.0, 200);
    }
}

/// How many requests are in the ledger.
async fn recorded(site: &Site, tenant: &Tenant) -> i64 {
    let request = QueryUsageRequest {
        parent: tenant.organization.clone(),
        ..Default::default()
    };
    let reply = site.admin().usage().query_usage(request).await;
    let rows = reply.expect("the control plane answers").into_inner().rows;
    rows.iter().map(|row| row.requests).sum()
}

/// What is left of the budget of a key, by the word of an edge of each region.
async fn left(site: &Site, tenant: &Tenant, key: &str) -> Vec<i64> {
    let request = ExplainLimitsRequest {
        key: key.to_owned(),
        model: format!("{}/models/priced", tenant.organization),
        ..Default::default()
    };
    let said = site.admin().limits().explain_limits(request).await;
    let Ok(said) = said else { return Vec::new() };
    let regions = said.into_inner().regions;
    let left = |limits: &[proto::admin::AppliedLimit]| limits.first()?.remaining;
    regions
        .iter()
        .filter_map(|region| left(&region.limits))
        .collect()
}

async fn forget(url: &str) {
    let client = redis::Client::open(url).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.expect("Redis answers");
    let flushed: Result<(), _> = redis::cmd("FLUSHALL").query_async(&mut connection).await;
    flushed.expect("Redis forgets");
}

#[tokio::test]
async fn a_redis_that_forgets_everything_does_not_open_a_budget() {
    let provider = Provider::start(openai::answer).await;
    let (site, tenant) = site(&provider, 2).await;
    let (name, key) = tenant.key().await;
    tenant
        .limit_like("monthly", budget(&name, OnStoreLoss::Deny))
        .await;
    site.propagated().await;
    // Most of it; then everything is forgotten, whether or not the ledger has heard of the last of it.
    let mut served = 0;
    for at in 0..35 {
        spend(&site.url(at % 2), &key, 1).await;
        served += 1;
        if at == 30 {
            wait::until("most usage arrived", || async {
                (recorded(&site, &tenant).await == served).then_some(())
            })
            .await;
        }
    }
    let heard = recorded(&site, &tenant).await;
    forget(&site.redis.url()).await;
    let unheard = served - heard;
    let (mut unknown, mut turn, begun) = (0, 0, std::time::Instant::now());
    loop {
        assert!(begun.elapsed() < wait::PATIENCE, "{served} served");
        turn += 1;
        match ask(&site.url(turn % 2), &key).await {
            (200, _) => served += 1,
            (503, code) => {
                assert_eq!(code, "limit_unknown");
                unknown += 1;
            }
            (429, code) => {
                assert_eq!(code, "budget_exceeded");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let (spent, bound) = (served * MICRO, BUDGET + unheard * MICRO);
    println!(
        "spent {spent} of {BUDGET}, at most {bound}: {unheard} of 35 requests had not reached the ledger when Redis forgot; \
         {unknown} refused until it was read"
    );
    assert!(unknown > 0, "it was known at once");
    assert!(spent <= bound, "{spent} of {bound}");
    assert!(spent > BUDGET - RESERVED_MAX, "{spent}: it is not used up");
    // In the end what is left is what the ledger says.
    wait::until("counts and ledger agree", || async {
        let left = left(&site, &tenant, &name).await;
        is_left(*left.first()?, served).then_some(())
    })
    .await;
    let restored = site
        .metric(0, "sluice_limits_ledger_restored_total", "true")
        .await
        + site
            .metric(1, "sluice_limits_ledger_restored_total", "true")
            .await;
    assert!(restored >= 1.0);
}

#[tokio::test]
async fn while_nobody_can_read_the_ledger_each_budget_has_its_own_word() {
    let provider = Provider::start(openai::answer).await;
    let (mut site, tenant) = site(&provider, 1).await;
    let words = [
        OnStoreLoss::Deny,
        OnStoreLoss::LocalShare,
        OnStoreLoss::Allow,
    ];
    let mut keys = Vec::new();
    for (at, word) in words.into_iter().enumerate() {
        let (name, key) = tenant.key().await;
        tenant
            .limit_like(&format!("budget-{at}"), budget(&name, word))
            .await;
        keys.push((name, key));
    }
    site.propagated().await;
    let url = site.url(0);
    for (_, key) in &keys {
        spend(&url, key, 20).await;
    }
    wait::until("all usage arrived", || async {
        (recorded(&site, &tenant).await == 60).then_some(())
    })
    .await;
    site.control_planes[0].process.kill();
    forget(&site.redis.url()).await;

    let refused = ask(&url, &keys[0].1).await;
    assert_eq!(refused, (503, "limit_unknown".to_owned()));
    // One edge's share is all; it is used up, and no more.
    let (mut shared, begun) = (0, std::time::Instant::now());
    let code = loop {
        assert!(begun.elapsed() < wait::PATIENCE, "{shared} served");
        match ask(&url, &keys[1].1).await {
            (200, _) => shared += 1,
            (429, code) => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, "budget_exceeded");
    assert!(shared * MICRO <= BUDGET, "{shared}");
    spend(&url, &keys[2].1, 60).await;

    // Back, it tells what was used before; and what was used meanwhile is in the ledger soon.
    site.revive_control_plane(0).await;
    let expected = [20, 20 + shared, 20 + 60];
    for ((name, key), requests) in keys.iter().zip(expected) {
        wait::until("it is remembered", || async {
            // Somebody must ask, so that anybody looks.
            ask(&url, key).await;
            let left = left(&site, &tenant, name).await;
            let left = *left.first()?;
            (left <= left_most(requests)).then_some(())
        })
        .await;
    }
    let (status, code) = ask(&url, &keys[2].1).await;
    assert_eq!((status, code.as_str()), (429, "budget_exceeded"));
    println!("{shared} requests from the share, 60 allowed, none of the budget that denies");
}

#[tokio::test]
async fn each_region_is_told_what_was_used_there() {
    let provider = Provider::start(openai::answer).await;
    let (mut site, tenant) = site(&provider, 1).await;
    let folder = site.folder().join("there");
    std::fs::create_dir(&folder).expect("a folder can be made");
    let redis = Redis::start(&folder).await;
    let token = site.join_token("there").await;
    let at_there = [("SLUICE_LIMITS__REDIS_URL", redis.url())];
    site.add_edge_with(&token, &at_there).await;
    site.ready(1).await;
    let (name, key) = tenant.key().await;
    let each = Limit {
        each: vec![proto::admin::LimitMember::Key.into()],
        scope: tenant.project.clone(),
        ..budget(&name, OnStoreLoss::LocalShare)
    };
    tenant.limit_like("each", each).await;
    site.propagated().await;
    spend(&site.url(0), &key, 9).await;
    spend(&site.url(1), &key, 4).await;
    wait::until("all usage arrived", || async {
        (recorded(&site, &tenant).await == 13).then_some(())
    })
    .await;
    for url in [site.redis.url(), redis.url()] {
        forget(&url).await;
    }
    spend(&site.url(0), &key, 1).await;
    spend(&site.url(1), &key, 1).await;
    wait::until("both remember", || async {
        let left = left(&site, &tenant, &name).await;
        let [here, there] = left.as_slice() else {
            return None;
        };
        (is_left(*here, 10) && is_left(*there, 5)).then_some(())
    })
    .await;
}
