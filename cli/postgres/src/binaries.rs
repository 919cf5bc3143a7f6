//! Where the Postgres binaries are.

use std::path::{Path, PathBuf};

/// The oldest major version that the product runs on.
pub const MAJOR_MIN: u32 = 14;

/// A folder with `postgres` and `initdb` in it, and their major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder.
    pub folder: PathBuf,
    /// The major version, such as 15.
    pub major: u32,
}

/// The newest usable binaries: `named` if given, else Debian's folders, `search_path` (the text of `PATH`)
/// and the usual places of other systems.
pub fn find(named: Option<&Path>, search_path: &str) -> Option<Binaries> {
    if let Some(folder) = named {
        return inspect(folder);
    }
    let listed = |folder: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join("bin")).collect()
    };
    let mut folders = listed("/usr/lib/postgresql");
    folders.extend(search_path.split(':').map(PathBuf::from));
    folders.extend(listed("/opt/homebrew/opt"));
    folders.extend(listed("/Applications/Postgres.app/Contents/Versions"));
    folders.push(PathBuf::from("/usr/local/pgsql/bin"));
    folders
        .iter()
        .filter_map(|folder| inspect(folder))
        .max_by_key(|found| found.major)
}

fn inspect(folder: &Path) -> Option<Binaries> {
    if !folder.join("initdb").is_file() {
        return None;
    }
    let output = std::process::Command::new(folder.join("postgres"))
        .arg("--version")
        .output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let version = text
        .split_whitespace()
        .find(|word| word.starts_with(char::is_numeric))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    let major = digits.parse().ok()?;
    (major >= MAJOR_MIN).then(|| Binaries {
        folder: folder.to_owned(),
        major,
    })
}
