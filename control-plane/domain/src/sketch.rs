//! Sketches of durations: how many fell into each of some buckets, from which percentiles are read.
//!
//! A bucket is as wide as a 32nd of the power of two below it, and is told by its middle, so that no percentile is off by more
//! than a 64th (1.6 %) of what it would be of the values themselves. Integers only: every machine makes the same of the same.
//! Two sketches are merged by adding them, or as bytes by writing one behind the other. Knows nothing of what lasted.

use std::collections::BTreeMap;

/// How many bits of a value are kept behind its first one.
const BITS: u32 = 5;

/// The largest value that is told from larger ones.
const VALUE_MAX: u64 = (1 << 53) - 1; // Full: what is larger counts as this.

/// The number of the bucket behind the last one.
const BUCKETS: usize = 1_600;

/// From how many bytes on a sketch is read into a table first, which is made empty for it.
const TABLED_BYTES: usize = 4_096;

/// The bits of a byte that hold a number; the last one says that more come.
const SEVEN: u64 = 0x7f;

/// How many values fell into which bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch(BTreeMap<u16, u64>);

// === impl Sketch ===

impl Sketch {
    /// Takes one value.
    pub fn add(&mut self, value: u64) {
        self.count(bucket(value), 1);
    }

    /// Takes all that another one has.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            self.count(*bucket, *count);
        }
    }

    /// Gives back what another one has, which was part of this one.
    pub fn take(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            if let Some(have) = self.0.get_mut(bucket) {
                *have = have.saturating_sub(*count);
            }
        }
        self.0.retain(|_, count| *count > 0);
    }

    /// How many values it has.
    pub fn len(&self) -> u64 {
        self.0
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest value that this many of a hundred do not exceed, off by at most a 64th; `None` of no values.
    pub fn percentile(&self, hundredths: u64) -> Option<u64> {
        let all = u128::from(self.len());
        let rank = (all * u128::from(hundredths)).div_ceil(100).max(1);
        let mut below = 0_u128;
        let found = self.0.iter().find(|(_, count)| {
            below += u128::from(**count);
            below >= rank
        });
        found.map(|(bucket, _)| middle(*bucket))
    }

    /// Two bytes for each bucket that has any, and how many in seven bits to the byte, the lowest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(3 * self.0.len());
        for (bucket, count) in &self.0 {
            bytes.extend(bucket.to_be_bytes());
            let mut rest = *count;
            while rest > SEVEN {
                bytes.push(low(rest) | 0x80);
                rest >>= 7;
            }
            bytes.push(low(rest));
        }
        bytes
    }

    /// What [`Sketch::to_bytes`] wrote, once or several times one behind the other; `None` of anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut sketch = Self::default();
        if bytes.len() < TABLED_BYTES {
            each(bytes, |bucket, count| sketch.count(bucket, count))?;
            return Some(sketch);
        }
        // A question about a month merges ten thousand of them: millions of counts, of a few hundred buckets.
        let mut table = vec![0_u64; BUCKETS];
        each(bytes, |bucket, count| {
            match table.get_mut(usize::from(bucket)) {
                Some(have) => *have = have.saturating_add(count),
                None => sketch.count(bucket, count),
            }
        })?;
        for (bucket, count) in (0..).zip(table).filter(|(_, count)| *count > 0) {
            sketch.count(bucket, count);
        }
        Some(sketch)
    }

    fn count(&mut self, bucket: u16, count: u64) {
        let have = self.0.entry(bucket).or_default();
        *have = have.saturating_add(count);
    }
}

/// Tells the buckets and counts that are written here, in their order.
fn each(bytes: &[u8], mut tell: impl FnMut(u16, u64)) -> Option<()> {
    let mut bytes = bytes.iter().copied();
    while let Some(high) = bytes.next() {
        let bucket = u16::from_be_bytes([high, bytes.next()?]);
        let (mut count, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = bytes.next()?;
            count |= (u64::from(byte) & SEVEN).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        tell(bucket, count);
    }
    Some(())
}

fn low(number: u64) -> u8 {
    u8::try_from(number & SEVEN).unwrap_or_default()
}

/// Below 64 each value has a bucket of its own.
fn bucket(value: u64) -> u16 {
    let value = value.min(VALUE_MAX);
    let octave = value.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    // The first bit stands in the number of the octave: the buckets of two octaves follow each other.
    let number = u64::from(octave << BITS) + (value >> octave);
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn middle(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let octave = (bucket >> BITS).saturating_sub(1).min(63);
    let first = bucket - (octave << BITS);
    let width = 1_u64 << octave;
    first.saturating_mul(width).saturating_add(width / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look drawn by chance, over many powers of two.
    fn values() -> Vec<u64> {
        let step = |seed: &mut u64| {
            *seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            Some((*seed >> 20) >> (*seed % 40))
        };
        std::iter::repeat_n((), 5_000)
            .scan(7, |seed, ()| step(seed))
            .collect()
    }

    #[test]
    fn no_percentile_is_off_by_more_than_a_64th() {
        let mut values = values();
        let mut sketch = Sketch::default();
        for value in &values {
            sketch.add(*value);
        }
        values.sort_unstable();
        for hundredths in [1, 50, 90, 95, 99, 100] {
            let rank = (values.len() * usize::try_from(hundredths).unwrap()).div_ceil(100);
            let exact = values[rank - 1];
            let told = sketch.percentile(hundredths).unwrap();
            assert!(
                told.abs_diff(exact) * 64 <= exact,
                "{hundredths}: {told} for {exact}"
            );
        }
    }

    #[test]
    fn buckets_grow_with_values_and_hold_their_middles() {
        let (mut last, mut value) = (0, 0);
        while value < VALUE_MAX {
            let at = bucket(value);
            assert!(at == last || at == last + 1 || value < 2, "{value}");
            assert_eq!(bucket(middle(at)), at, "{value}");
            last = at;
            value += (value / 64).max(1);
        }
        assert_eq!(bucket(u64::MAX), bucket(VALUE_MAX));
    }

    #[test]
    fn sketches_merge_as_they_are_and_as_bytes() {
        let (one, two) = (&values()[..2_000], &values()[2_000..]);
        let sketch = |values: &[u64]| {
            let mut sketch = Sketch::default();
            for value in values {
                sketch.add(*value);
            }
            sketch
        };
        let mut merged = sketch(one);
        merged.merge(&sketch(two));
        assert_eq!(merged, sketch(&values()));
        let bytes = [sketch(one).to_bytes(), sketch(two).to_bytes()].concat();
        assert_eq!(Sketch::from_bytes(&bytes).as_ref(), Some(&merged));
        merged.take(&sketch(two));
        assert_eq!(merged, sketch(one));
    }

    #[test]
    fn many_that_are_read_at_once_are_what_each_of_them_was() {
        let mut far = Sketch::default();
        far.count(u16::MAX, 3);
        far.add(u64::MAX);
        assert!(usize::from(bucket(VALUE_MAX)) < BUCKETS);
        let (mut bytes, mut merged) = (Vec::new(), Sketch::default());
        while bytes.len() < TABLED_BYTES {
            for value in values() {
                let mut one = Sketch::default();
                one.add(value);
                merged.merge(&one);
                bytes.extend(one.to_bytes());
            }
            merged.merge(&far);
            bytes.extend(far.to_bytes());
        }
        assert_eq!(Sketch::from_bytes(&bytes), Some(merged));
        bytes.push(0);
        assert_eq!(Sketch::from_bytes(&bytes), None);
    }

    #[test]
    fn what_is_no_sketch_is_none() {
        for bytes in [&[0][..], &[0, 1], &[0, 1, 0x80], &[0xff; 40]] {
            assert_eq!(Sketch::from_bytes(bytes), None);
        }
        assert_eq!(Sketch::from_bytes(&[]), Some(Sketch::default()));
        assert_eq!(Sketch::default().percentile(50), None);
    }
}
