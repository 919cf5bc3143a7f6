//! Decisions of edges stand in the trail once each, in a chain of each edge, however often and by whomever they are brought.

use policy::id::{OrganizationId, ProjectId};
use sha2::{Digest, Sha256};
use store::{
    audit::Stamp,
    audit_access::{Access, Told},
    project,
};

use crate::world::{World, project_name};

type Text = fn(&str, Stamp<'_>) -> String;

fn text(object: &str, stamp: Stamp<'_>) -> String {
    format!("{} {} {object}", stamp.chain, stamp.sequence)
}

async fn access(world: &World, id: u8) -> (Access, Text) {
    let project = project::get(&world.store, &project_name("chat"))
        .await
        .unwrap();
    let access = Access {
        id: [id; 16],
        organization: world.acme_id().await,
        project: project.id,
        actor: "key".to_owned(),
    };
    (access, text)
}

async fn tell(world: &World, edge: &str, ids: &[u8]) -> (u32, u32) {
    let mut all = Vec::new();
    for id in ids {
        all.push(access(world, *id).await);
    }
    let told = world.store.tell_access(edge, all).await.unwrap();
    (told.stored, told.duplicates)
}

#[tokio::test]
async fn a_decision_stands_once_in_the_chain_of_its_edge() {
    let world = World::acme().await;
    assert_eq!(tell(&world, "one", &[1, 2]).await, (2, 0));
    assert_eq!(tell(&world, "one", &[2, 3, 3]).await, (1, 2));
    assert_eq!(tell(&world, "one", &[1, 2, 3]).await, (0, 3));
    // What one edge told is not another's.
    assert_eq!(tell(&world, "two", &[1]).await, (1, 0));
    let (this, that) = tokio::join!(
        tell(&world, "one", &[4, 5, 6]),
        tell(&world, "one", &[6, 5, 4])
    );
    assert_eq!((this.0 + that.0, this.1 + that.1), (3, 3));

    let rows = world.store.audit_after("access/one", 0).await.unwrap();
    let mut hash = vec![0; 32];
    for (row, sequence) in rows.iter().zip(1..) {
        let said = format!("access/one {sequence} organizations/acme/projects/chat");
        assert_eq!((row.sequence, &row.entry), (sequence, &said));
        hash = Sha256::digest([hash.as_slice(), said.as_bytes()].concat()).to_vec();
        assert_eq!(row.hash, hash);
    }
    assert_eq!(rows.len(), 6);
    let heads = world.store.audit_heads().await.unwrap();
    let head = heads.iter().find(|it| it.chain == "access/one").unwrap();
    assert_eq!((head.sequence, &head.hash), (6, &hash));
}

#[tokio::test]
async fn a_decision_about_a_project_that_is_gone_or_anothers_is_told_by_its_ids() {
    let world = World::acme().await;
    let (mut gone, text) = access(&world, 1).await;
    gone.project = ProjectId::from_bytes([0xab; 16]);
    gone.organization = OrganizationId::from_bytes([9; 16]);
    let (mut anothers, its) = access(&world, 2).await;
    anothers.organization = OrganizationId::from_bytes([9; 16]);
    let chats = anothers.project;
    let both = vec![(gone, text), (anothers, its)];
    let told = world.store.tell_access("one", both).await;
    let once = Told {
        stored: 2,
        duplicates: 0,
    };
    assert_eq!(told.unwrap(), once);
    let rows = world.store.audit_after("access/one", 0).await.unwrap();
    let [organization, project] = ["09", "ab"].map(|it| it.repeat(16));
    let object = format!("organizations/{organization}/projects/{project}");
    assert_eq!(rows[0].entry, format!("access/one 1 {object}"));
    let object = format!("organizations/{organization}/projects/{chats}");
    assert_eq!(rows[1].entry, format!("access/one 2 {object}"));
}
