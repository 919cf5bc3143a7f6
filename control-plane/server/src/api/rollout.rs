//! `RolloutService`: wire to command, store, wire.

use domain::{
    name::{ModelName, RolloutName},
    text,
    violation::Violations,
};
use policy::revision::Revision;
use proto::admin::{self, rollout_service_server::RolloutService};
use store::{
    rollout::{self, New},
    rollout_act::{self, Act},
};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Asked, Begun, Call, Desk},
        page::List,
        rollout_wire::{forced, new, why_forced, wire},
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Rollouts {
    desk: Desk,
}

/// Which rollout, in which state, and why.
type Which = (RolloutName, String, String);

fn which(name: &str, etag: String, reason: &str) -> Result<Which, Violations> {
    let mut violations = Violations::new();
    let name = violations.take("name", RolloutName::parse(name));
    let reason = violations.take("reason", text::display_name(reason));
    match (name, reason) {
        (Some(name), Some(reason)) => Ok((name, etag, reason)),
        _ => Err(violations),
    }
}

// === impl Rollouts ===

impl Rollouts {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }

    /// Starts one.
    async fn start(&self, (call, wanted): (Call, New)) -> Result<Response<admin::Rollout>, Status> {
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rollout::start(draft.write(), wanted).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }

    /// Does something with one.
    async fn act<T: Asked>(
        &self,
        (method, act): (&'static str, Act),
        request: Request<T>,
        read: impl FnOnce(T) -> Result<Which, Violations>,
    ) -> Result<Response<admin::Rollout>, Status> {
        let (call, (name, etag, reason)) = Call::open(method, request, read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = rollout::lock(draft.write(), &name, &etag).await;
        let stood = stood.map_err(status::store)?;
        draft.before("Rollout", &wire(&stood, Revision(0)));
        let row = rollout_act::act(draft.write(), stood, act, reason).await;
        let row = row.map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }
}

#[tonic::async_trait]
impl RolloutService for Rollouts {
    async fn start_rollout(
        &self,
        request: Request<admin::StartRolloutRequest>,
    ) -> Result<Response<admin::Rollout>, Status> {
        let begun = Call::open("StartRollout", request, new)?;
        self.start(begun).await
    }

    async fn get_rollout(
        &self,
        request: Request<admin::GetRolloutRequest>,
    ) -> Result<Response<admin::Rollout>, Status> {
        let name = desk::readable("name", RolloutName::parse(&request.get_ref().name))?;
        let row = rollout::get(self.desk.store(), &name).await;
        Ok(Response::new(wire(
            &row.map_err(status::store)?,
            Revision(0),
        )))
    }

    async fn list_rollouts(
        &self,
        request: Request<admin::ListRolloutsRequest>,
    ) -> Result<Response<admin::ListRolloutsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListRollouts",
            parent: &asked.parent,
        };
        let parent = ModelName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = rollout::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        let rows = listed.rows.iter();
        Ok(Response::new(admin::ListRolloutsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            rollouts: rows.map(|row| wire(row, Revision(0))).collect(),
        }))
    }

    async fn pause_rollout(
        &self,
        request: Request<admin::PauseRolloutRequest>,
    ) -> Result<Response<admin::Rollout>, Status> {
        self.act(("PauseRollout", Act::Pause), request, |it| {
            which(&it.name, it.etag, &it.reason)
        })
        .await
    }

    async fn resume_rollout(
        &self,
        request: Request<admin::ResumeRolloutRequest>,
    ) -> Result<Response<admin::Rollout>, Status> {
        self.act(("ResumeRollout", Act::Resume), request, |it| {
            which(&it.name, it.etag, &it.reason)
        })
        .await
    }

    async fn approve_rollout(
        &self,
        request: Request<admin::ApproveRolloutRequest>,
    ) -> Result<Response<admin::Rollout>, Status> {
        self.act(("ApproveRollout", Act::Approve), request, |it| {
            which(&it.name, it.etag, &it.reason)
        })
        .await
    }

    async fn promote_rollout(
        &self,
        request: Request<admin::PromoteRolloutRequest>,
    ) -> Result<Response<admin::Rollout>, Status> {
        self.act(("PromoteRollout", Act::Promote), request, |it| {
            which(&it.name, it.etag, &it.reason)
        })
        .await
    }

    async fn abort_rollout(
        &self,
        request: Request<admin::AbortRolloutRequest>,
    ) -> Result<Response<admin::Rollout>, Status> {
        self.act(("AbortRollout", Act::Abort), request, |it| {
            which(&it.name, it.etag, &it.reason)
        })
        .await
    }

    async fn force_start_rollout(
        &self,
        request: Request<admin::ForceStartRolloutRequest>,
    ) -> Result<Response<admin::Rollout>, Status> {
        let begun = Call::open("ForceStartRollout", request, forced)?;
        self.start(begun).await
    }

    async fn force_rollout(
        &self,
        request: Request<admin::ForceRolloutRequest>,
    ) -> Result<Response<admin::Rollout>, Status> {
        self.act(("ForceRollout", Act::Force), request, |it| {
            let mut violations = Violations::new();
            let reason = why_forced(&it.reason, &mut violations);
            let which = which(&it.name, it.etag, reason.as_deref().unwrap_or_default());
            let which = which.map_err(|others| violations.append(others)).ok();
            which.filter(|_| reason.is_some()).ok_or(violations)
        })
        .await
    }
}
