//! The configuration lane as a request sees it: an immutable whole, with the indexes that stages ask.
//!
//! Built by cloning, editing and publishing anew; objects are shared, so that a clone copies pointers. What
//! an index cannot find is `None`, and every stage refuses then: a dangling reference never opens anything. A
//! limit that could not be read closes its organization, because what is absent would limit nobody.

use std::{collections::HashMap, sync::Arc};

use crate::{
    applying::{Applied, Asking, Index, Whose},
    audit_access::AuditAccess,
    by_id::ById,
    calendar::Zone,
    change::Edit,
    guard::Guard,
    id::{
        DiscountId, IssuerId, LimitId, ModelId, OrganizationId, PriceId, ProjectId, ProviderId,
        VersionId,
    },
    issuer::Issuer,
    limit::Limit,
    model::{Model, Version},
    object::{Kind, Object},
    organization::Organization,
    price::{Discount, Price},
    price_book::PriceBook,
    project::Project,
    provider::Provider,
    revision::Revision,
    split::Sticky,
};

/// The whole configuration at one revision.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    revision: Revision,
    organizations: ById<OrganizationId, Arc<Organization>>,
    projects: ById<ProjectId, Arc<Project>>,
    providers: ById<ProviderId, Arc<Provider>>,
    models: ById<ModelId, Arc<Model>>,
    models_by_name: ById<OrganizationId, HashMap<String, Arc<Model>>>,
    versions: ById<VersionId, Arc<Version>>,
    limits: ById<LimitId, Arc<Limit>>,
    issuers: ById<IssuerId, Arc<Issuer>>,
    index: Index,
    prices: ById<PriceId, Arc<Price>>,
    discounts: ById<DiscountId, Arc<Discount>>,
    books: ById<OrganizationId, Arc<PriceBook>>,
    closed: ById<LimitId, OrganizationId>,
    /// How many versions send headers on that a client sent, and how many models look at them.
    copying: usize,
    /// How many models look at what a token claims.
    claiming: usize,
    /// How many models share their traffic, and how many versions choose targets, by whose a request is.
    sticking: usize,
    /// How many limits regions hold together.
    shared: usize,
    /// How many projects forbid or demand anything.
    guarding: usize,
    /// How many organizations have decisions told to the audit trail.
    auditing: usize,
}

// === impl Rules ===

impl Rules {
    /// The revision of this whole.
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Says which revision this whole is.
    pub fn set_revision(&mut self, revision: Revision) {
        self.revision = revision;
    }

    /// Makes one edit. Edits of other lanes change nothing.
    pub fn apply(&mut self, edit: Edit) {
        match edit {
            Edit::Upsert(object) => self.upsert(object),
            Edit::Delete { kind, key } => self.delete(kind, &key),
            Edit::Revoke { .. } => {}
        }
    }

    /// Closes an organization until `limit`, which is its and could not be read, is upserted or deleted.
    pub fn close(&mut self, limit: LimitId, organization: OrganizationId) {
        self.closed.insert(limit, organization);
    }

    /// The object of this kind with this key: [`Object::key`]. `None` for the kinds of other lanes.
    pub fn object(&self, kind: Kind, key: &[u8]) -> Option<Object> {
        let id = <[u8; 16]>::try_from(key).ok()?;
        Some(match kind {
            Kind::Organization => Object::Organization(whole(
                self.organizations.get(&OrganizationId::from_bytes(id))?,
            )),
            Kind::Project => Object::Project(whole(self.projects.get(&ProjectId::from_bytes(id))?)),
            Kind::Provider => {
                Object::Provider(whole(self.providers.get(&ProviderId::from_bytes(id))?))
            }
            Kind::Model => Object::Model(whole(self.models.get(&ModelId::from_bytes(id))?)),
            Kind::Version => Object::Version(whole(self.versions.get(&VersionId::from_bytes(id))?)),
            Kind::Limit => {
                Object::Limit(Box::new(whole(self.limits.get(&LimitId::from_bytes(id))?)))
            }
            Kind::Issuer => {
                let it = self.issuers.get(&IssuerId::from_bytes(id))?;
                Object::Issuer(Box::new(whole(it)))
            }
            Kind::Price => Object::Price(whole(self.prices.get(&PriceId::from_bytes(id))?)),
            Kind::Discount => {
                Object::Discount(whole(self.discounts.get(&DiscountId::from_bytes(id))?))
            }
            Kind::Key | Kind::Credential | Kind::Pepper => return None,
        })
    }

    /// An organization; `None` also while it is closed.
    pub fn organization(&self, id: OrganizationId) -> Option<&Arc<Organization>> {
        self.organizations.get(&id).filter(|_| self.is_open(id))
    }

    /// A project; `None` also while its organization is closed.
    pub fn project(&self, id: ProjectId) -> Option<&Arc<Project>> {
        self.projects
            .get(&id)
            .filter(|project| self.is_open(project.organization))
    }

    /// What a project forbids its clients and demands of providers, if anything. Where no project does it costs one look.
    pub fn guard(&self, project: ProjectId) -> Option<&Arc<Guard>> {
        if self.guarding == 0 {
            return None;
        }
        self.projects.get(&project)?.guard.as_ref()
    }

    /// Which decisions about its requests an organization has told to the audit trail. Where none does it costs one look.
    pub fn audit_access(&self, organization: OrganizationId) -> AuditAccess {
        if self.auditing == 0 {
            return AuditAccess::None;
        }
        let organization = self.organizations.get(&organization);
        organization.map_or(AuditAccess::None, |it| it.audit_access)
    }

    /// A provider.
    pub fn provider(&self, id: ProviderId) -> Option<&Arc<Provider>> {
        self.providers.get(&id)
    }

    /// Every provider, in no order.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }

    /// The provider that an organization's operators call `name`; none while the organization is closed. Looks at
    /// every provider, because only what is passed through names one.
    pub fn provider_named(
        &self,
        organization: OrganizationId,
        name: &str,
    ) -> Option<&Arc<Provider>> {
        self.providers
            .values()
            .find(|it| it.organization == organization && it.name == name)
            .filter(|_| self.is_open(organization))
    }

    /// Whether anybody trusts an issuer.
    pub fn trusts_any(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// Every issuer, in no order.
    pub fn issuers(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        self.issuers.values()
    }

    /// The project that an organization's operators call `name`; none while the organization is closed. Looks at every
    /// project, because only a token that is new to a core names one.
    pub fn project_named(&self, organization: OrganizationId, name: &str) -> Option<&Arc<Project>> {
        self.projects
            .values()
            .find(|it| it.organization == organization && it.name == name)
            .filter(|_| self.is_open(organization))
    }

    /// A version.
    pub fn version(&self, id: VersionId) -> Option<&Arc<Version>> {
        self.versions.get(&id)
    }

    /// Whether a version sends headers on that a client sent, or a model looks at them.
    pub const fn copies_headers(&self) -> bool {
        self.copying > 0
    }

    /// Whether a model looks at what a token claims.
    pub const fn asks_claims(&self) -> bool {
        self.claiming > 0
    }

    /// The model that an organization's clients call `name`, by its own name or as [`Model::asked_by`] an alias; none while the
    /// organization is closed.
    pub fn model(&self, organization: OrganizationId, name: &str) -> Option<&Arc<Model>> {
        self.names(organization)?.get(name)
    }

    /// The model with this id, whoever's it is.
    pub fn model_with_id(&self, id: ModelId) -> Option<&Arc<Model>> {
        self.models.get(&id)
    }

    /// Every model, in no order.
    pub fn all_models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values()
    }

    /// Every model of an organization, in no order, and each once more for each of its aliases; none while it is closed.
    pub fn models_called(&self, organization: OrganizationId) -> impl Iterator<Item = &Arc<Model>> {
        self.names(organization)
            .into_iter()
            .flat_map(HashMap::values)
    }

    /// Every model of an organization, in no order; none while it is closed.
    pub fn models(&self, organization: OrganizationId) -> impl Iterator<Item = &Arc<Model>> {
        let called = self.models_called(organization);
        called.filter(|it| it.alias.is_none())
    }

    /// Every limit that concerns a request, whoever serves it.
    pub fn limits(&self, asking: &Asking<'_>) -> Vec<Applied> {
        self.index
            .concerning(asking, None, self.zone(asking.organization))
    }

    /// Every limit that concerns a request besides when this provider serves it.
    pub fn limits_at(&self, asking: &Asking<'_>, provider: ProviderId) -> Vec<Applied> {
        self.index
            .concerning(asking, Some(provider), self.zone(asking.organization))
    }

    /// The count of one limit for its project, key or end user, whatever else a request must be for the limit to concern it; `None`
    /// where it is not in force.
    pub fn count_of(&self, limit: LimitId, whose: &Whose, now_ms: u64) -> Option<Applied> {
        let limit = self.limits.get(&limit)?;
        let asking = Asking {
            organization: limit.organization,
            project: whose.project,
            key_id: &whose.key_id,
            model: whose.model,
            end_user: Some(&whose.end_user),
            now_ms,
        };
        let zone = self.zone(limit.organization);
        Some(Index::count_of(limit, &asking, zone))
    }

    /// An organization's own prices and discounts; `None` where it has none.
    pub fn price_book(&self, organization: OrganizationId) -> Option<&Arc<PriceBook>> {
        self.books.get(&organization)
    }

    /// Whether a limit of the organization asks for which end user a request is.
    pub fn asks_end_user(&self, organization: OrganizationId) -> bool {
        self.index.asks_end_user(organization)
    }

    /// Whether any limit or model asks whose a request is: its end user, or its session.
    pub fn any_asks_whose(&self) -> bool {
        self.sticking > 0 || self.index.any_asks_end_user()
    }

    /// Whether a limit of the organization asks which provider serves a request.
    pub fn asks_provider(&self, organization: OrganizationId) -> bool {
        self.index.asks_provider(organization)
    }

    /// Whether regions hold any limit together.
    pub const fn any_is_shared(&self) -> bool {
        self.shared > 0
    }

    fn zone(&self, organization: OrganizationId) -> Option<&Zone> {
        self.organizations.get(&organization).map(|it| &it.zone)
    }

    fn upsert(&mut self, object: Object) {
        match object {
            Object::Organization(it) => {
                self.remove_organization(it.id);
                self.auditing += usize::from(it.audit_access.is_any());
                self.organizations.insert(it.id, Arc::new(it));
            }
            Object::Project(it) => {
                self.remove_project(it.id);
                self.guarding += usize::from(it.guard.is_some());
                self.projects.insert(it.id, Arc::new(it));
            }
            Object::Provider(it) => drop(self.providers.insert(it.id, Arc::new(it))),
            Object::Version(it) => {
                self.remove_version(it.id);
                self.copying += usize::from(copies(&it));
                self.sticking += usize::from(it.routing.balance.asks_whose());
                self.versions.insert(it.id, Arc::new(it));
            }
            Object::Model(it) => {
                self.remove_model(it.id);
                self.sticking += usize::from(sticks(&it));
                self.copying += usize::from(names(&it, &["headers"]));
                self.claiming += usize::from(names(&it, &["claims", "data_class"]));
                let it = Arc::new(it);
                let names = self.models_by_name.entry(it.organization).or_default();
                for alias in &it.aliases {
                    names.insert(alias.name.clone(), Arc::new(it.asked_by(alias)));
                }
                names.insert(it.name.clone(), Arc::clone(&it));
                self.models.insert(it.id, it);
            }
            Object::Limit(it) => {
                self.remove_limit(it.id);
                let it: Arc<Limit> = Arc::from(it);
                self.shared += usize::from(it.is_shared());
                self.index.add(Arc::clone(&it));
                self.limits.insert(it.id, it);
            }
            Object::Issuer(it) => drop(self.issuers.insert(it.id, Arc::from(it))),
            Object::Price(it) => {
                self.remove_price(it.id);
                Arc::make_mut(self.books.entry(it.organization).or_default()).put(&it);
                self.prices.insert(it.id, Arc::new(it));
            }
            Object::Discount(it) => {
                self.remove_discount(it.id);
                let it = Arc::new(it);
                let book = self.books.entry(it.organization).or_default();
                Arc::make_mut(book).put_discount(Arc::clone(&it));
                self.discounts.insert(it.id, it);
            }
            Object::Key(_) | Object::Credential(_) | Object::Pepper(_) => {}
        }
    }

    fn delete(&mut self, kind: Kind, key: &[u8]) {
        let Ok(id) = <[u8; 16]>::try_from(key) else {
            return;
        };
        match kind {
            Kind::Organization => self.remove_organization(OrganizationId::from_bytes(id)),
            Kind::Project => self.remove_project(ProjectId::from_bytes(id)),
            Kind::Provider => drop(self.providers.remove(&ProviderId::from_bytes(id))),
            Kind::Version => self.remove_version(VersionId::from_bytes(id)),
            Kind::Model => self.remove_model(ModelId::from_bytes(id)),
            Kind::Limit => self.remove_limit(LimitId::from_bytes(id)),
            Kind::Issuer => drop(self.issuers.remove(&IssuerId::from_bytes(id))),
            Kind::Price => self.remove_price(PriceId::from_bytes(id)),
            Kind::Discount => self.remove_discount(DiscountId::from_bytes(id)),
            Kind::Key | Kind::Credential | Kind::Pepper => {}
        }
    }

    fn remove_organization(&mut self, id: OrganizationId) {
        let old = self.organizations.remove(&id);
        let audited = old.is_some_and(|it| it.audit_access.is_any());
        self.auditing = self.auditing.saturating_sub(usize::from(audited));
    }

    fn remove_project(&mut self, id: ProjectId) {
        let old = self.projects.remove(&id);
        let guarded = old.is_some_and(|it| it.guard.is_some());
        self.guarding = self.guarding.saturating_sub(usize::from(guarded));
    }

    fn remove_price(&mut self, id: PriceId) {
        if let Some(old) = self.prices.remove(&id) {
            self.edit_book(old.organization, |book| book.remove(&old.row.reference));
        }
    }

    fn remove_discount(&mut self, id: DiscountId) {
        if let Some(old) = self.discounts.remove(&id) {
            self.edit_book(old.organization, |book| book.remove_discount(id));
        }
    }

    fn edit_book(&mut self, organization: OrganizationId, edit: impl FnOnce(&mut PriceBook)) {
        if let Some(book) = self.books.get_mut(&organization) {
            edit(Arc::make_mut(book));
            if book.is_empty() {
                self.books.remove(&organization);
            }
        }
    }

    fn remove_version(&mut self, id: VersionId) {
        let Some(old) = self.versions.remove(&id) else {
            return;
        };
        self.copying = self.copying.saturating_sub(usize::from(copies(&old)));
        let stuck = usize::from(old.routing.balance.asks_whose());
        self.sticking = self.sticking.saturating_sub(stuck);
    }

    fn remove_model(&mut self, id: ModelId) {
        let Some(old) = self.models.remove(&id) else {
            return;
        };
        self.sticking = self.sticking.saturating_sub(usize::from(sticks(&old)));
        let copied = usize::from(names(&old, &["headers"]));
        self.copying = self.copying.saturating_sub(copied);
        let claimed = usize::from(names(&old, &["claims", "data_class"]));
        self.claiming = self.claiming.saturating_sub(claimed);
        if let Some(names) = self.models_by_name.get_mut(&old.organization) {
            let aliases = old.aliases.iter().map(|it| &it.name);
            for name in [&old.name].into_iter().chain(aliases) {
                // It may be another model's by now.
                if names.get(name).is_some_and(|it| it.id == id) {
                    names.remove(name);
                }
            }
            if names.is_empty() {
                self.models_by_name.remove(&old.organization);
            }
        }
    }

    fn names(&self, organization: OrganizationId) -> Option<&HashMap<String, Arc<Model>>> {
        self.models_by_name
            .get(&organization)
            .filter(|_| self.is_open(organization))
    }

    fn is_open(&self, organization: OrganizationId) -> bool {
        self.closed.is_empty() || !self.closed.values().any(|closed| *closed == organization)
    }

    fn remove_limit(&mut self, id: LimitId) {
        self.closed.remove(&id);
        let Some(old) = self.limits.remove(&id) else {
            return;
        };
        self.shared = self.shared.saturating_sub(usize::from(old.is_shared()));
        self.index.remove(&old);
    }
}

fn sticks(model: &Model) -> bool {
    let split = model.split.as_ref();
    let splits = split.is_some_and(|it| matches!(it.sticky, Sticky::EndUser | Sticky::Session));
    splits || names(model, &["end_user", "session"])
}

/// Whether a condition of a model names one of these, as far as that can be told without reading it.
fn names(model: &Model, words: &[&str]) -> bool {
    let mut conditions = model.rules.iter().map(|it| it.condition.as_str());
    conditions.any(|text| words.iter().any(|word| text.contains(word)))
}

fn copies(version: &Version) -> bool {
    version
        .recipe
        .as_ref()
        .is_some_and(|it| it.headers().copy_any())
}

fn whole<T: Clone>(object: &Arc<T>) -> T {
    T::clone(object)
}

#[cfg(test)]
#[path = "rules_test.rs"]
mod tests;
