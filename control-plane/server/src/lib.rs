//! Admin in, policy out, usage in.
//!
//! Owns the wire on the control plane's side: who may call, what a call means, and which gRPC code it gets.
//! Knows nothing of SQL, and decides nothing that `domain` decides.

pub mod sealed;
pub mod turns;
pub mod authn;
pub mod pace;
pub mod crowd;
pub mod exchange;
pub mod entrance;
pub mod status;
pub mod strict;
pub mod audit_entry;
pub mod denials;
pub mod asking;
pub mod inquiry;
pub mod peer;
pub mod vector;
mod standing;
pub mod api;
pub mod attest;
pub mod publish;
mod by_itself;
mod oversee;
mod dismiss;
pub mod reconcile;
pub mod follow;
pub mod custody;
pub mod reseal;
pub mod repepper;
mod recall;
mod deposit;
pub mod ingest;
pub mod sweep;
pub mod fold;
mod held;
pub mod forward;
pub mod hand_on;
pub mod watch;
pub mod tell;
pub mod config;
pub mod server;
