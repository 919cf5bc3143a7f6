//! `DiscountService`: wire to command, store, wire.

use domain::name::{DiscountName, OrganizationName};
use policy::revision::Revision;
use proto::admin::{self, discount_service_server::DiscountService};
use store::discount;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        page::List,
        price_wire::{new_discount, wire_discount},
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Discounts {
    desk: Desk,
}

// === impl Discounts ===

impl Discounts {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl DiscountService for Discounts {
    async fn create_discount(
        &self,
        request: Request<admin::CreateDiscountRequest>,
    ) -> Result<Response<admin::Discount>, Status> {
        let (call, wanted) = Call::open("CreateDiscount", request, new_discount)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = discount::create(draft.write(), wanted)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire_discount(&row, revision)).await
    }

    async fn get_discount(
        &self,
        request: Request<admin::GetDiscountRequest>,
    ) -> Result<Response<admin::Discount>, Status> {
        let name = desk::readable("name", DiscountName::parse(&request.get_ref().name))?;
        let row = discount::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire_discount(&row, Revision(0))))
    }

    async fn list_discounts(
        &self,
        request: Request<admin::ListDiscountsRequest>,
    ) -> Result<Response<admin::ListDiscountsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListDiscounts",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = discount::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        let rows = listed.rows.iter();
        Ok(Response::new(admin::ListDiscountsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            discounts: rows.map(|row| wire_discount(row, Revision(0))).collect(),
        }))
    }

    async fn delete_discount(
        &self,
        request: Request<admin::DeleteDiscountRequest>,
    ) -> Result<Response<admin::DeleteDiscountResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteDiscount", request, |asked| {
            desk::named("name", DiscountName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = discount::delete(draft.write(), &name, &etag).await;
        let stood = wire_discount(&stood.map_err(status::store)?, Revision(0));
        draft.before("Discount", &stood);
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteDiscountResponse {
                revision: reply(revision),
            })
            .await
    }
}
