//! What is to be seen to is told to people: once when it begins, whatever restarts, and once when it is over.

use harness::{
    client,
    provider::{Answer, Provider},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    AlertBudgetThreshold, AlertChannel, AlertRule, AlertState, Budget, BudgetEnd, BudgetPeriod,
    CreateAlertChannelRequest, CreateBudgetRequest, DeleteAlertChannelRequest,
    DeleteAlertRuleRequest, DeleteBudgetRequest, GetAlertChannelRequest, ListAuditEntriesRequest,
    ProviderKind, TestAlertChannelRequest, UpdateBudgetRequest,
};
use scenarios::{
    alerts::{self, ACME, SECRET, alerts, channel, receiver, rule, signed, webhook},
    openai,
};
use std::sync::atomic::{AtomicBool, Ordering};
use tonic::Code;

/// What a request costs, in millionths of a dollar: 11 tokens at 2.50 dollars a million and 7 at 10.
const MICRO: i64 = 97;

/// A site that looks often, with a model whose price is published, and a key for it.
async fn site(provider: &Provider) -> (Site, Tenant, String) {
    let plan = Plan {
        control_plane_settings: alerts::settings(),
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

async fn budget(site: &Site, micro_dollars: i64) {
    let request = CreateBudgetRequest {
        parent: ACME.to_owned(),
        budget_id: "team".to_owned(),
        budget: Some(Budget {
            owner: ACME.to_owned(),
            micro_dollars,
            period: BudgetPeriod::Lifetime.into(),
            thresholds: vec![50, 100],
            at_end: BudgetEnd::Watch.into(),
            ..Budget::default()
        }),
        ..Default::default()
    };
    let made = site.admin().budgets().create_budget(request).await;
    made.expect("a budget is made");
}

fn spending() -> AlertRule {
    AlertRule {
        budget_threshold: Some(AlertBudgetThreshold::default()),
        ..Default::default()
    }
}

async fn ask(site: &Site, key: &str) {
    let body = r#"{"model":"priced","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}"#;
    let path = "/v1/chat/completions";
    let reply = client::post(&site.url(0), key, path, body.to_owned()).await;
    assert_eq!(reply.status.as_u16(), 200);
    reply.bytes().await.expect("the answer arrives");
}

/// How many looks the control plane has finished since it started.
async fn looks(site: &Site) -> f64 {
    let ops = site.control_planes[0].ops;
    harness::site::metric(ops, "sluice_alert_look_total", "done").await
}

async fn looked_again(site: &Site) {
    let before = looks(site).await;
    wait::until("it was looked again", || async {
        (looks(site).await >= before + 2.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_threshold_that_is_crossed_is_told_once_and_signed_whatever_restarts() {
    let provider = Provider::start(openai::answer).await;
    let ops = receiver().await;
    let (mut site, _, key) = site(&provider).await;
    budget(&site, 4 * MICRO).await;
    channel(&site, "ops", webhook(&ops)).await;
    rule(&site, "spend", &["ops"], spending()).await;
    site.propagated().await;
    looked_again(&site).await;
    assert_eq!(ops.count(), 0);

    ask(&site, &key).await;
    ask(&site, &key).await;
    wait::until("a notice came", || async {
        (ops.count() > 0).then_some(())
    })
    .await;
    let (id, kind, data) = signed(&ops.asked()[0]);
    assert_eq!(ops.asked()[0].path, "/v1/notices");
    assert_eq!(kind, "alert.firing");
    assert_eq!(data["subject"], format!("{ACME}/budgets/team at 50%"));
    assert_eq!(data["rule"], format!("{ACME}/alertRules/spend"));
    let told = alerts(&site).await;
    assert_eq!(data["alert"], told[0].name);

    // Whoever starts again finds it told.
    site.control_planes[0].process.kill();
    site.revive_control_plane(0).await;
    looked_again(&site).await;
    assert_eq!(ops.count(), 1);
    let told = alerts(&site).await;
    assert_eq!((told.len(), told[0].state()), (1, AlertState::Firing));
    assert_eq!((told[0].delivered, told[0].waiting), (1, 0));

    // What is raised is not spent any more.
    let request = UpdateBudgetRequest {
        budget: Some(Budget {
            name: format!("{ACME}/budgets/team"),
            micro_dollars: 1_000_000,
            ..Budget::default()
        }),
        ..Default::default()
    };
    let raised = site.admin().budgets().update_budget(request).await;
    raised.expect("it is raised");
    wait::until("it is over", || async { (ops.count() > 1).then_some(()) }).await;
    let (other, kind, over) = signed(&ops.asked()[1]);
    assert_eq!(kind, "alert.resolved");
    assert_eq!(over["alert"], data["alert"]);
    assert_ne!(other, id);
    looked_again(&site).await;
    assert_eq!(ops.count(), 2);
    assert_eq!(alerts(&site).await[0].state(), AlertState::Resolved);
}

#[tokio::test]
async fn a_notice_that_does_not_arrive_goes_again_under_its_id() {
    static IS_WELL: AtomicBool = AtomicBool::new(false);
    let provider = Provider::start(openai::answer).await;
    let ops = Provider::start(|_| {
        let status = if IS_WELL.load(Ordering::SeqCst) {
            200
        } else {
            503
        };
        Answer::json(status, "")
    })
    .await;
    let (site, _, key) = site(&provider).await;
    budget(&site, MICRO).await;
    channel(&site, "ops", webhook(&ops)).await;
    rule(&site, "spend", &["ops"], spending()).await;
    site.propagated().await;
    ask(&site, &key).await;
    let fails = || async {
        let told = alerts(&site).await;
        let failed = told
            .iter()
            .all(|it| it.last_error.contains("503") && it.waiting == 1);
        (told.len() == 2 && failed).then_some(())
    };
    wait::until("both thresholds wait, and why is told", fails).await;
    IS_WELL.store(true, Ordering::SeqCst);
    wait::until("both arrived", || async {
        let told = alerts(&site).await;
        told.iter()
            .all(|it| it.delivered == 1 && it.waiting == 0)
            .then_some(())
    })
    .await;
    let mut ids: Vec<String> = ops.asked().iter().map(|it| signed(it).0).collect();
    assert!(ids.len() > 2, "some were tried again");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn a_secret_is_never_shown_and_what_is_needed_stays() {
    let ops = receiver().await;
    let plan = Plan {
        edges: Vec::new(),
        control_plane_settings: alerts::settings(),
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    Tenant::make(&site.admin(), "acme", "http://127.0.0.1:9").await;
    let made = channel(&site, "ops", webhook(&ops)).await;
    assert!(made.credential_set && made.credential.is_empty());
    let mut admin = site.admin().alerts();
    let name = made.name.clone();
    let request = GetAlertChannelRequest { name };
    let got = admin.get_alert_channel(request).await;
    assert_eq!(got.expect("it stands").into_inner(), made);
    let request = ListAuditEntriesRequest {
        parent: ACME.to_owned(),
        ..Default::default()
    };
    let audited = site.admin().audit().list_audit_entries(request).await;
    let audited = format!("{:?}", audited.expect("it answers").into_inner());
    assert!(audited.contains("CreateAlertChannel") && !audited.contains(SECRET));

    let name = made.name.clone();
    let tried = admin
        .test_alert_channel(TestAlertChannelRequest { name })
        .await;
    let tried = tried.expect("it is tried").into_inner();
    assert!(tried.delivered, "{}", tried.error);
    assert_eq!(signed(&ops.asked()[0]).1, "alert.test");

    budget(&site, 1_000).await;
    let watching = AlertRule {
        budget_threshold: Some(AlertBudgetThreshold {
            budget: format!("{ACME}/budgets/team"),
            thresholds: vec![80],
        }),
        ..Default::default()
    };
    let watching = rule(&site, "spend", &["ops"], watching).await;
    let request = DeleteAlertChannelRequest {
        name: made.name.clone(),
        ..Default::default()
    };
    let kept = admin.delete_alert_channel(request.clone()).await;
    assert_eq!(
        kept.expect_err("a rule tells it").code(),
        Code::FailedPrecondition
    );
    let of_budget = DeleteBudgetRequest {
        name: format!("{ACME}/budgets/team"),
        ..Default::default()
    };
    let kept = site.admin().budgets().delete_budget(of_budget).await;
    assert_eq!(
        kept.expect_err("it is watched").code(),
        Code::FailedPrecondition
    );
    let of_rule = DeleteAlertRuleRequest {
        name: watching.name,
        ..Default::default()
    };
    admin
        .delete_alert_rule(of_rule)
        .await
        .expect("it is deleted");
    admin
        .delete_alert_channel(request)
        .await
        .expect("it is deleted");
    refused(&site, &ops).await;
}

/// Without a secret, beyond this machine in plaintext, or with a user in it, a URL is refused.
async fn refused(site: &Site, ops: &Provider) {
    let mut admin = site.admin().alerts();
    for (url, credential) in [
        ("https://hooks.example/x", ""),
        ("http://hooks.example/x", SECRET),
        ("https://a:b@hooks.example/x", SECRET),
    ] {
        let request = CreateAlertChannelRequest {
            parent: ACME.to_owned(),
            alert_channel_id: "other".to_owned(),
            alert_channel: Some(AlertChannel {
                url: url.to_owned(),
                credential: credential.to_owned(),
                ..webhook(ops)
            }),
            ..Default::default()
        };
        let refused = admin.create_alert_channel(request).await;
        assert_eq!(refused.expect_err(url).code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_public_gets_nothing_unless_the_settings_say_so() {
    let ops = receiver().await;
    let plan = Plan {
        edges: Vec::new(),
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    Tenant::make(&site.admin(), "acme", "http://127.0.0.1:9").await;
    let made = channel(&site, "ops", webhook(&ops)).await;
    let request = TestAlertChannelRequest { name: made.name };
    let tried = site.admin().alerts().test_alert_channel(request).await;
    let tried = tried.expect("it is tried").into_inner();
    assert!(
        tried.error.contains("alerts.private_ranges"),
        "{}",
        tried.error
    );
    assert_eq!((tried.delivered, ops.count()), (false, 0));
}
