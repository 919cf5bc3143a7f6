//! `LimitService`: wire to command, store, wire.

use domain::name::{LimitName, OrganizationName};
use policy::revision::Revision;
use proto::admin::{self, limit_service_server::LimitService};
use store::limit;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        limit_explained::Asked,
        limit_wire::{self, Change, wire},
        page::List,
    },
    inquiry::Inquiry,
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Limits {
    desk: Desk,
    inquiry: Inquiry,
}

// === impl Limits ===

impl Limits {
    /// The service before this desk, which asks edges by `inquiry`.
    pub(crate) fn new(desk: Desk, inquiry: Inquiry) -> Self {
        Self { desk, inquiry }
    }
}

#[tonic::async_trait]
impl LimitService for Limits {
    async fn create_limit(
        &self,
        request: Request<admin::CreateLimitRequest>,
    ) -> Result<Response<admin::Limit>, Status> {
        let (call, new) = Call::open("CreateLimit", request, limit_wire::new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = limit::create(draft.write(), new)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }

    async fn get_limit(
        &self,
        request: Request<admin::GetLimitRequest>,
    ) -> Result<Response<admin::Limit>, Status> {
        let name = name(&request.get_ref().name)?;
        let row = limit::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire(&row, Revision(0))))
    }

    async fn list_limits(
        &self,
        request: Request<admin::ListLimitsRequest>,
    ) -> Result<Response<admin::ListLimitsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListLimits",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = limit::list(self.desk.store(), &parent, (&page, false)).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListLimitsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            limits: listed
                .rows
                .into_iter()
                .map(|row| wire(&row, Revision(0)))
                .collect(),
        }))
    }

    async fn update_limit(
        &self,
        request: Request<admin::UpdateLimitRequest>,
    ) -> Result<Response<admin::Limit>, Status> {
        let (call, change) = Call::open("UpdateLimit", request, Change::read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let locked = limit::lock(draft.write(), &change.name, &change.etag).await;
        let mut row = locked.map_err(status::store)?;
        draft.before("Limit", &wire(&row, Revision(0)));
        change.apply(&mut row).map_err(status::invalid)?;
        let row = limit::update(draft.write(), &row)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }

    async fn explain_limits(
        &self,
        request: Request<admin::ExplainLimitsRequest>,
    ) -> Result<Response<admin::ExplainLimitsResponse>, Status> {
        let asked = Asked::read(request.get_ref()).map_err(status::invalid)?;
        let of = asked.about.organization(&self.desk).await?;
        let question = asked.question();
        let told = self
            .inquiry
            .ask((of, &question), asked.about.region.as_ref());
        let regions = told.await.into_iter().map(|told| asked.shown(told));
        Ok(Response::new(admin::ExplainLimitsResponse {
            regions: regions.collect(),
        }))
    }

    async fn delete_limit(
        &self,
        request: Request<admin::DeleteLimitRequest>,
    ) -> Result<Response<admin::DeleteLimitResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteLimit", request, |asked| {
            desk::named("name", LimitName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = limit::lock(draft.write(), &name, &etag).await;
        let stood = wire(&stood.map_err(status::store)?, Revision(0));
        draft.before("Limit", &stood);
        limit::delete(draft.write(), &name, &etag)
            .await
            .map_err(status::store)?;
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteLimitResponse {
                revision: reply(revision),
            })
            .await
    }
}

fn name(text: &str) -> Result<LimitName, Status> {
    desk::readable("name", LimitName::parse(text))
}
