//! `BudgetService`: limits on money under a better noun, and how they stand by the ledger.

use domain::{
    budget::{self, Standing},
    name::{BudgetName, KeyName, OrganizationName},
};
use lifecycle::clock::Clock;
use policy::{applying::Whose, id::ProjectId, limit::Member, region::Region, revision::Revision};
use proto::{
    admin::{self, budget_service_server::BudgetService},
    message,
};
use store::{StoreError, key, limit};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        budget_held,
        budget_wire::{self, Change, is_budget, wire},
        desk::{self, Begun, Call, Desk},
        page::List,
    },
    inquiry::Inquiry,
    standing, status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Budgets {
    desk: Desk,
    clock: Clock,
    inquiry: Inquiry,
}

/// One region's part in how a budget stands.
struct InRegion {
    region: Region,
    /// What records say.
    spent: u64,
    /// What edges count besides, where they could be asked.
    held: Option<u64>,
}

// === impl Budgets ===

impl Budgets {
    /// The service before this desk, which asks edges by `inquiry` for what they hold.
    pub(crate) const fn new(desk: Desk, clock: Clock, inquiry: Inquiry) -> Self {
        Self {
            desk,
            clock,
            inquiry,
        }
    }

    async fn read(&self, name: &BudgetName) -> Result<limit::Row, Status> {
        let named = budget_wire::limit_name(name.clone());
        let row = limit::get(self.desk.store(), &named).await;
        checked(row.map_err(status::store)?, name)
    }

    /// Whose budget is asked for, where each has one.
    async fn whose(
        &self,
        row: &limit::Row,
        asked: &admin::GetBudgetStatusRequest,
    ) -> Result<Option<Whose>, Status> {
        let each = row.narrowing.each;
        if each.is_empty() {
            return Ok(None);
        }
        let told = [Member::Key, Member::EndUser];
        if each.iter().any(|it| !told.contains(&it)) {
            let why = "counts each of something that cannot be named here: ask `usage query` what each spent";
            return Err(status::invalid_field("name", why));
        }
        let mut key_id = String::new();
        if each.has(Member::Key) {
            let name = desk::readable("key", KeyName::parse(&asked.key))?;
            let key = key::get(self.desk.store(), &name).await;
            key.map_err(status::store)?;
            key_id = name.key.to_string();
        }
        Ok(Some(Whose {
            // Asked for by no budget that gets here.
            project: ProjectId::from_bytes([0; 16]),
            key_id,
            model: None,
            end_user: asked.end_user.clone(),
            provider: None,
        }))
    }

    async fn status(
        &self,
        row: &limit::Row,
        whose: Option<Whose>,
    ) -> Result<admin::BudgetStatus, Status> {
        let now_ms = self.clock.now_ms();
        // Edges are asked first: what comes to the records meanwhile is then not taken for held.
        let question = budget_held::question(row, whose.as_ref());
        let told = self.inquiry.ask((row.organization, &question), None).await;
        let standing = standing::of(self.desk.store(), row, (whose, now_ms)).await;
        let (standing, mut spent) = standing.map_err(status::store)?;
        // Nothing may have been spent yet where something is held.
        for it in &told {
            if spent.iter().all(|(region, _)| *region != it.region) {
                spent.push((it.region.clone(), 0));
            }
        }
        let in_region = |(region, spent): (Region, u64)| {
            let told = told.iter().find(|it| it.region == region);
            let counted = told.and_then(|it| budget_held::counted(it.explained.as_ref()?));
            InRegion {
                region,
                spent,
                held: counted.map(|counted| counted.saturating_sub(spent)),
            }
        };
        let spent: Vec<_> = spent.into_iter().map(in_region).collect();
        Ok(shown(row, &standing, &spent))
    }
}

fn shown(row: &limit::Row, standing: &Standing, spent: &[InRegion]) -> admin::BudgetStatus {
    let units = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
    let span = standing.span;
    let ends = span.from_ms > 0;
    let threshold = |percent: &u16| {
        let micro = budget::part(standing.amount, *percent);
        admin::BudgetThreshold {
            percent: i32::from(*percent),
            micro_dollars: units(micro),
            crossed: standing.most_spent() >= micro,
        }
    };
    let region = |it: &InRegion| admin::BudgetRegion {
        region: it.region.to_string(),
        spent_micro_dollars: units(it.spent),
        held_micro_dollars: it.held.map(units),
    };
    let held = spent.iter().filter_map(|it| it.held);
    let held = held.reduce(u64::saturating_add);
    admin::BudgetStatus {
        name: wire(row, Revision(0)).name,
        start_time: ends.then(|| message::timestamp(span.from_ms)),
        end_time: ends.then(|| message::timestamp(span.to_ms)),
        counted_from_time: (standing.counted_from_ms > span.from_ms)
            .then(|| message::timestamp(standing.counted_from_ms)),
        micro_dollars: units(standing.amount),
        spent_micro_dollars: units(standing.spent.iter().sum()),
        remaining_micro_dollars: units(standing.remaining()),
        forecast_micro_dollars: standing.forecast().map(units),
        thresholds: row.thresholds.iter().map(threshold).collect(),
        regions: spent.iter().map(region).collect(),
        held_micro_dollars: held.map(units),
    }
}

/// The limit, if it is a budget.
fn checked(row: limit::Row, name: &BudgetName) -> Result<limit::Row, Status> {
    if is_budget(&row) {
        Ok(row)
    } else {
        Err(status::store(missing(name)))
    }
}

fn missing(name: &impl ToString) -> StoreError {
    StoreError::NotFound {
        name: name.to_string(),
    }
}

#[tonic::async_trait]
impl BudgetService for Budgets {
    async fn create_budget(
        &self,
        request: Request<admin::CreateBudgetRequest>,
    ) -> Result<Response<admin::Budget>, Status> {
        let (call, new) = Call::open("CreateBudget", request, budget_wire::new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = limit::create(draft.write(), new)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }

    async fn get_budget(
        &self,
        request: Request<admin::GetBudgetRequest>,
    ) -> Result<Response<admin::Budget>, Status> {
        let row = self.read(&name(&request.get_ref().name)?).await?;
        Ok(Response::new(wire(&row, Revision(0))))
    }

    async fn list_budgets(
        &self,
        request: Request<admin::ListBudgetsRequest>,
    ) -> Result<Response<admin::ListBudgetsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListBudgets",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = limit::list(self.desk.store(), &parent, (&page, true)).await;
        let listed = listed.map_err(status::store)?;
        let budgets = listed.rows.iter().map(|row| wire(row, Revision(0)));
        Ok(Response::new(admin::ListBudgetsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            budgets: budgets.collect(),
        }))
    }

    async fn update_budget(
        &self,
        request: Request<admin::UpdateBudgetRequest>,
    ) -> Result<Response<admin::Budget>, Status> {
        let (call, change) = Call::open("UpdateBudget", request, Change::read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let locked = limit::lock(draft.write(), &change.name, &change.etag).await;
        let mut row = locked.map_err(status::store)?;
        if !is_budget(&row) {
            return Err(status::store(missing(&row.name)));
        }
        draft.before("Budget", &wire(&row, Revision(0)));
        change.apply(&mut row).map_err(status::invalid)?;
        let row = limit::update(draft.write(), &row)
            .await
            .map_err(status::store)?;
        draft.finish(|revision| wire(&row, revision)).await
    }

    async fn delete_budget(
        &self,
        request: Request<admin::DeleteBudgetRequest>,
    ) -> Result<Response<admin::DeleteBudgetResponse>, Status> {
        let (call, (named, etag)) = Call::open("DeleteBudget", request, |asked| {
            desk::named("name", BudgetName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let limit_name = budget_wire::limit_name(named.clone());
        let stood = limit::lock(draft.write(), &limit_name, &etag).await;
        let stood = checked(stood.map_err(status::store)?, &named)?;
        draft.before("Budget", &wire(&stood, Revision(0)));
        limit::delete(draft.write(), &limit_name, &etag)
            .await
            .map_err(status::store)?;
        draft
            .finish(|revision| admin::DeleteBudgetResponse {
                revision: desk::latest(Revision(0), revision),
            })
            .await
    }

    async fn get_budget_status(
        &self,
        request: Request<admin::GetBudgetStatusRequest>,
    ) -> Result<Response<admin::BudgetStatus>, Status> {
        let asked = request.into_inner();
        let row = self.read(&name(&asked.name)?).await?;
        let whose = self.whose(&row, &asked).await?;
        self.status(&row, whose).await.map(Response::new)
    }
}

fn name(text: &str) -> Result<BudgetName, Status> {
    desk::readable("name", BudgetName::parse(text))
}
