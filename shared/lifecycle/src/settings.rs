//! Settings: a TOML file, and variables over it.
//!
//! Knows no setting by name: each part of a process declares its own `Config`, and here it is filled. A
//! name that nobody reads is an error wherever it stands; an error says which setting, and which variable
//! set it; none quotes a secret.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, Visitor};
use zeroize::Zeroizing;

use crate::layers::{Layers, PREFIX, Refused};

/// The largest file of settings or of a secret, in bytes. Full: it is refused, since nobody wrote it by hand.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Text that is shown to nobody: `Debug` says `[redacted]`, and it is zeroized when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// Why settings are refused: a sentence that says what to change.
#[derive(Debug)]
pub struct InvalidSettings(Why);

#[derive(Debug)]
enum Why {
    Unreadable {
        path: PathBuf,
        error: io::Error,
    },
    Refused {
        file: Option<PathBuf>,
        refused: Refused,
    },
    SetTwice {
        name: String,
    },
    EmptySecret {
        name: String,
    },
}

struct TextOnly;

/// Reads the settings: those of the file, then `SLUICE_SECTION__FIELD` for `section.field`, also where the
/// file sets it.
///
/// A variable is read by the type of its field: text as it stands, a number or a truth value as TOML writes
/// it, a list as a TOML array or as words with commas between them. `T` and all in it must deny unknown
/// fields.
pub fn load<T: DeserializeOwned>(
    file: Option<&Path>,
    vars: impl IntoIterator<Item = (String, String)>,
) -> Result<T, InvalidSettings> {
    let refuse = |refused| {
        InvalidSettings(Why::Refused {
            file: file.map(Path::to_owned),
            refused,
        })
    };
    let mut layers = match file {
        Some(path) => Layers::parse(&read(path)?).map_err(refuse)?,
        None => Layers::default(),
    };
    for (name, value) in vars {
        layers.overlay(&name, value).map_err(refuse)?;
    }
    layers.settings().map_err(refuse)
}

/// The `SLUICE_*` variables of this process. In one that is not UTF-8 the bad bytes are replaced, for its
/// reader to refuse.
pub fn vars() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name
            .into_string()
            .ok()
            .filter(|name| name.starts_with(PREFIX))?;
        Some((name, value.to_string_lossy().into_owned()))
    })
}

/// A secret that is set inline or lies in a file, but not both; `name` is that of the inline setting, such
/// as `seal.key`.
///
/// White space at the end of the file is left away. An empty secret is refused.
pub fn secret(
    inline: &Option<Secret>,
    file: &Option<PathBuf>,
    name: &str,
) -> Result<Option<Secret>, InvalidSettings> {
    let secret = match (inline, file) {
        (Some(_), Some(_)) => {
            return Err(InvalidSettings(Why::SetTwice {
                name: name.to_owned(),
            }));
        }
        (Some(secret), None) => secret.clone(),
        (None, Some(path)) => Secret::from(read(path)?.trim_end().to_owned()),
        (None, None) => return Ok(None),
    };
    if secret.expose().is_empty() {
        return Err(InvalidSettings(Why::EmptySecret {
            name: name.to_owned(),
        }));
    }
    Ok(Some(secret))
}

fn read(path: &Path) -> Result<Zeroizing<String>, InvalidSettings> {
    let mut text = Zeroizing::new(String::new());
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    let checked = read.and_then(|bytes| match bytes as u64 {
        0..=FILE_BYTES_MAX => Ok(text),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    });
    checked.map_err(|error| {
        InvalidSettings(Why::Unreadable {
            path: path.to_owned(),
            error,
        })
    })
}

// === impl Secret ===

impl Secret {
    /// The text itself. Whoever calls this neither logs nor keeps it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The usual error quotes the value: a secret of digits without its quotes would be printed.
        deserializer
            .deserialize_string(TextOnly)
            .map_err(|_| D::Error::custom("expected a string"))
    }
}

// === impl TextOnly ===

impl Visitor<'_> for TextOnly {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::from(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret::from(text))
    }
}

// === impl InvalidSettings ===

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Unreadable { path, error } => write!(f, "cannot read {}: {error}", path.display()),
            Why::SetTwice { name } => {
                write!(
                    f,
                    "{name}: both {name} and {name}_file are set, leave one of them away"
                )
            }
            Why::EmptySecret { name } => {
                write!(
                    f,
                    "{name}: it is empty, give it a value or leave it and {name}_file away"
                )
            }
            Why::Refused {
                refused: Refused::Variable { name, why },
                ..
            } => write!(f, "{name}: {why}"),
            Why::Refused {
                file,
                refused: Refused::Syntax { line, why },
            } => {
                let file = file.as_deref().unwrap_or(Path::new("settings"));
                write!(f, "{}, line {line}: {why}", file.display())
            }
            Why::Refused {
                refused:
                    Refused::Field {
                        path,
                        why,
                        variable,
                    },
                ..
            } => {
                let colon = if path.is_empty() { "" } else { ": " };
                write!(f, "{path}{colon}{why}")?;
                match variable {
                    Some(name) => write!(f, " (set by {name})"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for InvalidSettings {}

#[cfg(test)]
#[path = "settings_test.rs"]
mod tests;

#[cfg(test)]
#[path = "settings_secret_test.rs"]
mod secret_tests;
