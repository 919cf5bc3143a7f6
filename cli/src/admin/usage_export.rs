//! `sluice usage export`: every record, to a file or to standard output.
//!
//! What was written stands before a cursor, and an export that goes on there misses nothing and repeats nothing. The cursor
//! is kept in a file only after what it stands behind is written.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use proto::admin::{ExportUsageRequest, ExportUsageResponse, UsageRecord};

use crate::{
    admin::{usage_columns::Columns, usage_decided},
    failure::Failure,
    moment::{Moment, moment, written},
    output,
    session::Session,
};

/// How long the next part of an export may take.
const PART_WITHIN: Duration = Duration::from_mins(1);

/// What to export.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The file, which must not exist yet; without it or with `-`, standard output
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// How records are written
    #[arg(long, value_enum, default_value_t = Form::Jsonl)]
    format: Form,
    /// From when: a span such as 7d back from now, or a time; without it, from the first one on
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Moment>,
    /// Until when
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
    /// Go on behind this cursor, which an earlier export told
    #[arg(long, value_name = "CURSOR", conflicts_with = "cursor_file")]
    after: Option<String>,
    /// Go on behind the cursor in this file if there is one, and keep the new one there; appends to FILE, except Parquet
    #[arg(long, value_name = "FILE")]
    cursor_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// The message as JSON, one in each line
    Jsonl,
    /// One line for each record, and one of heads before them
    Csv,
    /// A file of columns for databases and data frames; a new one each time
    Parquet,
}

/// Where records go.
enum Out {
    Lines(Box<dyn Write>),
    Columns(Box<Columns>),
}

const HEADS: [&str; 30] = [
    "id",
    "time",
    "project",
    "key",
    "model",
    "version",
    "provider",
    "provider_model",
    "endpoint",
    "outcome",
    "status",
    "streamed",
    "usage_source",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano",
    "cost_known",
    "duration_us",
    "first_byte_us",
    "end_user",
    "region",
    "failed_attempts",
    "overhead_us",
    "queue_us",
    "output_token_us",
    "trace_id",
    "chosen_by",
    "targets",
];

/// Exports.
pub async fn run(arguments: &Arguments, session: &mut Session) -> Result<(), Failure> {
    let kept = arguments.cursor_file.as_deref().map(kept).transpose()?;
    let cursor = arguments.after.clone().or(kept).unwrap_or_default();
    let request = ExportUsageRequest {
        parent: session.place.organization()?,
        start_time: arguments.since.map(|it| it.past(session.now)),
        end_time: arguments.until.map(|it| it.past(session.now)),
        cursor: cursor.clone(),
    };
    let mut out = Out::open(arguments)?;
    if arguments.format == Form::Csv && cursor.is_empty() {
        out.line(&HEADS.join(","))?;
    }
    let bar = bar(arguments);
    let path = "UsageService/ExportUsage";
    let mut parts = session
        .connection
        .stream(path, &request, PART_WITHIN)
        .await?;
    let (mut cursor, mut count) = (cursor, 0_u64);
    while let Some(part) = parts.next::<ExportUsageResponse>().await? {
        for record in &part.records {
            match (arguments.format, &mut out) {
                (_, Out::Columns(columns)) => columns.push(record)?,
                (Form::Csv, out) => out.line(&csv(record))?,
                (_, out) => out.line(&session.json_of("UsageRecord", record)?)?,
            }
        }
        let is_kept = out.flush()?;
        cursor = part.cursor;
        if let Some(file) = arguments.cursor_file.as_deref().filter(|_| is_kept) {
            keep(file, &cursor)?;
        }
        count += part.records.len() as u64;
        bar.set_length(count + u64::try_from(part.remaining).unwrap_or(0));
        bar.set_position(count);
    }
    if let Out::Columns(columns) = out {
        columns.finish()?;
        if let Some(file) = &arguments.cursor_file {
            keep(file, &cursor)?;
        }
    }
    bar.finish_and_clear();
    output::remark(format!(
        "{count} records; go on later with --after {cursor}"
    ));
    Ok(())
}

// === impl Out ===

impl Out {
    fn open(arguments: &Arguments) -> Result<Self, Failure> {
        let file = arguments.file.as_deref();
        let file = file.filter(|it| *it != Path::new("-"));
        if arguments.format == Form::Parquet {
            return Ok(Self::Columns(Box::new(Columns::open(file)?)));
        }
        let Some(path) = file else {
            return Ok(Self::Lines(Box::new(BufWriter::new(io::stdout()))));
        };
        let mut options = OpenOptions::new();
        // What an earlier export wrote stands before the cursor.
        match arguments.cursor_file {
            Some(_) => options.append(true).create(true),
            None => options.write(true).create_new(true),
        };
        let file = options.open(path);
        let file =
            file.map_err(|error| Failure::system(format!("write {}", path.display()), &error))?;
        Ok(Self::Lines(Box::new(BufWriter::new(file))))
    }

    fn line(&mut self, line: &str) -> Result<(), Failure> {
        let Self::Lines(out) = self else {
            return Ok(());
        };
        writeln!(out, "{line}").map_err(|error| failed(&error))
    }

    /// Whether all that was written is kept now; columns are only once they are finished.
    fn flush(&mut self) -> Result<bool, Failure> {
        match self {
            Self::Lines(out) => out.flush().map(|()| true).map_err(|error| failed(&error)),
            Self::Columns(_) => Ok(false),
        }
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::system("write the export", error)
}

/// The cursor in a file; none where there is no file yet.
fn kept(path: &Path) -> Result<String, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::system(format!("read {}", path.display()), &error)),
    }
}

/// Whole or not at all.
fn keep(path: &Path, cursor: &str) -> Result<(), Failure> {
    let part = path.with_extension("part");
    let done = File::create(&part)
        .and_then(|mut file| writeln!(file, "{cursor}").and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&part, path));
    done.map_err(|error| Failure::system(format!("write {}", path.display()), &error))
}

/// Shown on a terminal where the records go elsewhere.
fn bar(arguments: &Arguments) -> ProgressBar {
    let elsewhere = arguments.file.is_some() || !io::stdout().is_terminal();
    if !elsewhere || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} records, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn csv(it: &UsageRecord) -> String {
    let time = it.time.as_ref().map(|at| written(at.seconds));
    let cells = [
        it.id.clone(),
        time.unwrap_or_default(),
        it.project.clone(),
        it.key.clone(),
        it.model.clone(),
        it.version.clone(),
        it.provider.clone(),
        it.provider_model.clone(),
        it.endpoint.clone(),
        it.outcome.clone(),
        it.status.to_string(),
        it.streamed.to_string(),
        it.usage_source.clone(),
        it.input_tokens.to_string(),
        it.cached_input_tokens.to_string(),
        it.output_tokens.to_string(),
        it.reasoning_tokens.to_string(),
        it.cost_nano.to_string(),
        it.cost_known.to_string(),
        it.duration_us.to_string(),
        it.first_byte_us.to_string(),
        it.end_user.clone(),
        it.region.clone(),
        it.attempts.len().to_string(),
        it.overhead_us.to_string(),
        it.queue_us.to_string(),
        it.output_token_us.to_string(),
        it.trace_id.clone(),
        it.decision
            .as_ref()
            .map(usage_decided::chosen_by)
            .unwrap_or_default(),
        it.decision
            .as_ref()
            .map(usage_decided::cell)
            .unwrap_or_default(),
    ];
    cells.map(|cell| quoted(&cell)).join(",")
}

/// As RFC 4180 has it. What a spreadsheet would take for a formula begins with an apostrophe: clients choose these texts.
fn quoted(cell: &str) -> String {
    let formula =
        cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<i64>().is_err();
    let cell = if formula {
        format!("'{cell}")
    } else {
        cell.to_owned()
    };
    if cell.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_is_never_a_formula() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("-7"), "-7");
        let line = csv(&UsageRecord::default());
        assert_eq!(line.split(',').count(), HEADS.len());
    }

    #[test]
    fn a_cursor_is_kept_and_found_again() {
        let path = std::env::temp_dir().join(format!("sluice-cursor-{}", std::process::id()));
        assert_eq!(kept(&path).expect("none is no failure"), "");
        keep(&path, "17").expect("it is written");
        assert_eq!(kept(&path).expect("it is read"), "17");
        std::fs::remove_file(&path).expect("it is there");
    }
}
