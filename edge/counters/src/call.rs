//! What the scripts are asked, written: keys and arguments, in the order in which they read them.
//!
//! Knows what each place of a call means; knows nothing of connections. What comes back is read by `reply`.

use policy::{applying::Measure, id::OrganizationId};
use redis::Cmd;

use crate::{
    keyspace,
    reservation::{Ahead, Claims, Line, Wanted},
};

/// The keys of the limits of these lines, after those of what is held and due.
pub(crate) fn limit_keys(call: &mut Cmd, organization: OrganizationId, lines: &[Line]) {
    call.arg(keyspace::held(organization))
        .arg(keyspace::due(organization));
    for line in lines {
        call.arg(keyspace::count(organization, line.counter));
    }
}

/// The four numbers of one limit.
pub(crate) fn limit_numbers(call: &mut Cmd, line: &Line) {
    match line.measure {
        Measure::Rate(rate) => call
            .arg(rate.amount())
            .arg(rate.window_ms())
            .arg(rate.burst()),
        Measure::Quota { amount, span } => call
            .arg(amount)
            .arg(format!(
                "{}:{}:{}",
                span.before_ms, span.from_ms, span.to_ms
            ))
            .arg(amount),
    };
    call.arg(line.amount);
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

/// Who claims, and the numbers of each claim; nothing where there is none.
pub(crate) fn claim_numbers(call: &mut Cmd, claims: Option<&Claims<'_>>) {
    let Some(claims) = claims else { return };
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
