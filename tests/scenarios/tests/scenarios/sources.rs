//! A model follows an alias of a real registry of MLflow: each version becomes one version, once, whatever dies meanwhile, and is
//! rolled out where that is asked.

use std::time::Duration;

use harness::{
    mlflow::Mlflow,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    GetRolloutRequest, GetVersionSourceRequest, ListAuditEntriesRequest, ListModelVersionsRequest,
    ListRolloutsRequest, ModelVersion, Rollout, RolloutState, SourceStatus,
};
use scenarios::openai;

use crate::command_line::Shell;

const PATIENCE: Duration = Duration::from_mins(1);
const MODEL: &str = "organizations/acme/models/chat";

/// An installation that may ask registries on this machine, with the model `chat`.
pub(crate) async fn site(control_planes: usize, edges: Vec<&'static str>) -> (Site, Provider) {
    let provider = Provider::start(openai::answer).await;
    let ranges = "[\"127.0.0.0/8\"]".to_owned();
    let site = Site::start(Plan {
        control_planes,
        edges,
        control_plane_settings: vec![("SLUICE_SOURCES__PRIVATE_RANGES", ranges)],
        ..Plan::default()
    })
    .await;
    Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    (site, provider)
}

/// What is known of a source once that is so.
pub(crate) async fn known(
    site: &Site,
    id: &str,
    what: &str,
    so: impl Fn(&SourceStatus) -> bool,
) -> SourceStatus {
    let request = GetVersionSourceRequest {
        name: format!("organizations/acme/versionSources/{id}"),
    };
    let asked = async || {
        let got = site
            .admin()
            .sources()
            .get_version_source(request.clone())
            .await;
        let status = got.ok()?.into_inner().status?;
        so(&status).then_some(status)
    };
    wait::until_within(PATIENCE, what, asked).await.0
}

/// The versions of `chat`, by their own names.
pub(crate) async fn versions(site: &Site) -> Vec<(String, ModelVersion)> {
    let request = ListModelVersionsRequest {
        parent: MODEL.to_owned(),
        ..Default::default()
    };
    let listed = site.admin().versions().list_model_versions(request).await;
    let listed = listed.expect("versions are told").into_inner();
    let own = |it: ModelVersion| {
        let name = it.name.rsplit('/').next().unwrap_or_default().to_owned();
        (name, it)
    };
    listed.model_versions.into_iter().map(own).collect()
}

async fn names(site: &Site) -> Vec<String> {
    let versions = versions(site).await;
    versions.into_iter().map(|(name, _)| name).collect()
}

async fn rollouts(site: &Site) -> Vec<Rollout> {
    let request = ListRolloutsRequest {
        parent: MODEL.to_owned(),
        ..Default::default()
    };
    let listed = site.admin().rollouts().list_rollouts(request).await;
    listed.expect("rollouts are told").into_inner().rollouts
}

fn follow(mlflow: &Mlflow, more: &str) -> String {
    let url = mlflow.url();
    format!(
        "sources create champion --kind mlflow --url {url} --registered-model fraud --alias champion --every 1s \
         --model chat --target main={{tag.served_as}} --label team=risk {more}"
    )
}

fn at(version: &str) -> impl Fn(&SourceStatus) -> bool {
    let ending = format!("/versions/{version}");
    move |it| it.model_version.ends_with(&ending)
}

/// How many entries of the audit trail say that this version was made.
async fn made(site: &Site, version: &str) -> usize {
    let request = ListAuditEntriesRequest {
        parent: "organizations/acme".to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    let listed = site.admin().audit().list_audit_entries(request).await;
    let entries = listed
        .expect("the trail is told")
        .into_inner()
        .audit_entries;
    let says = |text: &str| {
        text.contains("CreateModelVersion")
            && text.contains("\"control-plane\"")
            && text.contains(&format!("/versions/{version}\""))
    };
    entries.iter().filter(|it| says(&it.entry)).count()
}

#[tokio::test]
async fn each_version_of_a_registry_becomes_one_whatever_dies_meanwhile() {
    let (mut site, _provider) = site(2, Vec::new()).await;
    let mlflow = Mlflow::start(site.folder()).await;
    mlflow.model("fraud").await;
    let (first, run) = mlflow.version("fraud", &[("served_as", "blue")]).await;
    mlflow.alias("fraud", "champion", &first).await;
    let shell = Shell::new(&site);
    shell.done(&follow(&mlflow, ""));
    let status = known(&site, "champion", "a version is made", at("champion-1")).await;
    assert_eq!(
        (status.registry_version.as_str(), status.problem.as_str()),
        ("1", "")
    );
    assert!(!status.owes_rollout);
    let all = versions(&site).await;
    let (_, made_of_it) = all
        .iter()
        .find(|it| it.0 == "champion-1")
        .expect("it stands");
    assert_eq!(made_of_it.targets[0].provider_model, "blue");
    let provenance = &made_of_it.provenance;
    for (name, value) in [
        ("source", "organizations/acme/versionSources/champion"),
        ("registry", mlflow.url().as_str()),
        ("registered_model", "fraud"),
        ("registry_version", "1"),
        ("run_id", &run),
        ("team", "risk"),
    ] {
        assert_eq!(
            provenance.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    assert_eq!(provenance["digest"].len(), 64);
    assert!(provenance["artifact"].starts_with("mlflow-artifacts:/"));

    // Whichever replica is at it, and whenever it dies: each becomes one.
    for (at_replica, number) in [(0, "2"), (1, "3"), (0, "4")] {
        let (version, _) = mlflow.version("fraud", &[("served_as", "green")]).await;
        assert_eq!(version, number);
        mlflow.alias("fraud", "champion", &version).await;
        site.restart_control_plane(at_replica).await;
        let name = format!("champion-{number}");
        known(&site, "champion", "another one is made", at(&name)).await;
    }
    let expected = ["champion-1", "champion-2", "champion-3", "champion-4", "v1"];
    assert_eq!(names(&site).await, expected);
    for name in &expected[..4] {
        assert_eq!(made(&site, name).await, 1, "{name}");
    }
    // What lacks the tag that names it becomes nothing, and the source says why.
    let (untagged, _) = mlflow.version("fraud", &[]).await;
    mlflow.alias("fraud", "champion", &untagged).await;
    let told = |it: &SourceStatus| it.problem.contains("no tag `served_as`");
    known(&site, "champion", "it says which tag is missing", told).await;
    // Back at what was seen before, nothing is made.
    mlflow.alias("fraud", "champion", "2").await;
    known(&site, "champion", "it points back", at("champion-2")).await;
    assert_eq!(names(&site).await, expected);
    assert!(rollouts(&site).await.is_empty(), "none was asked for");
}

#[tokio::test]
async fn what_a_registry_points_at_is_rolled_out_one_after_the_other() {
    let (site, _provider) = site(1, Vec::new()).await;
    let mut mlflow = Mlflow::start(site.folder()).await;
    mlflow.model("fraud").await;
    let shell = Shell::new(&site);
    shell.done(&follow(&mlflow, "--step 50%:approve --sticky request"));
    let told = |it: &SourceStatus| it.problem.contains("no alias `champion` of `fraud`");
    known(&site, "champion", "it says that there is no alias", told).await;

    for number in ["1", "2"] {
        let (version, _) = mlflow.version("fraud", &[("served_as", number)]).await;
        mlflow.alias("fraud", "champion", &version).await;
        let name = format!("champion-{number}");
        known(&site, "champion", "a version is made", at(&name)).await;
    }
    // The first is under way, so the second waits for its end.
    let waits =
        |it: &SourceStatus| it.owes_rollout && it.rollout_waits_for.contains("rollout under way");
    known(
        &site,
        "champion",
        "it says what the rollout waits for",
        waits,
    )
    .await;
    let under_way = rollouts(&site).await;
    assert_eq!(under_way.len(), 1);
    assert!(under_way[0].candidate_version.ends_with("/champion-1"));

    // While rollouts are frozen none starts, and the source says so.
    shell.done("freezes create fair --start 0s --end 2h --reason inventory");
    shell.done("rollouts abort chat");
    let frozen = |it: &SourceStatus| it.rollout_waits_for.contains("inventory");
    known(
        &site,
        "champion",
        "it says that rollouts are frozen",
        frozen,
    )
    .await;
    shell.done("freezes delete fair");
    let started = |it: &SourceStatus| !it.owes_rollout && it.last_rollout.ends_with("/r2");
    known(&site, "champion", "the second is rolled out", started).await;
    shell.done("rollouts promote chat");

    // The alias goes back: so does the traffic, by a rollout to what stands already.
    mlflow.alias("fraud", "champion", "1").await;
    let back = |it: &SourceStatus| at("champion-1")(it) && it.last_rollout.ends_with("/r3");
    let status = known(&site, "champion", "it is rolled back to", back).await;
    let request = GetRolloutRequest {
        name: status.last_rollout,
    };
    let third = site.admin().rollouts().get_rollout(request).await;
    let third = third.expect("it stands").into_inner();
    assert!(third.candidate_version.ends_with("/champion-1"));
    assert!(third.stable_version.ends_with("/champion-2"));
    assert_eq!(third.state(), RolloutState::Running);
    assert_eq!(names(&site).await, ["champion-1", "champion-2", "v1"]);

    // Away, it says so, and nothing becomes of that.
    mlflow.stop();
    let away = |it: &SourceStatus| it.problem.contains("it cannot be reached");
    let status = known(&site, "champion", "it says that nobody answers", away).await;
    assert!(at("champion-1")(&status), "what is known stays known");
    assert_eq!(names(&site).await, ["champion-1", "champion-2", "v1"]);
    mlflow.revive().await;
    let answers = |it: &SourceStatus| it.problem.is_empty();
    known(&site, "champion", "it answers again", answers).await;
    assert_eq!(rollouts(&site).await.len(), 3);
}
