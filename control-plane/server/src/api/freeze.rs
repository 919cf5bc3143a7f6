//! `FreezeService`: wire to command, store, wire.

use domain::{
    freeze::{self, Asked, When},
    name::{FreezeWindowName, OrganizationName},
    segment::Slug,
    violation::Violations,
};
use policy::{calendar::Zone, weekly::Weekly};
use proto::admin::{self, freeze_service_server::FreezeService};
use store::{
    freeze::{self as rows, New, Row},
    id,
};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        moment,
        page::List,
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Freezes {
    desk: Desk,
}

// === impl Freezes ===

impl Freezes {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl FreezeService for Freezes {
    async fn create_freeze_window(
        &self,
        request: Request<admin::CreateFreezeWindowRequest>,
    ) -> Result<Response<admin::FreezeWindow>, Status> {
        let (call, new) = Call::open("CreateFreezeWindow", request, new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::create(draft.write(), new).await;
        let row = row.map_err(status::store)?;
        draft.finish(|_| wire(&row)).await
    }

    async fn get_freeze_window(
        &self,
        request: Request<admin::GetFreezeWindowRequest>,
    ) -> Result<Response<admin::FreezeWindow>, Status> {
        let name = FreezeWindowName::parse(&request.get_ref().name);
        let name = desk::readable("name", name)?;
        let row = rows::get(self.desk.store(), &name).await;
        Ok(Response::new(wire(&row.map_err(status::store)?)))
    }

    async fn list_freeze_windows(
        &self,
        request: Request<admin::ListFreezeWindowsRequest>,
    ) -> Result<Response<admin::ListFreezeWindowsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListFreezeWindows",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let size = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, size, parent)?;
        let listed = rows::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListFreezeWindowsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            freeze_windows: listed.rows.iter().map(wire).collect(),
        }))
    }

    async fn delete_freeze_window(
        &self,
        request: Request<admin::DeleteFreezeWindowRequest>,
    ) -> Result<Response<admin::DeleteFreezeWindowResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteFreezeWindow", request, |asked| {
            let name = desk::named("name", FreezeWindowName::parse(&asked.name));
            name.map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::delete(draft.write(), &name, &etag).await;
        draft.before("FreezeWindow", &wire(&row.map_err(status::store)?));
        draft.finish(|_| admin::DeleteFreezeWindowResponse {}).await
    }
}

fn new(asked: admin::CreateFreezeWindowRequest) -> Result<New, Violations> {
    let given = desk::required(asked.freeze_window, "freeze_window")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let slug = violations.take("freeze_window_id", Slug::parse(&asked.freeze_window_id));
    let of_organization = given
        .weekly
        .as_ref()
        .is_some_and(|it| it.time_zone.is_empty());
    let weekly = given.weekly.map(|it| {
        let zone = match it.time_zone.as_str() {
            "" => Some(Zone::UTC),
            name => violations.take("freeze_window.weekly.time_zone", Zone::parse(name)),
        };
        let zone = zone.unwrap_or(Zone::UTC);
        (it.days, it.start_minute, it.end_minute, zone)
    });
    let once = given.once.map(|it| {
        let at = |at: Option<prost_types::Timestamp>| at.and_then(|at| moment::millis(&at).ok());
        (at(it.start_time), at(it.end_time))
    });
    let window = freeze::check(Asked {
        weekly,
        once,
        reason: given.reason,
    });
    let window = window.map_err(|others| violations.append(others)).ok();
    match (parent, slug, window, violations.is_empty()) {
        (Some(parent), Some(freeze_window), Some(window), true) => Ok(New {
            id: id::draw(),
            name: FreezeWindowName {
                organization: parent.organization,
                freeze_window,
            },
            window,
            of_organization,
        }),
        _ => Err(violations),
    }
}

fn wire(row: &Row) -> admin::FreezeWindow {
    let at = |at_ms| moment::from_millis(at_ms).ok().map(moment::to_wire);
    let (weekly, once) = match &row.window.when {
        When::Weekly(it) => (Some(weekly_wire(it)), None),
        When::Once { from_ms, until_ms } => {
            let once = admin::OnceFreeze {
                start_time: at(*from_ms),
                end_time: at(*until_ms),
            };
            (None, Some(once))
        }
    };
    admin::FreezeWindow {
        name: row.name.to_string(),
        uid: uuid::Uuid::from_bytes(row.id).simple().to_string(),
        reason: row.window.reason.clone(),
        weekly,
        once,
        on_until: row.on_until_ms.and_then(at),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
    }
}

fn weekly_wire(it: &Weekly) -> admin::WeeklyFreeze {
    admin::WeeklyFreeze {
        days: it.days.numbers().map(i32::from).collect(),
        start_minute: it.from_minute.into(),
        end_minute: it.until_minute.into(),
        time_zone: it.zone.name().to_owned(),
    }
}
