//! The first operator key: made by the first start, shown once, never kept in clear. And another one, for who lost it.
//!
//! Among replicas that start at once exactly one makes it. Where it goes to a file, the file is prepared before the key
//! counts, so that a full disk cannot leave a control plane that nobody can operate.

use std::{
    fmt, fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use domain::access::Role;
use keys::{Family, Minted};
use serde_json::{Value, json};
use store::{
    Store, StoreError,
    audit::{CHANGES, Stamp},
};
use zeroize::Zeroizing;

use crate::audit_entry::{self, Deed};

/// Why there is no first key.
#[derive(Debug)]
pub enum NoFirstKey {
    /// The store failed. Where a file is named, it holds the key that was made if the store kept it after all.
    Store(StoreError, Option<PathBuf>),
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
    let made = settle(made, prepared)?;
    if made {
        tell(store, &key_id).await?;
    }
    Ok(made.then_some(text))
}

/// Makes another operator key beside those there are, and writes it to `file` if one is named. Gives its text.
pub async fn another(store: &Store, file: Option<&Path>) -> Result<Zeroizing<String>, NoFirstKey> {
    let Minted {
        text,
        key_id,
        secret_sha256,
    } = keys::mint(Family::Operator);
    let prepared = match file {
        Some(path) => Some((prepare(path, &text)?, path)),
        None => None,
    };
    let made = store.add_operator_key(&key_id, &secret_sha256).await;
    settle(made.map(|()| true), prepared)?;
    tell(store, &key_id).await?;
    Ok(text)
}

/// Tells the audit trail of a key that nobody asked for over the admin API.
async fn tell(store: &Store, key_id: &str) -> Result<(), NoFirstKey> {
    let deed = Deed {
        actor: "control-plane".to_owned(),
        source: String::new(),
        method: "MakeOperatorKey".to_owned(),
        object: format!("operatorKeys/{key_id}"),
    };
    let changed = audit_entry::Result::Changed {
        revision: 0,
        before: Value::Null,
        after: json!({ "bindings": [{ "role": Role::Owner.word(), "scope": "" }] }),
    };
    let told = (deed.about(), |stamp: Stamp<'_>| deed.text(&changed, stamp));
    let told = store.audit(CHANGES, [told]).await;
    told.map_err(|error| NoFirstKey::Store(error, None))
}

/// Puts the file where it belongs when the key was made, and away when it was not. When that is not known, because the
/// answer to the commit was lost, the file stays beside: it may hold the only key there is.
fn settle(
    made: Result<bool, StoreError>,
    prepared: Option<(PathBuf, &Path)>,
) -> Result<bool, NoFirstKey> {
    let (beside, path) = match prepared {
        Some((beside, path)) => (Some(beside), path),
        None => (None, Path::new("")),
    };
    let made = made.map_err(|error| NoFirstKey::Store(error, beside.clone()))?;
    if let Some(beside) = beside {
        let moved = if made {
            fs::rename(&beside, path)
        } else {
            fs::remove_file(&beside)
        };
        moved.map_err(|error| NoFirstKey::File(path.to_owned(), error))?;
    }
    Ok(made)
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

impl fmt::Display for NoFirstKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error, None) => write!(
                f,
                "make an operator key: {error}; if no key works later, run `sluice-control-plane operator-key`"
            ),
            Self::Store(error, Some(beside)) => write!(
                f,
                "make an operator key: {error}; whether it was made is not known: the next start makes it if not, \
                 and else {} holds it",
                beside.display()
            ),
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

    #[test]
    fn a_key_that_may_have_been_made_is_kept_and_its_place_is_told() {
        let directory = std::env::temp_dir().join(format!("unclear-key-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("operator.key");
        let beside = prepare(&path, "slo_text").unwrap();
        let lost = Err(StoreError::Unavailable("the answer was lost".to_owned()));
        let why = settle(lost, Some((beside.clone(), &path))).unwrap_err();
        assert!(
            why.to_string().contains(&beside.display().to_string()),
            "{why}"
        );
        assert_eq!(fs::read_to_string(&beside).unwrap(), "slo_text\n");
        assert!(!settle(Ok(false), Some((beside.clone(), &path))).unwrap());
        assert!(!beside.exists() && !path.exists());
        let beside = prepare(&path, "slo_text").unwrap();
        assert!(settle(Ok(true), Some((beside.clone(), &path))).unwrap());
        assert!(!beside.exists() && path.exists());
        fs::remove_dir_all(&directory).unwrap();
    }
}
