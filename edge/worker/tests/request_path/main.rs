//! The request path of one core, against a provider that follows a script, over real sockets.
//!
//! Policy is put in force by hand; counters are this process's. Nothing here sleeps to see whether something has
//! happened: it waits for it, with a deadline.
#![expect(
    unreachable_pub,
    reason = "nothing reaches into a test binary; `pub` says what its parts share"
)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what goes wrong in here is the test's failure"
)]

mod client;
mod provider;
mod edge;
mod answers;
mod refusals;
mod failures;
mod stream;
mod strict;
mod commit;
mod hosted;
mod mapped;
mod errors_said;
mod errors;
mod identity;
mod addresses;
mod hang_up;
mod limits;
mod concurrency;
mod connections;
mod smuggling;
mod measures;
mod costs;
mod encrypted;
mod passing;
mod sockets;
mod shaping;
mod balancing;
mod hedging;
mod conditions;
mod preferences;
mod able;
mod scopes;
mod audited;
mod splitting;
mod calls;
mod ending;
mod aliases;
mod cutting;
