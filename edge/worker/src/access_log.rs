//! `[access_log]`: one line of JSON for each request, to a file or to standard output.
//!
//! Knows lines and where they go; knows nothing of requests. Nobody waits for a disk: a line that finds no place in the
//! queue is lost and counted.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use metrics::Counter;
use serde::Deserialize;
use tracing::warn;

/// How many lines wait to be written.
// Full: the line is lost and counted; its request hears nothing of it.
const LINES_MAX: usize = 16_384;

/// How often it is looked whether the file was moved away.
const LOOK: Duration = Duration::from_secs(1);

/// The name of a file that means standard output.
const STANDARD_OUTPUT: &str = "-";

/// `[access_log]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `SLUICE_ACCESS_LOG__FILE`: where lines go; `-` is standard output. Default: nowhere.
    pub file: Option<PathBuf>,
}

/// Takes lines; clones are the same. Off, it is nothing.
#[derive(Clone, Default)]
pub struct AccessLog(Option<Arc<On>>);

struct On {
    queue: SyncSender<Vec<u8>>,
    lost: Counter,
}

/// The way of lines to where they go.
pub struct Lines {
    queue: Receiver<Vec<u8>>,
    place: Place,
}

enum Place {
    Standard(io::Stdout),
    File {
        path: PathBuf,
        file: BufWriter<File>,
        looked: Instant,
    },
}

/// Says what is measured here.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_access_log_lost_total",
        "Lines of the access log that were lost, because the disk was slower than the requests or refused them"
    );
}

/// What takes lines, and what writes them where the settings name a file.
pub fn open(config: &Config) -> io::Result<(AccessLog, Option<Lines>)> {
    let Some(path) = &config.file else {
        return Ok((AccessLog::default(), None));
    };
    let place = if path.as_os_str() == STANDARD_OUTPUT {
        Place::Standard(io::stdout())
    } else {
        Place::File {
            file: appending(path)?,
            path: path.clone(),
            looked: Instant::now(),
        }
    };
    let (sender, queue) = sync_channel(LINES_MAX);
    let on = On {
        queue: sender,
        lost: lost(),
    };
    Ok((AccessLog(Some(Arc::new(on))), Some(Lines { queue, place })))
}

fn lost() -> Counter {
    metrics::counter!("sluice_access_log_lost_total")
}

fn appending(path: &Path) -> io::Result<BufWriter<File>> {
    let file = File::options().create(true).append(true).open(path)?;
    Ok(BufWriter::new(file))
}

// === impl AccessLog ===

impl AccessLog {
    /// Takes the line that `make` makes, if there is a log. Never waits.
    pub fn write(&self, make: impl FnOnce() -> Vec<u8>) {
        if let Some(on) = self.0.as_deref()
            && on.queue.try_send(make()).is_err()
        {
            on.lost.increment(1);
        }
    }
}

// === impl Lines ===

impl Lines {
    /// Writes until everybody who could write a line is gone. Blocks.
    pub fn run(mut self) {
        let mut waiting = false;
        loop {
            // What is buffered is written out when there is nothing more to do.
            let line = if let Ok(line) = self.queue.try_recv() {
                Ok(line)
            } else {
                self.flush(&mut waiting);
                self.queue.recv_timeout(LOOK)
            };
            match line {
                Ok(line) => {
                    if let Err(why) = self.place.write(&line) {
                        lost().increment(1);
                        warn!(%why, "a line of the access log cannot be written");
                    }
                    waiting = true;
                }
                Err(RecvTimeoutError::Timeout) => self.place.look(),
                Err(RecvTimeoutError::Disconnected) => return self.flush(&mut waiting),
            }
        }
    }

    fn flush(&mut self, waiting: &mut bool) {
        if std::mem::take(waiting)
            && let Err(why) = self.place.flush()
        {
            warn!(%why, "lines of the access log cannot be written");
        }
        self.place.look();
    }
}

// === impl Place ===

impl Place {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.write_all(line),
            Self::File { file, .. } => file.write_all(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }

    /// Opens the file anew, if it was moved away, as rotation does.
    fn look(&mut self) {
        let Self::File { path, file, looked } = self else {
            return;
        };
        if looked.elapsed() < LOOK {
            return;
        }
        *looked = Instant::now();
        let number = |it: &fs::Metadata| (it.dev(), it.ino());
        let there = fs::metadata(&path).ok().as_ref().map(number);
        let ours = file.get_ref().metadata().ok().as_ref().map(number);
        if there == ours {
            return;
        }
        match appending(path) {
            Ok(opened) => *file = opened,
            Err(why) => warn!(%why, "the access log cannot be opened anew"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_to_the_file_also_when_it_was_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.jsonl");
        let config = Config {
            file: Some(path.clone()),
        };
        let (log, lines) = open(&config).unwrap();
        let mut lines = lines.unwrap();
        let writing = |lines: &mut Lines| {
            let line = lines.queue.try_recv().unwrap();
            lines.place.write(&line).unwrap();
            lines.place.flush().unwrap();
        };
        log.write(|| b"one\n".to_vec());
        writing(&mut lines);
        let moved = folder.path().join("access.jsonl.1");
        fs::rename(&path, &moved).unwrap();
        if let Place::File { looked, .. } = &mut lines.place {
            *looked -= LOOK;
        }
        lines.place.look();
        log.write(|| b"two\n".to_vec());
        drop(log);
        lines.run();
        assert_eq!(fs::read_to_string(moved).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(path).unwrap(), "two\n");
    }

    #[test]
    fn without_a_file_no_line_is_made() {
        let (log, lines) = open(&Config::default()).unwrap();
        assert!(lines.is_none());
        log.write(|| panic!("nobody reads it"));
    }
}
