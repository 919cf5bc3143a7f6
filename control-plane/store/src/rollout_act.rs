//! What operators do with a rollout, and what stands in the way of that.

use domain::rollout::State;

use crate::{
    conflict,
    error::{Obstacle, StoreError},
    rollout::{self, Row},
    write::Write,
};

/// What an operator does with one that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Keeps it at its step.
    Pause,
    /// Lets it go on.
    Resume,
    /// Approves of leaving its step.
    Approve,
    /// Finishes it.
    Promote,
    /// Takes it back.
    Abort,
    /// Lets it go on in spite of freezes.
    Force,
}

/// Does it with a row that is locked, for this reason.
pub async fn act(
    write: &mut Write,
    mut row: Row,
    act: Act,
    reason: String,
) -> Result<Row, StoreError> {
    if row.state.is_over() {
        return Err(conflict::blocked(&row.name, Obstacle::HasEnded));
    }
    if let (Act::Promote, Some(frozen)) = (act, row.heeded()) {
        return Err(conflict::frozen(&row.name, frozen));
    }
    let is_paused = row.state == State::Paused;
    match act {
        Act::Pause if is_paused => return Err(conflict::blocked(&row.name, Obstacle::IsPaused)),
        Act::Resume if !is_paused => {
            return Err(conflict::blocked(&row.name, Obstacle::IsNotPaused));
        }
        Act::Pause => row.state = State::Paused,
        Act::Resume => row.state = State::Running,
        Act::Approve => row.is_approved = true,
        Act::Promote => row.state = State::Promoted,
        Act::Abort => row.state = State::Aborted,
        Act::Force => row.forced_reason.clone_from(&reason),
    }
    row.reason = reason;
    rollout::update(write, &row).await
}
