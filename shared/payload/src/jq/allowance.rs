//! How much one run may use, and the way out when it has used it.
//!
//! Knows steps and the machine's stack; knows nothing of programs or values. The allowance of a run stands in a variable
//! of its thread, because the interpreter adds and compares values without saying for which run.

use std::{
    cell::Cell,
    hint::black_box,
    panic::{self, AssertUnwindSafe},
};

/// The most steps of one run. Full: the run ends without a result.
pub const STEPS_MAX: u64 = 1_000_000;

/// The most steps of a run on the path of a request, where others wait on the same core: without optimisation
/// most programs that use them up end within a tenth of a second, the worst that we know of within half a one. Full: the run ends without a result.
pub const PAYLOAD_STEPS_MAX: u64 = 100_000;

/// How much of the machine's stack one run may take, in bytes. Full: the run ends without a result.
pub const STACK_BYTES_MAX: usize = 512 << 10;

/// How many bytes of text are written in one step.
const BYTES_PER_STEP: usize = 64;

/// What a run has used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spent {
    /// Its steps: [`STEPS_MAX`].
    Steps,
    /// Its stack: [`STACK_BYTES_MAX`].
    Stack,
    /// The depth of values: [`crate::json::DEPTH_MAX`].
    Depth,
    /// The members of an object: [`crate::object::MEMBERS_MAX`].
    Members,
}

/// Why a run came to no end of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It has used something up.
    Spent(Spent),
    /// The interpreter has broken.
    Broken,
}

/// What is left of a run, and where on the stack it began.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    steps_left: u64,
    ground: usize,
}

thread_local! {
    /// That of the run that is going on. Nothing outside of one.
    static ALLOWANCE: Cell<Allowance> = const { Cell::new(Allowance { steps_left: 0, ground: 0 }) };
}

/// Runs something with an allowance of its own, of so many steps.
pub(crate) fn within<T>(steps: u64, run: impl FnOnce() -> T) -> Result<T, Stopped> {
    ALLOWANCE.set(Allowance {
        steps_left: steps,
        ground: place(),
    });
    // What the closure leaves behind half done is thrown away: it owns it or only reads it.
    let ran = panic::catch_unwind(AssertUnwindSafe(run));
    ALLOWANCE.set(Allowance {
        steps_left: 0,
        ground: 0,
    });
    ran.map_err(|thrown| match thrown.downcast::<Spent>() {
        Ok(spent) => Stopped::Spent(*spent),
        Err(_) => Stopped::Broken,
    })
}

/// Takes steps off the allowance. Ends the run when there are none left, or when it stands too far from where it began.
pub(crate) fn charge(steps: u64) {
    let Allowance { steps_left, ground } = ALLOWANCE.get();
    let Some(steps_left) = steps_left.checked_sub(steps) else {
        stop(Spent::Steps);
    };
    if ground.abs_diff(place()) > STACK_BYTES_MAX {
        stop(Spent::Stack);
    }
    ALLOWANCE.set(Allowance { steps_left, ground });
}

/// Takes the steps for so many things off the allowance.
pub(crate) fn charge_for(things: usize) {
    charge(u64::try_from(things).unwrap_or(u64::MAX));
}

/// Takes the steps for writing or comparing so many bytes off the allowance.
pub(crate) fn charge_for_bytes(bytes: usize) {
    charge_for(1 + bytes / BYTES_PER_STEP);
}

/// Ends the run. Unwinds, because a program can catch every error that the interpreter knows.
pub(crate) fn stop(spent: Spent) -> ! {
    panic::resume_unwind(Box::new(spent))
}

/// About where the top of the stack is.
#[inline(never)]
fn place() -> usize {
    let mark = 0_u8;
    black_box(&raw const mark).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_when_its_steps_are_spent_and_the_next_one_has_its_own() {
        assert_eq!(within(STEPS_MAX, || charge(STEPS_MAX)), Ok(()));
        let over = within(STEPS_MAX, || {
            charge(STEPS_MAX);
            charge(1);
        });
        assert_eq!(over, Err(Stopped::Spent(Spent::Steps)));
        assert_eq!(
            within(STEPS_MAX, || charge_for(usize::MAX)),
            Err(Stopped::Spent(Spent::Steps))
        );
        assert_eq!(within(1, || charge(1)), Ok(()));
        assert!(within(0, || charge(1)).is_err());
    }

    #[test]
    fn a_run_ends_before_the_stack_does() {
        fn down(levels: u64) -> u64 {
            charge(1);
            match levels {
                0 => 0,
                _ => black_box(down(levels - 1)) + 1,
            }
        }
        assert_eq!(within(STEPS_MAX, || down(100)), Ok(100));
        let ran = within(STEPS_MAX, || down(STEPS_MAX));
        assert_eq!(ran, Err(Stopped::Spent(Spent::Stack)));
    }
}
