//! A budget in money: what is admitted never costs more, what was charged is what the records say, and what has no price is
//! refused.

use std::sync::Arc;

use futures_util::future::join_all;
use harness::{
    client,
    provider::{Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    Budget, BudgetEnd, BudgetPeriod, BudgetStatus, CreateBudgetRequest, CreatePriceRequest,
    DeleteBudgetRequest, ExplainLimitsRequest, GetBudgetStatusRequest, GetLimitRequest, Limit,
    LimitMode, LimitUnit, LimitWindow, ListBudgetsRequest, Price, PriceRate, ProviderKind,
    QueryUsageRequest, UpdateBudgetRequest, UpdateLimitRequest, UsageCounter,
};
use scenarios::openai;
use tokio::sync::Semaphore;

const PATH: &str = "/v1/chat/completions";

/// What a request to gpt-4o costs, in nano-dollars: 11 tokens at 2,500 and 7 at 10,000.
const NANO: i64 =
    (openai::PROMPT_TOKENS * 2_500 + openai::COMPLETION_TOKENS * 10_000).cast_signed();

/// The same in millionths of a dollar, as a budget is charged.
const MICRO: i64 = (NANO + 999) / 1_000;

/// The budget, in millionths of a dollar: half a cent.
const BUDGET: i64 = 5_000;

/// More than is reserved for a request, in millionths of a dollar.
const RESERVED_MAX: i64 = 250;

fn monthly(amount: i64) -> Limit {
    Limit {
        unit: LimitUnit::MicroDollars.into(),
        amount,
        window: LimitWindow::Month.into(),
        ..Limit::default()
    }
}

/// A site of two edges that ask Redis for each request, with a model of a published price, `priced`, and one of none, `chat`.
async fn site(provider: &Provider) -> (Site, Tenant, String, String) {
    let plan = Plan {
        edges: vec!["here"; 2],
        edge_settings: vec![
            ("SLUICE_LIMITS__AHEAD_MS", "0".to_owned()),
            ("SLUICE_LIMITS__TIMEOUT_MS", "5000".to_owned()),
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
    let (name, key) = tenant.key().await;
    (site, tenant, name, key)
}

/// The status of an answer, and its code where it is a refusal.
async fn ask(site: &Site, edge: usize, key: &str, model: &str) -> (u16, String, String) {
    let body = format!(
        r#"{{"model":"{model}","max_tokens":10,"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    let reply = client::post(&site.url(edge), key, PATH, body).await;
    let status = reply.status.as_u16();
    let code = reply.headers.get("x-sluice-code").cloned();
    let code = code.map_or_else(String::new, |it| it.to_str().unwrap_or("").to_owned());
    let bytes = reply.bytes().await.expect("the answer arrives");
    (status, code, String::from_utf8_lossy(&bytes).into_owned())
}

/// Requests that were recorded, and what they cost together.
async fn recorded(site: &Site, tenant: &Tenant) -> (i64, i64) {
    let request = QueryUsageRequest {
        parent: tenant.organization.clone(),
        ..Default::default()
    };
    let reply = site.admin().usage().query_usage(request).await;
    let rows = reply.expect("the control plane answers").into_inner().rows;
    let sum = |of: fn(&proto::admin::UsageRow) -> i64| rows.iter().map(of).sum();
    (sum(|row| row.requests), sum(|row| row.cost_nano))
}

/// What is left of the budget, by the word of an edge.
async fn left(site: &Site, tenant: &Tenant, key: &str) -> i64 {
    let request = ExplainLimitsRequest {
        key: key.to_owned(),
        model: format!("{}/models/priced", tenant.organization),
        ..Default::default()
    };
    let said = site.admin().limits().explain_limits(request).await;
    let said = said.expect("an edge is asked").into_inner();
    let limit = &said.regions[0].limits[0];
    assert_eq!(limit.unit(), LimitUnit::MicroDollars);
    limit.remaining.expect("what is left is told")
}

#[tokio::test]
async fn a_budget_is_never_passed_and_charged_what_the_records_say() {
    let provider = Provider::start(openai::answer).await;
    let (site, tenant, name, key) = site(&provider).await;
    tenant.limit_like("monthly", monthly(BUDGET)).await;
    site.propagated().await;
    // At once over both edges: each reserves more than it will cost, so that together they stay below.
    let asked = (0..80).map(|at| ask(&site, at % 2, &key, "priced"));
    let answers = join_all(asked).await;
    let mut served = answers.iter().filter(|it| it.0 == 200).count();
    assert!(i64::try_from(served).expect("few") * MICRO <= BUDGET);
    // Then one after the other, until nothing fits.
    let refusal = loop {
        let used = i64::try_from(served).expect("few") * MICRO;
        wait::until("what was held is given back", || async {
            (left(&site, &tenant, &name).await == BUDGET - used).then_some(())
        })
        .await;
        let answer = ask(&site, served % 2, &key, "priced").await;
        if answer.0 != 200 {
            break answer;
        }
        served += 1;
    };
    assert_eq!((refusal.0, refusal.1.as_str()), (429, "budget_exceeded"));
    assert!(
        refusal
            .2
            .contains("`monthly` on money of the organization ($0.005 a month)"),
        "{}",
        refusal.2
    );
    let requests = i64::try_from(served).expect("few");
    let unused = BUDGET - requests * MICRO;
    assert!((0..RESERVED_MAX).contains(&unused), "{unused} left");
    let (sums, _) = wait::until("all usage arrived", || async {
        let sums = recorded(&site, &tenant).await;
        (sums.0 == requests).then_some(sums)
    })
    .await;
    assert_eq!(sums, (requests, requests * NANO));
    println!("{requests} requests of {MICRO} millionths served, {unused} of {BUDGET} left");
}

#[tokio::test]
async fn what_has_no_price_is_refused_by_a_hard_budget_and_served_by_a_soft_one() {
    let provider = Provider::start(openai::answer).await;
    let (site, tenant, _, key) = site(&provider).await;
    tenant.limit_like("monthly", monthly(BUDGET)).await;
    site.propagated().await;
    let (status, code, said) = ask(&site, 0, &key, "chat").await;
    assert_eq!((status, code.as_str()), (403, "price_unknown"), "{said}");
    assert_eq!(ask(&site, 0, &key, "priced").await.0, 200);

    let soft = UpdateLimitRequest {
        limit: Some(Limit {
            name: format!("{}/limits/monthly", tenant.organization),
            mode: LimitMode::Soft.into(),
            ..Limit::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["mode".to_owned()],
        }),
        ..Default::default()
    };
    let made = site.admin().limits().update_limit(soft).await;
    made.expect("it is changed");
    site.propagated().await;
    assert_eq!(ask(&site, 0, &key, "chat").await.0, 200);

    // A price of nothing is a price.
    let hard = monthly(BUDGET);
    tenant.limit_like("again", hard).await;
    let free = [UsageCounter::Input, UsageCounter::Output].map(|counter| PriceRate {
        counter: counter.into(),
        ..PriceRate::default()
    });
    let request = CreatePriceRequest {
        parent: tenant.organization.clone(),
        price_id: "free".to_owned(),
        price: Some(Price {
            provider_model: "*".to_owned(),
            provider: format!("{}/providers/main", tenant.organization),
            rates: free.to_vec(),
            ..Price::default()
        }),
        ..Default::default()
    };
    site.propagated().await;
    assert_eq!(ask(&site, 0, &key, "chat").await.1, "price_unknown");
    let made = site.admin().prices().create_price(request).await;
    made.expect("a price is made");
    site.propagated().await;
    assert_eq!(ask(&site, 0, &key, "chat").await.0, 200);
}

async fn status(site: &Site, name: &str) -> BudgetStatus {
    let request = GetBudgetStatusRequest {
        name: name.to_owned(),
        ..Default::default()
    };
    let told = site.admin().budgets().get_budget_status(request).await;
    told.expect("the control plane answers").into_inner()
}

/// Makes a budget of the organization with thresholds, and sees that it is one limit, and the only budget.
async fn team(site: &Site, tenant: &Tenant) -> Budget {
    // What counts no money, or by the minute, is no budget.
    let rate = (9_999, LimitWindow::Minute, 9_999);
    tenant
        .limit("rpm", &tenant.organization, LimitUnit::Requests, rate)
        .await;
    let request = CreateBudgetRequest {
        parent: tenant.organization.clone(),
        budget_id: "team".to_owned(),
        budget: Some(Budget {
            owner: tenant.organization.clone(),
            micro_dollars: BUDGET,
            period: BudgetPeriod::Month.into(),
            thresholds: vec![100, 50, 80],
            ..Budget::default()
        }),
        ..Default::default()
    };
    let made = site.admin().budgets().create_budget(request).await;
    let made = made.expect("a budget is made").into_inner();
    assert_eq!(made.thresholds, [50, 80, 100]);
    let limit = GetLimitRequest {
        name: format!("{}/limits/team", tenant.organization),
    };
    let limit = site.admin().limits().get_limit(limit).await;
    let limit = limit.expect("it is one limit").into_inner();
    assert_eq!((limit.uid, limit.amount), (made.uid.clone(), BUDGET));
    let request = ListBudgetsRequest {
        parent: tenant.organization.clone(),
        ..Default::default()
    };
    let listed = site.admin().budgets().list_budgets(request).await;
    let listed = listed.expect("a list").into_inner().budgets;
    let names: Vec<&str> = listed.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, [made.name.as_str()]);
    made
}

#[tokio::test]
async fn a_budget_is_a_limit_by_another_name_and_tells_how_it_stands() {
    let provider = Provider::start(openai::answer).await;
    let (site, tenant, _, key) = site(&provider).await;
    let made = team(&site, &tenant).await;
    site.propagated().await;
    for at in 0..30 {
        assert_eq!(ask(&site, at % 2, &key, "priced").await.0, 200);
    }
    let spent = 30 * NANO / 1_000;
    let (told, _) = wait::until("all usage arrived", || async {
        let told = status(&site, &made.name).await;
        (told.spent_micro_dollars == spent).then_some(told)
    })
    .await;
    assert_eq!(told.remaining_micro_dollars, BUDGET - spent);
    let crossed = told.thresholds.iter();
    let crossed: Vec<(i32, i64, bool)> = crossed
        .map(|it| (it.percent, it.micro_dollars, it.crossed))
        .collect();
    let expected = [(50, 2_500, true), (80, 4_000, false), (100, 5_000, false)];
    assert_eq!(crossed, expected);
    let regions: Vec<&str> = told.regions.iter().map(|it| it.region.as_str()).collect();
    assert_eq!(regions, ["here"]);

    // One that warns lets everything through, and tells of it.
    let request = UpdateBudgetRequest {
        budget: Some(Budget {
            name: made.name.clone(),
            micro_dollars: 1_000,
            at_end: BudgetEnd::Warn.into(),
            ..Budget::default()
        }),
        ..Default::default()
    };
    let changed = site.admin().budgets().update_budget(request).await;
    let changed = changed.expect("it is changed").into_inner();
    assert_eq!(changed.at_end(), BudgetEnd::Warn);
    assert_eq!(changed.thresholds, [50, 80, 100]);
    site.propagated().await;
    assert_eq!(ask(&site, 0, &key, "priced").await.0, 200);
    let told = status(&site, &made.name).await;
    assert_eq!(told.remaining_micro_dollars, 0);
    assert!(told.thresholds.iter().all(|it| it.crossed));
    let request = DeleteBudgetRequest {
        name: made.name,
        ..Default::default()
    };
    let deleted = site.admin().budgets().delete_budget(request).await;
    deleted.expect("it is deleted");
}

#[tokio::test]
async fn what_is_under_way_is_held_of_a_budget_until_records_say_it() {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let provider = Provider::start(move |asked| {
        let mut answer = openai::answer(asked);
        answer.steps.insert(0, Step::Wait(Arc::clone(&waiting)));
        answer
    })
    .await;
    let (site, tenant, _, key) = site(&provider).await;
    let made = team(&site, &tenant).await;
    site.propagated().await;
    let told = status(&site, &made.name).await;
    assert_eq!(told.held_micro_dollars, Some(0), "{told:?}");
    let asking = ask(&site, 0, &key, "priced");
    let looking = async {
        // Ten tokens of output are reserved at 10 dollars a million, and some input.
        let held = || async {
            let told = status(&site, &made.name).await;
            let held = told.regions[0].held_micro_dollars;
            (held > Some(100) && held <= Some(RESERVED_MAX)).then_some(told)
        };
        let (told, _) = wait::until("it is held", held).await;
        assert_eq!(told.spent_micro_dollars, 0);
        gate.add_permits(1);
    };
    let (answered, ()) = tokio::join!(asking, looking);
    assert_eq!(answered.0, 200);
    let spent = || async {
        let told = status(&site, &made.name).await;
        let spent = told.spent_micro_dollars == MICRO;
        (spent && told.held_micro_dollars == Some(0)).then_some(())
    };
    wait::until("records say it", spent).await;
}
