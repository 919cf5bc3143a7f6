//! What can be said of how a custom provider is asked and read.
//!
//! Programs and samples come from files, so that they can stand in a repository. What is given replaces all that stood
//! before: nothing of an old mapping is left beside a new one.

use std::{fs, io::Read, path::PathBuf};

use clap::Args;
use proto::admin::{CustomHeader, CustomMapping};

use crate::failure::Failure;

/// The longest file that is read; the API's own bound for all of them. Full: it is refused, since it is another file.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// How it is asked and read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Of a custom-http provider; any of them replaces all")]
pub struct Mapping {
    /// What stands behind the base URL; `{model}` in it is the provider's name for the model
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// POST, PUT or PATCH
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// A header of every request, no secret; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    header: Vec<CustomHeader>,
    /// The header that takes the credential as it is; without one: Authorization, with Bearer
    #[arg(long, value_name = "NAME")]
    credential_header: Option<String>,
    /// It answers as a chat model, too
    #[arg(long)]
    chat: bool,
    /// A file with the program that makes the provider's request of a client's
    #[arg(long, value_name = "FILE")]
    request_program: Option<PathBuf>,
    /// A file with the program that makes the client's answer of the provider's
    #[arg(long, value_name = "FILE")]
    response_program: Option<PathBuf>,
    /// A file with the program that says what went wrong
    #[arg(long, value_name = "FILE")]
    error_program: Option<PathBuf>,
    /// A file with the program that says what was used
    #[arg(long, value_name = "FILE")]
    usage_program: Option<PathBuf>,
    /// A file with a client's request, to try the program on
    #[arg(long, value_name = "FILE")]
    sample_request: Option<PathBuf>,
    /// A file with the provider's answer, to try the programs on
    #[arg(long, value_name = "FILE")]
    sample_answer: Option<PathBuf>,
    /// A file with an error of the provider, to try the program on
    #[arg(long, value_name = "FILE")]
    sample_error: Option<PathBuf>,
}

// === impl Mapping ===

impl Mapping {
    /// The mapping, if any of it was given.
    pub fn wanted(&self) -> Result<Option<CustomMapping>, Failure> {
        let wanted = CustomMapping {
            method: self.method.clone().unwrap_or_default(),
            path: self.path.clone().unwrap_or_default(),
            headers: self.header.clone(),
            credential_header: self.credential_header.clone().unwrap_or_default(),
            chat: self.chat,
            request_program: text(self.request_program.as_ref())?,
            response_program: text(self.response_program.as_ref())?,
            error_program: text(self.error_program.as_ref())?,
            usage_program: text(self.usage_program.as_ref())?,
            sample_request: text(self.sample_request.as_ref())?,
            sample_answer: text(self.sample_answer.as_ref())?,
            sample_error: text(self.sample_error.as_ref())?,
        };
        Ok((wanted != CustomMapping::default()).then_some(wanted))
    }
}

fn text(path: Option<&PathBuf>) -> Result<String, Failure> {
    let Some(path) = path else {
        return Ok(String::new());
    };
    let unreadable = |error| Failure::system(format!("read {}", path.display()), &error);
    let mut text = String::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(unreadable)?;
    Ok(text)
}

fn header(text: &str) -> Result<CustomHeader, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("write it as NAME=VALUE, such as x-api-version=3")?;
    Ok(CustomHeader {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}
