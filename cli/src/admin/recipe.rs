//! The rules and samples of a version as they are written on a command line or in files.
//!
//! Owns the options. The notation of the files is the payload's; whether a rule makes sense is the control plane's to say.

use std::{
    fmt::Display,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;
use payload::{
    json,
    transform::{Rule, SAMPLES_BYTES_MAX, Sample, headers::HeaderRule},
    value::Json,
};
use proto::{
    admin::{self, ModelVersion},
    recipe::{dialect, header_rule_wire, rule_wire},
};

use crate::failure::Failure;

/// What a version changes in requests.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Transforms")]
pub struct Recipe {
    /// A file of rules for bodies, a JSON array; they come first
    #[arg(long, value_name = "FILE")]
    transform_file: Option<PathBuf>,
    /// Makes a value another, as PATH=JSON, such as `temperature=0.2`; may be repeated
    #[arg(long, value_name = "PATH=JSON", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Gives a value where there is none, as PATH=JSON; may be repeated
    #[arg(long, value_name = "PATH=JSON", value_parser = setting)]
    default: Vec<(String, String)>,
    /// Puts instructions in front of those of the client
    #[arg(long, value_name = "TEXT")]
    prepend_system: Option<String>,
    /// Puts instructions behind those of the client
    #[arg(long, value_name = "TEXT")]
    append_system: Option<String>,
    /// A file of rules for headers to the provider, a JSON array
    #[arg(long, value_name = "FILE")]
    header_file: Option<PathBuf>,
    /// A file of payloads that the rules are tried with, a JSON array
    #[arg(long, value_name = "FILE")]
    sample_file: Option<PathBuf>,
}

// === impl Recipe ===

impl Recipe {
    /// What these files say, in the notation of the options.
    pub const fn of_files(
        transform_file: Option<PathBuf>,
        header_file: Option<PathBuf>,
        sample_file: Option<PathBuf>,
    ) -> Self {
        Self {
            transform_file,
            set: Vec::new(),
            default: Vec::new(),
            prepend_system: None,
            append_system: None,
            header_file,
            sample_file,
        }
    }

    /// A version that has these rules and nothing else.
    pub fn version(self) -> Result<ModelVersion, Failure> {
        let mut rules = match &self.transform_file {
            Some(path) => parsed(path, Rule::parse_all(&read(path)?))?,
            None => Vec::new(),
        };
        let values = |(path, value): (String, String)| (path, Json::of(&value));
        let set = self.set.into_iter().map(values);
        rules.extend(set.map(|(path, value)| Rule::Set { path, value }));
        let default = self.default.into_iter().map(values);
        rules.extend(default.map(|(path, value)| Rule::Default { path, value }));
        rules.extend(self.prepend_system.map(Rule::PrependSystem));
        rules.extend(self.append_system.map(Rule::AppendSystem));
        let header_rules = match &self.header_file {
            Some(path) => parsed(path, HeaderRule::parse_all(&read(path)?))?,
            None => Vec::new(),
        };
        let samples = match &self.sample_file {
            Some(path) => {
                let text = read(path)?;
                let samples = parsed(path, Sample::parse_all(&text))?;
                samples.iter().map(sample).collect()
            }
            None => Vec::new(),
        };
        Ok(ModelVersion {
            transform_rules: rules.into_iter().map(rule_wire).collect(),
            header_rules: header_rules.into_iter().map(header_rule_wire).collect(),
            samples,
            ..Default::default()
        })
    }
}

fn sample(sample: &Sample<'_>) -> admin::TransformSample {
    admin::TransformSample {
        dialect: dialect(sample.family).into(),
        body: sample.body.to_owned(),
        expected: sample.becomes.unwrap_or_default().to_owned(),
        becomes: String::new(),
    }
}

/// A whole file. Full: it is refused, since no notation is that long.
fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let most = SAMPLES_BYTES_MAX as u64;
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text));
    read.map_err(|why| unusable(path, &why))?;
    if text.len() > SAMPLES_BYTES_MAX {
        return Err(unusable(path, &format!("it has more than {most} bytes")));
    }
    Ok(text)
}

fn parsed<T, E: Display>(path: &Path, parsed: Result<T, E>) -> Result<T, Failure> {
    parsed.map_err(|why| unusable(path, &why))
}

fn unusable(path: &Path, why: &dyn Display) -> Failure {
    Failure::usage(format!("{}: {why}", path.display()))
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (path, value) = text
        .split_once('=')
        .ok_or("write PATH=JSON, such as temperature=0.2")?;
    match json::value(value, 0) {
        Ok(place) if place == (0..value.len()) => Ok((path.to_owned(), value.to_owned())),
        _ => Err(format!(
            "the value of {path} is not JSON; a text stands in quotes, such as {path}='\"low\"'"
        )),
    }
}
