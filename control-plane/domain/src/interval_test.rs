//! Intervals miss as seldom as they say, looked at after every value.

use fastrand::Rng;

use super::*;

/// Draws one value.
type Draw = fn(&mut Rng) -> f64;

/// Values with their means: rare ones, a coin, and a long tail that is cut at one.
const WORLDS: [(&str, f64, Draw); 4] = [
    ("one in a hundred", 0.01, |rng| {
        f64::from(u8::from(rng.f64() < 0.01))
    }),
    ("a coin", 0.5, |rng| f64::from(u8::from(rng.bool()))),
    ("even", 0.5, |rng| rng.f64()),
    ("a long tail", 0.25, |rng| rng.f64().powi(3)),
];

/// How many of so many sequences ever miss the mean, looked at after every value.
fn misses(mean: f64, draw: Draw, sequences: u64) -> u64 {
    let missed = (0..sequences).filter(|seed| {
        let mut rng = Rng::with_seed(*seed);
        let mut interval = Interval::default();
        (0..1_500).any(|_| {
            interval.take(draw(&mut rng));
            let Bounds { low, high } = interval.bounds(0.05);
            mean < low || mean > high
        })
    });
    missed.count() as u64
}

#[test]
fn at_most_one_sequence_in_twenty_ever_misses_however_often_it_is_looked_at() {
    let scale = std::env::var("SLUICE_TEST_SCALE").ok();
    let scale: u64 = scale.and_then(|it| it.parse().ok()).unwrap_or(1);
    let sequences = 300 * scale;
    for (name, mean, draw) in WORLDS {
        let missed = misses(mean, draw, sequences);
        println!("{name}: {missed} of {sequences} intervals miss at some time");
        assert!(missed * 20 <= sequences, "{name}: {missed} of {sequences}");
    }
}

#[test]
fn what_is_looked_at_as_usual_would_miss_often() {
    // The usual interval, 1.96 standard errors around the mean, looked at after each of the values behind the hundredth.
    let missed = (0..300).filter(|seed| {
        let mut rng = Rng::with_seed(*seed);
        let (mut count, mut sum) = (0.0_f64, 0.0);
        (0..1_500).any(|_| {
            count += 1.0;
            sum += f64::from(u8::from(rng.bool()));
            let half = 1.96 * (0.25 / count).sqrt();
            count > 100.0 && (sum / count - 0.5).abs() > half
        })
    });
    assert!(missed.count() * 20 > 3 * 300);
}

#[test]
fn it_narrows_with_what_is_known_and_is_kept_to_the_last_bit() {
    let mut interval = Interval::default();
    let nothing = Bounds {
        low: 0.0,
        high: 1.0,
    };
    assert_eq!(interval.bounds(0.05), nothing);
    let mut rng = Rng::with_seed(7);
    let mut widths = Vec::new();
    for at in 0..10_000 {
        interval.take(f64::from(u8::from(rng.f64() < 0.02)));
        if at % 2_000 == 1_999 {
            let Bounds { low, high } = interval.bounds(0.05);
            widths.push(high - low);
        }
    }
    assert!(widths.is_sorted_by(|one, other| one > other), "{widths:?}");
    assert!(widths[4] < 0.02, "{widths:?}");
    assert_eq!(Interval::from_numbers(interval.numbers()), interval);
}
