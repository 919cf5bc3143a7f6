//! Requests that say nothing of how much they want, of a provider that generates five times what is reserved: over time a limit is
//! kept, and a strict one is never passed.

use std::time::{Duration, Instant};

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{Limit, LimitMode, LimitUnit, LimitWindow, ProviderKind, QueryUsageRequest};
use scenarios::openai;
use serde_json::{Value, json};

const PATH: &str = "/v1/chat/completions";

/// What is reserved for an answer of which nobody says how long it may be.
const RESERVED: i64 = 40;

/// How many tokens it has.
const GENERATED: i64 = 5 * RESERVED;

async fn site(provider: &Provider) -> (Site, Tenant, String) {
    let plan = Plan {
        edges: vec!["here"; 2],
        edge_settings: vec![
            ("SLUICE_LIMITS__OUTPUT_TOKENS_DEFAULT", RESERVED.to_string()),
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
    let (_, key) = tenant.key().await;
    (site, tenant, key)
}

/// Asks, and gives the status and how many pieces came.
async fn ask(site: &Site, edge: usize, key: &str) -> (u16, i64, String) {
    let body = openai::streamed("priced");
    let reply = client::post(&site.url(edge), key, PATH, body).await;
    let status = reply.status.as_u16();
    let text = reply.bytes().await.expect("the answer arrives");
    let text = String::from_utf8_lossy(&text).into_owned();
    let pieces = text.matches(r#""content":" on""#).count();
    (status, i64::try_from(pieces).expect("few"), text)
}

/// What was recorded: requests, output tokens, and nano-dollars.
async fn recorded(site: &Site, tenant: &Tenant) -> (i64, i64, i64) {
    let request = QueryUsageRequest {
        parent: tenant.organization.clone(),
        ..Default::default()
    };
    let reply = site.admin().usage().query_usage(request).await;
    let rows = reply.expect("the control plane answers").into_inner().rows;
    rows.iter().fold((0, 0, 0), |sums, row| {
        let output = row.output_tokens;
        (
            sums.0 + row.requests,
            sums.1 + output,
            sums.2 + row.cost_nano,
        )
    })
}

#[tokio::test]
async fn answers_five_times_as_long_as_reserved_leave_the_mean_at_the_limit() {
    const PER_SECOND: i64 = 4_000;
    let provider = Provider::start(openai::overlong(GENERATED)).await;
    let (site, tenant, key) = site(&provider).await;
    let rate = (PER_SECOND, LimitWindow::Second, PER_SECOND / 10);
    tenant
        .limit("output", &tenant.project, LimitUnit::OutputTokens, rate)
        .await;
    site.propagated().await;
    let length = Duration::from_secs(6) * u32::try_from(scenarios::scale()).expect("small");
    let since = Instant::now();
    let (mut served, mut refused) = (0, 0);
    // Two at a time, one at each edge, so that what is under way is little beside what was served.
    while since.elapsed() < length {
        let both = tokio::join!(ask(&site, 0, &key), ask(&site, 1, &key));
        for (status, pieces, text) in [both.0, both.1] {
            match status {
                200 => {
                    assert_eq!(pieces, GENERATED, "{text}");
                    served += 1;
                }
                429 => refused += 1,
                _ => panic!("{status}: {text}"),
            }
        }
    }
    let seconds = since.elapsed().as_secs_f64();
    assert!(
        refused > 0,
        "the limit was never reached: {served} in {seconds:.1} s"
    );
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let (used, may) = (
        (served * GENERATED) as f64,
        seconds * PER_SECOND as f64 + (PER_SECOND / 10 + 2 * GENERATED) as f64,
    );
    println!("{used:.0} of {may:.0} tokens in {seconds:.1} s, {served} served, {refused} refused");
    assert!(used <= may, "{used} of {may}");
    assert!(used >= 0.7 * may, "{used} of {may}");
}

#[tokio::test]
async fn a_strict_budget_is_never_passed_whatever_the_provider_does() {
    /// In millionths of a dollar: two cents.
    const BUDGET: i64 = 20_000;
    let provider = Provider::start(openai::overlong(GENERATED)).await;
    let (site, tenant, key) = site(&provider).await;
    let strict = Limit {
        unit: LimitUnit::MicroDollars.into(),
        amount: BUDGET,
        window: LimitWindow::Month.into(),
        mode: LimitMode::Strict.into(),
        ..Limit::default()
    };
    tenant.limit_like("monthly", strict).await;
    site.propagated().await;
    let mut served = 0;
    let refused = loop {
        let asked = (0..8).map(|at| ask(&site, at % 2, &key));
        let mut refused = 0;
        for (status, pieces, text) in futures_util::future::join_all(asked).await {
            if status == 200 {
                served += 1;
                assert_eq!(pieces, RESERVED, "{text}");
                assert!(text.contains(r#""finish_reason":"length""#), "{text}");
                assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
            } else {
                assert_eq!(status, 429, "{text}");
                assert!(text.contains("budget_exceeded"), "{text}");
                refused += 1;
            }
        }
        if refused == 8 {
            break refused;
        }
    };
    assert!(served > 20 && refused > 0);
    let ((requests, output, nano), _) = wait::until("all usage arrived", || async {
        let sums = recorded(&site, &tenant).await;
        (sums.0 == served).then_some(sums)
    })
    .await;
    assert_eq!((requests, output), (served, served * RESERVED));
    println!(
        "{served} requests of {output} tokens cost {nano} of {} nano-dollars",
        BUDGET * 1_000
    );
    assert!(nano <= BUDGET * 1_000, "{nano}");
    assert!(nano >= BUDGET * 500, "{nano}");
    // The provider was told, and did not heed it.
    for asked in provider.asked() {
        let question: Value = serde_json::from_slice(&asked.body).expect("a question");
        assert_eq!(question["max_completion_tokens"], json!(RESERVED));
    }
}
