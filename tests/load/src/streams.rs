//! Many streams at once: at play, or open and silent.
//!
//! A stream is right when its bytes are those expected, in order, to the last. Streams begin spread over one
//! interval, so that their chunks are too.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use bytes::Bytes;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    connection::{Broken, Connection, agrees},
    latency::Latency,
    saturated::{Question, Served},
};

/// What streams there are.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    /// How many at once.
    pub streams: u32,
    /// How many chunks each has.
    pub chunks: u32,
    /// One chunk in each of these.
    pub interval: Duration,
}

/// Plays every stream to its end. What is answered counts streams; the latency is that of the first bytes.
pub async fn play(question: &Question, course: Course) -> Result<Served, Broken> {
    let latency = Rc::new(RefCell::new(Latency::default()));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for at in 0..course.streams {
        let offset = course.interval * at / course.streams;
        tasks.spawn_local(one(question.clone(), offset, Rc::clone(&latency)));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(std::io::Error::other)??;
    }
    let latency = latency.borrow().clone();
    Ok(Served {
        answers: course.streams,
        latency,
        elapsed: started.elapsed(),
    })
}

async fn one(
    question: Question,
    offset: Duration,
    first: Rc<RefCell<Latency>>,
) -> Result<(), Broken> {
    sleep(offset).await;
    let mut connection = Connection::open(question.address).await?;
    let asked = Instant::now();
    connection.ask(&question.request).await?;
    let mut at = 0;
    while let Some(part) = connection.part().await? {
        if at == 0 {
            first.borrow_mut().record(asked.elapsed());
        }
        at = agrees(&question.expected, at, &part)?;
    }
    connection.ended(&question.expected, at)
}

/// Opens streams that fall silent after `first`. They stay open until they are dropped.
pub async fn hold(
    address: SocketAddr,
    request: &Bytes,
    first: &Bytes,
    streams: u32,
) -> Result<Vec<Connection>, Broken> {
    let mut held = Vec::new();
    for _ in 0..streams {
        let mut connection = Connection::open(address).await?;
        connection.ask(request).await?;
        let mut at = 0;
        while at < first.len() {
            let part = connection.part().await?.ok_or(Broken::Closed)?;
            at = agrees(first, at, &part)?;
        }
        held.push(connection);
    }
    Ok(held)
}
