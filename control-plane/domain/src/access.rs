//! Who may do what: a fixed table of permissions, the roles that hold them, and what each method needs.
//!
//! Knows nothing of who asks. Whatever is not in the table is allowed to nobody, and a place covers what stands in it.

use crate::segment::Slug;

pub use crate::place::{InvalidPlace, Place};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The one with this word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.word() == word)
            }
        }
    };
}

words! {
    /// What may be allowed.
    Permission {
        /// Make organizations.
        OrganizationsCreate = "organizations.create",
        /// See an organization.
        OrganizationsRead = "organizations.read",
        /// Change or delete an organization.
        OrganizationsWrite = "organizations.write",
        /// See projects.
        ProjectsRead = "projects.read",
        /// Make and delete projects, and change how their keys rotate.
        ProjectsWrite = "projects.write",
        /// See providers.
        ProvidersRead = "providers.read",
        /// Make, change and delete providers, and give them credentials.
        ProvidersWrite = "providers.write",
        /// See models and their versions.
        ModelsRead = "models.read",
        /// Make models and versions, choose which serves, and run rollouts.
        ModelsPublish = "models.publish",
        /// See keys, never their texts.
        KeysRead = "keys.read",
        /// Mint, import, change and rotate keys.
        KeysIssue = "keys.issue",
        /// Revoke and delete keys.
        KeysRevoke = "keys.revoke",
        /// See limits.
        LimitsRead = "limits.read",
        /// Make, change and delete limits.
        LimitsWrite = "limits.write",
        /// See issuers of clients' tokens.
        IssuersRead = "issuers.read",
        /// Say whose tokens are taken, and what they open.
        IssuersWrite = "issuers.write",
        /// See prices and discounts.
        PricesRead = "prices.read",
        /// Make and delete prices and discounts, and price settled usage anew.
        PricesWrite = "prices.write",
        /// See what was used.
        UsageRead = "usage.read",
        /// Read what requests and their answers say, where it is kept.
        ContentReveal = "content.reveal",
        /// Make the ledger forget end users.
        UsageErase = "usage.erase",
        /// See who may do what.
        OperatorsRead = "operators.read",
        /// Say who may do what, up to what one may oneself.
        OperatorsWrite = "operators.write",
        /// See edges and join tokens.
        EdgesRead = "edges.read",
        /// Let edges join, and forget them.
        EdgesWrite = "edges.write",
        /// See channels and rules of alerts, and what has fired.
        AlertsRead = "alerts.read",
        /// Make, try and delete channels and rules of alerts.
        AlertsWrite = "alerts.write",
        /// See who did what.
        AuditRead = "audit.read",
    }
}

words! {
    /// A set of permissions.
    Role {
        /// Everything where it is bound; bound to no organization, everything there is.
        Owner = "owner",
        /// A project with its keys.
        ProjectAdmin = "project-admin",
        /// Keys.
        KeyIssuer = "key-issuer",
        /// Models and their versions.
        ModelPublisher = "model-publisher",
        /// What is used, and what requests and their answers say, where it is kept.
        ContentReader = "content-reader",
        /// Sees everything that is configured, used and done, and changes nothing.
        Auditor = "auditor",
        /// Sees what is configured and used.
        Viewer = "viewer",
    }
}

/// A role, and where it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// What is allowed.
    pub role: Role,
    /// In which place, and what stands in it.
    pub at: Place,
}

/// What an operator holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bindings(pub Vec<Binding>);

/// What a method needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A permission in the place that this field of the request names; no field means everywhere.
    In(Permission, &'static str),
    /// Nothing but to be an operator: the answer holds only what its asker may see.
    Operator,
    /// Nothing at all: who asks has no key yet, and the request itself shows who they are.
    Nothing,
}

/// What each method of the admin API needs. One that is missing is allowed to nobody.
pub const METHODS: &[(&str, Need)] = &{
    use Need::{In, Nothing, Operator};
    use Permission as P;
    [
        (
            "OrganizationService/CreateOrganization",
            In(P::OrganizationsCreate, ""),
        ),
        (
            "OrganizationService/GetOrganization",
            In(P::OrganizationsRead, "name"),
        ),
        ("OrganizationService/ListOrganizations", Operator),
        (
            "OrganizationService/UpdateOrganization",
            In(P::OrganizationsWrite, "organization.name"),
        ),
        (
            "OrganizationService/DeleteOrganization",
            In(P::OrganizationsWrite, "name"),
        ),
        (
            "ProjectService/CreateProject",
            In(P::ProjectsWrite, "parent"),
        ),
        ("ProjectService/GetProject", In(P::ProjectsRead, "name")),
        ("ProjectService/ListProjects", In(P::ProjectsRead, "parent")),
        (
            "ProjectService/UpdateProject",
            In(P::ProjectsWrite, "project.name"),
        ),
        ("ProjectService/DeleteProject", In(P::ProjectsWrite, "name")),
        (
            "ProviderService/CreateProvider",
            In(P::ProvidersWrite, "parent"),
        ),
        ("ProviderService/GetProvider", In(P::ProvidersRead, "name")),
        (
            "ProviderService/ListProviders",
            In(P::ProvidersRead, "parent"),
        ),
        (
            "ProviderService/UpdateProvider",
            In(P::ProvidersWrite, "provider.name"),
        ),
        (
            "ProviderService/DeleteProvider",
            In(P::ProvidersWrite, "name"),
        ),
        ("ModelService/CreateModel", In(P::ModelsPublish, "parent")),
        ("ModelService/GetModel", In(P::ModelsRead, "name")),
        ("ModelService/ListModels", In(P::ModelsRead, "parent")),
        (
            "ModelService/UpdateModel",
            In(P::ModelsPublish, "model.name"),
        ),
        ("ModelService/DeleteModel", In(P::ModelsPublish, "name")),
        ("ModelService/ExplainRoute", In(P::ModelsRead, "key")),
        (
            "ModelVersionService/CreateModelVersion",
            In(P::ModelsPublish, "parent"),
        ),
        (
            "ModelVersionService/GetModelVersion",
            In(P::ModelsRead, "name"),
        ),
        (
            "ModelVersionService/ListModelVersions",
            In(P::ModelsRead, "parent"),
        ),
        (
            "ModelVersionService/DeleteModelVersion",
            In(P::ModelsPublish, "name"),
        ),
        (
            "RolloutService/StartRollout",
            In(P::ModelsPublish, "parent"),
        ),
        ("RolloutService/GetRollout", In(P::ModelsRead, "name")),
        ("RolloutService/ListRollouts", In(P::ModelsRead, "parent")),
        ("RolloutService/PauseRollout", In(P::ModelsPublish, "name")),
        ("RolloutService/ResumeRollout", In(P::ModelsPublish, "name")),
        (
            "RolloutService/ApproveRollout",
            In(P::ModelsPublish, "name"),
        ),
        (
            "RolloutService/PromoteRollout",
            In(P::ModelsPublish, "name"),
        ),
        ("RolloutService/AbortRollout", In(P::ModelsPublish, "name")),
        ("KeyService/CreateKey", In(P::KeysIssue, "parent")),
        ("KeyService/ImportKey", In(P::KeysIssue, "parent")),
        ("KeyService/GetKey", In(P::KeysRead, "name")),
        ("KeyService/ListKeys", In(P::KeysRead, "parent")),
        ("KeyService/ReportKeys", In(P::KeysRead, "parent")),
        ("KeyService/UpdateKey", In(P::KeysIssue, "key.name")),
        ("KeyService/RotateKey", In(P::KeysIssue, "name")),
        ("KeyService/EndKeyOverlap", In(P::KeysIssue, "name")),
        ("KeyService/RevokeKey", In(P::KeysRevoke, "name")),
        ("KeyService/DeleteKey", In(P::KeysRevoke, "name")),
        ("LimitService/CreateLimit", In(P::LimitsWrite, "parent")),
        ("LimitService/GetLimit", In(P::LimitsRead, "name")),
        ("LimitService/ListLimits", In(P::LimitsRead, "parent")),
        ("LimitService/ExplainLimits", In(P::LimitsRead, "key")),
        ("LimitService/UpdateLimit", In(P::LimitsWrite, "limit.name")),
        ("LimitService/DeleteLimit", In(P::LimitsWrite, "name")),
        ("BudgetService/CreateBudget", In(P::LimitsWrite, "parent")),
        ("BudgetService/GetBudget", In(P::LimitsRead, "name")),
        ("BudgetService/ListBudgets", In(P::LimitsRead, "parent")),
        ("BudgetService/GetBudgetStatus", In(P::LimitsRead, "name")),
        (
            "BudgetService/UpdateBudget",
            In(P::LimitsWrite, "budget.name"),
        ),
        ("BudgetService/DeleteBudget", In(P::LimitsWrite, "name")),
        ("IssuerService/CreateIssuer", In(P::IssuersWrite, "parent")),
        ("IssuerService/GetIssuer", In(P::IssuersRead, "name")),
        ("IssuerService/ListIssuers", In(P::IssuersRead, "parent")),
        (
            "IssuerService/UpdateIssuer",
            In(P::IssuersWrite, "issuer.name"),
        ),
        ("IssuerService/DeleteIssuer", In(P::IssuersWrite, "name")),
        ("PriceService/CreatePrice", In(P::PricesWrite, "parent")),
        ("PriceService/GetPrice", In(P::PricesRead, "name")),
        ("PriceService/ListPrices", In(P::PricesRead, "parent")),
        ("PriceService/DeletePrice", In(P::PricesWrite, "name")),
        // What is published is nobody's.
        ("PriceService/ListPublishedPrices", Operator),
        (
            "DiscountService/CreateDiscount",
            In(P::PricesWrite, "parent"),
        ),
        ("DiscountService/GetDiscount", In(P::PricesRead, "name")),
        ("DiscountService/ListDiscounts", In(P::PricesRead, "parent")),
        ("DiscountService/DeleteDiscount", In(P::PricesWrite, "name")),
        (
            "ExperimentService/StartExperiment",
            In(P::ModelsPublish, "parent"),
        ),
        ("ExperimentService/GetExperiment", In(P::ModelsRead, "name")),
        (
            "ExperimentService/ListExperiments",
            In(P::ModelsRead, "parent"),
        ),
        (
            "ExperimentService/StopExperiment",
            In(P::ModelsPublish, "name"),
        ),
        (
            "ExperimentService/ConcludeExperiment",
            In(P::ModelsPublish, "name"),
        ),
        ("UsageService/QueryUsage", In(P::UsageRead, "parent")),
        ("UsageService/GetUsageRecord", In(P::UsageRead, "parent")),
        ("UsageService/ExportUsage", In(P::UsageRead, "parent")),
        ("UsageService/SumFeedback", In(P::UsageRead, "parent")),
        (
            "UsageService/GetUsageContent",
            In(P::ContentReveal, "parent"),
        ),
        ("UsageService/EraseUsage", In(P::UsageErase, "parent")),
        ("UsageService/RepriceUsage", In(P::PricesWrite, "parent")),
        (
            "OperatorKeyService/CreateOperatorKey",
            In(P::OperatorsWrite, "parent"),
        ),
        (
            "OperatorKeyService/GetOperatorKey",
            In(P::OperatorsRead, "name"),
        ),
        (
            "OperatorKeyService/ListOperatorKeys",
            In(P::OperatorsRead, "parent"),
        ),
        (
            "OperatorKeyService/UpdateOperatorKey",
            In(P::OperatorsWrite, "operator_key.name"),
        ),
        (
            "OperatorKeyService/RevokeOperatorKey",
            In(P::OperatorsWrite, "name"),
        ),
        ("TrustService/CreateTrust", In(P::OperatorsWrite, "parent")),
        ("TrustService/GetTrust", In(P::OperatorsRead, "name")),
        ("TrustService/ListTrusts", In(P::OperatorsRead, "parent")),
        ("TrustService/DeleteTrust", In(P::OperatorsWrite, "name")),
        ("LoginService/ExchangeToken", Nothing),
        ("LoginService/DescribeLogin", Nothing),
        // Of the asker's own key alone.
        ("LoginService/WhoAmI", Operator),
        ("LoginService/Logout", Operator),
        ("AuditService/ListAuditEntries", In(P::AuditRead, "parent")),
        ("AuditService/ListAuditChains", In(P::AuditRead, "")),
        ("AuditService/ExportAuditEntries", In(P::AuditRead, "")),
        (
            "AlertService/CreateAlertChannel",
            In(P::AlertsWrite, "parent"),
        ),
        ("AlertService/GetAlertChannel", In(P::AlertsRead, "name")),
        (
            "AlertService/ListAlertChannels",
            In(P::AlertsRead, "parent"),
        ),
        (
            "AlertService/DeleteAlertChannel",
            In(P::AlertsWrite, "name"),
        ),
        ("AlertService/TestAlertChannel", In(P::AlertsWrite, "name")),
        ("AlertService/CreateAlertRule", In(P::AlertsWrite, "parent")),
        ("AlertService/GetAlertRule", In(P::AlertsRead, "name")),
        ("AlertService/ListAlertRules", In(P::AlertsRead, "parent")),
        ("AlertService/DeleteAlertRule", In(P::AlertsWrite, "name")),
        ("AlertService/ListAlerts", In(P::AlertsRead, "parent")),
        ("EdgeService/GetEdge", In(P::EdgesRead, "")),
        ("EdgeService/ListEdges", In(P::EdgesRead, "")),
        ("EdgeService/DeleteEdge", In(P::EdgesWrite, "")),
        ("EdgeService/CreateJoinToken", In(P::EdgesWrite, "")),
        ("EdgeService/ListJoinTokens", In(P::EdgesRead, "")),
        ("EdgeService/RevokeEdge", In(P::EdgesWrite, "")),
        ("EdgeService/RevokeJoinToken", In(P::EdgesWrite, "")),
        // Whoever writes may wait for it; the answer names edges and nothing of anybody's.
        ("EdgeService/WaitForPropagation", Operator),
    ]
};

/// What the method at this path needs: `/sluice.admin.v1.Service/Method`.
pub fn need(path: &str) -> Option<Need> {
    let method = path.strip_prefix("/sluice.admin.v1.")?;
    let row = METHODS.iter().find(|(it, _)| *it == method);
    row.map(|(_, need)| *need)
}

// === impl Role ===

impl Role {
    /// Whether the role holds the permission.
    pub fn holds(self, permission: Permission) -> bool {
        use Permission as P;
        let reads = matches!(
            permission,
            P::OrganizationsRead
                | P::ProjectsRead
                | P::ProvidersRead
                | P::ModelsRead
                | P::KeysRead
                | P::LimitsRead
                | P::IssuersRead
                | P::PricesRead
                | P::UsageRead
                | P::AlertsRead
        );
        match self {
            Self::Owner => true,
            Self::ProjectAdmin => matches!(
                permission,
                P::ProjectsRead
                    | P::ProjectsWrite
                    | P::KeysRead
                    | P::KeysIssue
                    | P::KeysRevoke
                    | P::UsageRead
            ),
            Self::KeyIssuer => matches!(
                permission,
                P::ProjectsRead | P::KeysRead | P::KeysIssue | P::KeysRevoke
            ),
            Self::ModelPublisher => matches!(
                permission,
                P::ModelsRead | P::ModelsPublish | P::ProvidersRead
            ),
            Self::ContentReader => {
                matches!(
                    permission,
                    P::ProjectsRead | P::UsageRead | P::ContentReveal
                )
            }
            Self::Auditor => {
                reads || matches!(permission, P::OperatorsRead | P::EdgesRead | P::AuditRead)
            }
            Self::Viewer => reads,
        }
    }
}

// === impl Bindings ===

impl Bindings {
    /// Whether they allow this there.
    pub fn allow(&self, permission: Permission, there: &Place) -> bool {
        let mut bindings = self.0.iter();
        bindings.any(|it| it.role.holds(permission) && it.at.covers(there))
    }

    /// Whether whoever holds these may bind that: nobody gives what they do not have.
    pub fn may_give(&self, binding: &Binding) -> bool {
        let mut held = Permission::ALL.iter().filter(|it| binding.role.holds(**it));
        held.all(|it| self.allow(*it, &binding.at))
    }

    /// The organizations of which anything may be seen; `None` means: all.
    pub fn organizations(&self) -> Option<Vec<Slug>> {
        let mut slugs = Vec::new();
        for binding in &self.0 {
            match &binding.at {
                Place::Everywhere if binding.role.holds(Permission::OrganizationsRead) => {
                    return None;
                }
                Place::Everywhere => {}
                Place::Organization(name) => slugs.push(name.organization.clone()),
                Place::Project(name) => slugs.push(name.organization.clone()),
            }
        }
        Some(slugs)
    }
}

#[cfg(test)]
#[path = "access_test.rs"]
mod tests;
