//! What requests and answers say is kept as long as their project says, and goes by the day or with its end user.

use policy::{id::OrganizationId, keeping::Keeping};
use store::{
    UsageRecord,
    project::{self, Row},
    usage_content::{self, Found, Kept},
    usage_erase::{self, Erased},
    usage_query::{Facet, GroupBy, Query, Whose},
};

use crate::{
    usage::{DAY_MS, now_ms, question, record, rows},
    world::{World, organization_name, region},
};

async fn keeping(world: &World, row: &Row, keeping: (Keeping, u16)) {
    let mut write = world.store.write("test").await.unwrap();
    let mut row = project::lock(&mut write, &row.name, "").await.unwrap();
    row.keeping = keeping;
    project::update(&mut write, &row).await.unwrap();
    write.commit().await.unwrap();
}

fn said(row: &Row, id: u8) -> Kept {
    Kept {
        id: [id; 16],
        organization: row.organization,
        project: row.id,
        end_user: "ann".to_owned(),
        sealed: b"sealed".to_vec(),
    }
}

async fn found(world: &World, row: &Row, id: u8) -> Option<Found> {
    let mut write = world.store.write("test").await.unwrap();
    let whose = Whose::Project(row.name.clone());
    let found = usage_content::find(&mut write, &whose, [id; 16]).await;
    found.unwrap()
}

/// Records of these end users. The first is folded into the sums; the others came in another region, and are not.
async fn use_as(world: &World, names: &[&str]) {
    for (id, name) in (1..).zip(names) {
        let used = UsageRecord {
            at_ms: now_ms(),
            end_user: (*name).to_owned(),
            ..record(world, id).await
        };
        let region = region(if id == 1 { "eu" } else { "us" });
        let stored = world.store.insert_usage("one", &region, &[used]).await;
        stored.unwrap();
        while id == 1 && world.store.fold_usage().await.unwrap() {}
    }
}

#[tokio::test]
async fn an_end_user_is_forgotten_and_what_was_used_stays_counted() {
    let world = World::acme().await;
    let row = world.project("web").await;
    keeping(&world, &row, (Keeping::All, 3)).await;
    let keep = async |it: Kept| usage_content::keep(&world.store, &[it]).await.unwrap();
    keep(said(&row, 1)).await;
    let bob = Kept {
        end_user: "bob".to_owned(),
        ..said(&row, 2)
    };
    keep(bob).await;
    use_as(&world, &["ann", "ann", "bob", ""]).await;
    let by_user = async || {
        let (now, by) = (now_ms(), GroupBy::default());
        let query = Query {
            facet: Facet::EndUser,
            ..question(by, now - DAY_MS, now + DAY_MS)
        };
        let rows = rows(&world, &query).await.into_iter();
        rows.map(|it| (it.end_user.unwrap_or_default(), it.other, it.requests))
            .collect::<Vec<_>>()
    };
    let told = |name: &str, other, requests| (name.to_owned(), other, requests);
    let before = [
        told("", false, 1),
        told("ann", false, 2),
        told("bob", false, 1),
    ];
    assert_eq!(by_user().await, before);

    let mut write = world.store.write("test").await.unwrap();
    let erased = usage_erase::erase(&mut write, &organization_name("acme"), "ann").await;
    write.commit().await.unwrap();
    let expected = Erased {
        contents: 1,
        records: 2,
        // Of all requests, and of those in the other region.
        sums: 3,
        more: false,
    };
    assert_eq!(erased.unwrap(), expected);
    let after = [told("", false, 1), told("bob", false, 1), told("", true, 2)];
    assert_eq!(by_user().await, after);
    while world.store.fold_usage().await.unwrap() {}
    assert_eq!(by_user().await, after);
    // That it was there is still known, and it does not come back.
    assert_eq!(found(&world, &row, 1).await.unwrap().sealed, None);
    keep(said(&row, 1)).await;
    assert_eq!(found(&world, &row, 1).await.unwrap().sealed, None);
    assert!(found(&world, &row, 2).await.unwrap().sealed.is_some());
    world
        .sql(
            "DO $$ BEGIN
            ASSERT NOT EXISTS (SELECT FROM usage_content WHERE end_user = 'ann');
            ASSERT NOT EXISTS (SELECT FROM usage_record WHERE end_user = 'ann');
            ASSERT NOT EXISTS (SELECT FROM usage_sum WHERE label = 'ann');
            ASSERT NOT EXISTS (SELECT FROM usage_delta WHERE label = 'ann');
            ASSERT NOT EXISTS (SELECT FROM usage_label WHERE label = 'ann');
        END $$",
        )
        .await;
}

#[tokio::test]
async fn content_is_kept_where_its_project_keeps_it_and_until_its_day_is_over() {
    let world = World::acme().await;
    let row = world.project("web").await;
    let other = world.project("other").await;
    let keep = async |it: Kept| usage_content::keep(&world.store, &[it]).await.unwrap();
    assert_eq!(keep(said(&row, 1)).await, 0, "the project keeps nothing");
    keeping(&world, &row, (Keeping::Errors, 3)).await;
    assert_eq!(keep(said(&row, 1)).await, 1);
    // Sent again, it is kept once.
    assert_eq!(keep(said(&row, 1)).await, 1);
    keeping(&world, &row, (Keeping::All, 9)).await;
    let both = [said(&row, 2), said(&other, 4)];
    let kept = usage_content::keep(&world.store, &both).await;
    assert_eq!(kept.unwrap(), 1, "the other project keeps nothing");
    let elsewhere = Kept {
        organization: OrganizationId::from_bytes([9; 16]),
        ..said(&row, 3)
    };
    assert_eq!(keep(elsewhere).await, 0, "the project is another one's");
    let one = found(&world, &row, 1).await.unwrap();
    let two = found(&world, &row, 2).await.unwrap();
    assert_eq!((two.until - one.until).whole_days(), 6);
    assert_eq!(
        (one.project, one.sealed),
        (row.id, Some(b"sealed".to_vec()))
    );
    assert_eq!(found(&world, &other, 1).await, None);

    assert_eq!(world.store.drop_content().await.unwrap(), 0);
    world
        .sql("DO $$ BEGIN ASSERT drop_content_partitions(((now() AT TIME ZONE 'UTC')::date + 4)) = 1; END $$")
        .await;
    assert_eq!(found(&world, &row, 1).await, None);
    assert!(found(&world, &row, 2).await.is_some());
}
