//! Everything that is measured, named before anything of it happens.
//!
//! The only place that knows whose figures there are; knows none of them.

use lifecycle::{PrometheusHandle, build, exposition};

use crate::{
    api, attest, custody, follow, forward, hand_on, ingest, publish, reconcile, repepper, reseal,
    tell, watch,
};

/// Says what is measured, and gives what renders it.
pub(crate) fn describe() -> PrometheusHandle {
    let metrics = exposition::install();
    build::describe();
    api::measured::describe();
    api::login::describe();
    api::entering::describe();
    publish::describe();
    publish::enrol::describe();
    ingest::describe();
    reconcile::describe();
    follow::describe();
    attest::describe();
    custody::describe();
    reseal::describe();
    repepper::describe();
    forward::describe();
    hand_on::describe();
    watch::describe();
    tell::describe();
    tls::door::describe();
    telemetry::telling::describe();
    signers::describe();
    metrics
}
