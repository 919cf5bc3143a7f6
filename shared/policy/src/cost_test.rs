//! The arithmetic of costs: exact, rounded up once, never free, and whatever is counted within its bounds.

use super::*;
use crate::{
    glob::Glob,
    price::{Of, Rates},
};

/// Numbers that are spread over all magnitudes, always the same ones.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn any(&mut self) -> u64 {
        let shift = self.next() % 64;
        self.next() >> shift
    }

    fn usage(&mut self) -> Usage {
        Usage::new(std::array::from_fn(|_| self.any()))
    }

    fn charge(&mut self) -> Charge {
        let rates = Counter::ALL
            .into_iter()
            .fold(Rates::default(), |rates, it| {
                let rate = self.any() % (crate::price::RATE_MAX + 1);
                rates.with(it, rate).unwrap()
            });
        let off = u16::try_from(self.next() % 10_001).unwrap();
        charge(self.usage(), rates, off)
    }
}

fn row(rates: Rates) -> Arc<Row> {
    Arc::new(Row {
        reference: "it".to_owned(),
        own: true,
        of: Of::Any,
        model: Glob::parse("*").unwrap(),
        region: None,
        tier: None,
        above_input_tokens: 0,
        valid_from_ms: 0,
        rates,
    })
}

fn charge(usage: Usage, rates: Rates, off: u16) -> Charge {
    let (row, off) = (row(rates), BasisPoints::new(off).unwrap());
    Charge {
        usage,
        priced: Some(Priced { row, off }),
    }
}

fn rates(rates: &[(Counter, u64)]) -> Rates {
    rates.iter().fold(Rates::default(), |sum, (counter, rate)| {
        sum.with(*counter, *rate).unwrap()
    })
}

fn used(counts: &[(Counter, u64)]) -> Usage {
    counts
        .iter()
        .fold(Usage::default(), |sum, (counter, count)| {
            sum.with(*counter, *count)
        })
}

#[test]
fn a_record_is_rounded_up_once() {
    // A third of a nano-dollar, twice: one, and not two.
    let third = rates(&[(Counter::Input, 333_333), (Counter::Output, 333_333)]);
    let one = used(&[(Counter::Input, 1)]);
    let both = used(&[(Counter::Input, 1), (Counter::Output, 1)]);
    assert_eq!(cost(&[charge(one, third, 0)]), Cost::Known(1));
    assert_eq!(cost(&[charge(both, third, 0)]), Cost::Known(1));
    let attempts = [
        charge(one, third, 0),
        charge(both, third, 0),
        charge(one, third, 0),
    ];
    assert_eq!(cost(&attempts), Cost::Known(2));
    // The least that a discount can leave is still not free.
    let least = charge(one, rates(&[(Counter::Input, 1)]), 9_999);
    assert_eq!(cost(&[least]), Cost::Known(1));
    assert_eq!(cost(&[charge(both, third, 10_000)]), Cost::Known(0));
}

#[test]
fn what_has_no_price_is_unknown_and_never_nothing() {
    let input = rates(&[(Counter::Input, 7)]);
    let both = used(&[(Counter::Input, 1), (Counter::Output, 1)]);
    assert_eq!(cost(&[charge(both, input, 0)]), Cost::Unknown);
    let bare = Charge {
        usage: both,
        priced: None,
    };
    let priced = charge(used(&[(Counter::Input, 1)]), input, 0);
    assert_eq!(cost(&[priced.clone(), bare.clone()]), Cost::Unknown);
    let (cost_of_both, lines) = lines(&[priced, bare]);
    assert_eq!((cost_of_both, lines.len()), (Cost::Unknown, 1));
    // Nothing was used: that costs nothing, priced or not.
    let nothing = Charge {
        usage: Usage::default(),
        priced: None,
    };
    assert_eq!(cost(&[nothing]), Cost::Known(0));
    assert_eq!(cost(&[]), Cost::Known(0));
}

#[test]
fn reasoning_is_output_and_what_a_cache_served_is_input_unless_they_have_rates() {
    let bare = rates(&[(Counter::Input, 2_000_000), (Counter::Output, 8_000_000)]);
    let usage = used(&[(Counter::CachedInput, 1), (Counter::Reasoning, 1)]);
    assert_eq!(cost(&[charge(usage, bare, 0)]), Cost::Known(10));
    let own = bare.with(Counter::CachedInput, 1_000_000).unwrap();
    let own = own.with(Counter::Reasoning, 5_000_000).unwrap();
    assert_eq!(cost(&[charge(usage, own, 0)]), Cost::Known(6));
    for dear in [Counter::CacheWrite, Counter::AudioInput, Counter::Images] {
        assert_eq!(cost(&[charge(used(&[(dear, 1)]), bare, 0)]), Cost::Unknown);
    }
    // A request has no fee unless there is one.
    let one = used(&[(Counter::Requests, 1)]);
    assert_eq!(cost(&[charge(one, bare, 0)]), Cost::Known(0));
    let fee = bare.with(Counter::Requests, 5_000_000_000_000).unwrap();
    assert_eq!(cost(&[charge(one, fee, 0)]), Cost::Known(5_000_000));
}

#[test]
fn lines_add_up_to_the_cost_whatever_is_used_at_whatever_rates() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..20_000 {
        let attempts = numbers.next() % 4;
        let charges: Vec<_> = (0..attempts).map(|_| numbers.charge()).collect();
        let (total, lines) = lines(&charges);
        let sum = lines
            .iter()
            .fold(0_u64, |sum, it| sum.checked_add(it.nano).unwrap());
        assert_eq!(total, Cost::Known(sum), "{charges:?}");
        assert_eq!(cost(&charges), total);
    }
}

#[test]
fn what_uses_more_or_has_less_off_never_costs_less() {
    let mut numbers = Numbers(0xd1b5_4a32_d192_ed03);
    for _ in 0..20_000 {
        let it = numbers.charge();
        let base = cost([&it]).nano().unwrap();
        let at = usize::try_from(numbers.next()).unwrap_or(7) % Counter::ALL.len();
        let counter = Counter::ALL[at];
        let mut more = it.clone();
        let count = it.usage.of(counter).saturating_add(numbers.any());
        more.usage = it.usage.with(counter, count);
        assert!(cost(&[more]).nano().unwrap() >= base, "{it:?} {counter:?}");
        let mut less_off = it.clone();
        if let Some(priced) = &mut less_off.priced {
            priced.off = BasisPoints::new(priced.off.points() / 2).unwrap();
        }
        assert!(cost(&[less_off]).nano().unwrap() >= base, "{it:?}");
    }
}

#[test]
fn the_largest_counts_at_the_highest_rates_cost_the_most_there_is() {
    let highest = Counter::ALL
        .into_iter()
        .fold(Rates::default(), |rates, it| {
            rates.with(it, crate::price::RATE_MAX).unwrap()
        });
    let all = Usage::new([u64::MAX; Counter::ALL.len()]);
    let many = vec![charge(all, highest, 0); 64];
    assert_eq!(cost(&many), Cost::Known(COST_MAX));
    assert!(
        Rates::default()
            .with(Counter::Input, crate::price::RATE_MAX + 1)
            .is_err()
    );
}
