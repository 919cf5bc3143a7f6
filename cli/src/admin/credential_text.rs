//! A secret as it comes to the command line: from a file, standard input or a variable, never from an argument.

use std::{fs, io::Read, path::Path};

use crate::failure::Failure;

/// The longest secret that is read. Full: it is refused, since it is another file.
const CREDENTIAL_BYTES_MAX: u64 = 64 << 10;

/// The text in a file, where `-` is standard input, or in a variable; empty where neither is named.
pub fn read(file: Option<&Path>, variable: Option<&str>) -> Result<String, Failure> {
    let text = match (file, variable) {
        (None, None) => String::new(),
        (Some(path), _) => {
            let unreadable = |error: &std::io::Error| {
                Failure::system(format!("read the credential in {}", path.display()), error)
            };
            let from: Box<dyn Read> = if path.as_os_str() == "-" {
                Box::new(std::io::stdin())
            } else {
                Box::new(fs::File::open(path).map_err(|error| unreadable(&error))?)
            };
            let mut text = String::new();
            let read = from
                .take(CREDENTIAL_BYTES_MAX + 1)
                .read_to_string(&mut text);
            read.map_err(|error| unreadable(&error))?;
            text
        }
        (None, Some(name)) => std::env::var(name).map_err(|_| {
            Failure::usage(format!(
                "--credential-env {name}: there is no such variable"
            ))
        })?,
    };
    Ok(text.trim().to_owned())
}
