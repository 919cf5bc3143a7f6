//! How edges tell each other of targets by way of Redis: one call of the script for each organization, all in one round trip.

use std::time::Duration;

use redis::{Pipeline, Value};

use crate::{
    call::time,
    hints::{Heard, Hints, heard},
    keyspace,
    redis::{Connection, Failure},
    scripts::evalsha,
};

// === impl Connection ===

impl Connection {
    /// Says what stands in `of`, and hears what stands of each of these organizations, in their order.
    pub async fn share_hints(
        &self,
        edge: &str,
        of: &[Hints],
        now_ms: Option<u64>,
    ) -> Result<Vec<Vec<Heard>>, Failure> {
        let mut calls = Pipeline::new();
        for it in of {
            let mut call = evalsha(&self.scripts.hints, 1, it.hints.len());
            call.arg(keyspace::hints(it.organization));
            time(&mut call, now_ms);
            for hint in &it.hints {
                let (letter, member, ms) = hint.spelled(edge);
                call.arg(letter).arg(member).arg(ms);
            }
            calls.add_command(call);
        }
        let answers = self.all(&calls).await?.into_iter();
        answers.map(|answer| read(&answer?, edge)).collect()
    }
}

/// Words, each with how long it still holds.
fn read(answer: &Value, edge: &str) -> Result<Vec<Heard>, Failure> {
    let Value::Array(values) = answer else {
        return Err(Failure::Garbled);
    };
    let (pairs, []) = values.as_chunks::<2>() else {
        return Err(Failure::Garbled);
    };
    let mut words = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let [Value::BulkString(member), Value::Int(left_ms)] = pair else {
            return Err(Failure::Garbled);
        };
        let left_ms = u64::try_from(*left_ms).map_err(|_| Failure::Garbled)?;
        words.push((member.as_slice(), Duration::from_millis(left_ms)));
    }
    Ok(heard(words.into_iter(), edge))
}
