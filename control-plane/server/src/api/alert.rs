//! `AlertService`: wire to command, store, wire; and a test of a channel, which is sent at once.

use std::sync::Arc;

use courier::{Courier, Event, Notice};
use domain::{
    access::{Permission, Place},
    name::{AlertChannelName, AlertRuleName, OrganizationName},
};
use lifecycle::clock::Clock;
use policy::revision::Revision;
use proto::admin::{self, alert_service_server::AlertService};
use store::{alert, alert_channel, alert_rule, id};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    api::{
        alert_channel_wire, alert_rule_wire,
        desk::{self, Begun, Call, Desk},
        page::List,
    },
    authn::{Actor, NotAuthenticated},
    status,
    turns::Turns,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Alerts {
    desk: Desk,
    clock: Clock,
    courier: Courier,
    /// Whose tests are under way.
    turns: Arc<Turns>,
}

// === impl Alerts ===

impl Alerts {
    /// The service before this desk, whose tests this courier brings.
    pub(crate) fn new(desk: Desk, clock: Clock, courier: Courier) -> Self {
        Self {
            desk,
            clock,
            courier,
            turns: Arc::default(),
        }
    }

    /// Why a test of a channel did not arrive; empty where it did.
    async fn tried(&self, row: &alert_channel::Row) -> String {
        let Some(_turn) = self.turns.take().await else {
            return "too many tests are under way: try again".to_owned();
        };
        let Some(to) = alert_channel_wire::destination(row, self.desk.sealing()) else {
            return "what is kept of this channel cannot be read: make another one".to_owned();
        };
        let (name, now_ms) = (row.name.to_string(), self.clock.now_ms());
        let notice = Notice {
            id: Uuid::from_bytes(id::draw()).to_string(),
            event: Event::Test,
            alert: String::new(),
            rule: String::new(),
            summary: format!("Notices of {} arrive here", row.name.parent()),
            subject: name,
            at_ms: now_ms,
        };
        let brought = self.courier.bring(&to, &notice, now_ms).await;
        brought
            .err()
            .map_or_else(String::new, |why| why.to_string())
    }
}

/// Edges carry the traffic of all organizations: only who may see them may watch them.
fn may_watch(request: &Request<admin::CreateAlertRuleRequest>) -> Result<(), Status> {
    let rule = request.get_ref().alert_rule.as_ref();
    if rule.is_none_or(|it| it.edge_stale.is_none()) {
        return Ok(());
    }
    let nobody = || status::not_authenticated(NotAuthenticated::Nothing);
    let actor = request.extensions().get::<Actor>().ok_or_else(nobody)?;
    let needs = (Permission::EdgesRead, Place::Everywhere);
    if actor.bindings.allow(needs.0, &needs.1) {
        Ok(())
    } else {
        Err(status::denied(Some((needs.0, &needs.1))))
    }
}

#[tonic::async_trait]
impl AlertService for Alerts {
    async fn create_alert_channel(
        &self,
        request: Request<admin::CreateAlertChannelRequest>,
    ) -> Result<Response<admin::AlertChannel>, Status> {
        let read = alert_channel_wire::wanted;
        let (call, wanted) = Call::open("CreateAlertChannel", request, read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let new = wanted.into_new(self.desk.sealing());
        let row = alert_channel::create(draft.write(), new).await;
        let row = row.map_err(status::store)?;
        draft.finish(|_| alert_channel_wire::wire(row)).await
    }

    async fn get_alert_channel(
        &self,
        request: Request<admin::GetAlertChannelRequest>,
    ) -> Result<Response<admin::AlertChannel>, Status> {
        let row = self.channel(&request.get_ref().name).await?;
        Ok(Response::new(alert_channel_wire::wire(row)))
    }

    async fn list_alert_channels(
        &self,
        request: Request<admin::ListAlertChannelsRequest>,
    ) -> Result<Response<admin::ListAlertChannelsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListAlertChannels",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = alert_channel::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        let rows = listed.rows.into_iter();
        Ok(Response::new(admin::ListAlertChannelsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            alert_channels: rows.map(alert_channel_wire::wire).collect(),
        }))
    }

    async fn delete_alert_channel(
        &self,
        request: Request<admin::DeleteAlertChannelRequest>,
    ) -> Result<Response<admin::DeleteAlertChannelResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteAlertChannel", request, |asked| {
            let name = desk::named("name", AlertChannelName::parse(&asked.name));
            name.map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = alert_channel::delete(draft.write(), &name, &etag).await;
        let stood = alert_channel_wire::wire(stood.map_err(status::store)?);
        draft.before("AlertChannel", &stood);
        draft
            .finish(|_: Revision| admin::DeleteAlertChannelResponse {})
            .await
    }

    async fn test_alert_channel(
        &self,
        request: Request<admin::TestAlertChannelRequest>,
    ) -> Result<Response<admin::TestAlertChannelResponse>, Status> {
        let row = self.channel(&request.get_ref().name).await?;
        let error = self.tried(&row).await;
        Ok(Response::new(admin::TestAlertChannelResponse {
            delivered: error.is_empty(),
            error,
        }))
    }

    async fn create_alert_rule(
        &self,
        request: Request<admin::CreateAlertRuleRequest>,
    ) -> Result<Response<admin::AlertRule>, Status> {
        may_watch(&request)?;
        let (call, new) = Call::open("CreateAlertRule", request, alert_rule_wire::new)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = alert_rule::create(draft.write(), new).await;
        let row = row.map_err(status::store)?;
        draft.finish(|_| alert_rule_wire::wire(row)).await
    }

    async fn get_alert_rule(
        &self,
        request: Request<admin::GetAlertRuleRequest>,
    ) -> Result<Response<admin::AlertRule>, Status> {
        let name = AlertRuleName::parse(&request.get_ref().name);
        let name = desk::readable("name", name)?;
        let row = alert_rule::get(self.desk.store(), &name).await;
        let row = row.map_err(status::store)?;
        Ok(Response::new(alert_rule_wire::wire(row)))
    }

    async fn list_alert_rules(
        &self,
        request: Request<admin::ListAlertRulesRequest>,
    ) -> Result<Response<admin::ListAlertRulesResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListAlertRules",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = alert_rule::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        Ok(Response::new(admin::ListAlertRulesResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            alert_rules: listed.rows.into_iter().map(alert_rule_wire::wire).collect(),
        }))
    }

    async fn delete_alert_rule(
        &self,
        request: Request<admin::DeleteAlertRuleRequest>,
    ) -> Result<Response<admin::DeleteAlertRuleResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteAlertRule", request, |asked| {
            let name = desk::named("name", AlertRuleName::parse(&asked.name));
            name.map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let stood = alert_rule::delete(draft.write(), &name, &etag).await;
        let stood = alert_rule_wire::wire(stood.map_err(status::store)?);
        draft.before("AlertRule", &stood);
        draft
            .finish(|_: Revision| admin::DeleteAlertRuleResponse {})
            .await
    }

    async fn list_alerts(
        &self,
        request: Request<admin::ListAlertsRequest>,
    ) -> Result<Response<admin::ListAlertsResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListAlerts",
            parent: &asked.parent,
        };
        let parent = OrganizationName::parse(&asked.parent);
        let size = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, size, parent)?;
        let listed = alert::list(self.desk.store(), &parent, (&page, asked.firing_only)).await;
        let listed = listed.map_err(status::store)?;
        let rows = listed.rows.into_iter();
        Ok(Response::new(admin::ListAlertsResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            alerts: rows.map(|it| alert_rule_wire::fired(&parent, it)).collect(),
        }))
    }
}

impl Alerts {
    async fn channel(&self, name: &str) -> Result<alert_channel::Row, Status> {
        let name = desk::readable("name", AlertChannelName::parse(name))?;
        let row = alert_channel::get(self.desk.store(), &name).await;
        row.map_err(status::store)
    }
}
