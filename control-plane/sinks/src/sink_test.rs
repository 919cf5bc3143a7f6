//! Settings that cannot be used are refused by their names, and none is told that is secret.

use std::collections::BTreeMap;

use lifecycle::settings;
use serde::Deserialize;

use super::*;

const SECRET: &str = "0123456789hunter2";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct All {
    sinks: BTreeMap<String, Config>,
}

/// What is said of one with these settings over those of a good one.
fn said(more: &[(&str, &str)]) -> Result<(), String> {
    let mut vars = BTreeMap::from([
        ("S3__BUCKET", "usage"),
        ("S3__ACCESS_KEY_ID", "someone"),
        ("S3__SECRET_ACCESS_KEY", SECRET),
        ("S3__ENDPOINT", "https://minio.example:9000"),
    ]);
    vars.extend(more.iter().copied());
    let vars = vars.into_iter().filter(|(_, value)| !value.is_empty());
    let vars = vars.map(|(name, value)| (format!("SLUICE_SINKS__OUT__{name}"), value.to_owned()));
    let all: All = settings::load(None, vars).map_err(|why| why.to_string())?;
    assert!(!format!("{all:?}").contains(SECRET));
    let config = all.sinks.get("out").expect("it is called so");
    let sink = Sink::open("out", config).map_err(|why| why.to_string())?;
    assert!(!format!("{sink:?}").contains(SECRET));
    Ok(())
}

#[test]
fn a_sink_is_refused_by_the_setting_that_is_wrong() {
    assert_eq!(said(&[]), Ok(()));
    let plaintext = ("S3__ENDPOINT", "http://minio.example:9000");
    let told = ("S3__PLAINTEXT_BEYOND_LOOPBACK", "true");
    assert_eq!(said(&[plaintext, told]), Ok(()));
    for (wrong, names) in [
        (("S3__BUCKET", ""), "bucket"),
        (("S3__SECRET_ACCESS_KEY", ""), "secret_access_key"),
        (
            ("S3__SECRET_ACCESS_KEY_FILE", "/nowhere"),
            "secret_access_key",
        ),
        (("S3__CA_FILE", "/nowhere"), "ca_file"),
        (("S3__COLOUR", "red"), "colour"),
        (("KAFKA__BROKER", "x"), "kafka"),
        (plaintext, "sinks.out.s3.endpoint"),
    ] {
        let said = said(&[wrong]).expect_err(wrong.0);
        assert!(said.contains("sinks.out") && said.contains(names), "{said}");
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[test]
fn a_name_is_a_word() {
    let vars = [
        ("BUCKET", "b"),
        ("ACCESS_KEY_ID", "a"),
        ("SECRET_ACCESS_KEY", "s"),
    ];
    let vars = vars.map(|(name, value)| (format!("SLUICE_SINKS__X__S3__{name}"), value.to_owned()));
    let all: All = settings::load(None, vars).expect("they are settings");
    let config = &all.sinks["x"];
    for (name, is_one) in [
        ("x", true),
        ("ware-house_2", true),
        ("", false),
        ("a b", false),
        ("A", false),
    ] {
        assert_eq!(Sink::open(name, config).is_ok(), is_one, "{name}");
    }
    assert!(Sink::open(&"a".repeat(64), config).is_err());
}
