//! A closed loop: so many connections, each asking again as soon as it is answered.
//!
//! For what a request costs, not for how long it takes: whoever is slow is asked less often here.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use bytes::Bytes;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    connection::{Broken, Connection},
    latency::Latency,
};

/// Who is asked what, and what must be answered.
#[derive(Debug, Clone)]
pub struct Question {
    /// Who.
    pub address: SocketAddr,
    /// The bytes of the request.
    pub request: Bytes,
    /// The bytes of the answer's body.
    pub expected: Bytes,
}

/// What bounds a closed loop; whichever comes first.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long.
    pub time: Duration,
    /// How many requests.
    pub requests_max: u32,
}

/// What became of it. Every answer was the expected one.
#[derive(Debug, Clone, Default)]
pub struct Served {
    /// How many answers.
    pub answers: u32,
    /// How long each took.
    pub latency: Latency,
    /// How long all took.
    pub elapsed: Duration,
}

/// Connections, each of which has been answered once.
pub async fn open(question: &Question, connections: usize) -> Result<Vec<Connection>, Broken> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut connection = Connection::open(question.address).await?;
        connection
            .exchange(&question.request, &question.expected)
            .await?;
        open.push(connection);
    }
    Ok(open)
}

/// Asks on every connection until a bound is met, and waits for every answer.
pub async fn run(
    question: &Question,
    connections: Vec<Connection>,
    bounds: Bounds,
) -> Result<Served, Broken> {
    let served = Rc::new(RefCell::new(Served::default()));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    let each =
        u32::try_from(connections.len()).map_or(1, |all| bounds.requests_max.div_ceil(all.max(1)));
    for connection in connections {
        let until = started + bounds.time;
        tasks.spawn_local(again(
            question.clone(),
            connection,
            until,
            each,
            Rc::clone(&served),
        ));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(std::io::Error::other)??;
    }
    let mut served = served.borrow().clone();
    served.elapsed = started.elapsed();
    Ok(served)
}

async fn again(
    question: Question,
    mut connection: Connection,
    until: Instant,
    times: u32,
    served: Rc<RefCell<Served>>,
) -> Result<(), Broken> {
    for _ in 0..times {
        let asked = Instant::now();
        if asked >= until {
            break;
        }
        connection
            .exchange(&question.request, &question.expected)
            .await?;
        // Borrowed between two awaits only.
        let mut served = served.borrow_mut();
        served.answers += 1;
        served.latency.record(asked.elapsed());
    }
    Ok(())
}
