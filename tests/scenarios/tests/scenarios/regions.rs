//! A limit that two regions hold together, each with a Redis of its own: its share follows demand, and what both admit is never
//! more than the limit, also when nobody can reach anybody.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use harness::{
    client,
    provider::Provider,
    redis::Redis,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    AppliedLimit, ExplainLimitsRequest, Limit, LimitUnit, LimitWindow, ProviderKind,
};
use scenarios::openai;

const PATH: &str = "/v1/chat/completions";

/// What a request to gpt-4o costs, in millionths of a dollar: 11 tokens at 2.50 and 7 at 10 dollars a million, rounded up.
const MICRO: i64 = 98;

/// The budget, in millionths of a dollar: two cents.
const BUDGET: i64 = 20_000;

const REGIONS: [&str; 2] = ["here", "there"];

fn lifetime(amount: i64, regions: &[&str]) -> Limit {
    Limit {
        unit: LimitUnit::MicroDollars.into(),
        amount,
        window: LimitWindow::Lifetime.into(),
        regions: regions.iter().map(ToString::to_string).collect(),
        ..Limit::default()
    }
}

/// An edge in each of two regions, each with a Redis of its own, which it asks for each request.
async fn site(provider: &Provider) -> (Site, Redis, Tenant, String, String) {
    let settings = vec![
        ("SLUICE_LIMITS__AHEAD_MS", "0".to_owned()),
        ("SLUICE_LIMITS__TIMEOUT_MS", "5000".to_owned()),
    ];
    let plan = Plan {
        edges: vec!["here"],
        edge_settings: settings,
        ..Plan::default()
    };
    let mut site = Site::start(plan).await;
    let folder = site.folder().join("there");
    std::fs::create_dir(&folder).expect("a folder can be made");
    let redis = Redis::start(&folder).await;
    let token = site.join_token("there").await;
    let at_there = [("SLUICE_LIMITS__REDIS_URL", redis.url())];
    site.add_edge_with(&token, &at_there).await;
    site.ready(1).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let base_url = provider.base_url();
    tenant
        .provider_of(ProviderKind::Openai, "openai", &base_url)
        .await;
    tenant.model("priced", "openai", "gpt-4o").await;
    let (name, key) = tenant.key().await;
    (site, redis, tenant, name, key)
}

/// The status of an answer.
async fn ask(url: &str, key: &str) -> u16 {
    let body = r#"{"model":"priced","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}"#;
    let reply = client::post(url, key, PATH, body.to_owned()).await;
    let status = reply.status.as_u16();
    reply.bytes().await.expect("the answer arrives");
    status
}

/// Asks one region until so much is spent there in all, whatever is refused in between; gives what is spent there then.
async fn spend(site: &Site, edge: usize, key: &str, (spent, until): (i64, i64)) -> i64 {
    let begun = Instant::now();
    let mut spent = spent;
    while spent < until {
        assert!(begun.elapsed() < wait::PATIENCE, "{spent} of {until} spent");
        match ask(&site.url(edge), key).await {
            200 => spent += MICRO,
            other => assert_eq!(other, 429),
        }
    }
    spent
}

/// The limit as the edge of each region sees it.
async fn shares(site: &Site, tenant: &Tenant, key: &str) -> [AppliedLimit; 2] {
    let request = ExplainLimitsRequest {
        key: key.to_owned(),
        model: format!("{}/models/priced", tenant.organization),
        ..Default::default()
    };
    let said = site.admin().limits().explain_limits(request).await;
    let regions = said.expect("edges are asked").into_inner().regions;
    let named: Vec<&str> = regions.iter().map(|it| it.region.as_str()).collect();
    assert_eq!(named, REGIONS);
    [0, 1].map(|at| regions[at].limits[0].clone())
}

/// Asks both regions at once, from many clients, each until it was refused often; gives what each region spent.
async fn flood(site: &Site, key: &str) -> [i64; 2] {
    let spent = [0, 1].map(|_| Arc::new(AtomicI64::new(0)));
    let mut clients = tokio::task::JoinSet::new();
    for at in 0..16 {
        let (url, key) = (site.url(at % 2), key.to_owned());
        let spent = Arc::clone(&spent[at % 2]);
        clients.spawn(async move {
            let mut refused = 0;
            while refused < 20 {
                match ask(&url, &key).await {
                    200 => drop(spent.fetch_add(MICRO, Ordering::Relaxed)),
                    other => {
                        assert_eq!(other, 429);
                        refused += 1;
                    }
                }
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client ends well");
    }
    [0, 1].map(|at| spent[at].load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_budget_of_two_regions_follows_demand_and_is_never_passed_when_they_are_cut_off() {
    let provider = Provider::start(openai::answer).await;
    let (mut site, _redis, tenant, name, key) = site(&provider).await;
    tenant
        .limit_like("together", lifetime(BUDGET, &REGIONS))
        .await;
    site.propagated().await;
    let millionths = |it: &AppliedLimit| it.share_millionths.expect("it is shared");
    // Each begins with what is never lent. Here asks for more, and gets it; then there does.
    let [first, _] = shares(&site, &tenant, &name).await;
    assert!((100_000..=200_000).contains(&millionths(&first)));
    let here = spend(&site, 0, &key, (0, BUDGET * 3 / 10)).await;
    let [grown, idle] = shares(&site, &tenant, &name).await;
    assert!(millionths(&grown) >= 300_000, "{grown:?}");
    assert_eq!(millionths(&idle), 100_000);
    let there = spend(&site, 1, &key, (0, BUDGET / 4)).await;

    // Nobody reaches anybody: what each may still spend is what it has been given.
    let told = || async {
        let told = shares(&site, &tenant, &name).await;
        let used = |it: &AppliedLimit| it.amount - it.remaining.unwrap_or(0);
        (used(&told[0]) == here && used(&told[1]) == there).then_some(told)
    };
    let (before, _) = wait::until("what was held is given back", told).await;
    site.control_planes[0].process.kill();
    let open = [before[0].remaining.unwrap(), before[1].remaining.unwrap()];
    assert!(open.iter().all(|it| *it > 0));
    let cut_off = flood(&site, &key).await;
    let spent = [here + cut_off[0], there + cut_off[1]];
    println!(
        "spent {here} here and {there} there of {BUDGET}; shares {} and {}; open when cut off {open:?}; spent of that {cut_off:?}",
        before[0].amount, before[1].amount
    );
    // A share may have come between the look and the end of the control plane.
    assert!(spent[0] + spent[1] <= BUDGET, "{spent:?}");
    assert!(cut_off.iter().sum::<i64>() > 0);

    // Together again: what was not lent is.
    site.revive_control_plane(0).await;
    let begun = Instant::now();
    let mut all = spent[0] + spent[1];
    while all < BUDGET * 8 / 10 {
        assert!(begun.elapsed() < wait::PATIENCE, "{all} spent");
        all += flood(&site, &key).await.iter().sum::<i64>();
    }
    assert!(all <= BUDGET, "{all}");
    println!("{all} of {BUDGET} spent in the end");
}

#[tokio::test]
async fn a_region_that_does_not_hold_a_limit_with_others_admits_nothing_of_it() {
    let provider = Provider::start(openai::answer).await;
    let (site, _redis, tenant, name, key) = site(&provider).await;
    tenant
        .limit_like("alone", lifetime(BUDGET, &["here"]))
        .await;
    site.propagated().await;
    assert_eq!(ask(&site.url(0), &key).await, 200);
    assert_eq!(ask(&site.url(1), &key).await, 403);
    let said = shares(&site, &tenant, &name).await;
    assert_eq!(said[1].share_millionths, Some(0));
}
