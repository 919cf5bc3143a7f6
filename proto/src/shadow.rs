//! Shadows between policy and bytes.

use policy::{
    shadow::{CONCURRENT_MAX, Shadow},
    split::WHOLE,
};

use crate::{
    malformed::{InvalidObject, id, invalid},
    sync as wire,
};

pub(crate) fn policy(it: &Shadow) -> wire::ShadowPolicy {
    wire::ShadowPolicy {
        shadow_id: it.id.as_bytes().to_vec(),
        version_id: it.version.as_bytes().to_vec(),
        basis_points: it.basis_points.into(),
        concurrent_max: it.concurrent_max.into(),
        end_seconds: it.end_seconds.unwrap_or(0),
        rest_seconds: it.rest_seconds.unwrap_or(0),
    }
}

pub(crate) fn read(it: &wire::ShadowPolicy) -> Result<Box<Shadow>, InvalidObject> {
    let within = |number: u32, most: u16| {
        let number = u16::try_from(number).ok();
        number.filter(|it| (1..=most).contains(it))
    };
    let basis_points = within(it.basis_points, WHOLE);
    let concurrent_max = within(it.concurrent_max, CONCURRENT_MAX);
    Ok(Box::new(Shadow {
        id: id(&it.shadow_id, "shadow_id")?,
        version: id(&it.version_id, "version_id")?,
        basis_points: basis_points.ok_or_else(|| invalid("the share of a shadow is none"))?,
        concurrent_max: concurrent_max
            .ok_or_else(|| invalid("the copies of a shadow have no bound"))?,
        end_seconds: (it.end_seconds > 0).then_some(it.end_seconds),
        rest_seconds: (it.rest_seconds > 0).then_some(it.rest_seconds),
    }))
}

#[cfg(test)]
mod tests {
    use policy::id::{ShadowId, VersionId};

    use super::*;

    #[test]
    fn a_shadow_survives_the_way_and_one_without_bounds_is_refused() {
        let shadow = Shadow {
            id: ShadowId::from_bytes([1; 16]),
            version: VersionId::from_bytes([2; 16]),
            basis_points: 10_000,
            concurrent_max: 1,
            end_seconds: None,
            rest_seconds: Some(9),
        };
        assert_eq!(*read(&policy(&shadow)).unwrap(), shadow);
        let ends = Shadow {
            end_seconds: Some(7),
            ..shadow.clone()
        };
        assert_eq!(*read(&policy(&ends)).unwrap(), ends);
        for spoil in [
            |it: &mut wire::ShadowPolicy| it.basis_points = 0,
            |it: &mut wire::ShadowPolicy| it.basis_points = 10_001,
            |it: &mut wire::ShadowPolicy| it.concurrent_max = 0,
            |it: &mut wire::ShadowPolicy| it.concurrent_max = 1_001,
            |it: &mut wire::ShadowPolicy| it.version_id = vec![1],
        ] {
            let mut wrong = policy(&shadow);
            spoil(&mut wrong);
            assert!(read(&wrong).is_err(), "{wrong:?}");
        }
    }
}
