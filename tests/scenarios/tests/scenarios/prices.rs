//! What a request costs is known from its counts and its price; what has no price is said, and priced when it has one.

use std::process::Command;

use harness::{
    admin::Admin,
    binaries,
    client::Client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateDiscountRequest, CreatePriceRequest, Discount, Price, PriceBook, PriceRate, ProviderKind,
    QueryUsageRequest, RepriceUsageRequest, RepriceUsageResponse, UsageCounter, UsageDimension,
    UsageRow,
};
use scenarios::openai;
use time::OffsetDateTime;

/// What a request to gpt-4o costs, in nano-dollars: 11 tokens at 2,500 and 7 at 10,000.
const GPT_4O: i64 =
    (openai::PROMPT_TOKENS * 2_500 + openai::COMPLETION_TOKENS * 10_000).cast_signed();

/// A site with a model that has a published price, `priced`, and one that has none, `chat`.
async fn site() -> (Site, Tenant, String, Provider) {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let base_url = provider.base_url();
    tenant
        .provider_of(ProviderKind::Openai, "openai", &base_url)
        .await;
    tenant.model("priced", "openai", "gpt-4o").await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    (site, tenant, key, provider)
}

/// Asks once, streamed and whole, with these tags.
async fn ask(site: &Site, key: &str, model: &str, tags: &str) {
    for body in [openai::streamed(model), openai::whole(model)] {
        let (status, _) = send(site, key, body, tags).await;
        assert_eq!(status, 200);
    }
}

async fn send(site: &Site, key: &str, body: String, tags: &str) -> (u16, String) {
    let mut client = Client::connect(&site.url(0), key)
        .await
        .expect("it accepts");
    let mut headers = vec![("content-type", "application/json")];
    if !tags.is_empty() {
        headers.push(("x-sluice-tags", tags));
    }
    let path = "/v1/chat/completions";
    let reply = client.request("POST", path, &headers, body).await;
    let reply = reply.expect("it answers");
    let status = reply.status.as_u16();
    let bytes = reply.bytes().await.expect("the answer arrives");
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

async fn rows(admin: &Admin, parent: &str, tag_key: &str) -> Vec<UsageRow> {
    let request = QueryUsageRequest {
        parent: parent.to_owned(),
        group_by: vec![UsageDimension::Model.into()],
        tag_key: tag_key.to_owned(),
        ..Default::default()
    };
    let reply = admin.usage().query_usage(request).await;
    reply.expect("the control plane answers").into_inner().rows
}

/// The sums by model, once so many requests of each have arrived: requests, unpriced ones, and nano-dollars.
async fn sums(site: &Site, parent: &str, requests: i64) -> Vec<(String, i64, i64, i64)> {
    let arrived = || async {
        let rows = rows(&site.admin(), parent, "").await;
        (rows.iter().map(|row| row.requests).sum::<i64>() >= requests).then_some(rows)
    };
    let (rows, _) = wait::until("all usage arrived", arrived).await;
    rows.into_iter()
        .map(|row| {
            (
                row.model,
                row.requests,
                row.unpriced_requests,
                row.cost_nano,
            )
        })
        .collect()
}

fn now() -> prost_types::Timestamp {
    let now = OffsetDateTime::now_utc();
    prost_types::Timestamp {
        seconds: now.unix_timestamp(),
        nanos: i32::try_from(now.nanosecond()).expect("it fits"),
    }
}

fn later(seconds: i64) -> prost_types::Timestamp {
    let now = now();
    prost_types::Timestamp {
        seconds: now.seconds + seconds,
        ..now
    }
}

async fn discount(admin: &Admin, parent: &str, id: &str, it: Discount) {
    let request = CreateDiscountRequest {
        parent: parent.to_owned(),
        discount_id: id.to_owned(),
        discount: Some(it),
        ..Default::default()
    };
    let made = admin.discounts().create_discount(request).await;
    made.expect("a discount is made");
}

async fn reprice(admin: &Admin, parent: &str, validate_only: bool) -> RepriceUsageResponse {
    let request = RepriceUsageRequest {
        parent: parent.to_owned(),
        start_time: Some(later(-86_400)),
        end_time: Some(later(60)),
        book: PriceBook::Then.into(),
        validate_only,
        ..Default::default()
    };
    let said = admin.usage().reprice_usage(request).await;
    said.expect("it is priced anew").into_inner()
}

#[tokio::test]
async fn a_record_costs_what_its_counts_cost_and_what_has_no_price_is_said() {
    let (site, tenant, key, _provider) = site().await;
    ask(&site, &key, "priced", "").await;
    ask(&site, &key, "chat", "").await;
    let sums = sums(&site, &tenant.organization, 4).await;
    let expected = [
        ("chat".to_owned(), 2, 2, 0),
        ("priced".to_owned(), 2, 0, 2 * GPT_4O),
    ];
    assert_eq!(sums, expected);
    let unknown = site.count(0, "sluice_cost_unknown_total", "").await;
    assert_eq!(unknown, 2);
}

#[tokio::test]
async fn a_discount_holds_from_its_moment_on() {
    let (site, tenant, key, _provider) = site().await;
    let (admin, parent) = (site.admin(), &tenant.organization);
    ask(&site, &key, "priced", "").await;
    sums(&site, parent, 2).await;
    let tenth = Discount {
        provider_kind: ProviderKind::Openai.into(),
        provider_model: "gpt-4*".to_owned(),
        basis_points: 1_000,
        valid_from: Some(now()),
        ..Default::default()
    };
    let half = Discount {
        provider_model: "gpt-4o".to_owned(),
        basis_points: 5_000,
        valid_from: Some(later(3_600)),
        ..Default::default()
    };
    discount(&admin, parent, "tenth", tenth).await;
    discount(&admin, parent, "half", half).await;
    site.propagated().await;
    ask(&site, &key, "priced", "").await;
    let sums = sums(&site, parent, 4).await;
    let expected = 2 * GPT_4O + 2 * (GPT_4O * 9 / 10);
    assert_eq!(sums, [("priced".to_owned(), 4, 0, expected)]);
    // What was right when it was settled stays as it is.
    let said = reprice(&admin, parent, false).await;
    assert_eq!((said.records, said.changed), (4, 0), "{said:?}");
}

#[tokio::test]
async fn what_had_no_price_is_priced_anew_once_it_has_one() {
    let (site, tenant, key, _provider) = site().await;
    let (admin, parent) = (site.admin(), &tenant.organization);
    ask(&site, &key, "priced", "").await;
    ask(&site, &key, "chat", "").await;
    sums(&site, parent, 4).await;
    let rate = |counter: UsageCounter, nano_dollars| PriceRate {
        counter: counter.into(),
        nano_dollars,
    };
    let price = Price {
        provider: format!("{parent}/providers/main"),
        provider_model: "provider-*".to_owned(),
        rates: vec![
            rate(UsageCounter::Input, 1_000_000),
            rate(UsageCounter::Output, 2_000_001),
            rate(UsageCounter::Requests, 5),
        ],
        ..Default::default()
    };
    let request = CreatePriceRequest {
        parent: parent.clone(),
        price_id: "own".to_owned(),
        price: Some(price),
        ..Default::default()
    };
    let made = admin.prices().create_price(request).await;
    made.expect("a price is made");
    // 11 tokens at 1, 7 at 2.000001, rounded up, and a fee.
    let own = 11 + 15 + 5;
    let would = reprice(&admin, parent, true).await;
    assert_eq!((would.changed, would.difference_nano), (2, 2 * own));
    let chat = ("chat".to_owned(), 2, 2, 0);
    assert_eq!(sums(&site, parent, 4).await[0], chat, "nothing was written");
    let said = reprice(&admin, parent, false).await;
    assert_eq!((said.records, said.changed, said.unpriced), (4, 2, 0));
    let expected = [
        ("chat".to_owned(), 2, 0, 2 * own),
        ("priced".to_owned(), 2, 0, 2 * GPT_4O),
    ];
    assert_eq!(sums(&site, parent, 4).await, expected);
    assert_eq!(reprice(&admin, parent, false).await.changed, 0);
    // The edge has it, too, and comes to the same.
    site.propagated().await;
    ask(&site, &key, "chat", "").await;
    let chat = ("chat".to_owned(), 4, 0, 4 * own);
    assert_eq!(sums(&site, parent, 6).await[0], chat);
}

#[tokio::test]
async fn costs_are_shared_out_by_what_clients_say_of_their_requests() {
    let (site, tenant, key, provider) = site().await;
    let parent = &tenant.organization;
    ask(&site, &key, "priced", "team=search,env=prod").await;
    ask(&site, &key, "priced", "team=ads").await;
    ask(&site, &key, "priced", "").await;
    sums(&site, parent, 6).await;
    let rows = rows(&site.admin(), parent, "team").await;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.tag.as_str(), row.requests, row.cost_nano))
        .collect();
    let each = 2 * GPT_4O;
    assert_eq!(rows, [("", 2, each), ("ads", 2, each), ("search", 2, each)]);
    let asked = provider.asked();
    let hidden = |name: &str| asked.iter().all(|it| !it.headers.contains_key(name));
    assert!(hidden("x-sluice-tags"), "tags stay here");
    let (status, said) = send(&site, &key, openai::whole("priced"), "team").await;
    assert_eq!(status, 400);
    assert!(said.contains("invalid_tags"), "{said}");
    assert_eq!(provider.count(), asked.len(), "nothing is sent");
}

/// Runs the command line as an operator of the site, and gives what it printed.
fn sluice(site: &Site, line: &str) -> String {
    let mut command = Command::new(binaries::path("sluice"));
    command.args(line.split_whitespace()).env_clear();
    command.env("SLUICE_ORGANIZATION", "acme");
    command.env("SLUICE_OPERATOR_KEY", site.operator_key());
    let address = format!("http://{}", site.control_planes[0].admin);
    let ended = command.env("SLUICE_ADDRESS", address).output();
    let ended = ended.expect("the program starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "`sluice {line}`: {said}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

#[tokio::test]
async fn the_command_line_imports_prices_and_shows_what_was_spent() {
    let (site, _tenant, key, _provider) = site().await;
    let file = site.folder().join("prices.csv");
    let rows = "id,provider,model,tier,valid_from,input_tokens,output_tokens,requests\n\
                house,main,provider-*,,,0.50,1.50,\n\
                house-flex,main,provider-*,flex,2027-01-01,0.25,0.75,0.001\n";
    std::fs::write(&file, rows).expect("a file is written");
    let import = format!("prices import {}", file.display());
    let tried = sluice(&site, &format!("{import} --validate-only"));
    assert_eq!(tried.trim(), "2 prices could be made, 0 stood already");
    assert_eq!(
        sluice(&site, &import).trim(),
        "2 prices made, 0 stood already"
    );
    assert_eq!(
        sluice(&site, &import).trim(),
        "0 prices made, 2 stood already"
    );
    let listed = sluice(&site, "prices list");
    assert!(listed.contains("input 0.50, output 1.50"), "{listed}");
    let published = sluice(&site, "prices published");
    assert!(published.contains("gpt-4o"), "{published}");
    sluice(&site, "discounts create third --model * --percent 33.33");
    let discounts = sluice(&site, "discounts list -o json");
    assert!(discounts.contains("3333"), "{discounts}");
    site.propagated().await;
    ask(&site, &key, "chat", "team=search").await;
    sums(&site, "organizations/acme", 2).await;
    let usage = sluice(&site, "usage --by tag:team,model");
    // 11 tokens at 500 and 7 at 1,500, less a third, rounded up, twice.
    let nano = 2 * (16_000_u64 * 6_667).div_ceil(10_000);
    let cost = format!("0.{nano:09}");
    assert!(
        usage.contains(cost.trim_end_matches('0')),
        "{cost} in {usage}"
    );
    let said = sluice(&site, "reprice --since 1h");
    assert!(said.starts_with("0 of 2 records changed"), "{said}");
    sluice(&site, "prices delete house");
    sluice(&site, "discounts delete third");
}
