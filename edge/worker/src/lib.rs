//! One request's journey, and the policy it is judged by.
//!
//! The only crate that speaks HTTP with clients and providers. Knows no SQL and no Redis; decides nothing
//! that policy has not decided. No request in here waits for the control plane.
//!
//! First what the stages read, and what keeps it up to date; then the stages, in the order in which a request meets
//! them; last what drives them. Each may know only those above it.

pub mod in_force;
pub mod feed;
pub mod cuts;
pub mod signers;
pub mod accept;
pub mod request;
pub mod opaque;
pub mod certified;
pub mod identify;
pub mod authorize;
pub mod tariff;
pub mod fares;
pub mod asking;
pub mod assign;
pub mod route;
pub mod label;
pub mod http_date;
pub mod elsewhere;
pub mod transform;
pub mod access_log;
pub mod series;
pub mod recount;
pub mod bequest;
pub mod orphans;
pub mod hints;
pub mod admit;
pub mod trail;
pub mod explain;
pub mod feedback;
pub mod recall;
pub mod record;
pub mod own;
pub mod report;
pub mod translate;
pub mod call;
pub mod discover;
pub mod introspect;
pub mod correspond;
pub mod relay;
pub mod shadow;
pub mod socket;
pub mod passage;
pub mod pipeline;
pub mod respond;
pub mod serve;
pub mod config;
pub mod worker;

pub use crate::{
    config::Config,
    worker::{Running, cannot_start::CannotStart, start},
};
