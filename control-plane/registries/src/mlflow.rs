//! MLflow's model registry: the version at which an alias points.
//!
//! Its REST API, `GET /api/2.0/mlflow/registered-models/alias`, whose answer holds the whole version. Numbers come as numbers from
//! MLflow and as texts from those that speak like it, so both are read.

use domain::source::Seen;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{client::Answer, told, unsaid::Unsaid};

#[derive(Deserialize)]
struct Told {
    model_version: Entry,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(deserialize_with = "number")]
    version: String,
    #[serde(default, deserialize_with = "number")]
    creation_timestamp: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    run_id: Option<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    })
}

/// What is asked for an alias of a model.
pub(crate) fn target(model: &str, alias: &str) -> String {
    let (model, alias) = (told::encoded(model), told::encoded(alias));
    format!("/api/2.0/mlflow/registered-models/alias?name={model}&alias={alias}")
}

/// What the alias points at.
pub(crate) fn read(answer: &Answer, model: &str, alias: &str) -> Result<Seen, Unsaid> {
    let missing = |status| match status {
        400 => Some(format!("no alias `{alias}` of `{model}`")),
        404 => Some(format!("no registered model `{model}`")),
        _ => None,
    };
    let Told { model_version: it } = told::document(answer, missing)?;
    if it.name != model {
        return Err(Unsaid::Strange);
    }
    let version = told::version(it.version)?;
    match it.status.as_deref() {
        None | Some("READY") => {}
        Some(_) => {
            let why = format!("its version {version} is not ready there yet");
            return Err(Unsaid::NotReady(why));
        }
    }
    let (run_id, artifact) = (it.run_id.unwrap_or_default(), it.source.unwrap_or_default());
    // Whoever deletes the newest version and registers another one gets its number again.
    let parts = [
        &it.name,
        &version,
        &it.creation_timestamp,
        &run_id,
        &artifact,
    ];
    Ok(Seen {
        digest: told::digest(&parts.map(String::as_str)),
        version,
        run_id,
        artifact,
        endpoints: Vec::new(),
        tags: it.tags.into_iter().map(|it| (it.key, it.value)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            body: body.to_owned().into(),
        }
    }

    /// As a server of MLflow gives it.
    const ALIAS: &str = include_str!("../fixtures/mlflow_alias.json");

    #[test]
    fn an_alias_gives_the_whole_version() {
        let seen = read(&answer(200, ALIAS), "fraud", "champion").unwrap();
        assert_eq!((seen.version.as_str(), seen.digest.len()), ("1", 64));
        assert_eq!(seen.tags["served_as"], "fraud-blue");
        assert_eq!(seen.run_id, "c85f7b41887945fd8b7b73e3e4503447");
        // Another one of the same number is another version; what can change of one is not in its digest.
        let later = ALIAS.replace("\"creation_timestamp\": 1", "\"creation_timestamp\": 2");
        let later = read(&answer(200, &later), "fraud", "champion").unwrap();
        assert_ne!(later.digest, seen.digest);
        let described = ALIAS.replace("fraud-blue", "fraud-green");
        let described = read(&answer(200, &described), "fraud", "champion").unwrap();
        assert_eq!(described.digest, seen.digest);
    }

    #[test]
    fn what_is_no_version_is_told_in_words() {
        for (status, body, why) in [
            (400, "{}", "it knows no alias `champion` of `fraud`"),
            (404, "{}", "it knows no registered model `fraud`"),
            (401, "", "it does not take the credential (401)"),
            (500, "", "it answered 500"),
            (302, "", "it answered 302"),
            (200, "<html>", "its answer is none of such a registry"),
            (
                200,
                "{\"model_version\":{\"name\":\"other\",\"version\":\"1\"}}",
                "its answer is none of such a registry",
            ),
            (
                200,
                "{\"model_version\":{\"name\":\"fraud\",\"version\":\"1\\n2\"}}",
                "its answer is none of such a registry",
            ),
            (
                200,
                "{\"model_version\":{\"name\":\"fraud\",\"version\":2,\"status\":\"PENDING_REGISTRATION\"}}",
                "its version 2 is not ready there yet",
            ),
        ] {
            let told = read(&answer(status, body), "fraud", "champion").unwrap_err();
            assert_eq!(told.to_string(), why);
        }
    }

    #[test]
    fn names_cannot_break_out_of_the_query() {
        assert_eq!(
            target("a&b c/ü", "x=1#"),
            "/api/2.0/mlflow/registered-models/alias?name=a%26b%20c%2F%C3%BC&alias=x%3D1%23"
        );
    }
}
