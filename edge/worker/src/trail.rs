//! What is told to the audit trail of who was let in: decisions about requests, where their organization asks for that.
//!
//! Knows who asked, from where, and what was decided; knows nothing of what a request says, and no key's text. Where there is no room a
//! decision is dropped and counted, and the next one tells how many were: no request waits for the trail, and none fails for it.

pub mod denial;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use policy::{audit_access::AuditAccess, key::Key, rules::Rules};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{admit, request::Arrival};

/// How many decisions may wait to be gathered.
// Full: the decision is dropped and counted, and the next one that finds room tells how many were.
const WAITING_MAX: usize = 8_192;

/// How many denials of one second are told. Whoever has a key that opens nothing can be denied as often as they like, and entries stay.
// Full: as above.
const DENIALS_A_SECOND_MAX: u64 = 256;

/// By how many seconds clocks of requests may differ; beyond that, the clock was set.
const SECONDS_APART_MAX: u64 = 60;

/// A decision about a request.
#[derive(Debug, Clone)]
pub struct Access {
    /// Drawn for it, so that it is told once however often it is sent.
    pub id: Uuid,
    /// The request.
    pub request: Uuid,
    /// When that came, milliseconds since 1970.
    pub at_ms: u64,
    /// Who asked: the key, or what stands for it where a token was presented.
    pub key: Arc<Key>,
    /// From where; `None` when that could not be told.
    pub client: Option<IpAddr>,
    /// The path, as records name it.
    pub endpoint: &'static str,
    /// For what.
    pub what: What,
    /// By which rule it was denied; `None` where it was allowed.
    pub denied: Option<&'static str>,
    /// How many decisions before it were lost.
    pub lost_before: u64,
}

/// What was asked for, as the client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Nobody knows: it was denied before that was read.
    Unread,
    /// A model.
    Model(Box<str>),
    /// A provider, to which the request was to be passed through.
    Provider(Box<str>),
}

/// Where decisions go. One for all cores; cheap to clone.
#[derive(Debug, Clone)]
pub struct Trail {
    queue: mpsc::Sender<Access>,
    denials: Arc<Pace>,
    lost: Lost,
}

/// How many decisions were lost since one was kept.
#[derive(Debug, Clone, Default)]
pub struct Lost(Arc<AtomicU64>);

/// How many denials of a second were told: the second, and the number in its last 16 bits.
#[derive(Debug, Default)]
struct Pace(AtomicU64);

/// A request whose organization asks for decisions.
#[derive(Debug)]
pub struct Case {
    trail: Trail,
    which: AuditAccess,
    key: Arc<Key>,
    request: Uuid,
    at_ms: u64,
    client: Option<IpAddr>,
    endpoint: &'static str,
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_audit_access_lost_total",
        "Decisions for the audit trail that were lost because every place for them was full"
    );
    metrics::counter!("sluice_audit_access_lost_total").increment(0);
}

/// A trail, what comes of it, and what is lost on the way.
pub fn open() -> (Trail, mpsc::Receiver<Access>, Lost) {
    let (queue, accesses) = mpsc::channel(WAITING_MAX);
    let lost = Lost::default();
    let trail = Trail {
        queue,
        denials: Arc::default(),
        lost: lost.clone(),
    };
    (trail, accesses, lost)
}

// === impl Trail ===

impl Trail {
    /// The case of a request, where its organization asks for any decision.
    pub fn case(
        &self,
        rules: &Rules,
        key: &Arc<Key>,
        (arrival, client): (&Arrival, Option<IpAddr>),
        endpoint: &'static str,
    ) -> Option<Box<Case>> {
        let which = rules.audit_access(key.organization);
        which.is_any().then(|| {
            Box::new(Case {
                trail: self.clone(),
                which,
                key: Arc::clone(key),
                request: arrival.id,
                at_ms: arrival.at_ms,
                client,
                endpoint,
            })
        })
    }
}

// === impl Case ===

impl Case {
    /// Who asks.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Tells what was decided, if the organization asks for such. Never waits.
    pub fn tell(&self, what: What, denied: Option<&'static str>) {
        if !self.which.tells(denied.is_some()) {
            return;
        }
        let is_told = denied.is_none() || self.trail.denials.takes(self.at_ms);
        let place = is_told.then(|| self.trail.queue.try_reserve().ok());
        let Some(place) = place.flatten() else {
            self.trail.lost.note(1);
            return;
        };
        place.send(Access {
            id: admit::another_id(self.at_ms),
            request: self.request,
            at_ms: self.at_ms,
            key: Arc::clone(&self.key),
            client: self.client,
            endpoint: self.endpoint,
            what,
            denied,
            lost_before: self.trail.lost.take(),
        });
    }
}

// === impl Pace ===

impl Pace {
    /// Whether one more is told of this moment.
    fn takes(&self, at_ms: u64) -> bool {
        let second = at_ms / 1_000;
        let more = |told: u64| {
            let (last, many) = (told >> 16, told & 0xffff);
            if last < second || last > second + SECONDS_APART_MAX {
                return Some(second << 16 | 1);
            }
            (many < DENIALS_A_SECOND_MAX).then_some(told + 1)
        };
        let order = Ordering::Relaxed;
        self.0.fetch_update(order, order, more).is_ok()
    }
}

// === impl Lost ===

impl Lost {
    /// So many are lost.
    pub fn note(&self, many: u64) {
        metrics::counter!("sluice_audit_access_lost_total").increment(many);
        self.again(many);
    }

    /// So many that were noted before are still to be told.
    pub fn again(&self, many: u64) {
        self.0.fetch_add(many, Ordering::Relaxed);
    }

    /// How many it were, for the one who tells it now.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

// === impl What ===

impl What {
    /// A model of this name.
    pub fn model(name: &str) -> Self {
        Self::Model(name.into())
    }
}

#[cfg(test)]
mod tests {
    use lifecycle::clock::Clock;
    use policy::{
        calendar::Zone,
        change::Edit,
        id::{OrganizationId, ProjectId},
        object::Object,
        organization::Organization,
        revision::Revision,
    };

    use super::*;

    const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);

    fn rules(audit_access: AuditAccess) -> Rules {
        let mut rules = Rules::default();
        rules.apply(Edit::Upsert(Object::Organization(Organization {
            id: ORGANIZATION,
            name: "acme".to_owned(),
            zone: Zone::UTC,
            audit_access,
        })));
        rules
    }

    fn case(trail: &Trail, which: AuditAccess) -> Option<Box<Case>> {
        let key = Arc::new(Key {
            key_id: "key".to_owned(),
            organization: ORGANIZATION,
            project: ProjectId::from_bytes([2; 16]),
            tag: [3; 32],
            pepper_version: 1,
            secret_created_at_ms: 0,
            previous: None,
            disabled: false,
            scope: None,
            labels: None,
            models: Vec::new(),
            expires_at_ms: None,
            config_revision: Revision(0),
        });
        let arrival = Arrival::now(&Clock::system(), IpAddr::from([127, 0, 0, 1]));
        let from = (&arrival, Some(IpAddr::from([192, 0, 2, 1])));
        trail.case(&rules(which), &key, from, "/v1/embeddings")
    }

    #[test]
    fn what_an_organization_asks_for_is_told_and_nothing_else() {
        let (trail, mut accesses, _) = open();
        assert!(case(&trail, AuditAccess::None).is_none());
        for (which, told) in [(AuditAccess::Denied, 1), (AuditAccess::All, 2)] {
            let case = case(&trail, which).unwrap();
            case.tell(What::model("chat"), Some("model_forbidden"));
            case.tell(What::model("chat"), None);
            assert_eq!(accesses.len(), told);
            let denied = accesses.try_recv().unwrap();
            assert_eq!(denied.denied, Some("model_forbidden"));
            assert_eq!(denied.what, What::model("chat"));
            assert_eq!(denied.client, Some(IpAddr::from([192, 0, 2, 1])));
            if told == 2 {
                let allowed = accesses.try_recv().unwrap();
                assert_eq!(allowed.denied, None);
                assert_eq!(allowed.request, denied.request);
                assert_ne!(allowed.id, denied.id);
            }
        }
    }

    #[test]
    fn a_flood_of_denials_is_told_as_a_number_and_takes_no_place_of_what_is_allowed() {
        let (trail, mut accesses, _) = open();
        let case = case(&trail, AuditAccess::All).unwrap();
        for _ in 0..DENIALS_A_SECOND_MAX + 5 {
            case.tell(What::Unread, Some("api_key_disabled"));
        }
        case.tell(What::Unread, None);
        let mut lost = Vec::new();
        while let Ok(access) = accesses.try_recv() {
            lost.push(access.lost_before);
        }
        assert_eq!(lost.len() as u64, DENIALS_A_SECOND_MAX + 1);
        assert_eq!((lost.iter().sum(), lost.last()), (5, Some(&5)));
    }

    #[test]
    fn denials_have_room_in_the_next_second_and_after_a_clock_was_set_back() {
        let pace = Pace::default();
        let told = |at_ms| (0..1_000).filter(|_| pace.takes(at_ms)).count() as u64;
        assert_eq!(told(100_000), DENIALS_A_SECOND_MAX);
        // Another core's request, which came a little earlier.
        assert_eq!(told(99_000), 0);
        assert_eq!(told(101_000), DENIALS_A_SECOND_MAX);
        assert_eq!(told(1_000), DENIALS_A_SECOND_MAX);
    }

    #[test]
    fn what_finds_no_room_is_told_by_the_next_one_as_a_number() {
        let (trail, mut accesses, lost) = open();
        let case = case(&trail, AuditAccess::All).unwrap();
        for _ in 0..WAITING_MAX + 3 {
            case.tell(What::Unread, None);
        }
        let told = |accesses: &mut mpsc::Receiver<Access>| {
            let access = accesses.try_recv();
            access.map(|it| it.lost_before).ok()
        };
        for _ in 0..WAITING_MAX {
            assert_eq!(told(&mut accesses), Some(0));
        }
        case.tell(What::Unread, None);
        case.tell(What::Unread, None);
        assert_eq!(told(&mut accesses), Some(3));
        assert_eq!(told(&mut accesses), Some(0));
        // What was lost on its way to the control plane is told, too.
        lost.again(2);
        case.tell(What::Unread, None);
        assert_eq!(told(&mut accesses), Some(2));
    }
}
