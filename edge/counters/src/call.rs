//! What the scripts are asked, written: keys and arguments, in the order in which they read them.
//!
//! Knows what each place of a call means; knows nothing of connections. What comes back is read by `reply`.

use std::io::Write;

use policy::{applying::Measure, id::OrganizationId};
use redis::{Cmd, RedisWrite};

use crate::{
    keyspace,
    reservation::{Ahead, Bequest, Claims, Line, Wanted},
};

/// How many keys [`keys`] writes.
pub(crate) fn keys_of(lines: &[Line]) -> usize {
    3 + shelves(lines).filter(|it| is_own(it)).count()
}

/// What is held and due, the hash of all shelves, and the keys of those shelves that have one of their own.
pub(crate) fn keys(call: &mut Cmd, organization: OrganizationId, lines: &[Line]) {
    call.arg(keyspace::held(organization))
        .arg(keyspace::due(organization))
        .arg(keyspace::shelves(organization));
    for line in shelves(lines)
        .filter(|it| is_own(it))
        .filter_map(<[_]>::first)
    {
        call.arg(keyspace::shelf(organization, line.shelf.id));
    }
}

/// Packed: the amount of each line, their ids, the numbers that each is measured by, and the beginnings of periods of those
/// that are quotas. Each number is a double, which the scripts read many times faster than text.
pub(crate) fn lines(call: &mut Cmd, lines: &[Line]) {
    packed(call, lines.iter().map(|line| double(line.amount)));
    packed(call, lines.iter().map(|line| *line.counter.as_bytes()));
    packed(call, lines.iter().flat_map(numbers));
    packed(call, lines.iter().filter_map(spans).flatten());
}

/// Of each shelf its field, or nothing where it has a key of its own, and its counts as they are kept there.
pub(crate) fn shelved(call: &mut Cmd, lines: &[Line]) {
    for shelf in shelves(lines) {
        let field = shelf.first().filter(|_| !is_own(shelf));
        call.arg(field.map_or(&[][..], |line| line.shelf.id.as_bytes()));
        let mut to = call.writer_for_next_arg();
        // Limits of one scope are bounded far below, by what an organization may have.
        let count = u16::try_from(shelf.len()).unwrap_or(u16::MAX);
        put(&mut to, &count.to_le_bytes());
        for line in shelf {
            put(&mut to, line.counter.as_bytes());
        }
        for number in shelf.iter().flat_map(numbers) {
            put(&mut to, &number);
        }
    }
}

/// The lines of each shelf.
fn shelves(lines: &[Line]) -> impl Iterator<Item = &[Line]> {
    lines.chunk_by(|line, next| line.shelf.id == next.shelf.id)
}

fn is_own(shelf: &[Line]) -> bool {
    shelf.first().is_some_and(|it| it.shelf.is_one_of_many)
}

/// The three numbers of one limit. Those of a quota are told from those of a rate by their signs.
fn numbers(line: &Line) -> [[u8; 8]; 3] {
    match line.measure {
        Measure::Rate(rate) => [
            double(rate.amount().cast_signed()),
            double(rate.window_ms().cast_signed()),
            double(rate.burst().cast_signed()),
        ],
        Measure::Quota { amount, span } => [
            double(-span.length_ms().cast_signed()),
            double(1),
            double(amount.cast_signed()),
        ],
    }
}

fn spans(line: &Line) -> Option<[[u8; 8]; 3]> {
    let Measure::Quota { span, .. } = line.measure else {
        return None;
    };
    let begins = [span.before_ms, span.from_ms, span.to_ms];
    Some(begins.map(|ms| double(ms.cast_signed())))
}

fn packed<const N: usize>(call: &mut Cmd, parts: impl Iterator<Item = [u8; N]>) {
    let mut to = call.writer_for_next_arg();
    for part in parts {
        put(&mut to, &part);
    }
}

fn put(to: &mut impl Write, bytes: &[u8]) {
    // What is written to memory is written.
    let _written = to.write_all(bytes);
}

/// A number as the scripts read it.
#[expect(
    clippy::cast_precision_loss,
    reason = "every number of ours is below 2^53"
)]
fn double(number: i64) -> [u8; 8] {
    (number as f64).to_le_bytes()
}

/// How much is wanted ahead of each line; nothing where nothing is.
pub(crate) fn ahead_amounts(call: &mut Cmd, ahead: Option<&Ahead>) {
    let amounts = ahead.map_or(&[][..], |ahead| &ahead.amounts);
    packed(call, amounts.iter().map(|amount| double(*amount)));
}

/// From when on each quota counts; nothing where all do from the beginnings of their periods.
pub(crate) fn counted_from(call: &mut Cmd, lines: &[Line]) {
    if lines.iter().all(|line| line.counted_from_ms == 0) {
        call.arg("");
        return;
    }
    let quotas = lines.iter().filter(|line| spans(line).is_some());
    packed(
        call,
        quotas.map(|line| double(line.counted_from_ms.cast_signed())),
    );
}

/// What was used of each line at least.
pub(crate) fn least(call: &mut Cmd, least: &[i64]) {
    packed(call, least.iter().map(|least| double(*least)));
}

/// Which loan is wanted, and for how long; nothing where none is.
pub(crate) fn borrow(call: &mut Cmd, ahead: Option<&Ahead>) {
    match ahead {
        Some(ahead) => call
            .arg(keyspace::hex(&ahead.loan).as_slice())
            .arg(ahead.term_ms),
        None => call.arg("").arg(0),
    };
}

/// Whose bequest this is more of, and how it is said now; nothing where it is of none.
pub(crate) fn bequest(call: &mut Cmd, bequest: Option<&Bequest>) {
    match bequest {
        Some(it) => call.arg(keyspace::hex(&it.id).as_slice()).arg(&*it.text),
        None => call.arg("").arg(""),
    };
}

/// Who claims, and the numbers of each claim; nothing where there is none.
pub(crate) fn claim_numbers(call: &mut Cmd, claims: Option<&Claims<'_>>) {
    let Some(claims) = claims.filter(|it| !it.each.is_empty()) else {
        return;
    };
    call.arg(keyspace::hex(&claims.owner).as_slice())
        .arg(claims.turn);
    for claim in claims.each {
        let (known, since) = claim.known;
        call.arg(claim.amount)
            .arg(known)
            .arg(since)
            .arg(claim.base)
            .arg(claim.more)
            .arg(claim.spare)
            .arg(claim.retry_ms);
    }
}

/// One digit for each line and claim, 1 for those that only warn; nothing where none does.
pub(crate) fn soft_places(call: &mut Cmd, wanted: Wanted<'_>) {
    let lines = wanted.lines.iter().map(|line| line.soft);
    let soft = || {
        lines
            .clone()
            .chain(wanted.claimed().iter().map(|it| it.soft))
    };
    if soft().any(|soft| soft) {
        let digit = |soft| if soft { '1' } else { '0' };
        call.arg(soft().map(digit).collect::<String>());
    } else {
        call.arg("");
    }
}

/// The time, or nothing where Redis reads its own clock.
pub(crate) fn time(call: &mut Cmd, now_ms: Option<u64>) {
    match now_ms {
        Some(now_ms) => call.arg(now_ms),
        None => call.arg(""),
    };
}
