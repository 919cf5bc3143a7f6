//! What is under way in each region at once, and what edges do to it: begin, end, and say how many there are.

use policy::{applying::Count, share::part};

use super::{Back, Edge, Fault, Gave, Name, Region, SLOTS as LIMIT, WHOLE, World};

/// How many slots there are, and what part of the whole one is.
pub(super) const SLOTS: u64 = 20;
const ONE: u32 = WHOLE / 20;

/// How long it takes until all is said again of what was forgotten, and how long nothing must be forgotten for it to count.
const AGAIN_MS: u64 = 5_000;
const TERM_MS: u64 = 15_000;

/// What is under way in one region.
#[derive(Debug, Default)]
pub(super) struct Seats {
    under_way: u64,
    /// What is on its way to be let in: when it comes, and how many may be under way then by what its edge believed.
    coming: Vec<(u64, u64)>,
    forgot_ms: u64,
}

/// Lets go what nobody believes in any longer, whatever is under way.
pub(super) fn free_settled(regions: &mut [Region]) {
    for region in regions.iter_mut().filter(|it| it.settled) {
        region.standing.held = region.standing.millionths;
    }
}

// === impl Seats ===

impl Seats {
    pub(super) const fn forget(&mut self, now_ms: u64) {
        self.forgot_ms = now_ms;
    }

    fn let_in(&mut self, now_ms: u64) {
        for (_, most) in self.coming.extract_if(.., |it| it.0 <= now_ms) {
            self.under_way += u64::from(self.under_way < most);
        }
    }

    /// What part of the whole is under way.
    fn millionths(&self) -> u32 {
        u32::try_from(self.under_way).unwrap() * ONE
    }
}

// === impl World ===

impl World {
    /// Somebody asks for a slot by what this edge believes, and something ends somewhere.
    pub(super) fn sit(&mut self, at: usize) {
        let edge = &self.edges[at];
        let count = Count::Slots(SLOTS);
        let believed = edge.seats(&self.names, self.now_ms);
        let most = part(count, believed, self.names.len()).map_or(0, |it| it.amount());
        let comes_ms = self.now_ms + self.random.u64(0..3_000);
        self.seats[edge.region].coming.push((comes_ms, most));
        for seats in &mut self.seats {
            seats.let_in(self.now_ms);
            if self.random.u32(0..40) == 0 {
                seats.forget(self.now_ms);
            }
            let ends = self.random.u32(0..10) == 0;
            seats.under_way = seats.under_way.saturating_sub(u64::from(ends));
            self.crowd = self.crowd.max(seats.under_way);
        }
    }

    /// An edge is asked how many are under way in its region.
    pub(super) fn count(&mut self, at: usize, asked: Option<(u64, Back)>) {
        let (edge, fault) = (&mut self.edges[at], self.fault);
        let Some((_, back)) = asked else {
            edge.gave.remove(&LIMIT);
            return;
        };
        let seats = &self.seats[edge.region];
        let known_ms = self.now_ms.saturating_sub(seats.forgot_ms);
        if known_ms < TERM_MS && fault != Fault::CountsWhatIsForgotten {
            return;
        }
        let used = if known_ms < AGAIN_MS {
            0
        } else {
            seats.millionths()
        };
        let gave = Gave {
            serial: back.serial,
            done: true,
            used: used.min(WHOLE),
        };
        edge.gave.insert(LIMIT, gave);
    }

    /// What is under way or believed now is within the whole.
    pub(super) fn judge_seats(&self) -> Result<(), String> {
        let mut all: Vec<u32> = self.seats.iter().map(Seats::millionths).collect();
        for edge in &self.edges {
            let believed = edge.seats(&self.names, self.now_ms);
            all[edge.region] = believed.max(all[edge.region]);
        }
        if all.iter().sum::<u32>() > WHOLE {
            return Err(format!("so much is under way or believed: {all:?}"));
        }
        Ok(())
    }
}

// === impl Edge ===

impl Edge {
    /// What this edge believes of the slots.
    fn seats(&self, names: &[Name], now_ms: u64) -> u32 {
        self.believed((&LIMIT, names), &Count::Slots(SLOTS), now_ms)
    }
}
