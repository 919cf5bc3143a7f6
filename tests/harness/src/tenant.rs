//! An organization with a project, a provider, a model and keys, made over the admin API in a few words.

use payload::transform::{Rule, headers::HeaderRule};
use proto::admin::{
    ClientDialect, CreateKeyRequest, CreateLimitRequest, CreateModelRequest,
    CreateModelVersionRequest, CreateOrganizationRequest, CreateProjectRequest,
    CreateProviderRequest, Key, Limit, LimitUnit, LimitWindow, Model, ModelVersion, Project,
    Provider, ProviderKind, Target, TransformSample, UpdateModelRequest,
};
use proto::recipe::{header_rule_wire, rule_wire};
use tonic::{Response, Status};

use crate::admin::Admin;

/// The credential of every provider that a [`Tenant`] makes.
pub const CREDENTIAL: &str = "sk-provider-credential-of-the-tests";

/// An organization of a test.
#[derive(Debug, Clone)]
pub struct Tenant {
    admin: Admin,
    /// `organizations/…`.
    pub organization: String,
    /// `organizations/…/projects/web`.
    pub project: String,
}

/// The rules of a version.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// For bodies.
    pub bodies: &'a str,
    /// For headers.
    pub headers: &'a str,
    /// What they are tried with, in the dialect of chat, and what that must become, if anything.
    pub samples: &'a [(&'a str, &'a str)],
    /// Whether nothing is made.
    pub only_tried: bool,
}

impl Default for Rules<'_> {
    fn default() -> Self {
        Self {
            bodies: "[]",
            headers: "[]",
            samples: &[],
            only_tried: false,
        }
    }
}

impl Tenant {
    /// Makes an organization with the project `web`, the provider `main` at `base_url` and the model `chat`,
    /// which that provider knows as `provider-chat`.
    pub async fn make(admin: &Admin, id: &str, base_url: &str) -> Self {
        let request = CreateOrganizationRequest {
            organization_id: id.to_owned(),
            ..Default::default()
        };
        let made = admin.organizations().create_organization(request).await;
        let organization = made.expect("an organization is made").into_inner().name;
        let request = CreateProjectRequest {
            parent: organization.clone(),
            project_id: "web".to_owned(),
            project: Some(Project::default()),
            ..Default::default()
        };
        let made = admin.projects().create_project(request).await;
        let project = made.expect("a project is made").into_inner().name;
        let tenant = Self {
            admin: admin.clone(),
            organization,
            project,
        };
        tenant.provider("main", base_url).await;
        tenant.model("chat", "main", "provider-chat").await;
        tenant
    }

    /// Makes a provider that speaks `OpenAI`'s dialect, with [`CREDENTIAL`].
    pub async fn provider(&self, id: &str, base_url: &str) {
        self.provider_of(ProviderKind::OpenaiCompatible, id, base_url)
            .await;
    }

    /// Makes a provider of this kind, with [`CREDENTIAL`].
    pub async fn provider_of(&self, kind: ProviderKind, id: &str, base_url: &str) {
        let provider = Provider {
            kind: kind.into(),
            base_url: base_url.to_owned(),
            credential: CREDENTIAL.to_owned(),
            ..Default::default()
        };
        self.provider_like(id, provider).await;
    }

    /// Makes this provider.
    pub async fn provider_like(&self, id: &str, provider: Provider) {
        let request = CreateProviderRequest {
            parent: self.organization.clone(),
            provider_id: id.to_owned(),
            provider: Some(provider),
            ..Default::default()
        };
        self.admin
            .providers()
            .create_provider(request)
            .await
            .expect("a provider is made");
    }

    /// Makes a model whose only version has one target.
    pub async fn model(&self, id: &str, provider: &str, provider_model: &str) {
        let request = CreateModelRequest {
            parent: self.organization.clone(),
            model_id: id.to_owned(),
            model: Some(Model::default()),
            ..Default::default()
        };
        let made = self.admin.models().create_model(request).await;
        let model = made.expect("a model is made").into_inner().name;
        let target = Target {
            provider: format!("{}/providers/{provider}", self.organization),
            provider_model: provider_model.to_owned(),
            weight: 0,
            capabilities: None,
        };
        let request = CreateModelVersionRequest {
            parent: model.clone(),
            model_version_id: "v1".to_owned(),
            model_version: Some(ModelVersion {
                targets: vec![target],
                ..Default::default()
            }),
            ..Default::default()
        };
        let made = self.admin.versions().create_model_version(request).await;
        let version = made.expect("a version is made").into_inner().name;
        let model = Model {
            name: model,
            stable_version: version,
            ..Default::default()
        };
        let request = UpdateModelRequest {
            model: Some(model),
            ..Default::default()
        };
        self.admin
            .models()
            .update_model(request)
            .await
            .expect("the version serves");
    }

    /// Makes a version of a model with one target and these rules, in the notation of `docs/transforms.md`.
    pub async fn version(
        &self,
        (model, id): (&str, &str),
        (provider, provider_model): (&str, &str),
        rules: Rules<'_>,
    ) -> Result<ModelVersion, Status> {
        let transform_rules = Rule::parse_all(rules.bodies).expect("rules of a test are rules");
        let header_rules = HeaderRule::parse_all(rules.headers).expect("and so are these");
        let samples = rules
            .samples
            .iter()
            .map(|(body, expected)| TransformSample {
                dialect: ClientDialect::Chat.into(),
                body: (*body).to_owned(),
                expected: (*expected).to_owned(),
                becomes: String::new(),
            });
        let request = CreateModelVersionRequest {
            parent: format!("{}/models/{model}", self.organization),
            model_version_id: id.to_owned(),
            model_version: Some(ModelVersion {
                targets: vec![Target {
                    provider: format!("{}/providers/{provider}", self.organization),
                    provider_model: provider_model.to_owned(),
                    weight: 0,
                    capabilities: None,
                }],
                transform_rules: transform_rules.into_iter().map(rule_wire).collect(),
                header_rules: header_rules.into_iter().map(header_rule_wire).collect(),
                samples: samples.collect(),
                ..Default::default()
            }),
            validate_only: rules.only_tried,
            ..Default::default()
        };
        let made = self.admin.versions().create_model_version(request).await;
        made.map(Response::into_inner)
    }

    /// Makes a model serve a version of its own.
    pub async fn serve(&self, model: &str, version: &str) {
        let name = format!("{}/models/{model}", self.organization);
        let request = UpdateModelRequest {
            model: Some(Model {
                stable_version: format!("{name}/versions/{version}"),
                name,
                ..Default::default()
            }),
            ..Default::default()
        };
        let served = self.admin.models().update_model(request).await;
        served.expect("the version serves");
    }

    /// Mints a key: its name and its text.
    pub async fn key(&self) -> (String, String) {
        let request = CreateKeyRequest {
            parent: self.project.clone(),
            key: Some(Key::default()),
            ..Default::default()
        };
        let made = self.admin.keys().create_key(request).await;
        let made = made.expect("a key is made").into_inner();
        (made.key.expect("the reply holds the key").name, made.text)
    }

    /// Makes a limit of `amount` a window, with `burst`, on `scope`.
    pub async fn limit(
        &self,
        id: &str,
        scope: &str,
        unit: LimitUnit,
        rate: (i64, LimitWindow, i64),
    ) {
        let limit = Limit {
            scope: scope.to_owned(),
            unit: unit.into(),
            amount: rate.0,
            window: rate.1.into(),
            burst: rate.2,
            ..Default::default()
        };
        self.limit_like(id, limit).await;
    }

    /// Makes this limit; without a scope, of the organization.
    pub async fn limit_like(&self, id: &str, mut limit: Limit) {
        if limit.scope.is_empty() {
            limit.scope.clone_from(&self.organization);
        }
        let request = CreateLimitRequest {
            parent: self.organization.clone(),
            limit_id: id.to_owned(),
            limit: Some(limit),
            ..Default::default()
        };
        self.admin
            .limits()
            .create_limit(request)
            .await
            .expect("a limit is made");
    }
}
