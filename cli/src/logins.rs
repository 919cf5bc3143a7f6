//! The operator keys that logins have left on this machine, one for each control plane.
//!
//! Owns the file, which its user alone may read. It is there whole or not at all. Knows nothing of how anybody logs in.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The most logins that are kept.
// Full: the one that ends first is forgotten.
const LOGINS_MAX: usize = 64;

/// The longest file that is read, in bytes.
// Full: it is none of ours.
const BYTES_MAX: u64 = 1 << 20;

/// The variable that names the file.
pub const VARIABLE: &str = "SLUICE_LOGINS_FILE";

/// One login. Not `Debug`: it holds a secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// The admin address of the control plane.
    pub address: String,
    /// The name of the operator key.
    pub name: String,
    /// Its text.
    #[serde(serialize_with = "put", deserialize_with = "take")]
    pub text: Zeroizing<String>,
    /// When it ends, seconds since 1970.
    pub ends_at: i64,
}

/// The file.
#[derive(Debug, Clone)]
pub struct Logins(PathBuf);

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    logins: Vec<Login>,
}

fn put<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    text.serialize(to)
}

fn take<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

// === impl Logins ===

impl Logins {
    /// The file that the environment names, or the usual one; `None` where there is no home for it.
    pub fn usual() -> Option<Self> {
        let named = |name| {
            std::env::var_os(name)
                .filter(|it| !it.is_empty())
                .map(PathBuf::from)
        };
        let usual = || {
            let config = named("XDG_CONFIG_HOME").or_else(|| Some(named("HOME")?.join(".config")));
            Some(config?.join("sluice/logins.json"))
        };
        named(VARIABLE).or_else(usual).map(Self)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The login at this control plane, if there is one.
    pub fn at(&self, address: &str) -> Result<Option<Login>, Failure> {
        let kept = self.read()?;
        Ok(kept.logins.into_iter().find(|it| it.address == address))
    }

    /// Keeps a login, in place of one at the same control plane.
    pub fn keep(&self, login: Login) -> Result<(), Failure> {
        let mut kept = self.read()?;
        kept.logins.retain(|it| it.address != login.address);
        if kept.logins.len() >= LOGINS_MAX {
            kept.logins.sort_by_key(|it| std::cmp::Reverse(it.ends_at));
            kept.logins.truncate(LOGINS_MAX - 1);
        }
        kept.logins.push(login);
        self.write(&kept)
    }

    /// Forgets the login at this control plane, and gives it.
    pub fn forget(&self, address: &str) -> Result<Option<Login>, Failure> {
        let mut kept = self.read()?;
        let at = kept.logins.iter().position(|it| it.address == address);
        let gone = at.map(|at| kept.logins.remove(at));
        if gone.is_some() {
            self.write(&kept)?;
        }
        Ok(gone)
    }

    fn read(&self) -> Result<Kept, Failure> {
        let refused = |error| Failure::system(format!("read {}", self.0.display()), &error);
        let length = match fs::metadata(&self.0) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
            Err(error) => return Err(refused(error)),
        };
        if length > BYTES_MAX {
            return Err(refused(io::ErrorKind::FileTooLarge.into()));
        }
        let text = Zeroizing::new(fs::read(&self.0).map_err(refused)?);
        // What it holds is not repeated: it may be a secret.
        serde_json::from_slice(&text).map_err(|_| {
            refused(io::ErrorKind::InvalidData.into())
                .with_advice("remove the file and log in again")
        })
    }

    fn write(&self, kept: &Kept) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(kept).map_err(Failure::broken)?;
        let text = Zeroizing::new(text);
        let beside = self.0.with_extension("new");
        let kept = (|| {
            if let Some(folder) = self.0.parent().filter(|it| !it.as_os_str().is_empty()) {
                let mut folders = fs::DirBuilder::new();
                folders.recursive(true).mode(0o700).create(folder)?;
            }
            // One that stands there might be readable by others.
            match fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&beside, &self.0)
        })();
        kept.map_err(|error| Failure::system(format!("write {}", self.0.display()), &error))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn login(address: &str, ends_at: i64) -> Login {
        Login {
            address: address.to_owned(),
            name: "operatorKeys/k".to_owned(),
            text: Zeroizing::new(format!("slo_{address}")),
            ends_at,
        }
    }

    #[test]
    fn there_is_one_login_for_each_control_plane_and_its_user_alone_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let logins = Logins(folder.path().join("deep/logins.json"));
        assert!(logins.at("a").unwrap().is_none());
        for (address, ends_at) in [("a", 1), ("b", 2), ("a", 3)] {
            logins.keep(login(address, ends_at)).unwrap();
        }
        assert_eq!(logins.at("a").unwrap().unwrap().ends_at, 3);
        assert_eq!(logins.at("b").unwrap().unwrap().text.as_str(), "slo_b");
        let mode = fs::metadata(logins.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(logins.forget("a").unwrap().is_some());
        assert!(logins.forget("a").unwrap().is_none());
        assert!(logins.at("b").unwrap().is_some());
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_cannot_be_read_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let logins = Logins(folder.path().join("logins.json"));
        for at in 0..70 {
            logins.keep(login(&at.to_string(), at)).unwrap();
        }
        assert_eq!(logins.read().unwrap().logins.len(), LOGINS_MAX);
        assert!(logins.at("69").unwrap().is_some() && logins.at("0").unwrap().is_none());
        fs::write(logins.path(), "slo_secret").unwrap();
        let Err(failure) = logins.at("1") else {
            panic!("it is no file of logins")
        };
        assert!(!failure.to_string().contains("slo_secret"), "{failure}");
    }
}
