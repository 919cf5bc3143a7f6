//! The folder in which `sluice dev` keeps everything between starts.
//!
//! Owns where it is, who may read it, and the small files with secrets in it. Knows nothing of what the
//! secrets are for. A file is there whole or not at all.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::failure::Failure;

/// The folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

// === impl Folder ===

impl Folder {
    /// The folder that was named, or the usual one; made, for its user alone, when it is absent.
    pub fn open(named: Option<PathBuf>) -> Result<Self, Failure> {
        let folder = match named {
            Some(folder) => folder,
            None => usual()?,
        };
        let refused = |error| Failure::system(format!("use {}", folder.display()), &error);
        let folder = std::path::absolute(&folder).map_err(refused)?;
        let refused = |error| Failure::system(format!("use {}", folder.display()), &error);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(refused)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(refused)?;
        Ok(Self(folder))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The secret in a file, if there is one.
    pub fn secret(&self, name: &str) -> Result<Option<Zeroizing<String>>, Failure> {
        match fs::read_to_string(self.join(name)) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                Ok(Some(Zeroizing::new(text.trim().to_owned())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::system(
                format!("read {}", self.join(name).display()),
                &error,
            )),
        }
    }

    /// Keeps a secret in a file, for its user alone.
    pub fn keep(&self, name: &str, text: &str) -> Result<(), Failure> {
        let (path, beside) = (self.join(name), self.join(&format!("{name}.new")));
        let kept = (|| {
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        })();
        kept.map_err(|error| Failure::system(format!("write {}", path.display()), &error))
    }

    /// The secret in a file; made, and kept, when there is none.
    pub fn secret_or(
        &self,
        name: &str,
        make: impl FnOnce() -> Zeroizing<String>,
    ) -> Result<Zeroizing<String>, Failure> {
        if let Some(text) = self.secret(name)? {
            return Ok(text);
        }
        let text = make();
        self.keep(name, &text)?;
        Ok(text)
    }
}

fn usual() -> Result<PathBuf, Failure> {
    let named = |name| {
        std::env::var_os(name)
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    let data = named("XDG_DATA_HOME").or_else(|| Some(named("HOME")?.join(".local/share")));
    let data = data.ok_or_else(|| Failure::usage("there is no HOME; say where with --data-dir"))?;
    Ok(data.join("sluice/dev"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_and_are_their_users_alone() {
        let parent = std::env::temp_dir().join(format!("sluice-folder-{}", std::process::id()));
        let folder = Folder::open(Some(parent.join("deep"))).unwrap();
        let permissions = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(permissions(folder.path()), 0o700);
        assert!(folder.secret("key").unwrap().is_none());
        let made = folder
            .secret_or("key", || Zeroizing::new("first".to_owned()))
            .unwrap();
        let again = folder
            .secret_or("key", || Zeroizing::new("second".to_owned()))
            .unwrap();
        assert_eq!((made.as_str(), again.as_str()), ("first", "first"));
        assert_eq!(permissions(&folder.join("key")), 0o600);
        fs::remove_dir_all(parent).unwrap();
    }
}
