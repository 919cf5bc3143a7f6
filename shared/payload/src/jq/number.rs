//! Numbers: whole ones, others, and those that are still as they were written.
//!
//! Owns their arithmetic, their order and how they are written. A number that nobody computes with is given back letter
//! by letter, so that no digit of it is lost.

use std::{cmp::Ordering, fmt, rc::Rc};

use crate::{jq::allowance::charge_for_bytes, json};

/// A number.
#[derive(Debug, Clone)]
pub(crate) enum Number {
    /// A whole one.
    Whole(i64),
    /// Any other, or one that came of arithmetic.
    Float(f64),
    /// One as JSON wrote it that is not a [`Number::Whole`] written the usual way.
    Written(Rc<str>),
}

// === impl Number ===

impl Number {
    /// A number of JSON.
    pub(crate) fn written(raw: &str) -> Self {
        match raw.parse::<i64>() {
            // Such as `-0`, which is no whole number to those who mind its sign.
            Ok(whole) if whole != 0 || raw == "0" => Self::Whole(whole),
            _ => Self::Written(raw.into()),
        }
    }

    /// A number of a program, which may leave out digits that JSON wants.
    pub(crate) fn literal(raw: &str) -> Option<Self> {
        let is_json = json::value(raw, 0).is_ok_and(|place| place == (0..raw.len()));
        if is_json {
            return Some(Self::written(raw));
        }
        raw.parse().ok().map(Self::Float)
    }

    /// As near as can be.
    pub(crate) fn float(&self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "as near as can be")]
            Self::Whole(whole) => *whole as f64,
            Self::Float(float) => *float,
            Self::Written(raw) => {
                // It may have a million digits.
                charge_for_bytes(raw.len());
                raw.parse().unwrap_or(f64::NAN)
            }
        }
    }

    /// The whole number that it is, rounded down; the nearest one where it is too large.
    pub(crate) fn floor(&self) -> i64 {
        match self {
            Self::Whole(whole) => *whole,
            #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
            other => other.float().floor() as i64,
        }
    }

    /// The sum.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        self.with(other, i64::checked_add, |one, other| one + other)
    }

    /// The difference.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        self.with(other, i64::checked_sub, |one, other| one - other)
    }

    /// The product.
    pub(crate) fn times(&self, other: &Self) -> Self {
        self.with(other, i64::checked_mul, |one, other| one * other)
    }

    /// The quotient; infinite where the other is zero.
    pub(crate) fn by(&self, other: &Self) -> Self {
        let exact = |one: i64, other: i64| match one.checked_rem(other) {
            Some(0) => one.checked_div(other),
            _ => None,
        };
        self.with(other, exact, |one, other| one / other)
    }

    /// What a division leaves. `None` where the other is zero.
    pub(crate) fn left_by(&self, other: &Self) -> Option<Self> {
        if let (Self::Whole(one), Self::Whole(other)) = (self, other) {
            // Only the least number by -1 has no remainder that can be computed, and it is 0.
            return (*other != 0).then(|| Self::Whole(one.checked_rem(*other).unwrap_or(0)));
        }
        let (one, other) = (self.float(), other.float());
        (other != 0.0).then_some(Self::Float(one % other))
    }

    /// The same with the other sign.
    pub(crate) fn negated(&self) -> Self {
        Self::Whole(0).minus(self)
    }

    /// A total order, in which what is no number comes first.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        if let (Self::Whole(one), Self::Whole(other)) = (self, other) {
            return one.cmp(other);
        }
        let (one, two) = (self.float(), other.float());
        match (one.is_nan(), two.is_nan()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            // Two that are as near as can be to the same one may yet differ.
            (false, false) => one
                .partial_cmp(&two)
                .unwrap_or(Ordering::Equal)
                .then_with(|| self.exact().cmp(&other.exact())),
        }
    }

    /// Whether it is not a number.
    pub(crate) fn is_nan(&self) -> bool {
        self.float().is_nan()
    }

    fn with(
        &self,
        other: &Self,
        whole: impl FnOnce(i64, i64) -> Option<i64>,
        float: impl FnOnce(f64, f64) -> f64,
    ) -> Self {
        if let (Self::Whole(one), Self::Whole(other)) = (self, other)
            && let Some(result) = whole(*one, *other)
        {
            return Self::Whole(result);
        }
        Self::Float(float(self.float(), other.float()))
    }

    fn exact(&self) -> i128 {
        match self {
            Self::Whole(whole) => i128::from(*whole),
            #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
            other => other.float() as i128,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => write!(f, "{whole}"),
            Self::Written(raw) => f.write_str(raw),
            Self::Float(float) if float.is_nan() => f.write_str("null"),
            Self::Float(float) if float.is_infinite() => {
                let most = f64::MAX.copysign(*float);
                write!(f, "{most:e}")
            }
            Self::Float(float) if *float != 0.0 && !(1e-6..1e17).contains(&float.abs()) => {
                write!(f, "{float:e}")
            }
            Self::Float(float) => write!(f, "{float}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jq::allowance::{STEPS_MAX, within};

    fn number(raw: &str) -> Number {
        Number::literal(raw).unwrap()
    }

    /// The arithmetic of what was written is counted.
    fn counted(run: impl FnOnce()) {
        assert_eq!(within(STEPS_MAX, run), Ok(()));
    }

    #[test]
    fn what_was_written_is_written_the_same_and_what_was_computed_is_json() {
        counted(|| {
            for raw in [
                "0",
                "-0",
                "1",
                "1.0",
                "1e5",
                "123456789012345678901234567890",
                "-1.50",
            ] {
                assert_eq!(number(raw).to_string(), raw);
            }
            for (one, other, sum) in [
                ("1", "2", "3"),
                ("1.0", "2", "3"),
                ("0.1", "0.2", "0.30000000000000004"),
                ("9223372036854775807", "1", "9.223372036854776e18"),
                ("1e308", "1e308", "1.7976931348623157e308"),
                ("1e300", "0", "1e300"),
                ("1e-9", "0", "1e-9"),
            ] {
                let sum_of = number(one).plus(&number(other)).to_string();
                assert_eq!(sum_of, sum, "{one} + {other}");
                assert!(json::value(&sum_of, 0).is_ok());
            }
            assert_eq!(number("6").by(&number("3")).to_string(), "2");
            assert_eq!(number("0").by(&number("0")).to_string(), "null");
            assert!(number("6").left_by(&number("0")).is_none());
            let least = Number::Whole(i64::MIN);
            assert_eq!(least.left_by(&Number::Whole(-1)).unwrap().to_string(), "0");
            assert_eq!(least.negated().to_string(), "9.223372036854776e18");
        });
    }

    #[test]
    fn the_order_is_total_even_where_floats_are_too_coarse() {
        counted(|| {
            let large = (1_i64 << 53) + 1;
            let (near, exact) = (Number::Float(9_007_199_254_740_992.0), Number::Whole(large));
            assert_eq!(exact.order(&near), Ordering::Greater);
            assert_eq!(near.order(&exact), Ordering::Less);
            assert_eq!(number("1.0").order(&number("1")), Ordering::Equal);
            assert_eq!(number("-0").order(&number("0")), Ordering::Equal);
            let nan = Number::Float(f64::NAN);
            assert_eq!(nan.order(&nan), Ordering::Equal);
            assert_eq!(nan.order(&Number::Float(f64::NEG_INFINITY)), Ordering::Less);
        });
    }
}
