//! The first operator key: made by the first start, shown once, never kept in clear.
//!
//! Among replicas that start at once exactly one makes it. Where it goes to a file, the file is prepared before the key
//! counts, so that a full disk cannot leave a control plane that nobody can operate.

use std::{
    fmt, fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use keys::{Family, Minted};
use store::{Store, StoreError};
use zeroize::Zeroizing;

/// Why there is no first key.
#[derive(Debug)]
pub enum NoFirstKey {
    /// The store failed.
    Store(StoreError),
    /// The file could not be written.
    File(PathBuf, io::Error),
}

/// Makes the first operator key if there is none, and writes it to `file` if one is named. Gives its text when this
/// call made it.
pub async fn ensure(
    store: &Store,
    file: Option<&Path>,
) -> Result<Option<Zeroizing<String>>, NoFirstKey> {
    let Minted {
        text,
        key_id,
        secret_sha256,
    } = keys::mint(Family::Operator);
    let prepared = match file {
        Some(path) => Some((prepare(path, &text)?, path)),
        None => None,
    };
    let made = store.first_operator_key(&key_id, &secret_sha256).await;
    let Some((prepared, path)) = prepared else {
        return Ok(made?.then_some(text));
    };
    let unwritable = |error| NoFirstKey::File(path.to_owned(), error);
    if matches!(made, Ok(true)) {
        fs::rename(&prepared, path).map_err(unwritable)?;
        return Ok(Some(text));
    }
    fs::remove_file(&prepared).map_err(unwritable)?;
    made?;
    Ok(None)
}

/// Writes the key beside where it will stand, in a file of this process alone.
fn prepare(path: &Path, text: &str) -> Result<PathBuf, NoFirstKey> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(name);
    let written = (|| {
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        writeln!(file, "{text}")?;
        file.sync_all()
    })();
    written.map_err(|error| NoFirstKey::File(path.to_owned(), error))?;
    Ok(beside)
}

// === impl NoFirstKey ===

impl From<StoreError> for NoFirstKey {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for NoFirstKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "make the first operator key: {error}"),
            Self::File(path, error) => {
                write!(
                    f,
                    "admin.operator_key_file: write {}: {error}",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for NoFirstKey {}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_file_is_its_users_alone() {
        let directory = std::env::temp_dir().join(format!("first-key-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let beside = prepare(&directory.join("operator.key"), "slo_text").unwrap();
        assert_eq!(fs::read_to_string(&beside).unwrap(), "slo_text\n");
        assert_eq!(
            fs::metadata(&beside).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::remove_dir_all(&directory).unwrap();
    }
}
