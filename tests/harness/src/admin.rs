//! The admin API, as an operator with a key sees it.

use proto::admin::{
    alert_service_client::AlertServiceClient, audit_service_client::AuditServiceClient,
    budget_service_client::BudgetServiceClient, discount_service_client::DiscountServiceClient,
    edge_service_client::EdgeServiceClient, experiment_service_client::ExperimentServiceClient,
    freeze_service_client::FreezeServiceClient, issuer_service_client::IssuerServiceClient,
    key_service_client::KeyServiceClient, limit_service_client::LimitServiceClient,
    local_user_service_client::LocalUserServiceClient,
    model_alias_service_client::ModelAliasServiceClient, model_service_client::ModelServiceClient,
    model_version_service_client::ModelVersionServiceClient,
    operator_key_service_client::OperatorKeyServiceClient,
    organization_service_client::OrganizationServiceClient,
    price_service_client::PriceServiceClient, project_service_client::ProjectServiceClient,
    provider_service_client::ProviderServiceClient, role_service_client::RoleServiceClient,
    rollout_service_client::RolloutServiceClient, sealing_service_client::SealingServiceClient,
    shadow_service_client::ShadowServiceClient, trust_service_client::TrustServiceClient,
    usage_service_client::UsageServiceClient,
    version_source_service_client::VersionSourceServiceClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

/// An operator's connection to one control plane.
#[derive(Debug, Clone)]
pub struct Admin {
    channel: Channel,
    bearer: Bearer,
}

/// Presents the operator's key.
#[derive(Debug, Clone)]
pub struct Bearer(MetadataValue<Ascii>);

/// A channel that presents the operator's key.
pub type Authorized = InterceptedService<Channel, Bearer>;

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

impl Admin {
    /// Connects when first used.
    pub fn new(address: std::net::SocketAddr, key: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let value = format!("Bearer {key}").parse().expect("a key is ASCII");
        Self {
            channel: endpoint.connect_lazy(),
            bearer: Bearer(value),
        }
    }

    /// The channel itself, with the key.
    pub fn channel(&self) -> Authorized {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }

    /// Organizations.
    pub fn organizations(&self) -> OrganizationServiceClient<Authorized> {
        OrganizationServiceClient::new(self.channel())
    }

    /// Sealing keys and peppers.
    pub fn sealing(&self) -> SealingServiceClient<Authorized> {
        SealingServiceClient::new(self.channel())
    }

    /// Trusts.
    pub fn trusts(&self) -> TrustServiceClient<Authorized> {
        TrustServiceClient::new(self.channel())
    }

    /// Local users.
    pub fn local_users(&self) -> LocalUserServiceClient<Authorized> {
        LocalUserServiceClient::new(self.channel())
    }

    /// Roles of organizations' own.
    pub fn roles(&self) -> RoleServiceClient<Authorized> {
        RoleServiceClient::new(self.channel())
    }

    /// Projects.
    pub fn projects(&self) -> ProjectServiceClient<Authorized> {
        ProjectServiceClient::new(self.channel())
    }

    /// Providers.
    pub fn providers(&self) -> ProviderServiceClient<Authorized> {
        ProviderServiceClient::new(self.channel())
    }

    /// Models.
    pub fn models(&self) -> ModelServiceClient<Authorized> {
        ModelServiceClient::new(self.channel())
    }

    /// Versions.
    pub fn versions(&self) -> ModelVersionServiceClient<Authorized> {
        ModelVersionServiceClient::new(self.channel())
    }

    /// Keys.
    pub fn keys(&self) -> KeyServiceClient<Authorized> {
        KeyServiceClient::new(self.channel())
    }

    /// Budgets.
    pub fn budgets(&self) -> BudgetServiceClient<Authorized> {
        BudgetServiceClient::new(self.channel())
    }

    /// Limits.
    pub fn limits(&self) -> LimitServiceClient<Authorized> {
        LimitServiceClient::new(self.channel())
    }

    /// Experiments.
    pub fn experiments(&self) -> ExperimentServiceClient<Authorized> {
        ExperimentServiceClient::new(self.channel())
    }

    /// Shadows.
    pub fn shadows(&self) -> ShadowServiceClient<Authorized> {
        ShadowServiceClient::new(self.channel())
    }

    /// Aliases of models.
    pub fn aliases(&self) -> ModelAliasServiceClient<Authorized> {
        ModelAliasServiceClient::new(self.channel())
    }

    /// Freezes.
    pub fn freezes(&self) -> FreezeServiceClient<Authorized> {
        FreezeServiceClient::new(self.channel())
    }

    /// Sources of versions.
    pub fn sources(&self) -> VersionSourceServiceClient<Authorized> {
        VersionSourceServiceClient::new(self.channel())
    }

    /// Rollouts.
    pub fn rollouts(&self) -> RolloutServiceClient<Authorized> {
        RolloutServiceClient::new(self.channel())
    }

    /// Issuers.
    pub fn issuers(&self) -> IssuerServiceClient<Authorized> {
        IssuerServiceClient::new(self.channel())
    }

    /// Prices.
    pub fn prices(&self) -> PriceServiceClient<Authorized> {
        PriceServiceClient::new(self.channel())
    }

    /// Discounts.
    pub fn discounts(&self) -> DiscountServiceClient<Authorized> {
        DiscountServiceClient::new(self.channel())
    }

    /// Edges.
    pub fn edges(&self) -> EdgeServiceClient<Authorized> {
        EdgeServiceClient::new(self.channel())
    }

    /// Operator keys.
    pub fn operator_keys(&self) -> OperatorKeyServiceClient<Authorized> {
        OperatorKeyServiceClient::new(self.channel())
    }

    /// The audit trail.
    pub fn audit(&self) -> AuditServiceClient<Authorized> {
        AuditServiceClient::new(self.channel())
    }

    /// Alerts.
    pub fn alerts(&self) -> AlertServiceClient<Authorized> {
        AlertServiceClient::new(self.channel())
    }

    /// Usage.
    pub fn usage(&self) -> UsageServiceClient<Authorized> {
        UsageServiceClient::new(self.channel())
    }
}
