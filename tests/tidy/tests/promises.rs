//! What documents promise is shown by tests that there are: each path in the column `test` of a table names one.

use std::{collections::BTreeSet, fs, path::Path};

use tidy::tree;

/// The names that a path to a test may be made of: of files and of functions.
struct Known {
    files: BTreeSet<String>,
    functions: BTreeSet<String>,
}

/// What stands between backticks in the last column of tables whose head ends with `test`, where it is a path.
fn promised(document: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_promise = false;
    for (at, line) in document.lines().enumerate() {
        let cells = line.strip_prefix('|').and_then(|it| it.strip_suffix('|'));
        let Some((_, last)) = cells.and_then(|it| it.rsplit_once('|')) else {
            is_promise = false;
            continue;
        };
        is_promise |= last.trim() == "test";
        if is_promise {
            let quoted = last.split('`').skip(1).step_by(2);
            let paths = quoted.filter(|it| it.contains("::"));
            found.extend(paths.map(|path| (at + 1, path)));
        }
    }
    found
}

impl Known {
    fn read() -> Self {
        let (mut files, mut functions) = (BTreeSet::new(), BTreeSet::new());
        for source in tree::sources().expect("the tree can be read") {
            let parts = source.path.trim_end_matches(".rs").split('/');
            files.extend(parts.map(|it| it.trim_end_matches("_test").to_owned()));
            for line in source.text.lines() {
                let after = line.split_once("fn ").map(|(_, after)| after);
                let name = after.and_then(|it| it.split(['(', '<']).next());
                functions.extend(name.map(str::to_owned));
            }
        }
        Self { files, functions }
    }

    /// Whether a path leads from a file to a test, or to all tests of that file.
    fn leads(&self, path: &str) -> bool {
        let (Some((first, _)), Some((_, last))) = (path.split_once("::"), path.rsplit_once("::"))
        else {
            return false;
        };
        let begins = self.files.contains(first);
        let ends = last == "tests" || self.files.contains(last) || self.functions.contains(last);
        begins && ends
    }
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let known = Known::read();
    let (mut named, mut broken) = (0, Vec::new());
    for path in tree::files(&tree::root()).expect("the tree can be read") {
        if Path::new(&path).extension().is_none_or(|it| it != "md") {
            continue;
        }
        let document = fs::read_to_string(tree::root().join(&path)).expect("a listed file");
        for (line, test) in promised(&document) {
            named += 1;
            if !known.leads(test) {
                broken.push(format!("{path}:{line}: there is no test `{test}`"));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
    assert!(named >= 50, "the tables were read: {named}");
}

#[test]
fn a_test_that_is_not_there_is_seen() {
    let known = Known::read();
    let table = "| promise | test |\n|---|---|\n| it holds | `promises::every_test_that_a_document_names_is_there`, \
                 `promises::it_is_not_there` |\n\n| it | kind |\n|---|---|\n| a | `std::fs` |\n";
    let found = promised(table);
    let judged: Vec<bool> = found.iter().map(|(_, path)| known.leads(path)).collect();
    assert_eq!(judged, [true, false]);
}
