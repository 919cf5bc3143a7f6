//! Questions to the edges that are connected to this replica, and their answers.
//!
//! Knows who listens and what is awaited; knows nothing of what is asked, or of streams. An edge that says nothing in time
//! is silent, and keeps nobody waiting longer.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use policy::{id::OrganizationId, region::Region, remit::Remit};
use proto::sync::{Explain, Explained};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// How many questions may wait for one edge.
// Full: the edge counts as silent.
const QUESTIONS_MAX: usize = 16;

/// How many answers may be awaited at once.
// Full: whoever asks next is told that all edges are silent.
const AWAITED_MAX: usize = 1_024;

/// Who may be asked, and what is awaited.
#[derive(Default)]
pub struct Asking {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    numbers: u64,
    listening: BTreeMap<u64, Listener>,
    awaited: HashMap<u64, oneshot::Sender<Explained>>,
}

struct Listener {
    edge_id: String,
    remit: Remit,
    questions: mpsc::Sender<Explain>,
}

/// The stream of an edge that may be asked. Dropped, it may not any more.
pub struct Listening {
    asking: Arc<Asking>,
    number: u64,
    questions: mpsc::Receiver<Explain>,
}

/// What became of a question to an edge.
#[derive(Debug)]
pub struct Told {
    /// Which edge.
    pub edge_id: String,
    /// Of which region.
    pub region: Region,
    /// What it said; `None` where it said nothing in time.
    pub explained: Option<Explained>,
}

/// An answer that is awaited, until it is dropped.
struct Awaited<'a> {
    asking: &'a Asking,
    number: u64,
    answer: oneshot::Receiver<Explained>,
}

// === impl Asking ===

impl Asking {
    /// An edge may be asked from now on.
    pub fn listen(self: &Arc<Self>, edge_id: &str, remit: &Remit) -> Listening {
        let (away, questions) = mpsc::channel(QUESTIONS_MAX);
        let mut book = self.lock();
        let number = book.number();
        let listener = Listener {
            edge_id: edge_id.to_owned(),
            remit: remit.clone(),
            questions: away,
        };
        book.listening.insert(number, listener);
        drop(book);
        Listening {
            asking: Arc::clone(self),
            number,
            questions,
        }
    }

    /// The regions of which an edge may be asked here about an organization, in no order, and each for each of its edges.
    pub fn regions(&self, of: OrganizationId) -> Vec<Region> {
        let book = self.lock();
        let listening = book.listening.values();
        let knowing = listening.filter(|it| it.remit.serves_organization(of));
        knowing.map(|it| it.remit.region.clone()).collect()
    }

    /// Asks one edge of each region, or of this one, about an organization that it serves, and waits so long for what they say. In
    /// the order of the regions.
    pub async fn ask(
        &self,
        (of, question): (OrganizationId, &Explain),
        region: Option<&Region>,
        within: Duration,
    ) -> Vec<Told> {
        let told = self.send((of, question), region).into_iter();
        let told = told.map(|(edge_id, region, awaited)| async move {
            let explained = match awaited {
                Some(awaited) => awaited.answer(within).await,
                None => None,
            };
            Told {
                edge_id,
                region,
                explained,
            }
        });
        join_all(told).await
    }

    /// Sends it to the edge of each region that connected last.
    fn send(
        &self,
        (of, question): (OrganizationId, &Explain),
        region: Option<&Region>,
    ) -> Vec<(String, Region, Option<Awaited<'_>>)> {
        let mut book = self.lock();
        let mut chosen: BTreeMap<Region, u64> = BTreeMap::new();
        for (number, listener) in &book.listening {
            let its = &listener.remit;
            let is_asked = region.is_none_or(|region| *region == its.region);
            if is_asked && its.serves_organization(of) {
                chosen.insert(its.region.clone(), *number);
            }
        }
        let mut sent = Vec::with_capacity(chosen.len());
        for (region, listening) in chosen {
            let number = book.number();
            let full = book.awaited.len() >= AWAITED_MAX;
            let Some(listener) = book.listening.get(&listening) else {
                continue;
            };
            let question = Explain {
                number,
                ..question.clone()
            };
            let edge_id = listener.edge_id.clone();
            let asked = !full && listener.questions.try_send(question).is_ok();
            let awaited = asked.then(|| {
                let (back, answer) = oneshot::channel();
                book.awaited.insert(number, back);
                Awaited {
                    asking: self,
                    number,
                    answer,
                }
            });
            sent.push((edge_id, region, awaited));
        }
        sent
    }

    /// Held for a few map operations at a time, never over an await.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Book ===

impl Book {
    const fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

// === impl Listening ===

impl Listening {
    /// The next question. Never ends.
    pub async fn question(&mut self) -> Explain {
        match self.questions.recv().await {
            Some(question) => question,
            // The book holds the sender for as long as this is there.
            None => std::future::pending().await,
        }
    }

    /// The edge has answered. What nobody awaits is passed over.
    pub fn answered(&self, explained: Explained) {
        let awaited = self.asking.lock().awaited.remove(&explained.number);
        if let Some(awaited) = awaited {
            drop(awaited.send(explained));
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.asking.lock().listening.remove(&self.number);
    }
}

// === impl Awaited ===

impl Awaited<'_> {
    async fn answer(mut self, within: Duration) -> Option<Explained> {
        timeout(within, &mut self.answer).await.ok()?.ok()
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.asking.lock().awaited.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> Region {
        Region::try_from(name).unwrap()
    }

    #[tokio::test]
    async fn one_edge_of_each_region_that_serves_whom_it_is_about_is_asked_and_a_silent_one_keeps_nobody_waiting()
     {
        let asking = Arc::new(Asking::default());
        let [ours, theirs] = [[1; 16], [2; 16]].map(OrganizationId::from_bytes);
        let mut here = asking.listen("edge-1", &Remit::of(region("here")));
        let _silent = asking.listen("edge-2", &Remit::of(region("there")));
        let _others = asking.listen(
            "edge-3",
            &Remit {
                organization: Some(theirs),
                ..Remit::of(region("there"))
            },
        );
        let question = Explain {
            key_id: "one".to_owned(),
            ..Explain::default()
        };
        let ask = asking.ask((ours, &question), None, Duration::from_millis(50));
        let answer = async {
            let asked = here.question().await;
            assert_eq!(asked.key_id, "one");
            here.answered(Explained {
                number: asked.number,
                revision: 7,
                ..Explained::default()
            });
        };
        let (told, ()) = tokio::join!(ask, answer);
        let said: Vec<_> = told
            .iter()
            .map(|it| {
                (
                    it.edge_id.as_str(),
                    it.explained.as_ref().map(|it| it.revision),
                )
            })
            .collect();
        assert_eq!(said, [("edge-1", Some(7)), ("edge-2", None)]);
        drop(here);
        let only = region("here");
        let told = asking
            .ask((ours, &question), Some(&only), Duration::ZERO)
            .await;
        assert!(told.is_empty(), "who is gone is not asked");
        assert!(asking.lock().awaited.is_empty());
    }
}
