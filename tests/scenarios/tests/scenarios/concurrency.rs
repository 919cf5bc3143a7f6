//! Limits on concurrent requests, over real edges that share a Redis.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use harness::{
    client::{self, Client, Reply},
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{Limit, LimitMember, LimitOverride, LimitUnit, UpdateLimitRequest};
use scenarios::openai;
use tokio::{sync::Semaphore, task::JoinSet};

const PATH: &str = "/v1/chat/completions";

/// So many at once.
pub(crate) fn at_once(amount: i64) -> Limit {
    Limit {
        unit: LimitUnit::ConcurrentRequests.into(),
        amount,
        ..Limit::default()
    }
}

async fn two_edges(timeout_ms: &str) -> Site {
    let plan = Plan {
        edges: vec!["here"; 2],
        edge_settings: vec![("SLUICE_LIMITS__TIMEOUT_MS", timeout_ms.to_owned())],
        ..Plan::default()
    };
    Site::start(plan).await
}

/// A provider that begins an answer and never ends it.
pub(crate) async fn endless() -> Provider {
    Provider::start(|_| {
        let mut steps: Vec<Step> = openai::events(true)
            .into_iter()
            .take(3)
            .map(Step::Send)
            .collect();
        steps.push(Step::Never);
        Answer::events(steps)
    })
    .await
}

/// Asks for a stream of which something has come; `None` when it is refused.
pub(crate) async fn stream(site: &Site, edge: usize, key: &str) -> Option<(Client, Reply)> {
    let mut client = Client::connect(&site.url(edge), key).await.ok()?;
    let asked = client.post(PATH, openai::streamed("chat")).await;
    let mut reply = asked.expect("the edge answers");
    if reply.status != 200 {
        assert_eq!(reply.headers["x-sluice-code"], "concurrency_limit_exceeded");
        return None;
    }
    reply.next().await.expect("something comes").expect("whole");
    Some((client, reply))
}

#[tokio::test]
async fn as_many_are_under_way_at_the_provider_as_are_allowed_over_all_edges() {
    let (now, most) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let gate = Arc::new(Semaphore::new(0));
    let provider = {
        let (now, most, gate) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&gate));
        Provider::start(move |asked| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let mut answer = openai::answer(asked);
            let mut steps = vec![
                Step::Wait(Arc::clone(&gate)),
                Step::Count(Arc::clone(&now), -1),
            ];
            steps.append(&mut answer.steps);
            answer.steps = steps;
            answer
        })
        .await
    };
    let site = two_edges("5000").await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    tenant.limit_like("slots", at_once(10)).await;
    site.propagated().await;

    let mut asked = JoinSet::new();
    for at in 0..40 {
        let (url, key) = (site.url(at % 2), key.clone());
        asked.spawn(async move {
            let reply = client::post(&url, &key, PATH, openai::whole("chat")).await;
            let (status, headers) = (reply.status, reply.headers.clone());
            let body = reply.bytes().await.expect("it is whole");
            (status, headers, body)
        });
    }
    for _ in 0..30 {
        let (status, headers, body) = asked.join_next().await.expect("one").expect("it ends");
        assert_eq!(status, 429);
        assert_eq!(headers["x-sluice-code"], "concurrency_limit_exceeded");
        assert_eq!(headers["retry-after"], "1");
        let shown = r#""slots";q=10;qu="concurrent-requests""#;
        assert_eq!(headers["ratelimit-policy"], shown);
        let body = String::from_utf8_lossy(&body).into_owned();
        let said = "The limit `slots` on concurrent requests of the organization (10 at once)";
        assert!(body.contains(said), "{body}");
    }
    let ten = || async { (now.load(Ordering::SeqCst) == 10).then_some(()) };
    wait::until("ten are under way", ten).await;
    gate.add_permits(10);
    for (status, ..) in asked.join_all().await {
        assert_eq!(status, 200);
    }

    // Many that come and go all the time are never more than ten either, and use nearly all.
    gate.add_permits(1_000_000);
    let mut asking = JoinSet::new();
    for at in 0..24 {
        let (url, key) = (site.url(at % 2), key.clone());
        asking.spawn(async move {
            let mut served = 0;
            for _ in 0..40 {
                let reply = client::post(&url, &key, PATH, openai::whole("chat")).await;
                served += u64::from(reply.status == 200);
                let _body = reply.bytes().await;
            }
            served
        });
    }
    let served: u64 = asking.join_all().await.into_iter().sum();
    assert_eq!(most.load(Ordering::SeqCst), 10, "{served} were served");
    assert!(served >= 240, "{served} were served");
}

#[tokio::test]
async fn the_slots_of_an_edge_that_was_killed_are_free_within_their_term() {
    let provider = endless().await;
    let mut site = two_edges("5000").await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    tenant.limit_like("slots", at_once(2)).await;
    site.propagated().await;
    let _first = stream(&site, 0, &key).await.expect("there is room");
    let _second = stream(&site, 0, &key).await.expect("there is room");
    assert!(stream(&site, 1, &key).await.is_none());
    site.edges[0].process.kill();
    assert!(
        stream(&site, 1, &key).await.is_none(),
        "nobody can know yet"
    );
    let (_third, took) = wait::until("its slots are free", || stream(&site, 1, &key)).await;
    assert!(took < Duration::from_secs(17), "it took {took:?}");
    let _fourth = stream(&site, 1, &key).await.expect("both are free");
    assert!(stream(&site, 1, &key).await.is_none());
}

#[tokio::test]
async fn a_client_that_hangs_up_frees_its_slot_at_once_on_every_edge() {
    let provider = endless().await;
    let site = two_edges("5000").await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    tenant.limit_like("slots", at_once(1)).await;
    site.propagated().await;
    for round in 0..6 {
        let (here, there) = (round % 2, 1 - round % 2);
        let free = || stream(&site, here, &key);
        let one = wait::until("a slot is free", free).await.0;
        assert!(stream(&site, there, &key).await.is_none());
        drop(one);
        let free = || stream(&site, there, &key);
        let soon = Duration::from_secs(1);
        let other = wait::until_within(soon, "the slot is free", free).await;
        drop(other);
    }
}

#[tokio::test]
async fn each_key_has_slots_of_its_own_and_one_may_have_more() {
    let provider = endless().await;
    let site = two_edges("5000").await;
    let admin = site.admin();
    let tenant = Tenant::make(&admin, "acme", &provider.base_url()).await;
    let ((_, one), (vip_name, vip)) = (tenant.key().await, tenant.key().await);
    let each = Limit {
        scope: tenant.project.clone(),
        each: vec![LimitMember::Key.into()],
        overrides: vec![LimitOverride {
            key: vip_name,
            amount: 3,
            ..LimitOverride::default()
        }],
        ..at_once(1)
    };
    tenant.limit_like("each", each).await;
    site.propagated().await;
    let mut open = Vec::new();
    for (key, most) in [(&one, 1), (&vip, 3)] {
        for at in 0..6 {
            open.extend(stream(&site, at % 2, key).await);
        }
        assert_eq!(open.len(), most, "of this key");
        open.clear();
    }
    // A smaller number holds for those that come next.
    let name = format!("{}/limits/each", tenant.organization);
    let change = |limit: Limit| UpdateLimitRequest {
        limit: Some(Limit {
            name: name.clone(),
            ..limit
        }),
        ..UpdateLimitRequest::default()
    };
    let windowed = Limit {
        window: proto::admin::LimitWindow::Minute.into(),
        ..Limit::default()
    };
    let refused = admin.limits().update_limit(change(windowed)).await;
    let refused = refused.expect_err("there is no window");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
    let more = Limit {
        amount: 2,
        ..Limit::default()
    };
    let changed = admin.limits().update_limit(change(more)).await;
    assert_eq!(changed.expect("it can change").into_inner().amount, 2);
    site.propagated().await;
    let free = || async {
        let first = stream(&site, 0, &one).await?;
        Some((first, stream(&site, 1, &one).await?))
    };
    let _both = wait::until("both are free", free).await;
    assert!(stream(&site, 0, &one).await.is_none());
}
