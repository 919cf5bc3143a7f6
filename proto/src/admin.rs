//! Generated: `sluice.admin.v1`. The comments are those of the proto files.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    clippy::all,
    reason = "generated from the proto files, where every field is commented and linted"
)]

tonic::include_proto!("sluice.admin.v1");
