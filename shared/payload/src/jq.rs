//! Runs programs in the language jq over one JSON value: how a tenant says what a payload becomes.
//!
//! Owns what a program may use and how much. Must never know what a payload means. The interpreter is `jaq-core`; its
//! values are ours, because only so can every byte and every step be counted.
//!
//! # What is bounded
//!
//! * The program: [`SOURCE_BYTES_MAX`], [`BRACKETS_MAX`], [`NESTING_MAX`]; a definition may not call itself.
//! * Time: [`STEPS_MAX`]. Every term that is evaluated, every element that is visited, made or compared and every 64
//!   bytes of text that are written count one. A program that loops for ever ends there, most within a tenth of a
//!   second, the worst that we know of within about one.
//! * Memory: by the same steps, because nothing is made without them; the input and the output by their own bounds. The
//!   worst that we know of takes about a hundred megabytes.
//! * The machine's stack: [`STACK_BYTES_MAX`]. Whoever calls has twice that left, as every thread of ours does. It is
//!   enough for objects of hundreds of members in one pair of braces; without optimisation, for a hundred.
//! * The depth of a value: that of [`crate::json::DEPTH_MAX`].
//!
//! # What there is not
//!
//! Files, modules, the environment, the clock, further inputs, messages, an exit, regular expressions: a program that
//! names one of them does not compile. Numbers that a program does not compute with stay as they were written.
//!
//! # What is not bounded
//!
//! The wall clock: a step is a few nanoseconds to a microsecond, and nothing here looks at a watch. The bounds are
//! enforced by unwinding out of the interpreter, so they need `panic = "unwind"`, which is every profile's default.

mod allowance;
mod fault;
mod number;
mod value;
mod read;
mod write;
mod order;
mod arithmetic;
mod access;
mod library;
mod source;
mod program;

pub use self::{
    allowance::{PAYLOAD_STEPS_MAX, STACK_BYTES_MAX, STEPS_MAX, Spent},
    fault::Fault,
    program::{INPUT_BYTES_MAX, Program},
    source::{BRACKETS_MAX, NESTING_MAX, SOURCE_BYTES_MAX},
    write::OUTPUT_BYTES_MAX,
};
