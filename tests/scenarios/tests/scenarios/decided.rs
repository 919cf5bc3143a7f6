//! A record tells why its request went where it went: what chose the version, and what kept each target from its place, in the words
//! in which routes are explained for the same moment.

use std::sync::{Arc, atomic::AtomicBool};

use harness::{
    client::{self, Reply},
    provider::{Answer, Provider},
    site::Site,
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateKeyRequest, ExportUsageRequest, GetUsageRecordRequest, Key, Model, ModelRule,
    RegionRoute, UpdateModelRequest, UsageDecision, UsageRecord,
};
use scenarios::openai;

use crate::routes::{ailing, ask, explained, two_targets};

/// The record of the request that was answered so.
async fn record(site: &Site, tenant: &Tenant, reply: Reply) -> UsageRecord {
    let id = reply.headers["x-sluice-request-id"].to_str();
    let request = GetUsageRecordRequest {
        parent: tenant.organization.clone(),
        record_id: id.expect("it is text").to_owned(),
    };
    reply.bytes().await.expect("the answer arrives");
    let stored = || async {
        let record = site.admin().usage().get_usage_record(request.clone()).await;
        record.ok().map(tonic::Response::into_inner)
    };
    wait::until("the record is stored", stored).await.0
}

/// Each target's provider, place and rules, and whether its turn came.
fn told(record: &UsageRecord) -> Vec<(&str, i32, Vec<&str>, bool)> {
    let decision = record.decision.as_ref().expect("it is told");
    let target = decision.targets.iter().map(|it| {
        let provider = it.provider.rsplit('/').next().unwrap_or("");
        let rules = it.notes.iter().map(|it| it.rule.as_str()).collect();
        (provider, it.place, rules, it.reached)
    });
    target.collect()
}

/// Fails where a record and an edge that is asked at that moment do not say the same of every target.
fn agree(record: &UsageRecord, region: &RegionRoute) {
    let decision = record.decision.as_ref().expect("it is told");
    let recorded = decision.targets.iter().map(|it| {
        let rules = it.notes.iter().map(|it| it.rule.clone());
        let lasts = it.notes.iter().map(|it| it.lasts_ms > 0);
        let notes: Vec<_> = rules.zip(lasts).collect();
        (
            it.provider.clone(),
            it.provider_model.clone(),
            it.place,
            notes,
        )
    });
    let explained = region.targets.iter().map(|it| {
        let word = |name: &str| {
            let word = name.trim_start_matches("ROUTE_RULE_").to_lowercase();
            word.replace('_', "-")
        };
        let notes = it.notes.iter();
        let notes = notes.map(|it| (word(it.rule().as_str_name()), it.lasts.is_some()));
        let notes: Vec<_> = notes.collect();
        (
            it.provider.clone(),
            it.provider_model.clone(),
            it.place,
            notes,
        )
    });
    assert_eq!(
        recorded.collect::<Vec<_>>(),
        explained.collect::<Vec<_>>(),
        "the record and the explanation"
    );
}

#[tokio::test]
async fn a_record_tells_of_targets_that_failed_or_were_set_aside_or_left_out_what_explain_says() {
    let ill = Arc::new(AtomicBool::new(true));
    let (main, other) = (ailing(&ill).await, Provider::start(openai::answer).await);
    let (site, tenant) = two_targets(&main, &other, 60_000).await;
    let (name, key) = tenant.key().await;
    site.propagated().await;

    // Its first target fails: nothing had been known against it, and its turn came.
    let failed = record(&site, &tenant, ask(&site, &key).await).await;
    let expected = [("main", 1, vec![], true), ("other", 2, vec![], true)];
    assert_eq!(told(&failed), expected);
    let decision = failed.decision.clone().expect("it is told");
    assert_eq!((decision.chosen_by.as_str(), decision.rule), ("release", 0));
    assert_eq!(decision.balance, "weighted");
    let attempts = failed.attempts.iter();
    let attempts: Vec<_> = attempts.map(|it| (&*it.code, it.status)).collect();
    assert_eq!(attempts, [("upstream_error", 500)]);

    // What has failed too often is asked last, and then not at all.
    for _ in 0..4 {
        assert_eq!(ask(&site, &key).await.status, 200, "the other one answers");
    }
    let said = explained(&site, &tenant, &name).await;
    let aside = record(&site, &tenant, ask(&site, &key).await).await;
    let expected = [
        ("other", 1, vec![], true),
        ("main", 2, vec!["set-aside"], false),
    ];
    assert_eq!(told(&aside), expected);
    agree(&aside, &said);
    assert!(aside.attempts.is_empty(), "{aside:?}");

    // Of a key that may not use one of them.
    let held = Key {
        providers: vec![format!("{}/providers/other", tenant.organization)],
        ..Key::default()
    };
    let request = CreateKeyRequest {
        parent: tenant.project.clone(),
        key: Some(held),
        ..CreateKeyRequest::default()
    };
    let made = site.admin().keys().create_key(request).await;
    let made = made.expect("a key is made").into_inner();
    site.propagated().await;
    let name = made.key.expect("it is told").name;
    let said = explained(&site, &tenant, &name).await;
    let held = record(&site, &tenant, ask(&site, &made.text).await).await;
    let expected = [("other", 1, vec![], true), ("main", 0, vec!["key"], false)];
    assert_eq!(told(&held), expected);
    agree(&held, &said);

    // An export tells the same.
    let request = ExportUsageRequest {
        parent: tenant.organization.clone(),
        ..ExportUsageRequest::default()
    };
    let exported = || async {
        let parts = site.admin().usage().export_usage(request.clone()).await;
        let mut parts = parts.expect("it begins").into_inner();
        let mut found = None;
        while let Some(part) = parts.message().await.expect("it goes on") {
            found = found.or(part.records.into_iter().find(|it| it.id == held.id));
        }
        found
    };
    let found = wait::until("it is counted", exported).await.0;
    assert_eq!(found.decision, held.decision);
}

#[tokio::test]
async fn a_record_tells_of_a_provider_that_wanted_nothing_and_of_the_rule_that_chose_the_version() {
    let parks = Provider::start(|_| {
        let mut answer = Answer::json(429, r#"{"error":{"message":"later"}}"#);
        answer.headers.push(("retry-after", "40".to_owned()));
        answer
    });
    let (main, other) = (parks.await, Provider::start(openai::answer).await);
    let (site, tenant) = two_targets(&main, &other, 60_000).await;
    let (name, key) = tenant.key().await;
    site.propagated().await;
    assert_eq!(ask(&site, &key).await.status, 200, "the other one answers");
    let said = explained(&site, &tenant, &name).await;
    let parked = record(&site, &tenant, ask(&site, &key).await).await;
    let expected = [
        ("main", 1, vec!["parked"], true),
        ("other", 2, vec![], true),
    ];
    assert_eq!(told(&parked), expected);
    agree(&parked, &said);
    assert_eq!(main.count(), 1, "it was not asked again");
    let [attempt] = &parked.attempts[..] else {
        panic!("it was passed over: {parked:?}")
    };
    assert_eq!(
        (attempt.code.as_str(), attempt.tokens),
        ("provider_busy", 0)
    );

    let model = format!("{}/models/chat", tenant.organization);
    let rule = |condition: &str| ModelRule {
        condition: condition.to_owned(),
        version: format!("{model}/versions/v1"),
    };
    let request = UpdateModelRequest {
        model: Some(Model {
            name: model.clone(),
            rules: vec![rule("stream"), rule("headers['x-team'] == 'red'")],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site.admin().models().update_model(request).await;
    made.expect("the model has rules");
    site.propagated().await;
    let headers = [("content-type", "application/json"), ("x-team", "red")];
    let client = client::Client::connect(&site.url(0), &key).await;
    let mut client = client.expect("it connects");
    let path = "/v1/chat/completions";
    let reply = client.request("POST", path, &headers, openai::whole("chat"));
    let ruled = record(&site, &tenant, reply.await.expect("it is answered")).await;
    // Of its one target nothing is to be told.
    let expected = UsageDecision {
        chosen_by: "rule".to_owned(),
        rule: 2,
        ..UsageDecision::default()
    };
    assert_eq!(ruled.decision, Some(expected));
}
