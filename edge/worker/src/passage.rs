//! The line of a request that is passed through: facts, caller, permit, entry, and an answer or a socket.
//!
//! Short on purpose, and beside the pipeline: nothing is translated, and a body is passed on as it comes. It is the
//! same stages that say who may what and that keep the account. Knows paths and bytes; never what they mean, save the
//! usage that an answer tells in passing.

pub mod hop;
pub mod way;
pub mod through;
mod gate;

use std::{net::IpAddr, time::Duration};

use dialect::{estimate, neutral::Dropped};
use http::{HeaderMap, Method, header, request::Parts};
use hyper::body::Incoming;
use lifecycle::{clock::Clock, drain::Drain};
use policy::{
    id::{ModelId, ProviderId},
    revision::Revision,
};
use shaping::Turn;
use tokio::time::{Instant, timeout};

use crate::{
    accept,
    admit::{Admit, attempts::Attempts, guess::Guess, room::Room},
    authorize::UnderWay,
    bequest::Facts,
    call::{
        Call,
        answer::{self, Answer, Content},
        failure::{Failure, Unanswered},
        gauge::{Gauge, Unmodelled},
        patience::Patience,
        switch::{self, Answered},
        turns::{self, Wanted},
        upload::{Bounds, Pulse, Upload},
    },
    identify::{Caller, Identify},
    in_force::InForce,
    label::Label,
    record::{Carried, Entry, Opening, Recorder},
    relay::relay,
    request::{
        self, Arrival, address,
        body::{self, NoBody},
        passing::{Handshake, Passing},
    },
    socket::{
        Socket, Terms,
        account::{Account, Ask},
    },
    trail::Trail,
};

pub use self::through::{Refusal, Through};

use self::{hop::Hop, way::Way};

/// The stages that this line goes through, and what it is held to.
pub struct Passage<'a> {
    /// What is judged by.
    pub in_force: &'a InForce,
    /// Who calls.
    pub identify: &'a Identify,
    /// Whether there is room.
    pub admit: &'a Admit,
    /// The accounts.
    pub recorder: &'a Recorder,
    /// The way to providers.
    pub call: &'a Call,
    /// What a body is held to that must be whole before it is sent.
    pub bodies: &'a request::Bounds,
    /// The bounds on what clients send.
    pub bounds: &'a accept::Config,
    /// How long to wait for a provider's first byte, its next one, and all of it.
    pub first_byte_max: Duration,
    /// The same, in the middle of an answer.
    pub patience: &'a Patience,
    /// Says when sockets must leave.
    pub drain: &'a Drain,
    /// What time it is.
    pub clock: &'a Clock,
    /// Where decisions go that organizations have told to the audit trail.
    pub trail: &'a Trail,
}

/// What is known before room is reserved.
fn facts<'a>(
    (caller, way): (&'a Caller, &Way),
    passing: &Passing,
    revision: Revision,
) -> Facts<'a> {
    let first = way.hops.first();
    Facts {
        key: caller.key(),
        previous_secret: caller.by_previous_secret(),
        model: way.model.unwrap_or(ModelId::from_bytes([0; 16])),
        version: way.version,
        provider: first.map_or(ProviderId::from_bytes([0; 16]), |it| it.provider.id),
        endpoint: passing.aim.class(),
        streamed: passing.handshake.is_some(),
        revision,
    }
}

// === impl Passage ===

impl Passage<'_> {
    /// Answers one request.
    pub async fn run(
        &self,
        arrival: &Arrival,
        parts: Parts,
        incoming: Incoming,
    ) -> Result<Through, Refusal> {
        let rules = self.in_force.rules();
        let client = address::client(arrival.peer, &parts.headers, &self.bounds.trusted_proxies);
        let passing = Passing::read(parts).map_err(request::Refusal::Passing);
        let mut passing = passing.map_err(Refusal::Request)?;
        let asked = (&mut passing, arrival, client);
        let (caller, mut way, case) = self.let_in(&rules, asked).await?;
        let word = passing.aim.word();
        let limits = way.limits(&rules, &caller, &passing, arrival);
        let revision = rules.revision();
        let book = rules.price_book(caller.key().organization).cloned();
        drop(rules);
        let mut guess = self.guess(&passing);
        if limits.count_money() {
            let targets = way.hops.iter().map(|hop| (&hop.provider, &*hop.model));
            guess = self
                .admit
                .priced(guess, targets, book.as_ref(), arrival.at_ms);
        }
        gate::weigh(case, &caller, &passing.aim, guess)?;
        let upload = self.upload(&passing, &way, incoming).await;
        let upload = upload.map_err(Refusal::Request)?;
        let facts = |passing| facts((&caller, &way), passing, revision);
        let permit = self.admit.unread(limits, &facts(&passing), arrival, guess);
        let mut permit = permit.await.map_err(Refusal::Admit)?;
        let (room, attempts) = (permit.take_room(), permit.take_attempts());
        let decision = way.decision.take();
        let opening = Opening {
            caller: &caller,
            model: way.model.unwrap_or(ModelId::from_bytes([0; 16])),
            model_name: way.model_name(),
            read_after: None,
            version: way.version,
            rollout: way.rollout,
            endpoint: passing.aim.class(),
            streamed: passing.handshake.is_some(),
            revision,
            book,
            tags: passing.tags.take(),
            decision,
            route: None,
        };
        let entry = self.recorder.open_unread(arrival, permit, opening);
        let wanted = Wanted::by(&caller, guess.total());
        if let Some(handshake) = passing.handshake.take() {
            let end_user = passing.end_user(caller.end_user()).map(Into::into);
            let asked = Asked {
                wanted,
                caller,
                client,
                word,
                handshake,
                end_user,
                forwarded: passing.forwarded,
                attempts,
            };
            return Box::pin(self.socket(asked, way, (arrival, entry), room)).await;
        }
        let asked = (passing, upload, (guess.output, wanted));
        let entry = (entry, attempts);
        Box::pin(self.answer(asked, way, (arrival, entry), room)).await
    }

    /// The body: as it comes, or whole where the provider's credential signs it.
    async fn upload(
        &self,
        passing: &Passing,
        way: &Way,
        incoming: Incoming,
    ) -> Result<Upload, request::Refusal> {
        let signed = way.hops.iter().any(|hop| self.call.signs(&hop.provider));
        if !signed {
            let bounds = Bounds {
                bytes_max: self.bounds.passthrough_bytes_max,
                idle_max: Duration::from_millis(self.bounds.body_timeout_ms),
            };
            // Full: refused, before a byte is read.
            if passing.content_length.unwrap_or(0) > bounds.bytes_max {
                let bytes = usize::try_from(bounds.bytes_max).unwrap_or(usize::MAX);
                return Err(request::Refusal::TooLarge(bytes));
            }
            return Ok(Upload::coming(incoming, bounds));
        }
        let mut share = self.bodies.share();
        let bytes_max = self.bounds.body_bytes_max;
        let time_max = Duration::from_millis(self.bounds.body_timeout_ms);
        let announced = passing.content_length;
        let body = body::collect(incoming, announced, bytes_max, time_max, &mut share).await;
        let body = body.map_err(|why| match why {
            NoBody::TooLarge => request::Refusal::TooLarge(bytes_max),
            NoBody::Slow => request::Refusal::Slow,
            NoBody::Broken => request::Refusal::Broken,
            NoBody::Full => request::Refusal::Full,
        })?;
        Ok(Upload::whole(body, Some(share)))
    }

    /// Tokens to reserve, in and out. What only reads or deletes is taken to use nothing; of a text the bytes are
    /// counted, and of anything else that it is one.
    fn guess(&self, passing: &Passing) -> Guess {
        let changes = [Method::POST, Method::PUT, Method::PATCH].contains(&passing.method);
        let input = match passing.content_length {
            Some(0) => 0,
            Some(bytes) if passing.is_text => {
                estimate::input_tokens(usize::try_from(bytes).unwrap_or(usize::MAX))
            }
            _ => estimate::EMBEDDED_TOKENS,
        };
        let output = if changes || passing.handshake.is_some() {
            self.admit.output_tokens_default()
        } else {
            0
        };
        Guess::unread(input, output)
    }

    async fn answer(
        &self,
        (passing, upload, (output_tokens, wanted)): (Passing, Upload, (u64, Wanted)),
        way: Way,
        (arrival, (mut entry, attempts)): (&Arrival, (Entry, Option<Box<Attempts>>)),
        room: Room,
    ) -> Result<Through, Refusal> {
        let Some(hop) = way.hops.first() else {
            return Err(none(
                Failure::Misconfigured("target"),
                entry,
                way.label,
                room,
            ));
        };
        let is_head = passing.method == Method::HEAD;
        let is_text = passing.is_text;
        let pulse = upload.pulse();
        let to = (hop, (&*pulse, wanted), attempts.as_deref());
        let sent = self.send(to, passing, upload, (arrival, &mut entry)).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(failure) => {
                entry.carried(Carried {
                    request_bytes: pulse.bytes(),
                    ..Carried::default()
                });
                hop.note(&failure);
                self.call.doubt(&failure, &hop.provider);
                entry.attempt_failed(hop.missed(&failure));
                return Err(none(failure, entry, way.label, room));
            }
        };
        let (parts, body) = answer.into_parts();
        // Of an answer without a body this says what there would be.
        let length = parts.headers.get(header::CONTENT_LENGTH).cloned();
        let status = parts.status;
        let unmodelled = Unmodelled {
            pulse,
            speaks: hop.provider.kind.speaks(),
            is_text,
            output_tokens,
        };
        let good = answer::is_good(status);
        if !good {
            entry.attempt_failed(hop.refused(status));
        }
        let gauge = Gauge::passed(unmodelled, &parts.headers, good);
        let answer = Answer {
            status,
            headers: parts.headers,
            content: Content::Passed(body, gauge),
            dropped: Dropped::default(),
        };
        let (mut head, body) = relay(answer, arrival, entry, self.patience);
        if let (true, Some(length)) = (is_head, length) {
            head.headers.insert(header::CONTENT_LENGTH, length);
        }
        Ok(Through::Answer {
            head,
            body: Box::new(body),
            label: way.label,
            room,
        })
    }

    async fn send(
        &self,
        (hop, (pulse, wanted), attempts): (&Hop, (&Pulse, Wanted), Option<&Attempts>),
        passing: Passing,
        upload: Upload,
        (arrival, entry): (&Arrival, &mut Entry),
    ) -> Result<hop::Sent, Failure> {
        let origin = self.call.origin(&hop.provider)?;
        let mut message = hop.message(&origin, passing.method, &passing.forwarded, upload)?;
        let to = (&hop.provider, &*origin);
        self.call
            .authenticate(&mut message, to, arrival, Upload::bytes)
            .await?;
        let turn = self.turn(hop, wanted, entry).await?;
        let hold = hop.room(attempts).await?;
        entry.ready((&hop.provider, &hop.model), message.headers_mut());
        let line = self.call.passing().line(&origin).await;
        let line = turns::heard(&turn, line.map_err(Failure::from))?;
        entry.reached(&hop.provider, &hop.model);
        entry.holds_there(hold);
        let waits = hop::Waits {
            first_byte_max: self.first_byte_max,
            idle_max: self.patience.idle_max,
            end: self.end(arrival),
        };
        let sent = self.call.passing().send(&origin, line, message, waits.end);
        let answer = turns::heard(&turn, hop::patient(sent, pulse, waits).await)?;
        let answer = match hop::no_answer(answer.status()) {
            Some(failure) => turns::heard(&turn, Err(failure)),
            None => Ok(answer),
        }?;
        let said = (answer.status(), answer.headers());
        turns::passed(&turn, said, (wanted, arrival.at_ms));
        entry.goes_on(turn);
        Ok(answer)
    }

    /// A turn at the provider, once it is there; nothing has been sent before.
    async fn turn(&self, hop: &Hop, wanted: Wanted, entry: &mut Entry) -> Result<Turn, Failure> {
        let to = (hop.provider.id, &*hop.model);
        turns::unread(&self.call.fares().lanes, to, wanted, entry).await
    }

    async fn socket(
        &self,
        asked: Asked,
        way: Way,
        (arrival, mut entry): (&Arrival, Entry),
        room: Room,
    ) -> Result<Through, Refusal> {
        let mut switched = Err(Failure::Misconfigured("target"));
        let mut served = ProviderId::from_bytes([0; 16]);
        for (place, hop) in way.hops.iter().enumerate() {
            served = hop.provider.id;
            entry.reaches(place);
            let wanted = asked.wanted.with_others(place + 1 < way.hops.len());
            switched = self
                .switch((hop, wanted), &asked, arrival, &mut entry)
                .await;
            let Err(failure) = &switched else {
                break;
            };
            hop.note(failure);
            self.call.doubt(failure, &hop.provider);
            entry.attempt_failed(hop.missed(failure));
            if failure.was_sent() {
                break;
            }
        }
        match switched {
            Err(failure) => Err(none(failure, entry, way.label, room)),
            Ok(Answered::Refused(status, headers, body)) => {
                let answer = Answer::of_handshake(status, headers, body);
                let (head, body) = relay(answer, arrival, entry, self.patience);
                Ok(Through::Answer {
                    head,
                    body: Box::new(body),
                    label: way.label,
                    room,
                })
            }
            Ok(Answered::Socket(provider, chosen)) => {
                let under_way = UnderWay {
                    client: asked.client,
                    word: asked.word,
                    serving: (way.model, served),
                };
                let headers = hop::agreed(asked.handshake.accept, chosen);
                let socket = Socket {
                    client: asked.handshake.end,
                    provider,
                    terms: Terms {
                        message_bytes_max: self.bounds.socket_message_bytes_max,
                        idle_max: self.patience.idle_max,
                        end: self.end(arrival),
                    },
                    account: Account::new(entry),
                    ask: Ask {
                        caller: asked.caller,
                        end_user: asked.end_user,
                        under_way,
                        identify: self.identify.clone(),
                        in_force: self.in_force.clone(),
                        admit: self.admit.clone(),
                        clock: self.clock.clone(),
                    },
                    drain: self.drain.clone(),
                };
                Ok(Through::Socket {
                    headers,
                    socket: Box::new(socket),
                    label: way.label,
                })
            }
        }
    }

    async fn switch(
        &self,
        (hop, wanted): (&Hop, Wanted),
        asked: &Asked,
        arrival: &Arrival,
        entry: &mut Entry,
    ) -> Result<Answered, Failure> {
        let origin = self.call.origin(&hop.provider)?;
        let empty = http_body_util::Empty::new();
        let message = hop.message(&origin, Method::GET, &asked.forwarded, empty)?;
        let (mut message, accept) = switch::request(message, asked.handshake.offered.as_ref());
        let to = (&hop.provider, &*origin);
        let nothing = |_: &http_body_util::Empty<_>| bytes::Bytes::new();
        let presented = self.call.authenticate(&mut message, to, arrival, nothing);
        presented.await?;
        let turn = self.turn(hop, wanted, entry).await?;
        let hold = hop.room(asked.attempts.as_deref()).await?;
        let wire = self.call.passing().wire(&origin).await;
        let wire = turns::heard(&turn, wire.map_err(Failure::from))?;
        entry.reached(&hop.provider, &hop.model);
        entry.holds_there(hold);
        let switched = switch::switch(wire, message, &accept);
        let switched = timeout(self.first_byte_max, Box::pin(switched)).await;
        let switched = match switched {
            Ok(switched) => switched.map_err(Failure::from),
            Err(_) => Err(Failure::Slow),
        };
        let answered = turns::heard(&turn, switched)?;
        if let Answered::Refused(status, headers, _) = &answered {
            if let Some(failure) = hop::no_answer(*status) {
                return turns::heard(&turn, Err(failure));
            }
            entry.attempt_failed(hop.refused(*status));
            turns::passed(&turn, (*status, headers), (wanted, arrival.at_ms));
        } else {
            turn.taken();
        }
        entry.goes_on(turn);
        Ok(answered)
    }

    fn end(&self, arrival: &Arrival) -> Instant {
        Instant::from_std(arrival.started) + self.patience.total_max
    }
}

/// A client that asks for a socket.
struct Asked {
    wanted: Wanted,
    caller: Caller,
    client: Option<IpAddr>,
    word: &'static str,
    handshake: Handshake,
    end_user: Option<Box<str>>,
    forwarded: HeaderMap,
    attempts: Option<Box<Attempts>>,
}

fn none(failure: Failure, entry: Entry, label: Label, room: Room) -> Refusal {
    Refusal::Call(Box::new(Unanswered {
        failure,
        entry,
        label,
        room,
    }))
}
