//! KServe's inference services: the revision that serves.
//!
//! The API of Kubernetes, `GET /apis/serving.kserve.io/v1beta1/namespaces/NAMESPACE/inferenceservices/NAME`. A service without
//! revisions, as of deployments without Knative, points at nothing.

use std::collections::BTreeMap;

use domain::source::Seen;
use serde::Deserialize;

use crate::{client::Answer, told, unsaid::Unsaid};

#[derive(Deserialize)]
struct Service {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    url: Option<String>,
    address: Address,
    components: BTreeMap<String, Component>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address {
    url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Component {
    latest_ready_revision: Option<String>,
    url: Option<String>,
}

/// What is asked for a service. Both names hold nothing that means something in a path.
pub(crate) fn target(namespace: &str, service: &str) -> String {
    format!("/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{service}")
}

/// What serves.
pub(crate) fn read(answer: &Answer, namespace: &str, service: &str) -> Result<Seen, Unsaid> {
    let missing = |status| {
        (status == 404).then(|| format!("no inference service `{service}` in `{namespace}`"))
    };
    let Service { metadata, status } = told::document(answer, missing)?;
    if (metadata.name.as_str(), metadata.namespace.as_str()) != (service, namespace) {
        return Err(Unsaid::Strange);
    }
    let predictor = status
        .components
        .into_iter()
        .find(|(name, _)| name == "predictor");
    let predictor = predictor.map(|(_, it)| it).unwrap_or_default();
    let revision = predictor.latest_ready_revision.unwrap_or_default();
    if revision.is_empty() {
        let why = "the service has no ready revision".to_owned();
        return Err(Unsaid::NotReady(why));
    }
    let revision = told::version(revision)?;
    let Some(url) = status.url else {
        let why = "the service has no address yet".to_owned();
        return Err(Unsaid::NotReady(why));
    };
    // A service that is made anew begins to count its revisions anew.
    let parts = [namespace, service, &metadata.uid, &revision];
    let digest = told::digest(&parts);
    let others = [status.address.url, predictor.url].into_iter().flatten();
    Ok(Seen {
        version: revision,
        digest,
        run_id: String::new(),
        artifact: String::new(),
        endpoints: [url].into_iter().chain(others).collect(),
        tags: metadata.labels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As KServe's documentation shows it.
    const SERVICE: &str = include_str!("../fixtures/inference_service.json");

    fn read_text(status: u16, text: &str) -> Result<Seen, String> {
        let body = text.to_owned().into();
        let seen = read(&Answer { status, body }, "kserve-test", "sklearn-iris");
        seen.map_err(|why| why.to_string())
    }

    #[test]
    fn the_latest_ready_revision_is_the_version() {
        let seen = read_text(200, SERVICE).unwrap();
        assert_eq!(seen.version, "sklearn-iris-predictor-default-47q2g");
        assert_eq!(
            seen.endpoints[0],
            "http://sklearn-iris.kserve-test.example.com"
        );
        assert_eq!(seen.endpoints.len(), 3);
        assert_eq!(seen.tags["team"], "risk");
        // One that is made anew is another service.
        let anew = read_text(200, &SERVICE.replace("0f27e2a1", "1f27e2a1")).unwrap();
        assert_ne!(anew.digest, seen.digest);
        // Its labels and conditions can change.
        let labelled = read_text(200, &SERVICE.replace("risk", "fraud")).unwrap();
        assert_eq!(labelled.digest, seen.digest);
    }

    #[test]
    fn what_serves_nothing_is_told_in_words() {
        let fresh = SERVICE.replace("latestReadyRevision", "latestCreatedRevision2");
        let unaddressed = SERVICE.replacen(
            "\"url\": \"http://sklearn-iris.kserve-test.example.com\"",
            "\"x\": 1",
            1,
        );
        for (status, text, why) in [
            (200, fresh.as_str(), "the service has no ready revision"),
            (200, &unaddressed, "the service has no address yet"),
            (
                404,
                "{}",
                "it knows no inference service `sklearn-iris` in `kserve-test`",
            ),
            (200, "{}", "its answer is none of such a registry"),
            (
                200,
                &SERVICE.replace("\"namespace\": \"kserve-test\"", "\"namespace\": \"other\""),
                "its answer is none of such a registry",
            ),
        ] {
            assert_eq!(read_text(status, text), Err(why.to_owned()));
        }
        let denied = read_text(403, "{}").unwrap_err();
        assert!(denied.starts_with("it refuses (403)"));
    }
}
