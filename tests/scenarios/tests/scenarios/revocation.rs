//! What an operator decides holds on every edge, soon.

use std::time::{Duration, Instant};

use harness::{
    client,
    client::Client,
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::RevokeKeyRequest;
use scenarios::openai;
use sqlx::Row;

async fn status(site: &Site, edge: usize, key: &str) -> u16 {
    let url = site.url(edge);
    let reply = client::post(&url, key, "/v1/chat/completions", openai::whole("chat")).await;
    reply.status.as_u16()
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_both_edges_within_a_second() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        control_planes: 2,
        edges: vec!["here", "there"],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin_of(0), "acme", &provider.base_url()).await;
    let (_, other) = tenant.key().await;
    for replica in [0, 1] {
        let (name, key) = tenant.key().await;
        site.propagated().await;
        for edge in 0..2 {
            assert_eq!(status(&site, edge, &key).await, 200);
        }
        let request = RevokeKeyRequest {
            name,
            ..Default::default()
        };
        let since = Instant::now();
        site.admin_of(replica)
            .keys()
            .revoke_key(request)
            .await
            .expect("the key is revoked");
        for edge in 0..2 {
            let refused = || async { (status(&site, edge, &key).await == 401).then_some(()) };
            wait::until("the revoked key is refused", refused).await;
        }
        assert!(
            since.elapsed() < Duration::from_secs(1),
            "it took {:?}",
            since.elapsed()
        );
        assert_eq!(
            status(&site, 0, &other).await,
            200,
            "another key still works"
        );
    }
}

#[tokio::test]
async fn a_new_project_with_a_new_key_works_everywhere_once_propagated() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        control_planes: 2,
        edges: vec!["here", "there"],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    for round in 0..5 {
        let admin = site.admin_of(round % 2);
        let tenant = Tenant::make(&admin, &format!("acme-{round}"), &provider.base_url()).await;
        let (_, key) = tenant.key().await;
        site.propagated().await;
        for edge in 0..2 {
            assert_eq!(
                status(&site, edge, &key).await,
                200,
                "round {round}, edge {edge}"
            );
        }
    }
}

#[tokio::test]
async fn a_revocation_that_asks_for_it_cuts_streams_and_the_record_says_so() {
    let provider = Provider::start(|_| {
        let words = openai::events(false).into_iter().take(3);
        let steps = words.map(Step::Send).chain([Step::Never]);
        Answer::events(steps.collect())
    })
    .await;
    let plan = Plan {
        control_planes: 2,
        edges: vec!["here", "there"],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (name, key) = tenant.key().await;
    site.propagated().await;
    let anthropic = r#"{"model":"chat","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    let asked = [
        (0, "/v1/chat/completions", openai::streamed("chat")),
        (1, "/v1/messages", anthropic.to_owned()),
    ];
    let mut streams = Vec::new();
    for (edge, path, body) in asked {
        let client = Client::connect(&site.url(edge), &key).await;
        let mut client = client.expect("the edge accepts");
        let mut reply = client.post(path, body).await.expect("the edge answers");
        let mut text = Vec::new();
        while !String::from_utf8_lossy(&text).contains(openai::WORDS[1]) {
            let piece = reply.next().await.expect("more comes");
            text.extend(piece.expect("it is whole"));
        }
        streams.push((client, reply));
    }
    // Without that it stays: the second revocation is what cuts.
    let revoke = |cut_streams| RevokeKeyRequest {
        name: name.clone(),
        cut_streams,
        ..Default::default()
    };
    let mut keys = site.admin_of(1).keys();
    let only = keys.revoke_key(revoke(false)).await;
    assert!(!only.expect("the key is revoked").into_inner().cut_streams);
    for edge in 0..2 {
        // Not by asking a model: that would be a third record.
        let refused = || async {
            let reply = client::get(&site.url(edge), &key, "/v1/models").await;
            (reply.status == 401).then_some(())
        };
        wait::until("the revoked key is refused", refused).await;
    }
    let since = Instant::now();
    let cut = keys.revoke_key(revoke(true)).await;
    assert!(cut.expect("its streams are cut").into_inner().cut_streams);
    for ((_client, reply), mark) in streams
        .into_iter()
        .zip(["data: {\"error\"", "event: error"])
    {
        let rest = reply.bytes().await.expect("the stream ends as one");
        let rest = String::from_utf8_lossy(&rest);
        assert_eq!(rest.matches(mark).count(), 1, "{rest}");
        assert!(rest.contains("The key was revoked"), "{rest}");
    }
    let took = since.elapsed();
    assert!(took < Duration::from_secs(1), "it took {took:?}");
    assert_recorded_as_cut(&site).await;
}

/// Both streams stand in the ledger as cut, with what had passed.
async fn assert_recorded_as_cut(site: &Site) {
    let mut database = site.database.connect().await;
    let recorded = wait::until("the usage is recorded", async || {
        let rows = sqlx::query("SELECT outcome, status, output_tokens FROM usage_record");
        let rows = rows.fetch_all(&mut database).await.expect("it is read");
        (rows.len() == 2).then_some(rows)
    });
    for row in recorded.await.0 {
        assert_eq!((row.get::<i16, _>(0), row.get::<i32, _>(1)), (4, 200));
        assert!(row.get::<i64, _>(2) > 0, "what had passed is not free");
    }
}
