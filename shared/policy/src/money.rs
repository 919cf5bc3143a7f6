//! Money as text: dollars with a point for people, integers of nano-dollars for everything else.
//!
//! Exact in both directions, or refused. Knows nothing of what is bought.

/// Nano-dollars of a dollar.
pub const NANO: u64 = 1_000_000_000;

/// Nano-dollars of a millionth of a dollar, in which limits count.
const MICRO: u64 = 1_000;

/// Nano-dollars of an amount in dollars such as `2.50`, exactly: at most nine digits behind the point. `None` for anything
/// else, and for what does not fit.
pub fn nano(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if part.len() > 9 || !digits(whole) || !digits(part) {
        return None;
    }
    let part: u64 = format!("{part:0<9}").parse().ok()?;
    let whole = whole.parse::<u64>().ok()?.checked_mul(NANO)?;
    whole.checked_add(part)
}

/// An amount of nano-dollars in dollars, exactly, with at least two digits behind the point.
pub fn dollars(nano: u64) -> String {
    let mut part = format!("{:09}", nano % NANO);
    while part.len() > 2 && part.ends_with('0') {
        part.pop();
    }
    format!("{}.{part}", nano / NANO)
}

/// An amount of nano-dollars in millionths of a dollar, rounded up, so that nothing that costs anything is free.
pub const fn micro_up(nano: u64) -> u64 {
    nano.div_ceil(MICRO)
}

/// Millionths of an amount in dollars, as [`nano`] reads it: at most six digits behind the point that are not zero.
pub fn micro(text: &str) -> Option<u64> {
    let nano = nano(text).filter(|nano| nano.is_multiple_of(MICRO))?;
    Some(nano / MICRO)
}

/// An amount of millionths of a dollar in dollars, as [`dollars`] writes it.
pub fn micro_dollars(micro: u64) -> String {
    dollars(micro.saturating_mul(MICRO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millionths_are_read_exactly_and_charged_rounded_up() {
        assert_eq!(micro("250.50"), Some(250_500_000));
        assert_eq!(micro("0.0000010"), Some(1));
        assert_eq!(micro("0.0000001"), None);
        assert_eq!((micro_up(0), micro_up(1), micro_up(1_000)), (0, 1, 1));
        assert_eq!(micro_up(97_500), 98);
        assert_eq!(micro_dollars(5_000), "0.005");
    }

    #[test]
    fn an_amount_is_read_exactly_or_not_at_all() {
        for (text, amount) in [
            ("2.50", 2_500_000_000),
            ("0.075", 75_000_000),
            ("0.000000001", 1),
            ("15", 15_000_000_000),
            ("18446744073.709551615", u64::MAX),
        ] {
            assert_eq!(nano(text), Some(amount), "{text}");
        }
        for text in [
            "",
            ".5",
            "1.",
            "-1",
            "1e3",
            "0.0000000001",
            "1,5",
            "18446744073.709551616",
        ] {
            assert_eq!(nano(text), None, "{text}");
        }
    }

    #[test]
    fn an_amount_is_written_as_it_is_read() {
        for (amount, text) in [
            (0, "0.00"),
            (1, "0.000000001"),
            (2_500_000_000, "2.50"),
            (75_000_000, "0.075"),
        ] {
            assert_eq!(dollars(amount), text);
            assert_eq!(nano(text), Some(amount));
        }
        assert_eq!(nano(&dollars(u64::MAX)), Some(u64::MAX));
    }
}
