//! Metrics: what the code names, the documents tell, and dashboards and alerts ask for is the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use tidy::tree;

/// Texts of that form that are no metrics: the doorbells of the database.
const NO_METRICS: [&str; 2] = ["sluice_edges", "sluice_revision"];

/// Every metric that the code names.
fn named() -> BTreeSet<String> {
    let sources = tree::sources().expect("the tree can be read");
    let ours = sources.iter().filter(|it| {
        let place = ["edge/", "shared/", "control-plane/"];
        // The one `build.rs` in a `src` builds nothing.
        let code = !it.is_test() || it.path.ends_with("/src/build.rs");
        place.iter().any(|place| it.path.starts_with(place)) && code
    });
    let mut named = BTreeSet::new();
    for source in ours {
        let code = source.text.split("#[cfg(test)]").next().unwrap_or_default();
        let texts = code.split('"').filter(|text| {
            let rest = text.strip_prefix("sluice_").unwrap_or_default();
            !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
        });
        named.extend(texts.map(str::to_owned));
    }
    named.retain(|it| !NO_METRICS.contains(&it.as_str()));
    named
}

/// Every metric that the document has a row for, and its type.
fn told() -> BTreeMap<String, String> {
    let document = fs::read_to_string(tree::root().join("docs/metrics.md"));
    let document = document.expect("docs/metrics.md is there");
    let rows = document.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `sluice_")?.split_once('`')?;
        let kind = rest.split('|').nth(1)?.trim();
        Some((format!("sluice_{name}"), kind.to_owned()))
    });
    rows.collect()
}

#[test]
fn every_metric_stands_in_the_document_and_nothing_else_does() {
    let (named, told) = (named(), told());
    assert!(named.len() > 50, "the metrics were found: {named:?}");
    let told: BTreeSet<_> = told.into_keys().collect();
    let untold: Vec<_> = named.difference(&told).collect();
    assert!(untold.is_empty(), "not in docs/metrics.md: {untold:?}");
    let unnamed: Vec<_> = told.difference(&named).collect();
    assert!(unnamed.is_empty(), "in docs/metrics.md alone: {unnamed:?}");
}

#[test]
fn a_name_says_what_kind_of_metric_it_is() {
    for (name, kind) in told() {
        let fits = match kind.as_str() {
            "counter" => name.ends_with("_total"),
            "histogram" => name.ends_with("_seconds"),
            "gauge" => !name.ends_with("_total"),
            _ => false,
        };
        assert!(fits, "{name} is no name for a {kind}");
    }
}
