//! Where our own programs are: beside the test that runs, unless a variable names another folder.

use std::{env, path::PathBuf};

/// The path of one of our programs, such as `sluice-edge`.
pub fn path(name: &str) -> PathBuf {
    let folder = env::var_os("SLUICE_TEST_BINARIES").map_or_else(beside_the_test, PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is missing; build it first: cargo build --bins (./test does)",
        path.display()
    );
    path
}

fn beside_the_test() -> PathBuf {
    let own = env::current_exe().expect("a running program has a path");
    let folder = own.parent().expect("a file has a folder");
    if folder.ends_with("deps") {
        folder.parent().expect("deps has a parent").to_owned()
    } else {
        folder.to_owned()
    }
}
