//! What the scripts reply, read: lists of integers, and nothing else.
//!
//! Knows what each place of a reply means; knows nothing of connections. What is not one of ours is `None`.

use crate::reservation::{Reply, Reserved, Settled, Slot};

/// Reads the reply to a reservation of so many lines and claims.
pub(crate) fn reserved(reply: &[i64], (lines, claims): (usize, usize)) -> Option<Reply<Reserved>> {
    let part = |levels: &[i64]| {
        let (remaining, rest) = levels.split_at_checked(lines)?;
        let (told, rest) = rest.split_at_checked(3 * claims)?;
        Some((remaining.to_vec(), slots(told)?, rest.to_vec()))
    };
    let (value, expired) = match reply {
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
    })
}

/// Reads the reply to a settlement.
pub(crate) fn settled(reply: &[i64]) -> Option<Reply<Settled>> {
    let (value, expired) = match reply {
        [2, expired] => (Settled::Released, expired),
        [1, expired] => (Settled::Charged, expired),
        [0, expired] => (Settled::Nothing, expired),
        _ => return None,
    };
    Some(Reply {
        value,
        expired: u64::try_from(*expired).ok()?,
    })
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
