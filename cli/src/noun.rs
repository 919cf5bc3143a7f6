//! The nouns of the admin API, as a table: how each is called on the wire and shown in a list.
//!
//! Knows the contract's regularities and what departs from them; knows nothing of what any noun means. A test
//! holds every row against the descriptors.

use crate::place::Collections;

/// One noun.
#[derive(Debug)]
pub struct Noun {
    /// Its message; the names of its methods and their messages are made from it.
    pub message: &'static str,
    /// The service that keeps it.
    pub service: &'static str,
    /// The field that holds one.
    pub field: &'static str,
    /// The collections of its names.
    pub collections: Collections,
    /// The columns of a list: head and field.
    pub columns: &'static [(&'static str, &'static str)],
}

/// Organizations.
pub const ORGANIZATION: Noun = Noun {
    message: "Organization",
    service: "OrganizationService",
    field: "organization",
    collections: &["organizations"],
    columns: &[
        ("NAME", "name"),
        ("DISPLAY NAME", "display_name"),
        ("CREATED", "create_time"),
    ],
};

/// Projects.
pub const PROJECT: Noun = Noun {
    message: "Project",
    service: "ProjectService",
    field: "project",
    collections: &["organizations", "projects"],
    columns: ORGANIZATION.columns,
};

/// Providers.
pub const PROVIDER: Noun = Noun {
    message: "Provider",
    service: "ProviderService",
    field: "provider",
    collections: &["organizations", "providers"],
    columns: &[
        ("NAME", "name"),
        ("KIND", "kind"),
        ("BASE URL", "base_url"),
        ("CREDENTIAL", "credential_set"),
        ("REGIONS", "regions"),
    ],
};

/// Models.
pub const MODEL: Noun = Noun {
    message: "Model",
    service: "ModelService",
    field: "model",
    collections: &["organizations", "models"],
    columns: &[
        ("NAME", "name"),
        ("STABLE VERSION", "stable_version"),
        ("DEPRECATED", "deprecation"),
        ("CREATED", "create_time"),
    ],
};

/// Versions of models.
pub const MODEL_VERSION: Noun = Noun {
    message: "ModelVersion",
    service: "ModelVersionService",
    field: "model_version",
    collections: &["organizations", "models", "versions"],
    columns: &[
        ("NAME", "name"),
        ("TARGETS", "targets"),
        ("DEPRECATED", "deprecation"),
        ("CREATED", "create_time"),
    ],
};

/// Other names of models.
pub const MODEL_ALIAS: Noun = Noun {
    message: "ModelAlias",
    service: "ModelAliasService",
    field: "model_alias",
    collections: &["organizations", "modelAliases"],
    columns: &[
        ("NAME", "name"),
        ("MODEL", "model"),
        ("FOLLOWS", "follows"),
        ("VERSION", "version"),
        ("CREATED", "create_time"),
    ],
};

/// Rollouts of models.
pub const ROLLOUT: Noun = Noun {
    message: "Rollout",
    service: "RolloutService",
    field: "rollout",
    collections: &["organizations", "models", "rollouts"],
    columns: &[
        ("NAME", "name"),
        ("STATE", "state"),
        ("STEP", "step"),
        ("CANDIDATE", "candidate_version"),
        ("WAITS FOR", "waits_for"),
        ("REASON", "reason"),
        ("STARTED", "create_time"),
    ],
};

/// Windows in which rollouts are frozen.
pub const FREEZE_WINDOW: Noun = Noun {
    message: "FreezeWindow",
    service: "FreezeService",
    field: "freeze_window",
    collections: &["organizations", "freezeWindows"],
    columns: &[
        ("NAME", "name"),
        ("WEEKLY", "weekly"),
        ("ONCE", "once"),
        ("ON UNTIL", "on_until"),
        ("REASON", "reason"),
    ],
};

/// Sources of versions.
pub const VERSION_SOURCE: Noun = Noun {
    message: "VersionSource",
    service: "VersionSourceService",
    field: "version_source",
    collections: &["organizations", "versionSources"],
    columns: &[
        ("NAME", "name"),
        ("MODEL", "model"),
        ("MLFLOW", "mlflow"),
        ("KSERVE", "kserve"),
        ("URL", "url"),
        ("STATUS", "status"),
    ],
};

/// Experiments.
pub const EXPERIMENT: Noun = Noun {
    message: "Experiment",
    service: "ExperimentService",
    field: "experiment",
    collections: &["organizations", "models", "experiments"],
    columns: &[
        ("NAME", "name"),
        ("STATE", "state"),
        ("REASON", "reason"),
        ("STARTED", "create_time"),
        ("ENDED", "end_time"),
    ],
};

/// Shadows.
pub const SHADOW: Noun = Noun {
    message: "Shadow",
    service: "ShadowService",
    field: "shadow",
    collections: &["organizations", "models", "shadows"],
    columns: &[
        ("NAME", "name"),
        ("STATE", "state"),
        ("COPIES TO", "version"),
        ("COPIES", "copies"),
        ("NANO-DOLLARS", "cost_nano"),
        ("REASON", "reason"),
        ("STARTED", "create_time"),
        ("ENDED", "end_time"),
    ],
};

/// Keys of clients.
pub const KEY: Noun = Noun {
    message: "Key",
    service: "KeyService",
    field: "key",
    collections: &["organizations", "projects", "keys"],
    columns: &[
        ("NAME", "name"),
        ("PREFIX", "prefix"),
        ("STATE", "state"),
        ("DISPLAY NAME", "display_name"),
        ("EXPIRES", "expire_time"),
    ],
};

/// Service accounts.
pub const SERVICE_ACCOUNT: Noun = Noun {
    message: "ServiceAccount",
    service: "ServiceAccountService",
    field: "service_account",
    collections: &["organizations", "projects", "serviceAccounts"],
    columns: &[
        ("NAME", "name"),
        ("DISPLAY NAME", "display_name"),
        ("DISABLED", "disabled"),
        ("CREATED", "create_time"),
    ],
};

/// Limits.
pub const LIMIT: Noun = Noun {
    message: "Limit",
    service: "LimitService",
    field: "limit",
    collections: &["organizations", "limits"],
    columns: &[
        ("NAME", "name"),
        ("SCOPE", "scope"),
        ("EACH", "each"),
        ("UNIT", "unit"),
        ("AMOUNT", "amount"),
        ("WINDOW", "window"),
        ("BURST", "burst"),
        ("MODE", "mode"),
    ],
};

/// Budgets.
pub const BUDGET: Noun = Noun {
    message: "Budget",
    service: "BudgetService",
    field: "budget",
    collections: &["organizations", "budgets"],
    columns: &[
        ("NAME", "name"),
        ("OWNER", "owner"),
        ("EACH", "each"),
        ("MICRO-DOLLARS", "micro_dollars"),
        ("PERIOD", "period"),
        ("THRESHOLDS", "thresholds"),
        ("AT END", "at_end"),
    ],
};

/// Issuers of clients' tokens.
pub const ISSUER: Noun = Noun {
    message: "Issuer",
    service: "IssuerService",
    field: "issuer",
    collections: &["organizations", "issuers"],
    columns: &[
        ("NAME", "name"),
        ("ISSUER", "issuer_url"),
        ("AUDIENCES", "audiences"),
        ("PROJECT", "project"),
        ("BY", "project_expression"),
        ("DISABLED", "disabled"),
    ],
};

/// Prices.
pub const PRICE: Noun = Noun {
    message: "Price",
    service: "PriceService",
    field: "price",
    collections: &["organizations", "prices"],
    columns: &[
        ("NAME", "name"),
        ("PROVIDER", "provider"),
        ("KIND", "provider_kind"),
        ("MODEL", "provider_model"),
        ("REGION", "region"),
        ("TIER", "tier"),
        ("ABOVE", "above_input_tokens"),
        ("FROM", "valid_from"),
        ("RATES", "rates"),
    ],
};

/// Discounts.
pub const DISCOUNT: Noun = Noun {
    message: "Discount",
    service: "DiscountService",
    field: "discount",
    collections: &["organizations", "discounts"],
    columns: &[
        ("NAME", "name"),
        ("PROVIDER", "provider"),
        ("KIND", "provider_kind"),
        ("MODEL", "provider_model"),
        ("BASIS POINTS", "basis_points"),
        ("FROM", "valid_from"),
    ],
};

/// Edges.
pub const EDGE: Noun = Noun {
    message: "Edge",
    service: "EdgeService",
    field: "edge",
    collections: &["edges"],
    columns: &[
        ("NAME", "name"),
        ("REGION", "region"),
        ("SERVES", "organization"),
        ("BUILD", "build"),
        ("CONNECTED", "connected"),
        ("SEEN", "age"),
        ("AT REVISION", "lanes"),
        ("LAST REJECTION", "last_rejection"),
    ],
};

/// Channels of alerts.
pub const ALERT_CHANNEL: Noun = Noun {
    message: "AlertChannel",
    service: "AlertService",
    field: "alert_channel",
    collections: &["organizations", "alertChannels"],
    columns: &[
        ("NAME", "name"),
        ("KIND", "kind"),
        ("URL", "url"),
        ("E-MAIL", "email"),
        ("CREDENTIAL", "credential_set"),
    ],
};

/// Rules of alerts.
pub const ALERT_RULE: Noun = Noun {
    message: "AlertRule",
    service: "AlertService",
    field: "alert_rule",
    collections: &["organizations", "alertRules"],
    columns: &[
        ("NAME", "name"),
        ("BUDGET", "budget_threshold"),
        ("ERRORS", "error_spike"),
        ("KEYS", "key_age"),
        ("EDGES", "edge_stale"),
        ("CHANNELS", "channels"),
        ("REMINDS AFTER", "remind_after"),
    ],
};

/// What has fired.
pub const ALERT: Noun = Noun {
    message: "Alert",
    service: "AlertService",
    field: "alert",
    collections: &["organizations", "alerts"],
    columns: &[
        ("STATE", "state"),
        ("SINCE", "fire_time"),
        ("UNTIL", "resolve_time"),
        ("SUMMARY", "summary"),
        ("RULE", "rule"),
        ("DELIVERED", "delivered"),
        ("WAITING", "waiting"),
        ("GIVEN UP", "given_up"),
        ("LAST ERROR", "last_error"),
    ],
};

/// Join tokens of edges.
pub const JOIN_TOKEN: Noun = Noun {
    message: "JoinToken",
    service: "EdgeService",
    field: "join_token",
    collections: &["joinTokens"],
    columns: &[
        ("NAME", "name"),
        ("REGION", "region"),
        ("SERVES", "organization"),
        ("DISPLAY NAME", "display_name"),
        ("EXPIRES", "expire_time"),
        ("INVITES", "single_use"),
        ("USED", "use_time"),
        ("REVOKED", "revoke_time"),
    ],
};

/// Operator keys.
pub const OPERATOR_KEY: Noun = Noun {
    message: "OperatorKey",
    service: "OperatorKeyService",
    field: "operator_key",
    collections: &["organizations", "operatorKeys"],
    columns: &[
        ("NAME", "name"),
        ("DISPLAY NAME", "display_name"),
        ("MAY", "bindings"),
        ("EXPIRES", "expire_time"),
        ("REVOKED", "revoke_time"),
        ("BY", "trust"),
    ],
};

/// Roles of organizations' own.
pub const ROLE: Noun = Noun {
    message: "Role",
    service: "RoleService",
    field: "role",
    collections: &["organizations", "roles"],
    columns: &[
        ("NAME", "name"),
        ("DISPLAY NAME", "display_name"),
        ("MAY", "permissions"),
        ("CHANGED", "update_time"),
    ],
};

/// Trusts.
pub const TRUST: Noun = Noun {
    message: "Trust",
    service: "TrustService",
    field: "trust",
    collections: &["organizations", "trusts"],
    columns: &[
        ("NAME", "name"),
        ("ISSUER", "issuer_url"),
        ("SUBJECT", "subject"),
        ("CLAIMS", "claims"),
        ("GIVES", "grants"),
        ("LIFETIME", "lifetime"),
    ],
};

/// Local users.
pub const LOCAL_USER: Noun = Noun {
    message: "LocalUser",
    service: "LocalUserService",
    field: "local_user",
    collections: &["organizations", "localUsers"],
    columns: &[
        ("NAME", "name"),
        ("DISPLAY NAME", "display_name"),
        ("MAY", "bindings"),
        ("LIFETIME", "lifetime"),
        ("DISABLED", "disabled"),
        ("PASSWORD", "password_time"),
        ("LAST LOGIN", "login_time"),
    ],
};

/// Which of the two this names: a version is written as MODEL@VERSION, or whole.
pub fn model_or_version(text: &str) -> &'static Noun {
    if text.contains('@') || text.contains("/versions/") {
        &MODEL_VERSION
    } else {
        &MODEL
    }
}

// === impl Noun ===

impl Noun {
    /// The path of a method on one, such as `KeyService/CreateKey`.
    pub fn method(&self, verb: &str) -> String {
        format!("{}/{verb}{}", self.service, self.message)
    }

    /// The message that asks for it, such as `CreateKeyRequest`.
    pub fn request(&self, verb: &str) -> String {
        format!("{verb}{}Request", self.message)
    }

    /// The path of the method on all, such as `KeyService/ListKeys`.
    pub fn list(&self) -> String {
        many(&self.method("List"))
    }

    /// The message that asks for a page of them, such as `ListKeysRequest`.
    pub fn list_request(&self) -> String {
        format!("List{}Request", many(self.message))
    }

    /// The field of a page that holds many.
    pub fn fields(&self) -> String {
        many(self.field)
    }
}

fn many(word: &str) -> String {
    let ending = if word.ends_with('s') { "es" } else { "s" };
    format!("{word}{ending}")
}

#[cfg(test)]
#[path = "noun_test.rs"]
mod tests;
