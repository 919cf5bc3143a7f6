//! The list is the law: a module may name only modules that its parent lists above it.

use crate::tree::Source;

/// A list of modules: where it stands, what its modules are called from outside, and the modules in order.
#[derive(Debug)]
pub struct List {
    /// The folder of the listed modules, such as `edge/worker/src/feed/`.
    pub folder: String,
    /// The path by which the crate names them: `[]` for those of `lib.rs`, `["feed"]` below `feed`.
    pub path: Vec<String>,
    /// The modules, in order.
    pub modules: Vec<String>,
}

/// The list in a file of a crate whose sources are in `crate_folder`; `None` when it lists nothing.
pub fn list(source: &Source, crate_folder: &str) -> Option<List> {
    let inside = source.path.strip_prefix(crate_folder)?;
    let modules = listed(source);
    if modules.is_empty() {
        return None;
    }
    let stem = inside.strip_suffix(".rs")?;
    if stem == "lib" || stem == "main" {
        let folder = crate_folder.to_owned();
        return Some(List {
            folder,
            path: Vec::new(),
            modules,
        });
    }
    let path: Vec<String> = stem.split('/').map(str::to_owned).collect();
    Some(List {
        folder: format!("{crate_folder}{stem}/"),
        path,
        modules,
    })
}

/// What `source`, standing below `list`, names that is listed below its own module.
pub fn upward(source: &Source, list: &List) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let Some(inside) = source.path.strip_prefix(&list.folder) else {
        return Vec::new();
    };
    let own = inside
        .split('/')
        .next()
        .unwrap_or(inside)
        .trim_end_matches(".rs");
    let Some(own_at) = list.modules.iter().position(|name| name == own) else {
        return Vec::new();
    };
    let mut broken = Vec::new();
    for named in named_paths(source) {
        let Some(rest) = named.strip_prefix(list.path.as_slice()) else {
            continue;
        };
        let at = rest
            .first()
            .and_then(|name| list.modules.iter().position(|it| it == name));
        if at.is_some_and(|at| at > own_at) {
            broken.push(format!(
                "{}: `{own}` names `{}`, listed below it",
                source.path,
                named.join("::")
            ));
        }
    }
    broken
}

/// Whether a file names its parent, which no child may.
pub fn names_its_parent(source: &Source) -> bool {
    !source.is_test() && source.code().any(|(_, code)| code.contains("super::"))
}

fn listed(source: &Source) -> Vec<String> {
    let module = |line: &str| -> Option<String> {
        let line = line
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub ");
        line.strip_prefix("mod ")?
            .strip_suffix(';')
            .map(str::to_owned)
    };
    source.code().filter_map(|(_, line)| module(line)).collect()
}

/// Every path of the crate that a file names: what follows `crate::`, groups in braces taken apart.
fn named_paths(source: &Source) -> Vec<Vec<String>> {
    let text: String = source.code().flat_map(|(_, line)| [line, "\n"]).collect();
    let mut paths = Vec::new();
    for (at, word) in text.match_indices("crate::") {
        expand(
            &mut text[at + word.len()..].chars().peekable(),
            &mut Vec::new(),
            &mut paths,
        );
    }
    paths
}

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Reads one path after `crate::`; at a group, reads each of its members behind what stands before it.
fn expand(letters: &mut Letters<'_>, before: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let depth = before.len();
    loop {
        let mut word = String::new();
        while let Some(letter) = letters.next_if(|it| it.is_alphanumeric() || *it == '_') {
            word.push(letter);
        }
        if !word.is_empty() {
            before.push(word);
        } else if letters.next_if_eq(&'{').is_some() {
            group(letters, before, paths);
            break;
        }
        let goes_on = letters.next_if_eq(&':').is_some() && letters.next_if_eq(&':').is_some();
        if !goes_on {
            paths.push(before.clone());
            break;
        }
    }
    before.truncate(depth);
}

fn group(letters: &mut Letters<'_>, before: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    loop {
        while letters
            .next_if(|it| it.is_whitespace() || *it == ',')
            .is_some()
        {}
        if letters.peek().is_none() || letters.next_if_eq(&'}').is_some() {
            return;
        }
        let letters_left = letters.clone().count();
        expand(letters, before, paths);
        // What is neither a path nor an end, such as `as name`, is passed over letter by letter.
        if letters.clone().count() == letters_left {
            letters.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_file_that_names_what_is_below_it_is_found() {
        let lib = source("a/src/lib.rs", "//! Head.\n\npub mod first;\nmod second;\n");
        let list = list(&lib, "a/src/").unwrap();
        assert_eq!(list.modules, ["first", "second"]);
        let one = "use crate::second::Thing;";
        let two = "use crate::{\n    first,\n    second::{Thing, Other},\n};";
        for (text, found) in [(one, 1), (two, 2)] {
            assert_eq!(upward(&source("a/src/first.rs", text), &list).len(), found);
            assert!(upward(&source("a/src/second.rs", text), &list).is_empty());
        }
    }

    #[test]
    fn a_child_that_names_a_sibling_below_it_is_found() {
        let parent = source("a/src/feed.rs", "pub mod one;\npub mod two;\n");
        let list = list(&parent, "a/src/").unwrap();
        let text = "use crate::{feed::{one::This, two}, other};";
        assert_eq!(upward(&source("a/src/feed/one.rs", text), &list).len(), 1);
        assert!(upward(&source("a/src/feed/two.rs", text), &list).is_empty());
    }
}
