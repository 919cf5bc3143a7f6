//! Speaks HTTP with the clients of one core, until the drain is over.
//!
//! Knows connections and phases; what a request becomes is the pipeline's, what is said the responder's. A
//! connection is a task of this core alone, and everything that hangs on it ends with it.

pub mod in_flight;
mod untold;

use std::{
    cell::Cell, convert::Infallible, future::poll_fn, io, net::IpAddr, pin::pin, rc::Rc, sync::Arc,
    task::Poll, time::Duration,
};

use dialect::neutral::Family;
use http::{HeaderValue, Request, Response, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use lifecycle::{
    clock::Clock,
    drain::{Drain, Phase},
};
use spans::context::TRACEPARENT;
use tls::{client::Client, door::Door, wire::Wire};
use tokio::{
    net::TcpStream,
    select,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{debug, warn};

use crate::{
    accept::{self, Accept, Accepted},
    call, discover, hints, introspect,
    passage::Through,
    pipeline::{Pipeline, Refusal, Reply},
    request::{
        self, Arrival,
        endpoint::{self, LABELS, Manner},
        framing,
    },
    respond::{self, farewell::farewell},
    series::Watched,
    shadow,
    socket::Socket,
};

use self::in_flight::{Counted, InFlight, Measures};

/// How often connections to providers that have rested too long are closed.
const SWEEP: Duration = Duration::from_secs(10);

/// How long to wait after the system refused a connection, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection that came late may take to send its first request. Closing it before would be a reset to a
/// client whose request is on the way already.
const LATE_GRACE: Duration = Duration::from_secs(1);

/// What every connection of a core uses.
struct Core {
    pipeline: Pipeline,
    http: http1::Builder,
    door: Option<Door>,
    clock: Clock,
    drain: Drain,
    measures: Rc<Measures>,
    watched: Watched,
}

/// A socket that takes over its connection, and is in flight until it ends.
struct Opened {
    socket: Box<Socket>,
    in_flight: InFlight,
}

/// Says what the request path measures.
pub fn describe() {
    crate::admit::hold::describe();
    crate::admit::counted::describe();
    crate::record::measures::describe();
    crate::record::content::describe();
    crate::series::describe();
    spans::tracer::describe();
    crate::access_log::describe();
    call::describe();
    discover::describe();
    introspect::describe();
    shadow::describe();
    shaping::describe();
    hints::describe();
    respond::describe();
    in_flight::describe();
}

/// Serves one core's listener, behind a door where there is TLS. Comes back when the drain is over, or earlier when
/// every connection has ended. Must run where tasks can be spawned that stay on this thread.
pub async fn serve(
    (listener, door): (tokio::net::TcpListener, Option<Door>),
    pipeline: Pipeline,
    (clock, watched): (Clock, Watched),
    drain: Drain,
) {
    let accept = Accept::new(listener, pipeline.bounds());
    let http = accept::http(pipeline.bounds());
    let measures = Rc::new(Measures::register());
    let core = Rc::new(Core {
        pipeline,
        http,
        door,
        clock,
        drain,
        measures,
        watched,
    });
    let beside = Rc::clone(&core);
    select! {
        () = serve_until_over(accept, core) => {}
        never = beside.pipeline.renew() => match never {},
        never = beside.pipeline.cuts().hear() => match never {},
        never = beside.pipeline.explain() => match never {},
        never = beside.pipeline.correspond() => match never {},
        never = beside.pipeline.shadow() => match never {},
    }
}

async fn serve_until_over(accept: Accept, core: Rc<Core>) {
    let mut connections = JoinSet::new();
    accept_until_draining(&accept, &core, &mut connections).await;
    for accepted in accept.close() {
        connections.spawn_local(converse(accepted, Rc::clone(&core)));
    }
    select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        () = core.drain.over() => {
            let unfinished = connections.len();
            if unfinished > 0 {
                warn!(unfinished, "cut connections that had not finished");
            }
            connections.shutdown().await;
        }
    }
}

async fn accept_until_draining(accept: &Accept, core: &Rc<Core>, connections: &mut JoinSet<()>) {
    let mut draining = pin!(core.drain.draining());
    let mut sweep = interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        select! {
            accepted = accept.next() => take(accepted, core, connections).await,
            Some(_) = connections.join_next() => {}
            _ = sweep.tick() => {
                poll_fn(|cx| { core.pipeline.sweep(cx); Poll::Ready(()) }).await;
            }
            () = &mut draining => return,
        }
    }
}

async fn take(accepted: io::Result<Accepted>, core: &Rc<Core>, connections: &mut JoinSet<()>) {
    match accepted {
        Ok(accepted) => drop(connections.spawn_local(converse(accepted, Rc::clone(core)))),
        Err(error) => {
            warn!(%error, "cannot accept a connection");
            sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// One connection, from its first request to its last.
async fn converse(accepted: Accepted, core: Rc<Core>) {
    let Accepted {
        stream,
        peer,
        place,
    } = accepted;
    let Some(stream) = core.shake(stream).await else {
        return;
    };
    let client = core.door.as_ref().and_then(|it| Client::of(it, &stream));
    let client = client.map(Arc::new);
    let asked = Cell::new(false);
    let socket = Cell::new(None);
    let _listening = core.pipeline.cuts().listen().await;
    let service = service_fn(|mut message: Request<Incoming>| {
        asked.set(true);
        if let Some(client) = &client {
            message.extensions_mut().insert(Arc::clone(client));
        }
        let (core, socket) = (Rc::clone(&core), &socket);
        async move { Ok::<_, Infallible>(core.answer((message, peer), socket).await) }
    });
    let time_to_leave = async {
        core.drain.draining().await;
        if !asked.get() {
            // The answer to what still comes says that the connection closes.
            sleep(LATE_GRACE).await;
        }
    };
    let connection = core.http.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection.with_upgrades());
    let ended = select! {
        ended = connection.as_mut() => ended,
        () = time_to_leave => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a client's connection ended early");
    }
    if let Some(Opened { socket, in_flight }) = socket.take() {
        // Boxed: rare beside the connections that carry this future's size.
        Box::pin(socket.run(farewell)).await;
        drop(in_flight);
    }
    drop(place);
}

// === impl Core ===

impl Core {
    /// The connection as HTTP is spoken on it; `None` when it is hung up on.
    async fn shake(&self, stream: TcpStream) -> Option<Wire> {
        let Some(door) = &self.door else {
            return Some(Wire::Tcp(stream));
        };
        // Boxed: a handshake is large, and over before what this future's size matters for.
        match Box::pin(door.accept(stream)).await {
            Ok(stream) => Some(Wire::Tls(Box::new(stream.into()))),
            Err(why) => {
                debug!(%why, "a client's connection ended early");
                None
            }
        }
    }

    async fn answer(
        &self,
        (message, peer): (Request<Incoming>, IpAddr),
        socket: &Cell<Option<Opened>>,
    ) -> Response<Counted> {
        let mut arrival = Arrival::now(&self.clock, peer);
        let told = || Some(message.headers().get(TRACEPARENT)?.as_bytes());
        arrival.trace = self.watched.tracer.begin(arrival.id.into_bytes(), told);
        let path = message.uri().path();
        let (label, mut manner) = (endpoint::label(path), endpoint::manner(path));
        if label == endpoint::MODELS {
            manner = Manner::Family(endpoint::listing(path, message.headers()));
        }
        let in_flight = self.measures.enter(label, manner, arrival.started);
        if !framing::is_plain(message.headers()) {
            return self.unread((&arrival, label, manner), in_flight);
        }
        let (parts, incoming) = message.into_parts();
        let resource = self.pipeline.bounds().public_url.as_str();
        if matches!(label, endpoint::PASSTHROUGH | endpoint::REALTIME) {
            // Boxed: rare beside the requests that carry this future's size.
            let passed = Box::pin(self.pipeline.pass(&arrival, parts, incoming)).await;
            return self.passed(passed, (&arrival, label, in_flight), socket);
        }
        let (told, mut response) = match self.pipeline.run(&arrival, parts, incoming).await {
            Ok(reply) => {
                let told = matches!(reply, Reply::Answer(_));
                (told, respond::reply(reply, &arrival))
            }
            Err(refusal) => {
                let told = matches!(refusal, Refusal::Call(_));
                let said = respond::refusal(refusal, &arrival, (manner, resource));
                (told, said)
            }
        };
        self.tell_untold(told, (&arrival, label), &response);
        self.ask_to_leave(&mut response);
        let status = response.status().as_u16();
        response.map(|body| in_flight.answered(status, body))
    }

    /// The response to a request of which nobody can say for sure where it ends, so that nothing is read behind it.
    fn unread(
        &self,
        (arrival, label, manner): (&Arrival, usize, Manner),
        in_flight: InFlight,
    ) -> Response<Counted> {
        let refusal = Refusal::Request(request::Refusal::TransferCoding);
        let resource = self.pipeline.bounds().public_url.as_str();
        let mut response = respond::refusal(refusal, arrival, (manner, resource));
        self.tell_untold(false, (arrival, label), &response);
        close(&mut response);
        let status = response.status().as_u16();
        response.map(|body| in_flight.answered(status, body))
    }

    /// The response to what is passed through. A socket is left for the connection to run when the head is out.
    fn passed(
        &self,
        passed: Result<Through, Refusal>,
        (arrival, label, in_flight): (&Arrival, usize, InFlight),
        socket: &Cell<Option<Opened>>,
    ) -> Response<Counted> {
        let manner = Manner::Family(Family::Chat);
        let resource = self.pipeline.bounds().public_url.as_str();
        let (mut response, opened) = match passed {
            Ok(through) => respond::through(through, arrival),
            Err(refusal) => {
                let told = matches!(refusal, Refusal::Call(_));
                let said = respond::refusal(refusal, arrival, (manner, resource));
                self.tell_untold(told, (arrival, label), &said);
                (said, None)
            }
        };
        let status = response.status().as_u16();
        if let Some(opened) = opened {
            let (parts, body) = response.into_parts();
            let (body, in_flight) = in_flight.switched(body);
            socket.set(Some(Opened {
                socket: opened,
                in_flight,
            }));
            return Response::from_parts(parts, body);
        }
        self.ask_to_leave(&mut response);
        response.map(|body| in_flight.answered(status, body))
    }

    /// Has a request told of whose account tells nothing, because it has none.
    fn tell_untold<B>(
        &self,
        told: bool,
        (arrival, label): (&Arrival, usize),
        response: &Response<B>,
    ) {
        if told {
            return;
        }
        let endpoint = LABELS.get(label).copied().unwrap_or_default();
        if let Some(context) = arrival.trace {
            let span = untold::span(context, arrival, endpoint, response);
            self.watched.tracer.post(span);
        }
        let line = || untold::line(arrival, endpoint, response);
        self.watched.access_log.write(line);
    }

    fn ask_to_leave<B>(&self, response: &mut Response<B>) {
        if self.drain.phase() > Phase::Serving {
            // Clients are asked to come back on a new connection, and so to another edge, while this one still
            // accepts: when it stops, nobody is about to send something on an old connection.
            close(response);
        }
    }
}

/// Says that this is the last answer of its connection, which makes it so.
fn close<B>(response: &mut Response<B>) {
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
}
