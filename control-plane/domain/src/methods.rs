//! What each method of the admin API needs, in one table.
//!
//! Knows methods by their paths; knows nothing of who asks. Whatever is not in the table is allowed to nobody.

use crate::access::Permission;

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
        ("ModelService/DeprecateModel", In(P::ModelsPublish, "name")),
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
            "ModelVersionService/DeprecateModelVersion",
            In(P::ModelsPublish, "name"),
        ),
        (
            "ModelVersionService/DeleteModelVersion",
            In(P::ModelsPublish, "name"),
        ),
        (
            "ModelAliasService/CreateModelAlias",
            In(P::ModelsPublish, "parent"),
        ),
        ("ModelAliasService/GetModelAlias", In(P::ModelsRead, "name")),
        (
            "ModelAliasService/ListModelAliases",
            In(P::ModelsRead, "parent"),
        ),
        (
            "ModelAliasService/UpdateModelAlias",
            In(P::ModelsPublish, "model_alias.name"),
        ),
        (
            "ModelAliasService/DeleteModelAlias",
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
        (
            "RolloutService/ForceStartRollout",
            In(P::FreezesOverride, "parent"),
        ),
        (
            "RolloutService/ForceRollout",
            In(P::FreezesOverride, "name"),
        ),
        (
            "FreezeService/CreateFreezeWindow",
            In(P::FreezesWrite, "parent"),
        ),
        ("FreezeService/GetFreezeWindow", In(P::ModelsRead, "name")),
        (
            "FreezeService/ListFreezeWindows",
            In(P::ModelsRead, "parent"),
        ),
        (
            "FreezeService/DeleteFreezeWindow",
            In(P::FreezesWrite, "name"),
        ),
        (
            "VersionSourceService/CreateVersionSource",
            In(P::ModelsPublish, "parent"),
        ),
        (
            "VersionSourceService/GetVersionSource",
            In(P::ModelsRead, "name"),
        ),
        (
            "VersionSourceService/ListVersionSources",
            In(P::ModelsRead, "parent"),
        ),
        (
            "VersionSourceService/DeleteVersionSource",
            In(P::ModelsPublish, "name"),
        ),
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
        (
            "ServiceAccountService/CreateServiceAccount",
            In(P::KeysIssue, "parent"),
        ),
        (
            "ServiceAccountService/GetServiceAccount",
            In(P::KeysRead, "name"),
        ),
        (
            "ServiceAccountService/ListServiceAccounts",
            In(P::KeysRead, "parent"),
        ),
        (
            "ServiceAccountService/UpdateServiceAccount",
            In(P::KeysIssue, "service_account.name"),
        ),
        (
            "ServiceAccountService/DeleteServiceAccount",
            In(P::KeysRevoke, "name"),
        ),
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
        ("ShadowService/StartShadow", In(P::ModelsPublish, "parent")),
        ("ShadowService/GetShadow", In(P::ModelsRead, "name")),
        ("ShadowService/ListShadows", In(P::ModelsRead, "parent")),
        ("ShadowService/StopShadow", In(P::ModelsPublish, "name")),
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
        ("RoleService/CreateRole", In(P::OperatorsWrite, "parent")),
        ("RoleService/GetRole", In(P::OperatorsRead, "name")),
        ("RoleService/ListRoles", In(P::OperatorsRead, "parent")),
        ("RoleService/UpdateRole", In(P::OperatorsWrite, "role.name")),
        ("RoleService/DeleteRole", In(P::OperatorsWrite, "name")),
        // The same table for everybody.
        ("RoleService/ListPermissions", Operator),
        ("TrustService/CreateTrust", In(P::OperatorsWrite, "parent")),
        ("TrustService/GetTrust", In(P::OperatorsRead, "name")),
        ("TrustService/ListTrusts", In(P::OperatorsRead, "parent")),
        ("TrustService/DeleteTrust", In(P::OperatorsWrite, "name")),
        (
            "LocalUserService/CreateLocalUser",
            In(P::OperatorsWrite, "parent"),
        ),
        (
            "LocalUserService/GetLocalUser",
            In(P::OperatorsRead, "name"),
        ),
        (
            "LocalUserService/ListLocalUsers",
            In(P::OperatorsRead, "parent"),
        ),
        (
            "LocalUserService/UpdateLocalUser",
            In(P::OperatorsWrite, "local_user.name"),
        ),
        (
            "LocalUserService/ResetLocalUser",
            In(P::OperatorsWrite, "name"),
        ),
        (
            "LocalUserService/DeleteLocalUser",
            In(P::OperatorsWrite, "name"),
        ),
        ("LoginService/ExchangeToken", Nothing),
        ("LoginService/DescribeLogin", Nothing),
        ("LoginService/LogIn", Nothing),
        ("LoginService/BeginActivation", Nothing),
        ("LoginService/FinishActivation", Nothing),
        ("LoginService/ChangePassword", Nothing),
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
        // Of the whole installation, as edges are.
        ("SealingService/GetSealing", In(P::EdgesRead, "")),
        ("SealingService/RotatePepper", In(P::EdgesWrite, "")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_stands_in_the_table_once() {
        for (at, (method, _)) in METHODS.iter().enumerate() {
            assert!(
                METHODS[..at].iter().all(|(other, _)| other != method),
                "{method}"
            );
        }
        assert_eq!(need("/sluice.admin.v1.KeyService/NoMethod"), None);
        assert_eq!(need("/other.KeyService/CreateKey"), None);
    }
}
