//! What providers served, as they count it themselves at the moment at which they send it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use harness::provider::Step;

use crate::ledger::{
    counts::{Counts, Told, micro},
    kind::Kind,
};

/// One of each kind.
#[derive(Debug, Clone, Default)]
pub struct Till(Arc<[Drawer; Kind::ALL.len()]>);

/// What was served of one kind.
#[derive(Debug, Default)]
pub struct Drawer {
    requests: Arc<AtomicI64>,
    input: Arc<AtomicI64>,
    cached: Arc<AtomicI64>,
    output: Arc<AtomicI64>,
    nano: Arc<AtomicI64>,
    micro: Arc<AtomicI64>,
    never: Arc<AtomicI64>,
}

// === impl Till ===

impl Till {
    /// That of a kind.
    pub fn drawer(&self, kind: Kind) -> &Drawer {
        &self.0[kind.place()]
    }
}

// === impl Drawer ===

impl Drawer {
    /// What was served so far.
    pub fn counts(&self) -> Counts {
        let read = |it: &AtomicI64| it.load(Ordering::SeqCst);
        Counts {
            requests: read(&self.requests),
            input: read(&self.input),
            cached: read(&self.cached),
            output: read(&self.output),
            nano: read(&self.nano),
            micro: read(&self.micro),
        }
    }

    /// How many answers were begun that never end.
    pub fn endless(&self) -> i64 {
        self.never.load(Ordering::SeqCst)
    }

    /// A question was read, and is to be answered.
    pub fn asked(&self) {
        self.requests.fetch_add(1, Ordering::SeqCst);
    }

    /// Its input was worked on.
    pub fn took(&self, input: i64, cached: i64) {
        self.input.fetch_add(input, Ordering::SeqCst);
        self.cached.fetch_add(cached, Ordering::SeqCst);
    }

    /// So much was generated and sent.
    pub fn gave(&self, output: i64) {
        self.output.fetch_add(output, Ordering::SeqCst);
    }

    /// The same, when it is sent.
    pub fn gives(&self, output: i64) -> Step {
        Step::Count(Arc::clone(&self.output), output)
    }

    /// The client is told what it used, and owes this.
    pub fn told(&self, kind: Kind, told: Told) {
        let nano = kind.price().nano(told);
        self.nano.fetch_add(nano, Ordering::SeqCst);
        self.micro.fetch_add(micro(nano), Ordering::SeqCst);
    }

    /// The same, when that is sent.
    pub fn tells(&self, kind: Kind, told: Told) -> [Step; 2] {
        let nano = kind.price().nano(told);
        [
            Step::Count(Arc::clone(&self.nano), nano),
            Step::Count(Arc::clone(&self.micro), micro(nano)),
        ]
    }

    /// An answer that never ends is as far as it gets.
    pub fn never(&self) -> [Step; 2] {
        [Step::Count(Arc::clone(&self.never), 1), Step::Never]
    }
}
