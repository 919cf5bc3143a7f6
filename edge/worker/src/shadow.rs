//! Copies requests to another version of their model, where a shadow samples them, for the core that serves them.
//!
//! Decides which request is copied, by the rules that judge it, and holds the bounds on copies; what is beyond them is dropped and
//! counted. Knows nothing of how a copy is asked. Nothing in here waits, and a request without a shadow pays one look at a pointer.

pub mod seats;
pub mod twin;

use std::{cell::RefCell, rc::Rc};

use dialect::effects;
use policy::{rules::Rules, shadow::Shadow};
use tokio::sync::mpsc;

use crate::{
    admit::Limits,
    asking::Asking,
    fares::Fares,
    label::alive,
    record::Entry,
    request::{Arrival, Request, budget::Budget},
    route::{self, Plan},
};

use self::{
    seats::{COPIES_MAX, Seats},
    twin::Twin,
};

/// How many bytes of bodies a core holds for copies.
// Full: the copy is dropped and counted.
const BYTES_MAX: usize = 32 << 20;

/// What drops are counted as.
const DROPPED: &str = "sluice_shadow_dropped_total";

/// One core's copies.
pub struct Shadower {
    seats: Seats,
    budget: Rc<Budget>,
    sender: mpsc::Sender<Box<Twin>>,
    // Taken once, by whoever asks for the copies.
    coming: RefCell<Option<mpsc::Receiver<Box<Twin>>>>,
}

/// Why a request of the sample is not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// It would leave something behind at the provider.
    Effects,
    /// The version, or a target of it that the request may go to, is not in force here.
    Version,
    /// As many copies are under way as there may be.
    Copies,
    /// There is no room for its body.
    Bytes,
    /// The provider has no turn for it now.
    Busy,
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_shadow_copied_total",
        "Copies of requests that were made for shadows"
    );
    metrics::describe_counter!(
        DROPPED,
        "Requests in the sample of a shadow that were not copied, by why"
    );
}

// === impl Shadower ===

impl Shadower {
    /// Takes places of `seats`, which are those of all cores.
    pub fn new(seats: Seats) -> Self {
        let (sender, coming) = mpsc::channel(COPIES_MAX);
        Self {
            seats,
            budget: Budget::new(BYTES_MAX),
            sender,
            coming: RefCell::new(Some(coming)),
        }
    }

    /// The copy of a request, where its model has a shadow that samples it. It is not asked yet: the request may still be refused.
    /// Takes the limits and gives them back, because the future of a request would keep what it lends.
    pub fn twin(
        &self,
        (rules, plan): (&Rules, &Plan),
        (request, arrival): (&Request, &Arrival),
        limits: Limits,
        fares: &Fares,
    ) -> (Limits, Option<Box<Twin>>) {
        let shadow = plan.grant().model().shadow.as_deref();
        let shadow = shadow.filter(|it| {
            let is_itself = plan.version().id == it.version;
            !is_itself && it.copies(arrival.at_ms) && it.samples(arrival.id.as_bytes())
        });
        let twin = shadow.and_then(|shadow| {
            let asking = Asking::of(request, arrival, fares);
            let to = (rules, plan, asking);
            let made = self.make(shadow, to, (request, arrival), &limits);
            made.inspect_err(|why| why.count()).ok()
        });
        (limits, twin)
    }

    fn make(
        &self,
        shadow: &Shadow,
        (rules, plan, asking): (&Rules, &Plan, Asking<'_>),
        (request, arrival): (&Request, &Arrival),
        limits: &Limits,
    ) -> Result<Box<Twin>, Dropped> {
        if !effects::has_none(request.endpoint(), request.body()) {
            return Err(Dropped::Effects);
        }
        let to = route::to_version(rules, plan.grant().clone(), shadow.version, asking);
        let to = to.map_err(|_| Dropped::Version)?;
        alive(&to, arrival.at_ms).map_err(|_| Dropped::Version)?;
        let seat = self.seats.take(shadow).ok_or(Dropped::Copies)?;
        let twin = request.twin(self.budget.share()).ok_or(Dropped::Bytes)?;
        Ok(Box::new(Twin {
            shadow: shadow.id,
            plan: to,
            request: twin,
            limits: limits.uncounted(),
            is_held: limits.are_strict(),
            of: *arrival,
            seat,
        }))
    }

    /// The request was admitted, and its copy is asked for, if it has one.
    pub fn send(&self, twin: Option<Box<Twin>>, entry: &mut Entry) {
        let Some(twin) = twin else { return };
        let shadow = twin.shadow;
        // There are no more copies than places in here.
        if self.sender.try_send(twin).is_ok() {
            metrics::counter!("sluice_shadow_copied_total").increment(1);
            entry.is_copied_by(shadow);
        } else {
            Dropped::Copies.count();
        }
    }

    /// The copies that are to be asked for; `None` where somebody takes them already.
    pub fn coming(&self) -> Option<mpsc::Receiver<Box<Twin>>> {
        self.coming.borrow_mut().take()
    }
}

// === impl Dropped ===

impl Dropped {
    /// Counts one.
    pub fn count(self) {
        let why = match self {
            Self::Effects => "effects",
            Self::Version => "version",
            Self::Copies => "copies",
            Self::Bytes => "bytes",
            Self::Busy => "busy",
        };
        metrics::counter!(DROPPED, "why" => why).increment(1);
    }
}
