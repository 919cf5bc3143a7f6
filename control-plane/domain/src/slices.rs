//! Which numbers of a split belong to which arm, as shares change: so that nobody moves who need not.
//!
//! The numbers from 0 upwards are cut into slices, each of one arm. What an arm loses goes where another gains, over a border that they
//! have in common if there is one. Shares are whole percents, so that there are never more slices than those. Pure.

use policy::split::WHOLE;

use crate::allocation::UNIT;

/// The most slices of shares in whole percents.
pub const SLICES_MAX: usize = (WHOLE / UNIT) as usize;

/// Numbers that follow each other and belong to one arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The arm, the first one 0.
    pub arm: usize,
    /// How many numbers, hundredths of a percent.
    pub basis_points: u16,
}

/// The slices to start with: the first arm, whose share stands before all others, comes last.
pub fn laid_out(shares: &[u16]) -> Vec<Slice> {
    let slices = shares.iter().enumerate().map(|(arm, share)| Slice {
        arm,
        basis_points: *share,
    });
    let mut slices: Vec<Slice> = slices.collect();
    if !slices.is_empty() {
        slices.rotate_left(1);
    }
    joined(slices)
}

/// The slices when the arms have these shares. As many numbers change their arm as must.
pub fn moved(slices: &[Slice], shares: &[u16]) -> Vec<Slice> {
    let mut slices = joined(slices.to_vec());
    let mut over: Vec<i32> = shares.iter().map(|it| -i32::from(*it)).collect();
    for slice in &slices {
        if let Some(over) = over.get_mut(slice.arm) {
            *over += i32::from(slice.basis_points);
        }
    }
    // Each turn gives something away for good.
    while let Some((from, to, many)) =
        over_a_border(&slices, &over).or_else(|| anywhere(&mut slices, &over))
    {
        let arms = (
            slices.get(from).map(|it| it.arm),
            slices.get(to).map(|it| it.arm),
        );
        if let Some(slice) = slices.get_mut(from) {
            slice.basis_points = slice.basis_points.saturating_sub(many);
        }
        if let Some(slice) = slices.get_mut(to) {
            slice.basis_points = slice.basis_points.saturating_add(many);
        }
        if let (Some(from), Some(to)) = arms {
            for (arm, change) in [(from, -i32::from(many)), (to, i32::from(many))] {
                if let Some(over) = over.get_mut(arm) {
                    *over += change;
                }
            }
        }
        slices = joined(slices);
    }
    slices
}

/// Two neighbours of which one has too much and the other too little: who gives, who takes, and how much.
fn over_a_border(slices: &[Slice], over: &[i32]) -> Option<(usize, usize, u16)> {
    (1..slices.len()).find_map(|at| {
        let gives = |from: usize, to: usize| {
            let many = gift(*slices.get(from)?, slices.get(to)?.arm, over)?;
            Some((from, to, many))
        };
        gives(at - 1, at).or_else(|| gives(at, at - 1))
    })
}

/// Makes a new slice, behind the smallest that can give, for one that takes.
fn anywhere(slices: &mut Vec<Slice>, over: &[i32]) -> Option<(usize, usize, u16)> {
    let taker = over.iter().position(|it| *it < 0)?;
    let givers = slices.iter().enumerate();
    let givers = givers.filter_map(|(at, it)| Some((it.basis_points, at, gift(*it, taker, over)?)));
    let (_, from, many) = givers.min()?;
    let new = Slice {
        arm: taker,
        basis_points: 0,
    };
    slices.insert(from + 1, new);
    Some((from, from + 1, many))
}

/// How much a slice gives to an arm, where it has too much and that has too little.
fn gift(slice: Slice, taker: usize, over: &[i32]) -> Option<u16> {
    let spare = over.get(slice.arm).copied().unwrap_or(0);
    let short = -over.get(taker).copied().unwrap_or(0);
    let many = spare.min(short).min(slice.basis_points.into());
    u16::try_from(many).ok().filter(|it| *it > 0)
}

/// Without what is empty, and what follows its own arm in one.
fn joined(slices: Vec<Slice>) -> Vec<Slice> {
    let mut joined: Vec<Slice> = Vec::with_capacity(slices.len());
    for slice in slices.into_iter().filter(|it| it.basis_points > 0) {
        match joined.last_mut() {
            Some(last) if last.arm == slice.arm => last.basis_points += slice.basis_points,
            _ => joined.push(slice),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use policy::split::PLACES_MAX;

    use super::*;

    /// The arm of each number.
    fn arms(slices: &[Slice]) -> Vec<usize> {
        let all = slices.iter();
        all.flat_map(|it| vec![it.arm; it.basis_points.into()])
            .collect()
    }

    #[test]
    fn exactly_those_move_who_must_however_often_shares_change() {
        assert_eq!(SLICES_MAX, PLACES_MAX);
        let mut rng = fastrand::Rng::with_seed(2);
        let mut most = 0;
        for count in 2..=9 {
            let mut shares = vec![500; count];
            shares[0] = WHOLE - 500 * u16::try_from(count - 1).unwrap();
            let mut slices = laid_out(&shares);
            for _ in 0..500 {
                let mut next = shares.clone();
                for _ in 0..=rng.usize(..4) {
                    let (from, to) = (rng.usize(..count), rng.usize(..count));
                    let many = rng.u16(0..=next[from] / UNIT) * UNIT;
                    next[from] -= many;
                    next[to] += many;
                }
                let after = moved(&slices, &next);
                let (was, is) = (arms(&slices), arms(&after));
                let moves = was.iter().zip(&is).filter(|(was, is)| was != is).count();
                let grown = shares.iter().zip(&next);
                let grown: u16 = grown.map(|(was, is)| is.saturating_sub(*was)).sum();
                assert_eq!(moves, usize::from(grown), "{slices:?} {next:?}");
                for (arm, share) in next.iter().enumerate() {
                    let has = is.iter().filter(|it| **it == arm).count();
                    assert_eq!(has, usize::from(*share));
                }
                most = most.max(after.len());
                (shares, slices) = (next, after);
            }
        }
        println!("at most {most} slices");
        assert!(most <= SLICES_MAX);
    }

    #[test]
    fn two_arms_have_one_border_which_moves() {
        let slices = laid_out(&[5_000, 5_000]);
        let first = |arm, basis_points| Slice { arm, basis_points };
        assert_eq!(slices, [first(1, 5_000), first(0, 5_000)]);
        let slices = moved(&slices, &[4_000, 6_000]);
        assert_eq!(slices, [first(1, 6_000), first(0, 4_000)]);
        assert_eq!(moved(&slices, &[10_000, 0]), [first(0, 10_000)]);
    }
}
