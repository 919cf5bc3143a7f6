//! `PriceService`: wire to command, store, wire.

use domain::name::{OrganizationName, PriceName};
use policy::{published, revision::Revision};
use proto::admin::{self, price_service_server::PriceService};
use store::price;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk},
        page::List,
        price_wire::{new, wire, wire_published},
    },
    status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Prices {
    desk: Desk,
}

// === impl Prices ===

impl Prices {
    /// The service before this desk.
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl PriceService for Prices {
    async fn create_price(
        &self,
        request: Request<admin::CreatePriceRequest>,
    ) -> Result<Response<admin::Price>, Status> {
        let (call, wanted) = Call::open("CreatePrice", request, new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = price::create(draft.write(), wanted)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }

    async fn get_price(
        &self,
        request: Request<admin::GetPriceRequest>,
    ) -> Result<Response<admin::Price>, Status> {
        let name = desk::readable("name", PriceName::parse(&request.get_ref().name))?;
        let row = price::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(wire(&row, Revision(0))))
    }

    async fn list_prices(
        &self,
        request: Request<admin::ListPricesRequest>,
    ) -> Result<Response<admin::ListPricesResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListPrices",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = price::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        let rows = listed.rows.iter();
        Ok(Response::new(admin::ListPricesResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            prices: rows.map(|row| wire(row, Revision(0))).collect(),
        }))
    }

    async fn delete_price(
        &self,
        request: Request<admin::DeletePriceRequest>,
    ) -> Result<Response<admin::DeletePriceResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeletePrice", request, |asked| {
            desk::named("name", PriceName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = price::delete(draft.write(), &name, &etag).await;
        let stood = wire(&stood.map_err(status::store)?, Revision(0));
        draft.before("Price", &stood);
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeletePriceResponse {
                revision: reply(revision),
            })
            .await
    }

    async fn list_published_prices(
        &self,
        _: Request<admin::ListPublishedPricesRequest>,
    ) -> Result<Response<admin::ListPublishedPricesResponse>, Status> {
        let rows = published::rows().iter();
        Ok(Response::new(admin::ListPublishedPricesResponse {
            prices: rows.map(|it| wire_published(it)).collect(),
        }))
    }
}
