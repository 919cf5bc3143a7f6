//! Cost is shared out by tags that policy takes from labels of keys and claims of tokens, whatever clients say.

use std::{collections::BTreeMap, process::Command};

use harness::{
    binaries,
    client::Client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateIssuerRequest, CreateKeyRequest, GetUsageRecordRequest, Issuer as Trusted, Key,
};
use scenarios::{openai, tokens::Issuer};
use serde_json::json;

/// Runs the command line as an operator of the site; what it showed, or what it said where it failed.
fn sluice(site: &Site, line: &str) -> Result<String, String> {
    let mut command = Command::new(binaries::path("sluice"));
    command.args(line.split_whitespace()).env_clear();
    command.env("SLUICE_ORGANIZATION", "acme");
    command.env("SLUICE_OPERATOR_KEY", site.operator_key());
    let address = format!("http://{}", site.control_planes[0].admin);
    let ended = command.env("SLUICE_ADDRESS", address).output();
    let ended = ended.expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if ended.status.success() {
        Ok(text(&ended.stdout))
    } else {
        Err(text(&ended.stderr))
    }
}

/// The tags of the record of a request that said these tags.
async fn tagged(site: &Site, tenant: &Tenant, key: &str, said: &str) -> Vec<(String, String)> {
    let headers = [
        ("content-type", "application/json"),
        ("x-sluice-tags", said),
    ];
    let mut client = Client::connect(&site.url(0), key).await.expect("connects");
    let path = "/v1/chat/completions";
    let asked = client.request("POST", path, &headers, openai::whole("chat"));
    let reply = asked.await.expect("it answers");
    assert_eq!(reply.status, 200);
    let id = reply.headers["x-sluice-request-id"].to_str();
    let request = GetUsageRecordRequest {
        parent: tenant.organization.clone(),
        record_id: id.expect("it is text").to_owned(),
    };
    reply.bytes().await.expect("the answer arrives");
    let stored = || async {
        let record = site.admin().usage().get_usage_record(request.clone()).await;
        record.ok().map(|it| it.into_inner().tags)
    };
    let tags = wait::until("the record is stored", stored).await.0;
    let tags: BTreeMap<_, _> = tags.into_iter().collect();
    tags.into_iter().collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    of.iter().map(owned).collect()
}

#[tokio::test]
async fn tags_that_policy_pins_come_from_labels_and_claims_and_never_from_the_client() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let request = CreateKeyRequest {
        parent: tenant.project.clone(),
        key: Some(Key {
            labels: [("team".to_owned(), "search".to_owned())].into(),
            ..Key::default()
        }),
        ..Default::default()
    };
    let made = site.admin().keys().create_key(request).await;
    let key = made.expect("a key is made").into_inner().text;
    let issuer = Issuer::start().await;
    let request = CreateIssuerRequest {
        parent: tenant.organization.clone(),
        issuer_id: "corp".to_owned(),
        issuer: Some(Trusted {
            issuer_url: issuer.url(),
            audiences: vec!["sluice".to_owned()],
            project: tenant.project.clone(),
            ..Trusted::default()
        }),
        ..Default::default()
    };
    let made = site.admin().issuers().create_issuer(request).await;
    made.expect("an issuer is made");
    site.propagated().await;
    let mut claims = issuer.claims("ann");
    claims["department"] = json!("sales");
    let token = issuer.token(&claims);
    let said = "team=mine,unit=mine,env=prod";

    let all = pairs(&[("env", "prod"), ("team", "mine"), ("unit", "mine")]);
    assert_eq!(tagged(&site, &tenant, &key, said).await, all);
    assert_eq!(tagged(&site, &tenant, &token, said).await, all);

    let project = tenant.project.rsplit('/').next().expect("it has a name");
    let update = format!("projects update {project}");
    let pin = format!("{update} --tag-source team=label:team --tag-source unit=claim:department");
    sluice(&site, &pin).expect("policy pins two tags");
    site.propagated().await;
    let of_key = pairs(&[("env", "prod"), ("team", "search")]);
    assert_eq!(tagged(&site, &tenant, &key, said).await, of_key);
    // The same token: what policy says now counts, and not what it said when the token was proved.
    let of_token = pairs(&[("env", "prod"), ("unit", "sales")]);
    assert_eq!(tagged(&site, &tenant, &token, said).await, of_token);

    let twice = format!("{update} --tag-source team=label:a --tag-source team=label:b");
    let refused = sluice(&site, &twice).expect_err("a tag has one source");
    assert!(refused.contains("twice"), "{refused}");
    sluice(&site, &format!("{update} --no-tag-sources")).expect("policy pins none");
    site.propagated().await;
    assert_eq!(tagged(&site, &tenant, &key, said).await, all);
}

#[tokio::test]
async fn usage_is_summed_by_two_tags_that_the_organization_names_with_what_was_before() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    for said in [
        "team=red,feature=chat",
        "team=red,feature=",
        "team=red,feature=chat",
    ] {
        tagged(&site, &tenant, &key, said).await;
    }
    let by_two = "usage query --since 1d --group-by tag:team,tag:feature";
    let refused = sluice(&site, by_two).expect_err("they are no pair");
    assert!(refused.contains("tag_pairs"), "{refused}");
    let refused = sluice(&site, "organizations update acme --tag-pair team,team");
    let refused = refused.expect_err("that is one tag");
    assert!(refused.contains("tag_pairs"), "{refused}");

    let named = sluice(&site, "organizations update acme --tag-pair team,feature");
    named.expect("the pair is named");
    let listed = sluice(&site, "organizations get acme").expect("it is shown");
    assert!(listed.contains("feature,team"), "{listed}");
    tagged(&site, &tenant, &key, "feature=chat,team=blue").await;
    let shown = || async { sluice(&site, by_two).ok() };
    let shown = wait::until("what was before is added", shown).await.0;
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().take(3).collect())
        .collect();
    // Of the empty value nothing is shown.
    assert_eq!(rows.len(), 3, "{shown}");
    assert_eq!(rows[0], ["blue", "chat", "1"], "{shown}");
    assert_eq!(rows[1][..2], ["red", "1"], "{shown}");
    assert_eq!(rows[2], ["red", "chat", "2"], "{shown}");
    let only = format!("{by_two} --where tag:feature=chat --where tag:team=red");
    let only = sluice(&site, &only).expect("it is asked");
    assert_eq!(only.lines().count(), 2, "{only}");
    // The other way round it is the same pair.
    let turned = "usage query --since 1d --group-by tag:feature,tag:team";
    let turned = sluice(&site, turned).expect("it is asked");
    assert_eq!(turned.lines().count(), 4, "{turned}");
}
