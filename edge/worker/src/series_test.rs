//! However many names there are, the series stay within their bounds.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use dialect::Tokens;
use metrics::{Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use policy::provider::ProviderKind;

use super::{
    class::GONE,
    names::{ORGANIZATIONS_MAX, PAIRS_MAX, PROVIDERS_MAX},
    pair::KINDS,
    *,
};
use crate::in_force;

/// Remembers every series that anybody asked for.
#[derive(Default)]
struct Seen(Mutex<HashSet<String>>);

impl Seen {
    fn note(&self, key: &Key) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(key.to_string());
    }

    fn of(&self, name: &str) -> usize {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|it| it.contains(name)).count()
    }
}

impl Recorder for Seen {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.note(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.note(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.note(key);
        Histogram::noop()
    }
}

fn id(number: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn provider(number: u32) -> Provider {
    Provider {
        id: ProviderId::from_bytes(id(number)),
        organization: OrganizationId::from_bytes([1; 16]),
        name: format!("provider-{number}"),
        kind: ProviderKind::OpenAi,
        base_url: String::new(),
        stream_options: true,
        credential_required: false,
        passthrough: false,
        handling: policy::handling::Handling::default(),
        mapping: None,
    }
}

/// A request for one model that one provider served, for one organization.
fn count(series: &Series, number: u32) {
    let tokens = Tokens {
        input: 1,
        output: 1,
        ..Tokens::default()
    };
    let provider = provider(number);
    let there = series.provider(&provider);
    there.attempt("answered");
    there.attempt("upstream_timeout");
    let model = series.model(ModelId::from_bytes(id(number)), &format!("model-{number}"));
    let pair = series.pair(&model, Some((provider.id, &there)));
    for class in 0..CLASSES.len() {
        pair.request(class, Duration::ZERO);
    }
    pair.used(&tokens);
    let organization = series.organization(OrganizationId::from_bytes(id(number)));
    organization.request(0);
}

#[test]
fn a_hundred_thousand_names_on_two_cores_make_no_more_series_than_the_bounds_allow() {
    let seen = Seen::default();
    metrics::with_local_recorder(&seen, || {
        let (_writer, in_force) = in_force::new();
        let watched = Watched::default();
        let cores = [(); 2].map(|()| Series::new(watched.clone(), in_force.clone()));
        for number in 0..100_000 {
            // The cores meet the names in different orders.
            count(&cores[0], number);
            count(&cores[1], 99_999 - number);
        }
    });
    // One for `other`.
    let pairs = PAIRS_MAX + 1;
    assert_eq!(seen.of("sluice_model_request_total"), pairs * CLASSES.len());
    assert_eq!(seen.of("sluice_model_tokens_total"), pairs * 2);
    assert!(seen.of("sluice_model_tokens_total") <= pairs * KINDS.len());
    assert_eq!(seen.of("sluice_model_duration_seconds"), pairs);
    assert_eq!(seen.of("sluice_attempt_total"), (PROVIDERS_MAX + 1) * 2);
    assert!(seen.of("sluice_organization_request_total") <= ORGANIZATIONS_MAX + 1);
}

#[test]
fn what_policy_forgot_is_counted_under_no_name() {
    let seen = Seen::default();
    metrics::with_local_recorder(&seen, || {
        let (_writer, in_force) = in_force::new();
        let series = Series::new(Watched::default(), in_force);
        series
            .organization(OrganizationId::from_bytes(id(1)))
            .request(0);
        let model = series.model(ModelId::from_bytes([0; 16]), "");
        series.pair(&model, None).request(GONE, Duration::ZERO);
    });
    let counted = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
    let has = |name: &str, labels: &[&str]| {
        counted
            .iter()
            .any(|it| it.contains(name) && labels.iter().all(|label| it.contains(label)))
    };
    assert!(has(
        "sluice_organization_request_total",
        &["organization = none"]
    ));
    assert!(has(
        "sluice_model_request_total",
        &["model = none", "provider = none", "gone"]
    ));
}
