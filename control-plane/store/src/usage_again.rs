//! Records as they are kept, taken once more as what they add to sums.
//!
//! Knows the columns of a record that sums are made of; what it used is told from its charges by whoever asks.

use domain::sketch::Sketch;
use policy::usage::Usage;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{column, usage_cell::Sums, usage_pair, usage_spread::Spread};

/// Tells what a record used, from its charges as they are kept and its four counts: input that was not cached, cached
/// input, output without reasoning, and reasoning.
pub type Counting = fn(&[u8], [u64; 4]) -> Usage;

/// A record, as far as sums go.
pub(crate) struct Again {
    pub(crate) at: OffsetDateTime,
    pub(crate) region: String,
    pub(crate) organization: Uuid,
    pub(crate) project: Uuid,
    pub(crate) key_id: String,
    pub(crate) model: Uuid,
    pub(crate) version: Uuid,
    pub(crate) provider: Option<Uuid>,
    pub(crate) status: i32,
    pub(crate) end_user: String,
    pub(crate) tags: String,
    pub(crate) usage_source: i16,
    pub(crate) cost_nano: i64,
    pub(crate) cost_known: bool,
    pub(crate) charges: Vec<u8>,
    pub(crate) input_tokens: i64,
    pub(crate) cached_input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) reasoning_tokens: i64,
    pub(crate) duration_us: i64,
    pub(crate) first_byte_us: i64,
    pub(crate) overhead_us: i64,
}

// === impl Again ===

impl Again {
    /// What it adds.
    pub(crate) fn spread(self, counting: Counting) -> Spread {
        let coarse = [
            self.input_tokens,
            self.cached_input_tokens,
            self.output_tokens,
            self.reasoning_tokens,
        ];
        let usage = counting(&self.charges, coarse.map(column::count));
        let mut sums = Sums {
            requests: 1,
            estimated: i64::from(self.usage_source != 1),
            unpriced: i64::from(!self.cost_known),
            cost_nano: self.cost_nano,
            counts: usage.counts().map(column::number),
            duration: Sketch::default(),
            first_byte: Sketch::default(),
            overhead: Sketch::default(),
        };
        sums.duration.add(column::count(self.duration_us));
        if self.first_byte_us > 0 {
            sums.first_byte.add(column::count(self.first_byte_us));
        }
        if self.overhead_us > 0 {
            sums.overhead.add(column::count(self.overhead_us));
        }
        Spread {
            at: self.at,
            region: self.region,
            organization: self.organization,
            project: self.project,
            key_id: self.key_id,
            model: self.model,
            version: self.version,
            provider: self.provider,
            status: self.status,
            end_user: self.end_user,
            tags: self.tags,
            pairs_to: usage_pair::ALL,
            sums,
        }
    }
}
