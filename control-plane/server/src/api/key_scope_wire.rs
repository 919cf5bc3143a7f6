//! What a key is held to, between the wire and the store: read, changed, shown.

use std::collections::HashMap;

use domain::{key_scope, key_scope::Scope, segment::Slug, violation::Violations};
use proto::admin;

use crate::api::mask::{Field, Mask};

/// Fields that an update may name, each with whether the request carries a value.
pub(crate) fn fields(given: &admin::Key) -> [Field; 8] {
    [
        Field::changes("model_patterns", !given.model_patterns.is_empty()),
        Field::changes("endpoints", !given.endpoints.is_empty()),
        Field::changes("providers", !given.providers.is_empty()),
        Field::changes("regions", !given.regions.is_empty()),
        Field::changes("ip_ranges", !given.ip_ranges.is_empty()),
        Field::changes("request_tokens_max", given.request_tokens_max != 0),
        Field::changes("labels", !given.labels.is_empty()),
        Field::changes("disabled", given.disabled),
    ]
}

/// What the request says, of a key of `organization`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    /// What the key is held to.
    pub(crate) scope: Scope,
    /// What operators sort it by.
    pub(crate) labels: Vec<(String, String)>,
    /// Whether it is switched off.
    pub(crate) disabled: bool,
}

// === impl Held ===

impl Held {
    /// Reads it; what is wrong is added to `violations`.
    pub(crate) fn read(
        organization: &Slug,
        given: &admin::Key,
        violations: &mut Violations,
    ) -> Self {
        let tokens = u64::try_from(given.request_tokens_max);
        if tokens.is_err() {
            violations.add("key.request_tokens_max", "must not be negative");
        }
        let scope = Scope {
            models: key_scope::patterns(&given.model_patterns, violations),
            endpoints: key_scope::endpoints(&given.endpoints, violations),
            providers: key_scope::providers(organization, &given.providers, violations),
            regions: key_scope::regions(&given.regions, violations),
            ranges: key_scope::ranges(&given.ip_ranges, violations),
            request_tokens_max: tokens.ok().filter(|it| *it > 0),
        };
        Self {
            scope,
            labels: key_scope::labels(&given.labels, violations),
            disabled: given.disabled,
        }
    }

    /// What stands after an update that names these fields, where this stood before.
    pub(crate) fn apply(self, mask: &Mask, stood: Self) -> Self {
        let Self {
            scope,
            labels,
            disabled,
        } = self;
        let was = stood.scope;
        Self {
            scope: Scope {
                models: mask.pick("model_patterns", scope.models).or(was.models),
                endpoints: mask.pick("endpoints", scope.endpoints).or(was.endpoints),
                providers: mask.pick("providers", scope.providers).or(was.providers),
                regions: mask.pick("regions", scope.regions).or(was.regions),
                ranges: mask.pick("ip_ranges", scope.ranges).or(was.ranges),
                request_tokens_max: mask
                    .pick("request_tokens_max", scope.request_tokens_max)
                    .or(was.request_tokens_max),
            },
            labels: mask.pick("labels", labels).or(stood.labels),
            disabled: mask.pick("disabled", disabled).or(stood.disabled),
        }
    }

    /// Adds it to the key that is shown.
    pub(crate) fn show(self, key: &mut admin::Key) {
        let scope = self.scope;
        key.model_patterns = scope.models.iter().map(ToString::to_string).collect();
        key.endpoints = scope.endpoints;
        key.providers = scope.providers.iter().map(ToString::to_string).collect();
        key.regions = scope.regions.iter().map(ToString::to_string).collect();
        key.ip_ranges = scope.ranges;
        let tokens = scope.request_tokens_max.unwrap_or(0);
        key.request_tokens_max = i64::try_from(tokens).unwrap_or(i64::MAX);
        key.labels = HashMap::from_iter(self.labels);
        key.disabled = self.disabled;
    }
}
