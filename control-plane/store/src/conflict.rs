//! What a violated constraint means to whoever asked.
//!
//! The names are those of the migrations. A foreign key means one thing to who deletes what it points to, and
//! another to who writes what points.

use std::fmt::Display;

use domain::freeze::Frozen;

use crate::error::{Obstacle, StoreError};

const OBSTACLES: [(&str, Obstacle); 36] = [
    ("project_organization_fkey", Obstacle::HasProjects),
    ("provider_organization_fkey", Obstacle::HasProviders),
    ("model_organization_fkey", Obstacle::HasModels),
    ("rate_limit_organization_fkey", Obstacle::HasLimits),
    ("rate_limit_scope_project_fkey", Obstacle::HasLimits),
    ("rate_limit_scope_key_fkey", Obstacle::HasLimits),
    ("rate_limit_scope_model_fkey", Obstacle::HasLimits),
    ("rate_limit_scope_provider_fkey", Obstacle::HasLimits),
    ("issuer_organization_fkey", Obstacle::HasIssuers),
    ("issuer_project_fkey", Obstacle::IsNamedByIssuer),
    ("issuer_provider_provider_fkey", Obstacle::IsNamedByIssuer),
    ("price_organization_fkey", Obstacle::HasPrices),
    ("price_provider_fkey", Obstacle::HasPrices),
    ("discount_organization_fkey", Obstacle::HasDiscounts),
    ("discount_provider_fkey", Obstacle::HasDiscounts),
    ("key_project_fkey", Obstacle::HasActiveKeys),
    ("target_provider_fkey", Obstacle::IsTarget),
    ("key_model_model_fkey", Obstacle::IsNamedByKey),
    ("key_provider_provider_fkey", Obstacle::IsNamedByKey),
    ("model_stable_fkey", Obstacle::IsStable),
    ("model_rule_version_fkey", Obstacle::IsNamedByModel),
    ("model_alias_model_fkey", Obstacle::IsNamedByAlias),
    ("model_alias_pinned_fkey", Obstacle::IsNamedByAlias),
    ("rollout_candidate_fkey", Obstacle::IsInRollout),
    ("rollout_stable_fkey", Obstacle::IsInRollout),
    ("experiment_arm_holds_fkey", Obstacle::IsInExperiment),
    ("shadow_holds_fkey", Obstacle::IsInShadow),
    ("version_source_model_fkey", Obstacle::IsNamedBySource),
    ("version_source_provider_fkey", Obstacle::IsNamedBySource),
    ("alert_rule_budget_fkey", Obstacle::IsWatched),
    ("alert_rule_model_fkey", Obstacle::IsWatched),
    ("alert_rule_channel_channel_fkey", Obstacle::IsToldByRule),
    ("key_service_account_fkey", Obstacle::HasAccountKeys),
    ("role_binding_own_role_fkey", Obstacle::IsBound),
    ("trust_grant_own_role_fkey", Obstacle::IsBound),
    ("local_user_binding_own_role_fkey", Obstacle::IsBound),
];

/// What it means that `name` could not be made in `parent`.
pub(crate) fn on_create(
    error: sqlx::Error,
    name: &impl Display,
    parent: &impl Display,
) -> StoreError {
    match error.as_database_error() {
        Some(it) if it.is_unique_violation() => StoreError::Exists {
            name: name.to_string(),
        },
        // The parent was there a statement ago and is deleted since.
        Some(it) if it.is_foreign_key_violation() => StoreError::NotFound {
            name: parent.to_string(),
        },
        _ => error.into(),
    }
}

/// What it means that `name` could not be deleted.
pub(crate) fn on_delete(error: sqlx::Error, name: &impl Display) -> StoreError {
    let constraint = error.as_database_error().and_then(|it| it.constraint());
    let obstacle = OBSTACLES
        .iter()
        .find(|(known, _)| Some(*known) == constraint);
    match obstacle {
        Some((_, by)) => blocked(name, *by),
        None => error.into(),
    }
}

/// What it means that `field`, which names `name`, could not be written.
pub(crate) fn on_reference(error: sqlx::Error, field: &str, name: &impl Display) -> StoreError {
    match error.as_database_error() {
        Some(it) if it.is_foreign_key_violation() => dangling(field, name),
        _ => error.into(),
    }
}

/// `field` names `name`, and there is none.
pub(crate) fn dangling(field: &str, name: &impl Display) -> StoreError {
    StoreError::Dangling {
        field: field.to_owned(),
        name: name.to_string(),
    }
}

/// Whether the caller saw the state that stands. An empty etag asks for nothing.
pub(crate) fn check_etag(seen: &str, stands: &str, name: &impl Display) -> Result<(), StoreError> {
    if seen.is_empty() || seen == stands {
        Ok(())
    } else {
        Err(StoreError::Stale {
            name: name.to_string(),
        })
    }
}

/// There is no `name`.
pub(crate) fn missing(name: &impl Display) -> StoreError {
    StoreError::NotFound {
        name: name.to_string(),
    }
}

/// A freeze stands in the way of `name`.
pub(crate) fn frozen(name: &impl Display, by: &Frozen) -> StoreError {
    StoreError::Frozen {
        name: name.to_string(),
        until: by.to_string(),
    }
}

/// This stands in the way of `name`.
pub(crate) fn blocked(name: &impl Display, by: Obstacle) -> StoreError {
    StoreError::Blocked {
        name: name.to_string(),
        by,
    }
}
