//! What opens accounts: one for each core, with all that an account asks while it is open.
//!
//! Knows where records go and whom to ask; knows nothing of one request.

use std::rc::Rc;

use lifecycle::drain::Drain;
use tokio::sync::mpsc;

use crate::{
    cuts::Cuts,
    record::{
        content::{Outlet, Shelf},
        finished::Record,
        measures::Measures,
    },
    series::Series,
    tariff::Tariffs,
};

/// How many records may wait to be reported.
// Full: the record is lost and counted as lost; the limits are settled all the same.
pub const RECORDS_MAX: usize = 65_536;

/// Opens entries. One for each core.
#[derive(Clone)]
pub struct Recorder {
    pub(super) queue: mpsc::Sender<Record>,
    /// Whether records go there at all.
    pub(super) keeps: bool,
    pub(super) drain: Drain,
    pub(super) cuts: Rc<Cuts>,
    pub(super) measures: Rc<Measures>,
    pub(super) tariffs: Rc<Tariffs>,
    pub(super) series: Rc<Series>,
    pub(super) shelf: Option<Rc<Shelf>>,
}

// === impl Recorder ===

impl Recorder {
    /// Posts to `queue`. Asks `drain` whether a request that vanishes was cut by us, `cuts` which is to be, and `tariffs`
    /// what it costs; counts in `series`.
    pub fn new(
        queue: mpsc::Sender<Record>,
        drain: Drain,
        cuts: Rc<Cuts>,
        (tariffs, series): (Rc<Tariffs>, Rc<Series>),
    ) -> Self {
        Self {
            queue,
            keeps: true,
            drain,
            cuts,
            measures: Rc::new(Measures::register()),
            tariffs,
            series,
            shelf: None,
        }
    }

    /// Whether requests leave records. They take their places in the queue either way, by which requests under way are counted.
    pub fn keeping(self, keeps: bool) -> Self {
        Self { keeps, ..self }
    }

    /// Posts to `outlet` what requests and answers say, where their project keeps that.
    pub fn with_contents(self, outlet: Option<Outlet>) -> Self {
        Self {
            shelf: outlet.map(|it| Rc::new(Shelf::new(it))),
            ..self
        }
    }
}
