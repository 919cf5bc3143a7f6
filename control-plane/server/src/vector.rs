//! What a record used, counter by counter, from its charges and from the four counts that every record has.
//!
//! The counts decide: what is told apart by the charges adds up to them, always. Knows messages and no rows.

use policy::usage::{Counter, Usage};
use prost::Message;
use proto::usage::{Charge, Charges};

/// From the charges, and the counts of input that was not cached, cached input, output without reasoning, and reasoning.
pub fn of(charges: &[Charge], coarse: [u64; 4]) -> Usage {
    let [input, cached, output, reasoning] = coarse;
    let told = |counter: Counter| {
        let counts = charges.iter().filter_map(|it| {
            let counts = <[u64; Counter::ALL.len()]>::try_from(it.counts.as_slice()).ok()?;
            Some(Usage::new(counts).of(counter))
        });
        counts.fold(0, u64::saturating_add)
    };
    let mut usage = Usage::default()
        .with(Counter::CachedInput, cached)
        .with(Counter::Reasoning, reasoning);
    let parts: [(Counter, u64, &[Counter]); 2] = [
        (
            Counter::Input,
            input,
            &[
                Counter::CacheWrite,
                Counter::CacheWriteHour,
                Counter::AudioInput,
            ],
        ),
        (Counter::Output, output, &[Counter::AudioOutput]),
    ];
    for (whole, mut left, parts) in parts {
        for part in parts {
            let count = told(*part).min(left);
            left -= count;
            usage = usage.with(*part, count);
        }
        usage = usage.with(whole, left);
    }
    for counter in [Counter::Images, Counter::Requests, Counter::Units] {
        usage = usage.with(counter, told(counter));
    }
    usage
}

/// The same, of charges as they are kept. Those that cannot be read tell nothing.
pub fn of_kept(charges: &[u8], coarse: [u64; 4]) -> Usage {
    let charges = Charges::decode(charges).unwrap_or_default();
    of(&charges.charges, coarse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_charges_tell_apart_adds_up_to_the_counts() {
        let charge = |counter: Counter, count| Charge {
            counts: Usage::default().with(counter, count).counts().to_vec(),
            ..Charge::default()
        };
        let charges = [
            charge(Counter::CacheWrite, 30),
            charge(Counter::AudioInput, 90),
            charge(Counter::AudioOutput, 2),
            charge(Counter::Images, 4),
        ];
        let usage = of(&charges, [100, 7, 5, 3]);
        let expected = Usage::default()
            .with(Counter::CachedInput, 7)
            .with(Counter::CacheWrite, 30)
            .with(Counter::AudioInput, 70)
            .with(Counter::AudioOutput, 2)
            .with(Counter::Output, 3)
            .with(Counter::Reasoning, 3)
            .with(Counter::Images, 4);
        assert_eq!(usage, expected);
        let bytes = Charges {
            charges: charges.to_vec(),
        };
        assert_eq!(of_kept(&bytes.encode_to_vec(), [100, 7, 5, 3]), expected);
        // Of a record from before there were charges, what it has.
        let plain = of_kept(b"", [1, 2, 3, 4]);
        assert_eq!(
            (plain.of(Counter::Input), plain.of(Counter::Output)),
            (1, 3)
        );
    }
}
