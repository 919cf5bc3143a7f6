//! Whoever hears what becomes of one attempt, while it is made: the account of its request, or the part of that account for an attempt beside
//! another.

use std::{rc::Rc, sync::Arc};

use http::HeaderMap;
use policy::provider::Provider;

use crate::{
    admit::hold::Hold,
    record::{Beside, Entry, Tally},
};

/// Hears of one attempt.
pub trait Account {
    /// It could be sent to this provider's model now, if there were a connection. Its headers tell of the trace, if there is one.
    fn ready(&mut self, to: (&Arc<Provider>, &str), headers: &mut HeaderMap);

    /// It is about to be sent; from now on it may cost.
    fn reached(&mut self, provider: &Arc<Provider>, provider_model: &str);

    /// Takes the room at the provider that is about to be reached.
    fn holds_there(&mut self, hold: Option<Box<Hold>>);

    /// What has been seen of its answer.
    fn seen(&mut self, tally: Tally);

    /// Whether somebody asks why its answer ended.
    fn tells_finish(&self) -> bool;
}

impl Account for Entry {
    fn ready(&mut self, to: (&Arc<Provider>, &str), headers: &mut HeaderMap) {
        Self::ready(self, to, headers);
    }

    fn reached(&mut self, provider: &Arc<Provider>, provider_model: &str) {
        Self::reached(self, provider, provider_model);
    }

    fn holds_there(&mut self, hold: Option<Box<Hold>>) {
        Self::holds_there(self, hold);
    }

    fn seen(&mut self, tally: Tally) {
        Self::seen(self, tally);
    }

    fn tells_finish(&self) -> bool {
        Self::tells_finish(self)
    }
}

impl Account for Rc<Beside> {
    fn ready(&mut self, _: (&Arc<Provider>, &str), headers: &mut HeaderMap) {
        Beside::ready(self, headers);
    }

    fn reached(&mut self, _: &Arc<Provider>, _: &str) {
        Beside::reached(self);
    }

    fn holds_there(&mut self, hold: Option<Box<Hold>>) {
        Beside::holds_there(self, hold);
    }

    fn seen(&mut self, tally: Tally) {
        Beside::seen(self, tally);
    }

    fn tells_finish(&self) -> bool {
        Beside::tells_finish(self)
    }
}
