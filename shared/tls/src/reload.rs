//! Keeps a door in step with its files.
//!
//! Looks at what stands in them rather than at their times, which an archive or an image may set back. What cannot be
//! served is told and counted, once, and what was served before goes on.

use std::{convert::Infallible, time::Duration};

use metrics::counter;
use tokio::{
    task,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use crate::{
    door::Door,
    files::{Config, Contents, Known, Unusable},
    served::{Alpn, served},
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks at the files of one door.
pub struct Reload {
    config: Config,
    known: Vec<Known>,
    alpn: Alpn,
    door: Door,
    /// What the last look found.
    seen: Seen,
    /// What was served or refused last.
    judged: Seen,
}

/// What stood in the files: the digest of it, or why they could not be read.
type Seen = Result<[u8; 32], Unusable>;

/// Opens the door of a listener, to clients that are `known` by their certificates, too. What is wrong with its files now
/// keeps it shut.
pub fn open(
    listener: &'static str,
    config: Config,
    known: Vec<Known>,
    alpn: Alpn,
) -> Result<(Door, Reload), Unusable> {
    let contents = config.read(&known)?;
    let door = Door::new(listener, served(&contents, alpn)?);
    let reload = Reload {
        config,
        known,
        alpn,
        door: door.clone(),
        seen: Ok(contents.digest),
        judged: Ok(contents.digest),
    };
    Ok((door, reload))
}

// === impl Reload ===

impl Reload {
    /// Looks from time to time, for as long as it is run.
    pub async fn run(mut self) -> Infallible {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (config, known) = (self.config.clone(), self.known.clone());
            // Files may lie on a disk that is slow.
            match task::spawn_blocking(move || config.read(&known)).await {
                Ok(found) => self.look(found),
                Err(why) => warn!(%why, "certificate files were not looked at"),
            }
        }
    }

    /// Serves what has changed, once two looks agree: a certificate and its key are seldom written at one time.
    fn look(&mut self, found: Result<Contents, Unusable>) {
        let seen = match &found {
            Ok(contents) => Ok(contents.digest),
            Err(why) => Err(why.clone()),
        };
        let settled = seen == self.seen;
        self.seen.clone_from(&seen);
        if !settled || seen == self.judged {
            return;
        }
        self.judged = seen;
        let listener = self.door.listener();
        match found.and_then(|contents| served(&contents, self.alpn)) {
            Ok(served) => {
                info!(listener, ends_at = %served.ends_at, "certificates have changed and are served");
                self.door.serve(served);
                counter!("sluice_tls_reload_total", "listener" => listener, "result" => "served")
                    .increment(1);
            }
            Err(why) => {
                warn!(listener, %why, "certificates have changed and are refused, those before are still served");
                counter!("sluice_tls_reload_total", "listener" => listener, "result" => "refused")
                    .increment(1);
            }
        }
    }
}

#[cfg(test)]
#[path = "reload_test.rs"]
mod tests;
