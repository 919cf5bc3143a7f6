//! The admin API: every service of `sluice.admin.v1`, behind the gate and the check for unknown fields.
//!
//! Owns the way from a message to a command and from a row to a message. What may be asked is `domain`'s, what
//! stands there is the store's, and how a refusal looks is `status`'s.

use std::sync::Arc;

use courier::Courier;
use lifecycle::clock::Clock;
use proto::{
    admin::{
        alert_service_server::AlertServiceServer, audit_service_server::AuditServiceServer,
        budget_service_server::BudgetServiceServer, discount_service_server::DiscountServiceServer,
        edge_service_server::EdgeServiceServer, experiment_service_server::ExperimentServiceServer,
        freeze_service_server::FreezeServiceServer, issuer_service_server::IssuerServiceServer,
        key_service_server::KeyServiceServer, limit_service_server::LimitServiceServer,
        local_user_service_server::LocalUserServiceServer,
        login_service_server::LoginServiceServer,
        model_alias_service_server::ModelAliasServiceServer,
        model_service_server::ModelServiceServer,
        model_version_service_server::ModelVersionServiceServer,
        operator_key_service_server::OperatorKeyServiceServer,
        organization_service_server::OrganizationServiceServer,
        price_service_server::PriceServiceServer, project_service_server::ProjectServiceServer,
        provider_service_server::ProviderServiceServer, role_service_server::RoleServiceServer,
        rollout_service_server::RolloutServiceServer, sealing_service_server::SealingServiceServer,
        service_account_service_server::ServiceAccountServiceServer,
        shadow_service_server::ShadowServiceServer, trust_service_server::TrustServiceServer,
        usage_service_server::UsageServiceServer,
        version_source_service_server::VersionSourceServiceServer,
    },
    unknown::Contract,
};
use seal::Ring;
use store::Store;
use tokio::sync::watch;
use tonic::service::Routes;

use crate::{
    denials::Denials, entrance::Entrance, exchange::Exchange, inquiry::Inquiry, strict::StrictLayer,
};

pub mod pepper;
mod moment;
mod span;
mod mask;
mod page;
mod gate;
pub(crate) mod measured;
mod access;
mod desk;
mod giving;
mod organization;
mod key_scope_wire;
mod key_wire;
mod key_rotation_wire;
mod project;
mod mapping_wire;
mod provider_wire;
mod provider;
mod explained;
mod route_explained;
mod capability_wire;
mod deprecation_wire;
mod model;
mod recipe_wire;
pub(crate) mod model_version;
mod alias_wire;
mod alias;
mod freeze;
pub(crate) mod rollout_wire;
mod rollout;
pub(crate) mod version_source_wire;
mod version_source;
pub(crate) mod experiment_wire;
mod experiment;
pub(crate) mod shadow_wire;
mod shadow;
mod key;
mod service_account_wire;
mod service_account;
mod limit_terms;
mod limit_wire;
mod limit_explained;
mod limit;
mod budget_wire;
mod budget_held;
mod budget;
mod issuer_wire;
mod issuer;
mod price_wire;
mod price;
mod discount;
mod join_token;
mod propagation;
mod edge;
mod reprice;
mod usage_asked;
mod usage_decided;
mod usage_feedback;
pub(crate) mod usage_wire;
mod usage;
mod operator_key_wire;
mod operator_key;
mod role_wire;
mod role;
mod local_user_wire;
mod local_user;
pub(crate) mod alert_channel_wire;
mod alert_rule_wire;
mod alert;
mod trust_wire;
mod trust;
pub(crate) mod entering;
pub(crate) mod login;
mod audit;
pub(crate) mod sealing_wire;
mod sealing;

/// What the services are made of.
pub struct Parts {
    /// Where everything stands.
    pub store: Store,
    /// Seals secrets, kept replies and page tokens.
    pub sealing: Ring,
    /// Tells what has expired.
    pub clock: Clock,
    /// Changes whenever the change log or an edge has news.
    pub bells: watch::Receiver<u64>,
    /// Knows every field that a request may carry.
    pub contract: Contract,
    /// Takes what is denied, for the audit trail.
    pub denials: Denials,
    /// The fingerprint of the authority that certifies edges; `None` where edges are met without TLS.
    pub authority: Option<String>,
    /// Asks edges.
    pub inquiry: Inquiry,
    /// Brings notices that are tried.
    pub courier: Courier,
    /// Proves those who have no key yet.
    pub proofs: Proofs,
}

/// What proves those who have no key yet.
pub struct Proofs {
    /// Their tokens.
    pub exchange: Arc<Exchange>,
    /// Local users.
    pub entrance: Arc<Entrance>,
}

/// Every service of the admin port: `others`, such as health and reflection, and ours, all behind the gate.
pub fn routes(parts: Parts, others: Routes) -> Routes {
    let Parts {
        store,
        sealing,
        clock,
        bells,
        contract,
        denials,
        authority,
        inquiry,
        courier,
        proofs,
    } = parts;
    let desk = desk::Desk::new(store.of_requests(), sealing, contract.clone());
    let organizations = organization::Organizations::new(desk.clone());
    let projects = project::Projects::new(desk.clone());
    let providers = provider::Providers::new(desk.clone());
    let others = released(others, &desk, (clock.clone(), inquiry.clone()));
    let keys = key::Keys::new(desk.clone(), clock.clone());
    let service_accounts = service_account::ServiceAccounts::new(desk.clone());
    let limits = limit::Limits::new(desk.clone(), inquiry.clone());
    let budgets = budget::Budgets::new(desk.clone(), clock.clone(), inquiry);
    let issuers = issuer::Issuers::new(desk.clone());
    let prices = price::Prices::new(desk.clone());
    let discounts = discount::Discounts::new(desk.clone());
    let edges = edge::Edges::new(desk.clone(), clock.clone(), bells, authority);
    let operator_keys = operator_key::OperatorKeys::new(desk.clone(), clock.clone());
    let roles = role::Roles::new(desk.clone());
    let local_users = local_user::LocalUsers::new(desk.clone(), clock.clone());
    let trusts = trust::Trusts::new(desk.clone());
    let logins = logins(desk.clone(), clock.clone(), denials.clone(), proofs);
    let audits = audit::Audits::new(desk.clone(), clock.clone());
    let sealings = sealing::Sealings::new(desk.clone());
    let alerts = alert::Alerts::new(desk.clone(), clock.clone(), courier);
    let usages = usage::Usages::new(desk, clock);
    let all = others
        .add_service(OrganizationServiceServer::new(organizations))
        .add_service(ProjectServiceServer::new(projects))
        .add_service(ProviderServiceServer::new(providers))
        .add_service(KeyServiceServer::new(keys))
        .add_service(ServiceAccountServiceServer::new(service_accounts))
        .add_service(LimitServiceServer::new(limits))
        .add_service(BudgetServiceServer::new(budgets))
        .add_service(IssuerServiceServer::new(issuers))
        .add_service(PriceServiceServer::new(prices))
        .add_service(DiscountServiceServer::new(discounts))
        .add_service(EdgeServiceServer::new(edges))
        .add_service(OperatorKeyServiceServer::new(operator_keys))
        .add_service(RoleServiceServer::new(roles))
        .add_service(LocalUserServiceServer::new(local_users))
        .add_service(TrustServiceServer::new(trusts))
        .add_service(LoginServiceServer::new(logins))
        .add_service(AuditServiceServer::new(audits))
        .add_service(AlertServiceServer::new(alerts))
        .add_service(SealingServiceServer::new(sealings))
        .add_service(UsageServiceServer::new(usages));
    behind_gate(all, (store, contract, denials))
}

/// Models, and what is released of them.
fn released(others: Routes, desk: &desk::Desk, (clock, inquiry): (Clock, Inquiry)) -> Routes {
    let models = model::Models::new(desk.clone(), inquiry);
    let versions = model_version::ModelVersions::new(desk.clone());
    let aliases = alias::Aliases::new(desk.clone());
    let freezes = freeze::Freezes::new(desk.clone());
    let rollouts = rollout::Rollouts::new(desk.clone());
    let sources = version_source::VersionSources::new(desk.clone());
    let experiments = experiment::Experiments::new(desk.clone());
    let shadows = shadow::Shadows::new(desk.clone(), clock);
    others
        .add_service(ModelServiceServer::new(models))
        .add_service(ModelVersionServiceServer::new(versions))
        .add_service(ModelAliasServiceServer::new(aliases))
        .add_service(FreezeServiceServer::new(freezes))
        .add_service(RolloutServiceServer::new(rollouts))
        .add_service(VersionSourceServiceServer::new(sources))
        .add_service(ExperimentServiceServer::new(experiments))
        .add_service(ShadowServiceServer::new(shadows))
}

fn logins(
    desk: desk::Desk,
    clock: Clock,
    denials: Denials,
    Proofs { exchange, entrance }: Proofs,
) -> login::Logins {
    let entering = entering::Entering::new(desk.clone(), clock.clone(), denials.clone(), entrance);
    login::Logins::new(desk, clock, denials, exchange, entering)
}

fn behind_gate(all: Routes, (store, contract, denials): (Store, Contract, Denials)) -> Routes {
    // The layer that is added last is met first: no byte of a body is read for nobody.
    let layered = all
        .into_axum_router()
        .layer(access::AccessLayer::new(contract.clone(), denials.clone()))
        .layer(StrictLayer::new(contract.clone()))
        .layer(gate::GateLayer::new(store, denials))
        .layer(measured::MeasuredLayer::new(contract));
    Routes::from(layered)
}
