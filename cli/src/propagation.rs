//! Waits until the edges have a revision, and names those that have not.
//!
//! Knows the call and its longest wait; a longer one is several calls.

use std::time::{Duration, Instant};

use proto::admin::{Edge, WaitForPropagationRequest, WaitForPropagationResponse};

use crate::{
    connection::{ANSWER_WITHIN, Connection},
    failure::{Exit, Failure},
};

/// The longest that one call may wait; the control plane refuses more.
const CALL_MAX: Duration = Duration::from_mins(1);

/// Waits until the edges of `region` (empty: all) have `revision` (zero: the newest), for at most `within`.
pub async fn wait(
    connection: &mut Connection,
    revision: i64,
    region: &str,
    within: Duration,
) -> Result<WaitForPropagationResponse, Failure> {
    let since = Instant::now();
    let mut request = WaitForPropagationRequest {
        revision,
        region: region.to_owned(),
        timeout: None,
    };
    loop {
        let step = within.saturating_sub(since.elapsed()).min(CALL_MAX);
        request.timeout = prost_types::Duration::try_from(step).ok();
        let path = "EdgeService/WaitForPropagation";
        let reply: WaitForPropagationResponse = connection
            .call_for(path, &request, step + ANSWER_WITHIN)
            .await?;
        if reply.reached || since.elapsed() >= within {
            return Ok(reply);
        }
        // The newest is what was newest when the wait began.
        request.revision = reply.revision;
    }
}

/// Declines when edges are behind, and names them.
pub fn check(waited: &WaitForPropagationResponse) -> Result<(), Failure> {
    if waited.reached {
        return Ok(());
    }
    let behind = |edge: &Edge| {
        let lanes = edge
            .lanes
            .iter()
            .map(|lane| format!("{} {}", lane.lane, lane.applied_revision));
        let connected = if edge.connected {
            "connected"
        } else {
            "not connected"
        };
        let region = &edge.region;
        format!(
            "{} in {region}, {connected}: {}",
            edge.name,
            lanes.collect::<Vec<_>>().join(", ")
        )
    };
    let sentence = format!("revision {} is not on every edge yet", waited.revision);
    Err(Failure::new(Exit::Behind, sentence)
        .with_details(waited.stragglers.iter().map(behind))
        .with_advice(format!(
            "`sluice edges wait --revision {}` waits on",
            waited.revision
        )))
}

/// Says that all are there.
pub fn sentence(waited: &WaitForPropagationResponse) -> String {
    match waited.edges_reached {
        0 => format!("revision {}: no edge runs", waited.revision),
        1 => format!("revision {} is on the one edge that runs", waited.revision),
        count => format!("revision {} is on all {count} edges", waited.revision),
    }
}

#[cfg(test)]
mod tests {
    use proto::admin::LaneProgress;

    use super::*;

    #[test]
    fn stragglers_are_named_with_how_far_they_are() {
        let lanes = vec![LaneProgress {
            lane: "config".to_owned(),
            applied_revision: 11,
            ..Default::default()
        }];
        let edge = Edge {
            name: "edges/b".to_owned(),
            region: "eu".to_owned(),
            lanes,
            ..Default::default()
        };
        let waited = WaitForPropagationResponse {
            revision: 12,
            stragglers: vec![edge],
            ..Default::default()
        };
        let failure = check(&waited).unwrap_err();
        assert_eq!(failure.exit(), Exit::Behind);
        let text = failure.to_string();
        assert!(
            text.contains("\n  edges/b in eu, not connected: config 11\n"),
            "{text}"
        );
        check(&WaitForPropagationResponse {
            reached: true,
            ..waited
        })
        .unwrap();
    }
}
