//! How many bytes of bodies one core holds, all requests together.
//!
//! Knows numbers only. Bytes are taken as they come, so that a client's word about its body reserves nothing, and
//! are given back when whoever holds them is dropped.

use std::{cell::Cell, rc::Rc};

/// What one core may hold.
pub struct Budget {
    left_bytes: Cell<usize>,
}

/// What one body holds of it. Gives it back when it is dropped.
pub struct Share {
    budget: Rc<Budget>,
    bytes: usize,
}

/// The budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

// === impl Budget ===

impl Budget {
    /// A budget of this many bytes.
    pub fn new(bytes: usize) -> Rc<Self> {
        Rc::new(Self {
            left_bytes: Cell::new(bytes),
        })
    }

    /// A share of nothing yet.
    pub fn share(self: &Rc<Self>) -> Share {
        Share {
            budget: Rc::clone(self),
            bytes: 0,
        }
    }
}

// === impl Share ===

impl Share {
    /// Takes this many bytes more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        // Full: the request is refused, and what it held is free for the others.
        let left = self.budget.left_bytes.get().checked_sub(bytes);
        self.budget.left_bytes.set(left.ok_or(Full)?);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let left_bytes = &self.budget.left_bytes;
        left_bytes.set(left_bytes.get() + self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back_once_and_a_refusal_takes_nothing() {
        let budget = Budget::new(10);
        let (mut one, mut other) = (budget.share(), budget.share());
        assert_eq!((one.grow(4), one.grow(2)), (Ok(()), Ok(())));
        assert_eq!((other.grow(5), other.grow(4)), (Err(Full), Ok(())));
        drop(one);
        assert_eq!((other.grow(7), other.grow(6)), (Err(Full), Ok(())));
        drop(other);
        assert_eq!(budget.left_bytes.get(), 10);
    }
}
