//! `ProjectService`: wire to command, store, wire.

use domain::{
    handling, keeping,
    name::{OrganizationName, ProjectName},
    rotation::Rotation,
    segment::Slug,
    tag_source::tag_sources,
    text,
    violation::Violations,
};
use policy::{
    guard::Guard,
    handling::Demanded,
    id::ProjectId,
    keeping::Keeping,
    pin::Pin,
    preference::Preferences,
    revision::Revision,
    traffic::{Class, InvalidShare, Share, Traffic},
};
use proto::admin::{self, ContentKeeping, TrafficClass, project_service_server::ProjectService};
use store::{
    id,
    project::{self, New, Row},
};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        key_rotation_wire,
        mask::{Field, Mask, Update},
        moment,
        page::List,
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Projects {
    desk: Desk,
}

struct Change {
    name: ProjectName,
    etag: String,
    display_name: Update<String>,
    class: Update<Class>,
    share: Update<Share>,
    rotation: Update<Option<Rotation>>,
    pins: Update<Vec<Pin>>,
    keeping: Update<Keeping>,
    days: Update<u16>,
    forbidden: Update<Preferences>,
    collects_nothing: Update<bool>,
    retains_nothing: Update<bool>,
    residencies: Update<Vec<String>>,
}

// === impl Projects ===

impl Projects {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl ProjectService for Projects {
    async fn create_project(
        &self,
        request: Request<admin::CreateProjectRequest>,
    ) -> Result<Response<admin::Project>, Status> {
        let (call, new) = Call::open("CreateProject", request, new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = project::create(draft.write(), new)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn get_project(
        &self,
        request: Request<admin::GetProjectRequest>,
    ) -> Result<Response<admin::Project>, Status> {
        let name = name(&request.get_ref().name)?;
        let row = project::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire(row, Revision(0))))
    }

    async fn list_projects(
        &self,
        request: Request<admin::ListProjectsRequest>,
    ) -> Result<Response<admin::ListProjectsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListProjects",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = project::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListProjectsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            projects: listed
                .rows
                .into_iter()
                .map(|row| wire(row, Revision(0)))
                .collect(),
        }))
    }

    async fn update_project(
        &self,
        request: Request<admin::UpdateProjectRequest>,
    ) -> Result<Response<admin::Project>, Status> {
        let (call, change) = Call::open("UpdateProject", request, change)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let locked = project::lock(draft.write(), &change.name, &change.etag).await;
        let mut row = locked.map_err(status::store)?;
        draft.before("Project", &wire(row.clone(), Revision(0)));
        row.display_name = change.display_name.or(row.display_name);
        row.traffic = Traffic {
            class: change.class.or(row.traffic.class),
            share: change.share.or(row.traffic.share),
        };
        row.rotation = change.rotation.or(row.rotation);
        row.pins = change.pins.or(row.pins);
        row.keeping = (
            change.keeping.or(row.keeping.0),
            change.days.or(row.keeping.1),
        );
        let demanded = row.guard.demanded;
        row.guard = Guard {
            forbidden: change.forbidden.or(row.guard.forbidden),
            demanded: Demanded {
                collects_nothing: change.collects_nothing.or(demanded.collects_nothing),
                retains_nothing: change.retains_nothing.or(demanded.retains_nothing),
                residencies: change.residencies.or(demanded.residencies),
            },
        };
        let row = project::update(draft.write(), &row)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn delete_project(
        &self,
        request: Request<admin::DeleteProjectRequest>,
    ) -> Result<Response<admin::DeleteProjectResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteProject", request, |asked| {
            desk::named("name", ProjectName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = project::lock(draft.write(), &name, &etag).await;
        let stood = wire(stood.map_err(status::store)?, Revision(0));
        draft.before("Project", &stood);
        project::delete(draft.write(), &name, &etag)
            .await
            .map_err(status::store)?;
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteProjectResponse {
                revision: reply(revision),
            })
            .await
    }
}

fn name(text: &str) -> Result<ProjectName, Status> {
    desk::readable("name", ProjectName::parse(text))
}

fn new(asked: admin::CreateProjectRequest) -> Result<New, Violations> {
    let given = asked.project.unwrap_or_default();
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let slug = violations.take("project_id", Slug::parse(&asked.project_id));
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("project.display_name", display_name);
    let traffic = traffic(&given, &mut violations);
    let pins = tag_sources(&given.tag_sources, &mut violations);
    let (keeping, days) = keeping(&given, &mut violations);
    let guard = guard(&given, &mut violations);
    let rotation = key_rotation_wire::rule(given.key_rotation, &mut violations);
    let (Some(parent), Some(project), Some(display_name), Some((class, share)), true) =
        (parent, slug, display_name, traffic, violations.is_empty())
    else {
        return Err(violations);
    };
    let name = ProjectName {
        organization: parent.organization,
        project,
    };
    Ok(New {
        id: ProjectId::from_bytes(id::draw()),
        name,
        display_name,
        traffic: Traffic { class, share },
        rotation,
        pins,
        keeping: (keeping, days),
        guard,
    })
}

/// Of what, and for how many days. What is wrong is among the violations.
fn keeping(given: &admin::Project, violations: &mut Violations) -> (Keeping, u16) {
    let days = violations.take("project.content_days", keeping::days(given.content_days));
    let keeping = match ContentKeeping::try_from(given.content_keeping) {
        Ok(ContentKeeping::Unspecified | ContentKeeping::None) => Keeping::None,
        Ok(ContentKeeping::Errors) => Keeping::Errors,
        Ok(ContentKeeping::All) => Keeping::All,
        Err(_) => {
            violations.add("project.content_keeping", "is not known");
            Keeping::None
        }
    };
    (keeping, days.unwrap_or(keeping::DAYS_DEFAULT))
}

/// What it forbids and demands. What is wrong is among the violations.
fn guard(given: &admin::Project, violations: &mut Violations) -> Guard {
    let demanded = Demanded {
        collects_nothing: given.demands_no_collection,
        retains_nothing: given.demands_no_retention,
        residencies: given.residencies.clone(),
    };
    handling::guard(&given.forbidden_preferences, demanded, violations)
}

fn traffic(given: &admin::Project, violations: &mut Violations) -> Option<(Class, Share)> {
    let class = violations.take("project.traffic_class", class(given.traffic_class));
    let share = violations.take("project.traffic_share", share(given.traffic_share));
    class.zip(share)
}

fn class(number: i32) -> Result<Class, &'static str> {
    match TrafficClass::try_from(number) {
        Ok(TrafficClass::Unspecified) => Ok(Class::default()),
        Ok(TrafficClass::Critical) => Ok(Class::Critical),
        Ok(TrafficClass::Standard) => Ok(Class::Standard),
        Ok(TrafficClass::Batch) => Ok(Class::Batch),
        Err(_) => Err("is not known"),
    }
}

fn share(number: i32) -> Result<Share, InvalidShare> {
    match number {
        0 => Ok(Share::default()),
        number => Share::new(u16::try_from(number).unwrap_or(0)),
    }
}

const fn class_shown(class: Class) -> TrafficClass {
    match class {
        Class::Critical => TrafficClass::Critical,
        Class::Standard => TrafficClass::Standard,
        Class::Batch => TrafficClass::Batch,
    }
}

fn change(asked: admin::UpdateProjectRequest) -> Result<Change, Violations> {
    let given = desk::required(asked.project, "project")?;
    let fields = [
        Field::changes("display_name", !given.display_name.is_empty()),
        Field::changes("traffic_class", given.traffic_class != 0),
        Field::changes("traffic_share", given.traffic_share != 0),
        Field::changes("key_rotation", given.key_rotation.is_some()),
        Field::changes("tag_sources", !given.tag_sources.is_empty()),
        Field::changes("content_keeping", given.content_keeping != 0),
        Field::changes("content_days", given.content_days != 0),
        Field::changes(
            "forbidden_preferences",
            !given.forbidden_preferences.is_empty(),
        ),
        Field::changes("demands_no_collection", given.demands_no_collection),
        Field::changes("demands_no_retention", given.demands_no_retention),
        Field::changes("residencies", !given.residencies.is_empty()),
    ];
    let mut violations = Violations::new();
    let mask = Mask::read(asked.update_mask, &fields, &mut violations);
    let name = violations.take("project.name", ProjectName::parse(&given.name));
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("project.display_name", display_name);
    let traffic = traffic(&given, &mut violations);
    let pins = tag_sources(&given.tag_sources, &mut violations);
    let (keeping, days) = keeping(&given, &mut violations);
    let guard = guard(&given, &mut violations);
    let rotation = key_rotation_wire::rule(given.key_rotation, &mut violations);
    let (Some(mask), Some(name), Some(display_name), Some((class, share)), true) =
        (mask, name, display_name, traffic, violations.is_empty())
    else {
        return Err(violations);
    };
    let rotation = mask.pick("key_rotation", rotation);
    let display_name = mask.pick("display_name", display_name);
    Ok(Change {
        name,
        etag: given.etag,
        display_name,
        class: mask.pick("traffic_class", class),
        share: mask.pick("traffic_share", share),
        rotation,
        pins: mask.pick("tag_sources", pins),
        keeping: mask.pick("content_keeping", keeping),
        days: mask.pick("content_days", days),
        forbidden: mask.pick("forbidden_preferences", guard.forbidden),
        collects_nothing: mask.pick("demands_no_collection", guard.demanded.collects_nothing),
        retains_nothing: mask.pick("demands_no_retention", guard.demanded.retains_nothing),
        residencies: mask.pick("residencies", guard.demanded.residencies),
    })
}

fn wire(row: Row, written: Revision) -> admin::Project {
    admin::Project {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        revision: desk::latest(row.revision, written),
        display_name: row.display_name,
        traffic_class: class_shown(row.traffic.class).into(),
        traffic_share: row.traffic.share.get().into(),
        key_rotation: row.rotation.map(key_rotation_wire::shown),
        tag_sources: row.pins.iter().map(ToString::to_string).collect(),
        content_keeping: row.keeping.0 as i32,
        content_days: row.keeping.1.into(),
        forbidden_preferences: row.guard.forbidden.all().map(|it| it as i32).collect(),
        demands_no_collection: row.guard.demanded.collects_nothing,
        demands_no_retention: row.guard.demanded.retains_nothing,
        residencies: row.guard.demanded.residencies,
    }
}
