//! `OrganizationService`: wire to command, store, wire.

use domain::{
    name::OrganizationName,
    segment::Slug,
    tag_pair::{TagPair, tag_pairs},
    text,
    violation::Violations,
};
use policy::{
    audit_access::AuditAccess,
    calendar::{UnknownZone, Zone},
    id::OrganizationId,
    revision::Revision,
};
use proto::admin::{self, organization_service_server::OrganizationService};
use store::{
    id,
    organization::{self, New, Row},
};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        mask::{Field, Mask, Update},
        moment,
        page::List,
    },
    authn::Actor,
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Organizations {
    desk: Desk,
}

struct Change {
    name: OrganizationName,
    etag: String,
    display_name: Update<String>,
    zone: Update<Zone>,
    tag_pairs: Update<Vec<TagPair>>,
    audit_access: Update<AuditAccess>,
}

const LIST: List<'static> = List {
    method: "ListOrganizations",
    parent: "",
};

// === impl Organizations ===

impl Organizations {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl OrganizationService for Organizations {
    async fn create_organization(
        &self,
        request: Request<admin::CreateOrganizationRequest>,
    ) -> Result<Response<admin::Organization>, Status> {
        let (call, new) = Call::open("CreateOrganization", request, new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = organization::create(draft.write(), new)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn get_organization(
        &self,
        request: Request<admin::GetOrganizationRequest>,
    ) -> Result<Response<admin::Organization>, Status> {
        let name = name(&request.get_ref().name)?;
        let row = organization::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire(row, Revision(0))))
    }

    async fn list_organizations(
        &self,
        request: Request<admin::ListOrganizationsRequest>,
    ) -> Result<Response<admin::ListOrganizationsResponse>, Status> {
        let actor = request.extensions().get::<Actor>();
        let visible = actor.map_or(Some(Vec::new()), |it| it.bindings.organizations());
        let asked = request.into_inner();
        let asked = (asked.page_size, asked.page_token.as_str());
        let page = self.desk.root_page(LIST, asked)?;
        let listed = organization::list(self.desk.store(), visible.as_deref(), &page)
            .await
            .map_err(status::store)?;
        Ok(Response::new(admin::ListOrganizationsResponse {
            next_page_token: self.desk.next(LIST, &listed.next_page_token),
            organizations: listed
                .rows
                .into_iter()
                .map(|row| wire(row, Revision(0)))
                .collect(),
        }))
    }

    async fn update_organization(
        &self,
        request: Request<admin::UpdateOrganizationRequest>,
    ) -> Result<Response<admin::Organization>, Status> {
        let (call, change) = Call::open("UpdateOrganization", request, change)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let locked = organization::lock(draft.write(), &change.name, &change.etag).await;
        let mut row = locked.map_err(status::store)?;
        draft.before("Organization", &wire(row.clone(), Revision(0)));
        row.display_name = change.display_name.or(row.display_name);
        row.zone = change.zone.or(row.zone);
        row.tag_pairs = change.tag_pairs.or(row.tag_pairs);
        row.audit_access = change.audit_access.or(row.audit_access);
        let row = organization::update(draft.write(), &row)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(row, revision)).await
    }

    async fn delete_organization(
        &self,
        request: Request<admin::DeleteOrganizationRequest>,
    ) -> Result<Response<admin::DeleteOrganizationResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteOrganization", request, |asked| {
            desk::named("name", OrganizationName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = organization::lock(draft.write(), &name, &etag).await;
        let stood = wire(stood.map_err(status::store)?, Revision(0));
        draft.before("Organization", &stood);
        let deleted = organization::delete(draft.write(), &name, &etag).await;
        deleted.map_err(status::store)?;
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteOrganizationResponse {
                revision: reply(revision),
            })
            .await
    }
}

fn name(text: &str) -> Result<OrganizationName, Status> {
    desk::readable("name", OrganizationName::parse(text))
}

fn new(asked: admin::CreateOrganizationRequest) -> Result<New, Violations> {
    let given = asked.organization.unwrap_or_default();
    let mut violations = Violations::new();
    let slug = violations.take("organization_id", Slug::parse(&asked.organization_id));
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("organization.display_name", display_name);
    let zone = violations.take("organization.time_zone", zone(&given.time_zone));
    let tag_pairs = tag_pairs(&given.tag_pairs, &mut violations);
    let audited = violations.take(
        "organization.audit_access",
        audit_access(given.audit_access),
    );
    let (Some(organization), Some(display_name), Some(zone), Some(audit_access), true) =
        (slug, display_name, zone, audited, violations.is_empty())
    else {
        return Err(violations);
    };
    let id = OrganizationId::from_bytes(id::draw());
    Ok(New {
        id,
        name: OrganizationName { organization },
        display_name,
        zone,
        tag_pairs,
        audit_access,
    })
}

fn change(asked: admin::UpdateOrganizationRequest) -> Result<Change, Violations> {
    let given = desk::required(asked.organization, "organization")?;
    let fields = [
        Field::changes("display_name", !given.display_name.is_empty()),
        Field::changes("time_zone", !given.time_zone.is_empty()),
        Field::changes("tag_pairs", !given.tag_pairs.is_empty()),
        Field::changes("audit_access", given.audit_access != 0),
    ];
    let mut violations = Violations::new();
    let mask = Mask::read(asked.update_mask, &fields, &mut violations);
    let name = violations.take("organization.name", OrganizationName::parse(&given.name));
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("organization.display_name", display_name);
    let zone = violations.take("organization.time_zone", zone(&given.time_zone));
    let pairs = tag_pairs(&given.tag_pairs, &mut violations);
    let audited = violations.take(
        "organization.audit_access",
        audit_access(given.audit_access),
    );
    let texts = display_name.zip(zone);
    let (Some(mask), Some(name), Some((display_name, zone)), Some(audited), true) =
        (mask, name, texts, audited, violations.is_empty())
    else {
        return Err(violations);
    };
    let tag_pairs = mask.pick("tag_pairs", pairs);
    let audit_access = mask.pick("audit_access", audited);
    let zone = mask.pick("time_zone", zone);
    let display_name = mask.pick("display_name", display_name);
    Ok(Change {
        name,
        etag: given.etag,
        display_name,
        zone,
        tag_pairs,
        audit_access,
    })
}

fn wire(row: Row, written: Revision) -> admin::Organization {
    admin::Organization {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        revision: desk::latest(row.revision, written),
        display_name: row.display_name,
        time_zone: row.zone.name().to_owned(),
        tag_pairs: row.tag_pairs.iter().map(ToString::to_string).collect(),
        // The numbers are the same.
        audit_access: i32::from(row.audit_access as u8),
    }
}

fn audit_access(number: i32) -> Result<AuditAccess, &'static str> {
    use admin::AuditAccess::{All, Denied, None, Unspecified};
    match admin::AuditAccess::try_from(number) {
        Ok(Unspecified | None) => Ok(AuditAccess::None),
        Ok(Denied) => Ok(AuditAccess::Denied),
        Ok(All) => Ok(AuditAccess::All),
        Err(_) => {
            Err("is not known: use AUDIT_ACCESS_NONE, AUDIT_ACCESS_DENIED or AUDIT_ACCESS_ALL")
        }
    }
}

fn zone(name: &str) -> Result<Zone, UnknownZone> {
    if name.is_empty() {
        Ok(Zone::UTC)
    } else {
        Zone::parse(name)
    }
}
