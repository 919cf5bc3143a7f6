//! Where a provider takes no more: whose requests go first is an operator's word, and every core of an edge keeps to it.

use std::sync::Arc;

use harness::{
    client,
    provider::{Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait::until,
};
use proto::admin::{
    CreateKeyRequest, CreateProjectRequest, Key, Project, TrafficClass, UpdateProjectRequest,
};
use scenarios::openai;
use tokio::sync::Semaphore;

const PATH: &str = "/v1/chat/completions";
const JSON: (&str, &str) = ("content-type", "application/json");

fn body(who: &str) -> String {
    format!(r#"{{"model":"chat","messages":[{{"role":"user","content":"{who}"}}]}}"#)
}

#[tokio::test]
async fn the_class_of_a_project_says_who_goes_next_and_a_client_may_only_lower_it() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let provider = Provider::start(move |asked| {
        let mut answer = openai::answer(asked);
        answer.steps.insert(0, Step::Wait(Arc::clone(&held)));
        answer
    })
    .await;
    let plan = Plan {
        edge_settings: vec![
            ("SLUICE_SHAPING__UNDER_WAY_MAX", "1".to_owned()),
            ("SLUICE_SHAPING__WAIT_MS_MAX", "30000".to_owned()),
            ("SLUICE_INFERENCE__THREADS", "2".to_owned()),
        ],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let admin = site.admin();
    let tenant = Tenant::make(&admin, "acme", &provider.base_url()).await;
    let (_, web) = tenant.key().await;
    // One project is made in a class, the other one is put into one.
    let nightly = CreateProjectRequest {
        parent: tenant.organization.clone(),
        project_id: "nightly".to_owned(),
        project: Some(Project {
            traffic_class: TrafficClass::Batch.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let nightly = admin.projects().create_project(nightly).await;
    let nightly = nightly.expect("a project is made").into_inner();
    assert_eq!(
        (nightly.traffic_class(), nightly.traffic_share),
        (TrafficClass::Batch, 1)
    );
    let request = CreateKeyRequest {
        parent: nightly.name,
        key: Some(Key::default()),
        ..Default::default()
    };
    let nightly = admin.keys().create_key(request).await;
    let nightly = nightly.expect("a key is made").into_inner().text;
    let critical = UpdateProjectRequest {
        project: Some(Project {
            name: tenant.project.clone(),
            traffic_class: TrafficClass::Critical.into(),
            traffic_share: 3,
            ..Default::default()
        }),
        ..Default::default()
    };
    let updated = admin.projects().update_project(critical).await;
    let updated = updated.expect("a project is changed").into_inner();
    assert_eq!(
        (updated.traffic_class(), updated.traffic_share),
        (TrafficClass::Critical, 3)
    );
    site.propagated().await;

    let ask = |key: &str, who: &'static str, class: Option<&'static str>| {
        let (url, key) = (site.url(0), key.to_owned());
        tokio::spawn(async move {
            let mut client = client::Client::connect(&url, &key)
                .await
                .expect("it connects");
            let headers: Vec<_> = class
                .map(|class| ("x-sluice-priority", class))
                .into_iter()
                .collect();
            let headers = [&[JSON], &*headers].concat();
            let reply = client.request("POST", PATH, &headers, body(who)).await;
            let reply = reply.expect("it is answered");
            let status = reply.status.as_u16();
            reply.bytes().await.expect("it is whole");
            status
        })
    };
    let waiting = async |class: &str, number: u64| {
        let labels = format!(r#"class="{class}""#);
        let is_there = async || {
            let waiting = site.count(0, "sluice_shaping_waited_total", &labels).await;
            (waiting == number).then_some(())
        };
        until("it waits", is_there).await;
    };
    let first = ask(&web, "first", None);
    until("the first is under way", async || {
        (provider.count() == 1).then_some(())
    })
    .await;
    // A client cannot raise itself out of its project's class, and can lower itself.
    let raised = ask(&nightly, "nightly", Some("critical"));
    waiting("batch", 1).await;
    let lowered = ask(&web, "lowered", Some("standard"));
    waiting("standard", 1).await;
    let urgent = ask(&web, "urgent", None);
    waiting("critical", 1).await;
    for asked in [first, urgent, lowered, raised] {
        gate.add_permits(1);
        assert_eq!(asked.await.expect("it ends"), 200);
    }
    let order: Vec<_> = provider.asked().iter().map(|it| it.body.clone()).collect();
    let at = |who: &str| {
        let found = order
            .iter()
            .position(|body| body.windows(who.len()).any(|it| it == who.as_bytes()));
        found.expect("the provider got it")
    };
    assert_eq!(
        [at("first"), at("urgent"), at("lowered"), at("nightly")],
        [0, 1, 2, 3]
    );

    let odd = UpdateProjectRequest {
        project: Some(Project {
            name: tenant.project,
            traffic_share: 1_001,
            ..Default::default()
        }),
        ..Default::default()
    };
    let refused = admin.projects().update_project(odd).await;
    let refused = refused.expect_err("it is too much");
    assert!(refused.message().contains("traffic_share"), "{refused}");
}
