//! Moments as issuers write them: `2026-11-26T15:00:00Z`.

/// Seconds since 1970. `None` for what is no such moment, or none of Greenwich.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let time = time.split('.').next().unwrap_or(time);
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let fits = (1_970..10_000).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    if !fits {
        return None;
    }
    // Years begin in March here, so that a leap day is the last of its year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + of_year;
    Some((days - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn numbers(text: &str, between: char) -> Option<[u64; 3]> {
    let mut parts = text.split(between).map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_the_calendar_has_them() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T00:00:00Z", Some(951_782_400)),
            ("2015-08-30T12:36:00.123Z", Some(1_440_938_160)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
            ("2015-08-30T12:36:00+02:00", None),
            ("2015-13-30T12:36:00Z", None),
            ("soon", None),
            ("1960-01-01T00:00:00Z", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
