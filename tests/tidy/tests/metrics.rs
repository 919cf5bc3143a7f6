//! Metrics: what the code names, the documents tell, and dashboards and alerts ask for is the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use tidy::tree;

/// Texts of that form that are no metrics: the doorbells of the database.
const NO_METRICS: [&str; 4] = [
    "sluice_edges",
    "sluice_questions",
    "sluice_revision",
    "sluice_rollout",
];

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

/// The text of a file below the root.
fn text(path: &str) -> String {
    fs::read_to_string(tree::root().join(path)).expect("a listed file is there")
}

/// The words of a text that begin so, of small letters, digits and what else metrics are named with.
fn words<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(start).map(move |(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_' || it == ':'));
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// Every dashboard, and the rules and alerts.
fn watched() -> Vec<String> {
    let files = tree::files(&tree::root()).expect("the tree can be read");
    let ours =
        |it: &String| it.starts_with("deploy/grafana/") || it.starts_with("deploy/prometheus/");
    files.into_iter().filter(ours).collect()
}

#[test]
fn dashboards_rules_and_alerts_ask_for_what_there_is() {
    let told = told();
    let rules = text("deploy/prometheus/rules.yml");
    let recorded: BTreeSet<_> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .collect();
    let (mut asked, mut broken) = (BTreeSet::new(), Vec::new());
    for path in watched() {
        let text = text(&path);
        for word in words(&text, "sluice_") {
            let parts = ["_bucket", "_sum", "_count"];
            let of = parts.iter().find_map(|part| word.strip_suffix(part));
            let kind = |name: &str| told.get(name).map(String::as_str);
            let of = of.filter(|of| kind(of) == Some("histogram"));
            asked.insert(of.unwrap_or(word).to_owned());
            let fits = of.is_some() || kind(word).is_some_and(|it| it != "histogram");
            if !fits {
                broken.push(format!("{path}: nothing shows {word}"));
            }
        }
        for word in words(&text, "sluice:").filter(|it| !recorded.contains(it)) {
            broken.push(format!("{path}: no rule records {word}"));
        }
    }
    let runbooks = text("docs/runbooks.md");
    for word in words(&runbooks, "sluice_").filter(|it| !told.contains_key(*it)) {
        broken.push(format!("docs/runbooks.md: nothing shows {word}"));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let shown: BTreeSet<_> = told.into_keys().collect();
    let unasked: Vec<_> = shown.difference(&asked).collect();
    assert!(
        unasked.len() < shown.len() / 10,
        "on no dashboard: {unasked:?}"
    );
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let (alerts, runbooks) = (
        text("deploy/prometheus/alerts.yml"),
        text("docs/runbooks.md"),
    );
    let named: BTreeSet<_> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let headed: BTreeSet<_> = runbooks
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert!(named.len() > 20, "the alerts were found: {named:?}");
    assert_eq!(named, headed);
    for name in named {
        let link = format!("runbook_url: docs/runbooks.md#{}", name.to_lowercase());
        assert!(alerts.contains(&link), "{name} has no link");
        let part = runbooks.split(&format!("## {name}\n")).nth(1);
        let part = part
            .and_then(|it| it.split("\n## ").next())
            .unwrap_or_default();
        for word in ["**It means:** ", "**Look at:** ", "**Do:** "] {
            assert!(part.contains(word), "{name} does not say {word}");
        }
    }
}

#[test]
fn dashboards_are_whole_and_told_apart() {
    let mut ids = BTreeSet::new();
    for path in watched().iter().filter(|it| it.contains("/grafana/")) {
        let dashboard: serde_json::Value = serde_json::from_str(&text(path)).expect("it is JSON");
        let id = dashboard["uid"].as_str().expect("it has an id").to_owned();
        assert!(ids.insert(id), "{path} has another's id");
        let panels = dashboard["panels"].as_array().expect("it has panels");
        for panel in panels {
            let title = panel["title"].as_str().expect("a panel has a title");
            let targets = panel["targets"]
                .as_array()
                .expect("a panel asks for something");
            assert!(!targets.is_empty(), "{path}: {title} shows nothing");
            assert_eq!(
                panel["datasource"]["uid"], "${datasource}",
                "{path}: {title}"
            );
        }
    }
    assert_eq!(ids.len(), 5);
}
