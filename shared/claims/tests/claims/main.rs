//! Tokens as an attacker would write them, what issuers say of them, and expressions as an operator might.
#![expect(
    unreachable_pub,
    reason = "nothing reaches into a test binary; `pub` says what its parts share"
)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what goes wrong in here is the test's failure"
)]

mod world;
mod hostile;
mod introspected;
mod bound;
mod expressions;
