//! Operations to be done twice: a seeded trace of everything that can happen, and the corners by hand.
//!
//! Knows nothing of who does them. The same seed gives the same trace, whatever the replies.

use counters::{
    reservation::{
        Ahead, BEQUEST_BYTES_MAX, Bequest, CHARGED_KEEP_MS, Line, REAP_MAX, Request, Settlement,
    },
    topped::Topped,
};
use policy::{
    applying::{Measure, Shelf},
    calendar::Span,
    id::{CounterId, OrganizationId, ShelfId},
    limit::{QUOTA_MAX, Rate, UNITS_MAX, WINDOW_MS_MAX},
};

/// One thing to do.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// Ask for room.
    Reserve {
        request: Request,
        lines: Vec<Line>,
        ahead: Option<Ahead>,
        bequest: Vec<u8>,
        lease_ms: u64,
    },
    /// Give it back.
    Settle(Settlement),
    /// What these left is taken care of.
    Inherit {
        organization: OrganizationId,
        ids: Vec<[u8; 16]>,
    },
    /// Hold it longer.
    Renew {
        organization: OrganizationId,
        ids: Vec<[u8; 16]>,
        lease_ms: u64,
    },
}

/// An endless trace over four organizations with six limits each.
pub(crate) struct Trace {
    random: fastrand::Rng,
    /// Draws what requests leave and when that is taken care of, so that all else is the same with it and without.
    beside: fastrand::Rng,
    now_ms: u64,
    limits: [[Numbers; LIMITS]; ORGANIZATIONS],
    /// What was asked lately, settled or not.
    asked: Vec<(Request, Vec<Line>, u64)>,
    ids: u64,
}

/// The numbers of one limit. The first four of six are rates, the others quotas.
#[derive(Debug, Clone, Copy)]
enum Numbers {
    Rate(Rate),
    Quota { amount: u64, length_ms: u64 },
}

const ORGANIZATIONS: usize = 4;
const LIMITS: usize = 6;
const ASKED_MAX: usize = 300;

impl Trace {
    /// The trace of this seed, from `now_ms` on.
    pub(crate) fn new(seed: u64, now_ms: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits = [(); ORGANIZATIONS]
            .map(|()| std::array::from_fn(|limit| Numbers::draw(&mut random, limit)));
        Self {
            random,
            beside: fastrand::Rng::with_seed(seed),
            now_ms,
            limits,
            asked: Vec::new(),
            ids: 1 << 32,
        }
    }

    fn step_clock(&mut self) {
        let random = &mut self.random;
        match random.u32(0..1_000) {
            0..4 => self.now_ms += random.u64(0..1_200_000),
            4..20 => self.now_ms -= random.u64(0..3_000),
            20..23 => self.now_ms -= random.u64(0..2 * WINDOW_MS_MAX),
            23..400 => {}
            _ => self.now_ms += random.u64(0..120),
        }
    }

    fn reserve(&mut self) -> Operation {
        let organization = if self.random.u32(0..10) < 6 {
            0
        } else {
            self.random.usize(0..4)
        };
        let mut limits: Vec<usize> = (0..LIMITS).collect();
        self.random.shuffle(&mut limits);
        let most = if self.random.u32(0..4) == 0 {
            LIMITS
        } else {
            2
        };
        limits.truncate(self.random.usize(1..=most));
        self.order(&mut limits, |limit| *limit);
        let lines: Vec<Line> = limits
            .into_iter()
            .map(|limit| self.line(organization, limit))
            .collect();
        self.ids += 1;
        let request = Request {
            organization: organization_id(organization),
            id: id(self.ids),
        };
        let lease_ms = *self.random.choice(&[500, 5_000, 30_000]).expect("a choice");
        self.remember(request, &lines, lease_ms);
        let ahead = (self.random.u32(0..3) == 0).then(|| self.borrow(organization, &lines));
        Operation::Reserve {
            request,
            lines,
            ahead,
            bequest: self.bequest(),
            lease_ms,
        }
    }

    /// Some of what was asked lately is taken care of.
    fn inherit(&mut self) -> Operation {
        let count = self.asked.len();
        let mut any = || self.asked[self.beside.usize(0..count)].0;
        Operation::Inherit {
            organization: any().organization,
            ids: (0..20).map(|_| any().id).collect(),
        }
    }

    /// Every other request leaves something, of any bytes.
    fn bequest(&mut self) -> Vec<u8> {
        let most = if self.beside.bool() {
            self.beside.usize(1..=BEQUEST_BYTES_MAX)
        } else {
            0
        };
        (0..most).map(|_| self.beside.u8(..)).collect()
    }

    /// A loan over the same limits, which is settled, renewed or forgotten like a reservation.
    fn borrow(&mut self, organization: usize, lines: &[Line]) -> Ahead {
        self.ids += 1;
        let request = Request {
            organization: organization_id(organization),
            id: id(self.ids),
        };
        let mut amount = |line: &Line| {
            let most = line.measure.most().saturating_mul(2).min(UNITS_MAX);
            self.random.u64(0..=most).cast_signed()
        };
        let amounts: Vec<i64> = lines.iter().map(&mut amount).collect();
        let lent = |(line, amount): (&Line, &i64)| Line {
            amount: *amount,
            ..*line
        };
        let lines: Vec<Line> = lines.iter().zip(&amounts).map(lent).collect();
        let term_ms = *self.random.choice(&[500, 1_500]).expect("a choice");
        self.remember(request, &lines, term_ms);
        Ahead {
            loan: request.id,
            amounts,
            term_ms,
        }
    }

    fn remember(&mut self, request: Request, lines: &[Line], lease_ms: u64) {
        if self.asked.len() == ASKED_MAX {
            let place = self.random.usize(0..ASKED_MAX);
            self.asked.remove(place);
        }
        self.asked.push((request, lines.to_vec(), lease_ms));
    }

    fn settle(&mut self) -> Operation {
        let (mut request, mut lines, _) = self.lately();
        if self.random.u32(0..100) < 8 {
            // Admitted elsewhere: nobody here has heard of it.
            self.ids += 1;
            request.id = id(self.ids);
        }
        self.random.shuffle(&mut lines);
        if self.random.bool() {
            lines.truncate(self.random.usize(0..=lines.len()));
        }
        self.order(&mut lines, |line| usize::from(line.counter.as_bytes()[0]));
        let most = UNITS_MAX.cast_signed();
        for line in &mut lines {
            if self.random.bool() {
                line.measure = self.measure_of(request.organization, line.counter);
            }
            line.amount = match self.random.u32(0..400) {
                0..80 => line.amount,
                80..160 => 0,
                160..340 => self.random.i64(0..=line.amount),
                340..390 => self.random.i64(0..=line.amount * 2).min(most),
                390..398 => -self.random.i64(0..=line.amount),
                _ => self.random.i64(-most..=most),
            };
        }
        let charge_if_absent = self.random.u32(0..4) == 0;
        Operation::Settle(Settlement {
            request,
            lines,
            charge_if_absent,
            bequest: None,
        })
    }

    /// More is charged of what was asked lately, the first time or again: the same number is the same charge.
    fn top_up(&mut self) -> Operation {
        let (request, lines, _) = self.lately();
        let mut topped = Topped::default();
        let mut charge = None;
        for _ in 0..self.random.u32(1..=3) {
            let more = topped.units(0) + self.random.i64(1..=40);
            charge = topped.raise(&request, &lines, |line| line.amount + more);
        }
        let Some(mut charge) = charge else {
            return self.settle();
        };
        let text = self.bequest();
        charge.bequest = (!text.is_empty()).then(|| Bequest {
            id: request.id,
            text: text.into(),
        });
        Operation::Settle(charge)
    }

    fn renew(&mut self) -> Operation {
        let (request, ..) = self.lately();
        let count = self.random.usize(1..20);
        let mut ids = vec![request.id];
        ids.extend((0..count).map(|_| self.lately().0.id));
        let lease_ms = *self.random.choice(&[500, 30_000]).expect("a choice");
        Operation::Renew {
            organization: request.organization,
            ids,
            lease_ms,
        }
    }

    /// As the lines of one call stand: those of one shelf together, and mostly in the same order.
    fn order<T>(&mut self, lines: &mut [T], limit: impl Fn(&T) -> usize) {
        if self.random.u32(0..4) > 0 {
            lines.sort_by_key(&limit);
        }
        lines.sort_by_key(|line| shelf(limit(line)).id);
    }

    fn lately(&mut self) -> (Request, Vec<Line>, u64) {
        // Mostly one of the last, whose lease has not ended.
        let count = self.asked.len();
        let last = if self.random.bool() {
            count.min(12)
        } else {
            count
        };
        let place = count - 1 - self.random.usize(0..last);
        self.asked[place].clone()
    }

    fn line(&mut self, organization: usize, limit: usize) -> Line {
        let measure = self.measure(self.limits[organization][limit]);
        let most = measure.most();
        let amount = match self.random.u32(0..40) {
            0 => 0,
            1 => most.saturating_mul(3).min(UNITS_MAX),
            2 if self.random.u32(0..8) == 0 => self.random.u64(0..=UNITS_MAX),
            2..8 => 1,
            _ => {
                let part = if let Measure::Rate(_) = measure {
                    16
                } else {
                    200
                };
                self.random.u64(0..=most.div_ceil(part)).min(UNITS_MAX)
            }
        };
        Line {
            counter: counter_id(limit),
            shelf: shelf(limit),
            measure,
            amount: amount.cast_signed(),
            soft: self.random.u32(0..8) == 0,
            counted_from_ms: 0,
            given: 0,
        }
    }

    fn measure_of(&mut self, organization: OrganizationId, counter: CounterId) -> Measure {
        let organization = usize::from(organization.as_bytes()[0]);
        self.measure(self.limits[organization][usize::from(counter.as_bytes()[0])])
    }

    /// As somebody sees it whose clock is sometimes a good deal off.
    fn measure(&mut self, numbers: Numbers) -> Measure {
        match numbers {
            Numbers::Rate(rate) => Measure::Rate(rate),
            Numbers::Quota { amount, length_ms } => {
                let off = if self.random.u32(0..10) == 0 {
                    self.random.u64(0..5)
                } else {
                    2
                };
                let from_ms = (self.now_ms / length_ms + off - 2) * length_ms;
                let span = Span {
                    before_ms: from_ms - length_ms,
                    from_ms,
                    to_ms: from_ms + length_ms,
                };
                Measure::Quota { amount, span }
            }
        }
    }
}

impl Iterator for Trace {
    type Item = (u64, Operation);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.asked.is_empty() && self.beside.u32(0..50) == 0 {
            return Some((self.now_ms, self.inherit()));
        }
        self.step_clock();
        if self.random.u32(0..100) < 5 {
            let (organization, limit) = (
                self.random.usize(0..ORGANIZATIONS),
                self.random.usize(0..LIMITS),
            );
            self.limits[organization][limit] = Numbers::draw(&mut self.random, limit);
        }
        let operation = match self.random.u32(0..100) {
            _ if self.asked.is_empty() => self.reserve(),
            0..50 => self.reserve(),
            50..58 => {
                let (request, lines, lease_ms) = self.lately();
                Operation::Reserve {
                    request,
                    lines,
                    ahead: None,
                    bequest: Vec::new(),
                    lease_ms,
                }
            }
            58..64 => self.top_up(),
            64..92 => self.settle(),
            _ => self.renew(),
        };
        Some((self.now_ms, operation))
    }
}

/// What a random trace meets too rarely, each with limits of its own: both sides of every boundary.
pub(crate) fn corners(now_ms: u64) -> impl Iterator<Item = (u64, Operation)> {
    let organization = organization_id(9);
    let request = |number| Request {
        organization,
        id: id(number),
    };
    let reserve = |number, line| Operation::Reserve {
        request: request(number),
        lines: vec![line],
        ahead: None,
        bequest: Vec::new(),
        lease_ms: 1_000,
    };
    let settle = |number, line| {
        let (request, lines) = (request(number), vec![line]);
        Operation::Settle(Settlement {
            request,
            lines,
            charge_if_absent: true,
            bequest: None,
        })
    };
    let mut operations = Vec::new();
    // The floor of debt, and the longest wait there is.
    let slow = |amount| line(1, (1, WINDOW_MS_MAX, UNITS_MAX), amount);
    for number in 0..4 {
        operations.push((now_ms, settle(number, slow(UNITS_MAX))));
    }
    operations.push((now_ms + 1, reserve(4, slow(UNITS_MAX))));
    // A quotient that a double would round up: the remainder is one below the window.
    let odd = |amount| line(2, (999_999_937, WINDOW_MS_MAX - 1, UNITS_MAX), amount);
    operations.push((now_ms, settle(5, odd(UNITS_MAX))));
    for step in 1..200 {
        operations.push((now_ms + step * 35_999, reserve(100 + step, odd(1))));
    }
    // A lease, and a remembered charge, one millisecond before they end and when they do.
    let plain = |amount| line(3, (1, 1_000, 50), amount);
    operations.push((now_ms, reserve(10, plain(20))));
    operations.push((now_ms, settle(11, plain(20))));
    for later_ms in [
        999,
        1_000,
        CHARGED_KEEP_MS - 1,
        CHARGED_KEEP_MS,
        CHARGED_KEEP_MS + 1,
    ] {
        operations.push((now_ms + later_ms, reserve(20 + later_ms, plain(0))));
        operations.push((now_ms + later_ms, reserve(11, plain(3))));
    }
    // A clock that steps back by a window, and by a millisecond more.
    for (limit, back_ms) in [(4, 999), (5, 1_000), (6, 1_001)] {
        let stepped = |amount| line(limit, (10, 1_000, 10), amount);
        let base = 10_000_000 + 100 * limit as u64;
        for (number, then_ms) in [(0, 5_000), (1, 5_000 - back_ms), (2, 5_000), (3, 5_100)] {
            operations.push((now_ms + then_ms, reserve(base + number, stepped(10))));
        }
    }
    // More leases that end at once than one call clears away.
    for number in 0..3 * REAP_MAX as u64 {
        operations.push((
            now_ms,
            reserve(20_000_000 + number, line(7, (1, 1, 1_000), 1)),
        ));
    }
    for number in 0..5 {
        let last = reserve(30_000_000 + number, line(7, (1, 1, 1_000), 1));
        operations.push((now_ms + 2 * CHARGED_KEEP_MS, last));
    }
    operations.into_iter()
}

fn line(limit: usize, rate: (u64, u64, u64), amount: u64) -> Line {
    let rate = Rate::new(rate.0, rate.1, rate.2).expect("a rate");
    Line {
        counter: counter_id(limit),
        shelf: shelf(limit),
        measure: Measure::Rate(rate),
        amount: amount.cast_signed(),
        soft: false,
        counted_from_ms: 0,
        given: 0,
    }
}

impl Numbers {
    fn draw(random: &mut fastrand::Rng, limit: usize) -> Self {
        if limit < 4 {
            return Self::Rate(rate(random));
        }
        let scale = 10_u64.pow(random.u32(0..=30).div_ceil(2));
        Self::Quota {
            amount: random.u64(1..=scale.min(QUOTA_MAX)),
            // Lengths are kept, as those of a calendar are.
            length_ms: if limit == 4 { 20_000 } else { 3_600_000 },
        }
    }
}

fn rate(random: &mut fastrand::Rng) -> Rate {
    let scale = 10_u64.pow(random.u32(0..=18).div_ceil(2));
    let amount = random.u64(1..=scale);
    let window_ms = *random
        .choice(&[1, 7, 1_000, 60_000, WINDOW_MS_MAX])
        .expect("a choice");
    let burst = random.u64(1..=scale);
    Rate::new(amount, window_ms, burst).expect("a rate")
}

fn organization_id(number: usize) -> OrganizationId {
    OrganizationId::from_bytes([u8::try_from(number).expect("a few"); 16])
}

fn counter_id(number: usize) -> CounterId {
    CounterId::from_bytes([u8::try_from(number).expect("a few"); 16])
}

/// Three shelves, the second of which has a key of its own.
fn shelf(limit: usize) -> Shelf {
    let number = u8::try_from(limit % 3).expect("a few");
    Shelf {
        id: ShelfId::from_bytes([number + 1; 16]),
        is_one_of_many: number == 1,
    }
}

fn id(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}
