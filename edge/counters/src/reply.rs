//! What the scripts reply, read: integers, packed or in a list, and what reservations left whose lease had ended.
//!
//! Knows what each place of a reply means; knows nothing of connections. What is not one of ours is `None`.

use redis::Value;

use crate::{
    keyspace::bytes,
    reservation::{Bequest, Reply, Reserved, Settled, Slot},
};

/// Reads the reply to a reservation of so many lines and claims.
pub(crate) fn reserved(reply: &Value, (lines, claims): (usize, usize)) -> Option<Reply<Reserved>> {
    let (packed, bequests) = match reply {
        Value::Array(parts) => match parts.as_slice() {
            [Value::BulkString(packed), rest @ ..] => (packed, left(rest)?),
            _ => return None,
        },
        Value::BulkString(packed) => (packed, Vec::new()),
        _ => return None,
    };
    let part = |levels: &[i64]| {
        let (remaining, rest) = levels.split_at_checked(lines)?;
        let (told, rest) = rest.split_at_checked(3 * claims)?;
        Some((remaining.to_vec(), slots(told)?, rest.to_vec()))
    };
    let (value, expired) = match doubles(packed).as_slice() {
        [1, expired, levels @ ..] => {
            let (remaining, slots, lent) = part(levels)?;
            let granted = Reserved::Granted {
                remaining,
                lent,
                over: Vec::new(),
                slots,
            };
            (granted, *expired)
        }
        [2, expired, levels @ ..] => {
            let (remaining, slots, over) = part(levels)?;
            let over = over.iter().map(|place| usize::try_from(*place).ok());
            let granted = Reserved::Granted {
                remaining,
                lent: Vec::new(),
                over: over.collect::<Option<_>>()?,
                slots,
            };
            (granted, *expired)
        }
        [3, places @ ..] => {
            let places = places.iter().map(|place| usize::try_from(*place).ok());
            let places = places.collect::<Option<Vec<_>>>()?;
            let named = places.iter().all(|place| *place < lines);
            (named.then_some(Reserved::Lacking { places })?, 0)
        }
        [0, expired, tightest, retry_after_ms, levels @ ..] => {
            let (remaining, slots, _) = part(levels)?;
            let denied = Reserved::Denied {
                tightest: usize::try_from(*tightest).ok()?,
                retry_after_ms: u64::try_from(*retry_after_ms).ok()?,
                remaining,
                slots,
            };
            (denied, *expired)
        }
        _ => return None,
    };
    Some(Reply {
        value,
        expired: u64::try_from(expired).ok()?,
        bequests,
    })
}

/// Reads the reply to a settlement.
pub(crate) fn settled(reply: &Value) -> Option<Reply<Settled>> {
    let Value::Array(parts) = reply else {
        return None;
    };
    let [Value::Int(outcome), Value::Int(expired), rest @ ..] = parts.as_slice() else {
        return None;
    };
    let value = match outcome {
        2 => Settled::Released,
        1 => Settled::Charged,
        0 => Settled::Nothing,
        _ => return None,
    };
    Some(Reply {
        value,
        expired: u64::try_from(*expired).ok()?,
        bequests: left(rest)?,
    })
}

/// What reservations left, each behind its id.
fn left(parts: &[Value]) -> Option<Vec<Bequest>> {
    let (pairs, []) = parts.as_chunks::<2>() else {
        return None;
    };
    let bequest = |pair: &[Value; 2]| match pair {
        [Value::BulkString(id), Value::BulkString(text)] => Some(Bequest {
            id: bytes(id)?,
            text: text.as_slice().into(),
        }),
        _ => None,
    };
    pairs.iter().map(bequest).collect()
}

/// What a script packed. Whatever is not of ours is too few or too many numbers for whoever reads them.
pub(crate) fn doubles(packed: &[u8]) -> Vec<i64> {
    let (numbers, _) = packed.as_chunks::<8>();
    numbers
        .iter()
        .map(|it| integer(f64::from_le_bytes(*it)))
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "every number of ours is an integer below 2^53, and the cast of others saturates"
)]
fn integer(number: f64) -> i64 {
    number as i64
}

/// Reads the reply to an owner's word: how many slots of each count are its own.
pub(crate) fn owned(reply: &[i64], counts: usize) -> Option<Vec<u32>> {
    let owned = reply.iter().map(|own| u32::try_from(*own).ok());
    let owned = owned.collect::<Option<Vec<_>>>()?;
    (owned.len() == counts).then_some(owned)
}

fn slots(numbers: &[i64]) -> Option<Vec<Slot>> {
    let slot = |three: &[i64]| match three {
        [granted, own, others] => Some(Slot {
            granted: *granted > 0,
            spare: u32::try_from(*granted - 1).unwrap_or(0),
            own: u32::try_from(*own).ok()?,
            others: u64::try_from(*others).ok()?,
        }),
        _ => None,
    };
    numbers.chunks(3).map(slot).collect()
}
