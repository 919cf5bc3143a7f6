//! Writes of many edits: few statements while others wait, and a bound on how many there can be.

use domain::name::KeyName;
use store::{Obstacle, StoreError, key, model, project};

use crate::{
    ordering::adds_up,
    world::{World, model_name, new_key, project_name},
};

/// Counts the statements that write to the log and to the objects.
const COUNTED: &str = "
    CREATE TABLE counted (what text NOT NULL);
    CREATE FUNCTION count_statement() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO counted VALUES (TG_TABLE_NAME || ' ' || TG_OP); RETURN NULL; END $$;
    CREATE TRIGGER counted AFTER INSERT ON change
        FOR EACH STATEMENT EXECUTE FUNCTION count_statement();
    CREATE TRIGGER counted AFTER DELETE ON object
        FOR EACH STATEMENT EXECUTE FUNCTION count_statement();";

#[tokio::test]
async fn a_write_takes_as_many_statements_whatever_it_edits() {
    let mut world = World::acme().await;
    world.spoil();
    world.sql(COUNTED).await;
    let mut names: Vec<KeyName> = Vec::new();
    let mut write = world.store.write("test").await.unwrap();
    for _ in 0..20 {
        let made = key::create(&mut write, new_key("chat")).await.unwrap();
        names.push(made.name);
    }
    write.commit().await.unwrap();
    let mut write = world.store.write("test").await.unwrap();
    for name in &names {
        key::revoke(&mut write, name, false).await.unwrap();
    }
    write.commit().await.unwrap();
    assert!(adds_up(&world.store.everything().await.unwrap()));
    let mut write = world.store.write("test").await.unwrap();
    project::delete(&mut write, &project_name("chat"), "")
        .await
        .unwrap();
    write.commit().await.unwrap();
    let everything = world.store.everything().await.unwrap();
    assert_eq!(everything.objects.len(), 2, "acme and its pepper are left");
    assert!(adds_up(&everything));
    world
        .sql(
            "DO $$ BEGIN
                 ASSERT (SELECT count(*) FROM counted WHERE what = 'change INSERT') = 3;
                 ASSERT (SELECT count(*) FROM counted WHERE what = 'object DELETE') <= 3;
             END $$",
        )
        .await;
}

#[tokio::test]
async fn what_is_edited_twice_in_one_write_ends_as_the_last_edit_says() {
    let world = World::acme().await;
    let mut write = world.store.write("test").await.unwrap();
    let made = key::create(&mut write, new_key("chat")).await.unwrap();
    key::revoke(&mut write, &made.name, false).await.unwrap();
    write.commit().await.unwrap();
    assert!(adds_up(&world.store.everything().await.unwrap()));
    let mut write = world.store.write("test").await.unwrap();
    let made = key::create(&mut write, new_key("chat")).await.unwrap();
    key::revoke(&mut write, &made.name, false).await.unwrap();
    key::delete(&mut write, &made.name, "").await.unwrap();
    write.commit().await.unwrap();
    let everything = world.store.everything().await.unwrap();
    let gone = made.name.key.as_str().as_bytes();
    assert!(everything.objects.iter().all(|it| it.key != gone));
    assert!(adds_up(&everything));
}

#[tokio::test]
async fn a_project_with_more_dead_keys_than_one_write_takes_is_not_deleted() {
    let world = World::acme().await;
    world
        .sql(
            "INSERT INTO key (id, key_id, project, environment, display_name, secret_sha256, tag,
                              pepper_version, revoked_at)
             SELECT gen_random_uuid(), lpad(n::text, 12, '0'), project.id, 1, '', '',
                    decode(repeat('00', 32), 'hex'), 1, now()
             FROM generate_series(1, 1000) AS n, project",
        )
        .await;
    let delete = || async {
        let mut write = world.store.write("test").await.unwrap();
        project::delete(&mut write, &project_name("chat"), "").await?;
        write.commit().await
    };
    let by = Obstacle::HasManyKeys;
    let name = project_name("chat").to_string();
    assert_eq!(delete().await, Err(StoreError::Blocked { name, by }));
    world
        .sql("DELETE FROM key WHERE key_id = '000000000001'")
        .await;
    assert!(delete().await.is_ok(), "999 keys and their project go");
}

#[tokio::test]
async fn a_model_with_more_versions_than_one_write_takes_is_not_deleted() {
    let world = World::acme().await;
    world.model("support").await;
    world
        .sql(
            "INSERT INTO model_version (id, model, name, provenance_names, provenance_values)
             SELECT gen_random_uuid(), model.id, 'v' || n, '{}', '{}'
             FROM generate_series(1, 1000) AS n, model",
        )
        .await;
    let mut write = world.store.write("test").await.unwrap();
    let why = model::delete(&mut write, &model_name("support"), "").await;
    let by = Obstacle::HasManyVersions;
    let name = model_name("support").to_string();
    assert_eq!(why, Err(StoreError::Blocked { name, by }));
}
