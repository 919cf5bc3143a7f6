//! How secrets rest, on the wire.

use prost_types::Timestamp;
use proto::admin::{PepperState, SealedUnder, SealedValues, Sealing};
use seal::{KeyId, Ring};
use store::{pepper_rotation::Standing, sealed_value::Count};
use time::OffsetDateTime;

use crate::api::moment;

/// What rests, as a replica with these keys sees it.
pub(crate) fn wire(key: &Ring, counts: &[Count], peppers: &[Standing]) -> Sealing {
    let values: Vec<SealedValues> = counts.iter().map(|it| values(key, it)).collect();
    // What names no key is brought under one once there are several: with one alone, it can only be under that.
    let rotates = key.opening_ids().next().is_some();
    let waits = |it: &&SealedValues| match it.under() {
        SealedUnder::OpenKey => true,
        SealedUnder::UnnamedKey => rotates,
        SealedUnder::SealingKey | SealedUnder::MissingKey | SealedUnder::Unspecified => false,
    };
    Sealing {
        key_id: key.sealing_id().to_string(),
        open_key_ids: key.opening_ids().map(|id| id.to_string()).collect(),
        left: values.iter().filter(waits).map(|it| it.count).sum(),
        values,
        peppers: peppers.iter().map(pepper).collect(),
    }
}

/// A pepper, without its bytes.
pub(crate) fn pepper(it: &Standing) -> PepperState {
    let at = |at: Option<OffsetDateTime>| -> Option<Timestamp> { at.map(moment::to_wire) };
    PepperState {
        version: i32::try_from(it.version).unwrap_or(i32::MAX),
        create_time: at(Some(it.created_at)),
        use_time: at(it.used_at),
        leave_time: at(it.left_at),
        secrets: number(it.secrets),
    }
}

/// The ids of keys that are needed and not here, and how many values need each.
pub(crate) fn missing(sealing: &Sealing) -> Vec<(&str, i64)> {
    let mut missing: Vec<(&str, i64)> = Vec::new();
    let under = |it: &&SealedValues| it.under() == SealedUnder::MissingKey;
    for it in sealing.values.iter().filter(under) {
        match missing.iter_mut().find(|(id, _)| *id == it.key_id) {
            Some((_, count)) => *count += it.count,
            None => missing.push((&it.key_id, it.count)),
        }
    }
    missing
}

fn values(key: &Ring, count: &Count) -> SealedValues {
    let id = Ring::named(&count.beginning);
    let under = |id: KeyId| {
        if id == key.sealing_id() {
            SealedUnder::SealingKey
        } else if key.opening_ids().any(|it| it == id) {
            SealedUnder::OpenKey
        } else {
            SealedUnder::MissingKey
        }
    };
    SealedValues {
        place: count.place.clone(),
        key_id: id.map(|id| id.to_string()).unwrap_or_default(),
        count: number(count.values),
        under: id.map_or(SealedUnder::UnnamedKey, under).into(),
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use seal::SealingKey;

    use super::*;

    fn key(digit: &str) -> SealingKey {
        SealingKey::parse(&digit.repeat(64)).unwrap()
    }

    fn count(beginning: Vec<u8>, values: u64) -> Count {
        Count {
            place: "replies".to_owned(),
            beginning,
            values,
        }
    }

    #[test]
    fn what_is_under_an_older_key_is_left_and_what_is_under_none_of_ours_is_missing() {
        let both = Ring::new(key("b"), vec![key("a")]).unwrap();
        let of = |key: &SealingKey| Ring::from(key.clone()).mark();
        let counts = [
            count(of(&key("b")), 1),
            count(of(&key("a")), 2),
            count(of(&key("c")), 4),
            count(vec![1], 8),
        ];
        let told = wire(&both, &counts, &[]);
        assert_eq!(told.left, 10);
        let id = key("c").id().to_string();
        assert_eq!(missing(&told), [(id.as_str(), 4)]);
        let alone = wire(&key("b").into(), &counts, &[]);
        assert_eq!((alone.left, missing(&alone).len()), (0, 2));
    }
}
