//! Asks for room: of Redis, or of this edge where Redis does not answer. Slots are asked for together with the levels, in
//! one call, or taken here where one is claimed and free.
//!
//! Knows how answers about slots and about levels make one. Knows nothing of how either is counted.

use std::{future::Future, pin::Pin, time::Instant};

use policy::id::OrganizationId;

use crate::{
    escrow::{PurseId, Said},
    flights::{Pending, Seats},
    link::Clear,
    live::By,
    local::denies_on_loss,
    parts::{Asked, Parts, Remote},
    redis::Failure,
    reservation::{Claim, Demand, Line, Reply, Request, Reserved, Slot, Wanted, signed},
};

type Seating<'a> = Pin<Box<dyn Future<Output = (Reserved, Seats)> + Send + 'a>>;

// === impl Parts ===

impl Parts {
    /// Holds room in every level that is demanded and takes a slot of every count, or nothing. Those of slots stand behind
    /// those of levels. Always answers, and never waits longer than one deadline.
    pub(crate) async fn admit(
        &self,
        request: &Request,
        demands: &[Demand],
        bequest: &[u8],
    ) -> (Reserved, Seats) {
        if demands.iter().any(|it| it.applied.count.is_slots()) {
            // Boxed: rare beside the requests that carry this future's size.
            return self.seat(request, demands, bequest).await;
        }
        if demands.is_empty() {
            return (nothing_held(), Seats::default());
        }
        let mut lines: Vec<Line> = Vec::with_capacity(demands.len());
        lines.extend(demands.iter().filter_map(Demand::line));
        let Some(remote) = &self.remote else {
            let reserved = self.whole(request, demands, Wanted::now(&lines));
            self.keep(request, &reserved, lines, By::Whole);
            return (reserved, Seats::default());
        };
        let Some(clear) = remote.link.clear(remote.timeout).await else {
            let levels = (demands, lines.as_slice());
            let reserved = self.local.reserve_alone(request, levels, None);
            self.keep(request, &reserved, lines, By::Share);
            return (reserved, Seats::default());
        };
        let (purse, said) = remote.escrow.spend(request, &lines, Instant::now());
        let ahead = match said {
            Said::Reserved(reserved) => {
                self.keep(request, &reserved, lines, By::Purse(purse));
                return (reserved, Seats::default());
            }
            Said::Ask(ahead) => ahead,
        };
        let asked = Asked {
            remote,
            request: *request,
            lines,
            purse,
            borrows: true,
            ahead: ahead.map(Box::new),
            sent: Instant::now(),
        };
        let wanted = Wanted {
            ahead: asked.ahead.as_deref(),
            bequest,
            ..Wanted::now(&asked.lines)
        };
        let term = self.term();
        let answer = clear.connection.reserve(request, wanted, term).await;
        (
            self.answered(&clear, answer, demands, asked),
            Seats::default(),
        )
    }

    /// Redis has answered a request for levels, or has not, and then this edge does.
    fn answered(
        &self,
        clear: &Clear,
        answer: Result<Reply<Reserved>, Failure>,
        demands: &[Demand],
        asked: Asked<'_>,
    ) -> Reserved {
        let request = asked.request;
        if let Some(reply) = self.told(
            request.organization,
            demands,
            self.heard((asked.remote, clear), request.organization, answer),
        ) {
            let lines = asked.answered(Some(&reply));
            self.keep(&request, &reply, lines, By::Whole);
            return reply;
        }
        let levels = (demands, asked.lines.as_slice());
        let reserved = self.local.reserve_alone(&request, levels, None);
        if matches!(reserved, Reserved::Granted { .. }) {
            self.keep(&request, &reserved, asked.answered(None), By::Share);
        }
        reserved
    }

    /// What this process says, where it is all there is. Where it does not know enough, each limit's own word holds.
    fn whole(&self, request: &Request, demands: &[Demand], wanted: Wanted<'_>) -> Reserved {
        let reserved = self.local.reserve(request, wanted);
        if !self.lacks(request.organization, demands, &reserved) {
            return reserved;
        }
        if let Some(place) = demands.iter().position(denies_on_loss) {
            return Reserved::Unknown { place };
        }
        self.local.reserve_unknown(request, wanted)
    }

    /// What Redis said; `None` where it said nothing, or does not know enough.
    fn told(
        &self,
        organization: OrganizationId,
        demands: &[Demand],
        reply: Option<Reserved>,
    ) -> Option<Reserved> {
        reply.filter(|reply| !self.lacks(organization, demands, reply))
    }

    /// The same where slots are demanded.
    fn seat<'a>(
        &'a self,
        request: &'a Request,
        demands: &'a [Demand],
        bequest: &'a [u8],
    ) -> Seating<'a> {
        Box::pin(self.seat_each(request, demands, bequest))
    }

    async fn seat_each(
        &self,
        request: &Request,
        demands: &[Demand],
        bequest: &[u8],
    ) -> (Reserved, Seats) {
        let lines: Vec<Line> = demands.iter().filter_map(Demand::line).collect();
        let claims: Vec<Claim> = demands.iter().filter_map(Demand::claim).collect();
        let clear = match &self.remote {
            Some(remote) => remote.link.clear(remote.timeout).await,
            None => None,
        };
        let can_ask = self.remote.is_none() || clear.is_some();
        let now = Instant::now();
        let organization = request.organization;
        let pending = match self.flights.take(organization, claims, (can_ask, now)) {
            Ok(seats) => return self.seat_at_once(request, demands, (seats, bequest)).await,
            Err(pending) => pending,
        };
        match (&self.remote, clear) {
            (None, _) => {
                let claims = pending.claims();
                let wanted = Wanted {
                    claims: Some(&claims),
                    ..Wanted::now(&lines)
                };
                let reserved = self.whole(request, demands, wanted);
                self.seated(request, (demands, lines), (reserved, By::Whole), pending)
            }
            (Some(_), None) => {
                let levels = (demands, lines.as_slice());
                let reserved = self.local.reserve_alone(request, levels, Some(&pending));
                self.seated(request, (demands, lines), (reserved, By::Share), pending)
            }
            (Some(remote), Some(clear)) => {
                let asked = Asked {
                    remote,
                    request: *request,
                    lines,
                    purse: PurseId::NONE,
                    borrows: false,
                    ahead: None,
                    sent: now,
                };
                self.seat_there((remote, &clear), demands, (asked, bequest), pending)
                    .await
            }
        }
    }

    /// The slots are taken; what else is demanded is asked for as ever.
    async fn seat_at_once(
        &self,
        request: &Request,
        demands: &[Demand],
        (seats, bequest): (Seats, &[u8]),
    ) -> (Reserved, Seats) {
        let is_slot = |it: &Demand| it.applied.count.is_slots();
        let count = demands.iter().filter(|it| !is_slot(it)).count();
        let (levels, slots) = demands.split_at(count);
        let mut reserved = self.admit(request, levels, bequest).await.0;
        let counts = slots
            .iter()
            .map(|it| (it.applied.counter, it.applied.count.amount()));
        let left = self.flights.left(counts);
        match &mut reserved {
            Reserved::Granted { remaining, .. } => {
                remaining.extend(left);
                (reserved, seats)
            }
            Reserved::Denied { remaining, .. } => {
                remaining.extend(left);
                (reserved, Seats::default())
            }
            Reserved::Unknown { .. } | Reserved::Lacking { .. } => (reserved, Seats::default()),
        }
    }

    /// Asks Redis for all of it, and answers alone where it does not.
    async fn seat_there(
        &self,
        (remote, clear): (&Remote, &Clear),
        demands: &[Demand],
        (asked, bequest): (Asked<'_>, &[u8]),
        pending: Pending,
    ) -> (Reserved, Seats) {
        let request = asked.request;
        let claims = pending.claims();
        let wanted = Wanted {
            claims: Some(&claims),
            bequest,
            ..Wanted::now(&asked.lines)
        };
        let term = self.term();
        let answer = clear.connection.reserve(&request, wanted, term).await;
        let heard = self.heard((remote, clear), request.organization, answer);
        if let Some(reply) = self.told(request.organization, demands, heard) {
            let lines = asked.answered(Some(&reply));
            return self.seated(&request, (demands, lines), (reply, By::Whole), pending);
        }
        let levels = (demands, asked.lines.as_slice());
        let alone = self.local.reserve_alone(&request, levels, Some(&pending));
        if !matches!(alone, Reserved::Granted { .. }) {
            // What Redis may hold is given back.
            return (alone, Seats::default());
        }
        let lines = asked.answered(None);
        self.seated(&request, (demands, lines), (alone, By::Share), pending)
    }

    /// Puts together what became of the levels and of the slots.
    fn seated(
        &self,
        request: &Request,
        (demands, lines): (&[Demand], Vec<Line>),
        (mut reserved, by): (Reserved, By),
        pending: Pending,
    ) -> (Reserved, Seats) {
        let count = lines.len();
        let slots = demands.iter().skip(count);
        let seats = match &mut reserved {
            Reserved::Granted {
                remaining,
                over,
                slots: told,
                ..
            } => {
                if by == By::Share {
                    remaining.extend(pending.left_of_share(self.local.edges()));
                    pending.admitted_alone(|at| over.contains(&(count + at)))
                } else {
                    remaining.extend(slots.zip(told.iter()).map(left));
                    pending.granted(told)
                }
            }
            Reserved::Denied {
                remaining,
                slots: told,
                ..
            } => {
                if by == By::Share {
                    remaining.extend(pending.left_of_share(self.local.edges()));
                } else {
                    // Where there was room, this request has not got it.
                    let left = |it: (&Demand, &Slot)| left(it) + i64::from(it.1.granted);
                    remaining.extend(slots.zip(told.iter()).map(left));
                    pending.denied(told);
                }
                Seats::default()
            }
            Reserved::Unknown { .. } | Reserved::Lacking { .. } => Seats::default(),
        };
        if !lines.is_empty() {
            self.keep(request, &reserved, lines, by);
        }
        (reserved, seats)
    }
}

/// How many slots are left beside those that are told of.
fn left((demand, slot): (&Demand, &Slot)) -> i64 {
    let used = slot.others.saturating_add(u64::from(slot.own));
    signed(demand.applied.count.amount().saturating_sub(used))
}

/// Granted, and there is nothing to settle.
const fn nothing_held() -> Reserved {
    Reserved::Granted {
        remaining: Vec::new(),
        lent: Vec::new(),
        over: Vec::new(),
        slots: Vec::new(),
    }
}
