//! A client that hangs up costs the provider nothing more, and is accounted for.

use std::time::{Duration, Instant};

use harness::{
    client::Client,
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use scenarios::openai;
use sqlx::Row;

#[tokio::test]
async fn hanging_up_closes_the_provider_within_100_ms_and_is_recorded() {
    let provider = Provider::start(|_| {
        let mut steps: Vec<Step> = openai::events(true)
            .into_iter()
            .take(3)
            .map(Step::Send)
            .collect();
        steps.push(Step::Never);
        Answer::events(steps)
    })
    .await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;

    for round in 0..5 {
        let mut client = Client::connect(&site.url(0), &key)
            .await
            .expect("the edge accepts");
        let asked = client
            .post("/v1/chat/completions", openai::streamed("chat"))
            .await;
        let mut reply = asked.expect("the edge answers");
        reply
            .next()
            .await
            .expect("something comes")
            .expect("it is whole");
        let since = Instant::now();
        drop(reply);
        drop(client);
        let mut abandoned = provider.asked()[round].abandoned.clone();
        let closed = abandoned.wait_for(Option::is_some);
        let closed = tokio::time::timeout(wait::PATIENCE, closed).await;
        let at = closed
            .expect("the provider is let go")
            .expect("it watches")
            .expect("it is some");
        let took = at.saturating_duration_since(since);
        assert!(
            took < Duration::from_millis(100),
            "round {round} took {took:?}"
        );
    }

    let mut database = site.database.connect().await;
    let recorded = wait::until("the usage is recorded", async || {
        let rows = sqlx::query("select outcome, usage_source, output_tokens from usage_record")
            .fetch_all(&mut database)
            .await
            .expect("Postgres answers");
        (rows.len() == 5).then_some(rows)
    });
    for row in recorded.await.0 {
        assert_eq!(row.get::<i16, _>("outcome"), 2, "the client was gone");
        assert_eq!(
            row.get::<i16, _>("usage_source"),
            3,
            "the count is what had passed"
        );
        assert!(
            row.get::<i64, _>("output_tokens") > 0,
            "what had passed is not free"
        );
    }
}
