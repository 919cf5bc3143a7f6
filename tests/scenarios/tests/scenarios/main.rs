//! The promises, one file each. One binary, so that it is linked once.

mod sdks;
mod dialects;
mod identities;
mod transforms;
mod richer;
mod custom;
mod tensors;
mod streaming;
mod revocation;
mod outage;
mod limits;
mod limit_kinds;
mod limit_places;
mod limit_explain;
mod hanging_up;
mod admin;
mod accounting;
mod metrics;
mod deploy;
mod dev;
mod command_line;
mod foreign;
mod passthrough;
