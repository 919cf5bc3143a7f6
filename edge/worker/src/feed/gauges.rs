//! What the feed tells about itself in numbers, and in words where an operator must look.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use policy::{object::Lane, revision::Revision};
use proto::sync as wire;

/// Says what the numbers mean.
pub fn describe() {
    describe_gauge!("sluice_config_revision", "The revision in force, by lane.");
    describe_gauge!(
        "sluice_config_behind_seconds",
        "For how long a lane has not had all that the control plane has."
    );
    describe_counter!(
        "sluice_config_nack_total",
        "Objects that were refused, by lane."
    );
    describe_counter!(
        "sluice_config_state_hash_mismatch_total",
        "How often a lane differed from the control plane's and was loaded anew."
    );
    describe_gauge!(
        "sluice_config_boot",
        "1 for where the state came from at start."
    );
}

/// The counters start at zero, so that their first event is an increase and not an appearance.
pub fn begin(boot: wire::Boot) {
    for lane in Lane::ALL {
        counter!("sluice_config_nack_total", "lane" => lane.word()).increment(0);
    }
    counter!("sluice_config_state_hash_mismatch_total").increment(0);
    let source = match boot {
        wire::Boot::Unspecified | wire::Boot::Fresh => "fresh",
        wire::Boot::Disk => "disk",
        wire::Boot::DiskPrevious => "disk_previous",
    };
    for each in ["fresh", "disk", "disk_previous"] {
        let value = if each == source { 1.0 } else { 0.0 };
        gauge!("sluice_config_boot", "source" => each).set(value);
    }
}

/// Where a lane is.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a double, and revisions are far below 2^53"
)]
pub fn revision(lane: Lane, revision: Revision) {
    gauge!("sluice_config_revision", "lane" => lane.word()).set(revision.0 as f64);
}

/// How old a lane is.
pub fn behind(lane: Lane, behind: Duration) {
    gauge!("sluice_config_behind_seconds", "lane" => lane.word()).set(behind.as_secs_f64());
}

/// Objects were refused: these, and maybe more than are told.
pub fn refused(lane: Lane, told: &[wire::Rejection], count: u64) {
    let word = lane.word();
    for wire::Rejection {
        kind,
        revision,
        detail,
        kept_previous,
        ..
    } in told
    {
        tracing::error!(
            lane = word,
            kind,
            revision,
            detail,
            kept_previous,
            "a change is refused"
        );
    }
    counter!("sluice_config_nack_total", "lane" => word).increment(count);
}

/// The state hashes differ.
pub fn mismatch() {
    counter!("sluice_config_state_hash_mismatch_total").increment(1);
}
