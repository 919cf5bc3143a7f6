//! What stands in a fresh `sluice dev`: an organization, a project, the demo provider, its models, a key.
//!
//! Made over the admin API, as an operator would. Each step looks first, so that a start that was cut short
//! is completed by the next.

use prost::Message;
use prost_reflect::DynamicMessage;
use proto::admin::{
    CreateJoinTokenRequest, CreateJoinTokenResponse, CreateKeyRequest, CreateKeyResponse,
    CreateModelRequest, CreateModelVersionRequest, CreateOrganizationRequest, CreateProjectRequest,
    CreateProviderRequest, GetProviderRequest, JoinToken, Key, Model, ModelVersion, Organization,
    Project, Provider, ProviderKind, Target, UpdateModelRequest, UpdateProviderRequest,
};
use zeroize::Zeroizing;

use crate::{
    connection::{ANSWER_WITHIN, Connection},
    demo::model,
    dev::{edge::REGION, folder::Folder},
    failure::{Exit, Failure},
    noun::{self, Noun},
};

/// The organization, project and provider.
pub const DEMO: &str = "demo";

const ORGANIZATION: &str = "organizations/demo";
const PROJECT: &str = "organizations/demo/projects/demo";
const PROVIDER: &str = "organizations/demo/providers/demo";

/// The files with the key of the demo project and the edge's token.
const CLIENT_KEY: &str = "client-key";
const JOIN_TOKEN: &str = "join-token";

/// The demo provider of this start.
pub struct Upstream {
    /// Where it is, with `/v1`.
    pub base_url: String,
    /// What it takes.
    pub credential: Zeroizing<String>,
    /// Where it is written down to be, if it is.
    pub known: Option<String>,
}

/// What a start needs of it.
pub struct Content {
    /// The key of the demo project.
    pub client_key: Zeroizing<String>,
    /// The edge's token.
    pub join_token: Zeroizing<String>,
    /// The revision of the last write of this start; zero when nothing was written.
    pub revision: i64,
}

/// Where the demo provider was when it was last written down.
pub async fn provider_base_url(connection: &mut Connection) -> Result<Option<String>, Failure> {
    let request = GetProviderRequest {
        name: PROVIDER.to_owned(),
    };
    let path = "ProviderService/GetProvider";
    match connection
        .call_for::<Provider>(path, &request, ANSWER_WITHIN)
        .await
    {
        Ok(provider) => Ok(Some(provider.base_url)),
        Err(failure) if failure.exit() == Exit::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Makes what is missing, with the demo provider where it is now.
pub async fn prepare(
    connection: &mut Connection,
    folder: &Folder,
    upstream: &Upstream,
) -> Result<Content, Failure> {
    let mut maker = Maker {
        connection,
        revision: 0,
    };
    // The key is kept last, so it says that all the rest is there.
    let client_key = if let Some(text) = folder.secret(CLIENT_KEY)? {
        text
    } else {
        maker.tenant().await?;
        maker.provider(upstream).await?;
        for name in [model::CHAT, model::EMBEDDING] {
            maker.model(name).await?;
        }
        let text = maker.key().await?;
        folder.keep(CLIENT_KEY, &text)?;
        text
    };
    let join_token = if let Some(text) = folder.secret(JOIN_TOKEN)? {
        text
    } else {
        let text = maker.join_token().await?;
        folder.keep(JOIN_TOKEN, &text)?;
        text
    };
    if upstream
        .known
        .as_ref()
        .is_some_and(|known| *known != upstream.base_url)
    {
        maker.move_provider(&upstream.base_url).await?;
    }
    Ok(Content {
        client_key,
        join_token,
        revision: maker.revision,
    })
}

struct Maker<'a> {
    connection: &'a mut Connection,
    revision: i64,
}

// === impl Maker ===

impl Maker<'_> {
    async fn tenant(&mut self) -> Result<(), Failure> {
        let organization = CreateOrganizationRequest {
            organization_id: DEMO.to_owned(),
            organization: Some(Organization {
                display_name: "Demo".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.ensure(&noun::ORGANIZATION, &organization).await?;
        let project = CreateProjectRequest {
            parent: ORGANIZATION.to_owned(),
            project_id: DEMO.to_owned(),
            project: Some(Project {
                display_name: "Demo".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.ensure(&noun::PROJECT, &project).await
    }

    async fn provider(&mut self, upstream: &Upstream) -> Result<(), Failure> {
        let provider = Provider {
            display_name: "The demo provider of sluice dev".to_owned(),
            kind: ProviderKind::OpenaiCompatible.into(),
            base_url: upstream.base_url.clone(),
            credential: upstream.credential.as_str().to_owned(),
            ..Default::default()
        };
        let request = CreateProviderRequest {
            parent: ORGANIZATION.to_owned(),
            provider_id: DEMO.to_owned(),
            provider: Some(provider),
            ..Default::default()
        };
        self.ensure(&noun::PROVIDER, &request).await
    }

    async fn move_provider(&mut self, base_url: &str) -> Result<(), Failure> {
        let provider = Provider {
            name: PROVIDER.to_owned(),
            base_url: base_url.to_owned(),
            ..Default::default()
        };
        let request = UpdateProviderRequest {
            provider: Some(provider),
            ..Default::default()
        };
        self.write("ProviderService/UpdateProvider", &request).await
    }

    async fn model(&mut self, name: &str) -> Result<(), Failure> {
        let request = CreateModelRequest {
            parent: ORGANIZATION.to_owned(),
            model_id: name.to_owned(),
            model: Some(Model::default()),
            ..Default::default()
        };
        self.ensure(&noun::MODEL, &request).await?;
        let model = format!("{ORGANIZATION}/models/{name}");
        let target = Target {
            provider: PROVIDER.to_owned(),
            provider_model: name.to_owned(),
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
        self.ensure(&noun::MODEL_VERSION, &request).await?;
        let stable_version = format!("{model}/versions/v1");
        let model = Model {
            name: model,
            stable_version,
            ..Default::default()
        };
        let request = UpdateModelRequest {
            model: Some(model),
            ..Default::default()
        };
        self.write("ModelService/UpdateModel", &request).await
    }

    async fn key(&mut self) -> Result<Zeroizing<String>, Failure> {
        let key = Key {
            display_name: "The key that sluice dev prints".to_owned(),
            ..Default::default()
        };
        let request = CreateKeyRequest {
            parent: PROJECT.to_owned(),
            key: Some(key),
            ..Default::default()
        };
        let made: CreateKeyResponse = self
            .connection
            .call_for("KeyService/CreateKey", &request, ANSWER_WITHIN)
            .await?;
        self.revision = self.revision.max(made.key.map_or(0, |key| key.revision));
        Ok(Zeroizing::new(made.text))
    }

    async fn join_token(&mut self) -> Result<Zeroizing<String>, Failure> {
        let join_token = JoinToken {
            region: REGION.to_owned(),
            display_name: "The edge of sluice dev".to_owned(),
            ..Default::default()
        };
        let request = CreateJoinTokenRequest {
            join_token: Some(join_token),
            ..Default::default()
        };
        let path = "EdgeService/CreateJoinToken";
        let made: CreateJoinTokenResponse = self
            .connection
            .call_for(path, &request, ANSWER_WITHIN)
            .await?;
        Ok(Zeroizing::new(made.text))
    }

    /// Makes one, unless an earlier start has made it.
    async fn ensure(&mut self, noun: &Noun, request: &impl Message) -> Result<(), Failure> {
        match self.write(&noun.method("Create"), request).await {
            Err(failure) if failure.is_taken() => Ok(()),
            done => done,
        }
    }

    async fn write(&mut self, path: &str, request: &impl Message) -> Result<(), Failure> {
        let reply: DynamicMessage = self.connection.call(path, request, ANSWER_WITHIN).await?;
        let revision = reply
            .get_field_by_name("revision")
            .and_then(|value| value.as_i64());
        self.revision = self.revision.max(revision.unwrap_or(0));
        Ok(())
    }
}
