//! A database with a store on it, and short ways to fill it.

use std::{sync::Arc, time::Duration};

use domain::{
    base_url,
    name::{
        KeyName, LimitName, ModelName, OrganizationName, ProjectName, ProviderName, VersionName,
    },
    page::Page,
    segment::KeyId,
    version::Target,
};
use policy::{
    change::Edit,
    credential::Pepper,
    id::{LimitId, ModelId, OrganizationId, ProjectId, ProviderId, VersionId},
    limit::{Allowance, Rate, Unit},
    object::Object,
    provider::ProviderKind,
    region::Region,
    revision::Revision,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{
    ChangeRow, Changes, Config, Store, id::draw, key, key_secret::Secret, limit, model,
    organization, pepper, project, provider, version,
};

use crate::private::{Postgres, postgres};

/// A migrated database that nobody else uses meanwhile.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) url: String,
    database: Option<String>,
    // Kept, because the last one to drop it stops the server.
    postgres: Arc<Postgres>,
}

/// Makes a database as good as new: making another one costs a thousand files.
const CLEAN: &str = "
    SET session_replication_role = replica;
    DO $$ DECLARE it text; BEGIN
        FOR it IN SELECT tablename FROM pg_tables
            WHERE schemaname = 'public' AND tablename NOT IN ('_sqlx_migrations', 'head')
        LOOP EXECUTE format('DELETE FROM %I', it); END LOOP;
    END $$;
    UPDATE head SET revision = 0, epoch = gen_random_uuid();";

/// A page that holds everything.
pub(crate) fn all() -> Page {
    Page {
        size: 1_000,
        after: String::new(),
    }
}

/// A region.
pub(crate) fn region(name: &str) -> Region {
    Region::try_from(name).unwrap()
}

/// Twelve letters and digits, drawn by chance.
pub(crate) fn key_id() -> KeyId {
    let text: String = std::iter::repeat_with(fastrand::alphanumeric)
        .take(12)
        .collect();
    KeyId::parse(&text).unwrap()
}

/// The name of an organization.
pub(crate) fn organization_name(slug: &str) -> OrganizationName {
    OrganizationName::parse(&format!("organizations/{slug}")).unwrap()
}

/// The name of a project of acme.
pub(crate) fn project_name(slug: &str) -> ProjectName {
    ProjectName::parse(&format!("organizations/acme/projects/{slug}")).unwrap()
}

/// The name of a provider of acme.
pub(crate) fn provider_name(slug: &str) -> ProviderName {
    ProviderName::parse(&format!("organizations/acme/providers/{slug}")).unwrap()
}

/// The name of a model of acme.
pub(crate) fn model_name(slug: &str) -> ModelName {
    ModelName::parse(&format!("organizations/acme/models/{slug}")).unwrap()
}

/// The name of a version of a model of acme.
pub(crate) fn version_name(model: &str, slug: &str) -> VersionName {
    VersionName::parse(&format!(
        "organizations/acme/models/{model}/versions/{slug}"
    ))
    .unwrap()
}

/// The name of a limit of acme.
pub(crate) fn limit_name(slug: &str) -> LimitName {
    LimitName::parse(&format!("organizations/acme/limits/{slug}")).unwrap()
}

/// A new organization.
pub(crate) fn new_organization(slug: &str) -> organization::New {
    organization::New {
        id: OrganizationId::from_bytes(draw()),
        name: organization_name(slug),
        display_name: String::new(),
        zone: policy::calendar::Zone::UTC,
        tag_pairs: Vec::new(),
        audit_access: policy::audit_access::AuditAccess::None,
    }
}

/// A new provider of acme, without a credential.
pub(crate) fn new_provider(slug: &str, regions: &[&str]) -> provider::New {
    provider::New {
        id: ProviderId::from_bytes(draw()),
        name: provider_name(slug),
        display_name: String::new(),
        kind: ProviderKind::Vllm,
        base_url: base_url::parse("http://127.0.0.1:8000/v1").unwrap(),
        stream_options: true,
        passthrough: false,
        handling: policy::handling::Handling::default(),
        regions: regions.iter().map(|name| region(name)).collect(),
        exchange_origins: Vec::new(),
        mapping: None,
        credential_sealed: None,
    }
}

/// A new version of a model of acme that targets these providers.
pub(crate) fn new_version(model: &str, slug: &str, providers: &[&str]) -> version::New {
    let target = |name: &&str| Target {
        provider: provider_name(name),
        provider_model: format!("{name}-model"),
        weight: 0,
        capabilities: policy::capability::Capabilities::default(),
    };
    version::New {
        id: VersionId::from_bytes(draw()),
        name: version_name(model, slug),
        targets: providers.iter().map(target).collect(),
        provenance: vec![("git_sha".to_owned(), "abc".to_owned())],
        recipe: None,
        routing: policy::routing::Routing::default(),
        samples: Vec::new(),
    }
}

/// A new key of a project of acme.
pub(crate) fn new_key(project: &str) -> key::New {
    let ProjectName {
        organization,
        project,
    } = project_name(project);
    key::New {
        uid: draw(),
        name: KeyName {
            organization,
            project,
            key: key_id(),
        },
        environment: key::Environment::Live,
        display_name: String::new(),
        models: Vec::new(),
        expires_at: None,
        scope: domain::key_scope::Scope::default(),
        labels: Vec::new(),
        disabled: false,
        service_account: None,
        imported: false,
        secret: Secret {
            sha256_sealed: vec![1; 40],
            tag: [2; 32],
            pepper_version: 1,
        },
    }
}

/// A new limit of acme over this scope.
pub(crate) fn new_limit(slug: &str, scope: &str) -> limit::New {
    limit::New {
        id: LimitId::from_bytes(draw()),
        name: limit_name(slug),
        display_name: String::new(),
        scope: domain::name::ScopeName::parse(scope).unwrap(),
        narrowing: Default::default(),
        unit: Unit::Tokens,
        allowance: Allowance::Rate(Rate::new(1_000, 60_000, 100).unwrap()),
        terms: Default::default(),
        thresholds: Vec::new(),
    }
}

/// Waits until it is so, at most ten seconds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

// === impl World ===

impl World {
    /// A database without content, migrated.
    pub(crate) async fn new() -> Self {
        let postgres = postgres();
        // Migrating takes longer than copying what is migrated.
        let migrate = || async {
            let url = create_database(&postgres, "migrated", "template1").await;
            Store::migrate(&Config {
                url,
                connections_max: 1,
            })
            .await
            .unwrap();
        };
        postgres.migrated.get_or_init(migrate).await;
        let free = postgres.free.lock().unwrap().pop();
        let database = if let Some(database) = free {
            let mut connection = PgConnection::connect(&postgres.url(&database))
                .await
                .unwrap();
            sqlx::raw_sql(CLEAN).execute(&mut connection).await.unwrap();
            database
        } else {
            let database = postgres.next_database();
            create_database(&postgres, &database, "migrated").await;
            database
        };
        let url = postgres.url(&database);
        let store = open(&Config {
            url: url.clone(),
            connections_max: 16,
        })
        .await;
        Self {
            store,
            url,
            database: Some(database),
            postgres,
        }
    }

    /// Says that this database is not to be used again: what was done to it, cleaning does not undo.
    pub(crate) fn spoil(&mut self) {
        self.database = None;
    }

    /// A database without a schema.
    pub(crate) async fn unmigrated() -> (Arc<Postgres>, String) {
        let postgres = postgres();
        let url = create_database(&postgres, &postgres.next_database(), "template1").await;
        (postgres, url)
    }

    /// With organization acme, its project chat and a pepper.
    pub(crate) async fn acme() -> Self {
        let world = Self::new().await;
        let mut write = world.store.write("test").await.unwrap();
        organization::create(&mut write, new_organization("acme"))
            .await
            .unwrap();
        write.commit().await.unwrap();
        world.project("chat").await;
        let first = Pepper {
            version: 1,
            secret: [3; 32],
        };
        pepper::create(&world.store, &first, b"sealed")
            .await
            .unwrap();
        world
    }

    /// The id of acme.
    pub(crate) async fn acme_id(&self) -> OrganizationId {
        let acme = organization::get(&self.store, &organization_name("acme")).await;
        acme.unwrap().id
    }

    /// The changes after a revision, none of which was cut off.
    pub(crate) async fn changes_since(&self, after: Revision, limit: i64) -> Vec<ChangeRow> {
        match self.store.changes_since(after, limit).await.unwrap() {
            Changes::Rows(rows) => rows,
            Changes::Cut { oldest } => panic!("the log begins at {oldest}"),
        }
    }

    /// Runs SQL behind the back of the store.
    pub(crate) async fn sql(&self, sql: &'static str) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }

    /// Waits until a statement waits for a lock.
    pub(crate) async fn somebody_waits(&self) {
        let waits = async || {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                         AND datname = current_database())";
            let waits = sqlx::query_scalar::<_, bool>(waits);
            waits.fetch_one(&mut connection).await.unwrap()
        };
        eventually("somebody waits for a lock", waits).await;
    }

    pub(crate) async fn project(&self, slug: &str) -> project::Row {
        let mut write = self.store.write("test").await.unwrap();
        let new = project::New {
            id: ProjectId::from_bytes(draw()),
            name: project_name(slug),
            display_name: String::new(),
            traffic: policy::traffic::Traffic::default(),
            rotation: None,
            pins: Vec::new(),
            keeping: (policy::keeping::Keeping::None, 7),
            guard: policy::guard::Guard::default(),
        };
        let row = project::create(&mut write, new).await.unwrap();
        project::Row {
            revision: write.commit().await.unwrap(),
            ..row
        }
    }

    pub(crate) async fn provider(&self, slug: &str, regions: &[&str]) -> provider::Row {
        let mut write = self.store.write("test").await.unwrap();
        let new = new_provider(slug, regions);
        let row = provider::create(&mut write, new, None).await.unwrap();
        provider::Row {
            revision: write.commit().await.unwrap(),
            ..row
        }
    }

    pub(crate) async fn model(&self, slug: &str) -> model::Row {
        let mut write = self.store.write("test").await.unwrap();
        let new = model::New {
            id: ModelId::from_bytes(draw()),
            name: model_name(slug),
            display_name: String::new(),
            stable: None,
            rules: Vec::new(),
        };
        let row = model::create(&mut write, new).await.unwrap();
        model::Row {
            revision: write.commit().await.unwrap(),
            ..row
        }
    }

    pub(crate) async fn version(&self, model: &str, slug: &str, provider: &str) -> version::Row {
        let mut write = self.store.write("test").await.unwrap();
        let new = new_version(model, slug, &[provider]);
        let row = version::create(&mut write, new).await.unwrap();
        version::Row {
            revision: write.commit().await.unwrap(),
            ..row
        }
    }

    pub(crate) async fn key(&self, new: key::New) -> key::Row {
        let mut write = self.store.write("test").await.unwrap();
        let row = key::create(&mut write, new).await.unwrap();
        key::Row {
            revision: write.commit().await.unwrap(),
            ..row
        }
    }

    pub(crate) async fn revoke(&self, name: &KeyName) -> (key::Row, Revision) {
        let mut write = self.store.write("test").await.unwrap();
        let row = key::revoke(&mut write, name, false).await.unwrap();
        (row, write.commit().await.unwrap())
    }

    pub(crate) async fn limit(&self, new: limit::New) -> limit::Row {
        let mut write = self.store.write("test").await.unwrap();
        let row = limit::create(&mut write, new).await.unwrap();
        write.commit().await.unwrap();
        row
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(database) = self.database.take() {
            self.postgres.free.lock().unwrap().push(database);
        }
    }
}

/// A store that encodes every object as its debug text, which shows no secret; and of a key what it leaves out.
pub(crate) async fn open(config: &Config) -> Store {
    let encode = |edit: &Edit| match edit {
        Edit::Upsert(Object::Key(key)) => {
            let (object, needs) = (Object::Key(key.clone()), key.config_revision);
            format!("{object:?} expires {:?} needs {needs}", key.expires_at_ms).into_bytes()
        }
        Edit::Upsert(object) => format!("{object:?}").into_bytes(),
        Edit::Revoke {
            cut_streams: true, ..
        } => b"cut".to_vec(),
        Edit::Revoke { .. } | Edit::Delete { .. } => Vec::new(),
    };
    Store::open(config, Arc::new(encode)).await.unwrap()
}

async fn create_database(postgres: &Postgres, name: &str, template: &str) -> String {
    let mut connection = connect_when_ready(&postgres.url("postgres")).await;
    let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
    sqlx::raw_sql(AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .unwrap();
    postgres.url(name)
}

/// The socket is there a moment before the server takes connections.
async fn connect_when_ready(url: &str) -> PgConnection {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        match PgConnection::connect(url).await {
            Ok(connection) => return connection,
            Err(why) => assert!(tokio::time::Instant::now() < deadline, "{why}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
