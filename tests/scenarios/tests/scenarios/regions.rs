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
    AppliedLimit, ExplainLimitsRequest, Limit, LimitMode, LimitUnit, LimitWindow, ProviderKind,
    QueryUsageRequest,
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

/// What is reserved for an answer of which nobody says how long it may be, in tokens.
const RESERVED: i64 = 40;

/// How many it has then.
const GENERATED: i64 = 5 * RESERVED;

/// How many ask each region at once when answers are so long.
const ASKING: i64 = 4;

/// An edge in each of two regions, each with a Redis of its own, which it asks for each request.
async fn site(provider: &Provider) -> (Site, Redis, Tenant, String, String) {
    let settings = vec![
        ("SLUICE_LIMITS__AHEAD_MS", "0".to_owned()),
        ("SLUICE_LIMITS__OUTPUT_TOKENS_DEFAULT", RESERVED.to_string()),
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
    ask_for(url, key, 10).await
}

/// The same, of an answer of at most so many tokens, for which as much is reserved.
async fn ask_for(url: &str, key: &str, tokens: i64) -> u16 {
    let body = format!(
        r#"{{"model":"priced","max_tokens":{tokens},"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    let reply = client::post(url, key, PATH, body).await;
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
async fn what_an_idle_region_does_not_use_of_a_budget_comes_back_to_one_that_is_short() {
    let provider = Provider::start(openai::answer).await;
    let (mut site, redis, tenant, name, key) = site(&provider).await;
    tenant
        .limit_like("together", lifetime(BUDGET, &REGIONS))
        .await;
    site.propagated().await;
    // There asks once for a long answer, draws most of the budget for it, and uses little of that.
    let drawn = || async { (ask_for(&site.url(1), &key, 1_100).await == 200).then_some(()) };
    wait::until("a long answer has room", drawn).await;
    let [_, idle] = shares(&site, &tenant, &name).await;
    assert!(idle.amount >= BUDGET * 6 / 10, "{idle:?}");
    // Here needs more than what is left beside that.
    let here = spend(&site, 0, &key, (0, BUDGET * 55 / 100)).await;
    // What was given back is shown as nobody's use.
    let settled = || async {
        let told = shares(&site, &tenant, &name).await;
        let used = |it: &AppliedLimit| it.amount - it.remaining.unwrap_or(0);
        (used(&told[0]) == here && used(&told[1]) == MICRO).then_some(told)
    };
    let (told, _) = wait::until("each region shows what it spent", settled).await;
    println!(
        "spent {here} here and {MICRO} there of {BUDGET}; shares {} and {}, which was {}",
        told[0].amount, told[1].amount, idle.amount
    );
    assert!(told[1].amount < idle.amount);

    // Its Redis forgets all, and is told what was given back with what was used; nobody reaches anybody afterwards.
    let all_told = || async {
        let (requests, _) = recorded(&site, &tenant).await;
        (requests == here / MICRO + 1).then_some(())
    };
    wait::until("the ledger has all", all_told).await;
    let mut connection = redis.connect().await;
    let flushed: Result<(), _> = redis::cmd("FLUSHALL").query_async(&mut connection).await;
    flushed.expect("Redis answers");
    let (begun, mut there, mut looks) = (Instant::now(), MICRO, 0);
    loop {
        // It is missed when somebody asks; what is admitted then is admitted from the edge's share of what is its region's.
        let asks = looks % 50 == 0;
        looks += 1;
        if asks && ask(&site.url(1), &key).await == 200 {
            there += MICRO;
        }
        // Less than nothing seems used while what was given back is not counted.
        let [_, told] = shares(&site, &tenant, &name).await;
        let left = told.remaining;
        if left.is_some_and(|left| told.amount - left >= MICRO) {
            break;
        }
        let waiting = site.metric(1, "sluice_limits_ledger_waiting", "").await;
        assert!(
            begun.elapsed() < wait::PATIENCE,
            "nothing is read back: {there} spent, {waiting} waiting, {told:?}"
        );
    }
    site.control_planes[0].process.kill();
    let last = flood(&site, &key).await;
    let spent = here + there + last.iter().sum::<i64>();
    let open = there - MICRO;
    println!("{spent} of {BUDGET} spent in the end, {open} of it before it was read back");
    assert!(spent <= BUDGET + open, "{spent}");
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

/// Asks one region for streams of which nobody says how long they may be, so many at once, until none of them is served; gives how
/// many were.
async fn exhaust(url: &str, key: &str) -> i64 {
    let begun = Instant::now();
    let mut served = 0;
    loop {
        assert!(begun.elapsed() < wait::PATIENCE, "{served} served");
        let asked = (0..ASKING).map(|_| async {
            let reply = client::post(url, key, PATH, openai::streamed("priced")).await;
            let status = reply.status.as_u16();
            reply.bytes().await.expect("the answer arrives");
            status
        });
        let answers = futures_util::future::join_all(asked).await;
        assert!(
            answers.iter().all(|it| [200, 429].contains(it)),
            "{answers:?}"
        );
        match answers.iter().filter(|it| **it == 200).count() {
            0 => return served,
            more => served += i64::try_from(more).expect("few"),
        }
    }
}

/// How many requests were recorded, and what they cost together, in nano-dollars.
async fn recorded(site: &Site, tenant: &Tenant) -> (i64, i64) {
    let request = QueryUsageRequest {
        parent: tenant.organization.clone(),
        ..Default::default()
    };
    let reply = site.admin().usage().query_usage(request).await;
    let rows = reply.expect("the control plane answers").into_inner().rows;
    rows.iter().fold((0, 0), |(requests, nano), row| {
        (requests + row.requests, nano + row.cost_nano)
    })
}

/// How a budget was spent: answers while both regions were apart, all answers, and nano-dollars by the records.
struct Apart {
    here: i64,
    there: i64,
    served: i64,
    spent: i64,
}

impl Apart {
    fn said(&self) -> String {
        format!(
            "{} answers here and {} there while apart, {} in all, spent {} of {} nano-dollars",
            self.here,
            self.there,
            self.served,
            self.spent,
            BUDGET * 1_000
        )
    }
}

/// Spends a budget of such a mode in both regions while neither can reach the other or the control plane, on answers five times as long as
/// is reserved.
async fn spent_apart(mode: LimitMode) -> Apart {
    let provider = Provider::start(openai::overlong(GENERATED)).await;
    let (mut site, _redis, tenant, name, key) = site(&provider).await;
    let budget = Limit {
        mode: mode.into(),
        ..lifetime(BUDGET, &REGIONS)
    };
    tenant.limit_like("together", budget).await;
    site.propagated().await;
    let told = || async { Some(shares(&site, &tenant, &name).await) };
    wait::until("both have a share", told).await;
    site.control_planes[0].process.kill();
    let (here, there) = (site.url(0), site.url(1));
    let (here, there) = tokio::join!(exhaust(&here, &key), exhaust(&there, &key));
    assert!(here > 0 && there > 0, "{here} {there}");
    // Together again: shares that were not drawn are, and spent as well.
    site.revive_control_plane(0).await;
    let begun = Instant::now();
    let mut served = here + there;
    let spent = loop {
        let (here, there) = (site.url(0), site.url(1));
        let (here, there) = tokio::join!(exhaust(&here, &key), exhaust(&there, &key));
        served += here + there;
        let all_told = || async {
            let (requests, nano) = recorded(&site, &tenant).await;
            (requests == served).then_some(nano)
        };
        let (nano, _) = wait::until("all usage arrived", all_told).await;
        if nano >= BUDGET * 800 {
            break nano;
        }
        assert!(begun.elapsed() < wait::PATIENCE, "{nano} spent");
    };
    Apart {
        here,
        there,
        served,
        spent,
    }
}

#[tokio::test]
async fn a_strict_budget_of_two_regions_is_never_passed_by_answers_longer_than_reserved() {
    let apart = spent_apart(LimitMode::Strict).await;
    let said = apart.said();
    println!("strict: {said}");
    assert!(apart.spent <= BUDGET * 1_000, "{said}");
}

#[tokio::test]
async fn a_hard_budget_of_two_regions_is_passed_by_no_more_than_answers_under_way() {
    let apart = spent_apart(LimitMode::Hard).await;
    // What an answer costs beyond what is reserved for it, at 10 dollars a million, of all that are under way at once.
    let open = 2 * ASKING * (GENERATED - RESERVED) * 10_000;
    let said = apart.said();
    println!("hard: {said}, which answers under way may pass by {open}");
    assert!(apart.spent <= BUDGET * 1_000 + open, "{said}");
}
