//! Reads what a program shows of its metrics, strictly by the text format of Prometheus 0.0.4.
//!
//! Refuses what a Prometheus server would refuse or misread: a sample without its type, a family in two places, a series
//! twice, a histogram whose buckets do not add up.

use std::collections::{BTreeMap, BTreeSet};

/// One family of metrics.
#[derive(Debug, Clone, Default)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// What it means.
    pub help: String,
    /// Its samples: name, labels in order, value.
    pub samples: Vec<Sample>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name, `_bucket` and such included.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// Every family by its name, or the first line that is wrong and why.
pub fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let (mut current, mut helps) = (String::new(), BTreeMap::new());
    let mut seen = BTreeSet::new();
    if !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    for line in text.lines().filter(|line| !line.is_empty()) {
        let wrong = |why: &str| Err(format!("{why}: {line}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            if helps.insert(name.to_owned(), help.to_owned()).is_some() {
                return wrong("help twice");
            }
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = rest.split_once(' ') else {
                return wrong("no type");
            };
            if !is_name(name) || !["counter", "gauge", "histogram"].contains(&kind) {
                return wrong("a name or type that is none");
            }
            let family = Family {
                kind: kind.to_owned(),
                help: helps.get(name).cloned().unwrap_or_default(),
                samples: Vec::new(),
            };
            if families.insert(name.to_owned(), family).is_some() {
                return wrong("a family twice");
            }
            name.clone_into(&mut current);
        } else if line.starts_with('#') {
            return wrong("a comment that says nothing");
        } else {
            let Some(sample) = sample(line) else {
                return wrong("no sample");
            };
            let Some(family) = families.get_mut(&current) else {
                return wrong("a sample before its type");
            };
            let parts: &[&str] = match family.kind.as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            let fits = |part: &&str| sample.name == format!("{current}{part}");
            if !parts.iter().any(fits) {
                return wrong("a sample of another family");
            }
            if !seen.insert(format!("{} {:?}", sample.name, sample.labels)) {
                return wrong("a series twice");
            }
            family.samples.push(sample);
        }
    }
    for (name, family) in &families {
        family.check(name)?;
    }
    Ok(families)
}

fn is_name(text: &str) -> bool {
    let first = text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    first
        && text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'_')
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let value = rest.strip_prefix(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        _ => value.parse().ok().filter(|it: &f64| it.is_finite())?,
    };
    is_name(name).then(|| Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// Labels up to their closing brace, and what stands behind it.
fn labels(text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let (mut all, mut rest) = (BTreeMap::new(), text);
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((all, rest));
        }
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match letters.next()?.1 {
                    'n' => '\n',
                    it @ ('"' | '\\') => it,
                    _ => return None,
                }),
                (_, it) => value.push(it),
            }
        };
        if !is_name(name) || all.insert(name.to_owned(), value).is_some() {
            return None;
        }
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

// === impl Family ===

impl Family {
    fn check(&self, name: &str) -> Result<(), String> {
        if self.help.is_empty() {
            return Err(format!("{name} says nothing of itself"));
        }
        if self.kind == "counter" && !name.ends_with("_total") {
            return Err(format!("{name} is no name for a counter"));
        }
        if self.kind != "histogram" {
            let bad = self
                .samples
                .iter()
                .any(|it| it.value < 0.0 && self.kind == "counter");
            return if bad {
                Err(format!("{name} is negative"))
            } else {
                Ok(())
            };
        }
        let of = |part: &str, labels: &BTreeMap<String, String>| {
            let full = format!("{name}{part}");
            let mut found = self.samples.iter().filter(move |it| it.name == full);
            found.find(|it| it.labels == *labels).map(|it| it.value)
        };
        let mut series: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
        for sample in self
            .samples
            .iter()
            .filter(|it| it.name.ends_with("_bucket"))
        {
            let mut labels = sample.labels.clone();
            let bound = labels.remove("le").unwrap_or_default();
            let bound = if bound == "+Inf" {
                Ok(f64::INFINITY)
            } else {
                bound.parse()
            };
            let bound = bound.map_err(|_| format!("{name} has a bucket without a bound"))?;
            series
                .entry(labels)
                .or_default()
                .push((bound, sample.value));
        }
        for (labels, buckets) in series {
            let rises = buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1);
            let last = buckets
                .last()
                .filter(|it| it.0.is_infinite())
                .map(|it| it.1);
            if !rises || last.is_none() || last != of("_count", &labels) {
                return Err(format!("{name} {labels:?} does not add up: {buckets:?}"));
            }
            if of("_sum", &labels).is_none() {
                return Err(format!("{name} {labels:?} has no sum"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total What.\n# TYPE a_total counter\na_total{x=\"1\\\"}\\n\"} 3\n\n# HELP b_seconds What.\n# TYPE b_seconds histogram\nb_seconds_bucket{le=\"1\"} 1\nb_seconds_bucket{le=\"+Inf\"} 2\nb_seconds_sum 3.5\nb_seconds_count 2\n";

    #[test]
    fn what_is_wrong_is_found() {
        let families = parse(GOOD).unwrap();
        assert_eq!(families["a_total"].samples[0].labels["x"], "1\"}\n");
        for (from, to) in [
            ("a_total{", "c_total{"),
            ("# TYPE a_total counter\n", ""),
            ("} 3", "} three"),
            ("\\n\"} 3", "\\q\"} 3"),
            ("le=\"1\"} 1", "le=\"1\"} 3"),
            ("b_seconds_count 2", "b_seconds_count 3"),
            ("b_seconds_sum 3.5\n", ""),
            ("# HELP b_seconds What.\n", ""),
            (
                "b_seconds_count 2\n",
                "b_seconds_count 2\nb_seconds_count 2\n",
            ),
        ] {
            let spoilt = GOOD.replacen(from, to, 1);
            assert!(parse(&spoilt).is_err(), "{from} → {to}");
        }
    }
}
