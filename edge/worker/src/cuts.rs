//! Which answers under way are to be cut, as one core hears of it, and who is woken then.
//!
//! Knows keys and tasks; knows nothing of answers. It is heard of seldom: an answer compares two numbers, and looks its
//! key up only when they differ; a connection is woken only then.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    convert::Infallible,
    future::{pending, poll_fn},
    rc::Rc,
    task::{Poll, Waker},
};

use crate::in_force::InForce;

/// One core's ear.
pub struct Cuts {
    in_force: InForce,
    round: Cell<u64>,
    tasks: RefCell<Tasks>,
}

/// How far an answer has heard. The default is: of nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard(u64);

/// The connections of this core; bounded by those that it may have.
#[derive(Default)]
struct Tasks {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

/// As long as it lives, its task is woken when anything is to be cut.
pub struct Listening {
    cuts: Rc<Cuts>,
    number: u64,
}

// === impl Cuts ===

impl Cuts {
    /// Hears what `in_force` tells.
    pub fn new(in_force: InForce) -> Rc<Self> {
        let round = Cell::new(*in_force.cuts().borrow());
        let tasks = RefCell::default();
        Rc::new(Self {
            in_force,
            round,
            tasks,
        })
    }

    /// Waits for news, and wakes whoever listens. Never ends; a core runs it beside its requests.
    pub async fn hear(&self) -> Infallible {
        let mut news = self.in_force.cuts();
        loop {
            let round = *news.borrow_and_update();
            if self.round.replace(round) != round {
                for waker in self.tasks.borrow().wakers.values() {
                    waker.wake_by_ref();
                }
            }
            if news.changed().await.is_err() {
                // Nobody writes policy any more.
                return pending().await;
            }
        }
    }

    /// Has the task that calls woken at news.
    pub async fn listen(self: &Rc<Self>) -> Listening {
        poll_fn(|cx| {
            let mut tasks = self.tasks.borrow_mut();
            let number = tasks.next;
            tasks.next += 1;
            tasks.wakers.insert(number, cx.waker().clone());
            Poll::Ready(Listening {
                cuts: Rc::clone(self),
                number,
            })
        })
        .await
    }

    /// Whether what is under way for a key is to be cut, asked again only when there is news.
    pub fn is_news(&self, heard: &mut Heard, key_id: &str) -> bool {
        let round = Heard(self.round.get());
        std::mem::replace(heard, round) != round && self.in_force.is_cut(key_id)
    }
}

// === impl Listening ===

impl Drop for Listening {
    fn drop(&mut self) {
        self.cuts.tasks.borrow_mut().wakers.remove(&self.number);
    }
}
