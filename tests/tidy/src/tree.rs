//! Our own files: which they are, and what is code in them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A Rust file of ours.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it stands, from the root of the repository, with `/`.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Rust file of the workspace, sorted by path.
pub fn sources() -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in files(&root())? {
        if Path::new(&path).extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(root().join(&path))?;
            sources.push(Source { path, text });
        }
    }
    Ok(sources)
}

/// Every file of ours, from the root, sorted. Build output and what is hidden are not ours.
pub fn files(root: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    walk(root, root, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || ["target", "node_modules", "__pycache__"].contains(&&*name) {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(root, &path, found)?;
        } else if let Ok(inside) = path.strip_prefix(root) {
            found.push(inside.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

impl Source {
    /// The lines that are code and not comment, numbered from 1, without the file's own test module.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
            .map(|(at, line)| (at + 1, line.split("// ").next().unwrap_or(line)))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Whether it is test code, or a program that only builds or measures.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("_test.rs")
            || self.path.ends_with("/build.rs")
            || self.path.contains("/fuzz/")
    }
}
