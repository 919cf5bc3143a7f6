//! `SealingService`: how secrets rest, and another pepper.

use std::time::Duration;

use policy::credential::Pepper;
use proto::admin::{self, sealing_service_server::SealingService};
use store::pepper_rotation;
use time::OffsetDateTime;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{Begun, Call, Desk},
        pepper, sealing_wire, span,
    },
    sealed, status,
};

/// How long a pepper stays after the last key has left it, unless told, and at most, in milliseconds.
const OVERLAP_MS: u64 = 24 * 3_600_000;
const OVERLAP_MAX_MS: u64 = 30 * OVERLAP_MS;

/// The service.
#[derive(Clone)]
pub(crate) struct Sealings {
    desk: Desk,
}

// === impl Sealings ===

impl Sealings {
    /// The service before this desk.
    pub(crate) const fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl SealingService for Sealings {
    async fn get_sealing(
        &self,
        _: Request<admin::GetSealingRequest>,
    ) -> Result<Response<admin::Sealing>, Status> {
        let store = self.desk.store();
        let counts = store.sealed_counts().await.map_err(status::store)?;
        let peppers = pepper_rotation::standing(store).await;
        let peppers = peppers.map_err(status::store)?;
        let told = sealing_wire::wire(self.desk.sealing(), &counts, &peppers);
        Ok(Response::new(told))
    }

    async fn rotate_pepper(
        &self,
        request: Request<admin::RotatePepperRequest>,
    ) -> Result<Response<admin::PepperState>, Status> {
        let (call, overlap) = Call::open("RotatePepper", request, |asked| {
            let mut violations = domain::violation::Violations::new();
            let overlap = asked.overlap.map_or(Ok(OVERLAP_MS), span::millis);
            let overlap = violations.take("overlap", overlap).unwrap_or_default();
            if overlap > OVERLAP_MAX_MS {
                violations.add("overlap", "must be at most 30 days");
            }
            if violations.is_empty() {
                Ok(Duration::from_millis(overlap))
            } else {
                Err(violations)
            }
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let version = pepper_rotation::next_version(draft.write()).await;
        let pepper = Pepper {
            version: version.map_err(status::store)?,
            secret: pepper::draw(),
        };
        let sealed = sealed::seal_pepper(self.desk.sealing(), &pepper);
        let begun = pepper_rotation::begin(draft.write(), &pepper, &sealed, overlap).await;
        begun.map_err(status::store)?;
        let stands = pepper_rotation::Standing {
            version: pepper.version,
            created_at: OffsetDateTime::now_utc(),
            used_at: None,
            left_at: None,
            secrets: 0,
        };
        draft.finish(|_| sealing_wire::pepper(&stands)).await
    }
}
