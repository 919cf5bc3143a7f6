//! Where a provider takes no more: whose requests go first is an operator's word, and every core of an edge keeps to it.

use std::sync::Arc;

use harness::{
    admin::Admin,
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
use tokio::{sync::Semaphore, task::JoinHandle};

const PATH: &str = "/v1/chat/completions";
const JSON: (&str, &str) = ("content-type", "application/json");

fn body(who: &str) -> String {
    format!(r#"{{"model":"chat","messages":[{{"role":"user","content":"{who}"}}]}}"#)
}

/// A provider that answers each request when the gate lets it.
async fn held(gate: &Arc<Semaphore>) -> Provider {
    let gate = Arc::clone(gate);
    Provider::start(move |asked| {
        let mut answer = openai::answer(asked);
        answer.steps.insert(0, Step::Wait(Arc::clone(&gate)));
        answer
    })
    .await
}

/// Makes the project `nightly` in the lowest class; gives a key of it.
async fn nightly(admin: &Admin, tenant: &Tenant) -> String {
    let request = CreateProjectRequest {
        parent: tenant.organization.clone(),
        project_id: "nightly".to_owned(),
        project: Some(Project {
            traffic_class: TrafficClass::Batch.into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = admin.projects().create_project(request).await;
    let made = made.expect("a project is made").into_inner();
    let traffic = (made.traffic_class(), made.traffic_share);
    assert_eq!(traffic, (TrafficClass::Batch, 1));
    let request = CreateKeyRequest {
        parent: made.name,
        key: Some(Key::default()),
        ..Default::default()
    };
    let key = admin.keys().create_key(request).await;
    key.expect("a key is made").into_inner().text
}

/// Puts the tenant's own project in the highest class.
async fn raise(admin: &Admin, tenant: &Tenant) {
    let request = |traffic_share| UpdateProjectRequest {
        project: Some(Project {
            name: tenant.project.clone(),
            traffic_class: TrafficClass::Critical.into(),
            traffic_share,
            ..Default::default()
        }),
        ..Default::default()
    };
    let raised = admin.projects().update_project(request(3)).await;
    let raised = raised.expect("a project is changed").into_inner();
    let traffic = (raised.traffic_class(), raised.traffic_share);
    assert_eq!(traffic, (TrafficClass::Critical, 3));
    let refused = admin.projects().update_project(request(1_001)).await;
    let refused = refused.expect_err("it is too much");
    assert!(refused.message().contains("traffic_share"), "{refused}");
}

/// Asks for this, in this class where one is named; ends with the status.
fn ask(site: &Site, key: &str, who: &'static str, class: Option<&'static str>) -> JoinHandle<u16> {
    let (url, key) = (site.url(0), key.to_owned());
    tokio::spawn(async move {
        let client = client::Client::connect(&url, &key).await;
        let mut client = client.expect("it connects");
        let class = class.map(|class| ("x-sluice-priority", class));
        let headers: Vec<_> = [JSON].into_iter().chain(class).collect();
        let reply = client.request("POST", PATH, &headers, body(who)).await;
        let reply = reply.expect("it is answered");
        let status = reply.status.as_u16();
        reply.bytes().await.expect("it is whole");
        status
    })
}

async fn one_waits(site: &Site, class: &str) {
    let labels = format!(r#"class="{class}""#);
    let is_there = async || {
        let waiting = site.count(0, "sluice_shaping_waited_total", &labels).await;
        (waiting == 1).then_some(())
    };
    until("it waits", is_there).await;
}

#[tokio::test]
async fn the_class_of_a_project_says_who_goes_next_and_a_client_may_only_lower_it() {
    let gate = Arc::new(Semaphore::new(0));
    let provider = held(&gate).await;
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
    let nightly = nightly(&admin, &tenant).await;
    raise(&admin, &tenant).await;
    site.propagated().await;

    let first = ask(&site, &web, "first", None);
    let under_way = async || (provider.count() == 1).then_some(());
    until("the first is under way", under_way).await;
    // A client cannot raise itself out of its project's class, and can lower itself.
    let raised = ask(&site, &nightly, "nightly", Some("critical"));
    one_waits(&site, "batch").await;
    let lowered = ask(&site, &web, "lowered", Some("standard"));
    one_waits(&site, "standard").await;
    let urgent = ask(&site, &web, "urgent", None);
    one_waits(&site, "critical").await;
    for asked in [first, urgent, lowered, raised] {
        gate.add_permits(1);
        assert_eq!(asked.await.expect("it ends"), 200);
    }
    let asked = provider.asked();
    let order = asked.iter().map(|it| String::from_utf8_lossy(&it.body));
    for (body, who) in order.zip(["first", "urgent", "lowered", "nightly"]) {
        assert!(body.contains(who), "{body}, and not {who}");
    }
}
