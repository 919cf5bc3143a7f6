//! Resource names: what an operator calls a thing, from the root down.
//!
//! A name that parses prints as the same text, and names one thing only.

use std::fmt;

use crate::segment::{EdgeSlug, KeyId, ModelSlug, Slug};

/// The text is not a name of the kind that was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName {
    pattern: &'static str,
    why: String,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $pattern:literal { $($collection:literal $field:ident: $segment:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each field is the segment that its type documents")]
        pub struct $name { $(pub $field: $segment,)* }

        impl $name {
            /// How such a name is written.
            pub const PATTERN: &str = $pattern;

            /// Reads the text.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                let mut parts = text.split('/');
                let name = Self { $($field: {
                    if parts.next() != Some($collection) {
                        return Err(InvalidName { pattern: $pattern, why: String::new() });
                    }
                    let segment = parts.next().unwrap_or_default();
                    $segment::parse(segment).map_err(|why| InvalidName {
                        pattern: $pattern,
                        why: format!("{} {why}", stringify!($field)),
                    })?
                },)* };
                if parts.next().is_some() {
                    return Err(InvalidName { pattern: $pattern, why: String::new() });
                }
                Ok(name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut slash = "";
                $(
                    write!(f, "{slash}{}/{}", $collection, self.$field)?;
                    slash = "/";
                )*
                let _ = slash;
                Ok(())
            }
        }
    )*};
}

names! {
    /// An organization.
    OrganizationName = "organizations/{organization}" {
        "organizations" organization: Slug,
    }
    /// A project of an organization.
    ProjectName = "organizations/{organization}/projects/{project}" {
        "organizations" organization: Slug,
        "projects" project: Slug,
    }
    /// A provider of an organization.
    ProviderName = "organizations/{organization}/providers/{provider}" {
        "organizations" organization: Slug,
        "providers" provider: Slug,
    }
    /// A model of an organization.
    ModelName = "organizations/{organization}/models/{model}" {
        "organizations" organization: Slug,
        "models" model: ModelSlug,
    }
    /// A version of a model.
    VersionName = "organizations/{organization}/models/{model}/versions/{version}" {
        "organizations" organization: Slug,
        "models" model: ModelSlug,
        "versions" version: Slug,
    }
    /// A rollout of a model.
    RolloutName = "organizations/{organization}/models/{model}/rollouts/{rollout}" {
        "organizations" organization: Slug,
        "models" model: ModelSlug,
        "rollouts" rollout: Slug,
    }
    /// An experiment of a model.
    ExperimentName = "organizations/{organization}/models/{model}/experiments/{experiment}" {
        "organizations" organization: Slug,
        "models" model: ModelSlug,
        "experiments" experiment: Slug,
    }
    /// A shadow of a model.
    ShadowName = "organizations/{organization}/models/{model}/shadows/{shadow}" {
        "organizations" organization: Slug,
        "models" model: ModelSlug,
        "shadows" shadow: Slug,
    }
    /// An alias of an organization's models.
    ModelAliasName = "organizations/{organization}/modelAliases/{model_alias}" {
        "organizations" organization: Slug,
        "modelAliases" model_alias: ModelSlug,
    }
    /// A window in which rollouts of an organization are frozen.
    FreezeWindowName = "organizations/{organization}/freezeWindows/{freeze_window}" {
        "organizations" organization: Slug,
        "freezeWindows" freeze_window: Slug,
    }
    /// A source of versions of an organization's models.
    VersionSourceName = "organizations/{organization}/versionSources/{version_source}" {
        "organizations" organization: Slug,
        "versionSources" version_source: Slug,
    }
    /// A key of a project.
    KeyName = "organizations/{organization}/projects/{project}/keys/{key}" {
        "organizations" organization: Slug,
        "projects" project: Slug,
        "keys" key: KeyId,
    }
    /// A service account of a project.
    ServiceAccountName = "organizations/{organization}/projects/{project}/serviceAccounts/{service_account}" {
        "organizations" organization: Slug,
        "projects" project: Slug,
        "serviceAccounts" service_account: Slug,
    }
    /// A limit of an organization.
    LimitName = "organizations/{organization}/limits/{limit}" {
        "organizations" organization: Slug,
        "limits" limit: Slug,
    }
    /// A budget of an organization: the limit of the same last segment.
    BudgetName = "organizations/{organization}/budgets/{budget}" {
        "organizations" organization: Slug,
        "budgets" budget: Slug,
    }
    /// An issuer of an organization.
    IssuerName = "organizations/{organization}/issuers/{issuer}" {
        "organizations" organization: Slug,
        "issuers" issuer: Slug,
    }
    /// A price of an organization's own.
    PriceName = "organizations/{organization}/prices/{price}" {
        "organizations" organization: Slug,
        "prices" price: Slug,
    }
    /// A discount of an organization.
    DiscountName = "organizations/{organization}/discounts/{discount}" {
        "organizations" organization: Slug,
        "discounts" discount: Slug,
    }
    /// A role of an organization's own.
    RoleName = "organizations/{organization}/roles/{role}" {
        "organizations" organization: Slug,
        "roles" role: Slug,
    }
    /// A channel of alerts of an organization.
    AlertChannelName = "organizations/{organization}/alertChannels/{alert_channel}" {
        "organizations" organization: Slug,
        "alertChannels" alert_channel: Slug,
    }
    /// A rule of alerts of an organization.
    AlertRuleName = "organizations/{organization}/alertRules/{alert_rule}" {
        "organizations" organization: Slug,
        "alertRules" alert_rule: Slug,
    }
    /// An edge.
    EdgeName = "edges/{edge}" {
        "edges" edge: EdgeSlug,
    }
    /// A join token.
    JoinTokenName = "joinTokens/{join_token}" {
        "joinTokens" join_token: KeyId,
    }
}

/// An operator key: one above all, or one that an organization keeps itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OperatorKeyName {
    /// Who keeps it; `None` means: it stands above all.
    pub organization: Option<Slug>,
    /// Its id.
    pub operator_key: KeyId,
}

/// A trust: one above all, or one that an organization keeps itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrustName {
    /// Who keeps it; `None` means: it stands above all.
    pub organization: Option<Slug>,
    /// Its id.
    pub trust: Slug,
}

/// A local user: one above all, or one that an organization keeps itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LocalUserName {
    /// Who keeps them; `None` means: they stand above all.
    pub organization: Option<Slug>,
    /// Their id.
    pub local_user: Slug,
}

/// Whose use a limit counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each arm is the name that its type documents")]
pub enum ScopeName {
    Organization(OrganizationName),
    Project(ProjectName),
    Key(KeyName),
}

macro_rules! below_an_organization {
    ($($name:ident)*) => {$(
        impl $name {
            /// The organization it is in.
            pub fn parent(&self) -> OrganizationName {
                OrganizationName { organization: self.organization.clone() }
            }
        }
    )*};
}

below_an_organization! {
    ProjectName ProviderName ModelName LimitName PriceName DiscountName IssuerName
    AlertChannelName AlertRuleName RoleName FreezeWindowName VersionSourceName
    ModelAliasName
}

// === impl KeyName ===

impl KeyName {
    /// The project it is in.
    pub fn parent(&self) -> ProjectName {
        ProjectName {
            organization: self.organization.clone(),
            project: self.project.clone(),
        }
    }
}

// === impl ServiceAccountName ===

impl ServiceAccountName {
    /// The project it is in.
    pub fn parent(&self) -> ProjectName {
        ProjectName {
            organization: self.organization.clone(),
            project: self.project.clone(),
        }
    }
}

// === impl VersionName ===

impl VersionName {
    /// The model it is of.
    pub fn parent(&self) -> ModelName {
        ModelName {
            organization: self.organization.clone(),
            model: self.model.clone(),
        }
    }
}

// === impl ExperimentName ===

impl ExperimentName {
    /// The model it is of.
    pub fn parent(&self) -> ModelName {
        ModelName {
            organization: self.organization.clone(),
            model: self.model.clone(),
        }
    }
}

// === impl ShadowName ===

impl ShadowName {
    /// The model it is of.
    pub fn parent(&self) -> ModelName {
        ModelName {
            organization: self.organization.clone(),
            model: self.model.clone(),
        }
    }
}

// === impl RolloutName ===

impl RolloutName {
    /// The model it is of.
    pub fn parent(&self) -> ModelName {
        ModelName {
            organization: self.organization.clone(),
            model: self.model.clone(),
        }
    }
}

macro_rules! kept_by_one_or_above_all {
    ($($name:ident = $pattern:literal, $collection:literal $field:ident: $segment:ident;)*) => {$(
        impl $name {
            /// Reads the text.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                let invalid = |why: String| InvalidName { pattern: $pattern, why };
                let (parent, id) = text
                    .rsplit_once(concat!($collection, "/"))
                    .ok_or_else(|| invalid(String::new()))?;
                let $field = $segment::parse(id)
                    .map_err(|why| invalid(format!("{} {why}", stringify!($field))))?;
                let organization = match parent.strip_suffix('/') {
                    None if parent.is_empty() => None,
                    Some(parent) => Some(OrganizationName::parse(parent)?.organization),
                    None => return Err(invalid(String::new())),
                };
                Ok(Self { organization, $field })
            }

            /// The organization that keeps it; `None` means: it stands above all.
            pub fn keeper(&self) -> Option<OrganizationName> {
                let organization = self.organization.clone()?;
                Some(OrganizationName { organization })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if let Some(organization) = &self.organization {
                    write!(f, "organizations/{organization}/")?;
                }
                write!(f, "{}/{}", $collection, self.$field)
            }
        }
    )*};
}

kept_by_one_or_above_all! {
    OperatorKeyName = "[organizations/{organization}/]operatorKeys/{operator_key}",
        "operatorKeys" operator_key: KeyId;
    TrustName = "[organizations/{organization}/]trusts/{trust}",
        "trusts" trust: Slug;
    LocalUserName = "[organizations/{organization}/]localUsers/{local_user}",
        "localUsers" local_user: Slug;
}

// === impl ScopeName ===

impl ScopeName {
    /// Reads the text.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        const PATTERN: &str = "the name of an organization, project or key";
        let invalid = |_| InvalidName {
            pattern: PATTERN,
            why: String::new(),
        };
        match text.split('/').count() {
            2 => OrganizationName::parse(text).map(Self::Organization),
            4 => ProjectName::parse(text).map(Self::Project),
            _ => KeyName::parse(text).map(Self::Key).map_err(invalid),
        }
    }

    /// The organization it is in, or is.
    pub fn organization(&self) -> &Slug {
        match self {
            Self::Organization(name) => &name.organization,
            Self::Project(name) => &name.organization,
            Self::Key(name) => &name.organization,
        }
    }
}

impl fmt::Display for ScopeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(name) => name.fmt(f),
            Self::Project(name) => name.fmt(f),
            Self::Key(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be `{}`", self.pattern)?;
        if self.why.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.why)
        }
    }
}

impl std::error::Error for InvalidName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_prints_as_it_was_read() {
        let text = "organizations/acme/models/gpt-4o:mini/versions/v1";
        assert_eq!(VersionName::parse(text).unwrap().to_string(), text);
        assert_eq!(
            VersionName::parse(text).unwrap().parent().to_string(),
            "organizations/acme/models/gpt-4o:mini"
        );
        for text in [
            "operatorKeys/0aZ9bY8cX7dW",
            "organizations/acme/operatorKeys/0aZ9bY8cX7dW",
        ] {
            assert_eq!(OperatorKeyName::parse(text).unwrap().to_string(), text);
        }
        for text in ["trusts/ci", "organizations/acme/trusts/ci"] {
            assert_eq!(TrustName::parse(text).unwrap().to_string(), text);
        }
        for text in ["localUsers/ada", "organizations/acme/localUsers/ada"] {
            assert_eq!(LocalUserName::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "organizations/acmetrusts/ci",
            "/trusts/ci",
            "trusts/",
            "organizations/trusts/ci",
        ] {
            assert!(TrustName::parse(text).is_err(), "{text}");
        }
        for text in [
            "organizations/acmeoperatorKeys/0aZ9bY8cX7dW",
            "operatorKeys/short",
            "/operatorKeys/0aZ9bY8cX7dW",
        ] {
            assert!(OperatorKeyName::parse(text).is_err(), "{text}");
        }
        let text = "organizations/acme/projects/chat/keys/0aZ9bY8cX7dW";
        assert_eq!(KeyName::parse(text).unwrap().to_string(), text);
        assert_eq!(ScopeName::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn a_name_of_another_kind_or_length_is_refused() {
        for text in [
            "",
            "acme",
            "organizations",
            "organizations/",
            "organizations/acme",
            "organizations/acme/projects",
            "organizations/acme/projects/",
            "organizations/acme/providers/chat",
            "organizations/acme/projects/chat/",
            "/organizations/acme/projects/chat",
            "organizations/acme/projects/chat/keys/0aZ9bY8cX7dW",
            "organizations//projects/chat",
        ] {
            assert!(ProjectName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_pattern_and_the_segment() {
        let why = ProjectName::parse("organizations/Acme/projects/chat")
            .unwrap_err()
            .to_string();
        assert!(
            why.contains("organizations/{organization}/projects/{project}"),
            "{why}"
        );
        assert!(why.contains("organization must be"), "{why}");
    }
}
