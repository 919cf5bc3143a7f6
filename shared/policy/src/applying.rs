//! Which limits concern a request, and which count of each: the one place where that is decided.
//!
//! Who asks for room and who explains limits both ask here. Knows nothing of levels. A request for no named end user
//! is for the end user without a name, so that leaving the name out opens nothing. What is passed through is not read: limits
//! that ask for a model or an end user do not concern it where none is known.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use crate::{
    by_id::ById,
    calendar::{Span, Zone},
    id::{CounterId, ModelId, OrganizationId, ProjectId, ProviderId, ShelfId},
    limit::{Allowance, Limit, Member, Of, Rate, Scope},
};

/// What of a request decides which limits concern it.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Who pays.
    pub organization: OrganizationId,
    /// In which project.
    pub project: ProjectId,
    /// With which key.
    pub key_id: &'a str,
    /// For which model; `None` where none is named, as by what is passed through.
    pub model: Option<ModelId>,
    /// For whom the client says it asks, empty when it does not say; `None` where nobody can tell.
    pub end_user: Option<&'a str>,
    /// When, milliseconds since 1970.
    pub now_ms: u64,
}

/// A limit that concerns a request.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The limit.
    pub limit: Arc<Limit>,
    /// Which of its counts.
    pub counter: CounterId,
    /// Where the count stands. Those of one shelf follow each other in what concerns a request.
    pub shelf: Shelf,
    /// What the count is.
    pub count: Count,
    /// How much of what is counted was given back to other regions and not used; no part of `count`.
    pub given: u64,
    /// Of a quota with members, whose count it is.
    pub whose: Option<Arc<Whose>>,
}

/// Which of the members of a limit a count belongs to: of each, the one that asks, whether or not the limit tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Whose {
    /// In which project.
    pub project: ProjectId,
    /// With which key.
    pub key_id: String,
    /// For which model, where one is named.
    pub model: Option<ModelId>,
    /// For whom, empty where nobody is named.
    pub end_user: String,
    /// At which provider, where the limit asks.
    pub provider: Option<ProviderId>,
}

/// The counts of all limits of the same scope, which concern the same requests; so whoever keeps counts may read and write
/// them as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shelf {
    /// Which.
    pub id: ShelfId,
    /// Whether there is one for each key or for each end user, and so any number of them.
    pub is_one_of_many: bool,
}

/// A limit, and what its scope is known by.
#[derive(Debug, Clone)]
struct Placed {
    limit: Arc<Limit>,
    scope: [u8; 16],
}

/// What a count is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    /// A level that is measured by this.
    Level(Measure),
    /// So many slots, of which each request under way has one.
    Slots(u64),
}

/// What a level is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Refills all the time.
    Rate(Rate),
    /// Starts again when the span is over.
    Quota {
        /// How much each period holds.
        amount: u64,
        /// The period as whoever asks sees it.
        span: Span,
    },
}

/// All limits, by whose requests they count; those of the same scope follow each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    of_organization: ById<OrganizationId, Vec<Placed>>,
    of_project: ById<ProjectId, Vec<Placed>>,
    of_key: HashMap<String, Vec<Placed>>,
    /// How many limits of each organization ask for whom a request is.
    asking_end_user: ById<OrganizationId, usize>,
    /// How many limits of each organization ask who serves it.
    asking_provider: ById<OrganizationId, usize>,
}

// === impl Index ===

impl Index {
    pub(crate) fn add(&mut self, limit: Arc<Limit>) {
        let organization = limit.organization;
        if limit.asks_end_user() {
            *self.asking_end_user.entry(organization).or_default() += 1;
        }
        if limit.scope.asks_provider() {
            *self.asking_provider.entry(organization).or_default() += 1;
        }
        let limits = match &limit.scope.of {
            Of::Organization(id) => self.of_organization.entry(*id).or_default(),
            Of::Project(id) => self.of_project.entry(*id).or_default(),
            Of::Key(key_id) => self.of_key.entry(key_id.clone()).or_default(),
        };
        let scope = digest_of(&limit.scope);
        let last = limits.iter().rposition(|it| it.scope == scope);
        let place = last.map_or(limits.len(), |last| last + 1);
        limits.insert(place, Placed { limit, scope });
    }

    pub(crate) fn remove(&mut self, limit: &Limit) {
        if limit.asks_end_user() {
            one_less(&mut self.asking_end_user, limit.organization);
        }
        if limit.scope.asks_provider() {
            one_less(&mut self.asking_provider, limit.organization);
        }
        match &limit.scope.of {
            Of::Organization(id) => take_out(&mut self.of_organization, id, limit),
            Of::Project(id) => take_out(&mut self.of_project, id, limit),
            Of::Key(key_id) => take_out(&mut self.of_key, key_id, limit),
        }
    }

    pub(crate) fn asks_end_user(&self, organization: OrganizationId) -> bool {
        !self.asking_end_user.is_empty() && self.asking_end_user.contains_key(&organization)
    }

    pub(crate) fn asks_provider(&self, organization: OrganizationId) -> bool {
        !self.asking_provider.is_empty() && self.asking_provider.contains_key(&organization)
    }

    pub(crate) fn any_asks_end_user(&self) -> bool {
        !self.asking_end_user.is_empty()
    }

    /// Those that concern a request and do not ask who serves it; with a provider, those that do and concern it when
    /// that one serves it.
    pub(crate) fn concerning(
        &self,
        asking: &Asking<'_>,
        provider: Option<ProviderId>,
        zone: Option<&Zone>,
    ) -> Vec<Applied> {
        let found = [
            self.of_key.get(asking.key_id),
            self.of_project.get(&asking.project),
            self.of_organization.get(&asking.organization),
        ];
        let found = found.into_iter().flatten().flatten();
        // One digest for all counts of a shelf.
        let mut last = None;
        found
            .filter(|it| concerns(&it.limit, asking, provider))
            .map(|it| {
                let on = match last {
                    Some((scope, on)) if scope == it.scope => on,
                    _ => shelf(it, asking, provider),
                };
                last = Some((it.scope, on));
                Applied::new(&it.limit, on, (asking, provider), zone)
            })
            .collect()
    }

    /// The count of one limit for whoever asks, whether or not the limit concerns what is asked for.
    pub(crate) fn count_of(
        limit: &Arc<Limit>,
        asking: &Asking<'_>,
        zone: Option<&Zone>,
    ) -> Applied {
        let placed = Placed {
            limit: Arc::clone(limit),
            scope: digest_of(&limit.scope),
        };
        let on = shelf(&placed, asking, None);
        Applied::new(limit, on, (asking, None), zone)
    }
}

fn concerns(limit: &Limit, asking: &Asking<'_>, provider: Option<ProviderId>) -> bool {
    let scope = &limit.scope;
    scope.asks_provider() == provider.is_some()
        && (scope.provider.is_none() || scope.provider == provider)
        && scope.model.is_none_or(|model| Some(model) == asking.model)
        && scope
            .end_user
            .as_ref()
            .is_none_or(|end_user| Some(end_user.as_str()) == asking.end_user)
        && (asking.model.is_some() || !scope.each.has(Member::Model))
        && (asking.end_user.is_some() || !scope.each.has(Member::EndUser))
}

fn one_less(counts: &mut ById<OrganizationId, usize>, organization: OrganizationId) {
    if let Some(count) = counts.get_mut(&organization) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&organization);
        }
    }
}

fn take_out<K: Hash + Eq, S: BuildHasher>(
    from: &mut HashMap<K, Vec<Placed>, S>,
    key: &K,
    limit: &Limit,
) {
    if let Some(limits) = from.get_mut(key) {
        limits.retain(|it| it.limit.id != limit.id);
        if limits.is_empty() {
            from.remove(key);
        }
    }
}

// === impl Applied ===

impl Applied {
    fn new(
        limit: &Arc<Limit>,
        shelf: Shelf,
        (asking, provider): (&Asking<'_>, Option<ProviderId>),
        zone: Option<&Zone>,
    ) -> Self {
        let allowance = limit.allowance_of(
            asking.key_id,
            asking.end_user.unwrap_or_default(),
            asking.now_ms,
        );
        let count = match *allowance {
            Allowance::Rate(rate) => Count::Level(Measure::Rate(rate)),
            Allowance::Quota(quota) => Count::Level(Measure::Quota {
                amount: quota.amount(),
                span: quota
                    .period()
                    .span(zone.unwrap_or(&Zone::UTC), asking.now_ms),
            }),
            Allowance::AtOnce(most) => Count::Slots(most.most()),
        };
        Self {
            counter: counter(limit, shelf.id),
            shelf,
            whose: whose(limit, asking, provider),
            limit: Arc::clone(limit),
            count,
            given: 0,
        }
    }
}

/// Whose count it is, where a limit has many and somebody may have to tell what was used of one.
fn whose(limit: &Limit, asking: &Asking<'_>, provider: Option<ProviderId>) -> Option<Arc<Whose>> {
    let many = !limit.scope.each.is_empty() && matches!(limit.allowance, Allowance::Quota(_));
    many.then(|| {
        Arc::new(Whose {
            project: asking.project,
            key_id: asking.key_id.to_owned(),
            model: asking.model,
            end_user: asking.end_user.unwrap_or_default().to_owned(),
            provider,
        })
    })
}

/// A limit without members counts under its own id. A count of a member is found by a digest, so that what clients
/// choose is kept nowhere and cannot be aimed at another count.
fn counter(limit: &Limit, shelf: ShelfId) -> CounterId {
    let is_quota = matches!(limit.allowance, Allowance::Quota(_));
    let mut id = *limit.id.as_bytes();
    if is_quota {
        // A rate that becomes a quota, or the other way round, begins from rest.
        id[15] ^= 0xff;
    }
    if !limit.scope.each.is_empty() {
        for (byte, digested) in id.iter_mut().zip(shelf.as_bytes()) {
            *byte ^= digested;
        }
    }
    CounterId::from_bytes(id)
}

/// The shelf of a limit's count for whoever asks.
fn shelf(placed: &Placed, asking: &Asking<'_>, provider: Option<ProviderId>) -> Shelf {
    let each = placed.limit.scope.each;
    let is_one_of_many = each.has(Member::Key) || each.has(Member::EndUser);
    if each.is_empty() {
        return Shelf {
            id: ShelfId::from_bytes(placed.scope),
            is_one_of_many,
        };
    }
    let mut digest = Sha256::new();
    digest.update(placed.scope);
    for member in each.iter() {
        let which: &[u8] = match member {
            Member::Project => asking.project.as_bytes(),
            Member::Key => asking.key_id.as_bytes(),
            Member::EndUser => asking.end_user.unwrap_or_default().as_bytes(),
            Member::Model => asking.model.as_ref().map_or(&[], |it| it.as_bytes()),
            Member::Provider => provider.as_ref().map_or(&[], |it| it.as_bytes()),
        };
        part(&mut digest, member as u8, which);
    }
    Shelf {
        id: ShelfId::from_bytes(half(digest)),
        is_one_of_many,
    }
}

/// What a scope is known by: the same for all limits that have it.
fn digest_of(scope: &Scope) -> [u8; 16] {
    let mut digest = Sha256::new();
    match &scope.of {
        Of::Organization(id) => part(&mut digest, 0, id.as_bytes()),
        Of::Project(id) => part(&mut digest, 1, id.as_bytes()),
        Of::Key(key_id) => part(&mut digest, 2, key_id.as_bytes()),
    }
    if let Some(model) = &scope.model {
        part(&mut digest, 3, model.as_bytes());
    }
    if let Some(provider) = &scope.provider {
        part(&mut digest, 4, provider.as_bytes());
    }
    if let Some(end_user) = &scope.end_user {
        part(&mut digest, 5, end_user.as_bytes());
    }
    part(&mut digest, 6, &scope.each.bits().to_be_bytes());
    half(digest)
}

fn part(digest: &mut Sha256, what: u8, which: &[u8]) {
    digest.update([what]);
    digest.update((which.len() as u64).to_be_bytes());
    digest.update(which);
}

fn half(digest: Sha256) -> [u8; 16] {
    let whole: [u8; 32] = digest.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

// === impl Count ===

impl Count {
    /// How much each window adds or each period holds, or how many slots there are.
    pub const fn amount(&self) -> u64 {
        match self {
            Self::Level(measure) => measure.amount(),
            Self::Slots(most) => *most,
        }
    }

    /// Whether each request under way has one of it.
    pub const fn is_slots(&self) -> bool {
        matches!(self, Self::Slots(_))
    }
}

// === impl Measure ===

impl Measure {
    /// How much can be there at once.
    pub const fn most(&self) -> u64 {
        match self {
            Self::Rate(rate) => rate.burst(),
            Self::Quota { amount, .. } => *amount,
        }
    }

    /// How much each window adds, or each period holds.
    pub const fn amount(&self) -> u64 {
        match self {
            Self::Rate(rate) => rate.amount(),
            Self::Quota { amount, .. } => *amount,
        }
    }
}

#[cfg(test)]
#[path = "applying_test.rs"]
mod tests;
