//! An attempt that is made beside the one that is under way: what is told of it while both go on.
//!
//! Shared by whoever makes it and the account of their request, because that is told of the other one meanwhile; decides nothing.

use std::{
    cell::{Cell, OnceCell},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use policy::provider::Provider;
use spans::{Context, context::TRACEPARENT};

use crate::{admit::hold::Hold, record::told::Tally};

/// An attempt beside another; until it [begins](Beside::begins) there is none.
#[derive(Default)]
pub struct Beside {
    pub(super) whom: OnceCell<Whom>,
    began: Cell<Option<Instant>>,
    pub(super) sent: Cell<bool>,
    pub(super) seen: Cell<Tally>,
    pub(super) hold: Cell<Option<Box<Hold>>>,
    span: Option<(Context, Option<HeaderValue>)>,
    tells_finish: bool,
}

/// Who is asked, and after how long.
pub(super) struct Whom {
    pub(super) provider: Arc<Provider>,
    pub(super) provider_model: String,
    pub(super) position: usize,
    pub(super) after: Duration,
}

// === impl Beside ===

impl Beside {
    /// None yet; of this span, where its request is traced, and whether somebody asks why the answer to that ended.
    pub(super) fn within(span: Option<(Context, Option<HeaderValue>)>, tells_finish: bool) -> Self {
        Self {
            span,
            tells_finish,
            ..Self::default()
        }
    }

    /// The target at this place of the version is asked, since the first one has not answered after so long.
    pub fn begins(
        &self,
        (provider, provider_model): (&Arc<Provider>, &str),
        (position, after): (usize, Duration),
    ) {
        let whom = Whom {
            provider: Arc::clone(provider),
            provider_model: provider_model.to_owned(),
            position,
            after,
        };
        // It begins once.
        let _ = self.whom.set(whom);
    }

    /// It could be sent now, if there were a connection. Its headers tell of the trace, if there is one.
    pub fn ready(&self, headers: &mut HeaderMap) {
        self.began.set(Some(Instant::now()));
        if let Some((_, Some(header))) = &self.span {
            headers.insert(HeaderName::from_static(TRACEPARENT), header.clone());
        }
    }

    /// It is about to be sent; from now on it may cost.
    pub fn reached(&self) {
        self.sent.set(true);
    }

    /// Takes the room at the provider that is about to be reached.
    pub fn holds_there(&self, hold: Option<Box<Hold>>) {
        self.hold.set(hold);
    }

    /// What has been seen of it.
    pub fn seen(&self, tally: Tally) {
        self.seen.set(tally);
    }

    /// Whether somebody asks why its answer ended.
    pub fn tells_finish(&self) -> bool {
        self.tells_finish
    }

    /// Its span, and when that began.
    pub(super) fn span(&self) -> Option<(Context, Instant)> {
        Some((self.span.as_ref()?.0, self.began.get()?))
    }
}
