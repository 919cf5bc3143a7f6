//! Questions to edges whose streams other replicas hold, and their answers.
//!
//! Rows that live for seconds. Knows no messages: a question and an answer are bytes. What nobody comes back for is deleted by
//! whoever asks next.

use policy::{id::OrganizationId, region::Region};
use sqlx::types::Uuid;

use crate::{
    column,
    error::StoreError,
    id::{self, uuid},
    store::Store,
};

/// The most bytes of an answer; the column's bound.
// Full: it is not kept, and the edge counts as silent.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The most questions that a replica takes at once.
// Full: the others are taken with the next look.
const TAKEN_MAX: i64 = 64;

/// An edge of which another replica holds the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Which.
    pub edge_id: String,
    /// Its region.
    pub region: Region,
    /// The replica.
    pub replica: Vec<u8>,
}

/// A question that this replica shall put to an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which question.
    pub id: [u8; 16],
    /// An edge of which region.
    pub region: Region,
    /// Of whom it must know.
    pub of: OrganizationId,
    /// What is asked.
    pub question: Vec<u8>,
}

/// What an edge said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// To which question.
    pub id: [u8; 16],
    /// Which edge; `None` where none said anything in time.
    pub said: Option<(String, Vec<u8>)>,
}

// === impl Store ===

impl Store {
    /// One edge of each region that serves an organization and is connected to another replica than this one, in the order of the
    /// regions.
    pub async fn edges_elsewhere(
        &self,
        replica: &[u8],
        of: OrganizationId,
    ) -> Result<Vec<Elsewhere>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT DISTINCT ON (region) edge_id, region, replica FROM edge
               WHERE connected AND replica <> $1 AND last_seen_at > now() - interval '10 seconds'
                 AND (organization IS NULL OR organization = $2)
               ORDER BY region, last_seen_at DESC"#,
            replica,
            uuid(*of.as_bytes()),
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Elsewhere {
                    edge_id: row.edge_id,
                    region: column::read(Region::try_from(row.region.as_str()), "edge.region")?,
                    replica: row.replica,
                })
            })
            .collect()
    }

    /// Asks these edges by way of their replicas, and rings. Gives the ids of the questions, in their order.
    pub async fn ask_elsewhere(
        &self,
        edges: &[Elsewhere],
        (of, question): (OrganizationId, &[u8]),
    ) -> Result<Vec<[u8; 16]>, StoreError> {
        let ids: Vec<[u8; 16]> = edges.iter().map(|_| id::draw()).collect();
        let uuids: Vec<Uuid> = ids.iter().map(|id| uuid(*id)).collect();
        let replicas: Vec<Vec<u8>> = edges.iter().map(|it| it.replica.clone()).collect();
        let regions: Vec<String> = edges.iter().map(|it| it.region.to_string()).collect();
        sqlx::query!(
            r#"WITH stale AS (
                   DELETE FROM edge_question WHERE asked_at < now() - interval '1 minute'
               ), asked AS (
                   INSERT INTO edge_question (id, replica, region, question, organization)
                   SELECT *, $4::bytea, $5::uuid FROM unnest($1::uuid[], $2::bytea[], $3::text[])
               )
               SELECT FROM pg_notify('sluice_questions', '')"#,
            &uuids,
            &replicas,
            &regions,
            question,
            uuid(*of.as_bytes()),
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(ids)
    }

    /// Takes what others ask of edges of this replica; nobody else will.
    pub async fn take_questions(&self, replica: &[u8]) -> Result<Vec<Question>, StoreError> {
        let rows = sqlx::query!(
            r#"UPDATE edge_question SET taken = true
               WHERE id IN (
                   SELECT id FROM edge_question
                   WHERE replica = $1 AND NOT taken AND asked_at > now() - interval '10 seconds'
                   ORDER BY asked_at LIMIT $2)
               RETURNING id, region, question, coalesce(organization, '00000000-0000-0000-0000-000000000000')
                   AS "organization!""#,
            replica,
            TAKEN_MAX,
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Question {
                    id: row.id.into_bytes(),
                    region: column::read(
                        Region::try_from(row.region.as_str()),
                        "edge_question.region",
                    )?,
                    of: OrganizationId::from_bytes(row.organization.into_bytes()),
                    question: row.question,
                })
            })
            .collect()
    }

    /// Notes what became of a question, and rings.
    pub async fn answer_question(&self, answer: &Answer) -> Result<(), StoreError> {
        let (edge_id, bytes) = match &answer.said {
            Some((edge_id, bytes)) => (edge_id.as_str(), bytes.as_slice()),
            None => ("", &[][..]),
        };
        sqlx::query!(
            r#"WITH answered AS (
                   UPDATE edge_question SET edge_id = $2, answer = $3 WHERE id = $1
               )
               SELECT FROM pg_notify('sluice_questions', '')"#,
            uuid(answer.id),
            edge_id,
            bytes,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(())
    }

    /// What has been answered of these, in no order.
    pub async fn answers(&self, ids: &[[u8; 16]]) -> Result<Vec<Answer>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT id, edge_id AS "edge_id!", answer AS "answer!" FROM edge_question
               WHERE id = ANY($1::uuid[]) AND edge_id IS NOT NULL AND answer IS NOT NULL"#,
            &ids.iter().map(|id| uuid(*id)).collect::<Vec<Uuid>>(),
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let answer = |id: Uuid, edge_id: String, bytes: Vec<u8>| Answer {
            id: id.into_bytes(),
            said: (!edge_id.is_empty()).then_some((edge_id, bytes)),
        };
        let answers = rows.into_iter();
        Ok(answers
            .map(|row| answer(row.id, row.edge_id, row.answer))
            .collect())
    }
}
