//! The second line: what runs for a request of one organization sees no row of another, whatever its statement says.

use std::collections::BTreeMap;

use domain::{name::OrganizationName, page::Page};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{Config, NotMigrated, Reach, Store, StoreError, model, organization, project};

use crate::world::{
    World, model_name, new_key, new_limit, new_organization, open, organization_name, project_name,
};

/// Tables whose rows are no organization's, and tables that only the control plane's own work touches: what is not granted
/// is not there for a request of an organization.
const SHARED: [&str; 5] = [
    "feedback",
    "idempotency",
    "pepper",
    "usage_horizon",
    "usage_region",
];

/// Tables of the installation that name an organization: nothing of them is granted.
const THE_INSTALLATIONS: [&str; 6] = [
    "change",
    "edge",
    "edge_identity",
    "edge_question",
    "join_token",
    "object",
];

const KEPT: &str = "SELECT relname::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relrowsecurity
    ORDER BY relname";

const GRANTED: &str = "SELECT DISTINCT table_name::text FROM information_schema.role_table_grants
    WHERE grantee = 'sluice_organization' ORDER BY table_name";

const WITH_A_POLICY: &str = "SELECT tablename::text FROM pg_policies
    WHERE roles = '{sluice_organization}' ORDER BY tablename";

/// Tables that say themselves whose a row is.
const SAYS_WHOSE: &str = "SELECT it.relname::text FROM pg_class it JOIN pg_attribute a ON a.attrelid = it.oid
    WHERE it.relnamespace = 'public'::regnamespace AND it.relkind IN ('r', 'p') AND NOT it.relispartition
      AND a.attname = 'organization' AND NOT a.attisdropped
    ORDER BY it.relname";

async fn texts(connection: &mut PgConnection, sql: &'static str) -> Vec<String> {
    let found = sqlx::query_scalar::<_, String>(sql);
    found.fetch_all(connection).await.unwrap()
}

/// How many rows each of these tables has for this connection.
async fn counts(connection: &mut PgConnection, tables: &[String]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for table in tables {
        let count = format!("SELECT count(*) FROM {table}");
        let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(count));
        let count = count.fetch_one(&mut *connection).await.unwrap();
        counts.insert(table.clone(), count);
    }
    counts
}

/// Takes the role, kept to this organization.
async fn narrow(connection: &mut PgConnection, slug: &str) {
    let narrow = "SELECT set_config('sluice.organization',
               coalesce((SELECT id::text FROM organization WHERE name = $1), ''), false),
        set_config('sluice.organization_name', $1, false), set_config('role', 'sluice_organization', false)";
    sqlx::query(narrow)
        .bind(slug)
        .execute(connection)
        .await
        .unwrap();
}

/// Acme with a little of much, and globex with nothing.
async fn two() -> World {
    let world = World::acme().await;
    world.provider("here", &[]).await;
    world.model("fast").await;
    world.version("fast", "v1", "here").await;
    let key = world.key(new_key("chat")).await;
    world.limit(new_limit("all", "organizations/acme")).await;
    world.limit(new_limit("one", &key.name.to_string())).await;
    let mut write = world.store.write("test").await.unwrap();
    organization::create(&mut write, new_organization("globex"))
        .await
        .unwrap();
    write.commit().await.unwrap();
    world
}

fn globex() -> Reach {
    Reach::Organization(organization_name("globex"))
}

#[tokio::test]
async fn every_table_of_organizations_is_kept_and_no_other_is_open() {
    let world = World::new().await;
    let mut connection = PgConnection::connect(&world.url).await.unwrap();
    let kept = texts(&mut connection, KEPT).await;
    assert!(kept.len() > 50, "{kept:?}");
    assert_eq!(kept, texts(&mut connection, WITH_A_POLICY).await);
    for table in texts(&mut connection, SAYS_WHOSE).await {
        assert!(
            kept.contains(&table) || THE_INSTALLATIONS.contains(&table.as_str()),
            "{table}: call keep_to_organization in its migration"
        );
    }
    let granted = texts(&mut connection, GRANTED).await;
    let shared: Vec<_> = granted.iter().filter(|it| !kept.contains(it)).collect();
    assert_eq!(shared, SHARED.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_statement_that_asks_for_every_row_gets_those_of_one_organization() {
    let world = two().await;
    let mut connection = PgConnection::connect(&world.url).await.unwrap();
    let kept = texts(&mut connection, KEPT).await;
    let all = counts(&mut connection, &kept).await;
    let filled: Vec<_> = all.iter().filter(|(_, count)| **count > 0).collect();
    assert!(filled.len() >= 8, "{filled:?}");
    narrow(&mut connection, "globex").await;
    for (table, count) in counts(&mut connection, &kept).await {
        assert_eq!(count, i64::from(table == "organization"), "{table}");
    }
    for slug in ["nobody", ""] {
        let mut connection = PgConnection::connect(&world.url).await.unwrap();
        narrow(&mut connection, slug).await;
        for (table, count) in counts(&mut connection, &kept).await {
            assert_eq!(count, 0, "{table}");
        }
    }
    let mut connection = PgConnection::connect(&world.url).await.unwrap();
    narrow(&mut connection, "acme").await;
    for (table, count) in counts(&mut connection, &kept).await {
        let beside = i64::from(table == "organization");
        assert_eq!(count, all[&table] - beside, "{table}");
    }
}

#[tokio::test]
async fn a_statement_that_would_change_what_is_anothers_changes_nothing() {
    let world = two().await;
    let mut connection = PgConnection::connect(&world.url).await.unwrap();
    let acme = "SELECT id FROM organization WHERE name = 'acme'";
    let acme: uuid::Uuid = sqlx::query_scalar(acme)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    narrow(&mut connection, "globex").await;
    for change in [
        "UPDATE model SET display_name = 'mine'",
        "UPDATE key SET revoked_at = now()",
        "DELETE FROM rate_limit",
    ] {
        let done = sqlx::query(change).execute(&mut connection).await.unwrap();
        assert_eq!(done.rows_affected(), 0, "{change}");
    }
    let insert = "INSERT INTO model (id, organization, name, display_name)
                  VALUES (gen_random_uuid(), $1, 'theirs', '')";
    let why = sqlx::query(insert)
        .bind(acme)
        .execute(&mut connection)
        .await
        .unwrap_err();
    assert!(why.to_string().contains("row-level security"), "{why}");
    for closed in [
        "SELECT secret FROM audit_key",
        "SELECT value FROM object",
        "SELECT value FROM change",
        "UPDATE head SET revision = 0",
    ] {
        let why = sqlx::query(closed)
            .execute(&mut connection)
            .await
            .unwrap_err();
        assert!(why.to_string().contains("permission denied"), "{why}");
    }
}

fn page() -> Page {
    Page {
        size: 10,
        after: String::new(),
    }
}

#[tokio::test]
async fn a_store_of_requests_reaches_as_far_as_the_request() {
    let world = two().await;
    let store = world.store.of_requests();
    let acme: OrganizationName = organization_name("acme");
    let forgotten = model::get(&store, &model_name("fast")).await;
    assert!(
        matches!(forgotten, Err(StoreError::Broken(_))),
        "{forgotten:?}"
    );
    let own = Reach::Organization(acme.clone());
    let list = own.clone().hold(model::list(&store, &acme, &page())).await;
    assert_eq!(list.unwrap().rows.len(), 1);
    let foreign = globex().hold(model::get(&store, &model_name("fast"))).await;
    assert!(
        matches!(foreign, Err(StoreError::NotFound { .. })),
        "{foreign:?}"
    );
    let write = async {
        let mut write = store.write("test").await.unwrap();
        let name = project_name("chat");
        let row = project::lock(&mut write, &name, "").await.map(|_| ());
        (row, write)
    };
    let (locked, write) = globex().hold(write).await;
    assert!(
        matches!(locked, Err(StoreError::NotFound { .. })),
        "{locked:?}"
    );
    drop(write);
    // The connections that were narrowed are whole again.
    let fast = model_name("fast");
    for _ in 0..20 {
        for reach in [Reach::Everywhere, own.clone()] {
            reach.hold(model::get(&store, &fast)).await.unwrap();
        }
    }
}

/// A user who owns a database and no more.
async fn plain_user(url: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let user = "
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice_organization') THEN
                CREATE ROLE sluice_organization NOLOGIN;
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
        CREATE ROLE plain LOGIN;
        GRANT CREATE ON SCHEMA public TO plain;";
    sqlx::raw_sql(user).execute(&mut connection).await.unwrap();
    url.replacen("sluice@", "plain@", 1)
}

#[tokio::test]
async fn a_user_who_is_no_superuser_is_told_what_is_missing_and_serves_with_it() {
    let (_postgres, whole) = World::unmigrated().await;
    let config = |url: &str| Config {
        url: url.to_owned(),
        connections_max: 4,
    };
    let plain = config(&plain_user(&whole).await);
    let why = Store::migrate(&plain).await.unwrap_err().to_string();
    assert!(why.contains("GRANT sluice_organization TO plain"), "{why}");
    let mut connection = PgConnection::connect(&whole).await.unwrap();
    sqlx::raw_sql("GRANT sluice_organization TO plain")
        .execute(&mut connection)
        .await
        .unwrap();
    Store::migrate(&plain).await.unwrap();
    let store = open(&plain).await;
    store.check_migrations().await.unwrap();
    let made = async {
        let store = store.of_requests();
        let mut write = store.write("test").await?;
        organization::create(&mut write, new_organization("acme")).await?;
        write.commit().await
    };
    Reach::Everywhere.hold(made).await.unwrap();
    let requests = store.of_requests();
    let list = |reach: Reach| {
        let requests = requests.clone();
        async move {
            let acme = organization_name("acme");
            reach.hold(model::list(&requests, &acme, &page())).await
        }
    };
    list(Reach::Organization(organization_name("acme")))
        .await
        .unwrap();
    assert!(list(globex()).await.is_err());
    // Who may take the role and owns nothing would see nothing: that is said before anything is served.
    let beside = "CREATE ROLE beside LOGIN; GRANT sluice_organization TO beside;
                  GRANT SELECT ON _sqlx_migrations TO beside";
    sqlx::raw_sql(beside)
        .execute(&mut connection)
        .await
        .unwrap();
    let store = open(&config(&whole.replacen("sluice@", "beside@", 1))).await;
    let why = store.check_migrations().await.unwrap_err();
    assert!(matches!(why, NotMigrated::NotOwner(_)), "{why}");
}
